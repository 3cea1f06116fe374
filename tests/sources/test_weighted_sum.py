"""The weighted sum of synaptic currents against the package wslfp, on the same spikes."""

import sys

import numpy as np
import pytest
import xarray as xr
from proxy_cases import CONTACTS, DT, RNG, WEIGHTS, agreement, cells, spikes

from nestlfp.errors import KernelError, MissingExtraError
from nestlfp.sources.proxies import AMPLITUDES, double_exponential, normalize, rwslfp, telenczuk

wslfp = pytest.importorskip("wslfp")


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
    ("threshold", "tail", "bound"),
    [
        (1e-3, 1e-3, 1e-10),  # the same tails cut off
        (1e-8, 1e-8, 1e-10),  # hardly any tail cut off
        (1e-3, 1e-6, 2e-3),  # the defaults: what is left are the tails that wslfp cuts off
    ],
)
@pytest.mark.filterwarnings("ignore:Insufficient current data")
def test_rwslfp_equals_wslfp(amplitude, normalize_peak, threshold, tail, bound):
    somata = np.zeros((1, 3)) if amplitude == "mazzoni15_pop" else cells(30)
    trains = {"E": spikes(2.0, 40)[0], "I": spikes(4.0, 10)[0]}
    times = np.arange(0, 2001) * DT
    kernels = rwslfp(
        CONTACTS, somata, dt=DT, **WEIGHTS, synaptic_delay=1.5, amplitude=amplitude,
        normalize_peak=normalize_peak, tail=tail,
    )  # fmt: skip
    found = kernels.convolve(trains, 200.0)["LFP"].values
    calculator = wslfp.from_xyz_coords(CONTACTS, somata, amp_func=getattr(wslfp, amplitude))
    expected = with_wslfp(calculator, trains, times, threshold, normalize_peak)[:, 1:]
    assert agreement(found, expected) < bound


@pytest.mark.slow
def test_rwslfp_averages_positions_over_the_population():
    somata = cells(20)
    options = {"dt": DT, **WEIGHTS, "amplitude": "mazzoni15_nrn"}
    each = [rwslfp(CONTACTS, soma, **options)["LFP"].values for soma in somata]
    mean = rwslfp(CONTACTS, somata, **options)["LFP"]
    np.testing.assert_allclose(mean.values, np.mean(each, axis=0), rtol=1e-12, atol=1e-15)


@pytest.mark.slow
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
    kernels = rwslfp(CONTACTS, [0.0, 0, 0], tail=1e-4, **options)
    longer = rwslfp(CONTACTS, [0.0, 0, 0], tail=1e-9, **options)
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


# ---------------------------------------------------------------------- bad input
BAD_RWSLFP = {
    "time constants in words": ({"ampa": ("2", "0.4")}, "ampa must be real numbers, found text"),
    "weights in words": ({"excitatory": {"E": "20"}}, "'E' must be finite .* found '20'"),
    "weights without names": (
        {"excitatory": [20.0]},
        r"excitatory must be a dict with .* \[20.0\]",
    ),
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
    "all in mm": (
        {"contacts": [[0.0, 0.0, 2.5]], "somata": [0.0, 0.0, 1.5]},
        "contacts and somata must be in µm and look like millimetres: none exceeds 2.5 ",
    ),
    "contacts in mm": ({"contacts": CONTACTS / 1e2}, "contacts must be in µm and look like mill"),
    "somata in mm": ({"somata": cells(20) / 50}, "somata must be in µm and look like mill"),
    "dendrites in mm": ({"dendrite_length": 1.25}, "dendrites .* must be in µm and look like mill"),
    "no dt": ({"dt": 0.0}, "dt must be a positive number"),
    "positive inhibition": ({"inhibitory": {"I": 90.0}}, "inhibitory population 'I' .* at most 0"),
    "negative excitation": ({"excitatory": {"E": -1.0}}, "excitatory population 'E' .* at least 0"),
    "both roles": ({"inhibitory": {"E": -1.0}}, r"\['E'\] are both excitatory and inhibitory"),
    "no populations": ({"excitatory": {}, "inhibitory": {}}, "no presynaptic populations"),
    "unknown amplitude": ({"amplitude": "hagen"}, "amplitude must be one of .*'hagen'"),
    "tail": ({"tail": 0.0}, "tail must lie between 0 and 1"),
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
