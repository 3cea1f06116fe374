"""Both proxies while Brunel's network runs."""

import numpy as np
import pytest
from proxy_cases import CONTACTS, DT, agreement, cells, rounded_tklfp

import nestlfp
from nestlfp.sources.proxies import rwslfp, telenczuk
from networks import installed, replayed, reset

wslfp = pytest.importorskip("wslfp")


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

    nest.verbosity = nest.VerbosityLevel.ERROR
    rng = np.random.default_rng(3)
    places = {"E": cells(N_E, rng), "I": cells(N_I, rng)}
    sums = rwslfp(
        CONTACTS, [0.0, 0.0, 0.0], dt=DT, excitatory={"E": C_E * J_EX},
        inhibitory={"I": -N_E * C_I * G * J_EX / N_I}, synaptic_delay=DELAY, weight_unit="mV",
        tolerance=1e-3,
    )  # fmt: skip
    units = telenczuk(CONTACTS, dt=DT, excitatory={"E": places["E"]}, inhibitory={"I": places["I"]})

    reset(nest, threads=2)
    _, spike_recorder = brunel(nest)
    nest.Simulate(DURATION)
    without = spike_recorder.events

    reset(nest, threads=2)
    nest.set(min_delay=DELAY, max_delay=DELAY + units.delay_range)
    modes = units.by_modes(1e-5)
    sum_bank, unit_bank = installed(sums), installed(units.kernels)
    mode_bank = installed(modes)
    populations, spike_recorder = brunel(nest)
    weights = out_weights(nest, populations)
    mean = nestlfp.FieldRecorder(sum_bank, populations, interval=DT)
    relative = {name: found / found.mean() for name, found in weights.items()}
    each = nestlfp.FieldRecorder(
        sum_bank, nestlfp.Inputs(populations, weights=relative), interval=DT
    )
    recorders = [
        nestlfp.FieldRecorder(unit_bank, populations, interval=DT, **one)
        for one in units.per_contact()
    ]
    by_modes = nestlfp.FieldRecorder(mode_bank, populations, interval=DT)
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
        "units": units, "unit": units.signals(recorders)["LFP"], "sums": sums,
        "modes": modes, "by_modes": by_modes.signals()["LFP"],
    }  # fmt: skip
    nest.ResetKernel()
    return result


def test_recorders_leave_brunels_spikes_as_they_are(recorded):
    events, without = recorded["events"], recorded["without"]
    rates = [recorded["trains"][name][0].size / n * 5 for name, n in (("E", N_E), ("I", N_I))]
    assert min(rates) > 3
    for key in ("times", "senders"):
        np.testing.assert_array_equal(events[key], without[key])


def test_delay_range_makes_room_whatever_population_is_nearest(nest):
    # Populations of one neuron each: the nearer one's kernel starts earlier, or the wider one's.
    near, far = np.array([[0.0, 0.0, -190.0]]), np.array([[0.0, 0.0, 900.0]])
    trains = {"E": ([3.0], [0]), "F": ([2.0, 7.3], [0, 0]), "I": ([4.0], [0])}
    for E, F, I in ((near, far, far), (far, near, far), (far, far, near)):  # noqa: E741
        proxy = telenczuk(
            CONTACTS[:1], dt=DT, excitatory={"E": E, "F": F}, inhibitory={"I": I}, tolerance=1e-3
        )
        reset(nest)
        nest.set(min_delay=1.0, max_delay=1.0 + proxy.delay_range)
        bank = installed(proxy.kernels)
        parrots = replayed(nest, [times - np.float64(1.0) for times, _ in trains.values()])
        nodes = {name: parrots[k : k + 1] for k, name in enumerate(trains)}
        recorders = [
            nestlfp.FieldRecorder(bank, nodes, interval=DT, **one) for one in proxy.per_contact()
        ]
        nest.Simulate(60.0)
        found = proxy.signals(recorders)["LFP"]
        expected = proxy.convolve(trains, 60.0)["LFP"].isel(time=slice(0, found.sizes["time"]))
        assert found.sizes["time"] > 450
        np.testing.assert_allclose(found.time, expected.time)
        assert agreement(found.values, expected.values) < 1e-12


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
    found, proxy, places = recorded["unit"], recorded["units"], recorded["places"]
    model = rounded_tklfp(places["E"], places["I"], CONTACTS)
    (at_E, E), (at_I, I) = (recorded["trains"][name] for name in ("E", "I"))  # noqa: E741
    at, neurons = np.concatenate([at_E, at_I]), np.concatenate([E, N_E + I])
    pieces = np.array_split(found.time.values, 40)  # tklfp keeps every spike at every time
    expected = np.concatenate([model.compute(neurons, at, piece) for piece in pieces]).T
    # Kernels that reach back before the spike: the last of them belong to spikes to come.
    assert found.sizes["time"] > 1850
    assert agreement(found.values, expected) < 1e-6
    offline = proxy.convolve(recorded["trains"], DURATION)["LFP"].sel(
        time=found.time, method="nearest"
    )
    assert agreement(found.values, offline.values) < 1e-12
    np.testing.assert_array_equal(found["LFP_z"], CONTACTS[:, 2])


def test_one_recorder_with_modes_equals_tklfp(recorded):
    """To the tolerance asked for; and what was recorded is what the modes say, to rounding."""
    found, exact = recorded["by_modes"], recorded["unit"]
    n = min(found.sizes["time"], exact.sizes["time"])
    assert n > 1850
    left = (found[:, :n] - exact.values[:, :n]).var("time") / exact[:, :n].var("time")
    assert left.max() < 1e-5
    offline = recorded["modes"].convolve(recorded["trains"], DURATION)["LFP"]
    assert agreement(found.values, offline.values[:, : found.sizes["time"]]) < 1e-12
    np.testing.assert_array_equal(found["LFP_z"], CONTACTS[:, 2])
