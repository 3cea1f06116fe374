"""Signals of spikes in files, against `numpy.convolve` of the same spikes."""

import json

import numpy as np
import pytest
from recordings import (
    DT,
    FIRST,
    SIZES,
    spikes,
    write_dat,
    write_neo,
    write_nwb,
    write_sonata,
)

import nestlfp
from nestlfp import activity
from nestlfp.errors import ActivityError
from nestlfp.testing import assert_convolution

RANGES = {"E": "1:40", "I": "41:50"}


@pytest.fixture(scope="module")
def found():
    return spikes()


@pytest.fixture(scope="module")
def expected(hagen, found):
    return hagen.convolve({name: times for name, (times, _) in found.items()}, 100.0 + 50.0)


@pytest.fixture(scope="module")
def neurons(hagen):
    """A kernel for each neuron, as known modes and weights."""
    rng = np.random.default_rng(2)
    names = {"E": ["E/E", "E/I"], "I": ["I/E", "I/I"]}
    apart = nestlfp.NeuronKernels.by_pathway(hagen)
    weights = {name: rng.normal(1, 0.5, (n, len(names[name]))) for name, n in SIZES.items()}
    return nestlfp.NeuronKernels(apart.modes, names, weights)


def close(a, b):
    return np.abs(np.asarray(a) - np.asarray(b)).max() <= 1e-12 * np.abs(b).max()


def together(found):
    """Times, senders and names of all populations as one recording."""
    times = np.concatenate([times for times, _ in found.values()])
    ids = np.concatenate([rows + FIRST[name] for name, (_, rows) in found.items()])
    names = np.concatenate([np.full(rows.size, name) for name, (_, rows) in found.items()])
    order = np.random.default_rng(3).permutation(times.size)
    return times[order], ids[order], names[order]


def made_dat(folder, found):
    times, ids, _ = together(found)
    for k, header in enumerate((True, False)):  # of two threads
        write_dat(folder / f"spk-7-{k}.dat", times[k::2], ids[k::2], header)
    return [folder / "spk-7-0.dat", str(folder / "spk-7-1.dat")], RANGES


def made_dat_by_name(folder, found):
    for name, (times, rows) in found.items():
        for k in range(2):
            write_dat(folder / f"{name}-{k}.dat", times[k::2], rows[k::2] + FIRST[name])
    return [f"{name}={folder}/{name}-*.dat" for name in found], RANGES


def made_csv(folder, found):
    times, ids, _ = together(found)
    rows = [f"{i}, {t!r}" for t, i in zip(times.tolist(), ids.tolist(), strict=True)]
    (folder / "a.csv").write_text("senders, times\n" + "\n".join(rows))
    return folder / "a.csv", ["E=1:40", "I=41:50"]


def made_csv_by_label(folder, found):
    times, ids, names = together(found)
    names = np.where(names == "E", "exc", "inh")
    rows = [f"{t / 1000!r};{i};{n}" for t, i, n in zip(times.tolist(), ids, names, strict=True)]
    (folder / "a.csv").write_text("times;senders;kind\n" + "\n".join(rows))
    return folder / "a.csv", {"E": "exc/1:40", "I": "inh/41:50"}, {"column": "kind", "unit": "s"}


def made_npz(folder, found):
    times, ids, _ = together(found)
    np.savez(folder / "a.npz", times=times, senders=ids)
    return folder / "a.npz", {"I": "41:50", "E": "1:20,21:40"}


def made_sonata(folder, found):
    write_sonata(folder / "a.h5", found, "s", {"E": "exc"})
    return folder / "a.h5", {"E": "exc"}


def made_sonata_of_old(folder, found):
    write_sonata(folder / "a.h5", found, None)
    return folder / "a.h5", None


def made_sonata_one_population(folder, found):
    times = np.concatenate([times for times, _ in found.values()])
    rows = np.concatenate([rows + FIRST[name] - 1 for name, (_, rows) in found.items()])
    write_sonata(folder / "a.h5", {"cortex": (times, rows)})
    return folder / "a.h5", {"E": "cortex/0:39", "I": "cortex/40:49"}


def made_nwb(folder, found):
    write_nwb(folder / "a.nwb", found, "cell_class")
    return folder / "a.nwb", None, {"column": "cell_class"}


def made_neo(folder, found):
    write_neo(folder / "a.pkl", found)
    return folder / "a.pkl", None


