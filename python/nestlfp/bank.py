"""Filter banks: kernels made into a model that this NEST knows.

`install` is the first of the four lines a user adds: it generates, compiles (or takes from the
cache) and loads the extension module, and returns what `FieldRecorder` needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .codegen import module_name, render
from .cost import EVERY
from .errors import KernelError, NetworkError, ToolchainError
from .filters import Coefficients
from .kernels import KernelSet, by_dims
from .methods import make_filter
from .module_cache import compile_module, problem_with
from .parallel import Ranks
from .toolchain import find_nest

RECORDERS: list[Any] = []  # every FieldRecorder whose nodes are in NEST


class FilterBank:
    """Kernels, the filter that realizes them, and the NEST model that computes it.

    Parameters
    ----------
    kernels : KernelSet
        What to realize.
    method : {"auto", "fir", "state-space"}
        How, see `install`.
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart.
    tolerance, exact_channels, interval, antialias
        As for `install`.
    ranks : Ranks, optional
        MPI processes of which one finds the filter and the others receive it.

    Attributes
    ----------
    kernels : KernelSet
        What is realized: after the low-pass filter, if there is one.
    populations : tuple of str
        Presynaptic populations, in the order of the node's spike ports.
    model : str
        Name of the NEST model.
    nestml : str
        Its NESTML source.
    error : xarray.Dataset
        Certified error of each channel: the largest difference between realized and given kernels
        over all lags, relative to the channel's peak. It holds for the signal of a single spike.
    bound : xarray.Dataset
        The sum over lags of that difference, relative to the channel's peak: what the error of the
        signal can grow to at most for each spike per step, of any population.
    """

    def __init__(
        self,
        kernels: KernelSet,
        *,
        method: str = "fir",
        by: str | Iterable[str] = (),
        tolerance: float = 1e-6,
        exact_channels: bool = False,
        interval: float | None = None,
        antialias: bool = False,
        ranks: Ranks | None = None,
    ) -> None:
        if not isinstance(kernels, KernelSet):
            raise KernelError(
                f"expected a KernelSet, found {type(kernels).__name__}; KernelSet.load reads a "
                "file, KernelSet.from_lfpykernels takes LFPykernels' dictionary"
            )
        if antialias:
            if interval is None:
                raise KernelError("antialias=True needs to know the interval of the samples (ms)")
            kernels = kernels.lowpass(interval)
        self.interval, self.antialias = interval, antialias
        self.kernels = kernels
        self.by = by_dims(by)
        self.filter, self._choice = make_filter(
            Coefficients(kernels, self.by),
            method,
            tolerance=tolerance,
            exact_channels=exact_channels,
            **({"once": ranks.on_root} if ranks else {}),
        )
        self.model, self.nestml = render(self.filter)

    @property
    def populations(self) -> tuple[str, ...]:
        """Presynaptic populations, in the order of the node's spike ports."""
        return self.kernels.pre

    @property
    def error(self) -> xr.Dataset:
        """Certified error of each channel."""
        attrs = {"units": "1", "long_name": "largest error at any lag / peak of the kernels"}
        return self.filter.coefficients.per_channel(self.filter.error, attrs)

    @property
    def bound(self) -> xr.Dataset:
        """Bound on the signal's error for each spike per step."""
        attrs = {"units": "1", "long_name": "sum of errors over lags / peak of the kernels"}
        return self.filter.coefficients.per_channel(self.filter.bound, attrs)

    def __repr__(self) -> str:
        coefficients = self.filter.coefficients
        lines = [
            f"FilterBank {self.model}: method {self.filter.method!r}"
            + (f", {self._choice}" if self._choice else ""),
            f"  populations: {', '.join(self.populations)}",
            f"  channels: {coefficients.n_channels} of {', '.join(self.kernels.signals)}"
            + (f", apart by {', '.join(self.by)}" if self.by else ""),
            f"  taps: {coefficients.h.shape[2]} of {self.kernels.dt:g} ms",
            f"  filter: {self.filter}",
            f"  error: {self.filter.error.max():.2g} of a channel's peak at most, "
            f"{self.filter.bound.max():.2g} for a spike in every step",
            f"  cost: about {self.filter.microseconds:.2g} µs for a step with a spike of every "
            f"population, sampled every {EVERY} steps",
        ]
        return "\n".join(lines)


def prepare(
    kernels: KernelSet,
    *,
    method: str = "fir",
    by: str | Iterable[str] = (),
    tolerance: float = 1e-6,
    exact_channels: bool = False,
    interval: float | None = None,
    antialias: bool = False,
    progress: bool = True,
) -> Path:
    """Compile the module of a filter bank into the cache, without starting NEST.

    Parameters
    ----------
    kernels, method, by, tolerance, exact_channels, interval, antialias
        As for `install`.
    progress : bool
        Say on standard error that a compilation takes place.

    Returns
    -------
    Path
        The compiled module. A later `install` of the same kernels finds it there.
    """
    bank = FilterBank(
        kernels,
        method=method,
        by=by,
        tolerance=tolerance,
        exact_channels=exact_channels,
        interval=interval,
        antialias=antialias,
    )
    return compile_module(bank.model, bank.nestml, progress=progress)


