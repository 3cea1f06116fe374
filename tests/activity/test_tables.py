"""Tables in text: what is read, what is asked about, and what is refused."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from recordings import write_sonata

import nestlfp
from nestlfp import activity
from nestlfp.errors import ActivityError

KERNELS = nestlfp.KernelSet.from_arrays(
    {"LFP": np.ones((1, 1, 1, 1))}, pre=["E"], post=["Y"], dt=0.1, units={"LFP": "mV"}
)
TIMES = [10.0, 12.5, 30.2]


def read(path, text=None, duration=40.0, **options):
    """Times (ms) of the spikes that are found in a file, through kernels of one lag of dt."""
    if text is not None:
        path.write_text(text)
    found = activity.convolve(KERNELS, {"E": path}, duration=duration, **options)["LFP"]
    return np.repeat(found["time"].values, found.values[0].astype(int)) - 0.1


TABLES = {
    "bmtk.csv": "timestamps population node_ids\n10.0 E 3\n12.5 E 4\n30.2 E 3\n",
    "sonata.csv": "timestamps  population  node_ids\n10.0  E  3\n12.5  E  4\n30.2  E  3\n",
    "comment.csv": "# made by a simulator\n# in 2026\ntimes,senders\n10.0,3\n12.5,4\n30.2,3\n",
    "spike_time.csv": "spike_time;neuron_id\n10.0;3\n12.5;4\n30.2;3\n",
    "unit.csv": "neuron,time (ms)\n3,10.0\n4,12.5\n3,30.2\n",
    "unit.tsv": "Spike time [s]\tneuron\n0.0100\t3\n0.0125\t4\n0.0302\t3\n",
    "unit.txt": "time (ms)   id\n10.0  3\n 12.5  4\n30.2   3\n",
    "savetxt.txt": "# times senders\n1.00e+01 3\n1.25e+01 4\n3.02e+01 3\n",
    "alone.txt": "times\n10.0\n12.5\n30.2\n",
    "hnn.txt": "10.0\t3\tL2Pyr\n12.5\t4\tL2Pyr\n30.2\t3\tL2Pyr\n",
    "nest.txt": "# NEST version: 3.10.0\nsender\ttime_ms\n3\t10.000\n4\t12.500\n3\t30.200\n",
    "steps.csv": "time_step,sender\n100,3\n125,4\n302,3\n",
    "steps.dat": "sender\ttime_step\ttime_offset\n3\t100\t0.037\n4\t125\t0.000\n3\t302\t7.5\n",
    "of_nest_2.gdf": "3\t10.000\n4\t12.500\n3\t30.200\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_are_read(tmp_path, name):
    unit = "0.1" if "steps" in name else None
    np.testing.assert_allclose(read(tmp_path / name, TABLES[name], unit=unit), TIMES)


SAMPLES = {
    "voltmeter.dat": "sender\ttime_ms\tV_m\n1\t1.000\t-65.000\n",
    "in_steps.dat": "sender\ttime_step\ttime_offset\tV_m\n1\t10\t0.000\t-65.000\n",
    "weights.dat": "sender\ttime_ms\tweights\ttargets\tports\n1\t1.000\t2.000\t4\t0\n",
    "headless.dat": "1\t1.000\t-65.000\n",
    "headless.gdf": "1 1.0 -65.0\n",
    "headless.txt": "1.0\t-65.0\n",
    "headless.csv": "1,1.0,65.0\n",
    "table.csv": "times,senders,V_m\n1.0,1,-65.0\n",
    "table.txt": "times conductance\n1.0 0.5\n",
    "offset.csv": "times,time_offset\n1.0,0.5\n",
    "long_lines.csv": "times,senders\n1.0,1\n2.0,1,-65.0\n",
    "long_lines.dat": "sender\ttime_ms\n1\t1.000\t-65.000\n",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_tables_of_samples_are_refused(tmp_path, name):
    with pytest.raises(ActivityError, match=r"and spikes have no|columns without names|more than"):
        read(tmp_path / name, SAMPLES[name], unit="0.1" if "steps" in name else None)


def test_samples_in_arrays_are_refused(tmp_path):
    for other in ("V_m", "weights"):
        np.savez(tmp_path / "a.npz", times=[1.0, 2.0], senders=[1, 1], **{other: [3.0, 4.0]})
        with pytest.raises(ActivityError, match=f"spikes have no '{other}'.*voltmeter"):
            read(tmp_path / "a.npz")


def test_recorders_of_nest_beside_each_other(nest, tmp_path):
    """A pattern that takes the voltmeter's file, too."""
    nest.set(resolution=0.1, data_path=str(tmp_path))
    neurons = nest.Create("iaf_psc_exp", 5, params={"I_e": 500.0})
    spikes = nest.Create("spike_recorder", params={"record_to": "ascii", "label": "net-spikes"})
    weights = nest.Create("weight_recorder", params={"record_to": "ascii", "label": "weights"})
    nest.CopyModel("static_synapse", "observed", {"weight_recorder": weights})
    nest.Connect(neurons, neurons, syn_spec={"synapse_model": "observed"})
    nest.Connect(neurons, spikes)
    for in_steps in (False, True):
        options = {"record_to": "ascii", "label": "net-V", "time_in_steps": in_steps}
        nest.Connect(nest.Create("voltmeter", params=options), neurons)
    nest.Simulate(50.0)
    n = spikes.n_events
    assert activity.convolve(KERNELS, str(tmp_path / "net-spikes*")).attrs["spikes"] == (
        f'{{"E": {n}}}'
    )
    for pattern, match in (("net-*", "no 'V_m'"), ("weights*", "no '(ports|weights)'")):
        with pytest.raises(ActivityError, match=match):
            activity.convolve(KERNELS, str(tmp_path / pattern), unit="0.1")


