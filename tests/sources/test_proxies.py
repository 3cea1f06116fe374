"""Proxy kernels against the packages wslfp and tklfp, on the same spikes."""

import sys

import numpy as np
import pytest
import xarray as xr

import nestlfp
from nestlfp.errors import KernelError, MissingExtraError
from nestlfp.sources.proxies import (
    AMPLITUDES,
    double_exponential,
    normalize,
    rwslfp,
    telenczuk,
)
from networks import replayed, reset

wslfp = pytest.importorskip("wslfp")
tklfp = pytest.importorskip("tklfp")

DT = 0.1
CONTACTS = np.array([[0.0, 0, -200], [50.0, 20, 25], [0.0, 0, 240], [200.0, 0, 400]])
WEIGHTS = {"excitatory": {"E": 20.0}, "inhibitory": {"I": -90.0}}
RNG = np.random.default_rng(12)


def spikes(rate, count, duration=200.0, rng=RNG):
    """Times on the grid, sorted, and the neurons that fired."""
    n = rng.poisson(rate * count * duration / 1000)
    return np.sort(rng.integers(1, round(duration / DT), n)) * DT, rng.integers(0, count, n)


def agreement(found, expected):
    return np.max(np.abs(found - expected)) / np.max(np.abs(expected))


def cells(count, rng=RNG):
    """Somata in a cylinder of 200 µm."""
    return rng.uniform([-150, -150, -100], [150, 150, 100], (count, 3))


def with_wslfp(calculator, trains, times, threshold, normalize_peak, delay=1.5):
    """The package's own signal of the populations' summed currents, shape (contact, time)."""
    currents = []
    for name, weight, (decay, rise) in (("E", 20.0, (2.0, 0.4)), ("I", -90.0, (5.0, 0.25))):
        at = trains[name]
        currents.append(
            wslfp.spikes_to_biexp_currents(
                times, at, np.zeros(at.size, int), np.array([[weight]]), decay, rise,
                syn_delay_ms=delay, normalize=normalize_peak, threshold=threshold,
            )
        )  # fmt: skip
    shared = np.tile(currents[0], calculator.n_sources), np.tile(currents[1], calculator.n_sources)
    found = calculator.calculate(times, times, shared[0], times, shared[1], normalize=False)
    return found.T / calculator.n_sources


# ---------------------------------------------------------------------- weighted sum of currents
@pytest.mark.parametrize("amplitude", AMPLITUDES)
@pytest.mark.parametrize("normalize_peak", [False, True])
@pytest.mark.parametrize(
    ("threshold", "tolerance", "bound"),
    [
        (1e-3, 1e-3, 1e-10),  # the same tails cut off
        (1e-8, 1e-8, 1e-10),  # hardly any tail cut off
        (1e-3, 1e-6, 2e-3),  # the defaults: what is left are the tails that wslfp cuts off
    ],
)
@pytest.mark.filterwarnings("ignore:Insufficient current data")
def test_rwslfp_equals_wslfp(amplitude, normalize_peak, threshold, tolerance, bound):
    somata = np.zeros((1, 3)) if amplitude == "mazzoni15_pop" else cells(30)
    trains = {"E": spikes(2.0, 40)[0], "I": spikes(4.0, 10)[0]}
    times = np.arange(0, 2001) * DT
    kernels = rwslfp(
        CONTACTS, somata, dt=DT, **WEIGHTS, synaptic_delay=1.5, amplitude=amplitude,
        normalize_peak=normalize_peak, tolerance=tolerance,
    )  # fmt: skip
    found = kernels.convolve(trains, 200.0)["LFP"].values
    calculator = wslfp.from_xyz_coords(CONTACTS, somata, amp_func=getattr(wslfp, amplitude))
    expected = with_wslfp(calculator, trains, times, threshold, normalize_peak)[:, 1:]
    assert agreement(found, expected) < bound


def test_rwslfp_averages_positions_over_the_population():
    somata = cells(20)
    options = {"dt": DT, **WEIGHTS, "amplitude": "mazzoni15_nrn"}
    each = [rwslfp(CONTACTS, soma, **options)["LFP"].values for soma in somata]
    mean = rwslfp(CONTACTS, somata, **options)["LFP"]
    np.testing.assert_allclose(mean.values, np.mean(each, axis=0), rtol=1e-12, atol=1e-15)


def test_rwslfp_knows_where_and_what_it_is():
    kernels = rwslfp(CONTACTS, [0.0, 0.0, 0.0], dt=DT, **WEIGHTS, post="pyramids")
    assert (kernels.pre, kernels.post) == (("E", "I"), ("pyramids",))
    assert kernels["LFP"].attrs["units"] == "µV pA"
    np.testing.assert_array_equal(kernels["LFP"]["LFP_z"], CONTACTS[:, 2])
    assert kernels.provenance["tool"] == "wslfp"
    # GABA currents start after the synaptic delay of 1 ms, AMPA currents count 6 ms later.
    assert kernels.first_lag_steps == 11
    silent = kernels["LFP"].sel(lag=slice(None, 7.05), pre="E")
    assert not silent.any()
    assert kernels["LFP"].sel(pre="E").sel(lag=7.2, method="nearest").any()


