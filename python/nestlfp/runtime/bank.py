"""`install`: generate, compile (or take from the cache) and load the module of a filter bank."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..build.modules import problem_with
from ..build.prebuilt import COMPILED, Taken, obtain
from ..build.toolchain import find_nest
from ..errors import KernelError, NetworkError, ToolchainError
from ..filters.options import Method, Options
from ..kernels import KernelSet, NeuronKernels
from ..nodes.bank import FilterBank
from ..nodes.render import module_name
from .parallel import Ranks
from .session import check_not_prepared, import_nest, quiet


def prepare(
    kernels: KernelSet | NeuronKernels, options: Options | None = None, *, progress: bool = True
) -> Path:
    """Have the module of a filter bank compiled, into the cache, without starting NEST.

    Nothing is compiled where the module came with nestlfp, as in its wheel for NEST's.

    Parameters
    ----------
    kernels : KernelSet or NeuronKernels
        Kernels at NEST's resolution.
    options : Options, optional
        As for `install`; `Options.of` takes the same names.
    progress : bool
        Say on standard error that a compilation takes place.

    Returns
    -------
    Path
        The module. A later `install` of the same kernels finds it there.
    """
    bank = FilterBank(kernels, options)
    return obtain(bank.model, bank.nestml, progress=progress).path


def install(
    kernels: KernelSet | NeuronKernels,
    *,
    method: str | Method = "fir",
    by: str | Iterable[str] = (),
    tolerance: float | None = None,
    exact_channels: bool | None = None,
    interval: float | None = None,
    antialias: bool = False,
    module: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> FilterBank:
    """Make NEST know the filter node of these kernels.

    Its module is loaded from those that came with nestlfp, where one fits this build of NEST
    exactly; else it is generated, compiled and kept in the cache. ``print(bank)`` says which.

    To be called after ``nest.ResetKernel()`` and, the first time for kernels of a size, before any
    node is created; as often as there are kernel sets. Threads may be set before or after.

    Parameters
    ----------
    kernels : KernelSet or NeuronKernels
        Kernels at NEST's resolution.
    method : {"auto", "fir", "state-space", "separable"} or FIR, StateSpace, Separable, Auto
        How the kernels are realized. "fir" takes them as they are, exactly, and is the default;
        its cost grows with every channel and tap. "state-space" computes the same sum to the
        tolerance with far fewer operations; so does "separable" for hundreds of ports (modes of
        neurons, nodes of a sheet) whose kernels share a few time courses. "auto" takes the one
        whose step is estimated to cost least (see `nestlfp.filters.cost`), and "fir" where no
        reduced filter meets the tolerance; printing the bank tells which and why.
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart. Default: one signal, summed.
    tolerance : float
        Largest error of a reduced filter at any lag, relative to the channel's peak over lags and
        populations; default: 1e-6. "fir" makes none. The same as
        ``method=nestlfp.StateSpace(tolerance=...)`` or ``nestlfp.Separable(tolerance=...)``.
    exact_channels : bool
        Do not compress the channels of a state-space filter: each is realized by itself.
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
        If the kernels' `dt` is not NEST's resolution; if the method is "separable" and
        contributions of presynaptic populations are to be kept apart.
    ToleranceError
        If the method is "state-space" or "separable" and no filter of a sensible size meets the
        tolerance.
    NetworkError
        If the module has yet to be loaded and nodes exist already.
    ToolchainError
        If NEST, a compiler or another tool is missing, or a compiled module does not fit.
    """
    nest = import_nest()
    ranks = Ranks(nest)
    check_not_prepared(nest, "nestlfp.install")
    if isinstance(kernels, KernelSet | NeuronKernels):  # before a filter is looked for, at length
        check_resolution(kernels.modes if isinstance(kernels, NeuronKernels) else kernels, nest)
    options = Options.of(
        method,
        by=by,
        tolerance=tolerance,
        exact_channels=exact_channels,
        interval=interval,
        antialias=antialias,
    )
    bank = FilterBank(kernels, options, once=ranks.on_root)
    if bank.model not in nest.node_models:
        if nest.network_size > 0:
            raise NetworkError(
                f"there are {nest.network_size} nodes already, and NEST loads the filter's module "
                "only before the first: call nestlfp.install(kernels) after nest.ResetKernel(), "
                "before nodes are created"
            )
        with quiet(nest):
            if module is None:
                bank.module = str(_load_obtained(bank, nest, ranks, progress))
            else:
                ranks.agree(lambda: _load_given(bank, nest, Path(module)))
                bank.module = f"given, {module}"
        if bank.model not in nest.node_models:
            raise ToolchainError(
                f"the module {str(module or 'from the cache')!r} was loaded, but does not have the "
                f"model {bank.model!r}: it was compiled for other kernels, or by another nestlfp. "
                "Compile it again, and call nest.ResetKernel() before the next install"
            )
    return bank


def check_resolution(kernels: KernelSet, nest: Any) -> None:
    """Raise a `KernelError` unless kernels and NEST go in equal steps."""
    resolution = float(nest.resolution)
    if not np.isclose(kernels.dt, resolution, rtol=1e-9, atol=0):
        raise KernelError(
            f"the kernels have dt = {kernels.dt:.12g} ms, NEST's resolution is {resolution:.12g} "
            f"ms: use kernels.resample({resolution:.12g}), or "
            f"nest.set(resolution={kernels.dt:.12g})"
        )


def _load_obtained(bank: FilterBank, nest: Any, ranks: Ranks, progress: bool) -> Taken:
    """Load the module on every rank; rank 0 finds it, or compiles it where there is none."""

    def obtained(**how: bool) -> Taken:
        return ranks.on_root(lambda: obtain(bank.model, bank.nestml, progress=progress, **how))

    taken = obtained()
    try:
        ranks.agree(lambda: _load(taken.path, nest))
    except ToolchainError:
        # It is complete, but was made for another kind of machine: compile for this one, once.
        if ranks.n > 1:
            raise
        taken = obtained(compiled=True, rebuild=taken.origin == COMPILED)
        _load(taken.path, nest)
    return taken


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
