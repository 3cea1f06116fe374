"""Postsynaptic populations that are made of several cell types."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..cells.template import cell_parameters
from ..errors import KernelError
from ..kernels import check_name

_ROUNDED = 2e-3  # shares come from printed tables


@dataclass(frozen=True)
class CellType:
    """A cell type that makes up a part of a postsynaptic population.

    Parameters
    ----------
    approximation : lfpykernels.KernelApprox
        As if all cells of the population were of this type: with the `N_Y` and `C_YX` of the whole
        population, and this type's cell and synapse positions.
    share : float
        The part of the population's cells, more than 0 and up to 1.
    synapses : dict of str to float, optional
        By presynaptic population, the part of its synapses onto the population that falls on this
        type. Default, also for populations left out: `share`, that is, all cells get as many.

    Raises
    ------
    KernelError
        If a share does not lie between 0 and 1.

    Examples
    --------
    >>> from nestlfp.sources.lfpykernels import CellType, compute
    >>> compute({"L4E": {"p4": CellType(pyramidal, 1 / 3, {"TC": 0.36}),
    ...                  "ss4": CellType(stellate, 2 / 3, {"TC": 0.64})}}, probes)  # doctest: +SKIP
    """

    approximation: Any
    share: float
    synapses: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise KernelError(
                f"the share of a cell type must be more than 0 and at most 1, found {self.share!r}"
            )
        for pre, part in (self.synapses or {}).items():
            if not 0 <= part <= 1:
                raise KernelError(
                    f"the share of the synapses from {pre!r} must lie between 0 and 1, "
                    f"found {part!r}"
                )

    def of_synapses(self, pre: str) -> float:
        """The part of the synapses from `pre` that falls on this type."""
        return (self.synapses or {}).get(pre, self.share)


class Part(NamedTuple):
    """What is simulated as one cell: its kernels count `share` times in those of `post`.

    `cell_type` is None where the population has but one.
    """

    post: str
    cell_type: str | None
    name: str
    share: float
    approx: Any


def parts_of(populations: Mapping[str, Any]) -> list[Part]:
    """The cells of all populations, each with the number of synapses that it gets."""
    parts = []
    for post, given in populations.items():
        if not isinstance(given, Mapping):
            parts.append(Part(post, None, post, 1.0, copy.copy(given)))
            continue
        _check(post, given)
        for name, kind in given.items():
            approx = copy.copy(kind.approximation)
            # Synapses on each cell: those of the population, less or more as its share says.
            by_cell = [kind.of_synapses(str(pre)) / kind.share for pre in approx.X]
            approx.C_YX = np.asarray(approx.C_YX, dtype=float) * by_cell
            parts.append(Part(post, name, f"{post}, {name}", kind.share, approx))
    for part in parts:
        whose = f"the cell of {part.name!r}"
        part.approx.cellParameters = cell_parameters(part.approx.cellParameters, whose)
    return parts


def _check(post: str, types: Mapping[str, CellType]) -> None:
    if not types:
        raise KernelError(f"population {post!r} has no cell types: one or more are needed")
    first_name, first = next(iter(types.items()))
    for name, kind in types.items():
        check_name(name, f"a cell type of {post!r}")
        if not isinstance(kind, CellType):
            raise KernelError(
                f"cell type {name!r} of {post!r} must be a CellType(approximation, share), found "
                f"{type(kind).__name__}"
            )
        approx, reference = kind.approximation, first.approximation
        check_approximation(f"{post}, {name}", approx)
        for what in ("X", "N_X", "N_Y", "C_YX"):
            a, b = getattr(approx, what), getattr(reference, what)
            if not np.array_equal(a, b):
                raise KernelError(
                    f"cell types of {post!r} must all be given the whole population's {what}: "
                    f"{name!r} has {_brief(a)}, {first_name!r} has {_brief(b)}"
                )
    _check_sum(post, "shares of cells", [kind.share for kind in types.values()])
    pre = [str(x) for x in first.approximation.X]
    for x, probability in zip(pre, np.asarray(first.approximation.C_YX), strict=True):
        if probability:
            parts = [kind.of_synapses(x) for kind in types.values()]
            _check_sum(post, f"shares of the synapses from {x!r}", parts)
    unknown = sorted({x for kind in types.values() for x in kind.synapses or ()} - set(pre))
    if unknown:
        raise KernelError(
            f"cell types of {post!r} have shares of the synapses from {unknown}, which are not "
            f"among the presynaptic populations {pre}"
        )


def check_approximation(name: str, approx: Any) -> None:
    """Whether it is one of LFPykernels'."""
    if not callable(getattr(approx, "get_kernel", None)):
        raise KernelError(
            f"the approximation of {name!r} must be a lfpykernels.KernelApprox, "
            f"found {type(approx).__name__}"
        )


def _check_sum(post: str, what: str, shares: Sequence[float]) -> None:
    total = sum(shares)
    if not abs(total - 1) <= _ROUNDED:
        raise KernelError(
            f"{what} of the cell types of {post!r} must add up to 1, found "
            f"{' + '.join(f'{share:g}' for share in shares)} = {total:g}"
        )


def _brief(value: Any) -> str:
    text = str(np.asarray(value).tolist())
    return text if len(text) <= 80 else f"{text[:79]}…"
