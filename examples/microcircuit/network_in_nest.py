"""The microcircuit as point neurons in NEST.

`build` makes all neurons before the first device: where they take turns, NEST looks nodes up by a
linear search, and the full network is not connected within a quarter of an hour. NEST holds 134
million synapses of one model on a virtual process. Where there are more, synapses of inhibitory
neurons are of a copy of the model.
"""

from dataclasses import dataclass
from typing import Any

import circuit as c
import nest
import numpy as np
from anatomy import PRE

Nodes = dict[str, nest.NodeCollection]
"""By population."""


@dataclass(frozen=True)
class Choice:
    """Which network, of what size, with what input from the thalamus."""

    scale: float = 0.1
    network: str = "default"
    stimulus: str = "none"
    duration: float = 1500.0  # ms
    seed: int = 1

    @property
    def modified(self) -> bool:
        """Whether it is the network of Hagen et al. 2016, which has no peak at 84 Hz."""
        return self.network == "modified"

    def size(self, population: str) -> int:
        """Neurons; those of the thalamus are all there in every network."""
        if population == "TC":
            return c.N_TC
        return round(c.SIZES[population] * self.scale)

    def synapses(self, pre: str, post: str) -> int:
        """Synapses from `pre` onto `post`."""
        return c.synapses(pre, post, self.scale)

    def full_weight(self, pre: str, post: str) -> float:
        """Mean weight at full size (pA)."""
        factor = c.MODIFIED_WEIGHTS.get((pre, post), 1.0) if self.modified else 1.0
        return factor * c.weight(pre, post)

    def pulses(self) -> list[float]:
        """When the thalamus spikes as one (ms)."""
        return list(np.arange(PULSES_FROM, self.duration, PULSES_EVERY))


MOST_CONNECTIONS = 2**27 - 2  # of one model on a virtual process
PULSES_FROM, PULSES_EVERY = 900.0, 1000.0  # ms
AC = {"rate": 30.0, "amplitude": 30.0, "frequency": 15.0}  # spikes/s, spikes/s, Hz
ONE_STEP = 1.0  # ms, from the generator to the thalamus's neurons


def reset(choice: Choice, threads: int) -> None:
    """An empty kernel; install modules after it and build the network then."""
    nest.ResetKernel()
    # Virtual processes of all ranks together.
    nest.set(resolution=c.DT, total_num_virtual_procs=threads, rng_seed=choice.seed)


def build(choice: Choice) -> tuple[Nodes, int, int]:
    """Neurons, the thalamus as population TC, and how many synapses there are on this rank.

    Returns
    -------
    neurons, recurrent, thalamic : dict, int, int
    """
    neurons = {name: create(choice, name) for name in c.POPULATIONS}
    neurons["TC"] = nest.Create("parrot_neuron", c.N_TC)
    models = synapse_models(choice, nest.total_num_virtual_procs)
    if models["I"] != models["E"]:
        nest.CopyModel("static_synapse", models["I"])
    made = []
    for pres in (c.POPULATIONS, ("TC",)):
        for post in c.POPULATIONS:
            for pre in pres:
                connect(choice, neurons, pre, post, models[c.kind(pre)])
        made.append(sum(nest.GetDefaults(m, "num_connections") for m in set(models.values())))
    return neurons, made[0], made[1] - made[0]


def synapse_models(choice: Choice, virtual_processes: int) -> dict[str, str]:
    """Synapse model of excitatory and of inhibitory neurons: the same, where NEST can hold them."""
    total = sum(choice.synapses(pre, post) for pre in PRE for post in c.POPULATIONS)
    devices = 4 * sum(choice.size(name) for name in PRE)  # generators and recorders, with room
    # Virtual processes have nearly as many synapses each.
    fits = 1.01 * (total + devices) / virtual_processes < MOST_CONNECTIONS
    return {"E": "static_synapse", "I": "static_synapse" if fits else "from_I"}


def recorders_models(choice: Choice) -> dict[str, str]:
    """Synapse model of each population's neurons, for `nestlfp.Inputs`."""
    models = synapse_models(choice, nest.total_num_virtual_procs)
    return {name: models[c.kind(name)] for name in PRE}