def test_rwslfp_with_many_populations_and_their_delays():
    kernels = rwslfp(
        CONTACTS, [0.0, 0.0, 0.0], dt=DT, excitatory={"E": 1.0, "TC": 2.0}, inhibitory={},
        synaptic_delay={"E": 1.0, "TC": 3.0}, tau_ampa=0.0,
    )  # fmt: skip
    lfp = kernels["LFP"].values[0]
    np.testing.assert_allclose(lfp[1, :, 20:], 2 * lfp[0, :, :-20], rtol=1e-9, atol=1e-5)


@pytest.mark.parametrize("normalize_peak", [True, False])
def test_kernel_ends_where_the_current_does(normalize_peak):
    options = {"dt": DT, **WEIGHTS, "normalize_peak": normalize_peak}
    kernels = rwslfp(CONTACTS, [0.0, 0, 0], tolerance=1e-4, **options)
    longer = rwslfp(CONTACTS, [0.0, 0, 0], tolerance=1e-9, **options)
    n = kernels.n_lags
    lost = abs(longer["LFP"].values[..., n:]).max(-1) / abs(longer["LFP"].values).max(-1)
    assert lost.max() < 1e-4
    assert n < 0.7 * longer.n_lags


# ---------------------------------------------------------------------- the current
@pytest.mark.parametrize("tau", [0.5, 2.0, 5.0])
def test_equal_time_constants_give_the_alpha_function(tau):
    t = np.arange(-1, 40, 0.1)
    alpha = np.where(t > 0, t / tau * np.exp(1 - t / tau), 0.0)
    np.testing.assert_allclose(double_exponential(t, tau, tau), alpha, atol=1e-15)
    for close in (1e-15, 1e-12, 1e-9, 1e-6):
        found = double_exponential(t, tau * (1 + close), tau)
        np.testing.assert_allclose(found, alpha, atol=2 * close + 1e-14)


def test_equal_time_constants_in_rwslfp():
    kernels = rwslfp(
        CONTACTS, [0.0, 0, 0], dt=DT, excitatory={"E": 3.0}, inhibitory={}, ampa=(2.0, 2.0)
    )
    # The alpha function peaks at its time constant: 1 + 6 + 2 ms after the spike.
    contact = kernels["LFP"].isel(post=0, pre=0, LFP_channel=2)
    peak = int(np.argmax(abs(contact.values)))
    assert contact["lag"].values[peak] == pytest.approx(9.0)
    gain = wslfp.from_xyz_coords(CONTACTS, [0, 0, 0], amp_func=wslfp.mazzoni15_pop).amp_uV[2, 0]
    assert contact.values[peak] == pytest.approx(3.0 * gain)


def test_peak_of_the_current_is_one():
    t = np.arange(0, 50, 1e-4)
    assert double_exponential(t, 5.0, 0.25).max() == pytest.approx(1, abs=1e-7)
    expected = wslfp.spk2curr.biexp_kernel(t, 5.0, 0.25, normalize=True)
    np.testing.assert_allclose(double_exponential(t, 5.0, 0.25), expected, atol=1e-13)


# ---------------------------------------------------------------------- unitary LFPs
def rounded_tklfp(excitatory, inhibitory, contacts):
    """The package's calculator, its delays rounded to the grid."""
    where = np.vstack([excitatory, inhibitory]) / 1e3
    is_excitatory = np.arange(len(where)) < len(excitatory)
    model = tklfp.TKLFP(*where.T, is_excitatory, elec_coords_mm=contacts / 1e3)
    model._delay = np.rint(model._delay / DT) * DT
    return model


def test_telenczuk_equals_tklfp():
    places = {"E": cells(60), "I": cells(15)}
    trains = {"E": spikes(3.0, 60), "I": spikes(6.0, 15)}
    proxy = telenczuk(CONTACTS, dt=DT, excitatory={"E": places["E"]}, inhibitory={"I": places["I"]})
    found = proxy.convolve(trains, 250.0)["LFP"]
    model = rounded_tklfp(places["E"], places["I"], CONTACTS)
    neurons = np.concatenate([trains["E"][1], 60 + trains["I"][1]])
    at = np.concatenate([trains["E"][0], trains["I"][0]])
    expected = model.compute(neurons, at, np.arange(1, 2501) * DT).T
    assert agreement(found.values, expected) < 1e-6
    assert found.attrs["units"] == "µV"
    assert found.dims == ("LFP_channel", "time")
    np.testing.assert_array_equal(found["LFP_x"], CONTACTS[:, 0])


