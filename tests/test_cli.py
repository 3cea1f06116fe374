"""The command line, on real files."""

import subprocess
import sys
from datetime import datetime, timezone

import numpy as np
import pynwb
import pytest
import xarray as xr
from typer.testing import CliRunner

import nestlfp
from nestlfp import signals
from nestlfp.build.modules import compile_module
from nestlfp.cli import app
from nestlfp.nodes.model import model_for, node_methods
from networks import exponential_kernels

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def files(hagen, tmp_path_factory):
    """A folder with kernels.nc, signals.nc, signals.zarr and some files of others."""
    folder = tmp_path_factory.mktemp("files")
    hagen.save(folder / "kernels.nc")
    convolved = hagen.convolve({"E": [1.0], "I": [2.0]}, 50.0)
    signals.save(convolved, folder / "signals.nc")
    signals.save(convolved, folder / "signals.zarr")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(folder / "foreign.nc", engine="h5netcdf")
    (folder / "text.nc").write_text("no netCDF")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fails(*arguments):
    """The one line that a command leaves on stderr when it fails."""
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)  # no other exception escaped
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("nestlfp: ")
    return lines[0]


# ---------------------------------------------------------------------- the command itself
@pytest.mark.slow
def test_version_and_exit_code_of_a_real_process():
    command = [sys.executable, "-m", "nestlfp"]
    told = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"nestlfp {nestlfp.__version__}\n"
    told = subprocess.run(
        [*command, "info", "nowhere.nc"], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "nestlfp: no file 'nowhere.nc'\n"


def test_help_explains_each_command_with_an_example():
    told = run("--help")
    assert told.exit_code == 0
    for command in ("doctor", "info", "build", "convolve", "plot", "view"):
        assert f"\n    nestlfp {command}" in told.stdout
        each = run(command, "--help")
        assert each.exit_code == 0
        assert "Example" in each.stdout
        assert f"\n    nestlfp {command}" in each.stdout


def test_help_loads_neither_nest_nor_matplotlib():
    heavy = "{'nest', 'pynestml', 'matplotlib', 'neo', 'pynwb', 'zarr', 'LFPy', 'panel'}"
    code = f"import nestlfp.cli, sys; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


# ---------------------------------------------------------------------- info
def test_info_of_kernels_and_signals(files, hagen):
    told = run("info", files / "kernels.nc")
    assert told.exit_code == 0
    assert told.stdout.startswith(f"{hagen!r}\nreduced filters")
    rows = [line.split() for line in told.stdout.splitlines()[-7:]]
    assert [float(row[0]) for row in rows] == [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]
    assert all(float(row[3]) <= float(row[0]) for row in rows)
    for name in ("signals.nc", "signals.zarr"):
        told = run("info", files / name)
        assert told.exit_code == 0
        assert "800 samples, 0.0625 … 50 ms" in told.stdout
        assert "LFP: 13 channels, mV" in told.stdout


@pytest.mark.slow
def test_modes_of_neurons(files, hagen, tmp_path):
    kernels = nestlfp.NeuronKernels.by_pathway(hagen)
    kernels.save(tmp_path / "neurons.nc")
    told = run("info", tmp_path / "neurons.nc")
    assert told.exit_code == 0
    assert told.stdout.startswith(f"{kernels!r}\n{kernels.modes!r}\nreduced filters")
    drawn = run("plot", tmp_path / "neurons.nc", "-o", tmp_path / "modes.png")
    assert drawn.exit_code == 0
    built = run("build", tmp_path / "neurons.nc")  # a port for each mode
    assert built.stdout.strip() == str(compile_module([model_for("fir", 4)]))


def test_info_tells_how_good_population_kernels_are(tmp_path):
    single = np.random.default_rng(1).normal(1, 0.3, (20, 2, 1)) * np.ones((20, 2, 9))
    kernels = nestlfp.NeuronKernels.from_arrays(
        {"E": {"LFP": single}}, dt=0.1, units={"LFP": "mV"}, modes=2
    )
    kernels.save(tmp_path / "neurons.nc")
    told = run("info", tmp_path / "neurons.nc")
    assert told.exit_code == 0
    assert f"{kernels!r}\n{nestlfp.validity(kernels)}\n{kernels.modes!r}\n" in told.stdout
    assert "Use modes: 2 modes (E 2) for R² ≥ 0.99" in told.stdout


def test_info_draws_singular_values(files, tmp_path):
    figure = tmp_path / "values.png"
    assert run("info", files / "kernels.nc", "--figure", figure).exit_code == 0
    assert figure.read_bytes().startswith(PNG)
    assert "exists" in fails("info", files / "kernels.nc", "--figure", figure)
    assert "--figure is for kernels" in fails(
        "info", files / "signals.nc", "--figure", tmp_path / "other.png"
    )


@pytest.mark.parametrize("command", ["info", "plot"])
def test_files_that_are_not_ours(files, tmp_path, command):
    more = ("-o", tmp_path / "x.png") if command == "plot" else ()
    assert "no file" in fails(command, files / "nowhere.nc", *more)
    assert "cannot be read as a netCDF-4 file" in fails(command, files / "text.nc", *more)
    foreign = fails(command, files / "foreign.nc", *more)
    assert "holds neither kernels nor signals" in foreign
    assert "'format' is None" in foreign
    assert "neither a netCDF-4 file nor a folder" in fails(command, files, *more)
    assert not (tmp_path / "x.png").exists()


def test_nwb_files_are_read(files, tmp_path):
    nestlfp.signals.save(nestlfp.signals.load(files / "signals.nc"), tmp_path / "s.nwb")
    assert run("info", tmp_path / "s.nwb").output == run("info", files / "signals.nc").output
    for more in ((), ("--spectrum", "--segment", "20")):
        told = run("plot", tmp_path / "s.nwb", "-o", tmp_path / "s.png", "-f", *more)
        assert told.exit_code == 0, told.output
    spikes = pynwb.NWBFile("a session", "1", datetime.now(timezone.utc))
    with pynwb.NWBHDF5IO(tmp_path / "spikes.nwb", "w") as io:
        io.write(spikes)
    assert "holds neither kernels nor signals" in fails("info", tmp_path / "spikes.nwb")


# ---------------------------------------------------------------------- plot
@pytest.mark.parametrize("name", ["kernels.nc", "signals.nc", "signals.zarr"])
def test_plot_recognises_kernels_and_signals(files, tmp_path, name):
    told = run("plot", files / name, "-o", tmp_path / "figure.png")
    assert (told.exit_code, told.output) == (0, "")
    assert (tmp_path / "figure.png").read_bytes().startswith(PNG)


def test_plot_draws_what_was_asked_for(files, tmp_path, monkeypatch):
    from nestlfp import plotting

    drawn = []
    monkeypatch.setattr(plotting, "save", lambda figure, path, **_: drawn.append((figure, path)))
    output = tmp_path / "figure.pdf"
    run("plot", files / "signals.nc", "-o", output, "-s", "CDM", "--start", 10, "--stop", 20)
    run("plot", files / "signals.nc", "-o", output, "--start", 40)
    run("plot", files / "kernels.nc", "-o", output, "--signal", "CDM", "--signal", "LFP")
    (cdm, path), (late, _), (kernels, _) = drawn
    assert path == output
    (ax,) = cdm.axes
    assert ax.get_title(loc="left") == "CDM minus mean (x, y: zero)"
    assert ax.get_xlim() == (10.0, 20.0)
    assert late.axes[0].get_xlim() == (40.0, 50.0)
    assert [ax.get_ylabel().split("\n")[0] for ax in kernels.axes[::4]] == [
        "CDM (x, y: zero)",
        "LFP",
    ]


def test_plot_draws_probe_and_cells(files, tmp_path, hagen):
    from nestlfp.geometry import Cylinder, with_geometry

    column = Cylinder(radius=150.0, bottom=-150.0, top=150.0)
    with_geometry(hagen, {"E": column, "I": column}).save(tmp_path / "kernels.nc")
    told = run("plot", tmp_path / "kernels.nc", "-o", tmp_path / "probe.png", "--geometry")
    assert (told.exit_code, told.output) == (0, "")
    assert (tmp_path / "probe.png").read_bytes().startswith(PNG)
    refused = fails("plot", files / "signals.nc", "-o", tmp_path / "x.png", "--geometry")
    assert "--geometry is for kernels" in refused


def test_plot_draws_colours_spectrograms_and_maps(files, tmp_path, monkeypatch):
    from nestlfp import plotting

    drawn = []
    monkeypatch.setattr(plotting, "save", lambda figure, path, **_: drawn.append(figure))
    file, output = files / "signals.nc", ("-o", tmp_path / "figure.pdf")
    run("plot", file, *output, "--image", "-s", "LFP", "--width", 85)
    run("plot", file, *output, "--csd", "--stop", 20, "--layer", "soma=150:-100")
    run("plot", file, *output, "--spectrogram", "--segment", 10, "--highest", 400)
    image, csd, spectrogram = drawn
    assert image.get_figwidth() * 25.4 == pytest.approx(85)
    titles = [ax.get_title(loc="left") for ax in csd.axes]
    assert titles[:2] == ["LFP minus mean", "CSD minus mean"]
    assert [text.get_text() for text in csd.axes[0].texts] == ["soma"]
    assert csd.axes[0].get_xlim()[1] < 21
    assert spectrogram.axes[0].get_ylim()[1] < 460


def test_plot_estimates_the_csd_by_other_methods(files, tmp_path, monkeypatch):
    pytest.importorskip("elephant")
    from nestlfp import plotting

    drawn = []
    monkeypatch.setattr(plotting, "save", lambda figure, path, **_: drawn.append(figure))
    chosen = ("--method", "DeltaiCSD", "--diameter", 500)
    told = run("plot", files / "signals.nc", "-o", tmp_path / "x.png", "--csd", *chosen)
    assert (told.exit_code, told.output) == (0, "")
    lfp = signals.load(files / "signals.nc")
    density = signals.current_source_density(lfp, "DeltaiCSD", diameter=500.0)
    expected = plotting.depth_image(density)
    (mesh,), (same,) = drawn[0].axes[1].collections, expected.axes[0].collections
    np.testing.assert_array_equal(mesh.get_array(), same.get_array())


def test_plot_draws_maps_of_the_head(tmp_path):
    places = 9e4 * np.array(
        [[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.8, 0.6], [0, -0.8, 0.6]]
    )
    coords = {f"EEG_{axis}": ("EEG_channel", places[:, i]) for i, axis in enumerate("xyz")}
    values = np.arange(15.0).reshape(5, 3)
    eeg = xr.Dataset(
        {"EEG": (("EEG_channel", "time"), values, {"units": "µV"})},
        {"EEG_channel": range(5), "time": [1.0, 2.0, 3.0], **coords},
    )
    signals.save(eeg, tmp_path / "eeg.nc")
    told = run("plot", tmp_path / "eeg.nc", "-o", tmp_path / "map.png", "--map", 1, "--map", 3)
    assert (told.exit_code, told.output) == (0, "")
    assert (tmp_path / "map.png").read_bytes().startswith(PNG)


def test_options_of_plot_that_do_not_go_together(files, tmp_path):
    def told(*words, name="signals.nc"):
        return fails("plot", files / name, "-o", tmp_path / "x.png", *words)

    assert "give one of --csd, --spectrum" in told("--csd", "--spectrum")
    assert "--segment does not go with traces" in told("--segment", 100)
    assert "--layer does not go with --spectrum" in told("--spectrum", "--layer", "L1=0:-1")
    assert "such as L1=0:-150 (µm), found 'L1'" in told("--image", "--layer", "L1")
    assert "--method does not go with --image" in told("--image", "--method", "KCSD1D")
    assert "needs the diameter" in told("--csd", "--method", "DeltaiCSD")
    assert "--csd is for signals" in told("--csd", name="kernels.nc")
    assert "give --signal once" in told("--csd", "-s", "LFP", "-s", "CDM")
    assert "width must be millimetres" in told("--width", 8.5)


def test_plot_says_what_is_wrong(files, tmp_path):
    file, output = files / "signals.nc", tmp_path / "x.png"
    assert "['EEG'] not among ['LFP', 'CDM']" in fails("plot", file, "-o", output, "-s", "EEG")
    assert "no samples between 60 and inf ms" in fails("plot", file, "-o", output, "--start", 60)
    assert "suffix must be one of" in fails("plot", file, "-o", tmp_path / "x.tiger")
    assert "cannot write figure" in fails("plot", file, "-o", tmp_path / "nowhere" / "x.png")
    kernels = fails("plot", files / "kernels.nc", "-o", output, "--stop", 5)
    assert "--stop is for signals" in kernels
    assert list(tmp_path.iterdir()) == []


def test_plot_keeps_an_existing_figure_unless_told_otherwise(files, tmp_path):
    output = tmp_path / "figure.png"
    output.write_text("mine")
    assert "exists" in fails("plot", files / "signals.nc", "-o", output)
    assert output.read_text() == "mine"
    assert run("plot", files / "signals.nc", "-o", output, "--force").exit_code == 0
    assert output.read_bytes().startswith(PNG)


def test_plot_without_matplotlib(files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = fails("plot", files / "signals.nc", "-o", tmp_path / "x.png")
    assert "pip install 'nestlfp[plot]'" in line


def test_output_is_required(files):
    told = run("plot", files / "signals.nc")
    assert told.exit_code == 2
    assert "--output" in told.stderr


# ---------------------------------------------------------------------- doctor and build
def test_doctor():
    told = run("doctor")
    assert told.exit_code == 0, told.output
    assert "NEST" in told.stdout


def test_doctor_of_something_missing(monkeypatch):
    monkeypatch.setattr("nestlfp.build.doctor.doctor", lambda: ("MISSING  NEST: nowhere", False))
    told = run("doctor")
    assert told.exit_code == 1
    assert told.stdout == "MISSING  NEST: nowhere\n"


@pytest.mark.parametrize("method", ["fir", "state-space"])
def test_build_compiles_and_prints_the_module(tmp_path, method):
    kernels = exponential_kernels()
    kernels.save(tmp_path / "kernels.nc")
    told = run("build", tmp_path / "kernels.nc", *(["--method", method] if method != "fir" else []))
    assert told.exit_code == 0, told.output
    (path,) = told.stdout.splitlines()
    assert path == str(compile_module([model_for(method, 2)]))
    with open(path, "rb") as module:
        assert module.read(4) == b"\x7fELF"


def test_build_of_all_that_a_network_may_need():
    told = run("build")
    assert told.exit_code == 0, told.output
    assert told.stdout.strip() == str(
        compile_module(model_for(name, 16) for name in node_methods())
    )


def test_build_says_what_is_wrong(files):
    assert "method" in fails("build", files / "kernels.nc", "--method", "magic")
    assert "has signals, not kernels" in fails("build", files / "signals.nc")
    assert fails("build", files / "nowhere.nc")


# ---------------------------------------------------------------------- convolve
def test_convolve(files, hagen, tmp_path):
    for name, first in (("E", 1), ("I", 101)):
        (tmp_path / f"{name}-0.dat").write_text(f"sender\ttime_ms\n{first}\t10.000\n")
    (tmp_path / "all.csv").write_text("times,senders\n10.0,1\n10.0,101\n")
    expected = hagen.convolve({"E": [10.0], "I": [10.0]}, 60.0)
    by_name = [f"{name}={tmp_path}/{name}-*.dat" for name in ("E", "I")]
    by_ids = [tmp_path / "all.csv", "-p", "E=1:100", "-p", "I=101:110"]
    for number, spikes in enumerate((by_name, by_ids)):
        out = tmp_path / f"{number}.zarr"
        told = run("convolve", files / "kernels.nc", *spikes, "-o", out)
        assert told.exit_code == 0, told.stderr
        assert told.stdout == (
            f"Spikes: 1 of E, 1 of I; passed over: 0\n{out}: LFP, CDM, 960 samples up to 60 ms\n"
        )
        for name, array in signals.load(out).data_vars.items():
            largest = float(abs(expected[name]).max())
            np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-12 * largest)
        assert "exists" in fails("convolve", files / "kernels.nc", *spikes, "-o", out)
    assert run("plot", out, "-o", tmp_path / "a.png").exit_code == 0
    assert "signals, not kernels" in fails(
        "convolve", files / "signals.nc", *by_name, "-o", tmp_path / "a.nc"
    )
    assert "does not say of which population" in fails(
        "convolve", files / "kernels.nc", tmp_path / "all.csv", "-o", tmp_path / "a.nc"
    )
    (tmp_path / "E.csv").write_text("times\n9.95\n")
    spikes = (f"E={tmp_path}/E.csv", "-o", tmp_path / "a.nc")
    assert "--round-up" in fails("convolve", files / "kernels.nc", *spikes)
    assert "--round and --round-up" in fails(
        "convolve", files / "kernels.nc", *spikes, "--round", "--round-up"
    )
    assert not (tmp_path / "a.nc").exists()
    for flag, at in (("--round-up", 10.0), ("--round", 9.9375)):
        assert run("convolve", files / "kernels.nc", *spikes, flag, "-f").exit_code == 0
        lfp = signals.load(tmp_path / "a.nc")["LFP"]
        np.testing.assert_allclose(lfp, hagen.convolve({"E": [at]}, at + 50.0)["LFP"], atol=1e-15)


def test_export(files, tmp_path):
    import mne

    source, raw = files / "signals.zarr", tmp_path / "lfp_raw.fif"
    assert run("export", source, "-o", raw, "-s", "LFP").exit_code == 0
    found, expected = mne.io.read_raw_fif(raw), signals.load(source)
    np.testing.assert_allclose(found.get_data(), 1e-3 * expected["LFP"].values, rtol=1e-12)
    assert run("export", source, "-o", tmp_path / "s.nwb").exit_code == 0
    xr.testing.assert_identical(signals.load(tmp_path / "s.nwb"), expected.load())

    assert "exists: choose another name, or add --force" in fails(
        "export", source, "-o", raw, "-s", "LFP"
    )
    assert run("export", source, "-o", raw, "-s", "LFP", "--force").exit_code == 0
    nowhere = tmp_path / "nowhere" / "lfp_raw.fif"
    assert "nowhere" in fails("export", source, "-o", nowhere, "-s", "LFP")
    told = fails("export", source, "-o", tmp_path / "lfp.fif", "-s", "LFP")
    assert "MNE wants a name that ends in _raw.fif: lfp_raw.fif" in told
    assert "no signal 'EEG'" in fails("export", source, "-o", raw, "-s", "EEG")
    assert "'CDM' is in nA µm" in fails("export", source, "-o", tmp_path / "s_raw.fif")
    assert "kernels, not signals" in fails("export", files / "kernels.nc", "-o", raw)


def test_info_on_hundreds_of_modes_does_not_look_for_filters(tmp_path):
    many = [f"E/{i}" for i in range(100)]
    values = np.ones((1, 100, 1, 1)) * np.exp(-np.arange(5.0))
    modes = nestlfp.KernelSet.from_arrays(
        {"LFP": values}, pre=many, post=["all"], dt=0.1, units={"LFP": "mV"}
    )
    nestlfp.NeuronKernels(modes, {"E": many}).save(tmp_path / "modes.nc")
    told = run("info", tmp_path / "modes.nc")
    assert "E: 100 modes" in told.output
    assert told.output.splitlines()[-1].startswith("100 ports")
