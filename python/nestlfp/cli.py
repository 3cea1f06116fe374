"""The command line: ``doctor``, ``info``, ``build``, ``convolve``, ``export``, ``plot``, ``view``.

Commands import what they need when they run, so that ``nestlfp --help`` answers at once.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .errors import NestLFPError, message_for


class _Commands(TyperGroup):
    """Commands whose errors are a line on stderr (`message_for`) and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # Typer's: the program that reads our output has enough
        except Exception as error:
            line = message_for(error)
            if line is None:
                raise
            typer.echo(f"nestlfp: {line}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
_Signals = Annotated[
    list[str] | None,
    typer.Option("--signal", "-s", help="This signal only. May be given several times."),
]
_Force = Annotated[bool, typer.Option("--force", "-f", help="Replace an existing figure.")]


def main() -> None:
    """Entry point of the command ``nestlfp``."""
    app(prog_name="nestlfp")


def _print_version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"nestlfp {__version__}")
        raise typer.Exit


@app.callback()
def _nestlfp(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Brain signals from spiking networks in NEST while they run.

    \b
    Examples:
      nestlfp doctor                          is everything here that is needed?
      nestlfp info kernels.nc                 what is in this file?
      nestlfp build                           compile the NEST module beforehand
      nestlfp convolve kernels.nc spikes.h5 -o signals.nc  the signals of recorded spikes
      nestlfp export signals.nc -o signals.nwb  for another program
      nestlfp plot signals.nc -o signals.png  draw signals, or kernels
      nestlfp view signals.zarr               follow signals in a browser while they grow
    """


@app.command()
def doctor() -> None:
    """Check NEST, the compiler and what else nestlfp needs.

    Says for each thing that is missing the command that would mend it. The exit code is 1 where
    something is missing.

    \b
    Example:
      nestlfp doctor
    """
    from .build.doctor import doctor as examine

    text, fine = examine()
    typer.echo(text)
    raise typer.Exit(0 if fine else 1)


@app.command()
def info(
    file: Annotated[Path, typer.Argument(help="Kernels or signals: .nc, .nwb, or a .zarr folder.")],
    figure: Annotated[
        Path | None,
        typer.Option(help="Draw the singular values of kernels to this file: .png, .pdf, ..."),
    ] = None,
    force: _Force = False,
) -> None:
    """Say what is in a file of kernels or signals.

    For kernels, also how few latents and states a reduced filter needs for tolerances from 1e-3 to
    1e-9. Many or long kernels take a while. For kernels of single neurons, how good those of
    populations would be, and how many modes it takes to be better.

    \b
    Examples:
      nestlfp info kernels.nc
      nestlfp info kernels.nc --figure singular_values.png
    """
    from .signals import describe

    if figure is not None:
        _check_figure(figure, force)
    found = _load(file)
    if hasattr(found, "modes"):
        typer.echo(repr(found))
        if set(found.weights) == set(found.populations):
            from .kernels.neurons.validity import validity

            typer.echo(str(validity(found)))
        found = found.modes
    if not _is_kernels(found):
        if figure is not None:
            raise NestLFPError(f"--figure is for kernels, but {str(file)!r} has signals")
        typer.echo(describe(found))
        return
    from .filters.report import Reduction
    from .filters.state_space import MANY_PORTS

    if figure is None and len(found.pre) > MANY_PORTS:  # takes minutes
        typer.echo(f"{len(found.pre)} ports: the reduced filter is that of method='separable'")
        return
    typer.echo(repr(found))
    reduction = Reduction(found)
    typer.echo(str(reduction))
    if figure is not None:
        from . import plotting

        orders = reduction.orders
        lags = dict(zip(reduction.populations, orders.lag_values, strict=True))
        plotting.save(
            plotting.singular_values(orders.channel_values, lags), figure, overwrite=force
        )


@app.command()
def build(
    kernels: Annotated[
        Path | None, typer.Argument(help="Kernels: for what a recorder of these needs alone.")
    ] = None,
    ports: Annotated[
        int | None,
        typer.Option(min=1, help="Spike ports, one for each population or mode. Default: 16."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="fir, state-space, separable or auto. Default: fir for kernels, or all."),
    ] = None,
) -> None:
    """Compile the NEST extension module that nestlfp.install loads, and print where it is.

    One that came with nestlfp for this NEST, or was compiled before, is taken. nestlfp.install with
    the same arguments finds it; this is for doing it beforehand, such as on the login node of a
    cluster.

    \b
    Examples:
      nestlfp build
      nestlfp build kernels.nc --method state-space
    """
    from .build.prebuilt import obtain
    from .runtime.install import models_for

    found = None if kernels is None else _load_kernels(kernels)
    typer.echo(obtain(models_for(found, ports, method)).path)


@app.command()
def convolve(
    kernels: Annotated[Path, typer.Argument(help="Kernels, of populations or single neurons.")],
    spikes: Annotated[
        list[str],
        typer.Argument(help="Files of spikes; NAME=FILE or NAME='FILES*' are of a population."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The signals: .zarr, .nc or .nwb.")
    ],
    population: Annotated[
        list[str] | None,
        typer.Option(
            "--population",
            "-p",
            help="NAME=FIRST:LAST, ids of a population's neurons; or NAME=LABEL, its name in the "
            "files. For each population.",
        ),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(help="Length (ms). Default: to the end of the last response.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Of times where files do not say: ms, s, us, or 0.1 (ms).")
    ] = None,
    column: Annotated[
        str, typer.Option(help="The column, or annotation, that names populations.")
    ] = "population",
    rounding: Annotated[
        bool, typer.Option("--round", help="Take spikes to the nearest multiple of kernels' dt.")
    ] = False,
    round_up: Annotated[
        bool, typer.Option("--round-up", help="Take them to the next, as NEST does precise ones.")
    ] = False,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Pass over spikes of neurons without kernels.")
    ] = False,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Keep contributions apart: 'pre' or 'post'. May be given twice."),
    ] = None,
    interval: Annotated[
        float | None, typer.Option(help="Distance of samples (ms). Default: the kernels' dt.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace existing signals.")] = False,
) -> None:
    """Make the signals of spikes that NEST, or another program, recorded.

    Reads files of NEST's spike_recorder (.dat), tables (.csv), NumPy's .npz, SONATA (.h5), NWB, and
    what Neo reads. A recording may be longer than memory if the signals go to a .zarr folder.

    \b
    Examples:
      nestlfp convolve kernels.nc E=spikes_E-*.dat I=spikes_I-*.dat -o signals.nc
      nestlfp convolve kernels.nc spikes-*.dat -p E=1:8192 -p I=8193:9216 -o signals.zarr
      nestlfp convolve kernels.nc spikes.h5 -p E=excitatory -p I=inhibitory -o signals.nc
    """
    from .activity import convolve as convolved

    if rounding and round_up:
        raise NestLFPError("--round and --round-up are two ways of rounding: give one of them")
    made = convolved(
        _load_kernels(kernels),
        spikes,
        duration=duration,
        populations=population,
        unit=unit,
        column=column,
        rounding="up" if round_up else rounding,
        skip_unknown=skip_unknown,
        by=by or (),
        interval=interval,
        to=output,
        overwrite=force,
        progress=True,
    )
    used = ", ".join(f"{n} of {name}" for name, n in json.loads(made.attrs["spikes"]).items())
    typer.echo(f"Spikes: {used}; passed over: {made.attrs['spikes_passed_over']}")
    names, n = ", ".join(map(str, made.data_vars)), made.sizes["time"]
    typer.echo(f"{output}: {names}, {n} samples up to {n * made.attrs['interval_ms']:g} ms")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Signals: .nc, .nwb, or a .zarr folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="_raw.fif (of MNE), .nwb, .nc or .zarr.")
    ],
    signal: _Signals = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace existing signals.")] = False,
) -> None:
    """Write signals in the format of another program: MNE, or what reads NWB.

    MNE has channels for EEG, MEG and LFP, not for current dipole moments.

    \b
    Examples:
      nestlfp export signals.nc -o signals.nwb
      nestlfp export signals.zarr -o signals_raw.fif -s EEG -s MEG
    """
    from . import signals

    found = _load(file)
    if _is_kernels(found):
        raise NestLFPError(f"{str(file)!r} has kernels, not signals")
    unknown = [name for name in signal or () if name not in found]
    if unknown:
        raise NestLFPError(f"no signal {unknown[0]!r} in {str(file)!r}: {list(found.data_vars)}")
    found = found if signal is None else found[signal]
    if output.suffix != ".fif":
        signals.save(found, output, overwrite=force)
        return
    if not output.stem.endswith("_raw"):
        raise NestLFPError(f"MNE wants a name that ends in _raw.fif: {output.stem}_raw.fif")
    _check_free(output, force)
    signals.to_mne(found).save(output, fmt="double", overwrite=force, verbose="error")


@app.command()
def plot(
    file: Annotated[Path, typer.Argument(help="Signals or kernels: .nc, .nwb, or a .zarr folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The figure: .png, .pdf, .svg, ...")
    ],
    signal: _Signals = None,
    start: Annotated[
        float | None, typer.Option(help="Draw signals from this time on (ms).")
    ] = None,
    stop: Annotated[float | None, typer.Option(help="Draw signals up to this time (ms).")] = None,
    image: Annotated[
        bool, typer.Option("--image", help="Of signals: colours by depth and time.")
    ] = False,
    csd: Annotated[
        bool,
        typer.Option("--csd", help="Of potentials: they and their current source density."),
    ] = False,
    method: Annotated[
        str | None,
        typer.Option(
            help="For --csd: second-difference (the default), DeltaiCSD, StepiCSD, SplineiCSD or "
            "KCSD1D."
        ),
    ] = None,
    diameter: Annotated[
        float | None,
        typer.Option(help="For --csd with another method than the default: of the sources (µm)."),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="For --image and --csd: NAME=TOP:BOTTOM (z, µm). For each layer."),
    ] = None,
    spectrum: Annotated[
        bool, typer.Option("--spectrum", help="Of signals: draw their power spectra.")
    ] = False,
    spectrogram: Annotated[
        bool, typer.Option("--spectrogram", help="Of signals: power by time and frequency.")
    ] = False,
    segment: Annotated[
        float | None,
        typer.Option(
            help="Length of the pieces that spectra are of (ms). Default: 500; 200 for "
            "spectrograms."
        ),
    ] = None,
    highest: Annotated[
        float | None, typer.Option(help="For --spectrogram: the highest frequency (Hz).")
    ] = None,
    scalp: Annotated[
        list[float] | None,
        typer.Option(
            "--map",
            help="Of EEG, or another --signal: a map of the head at this time (ms). May be given "
            "several times.",
        ),
    ] = None,
    geometry: Annotated[
        bool,
        typer.Option("--geometry", help="Of kernels: draw contacts, populations and cells."),
    ] = False,
    width: Annotated[
        float | None,
        typer.Option(help="Of the figure (mm): 85 for a column, 180 for a page of a journal."),
    ] = None,
    force: _Force = False,
) -> None:
    """Draw signals by depth as lines or colours, or their spectra, or kernels by pathway.

    \b
    Examples:
      nestlfp plot signals.nc -o signals.png --signal LFP --start 500 --stop 1000
      nestlfp plot signals.nc -o csd.pdf --csd --start 500 --stop 700 --width 85
      nestlfp plot signals.nc -o csd.pdf --csd --layer L1=0:-150 --layer L2/3=-150:-600
      nestlfp plot signals.nc -o spectrum.pdf --spectrum --start 500
      nestlfp plot signals.nc -o scalp.png --map 510 --map 520
      nestlfp plot kernels.nc -o kernels.pdf
      nestlfp plot kernels.nc -o probe.pdf --geometry
    """
    from . import plotting

    _check_figure(output, force)
    views = {
        "--geometry": geometry,
        "--image": image,
        "--csd": csd,
        "--spectrum": spectrum,
        "--spectrogram": spectrogram,
        "--map": bool(scalp),
    }
    wanted = [name for name, given in views.items() if given]
    if len(wanted) > 1:
        raise NestLFPError(f"a figure shows one thing: give one of {', '.join(wanted)}")
    options = {
        "--start": (start, wanted != ["--map"]),
        "--stop": (stop, wanted != ["--map"]),
        "--method": (method, csd),
        "--diameter": (diameter, csd),
        "--layer": (layer, image or csd),
        "--segment": (segment, spectrum or spectrogram),
        "--highest": (highest, spectrogram),
    }
    for name, (value, fits) in options.items():
        if value is not None and not fits:
            raise NestLFPError(f"{name} does not go with {wanted[0] if wanted else 'traces'}")
    found = _load(file)
    found = getattr(found, "modes", found)
    if _is_kernels(found):
        others = [name for name in wanted if name != "--geometry"]
        others += [name for name in ("--start", "--stop") if options[name][0] is not None]
        if others:
            raise NestLFPError(f"{others[0]} is for signals, but {str(file)!r} has kernels")
        if geometry:
            from .plotting.geometry import probe_and_cells

            figure = probe_and_cells(found, signal=signal[0] if signal else None, width=width)
        else:
            figure = plotting.kernels(found, signals=signal, width=width)
    elif geometry:
        raise NestLFPError(f"--geometry is for kernels, but {str(file)!r} has signals")
    else:
        time = (-math.inf if start is None else start, math.inf if stop is None else stop)
        part: dict[str, Any] = {"start": start, "stop": stop, "signals": signal, "width": width}
        if segment is not None:
            part["segment"] = segment
        if spectrum:
            figure = plotting.spectrum(found, **part)
        elif spectrogram:
            figure = plotting.spectrogram(found, highest=highest, **part)
        elif scalp:
            figure = plotting.topomap(found, scalp, signal=_only(signal, "EEG"), width=width)
        elif image or csd:
            drawn = _with_csd(found, _only(signal, "LFP"), method, diameter) if csd else found
            figure = plotting.depth_image(
                drawn, signals=None if csd else signal, time=time, layers=_layers(layer or []),
                width=width,
            )  # fmt: skip
        else:
            figure = plotting.signals(found, signals=signal, time=time, width=width)
    plotting.save(figure, output, overwrite=force)


def _only(signal: list[str] | None, usual: str) -> str:
    """The one signal that was named, or the usual one."""
    if signal and len(signal) > 1:
        raise NestLFPError(f"this figure shows one signal: give --signal once, found {signal}")
    return signal[0] if signal else usual


def _with_csd(found: Any, signal: str, method: str | None, diameter: float | None) -> Any:
    """A potential and its current source density."""
    from .signals.csd import DIFFERENCE, current_source_density

    density = current_source_density(found, method or DIFFERENCE, signal=signal, diameter=diameter)
    return density.assign(found[[signal]].data_vars)[[signal, "CSD"]]


def _layers(given: list[str]) -> dict[str, tuple[float, float]]:
    """From ``NAME=TOP:BOTTOM``."""
    found = {}
    for text in given:
        name, _, heights = text.rpartition("=")
        try:
            top, bottom = map(float, heights.split(":"))
        except ValueError:
            top = bottom = math.nan
        if not name or math.isnan(top + bottom):
            raise NestLFPError(
                f"a layer is NAME=TOP:BOTTOM, such as L1=0:-150 (µm), found {text!r}"
            )
        found[name] = (top, bottom)
    return found


@app.command()
def view(
    stores: Annotated[list[Path], typer.Argument(help="Stores of signals, which may still grow.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 5006,
    address: Annotated[
        str, typer.Option(help="Interface to listen on; any but this one needs a token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(help="Part of the page's address that others do not know."),
    ] = None,
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser", help="Open the page in a browser. Default: but for ssh."
        ),
    ] = None,
    every: Annotated[float, typer.Option(help="How often to look for new samples (ms).")] = 100.0,
    conductivity: Annotated[
        float, typer.Option(help="Conductivity of the tissue, for the CSD (S/m).")
    ] = 0.3,
) -> None:
    """Follow signals in a browser while a simulation writes them.

    Shows traces by depth, the same as an image, power spectrum, CSD and dipole moment. A store
    need not be there yet. The page is for this machine alone, and --token keeps its other users
    out; with --address it is for others too, who need the token that is printed.

    \b
    Examples:
      nestlfp view signals.zarr
      nestlfp view one.zarr two.zarr --no-browser
    """
    from .extras import require

    require("panel", "view")
    require("zarr", "view")
    from .view import View

    page = View(
        stores, address=address, port=port, token=token, every=every, conductivity=conductivity
    )
    typer.echo(page.describe())
    page.run(browser="SSH_CONNECTION" not in os.environ if browser is None else browser)


def _load(file: Path) -> Any:
    """The KernelSet, NeuronKernels or dataset of signals in this file."""
    from . import kernels, signals

    kind = signals.file_format(file)
    if kind == kernels.FORMAT:
        return kernels.KernelSet.load(file)
    if kind == kernels.NEURONS_FORMAT:
        return kernels.NeuronKernels.load(file)
    if kind == signals.FORMAT:
        return signals.load(file)
    raise NestLFPError(
        f"{str(file)!r} holds neither kernels nor signals of nestlfp: its attribute 'format' is "
        f"{kind!r}, expected {kernels.FORMAT!r} or {signals.FORMAT!r}"
    )


def _load_kernels(file: Path) -> Any:
    found = _load(file)
    if not _is_kernels(found):
        raise NestLFPError(f"{str(file)!r} has signals, not kernels")
    return found


def _check_figure(figure: Path, force: bool) -> None:
    from .plotting.style import checked_format

    checked_format(figure)
    _check_free(figure, force)


def _check_free(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise NestLFPError(f"{str(path)!r} exists: choose another name, or add --force")


def _is_kernels(found: Any) -> bool:
    """Whether it is a KernelSet or NeuronKernels."""
    from .kernels.base import Kernels

    return isinstance(found, Kernels)