def test_amplitudes_of_neurons_are_those_of_tklfp():
    neurons = cells(25)
    proxy = telenczuk(CONTACTS, dt=DT, inhibitory={"I": neurons}, channels=list("abcd"))
    model = tklfp.TKLFP(*neurons.T / 1e3, False, elec_coords_mm=CONTACTS / 1e3)
    np.testing.assert_allclose(proxy.weights["I"], model._amp, atol=1e-12)
    total = proxy.delays["I"] + tklfp.params2020["d_ms"]
    assert np.max(np.abs(total - model._delay)) <= DT / 2 + 1e-9
    assert proxy.channels == ("a", "b", "c", "d")


def test_orientation_turns_the_profile():
    neurons = cells(5)
    flipped = telenczuk(CONTACTS, dt=DT, excitatory={"E": neurons}, orientation=[0, 0, -2.0])
    mirror = telenczuk(CONTACTS * [1, 1, -1], dt=DT, excitatory={"E": neurons * [1, 1, -1]})
    np.testing.assert_allclose(flipped.weights["E"], mirror.weights["E"], rtol=1e-12)


def test_delays_are_on_the_grid_and_their_range_is_told():
    proxy = telenczuk(CONTACTS, dt=0.25, excitatory={"E": cells(50)}, inhibitory={"I": cells(9)})
    for found in proxy.delays.values():
        assert found.min() >= 0
        np.testing.assert_array_equal(found / 0.25, np.rint(found / 0.25))
    every = np.hstack([proxy.delays["E"], proxy.delays["I"]])
    assert proxy.delay_range == max(row.max() - row.min() for row in every)


# ---------------------------------------------------------------------- normalization
def test_normalize_gives_mean_zero_and_variance_one():
    values = RNG.normal(3, 5, (2, 100))
    signal = xr.DataArray(
        values, dims=("LFP_channel", "time"), attrs={"units": "µV pA"}, name="LFP"
    )
    found = normalize(signal)
    np.testing.assert_allclose(found.mean("time"), 0, atol=1e-13)
    np.testing.assert_allclose(found.std("time"), 1)
    assert found.attrs["units"] == "1"
    with pytest.raises(KernelError, match="needs the dimension 'time'"):
        normalize(signal.isel(time=0))
    signal[1] = 7.0
    with pytest.raises(KernelError, match="1 of its 2 channels do not change"):
        normalize(signal)


# ---------------------------------------------------------------------- online
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
    sum_bank, unit_bank = nestlfp.install(sums), nestlfp.install(units.kernels)
    populations, spike_recorder = brunel(nest)
    weights = out_weights(nest, populations)
    mean = nestlfp.FieldRecorder(sum_bank, populations, interval=DT)
    relative = {name: found / found.mean() for name, found in weights.items()}
    each = nestlfp.FieldRecorder(sum_bank, populations, interval=DT, weights=relative)
    recorders = [
        nestlfp.FieldRecorder(unit_bank, populations, interval=DT, **one)
        for one in units.per_contact()
    ]
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
        bank = nestlfp.install(proxy.kernels)
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