def test_whole_numbers_ask_for_their_unit(tmp_path):
    for name in ("a.gdf", "a.dat", "a.csv", "a.tsv", "a.txt"):
        text = "3\t100\n4\t125\n3\t302\n"
        text = text if name in ("a.gdf", "a.dat") else "senders\ttimes\n" + text
        with pytest.raises(ActivityError, match=r"whole numbers.*such as 100.*--unit 0\.1"):
            read(tmp_path / name, text)
        np.testing.assert_allclose(read(tmp_path / name, unit="0.1"), TIMES)
    for arrays in ({"times": [100, 125, 302], "senders": [3, 4, 3]}, {"E": [100, 125, 302]}):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ActivityError, match="whole numbers"):
            read(tmp_path / "a.npz")
        np.testing.assert_allclose(read(tmp_path / "a.npz", unit="0.1"), TIMES)
    # what a recorder with time_in_steps has in `events`
    np.savez(tmp_path / "a.npz", times=[100, 125], senders=[3, 4], offsets=[0.03, 0.0])
    with pytest.raises(ActivityError, match="time_in_steps"):
        read(tmp_path / "a.npz")
    np.testing.assert_allclose(read(tmp_path / "a.npz", unit="0.1"), TIMES[:2])
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["spikes/E/timestamps"], file["spikes/E/node_ids"] = [100, 125], [0, 1]
    with pytest.raises(ActivityError, match="whole numbers"):
        read(tmp_path / "a.h5")
    with pytest.raises(ActivityError, match=r"unit of .* found 'min'"):
        read(tmp_path / "a.csv", "time (min)\n1.0\n")
    np.testing.assert_allclose(read(tmp_path / "a.csv", "times_ms\n10\n"), TIMES[:1])


def test_exchanged_columns_are_refused(tmp_path):
    """Whole numbers as times, and decimals as ids, whether a unit is given or not."""
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["spikes/E/timestamps"], file["spikes/E/node_ids"] = [103, 101], [1.0, 2.0]
        file["spikes/E/timestamps"].attrs["units"] = "ms"
    np.savez(tmp_path / "a.npz", times=[103, 101], senders=[1.0, 2.0])
    (tmp_path / "a.csv").write_text("times,senders\n103,1.0\n101,2.0\n")
    (tmp_path / "a.gdf").write_text("1.0\t103\n2.0\t101\n")
    for name in ("a.h5", "a.npz", "a.csv", "a.gdf"):
        for unit in (None, "ms"):
            with pytest.raises(ActivityError, match=r"\[103 101\].*\[1\. 2\.\]: exchange the two"):
                read(tmp_path / name, unit=unit)


def test_negative_ids_are_refused(tmp_path):
    write_sonata(tmp_path / "a.h5", {"E": (np.array(TIMES), np.array([3, 2**64 - 1, 4], "u8"))})
    np.savez(tmp_path / "a.npz", times=TIMES, senders=[3, -1, 4])
    (tmp_path / "a.csv").write_text("times,senders\n10.0,3\n12.5,-1\n")
    (tmp_path / "a.dat").write_text("3\t10.000\n-1\t12.500\n")
    for name in ("a.h5", "a.npz", "a.csv", "a.dat"):
        with pytest.raises(ActivityError, match=r"(senders|node_ids) .* not be negative, found"):
            read(tmp_path / name)


def test_an_index_of_pandas(tmp_path):
    pd = pytest.importorskip("pandas")
    spikes = pd.DataFrame({"times": TIMES, "senders": [3, 4, 3]})
    for separator in (",", ";", "\t"):
        spikes.to_csv(tmp_path / "a.csv", sep=separator)
        np.testing.assert_allclose(read(tmp_path / "a.csv"), TIMES)
        spikes[1:].to_csv(tmp_path / "a.csv", sep=separator)
        with pytest.raises(ActivityError, match=r"not count from 0.*\[1, 2\].*index=False"):
            read(tmp_path / "a.csv")
    spikes.to_csv(tmp_path / "a.txt", sep=" ")
    with pytest.raises(ActivityError, match="index=False"):
        read(tmp_path / "a.txt")