ALL = [
    made_dat,
    made_dat_by_name,
    made_csv,
    made_csv_by_label,
    made_npz,
    made_sonata,
    made_sonata_of_old,
    made_sonata_one_population,
    made_nwb,
    made_neo,
]


@pytest.mark.parametrize("make", ALL)
def test_population_kernels(make, hagen, found, expected, tmp_path):
    files, populations, *options = make(tmp_path, found)
    signals = activity.convolve(
        hagen, files, populations=populations, **(options[0] if options else {})
    )
    assert_convolution(signals, hagen, {name: times for name, (times, _) in found.items()})
    assert signals.sizes == expected.sizes
    assert json.loads(signals.attrs["spikes"]) == {"E": 404, "I": 404}


@pytest.mark.parametrize("make", ALL)
def test_kernels_of_neurons(make, neurons, found, tmp_path):
    """Each neuron's kernel by numpy.convolve: the rows are the right ones."""
    files, populations, *options = make(tmp_path, found)
    signals = activity.convolve(
        neurons, files, populations=populations, by="pre", **(options[0] if options else {})
    )
    for name, (times, rows) in found.items():
        single = neurons.single(name)["LFP"].values[:, 3]  # (neuron, lag)
        n = signals.sizes["time"]
        total = np.zeros(n + 1)
        for row in range(SIZES[name]):
            counts = np.bincount(np.rint(times[rows == row] / DT).astype(int), minlength=n + 1)
            total[1:] += np.convolve(counts, single[row])[:n]
        got = signals["LFP"].sel(pre=name).values[3]
        assert np.abs(got - total[1:]).max() < 1e-12 * np.abs(total).max()


def test_npz_with_an_array_a_population(hagen, found, expected, tmp_path):
    np.savez(tmp_path / "a.npz", **{name: times for name, (times, _) in found.items()})
    signals = activity.convolve(hagen, tmp_path / "a.npz")
    assert close(signals["LFP"], expected["LFP"])


def test_the_files_of_nest(hagen, tmp_path):
    """Files that NEST itself writes, of two threads, with times in ms and in steps."""
    nest = pytest.importorskip("nest")
    nest.ResetKernel()
    nest.set(tics_per_ms=16000, resolution=DT, local_num_threads=2, data_path=str(tmp_path))
    generator = nest.Create("poisson_generator", params={"rate": 200.0})
    neurons = nest.Create("parrot_neuron", 50)
    memory = nest.Create("spike_recorder")
    options = {"record_to": "ascii"}
    plain = nest.Create("spike_recorder", params={**options, "label": "plain"})
    in_steps = nest.Create(
        "spike_recorder", params={**options, "label": "s", "time_in_steps": True}
    )
    nest.Connect(generator, neurons)
    for recorder in (memory, plain, in_steps):
        nest.Connect(neurons, recorder)
    nest.Simulate(100.0)
    senders, times = memory.events["senders"], memory.events["times"]
    at = {
        name: times[np.isin(senders, ids.tolist())]
        for name, ids in {"E": neurons[:40], "I": neurons[40:]}.items()
    }
    first = int(neurons[0].global_id)
    where = {"E": f"{first}:{first + 39}", "I": f"{first + 40}:{first + 49}"}
    for pattern, unit in (("plain-*.dat", None), ("s-*.dat", "0.0625")):
        signals = activity.convolve(
            hagen, str(tmp_path / pattern), populations=where, unit=unit, duration=100.0
        )
        assert signals.sizes["time"] == 1600
        assert_convolution(signals, hagen, at)
    with pytest.raises(ActivityError, match=r"time_in_steps.*--unit 0\.1"):
        activity.convolve(hagen, str(tmp_path / "s-*.dat"), populations=where)


def wrong(kernels, files, match, **options):
    with pytest.raises(ActivityError, match=match):
        activity.convolve(kernels, files, **options)