def drive(choice: Choice, neurons: Nodes) -> None:
    """Background input to all neurons, and to the thalamus what was chosen."""
    background(choice, neurons)
    if choice.stimulus == "pulse":
        times = [time - ONE_STEP for time in choice.pulses()]
        generator = nest.Create("spike_generator", params={"spike_times": times})
        nest.Connect(generator, neurons["TC"], syn_spec={"delay": ONE_STEP})
    elif choice.stimulus == "ac":
        generator = nest.Create("sinusoidal_poisson_generator", params=AC)
        nest.Connect(generator, neurons["TC"], syn_spec={"delay": ONE_STEP})


def background(choice: Choice, neurons: Nodes) -> None:
    """Poisson input to the eight populations."""
    for name in c.POPULATIONS:
        rate = c.EXTERNAL_RATE * c.EXTERNAL_IN_DEGREE[name] * choice.scale
        generator = nest.Create("poisson_generator", params={"rate": rate})
        weight = c.weight("TC", name) / np.sqrt(choice.scale)
        synapse = {"weight": weight, "delay": c.DELAY["E"]}
        nest.Connect(generator, neurons[name], syn_spec=synapse)


def record_spikes(neurons: Nodes) -> Nodes:
    """A spike recorder for each population, at the network's shortest delay."""
    recorders = {name: nest.Create("spike_recorder") for name in neurons}
    for name, population in neurons.items():
        nest.Connect(population, recorders[name], syn_spec={"delay": c.DT})
    return recorders


def spikes(recorders: Nodes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Spikes in this process, each population as (times (ms), senders)."""
    found = {}
    for name, recorder in recorders.items():
        events = recorder.get("events")
        found[name] = (np.asarray(events["times"]), np.asarray(events["senders"]))
    return found


def direct_current(choice: Choice, post: str) -> float:
    """Current (pA) for the input that a smaller network misses.

    Fewer synapses with larger weights keep the variance of the input, not its mean.
    """
    recurrent = sum(
        choice.full_weight(pre, post) * c.synapses(pre, post) / c.SIZES[post] * c.RATES[pre]
        for pre in c.POPULATIONS
    )
    external = c.weight("TC", post) * c.EXTERNAL_IN_DEGREE[post] * c.EXTERNAL_RATE
    return 1e-3 * c.TAU_SYN * (1.0 - np.sqrt(choice.scale)) * (recurrent + external)


def create(choice: Choice, name: str) -> nest.NodeCollection:
    """The neurons of one of the eight populations."""
    mean, spread = c.INITIAL_POTENTIAL[name]
    own = {"I_e": direct_current(choice, name), "V_m": nest.random.normal(mean=mean, std=spread)}
    return nest.Create("iaf_psc_exp", choice.size(name), params={**c.NEURON, **own})


def connect(
    choice: Choice, neurons: Nodes, pre: str, post: str, model: str, number: int | None = None
) -> None:
    """The synapses from one population onto another; so many, where a number is given."""
    number = choice.synapses(pre, post) if number is None else number
    if not number:
        return
    nest.Connect(
        neurons[pre],
        neurons[post],
        {"rule": "fixed_total_number", "N": number},
        {
            "synapse_model": model,
            "weight": _weights(choice, pre, post),
            "delay": _delays(pre),
        },
    )


def _weights(choice: Choice, pre: str, post: str) -> Any:
    """Weights (pA): normal, redrawn where the sign would change, or log-normal."""
    mean = choice.full_weight(pre, post) / np.sqrt(choice.scale)
    if choice.modified:
        variance = np.log(1.0 + c.MODIFIED_WEIGHT_SPREAD**2)
        drawn = nest.random.lognormal(
            mean=np.log(abs(mean)) - variance / 2.0, std=np.sqrt(variance)
        )
        return drawn if mean > 0 else drawn * -1.0
    low, high = (0.0, np.inf) if mean > 0 else (-np.inf, 0.0)
    drawn = nest.random.normal(mean=mean, std=abs(mean) * c.WEIGHT_SPREAD)
    return nest.math.redraw(drawn, min=low, max=high)


def _delays(pre: str) -> Any:
    """Delays (ms): normal, redrawn where they would round to less than a step."""
    mean = c.DELAY[c.kind(pre)]
    drawn = nest.random.normal(mean=mean, std=mean * c.DELAY_SPREAD)
    return nest.math.redraw(drawn, min=c.DT / 2.0, max=np.inf)
