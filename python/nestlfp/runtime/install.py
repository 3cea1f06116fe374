"""`install`: load the NEST models of filter nodes, and compile them where needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..build.prebuilt import COMPILED, Taken, obtain
from ..errors import KernelError, NetworkError, ToolchainError
from ..filters.options import Method, method_named
from ..front_ends import who_resets
from ..nodes.model import SIZES, Model, capacity, fitting, model_for, node_methods
from ..simulator import Simulator

if TYPE_CHECKING:  # they take longer to import than the rest of `install()`
    from ..kernels import KernelSet, NeuronKernels
    from ..nodes.bank import FilterBank


def install(
    kernels: KernelSet | NeuronKernels | FilterBank | None = None,
    *,
    ports: int | None = None,
    method: str | Method | None = None,
    progress: bool = True,
) -> None:
    """Make NEST ready for recorders: load the models of their filter nodes.

    To be called after ``nest.ResetKernel()`` and before the first node is created; threads and
    resolution may be set before or after. Without arguments it serves recorders of all methods and
    up to 16 populations, or modes of neurons, whose kernels may come when the network is there.

    The models are compiled for NEST in a module, which is kept in the user's cache folder. The
    wheel of nestlfp contains them, compiled for NEST's own wheel. Models that NEST has already,
    also by ``nest.Install``, are not loaded again.

    Parameters
    ----------
    kernels : KernelSet, NeuronKernels or FilterBank, optional
        Make ready what a recorder of these kernels needs, and nothing else.
    ports : int, optional
        How many spike ports there are to be: one for each presynaptic population, or mode.
        Default: those of the kernels, or 16.
    method : {"fir", "state-space", "separable", "auto"} or FIR, StateSpace, Separable, Auto
        What recorders will be asked for. Default: "fir" if kernels are given, else every method.
    progress : bool
        Say on standard error that a compilation takes place.

    Raises
    ------
    KernelError
        If these are no kernels, or there is no such method.
    NetworkError
        If something has yet to be loaded and nodes exist already; between ``nest.Prepare()`` and
        ``nest.Cleanup()``.
    ToolchainError
        If NEST, a compiler or another tool is missing, or a compiled module does not fit.

    Notes
    -----
    With several MPI ranks each calls it; rank 0 finds the module, or compiles it.

    Examples
    --------
    >>> nest.ResetKernel()  # doctest: +SKIP
    >>> nestlfp.install()  # doctest: +SKIP
    >>> nestlfp.install(ports=40, method="separable")  # doctest: +SKIP
    """
    sim = Simulator()
    sim.check_not_prepared("nestlfp.install")
    known = sim.node_models
    wanted = [
        model
        for model in models_for(kernels, ports, method)
        if fitting(known, model.method, model.ports) is None
    ]
    if not wanted:
        return
    if (n := sim.network_size) > 0:
        raise NetworkError(
            f"there are {n} nodes already, and NEST loads the models of filter "
            f"nodes only before the first: call {_line(kernels, ports, method)} after "
            f"nest.ResetKernel(), before nodes are created{who_resets()}"
        )
    with sim.quiet():
        _load_obtained(wanted, sim, progress)


def _line(kernels: Any, ports: int | None, method: str | Method | None) -> str:
    """The call with these arguments, as one types it."""
    arguments = [] if kernels is None else ["kernels"]
    arguments += [] if ports is None else [f"ports={ports}"]
    arguments += [] if method is None else [f'method="{method_named(method).name}"']
    return f"nestlfp.install({', '.join(arguments)})"


def models_for(
    kernels: KernelSet | NeuronKernels | FilterBank | None = None,
    ports: int | None = None,
    method: str | Method | None = None,
) -> list[Model]:
    """The models that `install` makes ready with these arguments, one for each method."""
    n = SIZES[-1]
    if kernels is not None:
        from ..nodes.bank import FilterBank, modes_of

        bank = kernels if isinstance(kernels, FilterBank) else None
        n = len(bank.ports if bank else modes_of(kernels).pre)
        method = method or (bank.filter.method if bank else "fir")
    if ports is not None:
        if isinstance(ports, bool) or not isinstance(ports, int | np.integer) or ports < 1:
            raise KernelError(f"ports must be a whole number from 1 on, found {ports!r}")
        n = int(ports)
    chosen = None if method is None else method_named(method)
    names = [chosen.name] if chosen and chosen.template else node_methods()
    return [model_for(name, capacity(n)) for name in names]


def check_resolution(kernels: KernelSet, sim: Simulator) -> None:
    """Raise a `KernelError` unless kernels and NEST go in equal steps."""
    resolution = sim.resolution
    if not np.isclose(kernels.dt, resolution, rtol=1e-9, atol=0):
        raise KernelError(
            f"the kernels have dt = {kernels.dt:.12g} ms, NEST's resolution is {resolution:.12g} "
            f"ms: use kernels.resample({resolution:.12g}), or "
            f"nest.set(resolution={kernels.dt:.12g})"
        )


def loaded_model(sim: Simulator, bank: FilterBank) -> Model:
    """The smallest model that NEST has for a bank, or a `NetworkError` with the line to type."""
    method, ports = bank.filter.method, len(bank.ports)
    model = fitting(sim.node_models, method, ports)
    if model is not None:
        return model
    there = [name for name in sim.node_models if name.startswith("nestlfp_")]
    small = ports <= SIZES[-1] and not there
    line = "nestlfp.install()" if small else f'nestlfp.install(ports={ports}, method="{method}")'
    raise NetworkError(
        f"NEST has no model of method {method!r} with {ports} spike ports, found "
        f"{', '.join(there) or 'none of nestlfp'}: call {line} after nest.ResetKernel() (which "
        f"unloads modules) and before the first node is created{who_resets()}"
    )


def _load_obtained(models: list[Model], sim: Simulator, progress: bool) -> None:
    """Load the module on every rank; rank 0 finds it, or compiles it where there is none."""

    def obtained(**how: bool) -> Taken:
        return sim.ranks.on_root(lambda: obtain(models, progress=progress, **how))

    taken = obtained()
    try:
        sim.ranks.agree(lambda: sim.load(taken.path))
    except ToolchainError:
        # It is complete, but was made for another kind of machine: compile for this one, once.
        if sim.ranks.n > 1:
            raise
        sim.load(obtained(compiled=True, rebuild=taken.origin == COMPILED).path)