def test_whose_spikes(hagen, neurons, found, tmp_path):
    files, _ = made_dat(tmp_path, found)
    wrong(hagen, files, "does not say of which population.*E=.*--population E=FIRST:LAST")
    wrong(
        hagen,
        files,
        r"spikes of neuron 4\d.*none of the populations.*--skip-unknown",
        populations={"E": "1:40"},
    )
    wrong(hagen, files, "the id 40 is in both", populations={"E": "1:40", "I": "40:50"})
    wrong(hagen, files, "given twice: several", populations=["E=1:40", "E=41:50"])
    wrong(hagen, files, "no population 'X'", populations={"X": "1:40"})
    wrong(hagen, files, "ranges FIRST:LAST", populations={"E": "40:1"})
    wrong(hagen, files, "NAME=FIRST:LAST", populations=["E"])
    wrong(hagen, [f"X={files[0]}"], "no population 'X'")
    wrong(hagen, ["E=nothing*.dat"], "no file is called")
    wrong(hagen, "nothing.dat", "no file 'nothing.dat'")
    wrong(hagen, [files[0], files[0]], "given twice: its spikes would count twice")
    wrong(hagen, [], "no files")
    for given in (None, 3, b"a.npz", [3], {"E": None}, {"E": [1.0, 2.0]}):
        wrong(hagen, given, "must be files: a path.*found")
    wrong(neurons, {"E": files}, "has NEST's ids: --population E=FIRST:LAST")
    wrong(neurons, files, "has 40 neurons.*ids are 50", populations={"E": "1:50"})
    skipped = activity.convolve(hagen, files, populations={"E": "1:40"}, skip_unknown=True)
    assert skipped.attrs["spikes_passed_over"] == 404
    write_sonata(tmp_path / "a.h5", {"exc": found["E"], "I": found["I"]})
    wrong(hagen, tmp_path / "a.h5", "spikes of 'exc'.*--population E=exc")
    wrong(hagen, {"E": tmp_path / "a.h5"}, "given for 'E', but .* of 'I'")
    write_sonata(tmp_path / "a.h5", {"exc": found["E"], "inh": found["I"]})
    wrong(hagen, {"E": tmp_path / "a.h5"}, "several populations.*which is 'E'")
    write_sonata(tmp_path / "b.h5", {"E": (found["E"][0], found["E"][1] + 1)})
    wrong(neurons, tmp_path / "b.h5", r"neurons 0 … 39, but .* of 1 … 40")
    np.savez(tmp_path / "a.npz", E=found["E"][0])
    wrong(neurons, tmp_path / "a.npz", "does not say which neuron")
    wrong(hagen, tmp_path / "a.npz", "cannot be found by ids", populations={"E": "1:4"})


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.dat", "sender\ttime_ms\n1\tx\n", "times in .* must be numbers"),
        ("a.dat", "1 2.0\n1.5 3.0\n", "senders in .* must be whole"),
        ("a.dat", "1 nan\n", r"must be numbers, found \['nan'\]"),
        ("a.dat", "a b\n1 2.0\n", r"columns \['a', 'b'\]"),
        ("a.dat", "1 -2.0\n", "must not be negative, found -2"),
        ("a.csv", "a,b\n1,2\n", "with 'times' among"),
        ("a.csv", "times,time\n1,2\n", "several columns"),
        ("a.csv", "1.0,2.0\n", "first line that names"),
        ("a.csv", "times\n1.0\n", "no column 'kind'"),
        ("a.npz", "text", "no .npz file"),
        ("a.h5", "text", "no HDF5 file"),
        ("a.nwb", "text", "no NWB file"),
        ("a.what", "text", "Neo does not read"),
    ],
)
def test_files_that_are_none(hagen, tmp_path, name, text, match):
    (tmp_path / name).write_text(text)
    options = {"column": "kind"} if "kind" in match else {}
    wrong(hagen, {"E": tmp_path / name}, match, **options)


def test_arrays_that_are_none(hagen, tmp_path):
    import h5py

    path = tmp_path / "a.npz"
    for arrays, match in (
        ({"times": [1.0], "senders": [1, 2]}, "has 1 spike times, but 2 ids"),
        ({"times": np.ones((2, 2))}, "must be a list"),
        ({"times": [1.0], "senders": np.ones((1, 1))}, "must be a list"),
        ({"senders": [1]}, "must have arrays times and senders"),
        ({"times": np.array(["a"])}, "must be numbers"),
    ):
        np.savez(path, **arrays)
        wrong(hagen, {"E": path}, match)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("events")
    wrong(hagen, tmp_path / "a.h5", "no group /spikes")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("spikes/E")
    wrong(hagen, tmp_path / "a.h5", "must have timestamps and node_ids")
    for shape in ((2, 2), ()):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["spikes/E/timestamps"], file["spikes/E/node_ids"] = np.ones(shape), np.ones(shape)
        wrong(hagen, tmp_path / "a.h5", "must be lists, found the shapes")
    write_neo(tmp_path / "a.pkl", spikes(), segments=2)
    wrong(hagen, tmp_path / "a.pkl", "2 segments")
    write_nwb(tmp_path / "a.nwb", spikes())
    wrong(hagen, tmp_path / "a.nwb", "no column 'kind'", column="kind")


