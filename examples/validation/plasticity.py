"""How far a signal that follows plastic synapses is from the full calculation.

    python examples/validation/plasticity.py --help

Runs the network of `run.py` with STDP, and with connections that come and go. NEST records what
each spike weighs over each connection, and the signal is calculated from it cell by cell. The same
networks are recorded online: with kernels that stay as they are, with the strengths of pathways,
and with each neuron's own. Writes a report; docs/plasticity.md says what it shows.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")

import nest
import numpy as np
import small_network as net
import typer
import weights_of_spikes as full
import xarray as xr

import nestlfp
from nestlfp.simulator.synapses import stationary_factor

STRUCTURAL, SHORT_TERM = "structural plasticity", "short-term depression"
LARGEST = 3.0  # weights, of those at the start
U, TAU_REC, TAU_PSC = 0.5, 200.0, 0.5  # of short-term depression: a fraction, and ms
CASES: dict[str, tuple[str, dict[str, float]]] = {
    "additive STDP": (
        "stdp_synapse", {"lambda": 0.1, "alpha": 0.4, "mu_plus": 0.0, "mu_minus": 0.0},
    ),
    "multiplicative STDP": (
        "stdp_synapse", {"lambda": 0.15, "alpha": 0.2, "mu_plus": 1.0, "mu_minus": 1.0},
    ),
    STRUCTURAL: ("static_synapse", {}),
    SHORT_TERM: (
        "tsodyks_synapse", {"U": U, "u": U, "tau_rec": TAU_REC, "tau_psc": TAU_PSC, "tau_fac": 0.0},
    ),
}  # fmt: skip
"""Synapse models of the excitatory neurons, and what they have beside weight and delay."""

LARGE = 0.1  # of the largest s.d.: contacts that the table has
TAU = 50.0  # ms, the last lag
DELAY = 1.5  # ms, of excitation where connections come and go
# Of neurons that make and lose synapses: more where their calcium is below what is enough.
CALCIUM = {"beta_Ca": 0.1, "tau_Ca": 1000.0}
ENOUGH = 1.0
GROWTH = {"dendrite": 0.02, "E": 0.02, "I": 0.005}  # 1/ms, of axons onto these populations
EXTERNAL_RATE = {"E": 17800.0, "I": 6300.0}  # spikes/s

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Built(NamedTuple):
    """A network in NEST; `weights` has a weight_recorder for each pathway."""

    neurons: dict[str, Any]
    spikes: dict[str, Any]
    weights: dict[tuple[str, str], Any]

    def trains(self) -> np.ndarray:
        """Times (ms) and senders of all spikes, in one order."""
        found = [each.events for each in self.spikes.values()]
        times, senders = (np.concatenate([e[key] for e in found]) for key in ("times", "senders"))
        return np.array([times, senders])[:, np.lexsort((senders, times))]


def build(case: str, seed: int, kernels: nestlfp.KernelSet | None = None) -> Built:
    """An empty kernel with this network; E has the synapses that change."""
    net.reset(seed)
    if kernels is not None:
        nestlfp.install(ports=len(net.PATHWAYS), method="fir")
    structural = case == STRUCTURAL
    weights = {}
    for pre, post in net.PATHWAYS:
        weights[pre, post] = nest.Create("weight_recorder")
        model, parameters = CASES[case] if pre == "E" else ("static_synapse", {})
        common: dict[str, Any] = {"weight_recorder": weights[pre, post]}
        if model == "stdp_synapse":
            common["Wmax"] = LARGEST * net.WEIGHT[pre, post]
        nest.CopyModel(model, f"{pre}_{post}", {**parameters, **common})
        if structural and pre == "E":
            common |= {"weight": net.WEIGHT[pre, post], "delay": DELAY}
            nest.CopyModel(model, f"growing_{post}", common)
    if structural:
        nest.structural_plasticity_update_interval = 3.0  # ms
        nest.structural_plasticity_synapses = {
            post: {
                "synapse_model": f"growing_{post}",
                "pre_synaptic_element": f"axon_{post}",
                "post_synaptic_element": f"dendrite_{post}",
            }
            for post in net.SIZES
        }
    neurons = {
        x: nest.Create("iaf_psc_exp", n, params=net.p.NEURON[x]) for x, n in net.SIZES.items()
    }
    if structural:
        for x, population in neurons.items():
            population.set(CALCIUM)
            growth = {f"dendrite_{x}": GROWTH["dendrite"]}
            growth |= {f"axon_{post}": GROWTH[post] for post in net.SIZES if x == "E"}
            population.synaptic_elements = {
                name: {"growth_curve": "linear", "growth_rate": rate, "eps": ENOUGH}
                for name, rate in growth.items()
            }
    for pre, post in net.PATHWAYS:
        synapse = {"synapse_model": f"{pre}_{post}", "weight": net.weights(pre, post)}
        synapse["delay"] = net.delays(pre, post)
        if pre == "E" and structural:
            synapse["delay"] = DELAY
        if pre == "E" and case == SHORT_TERM:  # so that a first spike weighs as much
            synapse["weight"] *= 1 / U
        rule = {"rule": "pairwise_bernoulli", "p": net.CONNECTION_PROBABILITY}
        nest.Connect(neurons[pre], neurons[post], rule, synapse)
    shortest = {"delay": nest.min_delay}
    spikes = {}
    for x, population in neurons.items():
        noise = nest.Create("poisson_generator", params={"rate": EXTERNAL_RATE[x]})
        synapse = {"weight": net.p.EXTERNAL_WEIGHT, **shortest}
        nest.Connect(noise, population, syn_spec=synapse)
        spikes[x] = nest.Create("spike_recorder")
        nest.Connect(population, spikes[x], syn_spec=shortest)
    if structural:
        nest.EnableStructuralPlasticity()
    return Built(neurons, spikes, weights)


def simulate_in_pieces(duration: float, every: float, structural: bool) -> None:
    """One Simulate; with structural plasticity it is cut where strengths are read."""
    if not structural:
        nest.Simulate(duration)
        return
    for _ in range(round(duration / every)):
        nest.Simulate(every)


def connections(built: Built, pathway: tuple[str, str]) -> dict[str, np.ndarray]:
    """Sources, targets, weights and delays, as they are now."""
    pre, post = pathway
    found = nest.GetConnections(built.neurons[pre], built.neurons[post])
    read = found.get(["source", "target", "weight", "delay"])
    return {key: np.array(values) for key, values in read.items()}


class Ran(NamedTuple):
    """What a network left: what arrives if all neurons spike once at the start, and what did."""

    at_once: dict[tuple[str, str], full.Arrivals]
    arrived: dict[tuple[str, str], full.Arrivals]
    spikes: np.ndarray
    first: dict[str, int]
    facts: dict[str, Any]


def run_network(case: str, seed: int, duration: float, every: float) -> Ran:
    """Run the network without recorder."""
    built = build(case, seed)
    first = {x: nodes[0].global_id for x, nodes in built.neurons.items()}
    before = {pathway: connections(built, pathway) for pathway in net.PATHWAYS}
    simulate_in_pieces(duration, every, case == STRUCTURAL)
    spikes = built.trains()
    facts: dict[str, Any] = {
        "rates": {
            x: float(np.isin(spikes[1], nodes.tolist()).sum() / len(nodes) / duration * 1e3)
            for x, nodes in built.neurons.items()
        }
    }
    at_once, arrived = {}, {}
    for pathway in net.PATHWAYS:
        was, now = before[pathway], connections(built, pathway)
        events = built.weights[pathway].events
        pairs = zip(was["source"].tolist(), was["target"].tolist(), strict=True)
        delays: Any = dict(zip(pairs, was["delay"].tolist(), strict=True))
        if pathway[0] == "E" and case == STRUCTURAL:
            pairs = zip(events["senders"].tolist(), events["targets"].tolist(), strict=True)
            delays |= dict.fromkeys(pairs, DELAY)
        arrived[pathway] = full.arrivals(pathway, events, first, delays, net.p.DT)
        at_once[pathway] = full.Arrivals(
            was["source"] - first[pathway[0]],
            was["target"] - first[pathway[1]],
            was["weight"] * (U if pathway[0] == "E" and case == SHORT_TERM else 1.0),
            np.rint(was["delay"] / net.p.DT).astype(int),
        )
        facts[" → ".join(pathway)] = {
            "connections": [was["weight"].size, now["weight"].size],
            "mean_weight_pA": [float(was["weight"].mean()), float(now["weight"].mean())],
        }
    return Ran(at_once, arrived, spikes, first, facts)


def work_of(arrivals: dict[tuple[str, str], full.Arrivals], steps: int, seed: int) -> full.Work:
    """The cells, and what arrives at them."""
    lags = round(TAU / net.p.DT)
    return full.Work(net.cells(), net.probes()[:1], arrivals, net.p.DT, steps, lags, seed)


def first_kernels(ran: Ran, seed: int, processes: int | None) -> nestlfp.KernelSet:
    """Kernels of the weights at the start."""
    z = net.p.CONTACTS_Z
    labels = {"units": {"LFP": "mV"}, "positions": {"LFP": np.stack([0 * z, 0 * z, z], axis=1)}}
    work = work_of(ran.at_once, round(TAU / net.p.DT), seed)
    return full.kernels(work, net.SIZES, {"LFP": z.size}, labels, processes)


def online(
    kernels: nestlfp.KernelSet, case: str, seed: int, duration: float, every: float, rate: float
) -> tuple[dict[str, np.ndarray], np.ndarray, xr.DataArray]:
    """Signals of recorders that follow, and of one that does not; spikes, and strengths.

    `rate` is that of the excitatory neurons (spikes/s).
    """
    built = build(case, seed, kernels)
    ways: dict[str, tuple[nestlfp.KernelSet, Any]] = {
        "fixed": (kernels, None),
        "pathways": (kernels, nestlfp.Plasticity(every=every, accuracy=0)),
        "each neuron": (kernels, nestlfp.Plasticity(every=every, neurons=True)),
    }
    if case == SHORT_TERM:
        # What a synapse passes on average at the rate that the neurons had, over what it passes
        # after a long silence.
        passed = stationary_factor(U, 0.0, TAU_REC + TAU_PSC, rate) / U
        ways["fixed, at the rate"] = kernels.scale({"E": float(passed)}), None
    recorders = {
        name: nestlfp.FieldRecorder(of, built.neurons, interval=net.p.DT, plasticity=how)
        for name, (of, how) in ways.items()
    }
    nestlfp.simulate(duration, progress=False)
    signals = {name: recorder.signals()["LFP"].values for name, recorder in recorders.items()}
    return signals, built.trains(), recorders["pathways"].strengths()


def piecewise(
    kernels: nestlfp.KernelSet,
    spikes: np.ndarray,
    first: dict[str, int],
    strengths: xr.DataArray,
    steps: int,
) -> np.ndarray:
    """numpy.convolve of spikes with the strengths of their time."""
    times, senders = spikes
    at = np.rint(times / net.p.DT).astype(int)
    since = np.rint(strengths["time"].values / net.p.DT) - round(nest.min_delay / net.p.DT)
    reading = np.searchsorted(since, at, side="left") - 1
    total: Any = 0.0
    for pre in kernels.pre:
        own = (senders >= first[pre]) & (senders < first[pre] + net.SIZES[pre])
        for post in kernels.post:
            factors = strengths.sel(pre=pre, post=post).values
            weights = (factors / factors[0])[reading[own]]
            counts = np.bincount(at[own] + 1, weights, minlength=steps + 2)[: steps + 1]
            h = kernels["LFP"].sel(pre=pre, post=post).values
            total = total + np.array([np.convolve(counts, each)[: steps + 1] for each in h])
    return np.asarray(total[:, 1:])


def r2(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Of each contact, over the whole run."""
    return np.asarray(1 - np.mean((found - truth) ** 2, axis=1) / truth.var(axis=1))


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("out/validation"),
    duration: Annotated[float, typer.Option(min=500.0, help="Simulated time (ms).")] = 6000.0,
    every: Annotated[float, typer.Option(help="Between two readings of strengths (ms).")] = 75.0,
    seed: Annotated[int, typer.Option(min=1, help="Seed of the network and the cells.")] = 1,
    processes: Annotated[int | None, typer.Option(help="Default: one per core.")] = None,
    case: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(CASES)}.")] = None,
) -> None:
    """Compare signals that follow plastic synapses with the full calculation."""
    out.mkdir(parents=True, exist_ok=True)
    nest.verbosity = nest.VerbosityLevel.ERROR
    report: dict[str, Any] = {"duration_ms": duration, "every_ms": every, "seed": seed}
    for name in case or CASES:
        start = time.perf_counter()
        steps = round(duration / net.p.DT)
        ran = run_network(name, seed, duration, every)
        kernels = first_kernels(ran, seed, processes)
        truth = full.signals(work_of(ran.arrived, steps, seed), processes).sum(axis=(0, 1))
        found, again, strengths = online(
            kernels, name, seed, duration, every, ran.facts["rates"]["E"]
        )
        report[name] = {
            **ran.facts,
            **compared(ran, kernels, truth, found, again, strengths),
            "seconds": time.perf_counter() - start,
        }
        print(f"{name}: {json.dumps(report[name], indent=1)}", flush=True)
    text = json.dumps(report, indent=2, allow_nan=False)
    (out / "plasticity.json").write_text(text + "\n", encoding="utf-8")


def compared(
    ran: Ran,
    kernels: nestlfp.KernelSet,
    truth: np.ndarray,
    found: dict[str, np.ndarray],
    spikes: np.ndarray,
    strengths: xr.DataArray,
) -> dict[str, Any]:
    """Signals of recorders beside the full calculation, and beside numpy.convolve."""
    n = found["fixed"].shape[1]
    convolved = piecewise(kernels, ran.spikes, ran.first, strengths, truth.shape[1])[:, :n]
    error = np.abs(found["pathways"] - convolved).max() / np.abs(convolved).max()
    truth = truth[:, :n]
    sd = truth.std(axis=1)
    agreement = {way: r2(truth, signal) for way, signal in found.items()}
    return {
        "spikes": int(spikes.shape[1]),
        "spikes_identical": bool(np.array_equal(ran.spikes, spikes)),
        "error_against_convolve": float(error),
        "contacts": [
            {
                "z_um": float(net.p.CONTACTS_Z[i]),
                "sd_mV": float(sd[i]),
                **{f"R2 {way}": float(values[i]) for way, values in agreement.items()},
            }
            for i in np.flatnonzero(sd >= LARGE * sd.max())
        ],
    }


if __name__ == "__main__":
    app()