def install(
    kernels: KernelSet,
    *,
    method: str = "fir",
    by: str | Iterable[str] = (),
    tolerance: float = 1e-6,
    exact_channels: bool = False,
    interval: float | None = None,
    antialias: bool = False,
    module: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> FilterBank:
    """Make NEST know the filter node of these kernels: generate, compile (cached), load.

    To be called after ``nest.ResetKernel()`` and after resolution and threads were set, before
    any node is created; as often as there are kernel sets.

    Parameters
    ----------
    kernels : KernelSet
        Kernels at NEST's resolution.
    method : {"auto", "fir", "state-space"}
        How the kernels are realized. "fir" takes them as they are, exactly, and is the default;
        its cost grows with every channel and tap. "state-space" computes the same sum to the
        tolerance with far fewer operations. "auto" takes the one whose step is estimated to cost
        less (see `nestlfp.cost`), and "fir" where no reduced filter meets the tolerance; printing
        the bank tells which and why.
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart. Default: one signal, summed.
    tolerance : float
        Largest error of a reduced filter at any lag, relative to the channel's peak over lags and
        populations; "fir" makes none.
    exact_channels : bool
        Do not compress the channels of a reduced filter: each is realized by itself.
    interval : float, optional
        Distance of two samples (ms) of the recorders of this bank. Default: theirs to choose.
    antialias : bool
        Low-pass filter the kernels for `interval`, see `KernelSet.lowpass`: the recorded signal
        is the full-rate one, filtered and decimated. NEST then hands out samples 10 intervals
        late, since they depend on what comes after them; they keep their times.
    module : path, optional
        A module that was compiled for these kernels before, with CMake or `prepare`, to be
        loaded instead.
    progress : bool
        Say on standard error that a compilation takes place.

    Returns
    -------
    FilterBank
        To be handed to `FieldRecorder`.

    Raises
    ------
    KernelError
        If the kernels' `dt` is not NEST's resolution.
    ToleranceError
        If the method is "state-space" and no filter of a sensible order meets the tolerance.
    NetworkError
        If nodes exist already.
    ToolchainError
        If NEST, a compiler or another tool is missing, or a compiled module does not fit.
    """
    nest = import_nest()
    ranks = Ranks(nest)
    if nest.network_size > 0:
        raise NetworkError(
            f"nestlfp.install must be called before any node is created: there are "
            f"{nest.network_size} nodes. Call it right after nest.ResetKernel() and nest.set(...)"
        )
    bank = FilterBank(
        kernels,
        method=method,
        by=by,
        tolerance=tolerance,
        exact_channels=exact_channels,
        interval=interval,
        antialias=antialias,
        ranks=ranks,
    )
    check_resolution(kernels, nest)
    RECORDERS.clear()  # NEST is empty: recorders of an earlier network have lost their nodes
    if bank.model not in nest.node_models:
        if module is None:
            _load_from_cache(bank, nest, ranks, progress)
        else:
            ranks.agree(lambda: _load_given(bank, nest, Path(module)))
    return bank


def import_nest() -> Any:
    """The module ``nest``, or a `ToolchainError` that says how to get it."""
    try:
        import nest
    except ImportError as error:
        raise ToolchainError(
            f"NEST cannot be imported ({error}): install it, for example with "
            "'pip install nest-simulator', or activate the environment that has it"
        ) from error
    return nest


def check_resolution(kernels: KernelSet, nest: Any) -> None:
    """Raise a `KernelError` unless kernels and NEST go in equal steps."""
    resolution = float(nest.resolution)
    if not np.isclose(kernels.dt, resolution, rtol=1e-9, atol=0):
        raise KernelError(
            f"the kernels have dt = {kernels.dt:g} ms, NEST's resolution is {resolution:g} ms: "
            f"use kernels.resample({resolution:g}), or nest.set(resolution={kernels.dt:g})"
        )


def _load_from_cache(bank: FilterBank, nest: Any, ranks: Ranks, progress: bool) -> None:
    """Load the cached module on every rank; rank 0 compiles it where there is none."""

    def compiled(rebuild: bool) -> Path:
        return ranks.on_root(
            lambda: compile_module(bank.model, bank.nestml, rebuild=rebuild, progress=progress)
        )

    path = compiled(rebuild=False)
    try:
        ranks.agree(lambda: _load(path, nest))
    except ToolchainError:
        # It is complete, but was made for another kind of machine: compile for this one, once.
        if ranks.n > 1:
            raise
        _load(compiled(rebuild=True), nest)


def _load_given(bank: FilterBank, nest: Any, path: Path) -> None:
    if not path.is_file():
        raise ToolchainError(f"no module {str(path)!r}")
    if path.name != f"{module_name(bank.model)}.so":
        raise ToolchainError(
            f"{str(path)!r} was compiled for other kernels: these need "
            f"'{module_name(bank.model)}.so'"
        )
    if path.with_suffix(".json").is_file():
        problem = problem_with(path, find_nest())
        if problem:
            raise ToolchainError(f"the module {str(path)!r} cannot be used: {problem}")
    _load(path.resolve(), nest)


def _load(path: Path, nest: Any) -> None:
    try:
        nest.Install(str(path))
    except nest.NESTError as error:
        raise ToolchainError(
            f"NEST cannot load the module {str(path)!r}: {error}. 'nestlfp doctor' tells what "
            "this NEST needs"
        ) from error
