"""Both proxies while Brunel's network runs."""

import numpy as np
import pytest
from proxy_cases import CONTACTS, DT, agreement, by_tklfp, cells

import nestlfp
from nestlfp.sources.proxies import rwslfp, telenczuk
from nests import quieten
from networks import installed, reset

wslfp = pytest.importorskip("wslfp")
pytestmark = pytest.mark.compile


LEFT_OUT = 1e-5
N_E, N_I, C_E, C_I = 1000, 250, 100, 25
J_EX, G, DELAY, DURATION = 1.0, 5.0, 1.5, 200.0


def brunel(nest):
    """Brunel's network with a tenth of its neurons; returns populations and spike recorder."""
    parameters = {"C_m": 1.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 0.0, "V_m": 0.0}
    nest.SetDefaults("iaf_psc_delta", {**parameters, "V_th": 20.0})
    E, I = nest.Create("iaf_psc_delta", N_E), nest.Create("iaf_psc_delta", N_I)  # noqa: E741
    rate = 2.0 * 20.0 / (J_EX * C_E * 20.0) * 1000.0 * C_E
    noise = nest.Create("poisson_generator", params={"rate": rate})
    spike_recorder = nest.Create("spike_recorder")
    nest.Connect(noise, E + I, syn_spec={"weight": J_EX, "delay": DELAY})
    for source, indegree, weight in ((E, C_E, J_EX), (I, C_I, -G * J_EX)):
        rule = {"rule": "fixed_indegree", "indegree": indegree}
        nest.Connect(source, E + I, rule, {"weight": weight, "delay": DELAY})
    nest.Connect(E + I, spike_recorder, syn_spec={"delay": DELAY})
    return {"E": E, "I": I}, spike_recorder


def out_weights(nest, populations):
    """Summed weight of each neuron's synapses on the excitatory cells."""
    found = {}
    for name, nodes in populations.items():
        synapses = nest.GetConnections(nodes, populations["E"])
        index = np.array(synapses.source) - nodes[0].global_id
        found[name] = np.bincount(index, weights=synapses.weight, minlength=len(nodes))
    return found


@pytest.fixture(scope="module")
def recorded():
    """Brunel's network, its spikes with and without recorders, and the recorders' signals."""
    import nest

    quieten(nest)
    rng = np.random.default_rng(3)
    places = {"E": cells(N_E, rng), "I": cells(N_I, rng)}
    sums = rwslfp(
        CONTACTS, [0.0, 0.0, 0.0], dt=DT, excitatory={"E": C_E * J_EX},
        inhibitory={"I": -N_E * C_I * G * J_EX / N_I}, synaptic_delay=DELAY, weight_unit="mV",
        tail=1e-3,
    )  # fmt: skip
    units = telenczuk(
        CONTACTS, dt=DT, excitatory={"E": places["E"]}, inhibitory={"I": places["I"]},
        left_out=LEFT_OUT,
    )  # fmt: skip

    reset(nest, threads=2)
    _, spike_recorder = brunel(nest)
    nest.Simulate(DURATION)
    without = spike_recorder.events

    reset(nest, threads=2)
    sum_bank, unit_bank = installed(sums), installed(units)
    populations, spike_recorder = brunel(nest)
    weights = out_weights(nest, populations)
    mean = nestlfp.FieldRecorder(sum_bank, populations, interval=DT)
    relative = {name: found / found.mean() for name, found in weights.items()}
    each = nestlfp.FieldRecorder(
        sum_bank, nestlfp.Inputs(populations, weights=relative), interval=DT
    )
    unit = nestlfp.FieldRecorder(unit_bank, populations, interval=DT)
    nest.Simulate(DURATION)
    events = spike_recorder.events
    trains = {}
    for name, nodes in populations.items():
        mine = np.isin(events["senders"], nodes.tolist())
        order = np.argsort(events["times"][mine], kind="stable")
        senders = events["senders"][mine][order] - nodes[0].global_id
        trains[name] = events["times"][mine][order].round(1), senders
    result = {
        "without": without, "events": events, "trains": trains, "places": places,
        "weights": weights, "mean": mean.signals()["LFP"], "each": each.signals()["LFP"],
        "units": units, "unit": unit.signals()["LFP"],
    }  # fmt: skip
    nest.ResetKernel()
    return result


def test_recorders_leave_brunels_spikes_as_they_are(recorded):
    events, without = recorded["events"], recorded["without"]
    rates = [recorded["trains"][name][0].size / n * 5 for name, n in (("E", N_E), ("I", N_I))]
    assert min(rates) > 3
    for key in ("times", "senders"):
        np.testing.assert_array_equal(events[key], without[key])


@pytest.mark.parametrize("which", ["mean", "each"])
@pytest.mark.filterwarnings("ignore:Insufficient current data")
def test_online_rwslfp_equals_wslfp(recorded, which):
    found = recorded[which]
    times = np.arange(0, round(DURATION / DT) + 1) * DT
    currents = []
    for name, (decay, rise) in (("E", (2.0, 0.4)), ("I", (5.0, 0.25))):
        at, neurons = recorded["trains"][name]
        J = recorded["weights"][name]
        if which == "mean":  # the same weight for all neurons
            J = np.full(J.size, J.mean())
        currents.append(
            wslfp.spikes_to_biexp_currents(
                times, at, neurons, J[:, np.newaxis], decay, rise,
                syn_delay_ms=DELAY, normalize=True,
            )
        )  # fmt: skip
    calculator = wslfp.from_xyz_coords(CONTACTS, [0, 0, 0], amp_func=wslfp.mazzoni15_pop)
    signal = calculator.calculate(times, times, currents[0], times, currents[1], normalize=False)
    expected = signal.T[:, np.rint(found.time.values / DT).astype(int)]
    assert found.sizes["time"] > 1900
    assert agreement(found.values, expected) < 1e-9


def test_online_telenczuk_equals_tklfp(recorded):
    """But for what is left out; and what was recorded is what the modes say, to rounding."""
    found, trains = recorded["unit"], recorded["trains"]
    exact = by_tklfp(recorded["places"], trains, found.time.values)
    # Kernels that reach back before the spike: the last of them belong to spikes to come.
    assert found.sizes["time"] > 1850
    left = (found.values - exact).var(axis=1) / exact.var(axis=1)
    assert left.max() < LEFT_OUT
    offline = recorded["units"].convolve(trains, DURATION)["LFP"]
    assert agreement(found.values, offline.values[:, : found.sizes["time"]]) < 1e-12
    np.testing.assert_array_equal(found["LFP_z"], CONTACTS[:, 2])