def test_events_in_steps_as_a_table(tmp_path):
    text = "senders,times,offsets\n3,100,0.037\n4,125,0.0\n3,302,0.05\n"
    with pytest.raises(ActivityError, match="time_in_steps"):
        read(tmp_path / "a.csv", text)
    np.testing.assert_allclose(read(tmp_path / "a.csv", unit="0.1"), TIMES)
    with pytest.raises(ActivityError, match="spikes have no 'offsets'"):
        read(tmp_path / "a.csv", text.replace("times", "times_ms"))


CUT = {
    "a.dat": "sender\ttime_ms\n3\t10.000\n4\t12.500\n17\t3",
    "b.dat": "3\t10.000\n4\t12.500\n17\t",
    "c.dat": "sender\ttime_step\ttime_offset\n3\t100\t0.037\n4\t125\t0.000\n17\t3",
    "d.gdf": "3\t10.000\n4\t12.500\n17\t30.2",
    "e.gdf": "3\t100\n4\t125\n17",
    "f.txt": "sender\ttime_ms\n3\t10.000\n4\t12.500\n1",
    "g.csv": "senders,times\n3,10.000\n4,12.500\n17,3",
    "h.txt": "times senders\n10.000 3\n12.500 4\n30.",
}


@pytest.mark.parametrize("name", CUT)
def test_a_last_line_that_was_cut(tmp_path, name):
    """As by a kill while NEST, which ends each line, was writing."""
    unit = "0.1" if name[0] in "ce" else None
    with pytest.warns(UserWarning, match="the last line of .* has no end.*left out"):
        found = read(tmp_path / name, CUT[name], unit=unit)
    np.testing.assert_allclose(found, TIMES[:2])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.dat", "sender\ttime_ms\n3\t10.000\n4\t12.500\n3\t30.200"),
        ("a.csv", "times,senders\n10.0,3\n12.5,4\n30.2,3"),
        ("b.csv", "times\n10\n12.5\n30.2"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_last_line_that_only_lacks_its_end(tmp_path, name, text):
    np.testing.assert_allclose(read(tmp_path / name, text), TIMES)


def test_files_without_spikes_say_what_they_have(tmp_path):
    import h5py

    neo, pq = pytest.importorskip("neo"), pytest.importorskip("quantities")
    voltages = neo.AnalogSignal(np.ones((5, 1)) * pq.mV, sampling_rate=1 * pq.kHz)
    block = neo.Block()
    block.segments.append(neo.Segment())
    block.segments[0].analogsignals.append(voltages)
    neo.io.PickleIO(str(tmp_path / "a.pkl")).write_block(block)
    with pytest.raises(ActivityError, match="no spike trains, Neo finds analogsignals"):
        read(tmp_path / "a.pkl")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("spikes")
    with pytest.raises(ActivityError, match="no population"):
        read(tmp_path / "a.h5")


def test_what_python_has_is_told_the_way(tmp_path):
    import pickle

    scipy_io = pytest.importorskip("scipy.io")
    pytest.importorskip("neo")
    found = {"E": np.array(TIMES)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(found))
    (tmp_path / "b.pickle").write_bytes(pickle.dumps(list(TIMES)))
    scipy_io.savemat(tmp_path / "a.mat", found)
    np.save(tmp_path / "a.npy", found["E"])
    for name in ("a.pkl", "b.pickle", "a.mat", "a.npy"):
        with pytest.raises(ActivityError, match=r"Neo does not read.*np\.savez\('spikes\.npz'"):
            read(tmp_path / name)
    np.savez(tmp_path / "spikes.npz", **found)
    np.testing.assert_allclose(read(tmp_path / "spikes.npz"), TIMES)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="#\"',;\t\r\n"), max_size=12)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=NAMES | st.sampled_from(["V_m", "weights", "time_offset", "trial", "g_ex", "id", "t"]),
    values=st.lists(st.floats(-80, 80) | st.integers(0, 80), min_size=2, max_size=4),
    place=st.integers(0, 2),
    separator=st.sampled_from([",", ";", "\t"]),
    ending=st.sampled_from([".csv", ".tsv", ".txt", ".dat", ".gdf"]),
)
def test_a_third_column_of_numbers_is_never_passed_over(
    tmp_path, name, values, place, separator, ending
):
    # pandas' index, the first column if it has no name, is no sample
    assume(name.strip() or place or [repr(v) for v in values] != list("0123"[: len(values)]))
    header = ["sender", "time_ms"]
    header.insert(place, name)
    lines = [separator.join(header)]
    for k, value in enumerate(values):
        row = [str(k + 1), f"{k + 1:.3f}"]
        row.insert(place, repr(value))
        lines.append(separator.join(row))
    with pytest.raises(ActivityError):
        read(tmp_path / f"a{ending}", "\n".join(lines) + "\n")


@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.floats(0, 80) | st.integers(0, 80), min_size=1, max_size=4))
def test_columns_without_names_are_never_guessed(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("tables")
    text = "".join(f"{k + 1}\t{k + 1:.3f}\t{value!r}\n" for k, value in enumerate(values))
    for ending in (".csv", ".txt", ".dat", ".gdf"):
        with pytest.raises(ActivityError, match="columns without names"):
            read(folder / f"a{ending}", text)
