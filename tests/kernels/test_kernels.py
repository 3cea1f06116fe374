"""KernelSet: labels, algebra, files and the errors of bad input."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import nestlfp
from nestlfp import KernelError, KernelSet
from nestlfp.errors import SignalError
from nestlfp.filters.options import Options
from nestlfp.kernels.names import check_signal_names
from networks import bank_of, convolved, exponential_kernels


def one(array=None, **changes):
    """A kernel set of one population and one channel, with some arguments changed."""
    options = {"pre": ["E"], "post": ["E"], "dt": 0.1, "units": {"LFP": "mV"}}
    signals = {"LFP": np.ones((1, 1, 1, 5)) if array is None else array}
    return KernelSet.from_arrays(**{"signals": signals, **options, **changes})


# ---------------------------------------------------------------------- what it is
def test_printing_tells_what_is_in_it(hagen):
    text = repr(hagen)
    assert "2 presynaptic × 2 postsynaptic" in text
    assert "800 lags 0.0625 … 50 ms, dt 0.0625 ms" in text
    assert "LFP: 13 channels, mV; peak 0.0335 mV per spike (I → E, channel 10, 2.875 ms)" in text
    assert "z -200 … 1000 µm" in text
    assert "CDM: 3 channels, nA µm" in text
    assert "from: LFPykernels 0.2.0" in text
    assert "<script>" not in one(pre=["<script>"])._repr_html_()


def test_attributes(hagen):
    assert hagen.signals == ("LFP", "CDM")
    assert hagen.pre == hagen.post == ("E", "I")
    assert hagen.dt == 2**-4
    assert hagen.n_lags == 800
    assert hagen.first_lag_steps == 1
    assert hagen["CDM"].dims == ("post", "pre", "CDM_channel", "lag")
    assert hagen["CDM"]["CDM_channel"].values.tolist() == ["x", "y", "z"]
    with pytest.raises(KernelError, match="no signal 'EEG'"):
        hagen["EEG"]


def test_select(hagen):
    part = hagen.select(signals=["CDM"], pre=["I"])
    assert part.signals == ("CDM",)
    assert part.pre == ("I",)
    np.testing.assert_array_equal(part["CDM"].values[:, 0], hagen["CDM"].values[:, 1])
    with pytest.raises(KernelError, match=r"pre: \['X'\] not among"):
        hagen.select(pre=["X"])


def test_a_single_name_stands_for_itself(hagen):
    part = hagen.select(signals="CDM", pre="I", post="E")
    assert (part.signals, part.pre, part.post) == (("CDM",), ("I",), ("E",))
    assert one(pre="exc", post="inh").pre == ("exc",)
    with pytest.raises(KernelError, match=r"pre: \['exc'\] not among the kernels' \['E', 'I'\]"):
        hagen.select(pre="exc")
    with pytest.raises(KernelError, match="pre must be a list of names, found 7"):
        hagen.select(pre=7)
    with pytest.raises(KernelError, match="post must be a list of names, found None"):
        one(post=None)


# ---------------------------------------------------------------------- the fingerprint
def test_fingerprint_tells_apart_all_that_a_signal_depends_on(hagen, tmp_path):
    known = {"positions": {"LFP": [[0.0, 0.0, 1.0]]}, "channels": {"LFP": ["top"]}}
    array = np.arange(1.0, 21.0).reshape(2, 2, 1, 5)

    def made(**changes):
        options = {"pre": ["E", "I"], "post": ["E", "I"], **known, **changes}
        return one(options.pop("array", array), **options)

    first_of_all = made().fingerprint
    different = [
        made(pre=["I", "E"]),
        made(post=["I", "E"]),
        made(pre=["E", "X"]),
        made(units={"LFP": "µV"}),
        made(channels={"LFP": ["bottom"]}),
        made(positions={"LFP": [[0.0, 0.0, 2.0]]}),
        made(positions={}),
        made(dt=0.2),
        made(first_lag=0.2),
        made(array=2 * array),
        made(array=array.reshape(2, 2, 5, 1), positions={}, channels={}),
        made(signals={"EEG": array}, units={"EEG": "mV"}, positions={}, channels={}),
    ]
    assert len({first_of_all, *(kernels.fingerprint for kernels in different)}) == 13
    assert made(provenance={"tool": "another"}).fingerprint == first_of_all
    assert made(array=array.astype("int32")).fingerprint == first_of_all
    assert one(np.array([[[[0.0, 1.0]]]])).fingerprint == one([[[[-0.0, 1.0]]]]).fingerprint
    for kernels in (hagen, made(), made(channels={"LFP": [3]})):
        kernels.save(tmp_path / "kernels.nc", overwrite=True)
        assert KernelSet.load(tmp_path / "kernels.nc").fingerprint == kernels.fingerprint


# ---------------------------------------------------------------------- algebra
def test_scale_of_a_pathway(hagen):
    scaled = hagen.scale({("I", "E"): 3.0, "I": 2.0})
    for signal in hagen.signals:
        expected = hagen[signal].values.copy()
        expected[:, 1] *= 2.0
        expected[0, 1] *= 3.0  # I -> E
        np.testing.assert_array_equal(scaled[signal].values, expected)
    with pytest.raises(KernelError, match=r"post: \['X'\] not among"):
        hagen.scale({("I", "X"): 3.0})
    with pytest.raises(KernelError, match=r"a pathway is \(pre, post\), found \('I',\)"):
        hagen.scale({("I",): 3.0})
    with pytest.raises(KernelError, match="finite"):
        hagen.scale({("I", "E"): np.nan})


def test_total_is_what_a_recorder_records(hagen):
    total = hagen.total("network")
    assert (total.pre, total.post) == (hagen.pre, ("network",))
    assert (total.dt, total.provenance) == (hagen.dt, hagen.provenance)
    for signal in hagen.signals:
        np.testing.assert_allclose(
            total[signal].values[0], hagen[signal].values.sum(axis=0), rtol=1e-15
        )
        assert total[signal].attrs == hagen[signal].attrs
    spikes = {"E": [1.0, 2.0], "I": [1.5]}
    together, apart = total.convolve(spikes, 30.0), hagen.convolve(spikes, 30.0)
    xr.testing.assert_allclose(together, apart)
    with pytest.raises(KernelError, match="printable"):
        hagen.total("a\nb")


def test_scale_changes_only_the_named_populations(hagen):
    scaled = hagen.scale({"I": -2.0})
    np.testing.assert_array_equal(scaled["LFP"].values[:, 0], hagen["LFP"].values[:, 0])
    np.testing.assert_array_equal(scaled["LFP"].values[:, 1], -2 * hagen["LFP"].values[:, 1])
    assert scaled["LFP"].attrs == hagen["LFP"].attrs
    assert scaled.provenance == hagen.provenance
    assert scaled.dt == hagen.dt
    with pytest.raises(KernelError, match="'X'"):
        hagen.scale({"X": 1.0})
    with pytest.raises(KernelError, match="finite"):
        hagen.scale({"E": np.inf})
    assert scaled.fingerprint != hagen.fingerprint
    for wrong in ("2", None, 1j, [1.0, 2.0], True):
        with pytest.raises(KernelError, match="factor"):
            hagen.scale({"E": wrong})
    for wrong in (2.0, [("E", 2.0)], None):
        with pytest.raises(KernelError, match="factors must be a dict"):
            hagen.scale(wrong)


@pytest.mark.parametrize(("method", "error"), [("cubic", 2e-6), ("pchip", 2e-3), ("linear", 4e-3)])
def test_resample_of_a_known_function(method, error):
    def gaussian(lags):
        return np.exp(-0.5 * ((lags - 10) / 2) ** 2)

    lags = np.arange(1, 401) * 2**-4
    kernels = one(gaussian(lags).reshape(1, 1, 1, -1), dt=2**-4)
    for dt in (0.1, 0.05, 0.3):
        new = kernels.resample(dt, method=method)
        found = new["LFP"].values[0, 0, 0]
        at = new["LFP"]["lag"].values
        assert new.dt == dt
        np.testing.assert_allclose(at, np.arange(1, at.size + 1) * dt)
        assert at[-1] <= 25.0 + 1e-9 < at[-1] + dt + 1e-9
        assert np.abs(found - gaussian(at)).max() < error


def test_resample_keeps_what_need_not_change(hagen):
    assert hagen.resample(2**-4) is hagen
    new = hagen.resample(0.1)
    assert new["LFP"].attrs == hagen["LFP"].attrs
    np.testing.assert_array_equal(new.dataset["LFP_z"], hagen.dataset["LFP_z"])
    with pytest.raises(KernelError, match="no lag is left"):
        one().resample(2.0)
    with pytest.raises(KernelError, match="method must be one of"):
        hagen.resample(0.1, method="nearest")


@pytest.mark.parametrize("dt", ["0.1", None, 0.1j, [0.1], True, np.nan, np.inf, -0.1, 0])
def test_times_between_lags_that_are_none(hagen, dt):
    with pytest.raises(KernelError, match="dt must be a positive number of ms, found"):
        hagen.resample(dt)
    with pytest.raises(KernelError, match="dt must be a positive number of ms, found"):
        one(dt=dt)


def test_times_in_the_wrong_unit_do_not_fill_the_memory(hagen):
    with pytest.raises(KernelError, match=r"dt = 1e-09 ms would make kernels of 5e\+10 lags"):
        hagen.resample(1e-9)
    with pytest.raises(KernelError, match=r"would make kernels of .* lags, more than 1000000"):
        hagen.lowpass(1e9)


@settings(deadline=None, max_examples=60)
@given(
    h=arrays(float, st.tuples(st.just(2), st.just(2), st.integers(1, 3), st.integers(1, 30)),
             elements=st.floats(-10, 10, width=32)),
    first=st.integers(-5, 9),
    spikes=st.lists(st.lists(st.integers(0, 70), max_size=12), min_size=2, max_size=2),
)  # fmt: skip
def test_convolve_is_the_plain_sum(h, first, spikes):
    h[0, 0, 0, 0] = 1.0
    kernels = KernelSet.from_arrays(
        {"LFP": h}, pre=["E", "I"], post=["E", "I"], dt=0.1, first_lag=first * 0.1,
        units={"LFP": "mV"},
    )  # fmt: skip
    trains = {name: np.array(at) * 0.1 for name, at in zip("EI", spikes, strict=True)}
    out = kernels.convolve(trains, 6.0)
    assert out["LFP"].dims == ("LFP_channel", "time")
    np.testing.assert_allclose(out["LFP"], convolved(kernels, "LFP", trains, 60), atol=1e-10)
    np.testing.assert_allclose(out["time"], np.arange(1, 61) * 0.1)
    apart = kernels.convolve(trains, 6.0, by=("pre", "post"))["LFP"]
    assert apart.dims == ("post", "pre", "LFP_channel", "time")
    np.testing.assert_allclose(apart.sum(["pre", "post"]), out["LFP"], atol=1e-10)


def test_convolve_refuses_what_it_cannot_mean(hagen):
    with pytest.raises(KernelError, match="spike times of 'E' must be whole multiples of dt"):
        hagen.convolve({"E": [0.1]}, 10.0)
    with pytest.raises(KernelError, match="must not be negative"):
        hagen.convolve({"E": [-1.0]}, 10.0)
    with pytest.raises(KernelError, match=r"\['X'\] not among"):
        hagen.convolve({"X": [1.0]}, 10.0)
    with pytest.raises(KernelError, match="duration"):
        hagen.convolve({}, 0.0)
    for time in (np.nan, np.inf, 1e300):
        with pytest.raises(KernelError, match=r"whole multiples of dt .* found"):
            hagen.convolve({"E": [time]}, 1.0)
    with pytest.raises(KernelError, match=r"one list, of all its neurons .* shape \(2, 1\)"):
        hagen.convolve({"E": [[1.0], [2.0]]}, 10.0)
    for times in ([[1.0], [1.0, 2.0]], ["1.0"], [1j], [None], {"times": [1.0]}, [True]):
        with pytest.raises(KernelError, match="spike times of 'E' must be"):
            hagen.convolve({"E": times}, 10.0)
    with pytest.raises(KernelError, match=r"spike_times must be a dict .* found list"):
        hagen.convolve([[1.0]], 10.0)
    for duration in ("long", None, [1.0, "x"], np.nan):
        with pytest.raises(KernelError, match="duration must be"):
            hagen.convolve({}, duration)
    with pytest.raises(KernelError, match="by must be"):
        hagen.convolve({}, 10.0, by="neuron")
    assert not hagen.convolve({"E": [], "I": np.array([], dtype=object)}, 10.0)["LFP"].any()


# ---------------------------------------------------------------------- files
def test_file_keeps_everything(hagen, tmp_path):
    path = tmp_path / "kernels.nc"
    hagen.save(path)
    loaded = KernelSet.load(path)
    xr.testing.assert_equal(loaded.dataset, hagen.dataset)
    assert loaded["LFP"].attrs == hagen["LFP"].attrs
    assert loaded.dt == hagen.dt
    assert loaded.provenance == {"tool": "LFPykernels", "version": "0.2.0"}
    loaded.scale({"E": 2.0}).save(path, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]


def test_names_are_data(tmp_path):
    names = ["L2/3 E", "}{%'\"\\", "{{ 7 * 7 }}", "$x_1$", "日本"]
    kernels = KernelSet.from_arrays(
        {"LFP": np.ones((5, 5, 2, 3))}, pre=names, post=names, dt=0.1, units={"LFP": "µV"},
        channels={"LFP": ["top; rm -rf", "\"bottom\""]},
    )  # fmt: skip
    kernels.save(tmp_path / "kernels.nc")
    assert KernelSet.load(tmp_path / "kernels.nc").pre == tuple(names)
    plain = exponential_kernels(
        leads=(1,) * 5, lengths=(3,) * 5, pre=list("abcde"), post=list("abcde")
    )
    assert nestlfp.FilterBank(kernels).model == nestlfp.FilterBank(plain).model


@pytest.mark.parametrize("name", ["a\nb", "", "  ", "tab\t", 7, None, "\x00"])
def test_names_that_cannot_be_printed(name):
    with pytest.raises(KernelError, match="name"):
        one(pre=[name])
    with pytest.raises(KernelError, match="name"):
        one(post=[name])
    with pytest.raises(KernelError, match="the name of a signal must be made of letters"):
        one(signals={name: np.ones((1, 1, 1, 3))}, units={name: "mV"})


@pytest.mark.parametrize("name", ["a/b", "LFP 2", "{x}", "2d", "a-b"])
def test_signal_names_that_are_no_identifiers(name):
    with pytest.raises(KernelError, match="made of letters, digits and underscores"):
        one(signals={name: np.ones((1, 1, 1, 3))}, units={name: "mV"})


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["time"], "must not be named 'time', which is a dimension"),
        (["LFP", "lag"], "must not be named 'lag'"),
        (["pre"], "must not be named 'pre'"),
        (["post"], "must not be named 'post'"),
        (["LFP", "LFP_channel"], "named 'LFP_channel' beside the signal 'LFP', whose channels"),
        (["LFP_x", "LFP"], "named 'LFP_x' beside the signal 'LFP', whose positions"),
    ],
)
def test_signal_names_that_other_things_have(names, match):
    with pytest.raises(KernelError, match=match):
        one(signals=dict.fromkeys(names, np.ones((1, 1, 1, 3))), units=dict.fromkeys(names, "mV"))


def test_signal_names_in_a_dataset():
    taken = one().dataset.rename(LFP="time", LFP_channel="time_channel")
    with pytest.raises(KernelError, match="must not be named 'time'"):
        KernelSet(taken)
    with pytest.raises(SignalError, match="must not be named 'lag'"):
        check_signal_names(["lag"], SignalError)
    assert one(signals={"LFP_channel": np.ones((1, 1, 1, 3))}, units={"LFP_channel": "mV"})


def test_foreign_and_broken_files(tmp_path, hagen):
    with pytest.raises(KernelError, match="no kernel file"):
        KernelSet.load(tmp_path / "nowhere.nc")
    broken = tmp_path / "broken.nc"
    hagen.save(broken)
    broken.write_bytes(broken.read_bytes()[:2000])
    with pytest.raises(KernelError, match="cannot be read as a netCDF-4 file"):
        KernelSet.load(broken)
    foreign = tmp_path / "foreign.nc"
    xr.Dataset({"temperature": ("x", [1.0])}).to_netcdf(foreign, engine="h5netcdf")
    with pytest.raises(KernelError, match="is no kernel file of nestlfp: its attribute 'format'"):
        KernelSet.load(foreign)
    with pytest.raises(KernelError, match="cannot write kernels"):
        hagen.save(tmp_path / "no" / "such" / "folder.nc")


# ---------------------------------------------------------------------- bad input
def bad(value):
    array = np.ones((1, 1, 2, 5), dtype=type(value))
    array[0, 0, 1, 3] = value
    return array


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"signals": {"LFP": bad(np.nan)}}, "not finite: nan at E -> E, channel 1, lag 0.4 ms"),
        ({"signals": {"LFP": bad(np.inf)}}, "not finite: inf"),
        ({"signals": {"LFP": np.zeros((1, 1, 2, 5))}}, "all kernels are zero"),
        ({"signals": {"LFP": np.ones((2, 1, 2, 5))}}, r"\(1, 1, ..., ...\), found \(2, 1, 2, 5\)"),
        ({"signals": {"LFP": np.ones((1, 5))}}, r"found \(1, 5\)"),
        ({"signals": {}}, "no signals|unknown signals"),
        ({"signals": [1.0]}, "signals must be a dict"),
        ({"signals": {"LFP": bad(1e101)}}, r"too large: 1e\+101 mV at E -> E, channel 1, lag 0.4"),
        ({"signals": {"LFP": bad(1 + 1j)}}, "must be real numbers, found complex numbers such as"),
        ({"signals": {"LFP": np.ones((1, 1, 1, 3), complex)}}, r"found complex .* \(1\+0j\)"),
        ({"signals": {"LFP": np.ones((1, 1, 1, 3), bool)}}, "found truth values such as True"),
        ({"signals": {"LFP": np.full((1, 1, 1, 3), "1")}}, "real numbers, found text such as '1'"),
        ({"signals": {"LFP": [[[[None, 1.0]]]]}}, "signal 'LFP' must be real numbers, found obj"),
        ({"signals": {"LFP": [[[[1.0], [1.0, 2.0]]]]}}, "must be an array of real numbers"),
        ({"provenance": {"what": object()}}, "provenance must be a dict of JSON-compatible"),
        ({"positions": {"LFP": [["a", "b", "c"]]}}, "positions of signal 'LFP' must be real num"),
        ({"signals": {"LFP": np.ones((1, 1, 0, 5))}}, "no channels"),
        ({"units": {}}, "has no unit"),
        ({"units": {"LFP": "mV", "CDM": "nA µm"}}, r"units given for unknown signals \['CDM'\]"),
        ({"dt": 0.0}, "dt must be a positive number"),
        ({"dt": np.nan}, "dt must be a positive number"),
        ({"signals": {"LFP": np.ma.masked_greater(bad(2.0), 1.5)}}, "'LFP' .* found masked ones"),
        ({"pre": {"E"}}, "pre must be a list of names, found a set, which has no order: {'E'}"),
        ({"pre": [("E", "I")]}, r"pre must be a list of names, found \[\('E', 'I'\)\]"),
        ({"channels": {"LFP": [(1, 2)]}}, "channels of signal 'LFP' must be a list of names"),
        ({"channels": {"LFP": [(1, 2), 3]}}, "channels of signal 'LFP' must be a list of names"),
        ({"first_lag": [0.1]}, r"first_lag must be a single number of ms, found \[0\.1\]"),
        ({"first_lag": "0.1"}, "first_lag must be numbers of ms, found '0.1'"),
        ({"first_lag": 0.15}, "first_lag must be whole multiples of dt"),
        ({"channels": {"LFP": ["a", "b"]}}, "1 channels but 2 labels"),
        ({"positions": {"LFP": np.zeros((1, 2))}}, r"= \(1, 3\) in µm, found \(1, 2\)"),
        ({"signals": {"LFP": np.ones((1, 2, 1, 5))}, "pre": ["E", "E"]}, r"found twice: \['E'\]"),
        ({"signals": {"LFP": np.ones((1, 1, 1, 5)), "CDM": np.ones((1, 1, 1, 6))},
          "units": {"LFP": "mV", "CDM": "nA µm"}}, r"same lags, found \[5, 6\]"),
    ],
)  # fmt: skip
def test_bad_arrays(changes, match):
    with pytest.raises(KernelError, match=match):
        one(**changes)


def test_bad_times_and_paths(hagen):
    for match, call in (
        ("duration must be a single", lambda: hagen.convolve({"E": [1.0]}, [5.0])),
        ("interval must be a single", lambda: hagen.lowpass([1.0])),
        ("interval must be a single", lambda: Options.of(interval=[1.0]).every(0.1)),
        ("found masked ones", lambda: hagen.convolve({"E": np.ma.array([1, 2], mask=[0, 1])}, 5)),
        ("path of a file is needed", lambda: KernelSet.load("a\0.nc")),
        ("path of a file is needed", lambda: hagen.save("a\0.nc")),
    ):
        with pytest.raises(KernelError, match=match):
            call()
    every = np.ma.array([1.0, 2.0], mask=False)
    assert hagen.convolve({"E": every}, 5.0).equals(hagen.convolve({"E": [1.0, 2.0]}, 5.0))


def test_kernels_that_cancel(nest):
    array = np.ones((2, 1, 1, 5))
    array[1] = -1
    kernels = one(signals={"LFP": array}, post=["E", "I"])
    with pytest.raises(KernelError, match="sum to zero over the postsynaptic populations"):
        nestlfp.FilterBank(kernels)
    assert bank_of(kernels, by="post")


def test_datasets_that_are_no_kernels(hagen):
    with pytest.raises(KernelError, match="missing: \\['lag'\\]"):
        KernelSet(hagen.dataset.drop_vars("lag"))
    with pytest.raises(KernelError, match="without gaps"):
        KernelSet(hagen.dataset.isel(lag=[0, 1, 3]))
    lag = hagen.dataset["lag"].copy()
    lag.attrs = {}
    with pytest.raises(KernelError, match="'dt_ms', found None"):
        KernelSet(hagen.dataset.assign_coords(lag=lag))
    with pytest.raises(KernelError, match="must have dimensions"):
        KernelSet(hagen.dataset.transpose("pre", "post", ...))
    with pytest.raises(KernelError, match=r"must be an xarray\.Dataset, found list"):
        KernelSet([1.0])
    for changed, match in (
        (hagen.dataset.isel(pre=0), r"coordinate 'pre' must be a list, found \(\)"),
        (hagen.dataset.astype(complex), "found complex numbers"),
        (hagen.dataset.astype(str), "found text"),
        (hagen.dataset * 1e120, "too large"),
        (hagen.dataset.assign_attrs(provenance="["), "'provenance' is no JSON text"),
        (hagen.dataset.assign_attrs(provenance="[]"), "'provenance' must be a JSON object"),
        (hagen.dataset.assign_attrs(provenance=3), "'provenance' is no JSON text"),
        (hagen.dataset.assign_coords(LFP_z=("LFP_channel", ["a"] * 13)), "positions of signal"),
        (hagen.dataset.assign_coords(LFP_z=7.0), "'LFP_z' must have the dimension"),
    ):
        for name in changed.data_vars:
            changed[name].attrs["units"] = "mV"
        with pytest.raises(KernelError, match=match):
            KernelSet(changed)


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.longdouble, np.int64, np.uint8])
def test_other_real_numbers_are_converted_once(kind):
    values = np.array([1, 2, 3]).reshape(1, 1, 1, 3).astype(kind)
    made, given = one(values), one().select(signals="LFP").dataset.isel(lag=slice(3))
    handed_over = KernelSet(given.assign(LFP=(given["LFP"].dims, values, given["LFP"].attrs)))
    for kernels in (made, handed_over):
        assert kernels["LFP"].dtype == np.float64
        assert kernels["LFP"].values.ravel().tolist() == [1.0, 2.0, 3.0]
        assert kernels.convolve({"E": [0.1]}, 1.0)["LFP"].dtype == np.float64


# ---------------------------------------------------------------------- blocks, rates
@pytest.mark.parametrize("by", [(), ("pre",), ("post",), ("pre", "post")])
@pytest.mark.parametrize("first", [-3, 0, 7])
def test_convolution_in_blocks(monkeypatch, by, first):
    """However small the blocks: the sum over lags, written out."""
    rng = np.random.default_rng(0)
    h = rng.normal(size=(2, 2, 5, 11))
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": h}, pre=["a", "b"], post=["x", "y"], dt=0.1, first_lag=first * 0.1,
        units={"LFP": "mV"},
    )  # fmt: skip
    steps = {name: np.sort(rng.integers(1, 60, 20)) for name in ("a", "b")}
    expected = np.zeros((2, 2, 5, 50))
    for p, at in enumerate(steps.values()):
        for spike in at[at <= 50]:
            for lag in range(11):
                if 1 <= spike + first + lag <= 50:
                    expected[:, p, :, spike + first + lag - 1] += h[:, p, :, lag]
    away = tuple(axis for axis, dim in enumerate(("post", "pre")) if dim not in by)
    spikes = {name: at * 0.1 for name, at in steps.items()}
    for block in (1, 200, 2**24):
        monkeypatch.setattr("nestlfp.kernels.convolve._BLOCK", block)
        found = kernels.convolve(spikes, 5.0, by=by)["LFP"]
        np.testing.assert_allclose(found, expected.sum(axis=away), atol=1e-12)


def test_spikes_between_steps():
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": [[[[1.0]]]]}, pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"}
    )
    times = {"E": [0.01, 0.3, 0.51, 0.6, 0.6 + 1e-12]}
    for rounding, steps in (("up", [1, 3, 6, 6, 6]), ("nearest", [0, 3, 5, 6, 6])):
        found = kernels.convolve(times, 1.0, rounding=rounding)["LFP"].values[0]
        np.testing.assert_array_equal(found, np.bincount(steps, minlength=10)[:10])
    with pytest.raises(KernelError, match=r"found 0\.01 ms.*rounding='up'.*iaf_psc_exp_ps"):
        kernels.convolve(times, 1.0)
    with pytest.raises(KernelError, match="must not be negative"):
        kernels.convolve({"E": [-0.05]}, 1.0, rounding="up")
    with pytest.raises(KernelError, match="rounding must be 'up'"):
        kernels.convolve(times, 1.0, rounding="down")


def test_rates_are_silent_before_their_first_time():
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": [[[[1.0]]]]}, pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"}
    )
    at = np.arange(50.0, 60.05, 0.7)  # no multiples of dt to the last bit
    rate = xr.DataArray(np.full(at.size, 10.0), dims="time", coords={"time": at})
    found = kernels.convolve(rates={"E": rate}, sizes={"E": 1000})["LFP"][0]
    np.testing.assert_array_equal(found.sel(time=slice(0, 50.05)), 0.0)
    np.testing.assert_allclose(found.sel(time=slice(50.05, None)), 1.0)
    rate["time"] = ("time", [*at[:-1], np.nan])
    with pytest.raises(KernelError, match="finite and increase"):
        kernels.convolve(rates={"E": rate}, sizes={"E": 1000})
    rate["time"] = ("time", at / 1000, {"units": "s"})
    with pytest.raises(KernelError, match="must be in ms, found the attribute units = 's'"):
        kernels.convolve(rates={"E": rate}, sizes={"E": 1000})


def test_rates():
    """Of so many spikes in each step as a rate stands for; DataArrays are interpolated."""
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": np.random.default_rng(0).normal(size=(2, 2, 3, 8))},
        pre=["E", "I"], post=["x", "y"], dt=0.1, units={"LFP": "mV"},
    )  # fmt: skip
    counts = np.random.default_rng(1).integers(0, 4, (2, 40))
    spikes = {
        name: np.repeat(np.arange(1, 41), n) * 0.1 for name, n in zip("EI", counts, strict=True)
    }
    expected = kernels.convolve(spikes, 4.0, by="pre")["LFP"]
    rates = {"E": counts[0] / 100 * 1e4, "I": counts[1] / 50 * 1e4}
    found = kernels.convolve(rates=rates, sizes={"E": 100, "I": 50}, by="pre")["LFP"]
    xr.testing.assert_allclose(found, expected)
    # A rate each 2 ms; a constant.
    slow = xr.DataArray([0.0, 10.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    found = kernels.convolve(rates={"E": slow, "I": 5.0}, sizes={"E": 100, "I": 50})["LFP"]
    at = np.arange(1, 41) * 0.1
    rates = {"E": 10.0 * (1 - np.abs(at - 2) / 2), "I": np.full(40, 5.0)}
    expected = kernels.convolve(rates=rates, sizes={"E": 100, "I": 50})["LFP"]
    xr.testing.assert_allclose(found, expected)
    assert found.time.values[-1] == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("match", "options"),
    [
        ("sizes must be a dict", {"rates": {"E": 1.0}}),
        ("sizes must have the number of neurons of", {"rates": {"E": [1.0] * 5}, "sizes": {}}),
        ("'X'.* not among", {"rates": {"X": [1.0]}, "sizes": {}}),
        ("as many values", {"rates": {"E": [1.0] * 5, "I": [1.0] * 6}, "sizes": {"E": 1, "I": 1}}),
        ("as many values", {"rates": {"E": 1.0}, "sizes": {"E": 1}}),
        ("finite spikes/s", {"rates": {"E": [np.nan] * 5}, "sizes": {"E": 1}}),
        ("a number of neurons", {"rates": {"E": [1.0] * 5}, "sizes": {"E": -1}}),
        ("not both", {"spike_times": {}, "rates": {"E": [1.0] * 5}, "sizes": {"E": 1}}),
        ("duration must be given", {"spike_times": {}}),
    ],
)
def test_bad_rates(match, options):
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": np.ones((1, 2, 1, 3))}, pre=["E", "I"], post=["E"], dt=0.1, units={"LFP": "mV"}
    )
    with pytest.raises(nestlfp.KernelError, match=match):
        kernels.convolve(**options)