def test_units(hagen, found, tmp_path):
    write_sonata(tmp_path / "a.h5", found, "s")
    wrong(hagen, tmp_path / "a.h5", "says that its times are in 's', not in 'ms'", unit="ms")
    activity.convolve(hagen, tmp_path / "a.h5", unit="seconds")
    wrong(hagen, tmp_path / "a.h5", "unit must be ms, s, us", unit="hours")
    wrong(hagen, tmp_path / "a.h5", "unit must be", unit="-1")


def test_times_between_steps(hagen, tmp_path):
    np.savez(tmp_path / "a.npz", E=[0.1, 0.3, 50.0])
    wrong(
        hagen,
        tmp_path / "a.npz",
        r"multiples of the kernels' dt = 0.0625 ms, found 0.1 ms; .*KernelSet.resample\(0.1\)",
    )
    rounded = activity.convolve(hagen, tmp_path / "a.npz", rounding=True)
    assert_convolution(rounded, hagen, {"E": [0.125, 0.3125, 50.0]})
    np.savez(tmp_path / "b.npz", E=[0.1234567])
    wrong(hagen, tmp_path / "b.npz", "found 0.1234567 ms; --round")


def test_no_spikes(hagen, tmp_path):
    for name, text in (
        ("a.dat", ""),
        ("b.dat", "# NEST version: 3.10.0\nsender\ttime_ms\n"),
        ("a.csv", "times,senders\n"),
    ):
        (tmp_path / name).write_text(text)
        wrong(hagen, {"E": tmp_path / name}, "there are no spikes in .*a duration")
        signals = activity.convolve(hagen, {"E": tmp_path / name}, duration=1.0)
        assert signals["LFP"].shape == (13, 16)
        assert not signals["LFP"].any()
    (tmp_path / "empty.csv").write_text("")
    wrong(hagen, {"E": tmp_path / "empty.csv"}, "no spikes")


def test_duration_and_interval(hagen, found, expected, tmp_path):
    files, ranges = made_dat(tmp_path, found)
    half = activity.convolve(hagen, files, populations=ranges, duration=50.0)
    assert close(half["LFP"], expected["LFP"][:, :800])
    late = sum(int((times > 50.0).sum()) for times, _ in found.values())
    assert half.attrs["spikes_passed_over"] == late
    coarse = activity.convolve(hagen, files, populations=ranges, interval=1.0)
    assert close(coarse["LFP"], expected["LFP"][:, 15::16])
    np.testing.assert_array_equal(coarse["time"], np.arange(1.0, 151.0))
    assert coarse.attrs["interval_ms"] == 1.0
    for options in (
        {"duration": 0.0},
        {"duration": 0.1},
        {"interval": 0.1},
        {"interval": 0.0},
        {"duration": 1.0, "interval": 2.0},
    ):
        wrong(hagen, files, "duration|interval", populations=ranges, **options)


@pytest.mark.parametrize("name", ["NA", "nan", "null", "None", "007", "1e3", "True"])
@pytest.mark.parametrize("column", ["population", "cell type"])
def test_names_in_tables_stay_as_they_are_written(tmp_path, name, column):
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": [[[[1.0]], [[2.0]]]]}, pre=[name, "E"], post=["P"], dt=1.0, units={"LFP": "mV"}
    )
    (tmp_path / "s.csv").write_text(f"times, {column.title()}\n1.0, {name}\n2.0, E\n3.0, {name}\n")
    made = activity.convolve(kernels, tmp_path / "s.csv", duration=4.0, column=column)
    assert made["LFP"].values.tolist() == [[0.0, 1.0, 2.0, 1.0]]
    (tmp_path / "s.csv").write_text(f"times,{column}\n1.0,{name}\n2.0,\n")
    with pytest.raises(ActivityError, match="spikes without a name"):
        activity.convolve(kernels, tmp_path / "s.csv", duration=4.0, column=column)
    (tmp_path / "s.csv").write_text(f"times,{column}\nNA,{name}\n")
    with pytest.raises(ActivityError, match=r"times in .* must be numbers, found \['NA'\]"):
        activity.convolve(kernels, tmp_path / "s.csv", duration=4.0, column=column)
