"""Networks of 400 + 100 neurons, and what `run.py` needs to know of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nest
import numpy as np

SIZES = {"E": 400, "I": 100}
DT = 0.1  # ms
REST = -70.0  # mV
INDEGREE = {"E": 80, "I": 20}  # by presynaptic population


@dataclass(frozen=True)
class Case:
    """A network, and the cells that stand for its neurons.

    `weight` is what tells NEST's weights by presynaptic population, in NEST's unit. `external` are
    rate (spikes/s) and weight of each neuron's Poisson input, by population.
    """

    model: str
    cells: dict[str, str]
    weight: dict[str, Any]
    external: dict[str, tuple[float, float]]
    tau: dict[str, float]
    neuron: dict[str, float] = field(default_factory=dict)
    reversal: dict[str, float] | None = None
    delay: Callable[[], Any] = lambda: nest.math.redraw(nest.random.normal(1.5, 0.6), 0.3, 4.0)

    @property
    def shape(self) -> str:
        """Time course of the synapses."""
        return "alpha" if "alpha" in self.model else "exp"


def lognormal(mean: float, relative_sd: float) -> Any:
    """Weights of this mean; the sign is that of the mean."""
    sigma = np.sqrt(np.log1p(relative_sd**2))
    drawn = nest.random.lognormal(np.log(abs(mean)) - sigma**2 / 2, sigma)
    return drawn if mean > 0 else -1.0 * drawn


def conductances(weight: float, external_weight: float, rate: float) -> Case:
    """`iaf_cond_exp` with E's weight (nS), I's five times as large."""
    return Case(
        model="iaf_cond_exp",
        cells={"E": "p23", "I": "i23"},
        weight={"E": weight, "I": -5.0 * weight},
        external={"E": (rate, external_weight), "I": (rate, external_weight)},
        tau={"E": 2.0, "I": 6.0},
        neuron={"g_L": 20.0, "C_m": 250.0},
        reversal={"E": 0.0, "I": -80.0},
    )


CASES: dict[str, Callable[[], Case]] = {
    "currents": lambda: Case(
        model="iaf_psc_exp",
        cells={"E": "p5_L23", "I": "i4"},
        weight={"E": 25.0, "I": -150.0},
        external={"E": (2600.0, 60.0), "I": (2600.0, 60.0)},
        tau={"E": 2.0, "I": 5.0},
        neuron={"C_m": 250.0, "tau_m": 15.0},
    ),
    "unequal weights": lambda: Case(
        model="iaf_psc_alpha",
        cells={"E": "p4", "I": "i5"},
        weight={"E": lognormal(25.0, 0.8), "I": lognormal(-150.0, 0.5)},
        external={"E": (3800.0, 30.0), "I": (3800.0, 30.0)},
        tau={"E": 1.0, "I": 3.0},
        neuron={"C_m": 250.0, "tau_m": 15.0},
    ),
    "weak conductances": lambda: conductances(0.3, 0.8, 4500.0),
    "strong conductances": lambda: conductances(1.5, 1.5, 2000.0),
}


@dataclass(frozen=True)
class Ran:
    """A network that has run in NEST; connections are read by `nest.GetConnections` alone."""

    neurons: dict[str, Any]
    recorders: dict[str, Any]

    def spikes(self, start: float = 0.0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Times (ms) and indices of the neurons, after `start`."""
        found = {}
        for name, recorder in self.recorders.items():
            events = recorder.events
            late = events["times"] > start
            index = events["senders"] - self.neurons[name].tolist()[0]
            found[name] = events["times"][late], index[late]
        return found

    def connections(self, pre: str, post: str) -> dict[str, np.ndarray]:
        """Source and target (indices), weight and delay (ms) of each connection."""
        read = nest.GetConnections(self.neurons[pre], self.neurons[post]).get(
            ["source", "target", "weight", "delay"]
        )
        found = {key: np.asarray(values) for key, values in read.items()}
        found["source"] = found["source"] - self.neurons[pre].tolist()[0]
        found["target"] = found["target"] - self.neurons[post].tolist()[0]
        return found


def run(case: Callable[[], Case], duration: float, seed: int) -> Ran:
    """Build the network in NEST and run it."""
    nest.ResetKernel()
    nest.set(resolution=DT, rng_seed=seed, local_num_threads=1)
    network = case()
    kinds = {"E": "tau_syn_ex", "I": "tau_syn_in"}
    parameters = {
        "E_L": REST, "V_reset": REST, "V_th": -50.0, "t_ref": 2.0,
        **{kinds[x]: tau for x, tau in network.tau.items()}, **network.neuron,
    }  # fmt: skip
    if network.reversal is not None:
        parameters |= {"E_ex": network.reversal["E"], "E_in": network.reversal["I"]}
    neurons = {x: nest.Create(network.model, n, params=parameters) for x, n in SIZES.items()}
    for population in neurons.values():
        population.V_m = nest.random.uniform(REST, -50.0)
    recorders = {x: nest.Create("spike_recorder") for x in SIZES}
    for pre, sources in neurons.items():
        for targets in neurons.values():
            nest.Connect(
                sources,
                targets,
                {"rule": "fixed_indegree", "indegree": INDEGREE[pre]},
                {"weight": network.weight[pre], "delay": network.delay()},
            )
        nest.Connect(sources, recorders[pre])
    for post, (rate, weight) in network.external.items():
        generator = nest.Create("poisson_generator", params={"rate": rate})
        nest.Connect(generator, neurons[post], syn_spec={"weight": weight, "delay": 1.5})
    nest.Simulate(duration)
    return Ran(neurons, recorders)