# ---------------------------------------------------------------------- bad input
BAD_RWSLFP = {
    "time constants in words": ({"ampa": ("2", "0.4")}, "ampa must be real numbers, found text"),
    "weights in words": ({"excitatory": {"E": "20"}}, "'E' must be finite .* found '20'"),
    "weights without names": ({"excitatory": [20.0]}, r"excitatory must be a dict of .* \[20.0\]"),
    "no time constant": ({"ampa": (0.0, 0.4)}, r"ampa must be two positive numbers of ms"),
    "negative time constant": ({"gaba": (5.0, -0.2)}, r"gaba must be two positive .* -0.2"),
    "one time constant": ({"gaba": 5.0}, "gaba must be two positive numbers"),
    "rise longer than decay": ({"ampa": (0.4, 2.0)}, "decay must not be shorter than the rise"),
    "equal constants, not normalized": (
        {"ampa": (2.0, 2.0), "normalize_peak": False},
        "vanishes where both are 2 ms: with normalize_peak=True .* alpha function",
    ),
    "negative delay": ({"tau_ampa": -6.0}, "tau_ampa must be a number of ms of at least 0"),
    "negative synaptic delay": ({"synaptic_delay": -1.0}, "synaptic_delay of 'E' must be"),
    "delays of others": (
        {"synaptic_delay": {"E": 1.0}},
        r"synaptic_delay must be of the populations \['E', 'I'\]",
    ),
    "no dt": ({"dt": 0.0}, "dt must be a positive number"),
    "positive inhibition": ({"inhibitory": {"I": 90.0}}, "inhibitory population 'I' .* at most 0"),
    "negative excitation": ({"excitatory": {"E": -1.0}}, "excitatory population 'E' .* at least 0"),
    "both roles": ({"inhibitory": {"E": -1.0}}, r"\['E'\] are both excitatory and inhibitory"),
    "no populations": ({"excitatory": {}, "inhibitory": {}}, "no presynaptic populations"),
    "unknown amplitude": ({"amplitude": "hagen"}, "amplitude must be one of .*'hagen'"),
    "tolerance": ({"tolerance": 0.0}, "tolerance must lie between 0 and 1"),
    "orientation": ({"orientation": (0, 0, 0)}, "orientation must be a direction"),
    "contacts in metres": ({"contacts": CONTACTS * 1e-6}, "contacts must be in µm and look like"),
    "somata in metres": ({"somata": cells(3) * 1e-6}, "somata must be in µm and look like metres"),
    "contacts of one shape": ({"contacts": [1.0, 2.0, 3.0]}, r"shape \(n, 3\) in µm, found \(3,\)"),
    "contacts in two dimensions": ({"contacts": CONTACTS[:, :2]}, r"shape \(n, 3\) .* \(4, 2\)"),
    "at the dipole": (
        {"contacts": [[0.0, 0, 125.0]], "amplitude": "aussel18"},
        "contact 0 lies inside a source: it is at the dipole of source 0",
    ),
    "far away": ({"contacts": [[9e4, 0.0, 0.0]]}, "amplitude 'mazzoni15_pop' is 0 at all contacts"),
}


@pytest.mark.parametrize("case", BAD_RWSLFP)
def test_bad_input_of_rwslfp(case):
    changes, message = BAD_RWSLFP[case]
    options = {"contacts": CONTACTS, "somata": [0.0, 0.0, 0.0], "dt": DT, **WEIGHTS, **changes}
    contacts, somata = options.pop("contacts"), options.pop("somata")
    with pytest.raises(KernelError, match=message), np.errstate(all="ignore"):
        rwslfp(contacts, somata, **options)


BAD_TELENCZUK = {
    "no neurons": ({"excitatory": {}}, "no presynaptic populations"),
    "both roles": ({"inhibitory": {"E": cells(2)}}, "both excitatory and inhibitory"),
    "neurons in mm": ({"excitatory": {"E": cells(3) / 1e3}}, "'E' must be in µm and look like"),
    "one neuron's shape": ({"excitatory": {"E": [0, 0, 0]}}, r"'E' must have shape \(n, 3\)"),
    "contacts in metres": ({"contacts": CONTACTS * 1e-6}, "contacts must be in µm and look like"),
    "labels": ({"channels": ["a"]}, "there are 4 contacts but 1 channels"),
    "no sigma": (
        {"parameters": tklfp.params2020 | {"sig_e_ms": 0.0}},
        r"parameters\['sig_e_ms'\] must be a positive number",
    ),
    "parameter missing": ({"parameters": {"d_ms": 10.4}}, r"parameters lacks \['va_m_s'"),
    "tolerance": ({"tolerance": 2.0}, "tolerance must lie between 0 and 1"),
}


@pytest.mark.parametrize("case", BAD_TELENCZUK)
def test_bad_input_of_telenczuk(case):
    changes, message = BAD_TELENCZUK[case]
    options = {"contacts": CONTACTS, "dt": DT, "excitatory": {"E": cells(4)}, **changes}
    contacts = options.pop("contacts")
    with pytest.raises(KernelError, match=message):
        telenczuk(contacts, **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"I": ([1.0], [0])}, r"spikes of unknown populations: \['I'\]"),
        ({"E": ([1.0], [4])}, r"spikes of unknown neurons: 'E' has the neurons 0 … 3, found 4"),
        ({"E": ([1.0], [-1])}, "spikes of unknown neurons"),
        ({"E": ([1.0, 2.0], [1])}, "'E' has 2 spike times, but 1 neurons"),
        ({"E": ([1.03], [1])}, "whole multiples of dt"),
    ],
)
def test_bad_spikes_of_telenczuk(given, message):
    proxy = telenczuk(CONTACTS, dt=DT, excitatory={"E": cells(4)})
    with pytest.raises(KernelError, match=message):
        proxy.convolve(given, 10.0)


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("wslfp", lambda: rwslfp(CONTACTS, [0.0, 0.0, 0.0], dt=DT, **WEIGHTS)),
        ("tklfp", lambda: telenczuk(CONTACTS, dt=DT, excitatory={"E": cells(2)})),
    ],
)
def test_missing_package_names_the_extra(package, call, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    with pytest.raises(MissingExtraError, match=rf"{package} .* 'nestlfp\[proxies\]'"):
        call()
