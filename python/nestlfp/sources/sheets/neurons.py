"""Kernels of the neurons of a sheet, from those of patches and from where their targets are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from ... import geometry
from ..._types import Floats
from ...errors import KernelError
from ...kernels import KernelSet, NeuronKernels
from ...kernels.checks import positive
from ...kernels.names import check_known
from ...kernels.neurons import energies
from .patches import SIGNAL
from .profiles import Profile
from .projections import Population, Rule
from .tissue import Grid, Sheet, Weights

_NOTICED = 0.01  # of a contact's variance
_FINER = 1.2  # from one grid to the next that is tried

_PROVENANCE = "sheet"  # what it is called among the modes' provenance


def kernels(
    patches: KernelSet,
    sheet: Sheet,
    contacts: ArrayLike,
    profiles: Mapping[str, Profile | Mapping[str, Profile]],
    *,
    rule: Rule = "bernoulli",
    speeds: Mapping[str, float] | None = None,
    left_out: float | None = 1e-3,
    grid: Grid | None = None,
    degree: int = 3,
    rates: Mapping[str, float] | None = None,
    sizes: Mapping[str, int] | None = None,
    channels: ArrayLike | None = None,
) -> NeuronKernels:
    """The kernel of a neuron at any place of a sheet, at an array of contacts.

    The kernel of the neuron at x is that of the patches s in which its targets are, in the
    proportion of the profile q there, each after the time that a spike takes to come there::

        h(x, contact, lag) = sum over s of  q(|s - x|) · patch(|s - contact|, lag - |s - x| / speed)

    As a function of x it is smooth, and written in functions of the position (`Grid`), the modes: a
    neuron has few weights that are not 0, `weights`, which only depend on where it stands.

    Parameters
    ----------
    patches : KernelSet
        What `patches` returned for this sheet and these contacts.
    sheet : Sheet
    contacts : array, shape (contacts, 3), or probeinterface Probe
        Where the signal is wanted (µm).
    profiles : dict of str to Profile, or to a dict of str to Profile
        The density of a presynaptic neuron's targets over the distance, for each presynaptic
        population: one, or one for each postsynaptic population by its name.
    rule : {"bernoulli", "outdegree", "indegree"}
        What happens at the edge of a sheet that is not periodic. "bernoulli" (the default): targets
        beyond are missing, as with NEST's ``pairwise_bernoulli``. "outdegree": all neurons have as
        many targets, "indegree": as many sources.
    speeds : dict of str to float, optional
        µm/ms that spikes of these populations travel to their targets. It adds to the delays in the
        `KernelApprox`. Default: at once.
    left_out : float
        The largest share of any contact's variance that the grid may leave out, if neurons spike
        independently: the grid is as coarse as that allows. None with a `grid`. What the patches'
        width makes wrong is not in it, but in `NeuronKernels.left_out`; a warning says where it is
        much, and which width would do.
    grid : Grid, optional
        The functions of the position, instead of looking for them.
    degree : int
        Of the splines, see `Grid`.
    rates, sizes : dict of str to number, optional
        Spikes/s and number of neurons, of each presynaptic population, which weigh what is left
        out. Default: all alike.
    channels : sequence, optional
        Labels of the contacts. Default: the probe's contact ids, or 0, 1, ...

    Returns
    -------
    NeuronKernels
        "LFP" (mV), with a mode for each function of the grid and population, without weights: the
        recorder wants those of `weights`. The modes are kept as weights of time courses, see
        ``KernelSet.stored``. What is left out is known, and what the patches' width
        makes wrong at most.

    Raises
    ------
    KernelError
        If profiles are missing, patches are of another sheet, or no grid of a sensible size leaves
        out so little.

    Notes
    -----
    The sheet is as its profiles say on the average over networks. That a neuron's targets are
    some cells and not others is not in it, nor that cells near a contact are few.

    References
    ----------
    Senk et al. (2018), https://arxiv.org/abs/1805.10235, and Hagen et al. (2016) Cereb Cortex
    26:4461, https://doi.org/10.1093/cercor/bhw237, calculate signals of sheets cell by cell.
    """
    where = geometry.positions(contacts, "the contacts")
    channels = geometry.contact_labels(contacts) if channels is None else channels
    if rule not in get_args(Rule):
        raise KernelError(f"rule must be one of {get_args(Rule)}, found {rule!r}")
    if (grid is None) == (left_out is None):
        raise KernelError("either left_out=... or grid=... must be given, the other be None")
    if grid is not None and grid.sheet != sheet:
        raise KernelError(f"the grid is of another sheet, {grid.sheet}")
    if left_out is not None and not 0 < positive(left_out, "left_out") < 1:
        raise KernelError(f"left_out must lie between 0 and 1, found {left_out!r}")
    # What takes long comes last.
    chosen = {pre: _of(profiles, pre, patches) for pre in patches.pre}
    check_known(profiles, patches.pre, "profiles")
    check_known(speeds or {}, patches.pre, "speeds")
    counts = {pre: _number(sizes, pre, "sizes") for pre in patches.pre}
    spikes = {pre: _number(rates, pre, "rates") for pre in patches.pre}
    populations = {
        pre: Population(patches, sheet, where, pre, chosen[pre], rule, (speeds or {}).get(pre))
        for pre in patches.pre
    }

    tried, share = [grid] if grid is not None else [], np.inf
    if left_out is not None:
        tried = list(_grids(sheet, degree, list(populations.values())))
        # What is too coarse for one contact is not tried for all.
        first = _shares(_energies(populations, counts, tried, slice(0, 1)), spikes)[0].max(axis=1)
        share = first.min(initial=np.inf)
        tried = [each for each, found in zip(tried, first, strict=True) if found <= left_out]
    courses = _side_by_side([each.courses for each in populations.values()])
    for candidate in tried:
        values = np.zeros((1, candidate.size * len(populations), len(where), len(courses)))
        energy = _energies(populations, counts, [candidate], slice(None), values[0])
        by_grid, by_width = _shares(energy, spikes)[:, 0]
        share = by_grid.max()
        if left_out is None or share <= left_out:
            break
    else:
        raise KernelError(
            f"no grid that these patches can resolve leaves out less than {left_out:g} of each "
            f"contact's variance, the finest {share:.2g}: allow more, or compute narrower patches, "
            f"such as sheets.patches(..., width={_width(populations) / 2:g})"
        )
    if left_out is not None:
        _warn_of_width(by_width, left_out, populations)
    names = {pre: [f"{pre}/{i}" for i in range(candidate.size)] for pre in populations}
    populations.clear()  # to save memory
    modes = KernelSet.from_arrays(
        {SIGNAL: values},
        courses=courses,
        pre=[mode for own in names.values() for mode in own],
        post=["all"],
        dt=patches.dt,
        first_lag=patches.first_lag_steps * patches.dt,
        units={SIGNAL: patches[SIGNAL].attrs["units"]},
        channels=None if channels is None else {SIGNAL: list(np.asarray(channels))},
        positions={SIGNAL: where},
        provenance={**patches.provenance, _PROVENANCE: {**candidate.as_json(), "rule": rule}},
    )
    whole, left, blurred = energy[:, :, 0]
    found = energies.labelled(np.stack([whole, left + blurred]), modes.stored, spikes)
    return NeuronKernels(modes, names, energy=found)


def weights(kernels: NeuronKernels, positions: Mapping[str, ArrayLike]) -> dict[str, Weights]:
    """Weights of neurons for `kernels`, from their positions.

    Parameters
    ----------
    kernels : NeuronKernels
        What `kernels` returned, or `NeuronKernels.load` read from its file.
    positions : dict of str to array, shape (neuron, 2)
        x and y of each neuron (µm), in the order in which the recorder gets them. Of a spatial
        network in mm: ``1000 * np.array(nest.GetPosition(neurons))``.

    Returns
    -------
    dict of str to scipy.sparse.csr_array, shape (neuron, mode)
        For ``nestlfp.Inputs(populations, weights=...)``.

    Raises
    ------
    KernelError
        If neurons stand outside of the sheet, or the kernels are not those of one.
    """
    grid_as_json = kernels.modes.provenance.get(_PROVENANCE)
    if grid_as_json is None:
        raise KernelError("these are no kernels of a sheet, nestlfp.sources.sheets.kernels")
    check_known(positions, list(kernels.populations), "positions")
    grid = Grid.of(grid_as_json)
    found = {}
    for name, given in positions.items():
        try:
            found[name] = grid.weights(given)
        except KernelError as error:
            raise KernelError(f"{name}: {error}") from None
    return found


def _energies(
    populations: Mapping[str, Population],
    counts: Mapping[str, float],
    grids: Sequence[Grid],
    contacts: slice,
    out: Floats | None = None,
) -> Floats:
    """Of the neurons of each population, see `Population.fitted`: (3, population, grid, contact).

    `out` is for factors of the courses of all populations, of a single grid.
    """
    found, row, column = [], 0, 0
    for pre, each in populations.items():
        rows, columns = row + grids[0].size, column + len(each.courses)
        own = None if out is None else out[row:rows, :, column:columns]
        found.append(counts[pre] * each.fitted(grids, contacts, own))
        row, column = rows, columns
    return np.stack(found, axis=1)


def _shares(energy: Floats, rates: Mapping[str, float]) -> Floats:
    """What a grid, and what the width make wrong of a variance, (2, grid, contact)."""
    whole, *wrong = np.einsum("p,kpgc->kgc", list(rates.values()), energy)
    return np.array(wrong) / np.maximum(whole, 1e-300)


def _side_by_side(parts: Sequence[Floats]) -> Floats:
    """Courses (course, lag) of all populations, which may differ in their number of lags."""
    longest = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, longest - part.shape[1]))) for part in parts])


def _warn_of_width(shares: Floats, left_out: float, populations: Mapping[str, Population]) -> None:
    """Of patches that are so wide that narrower ones would be worth their time."""
    worst = int(shares.argmax())
    if shares[worst] <= max(left_out, _NOTICED):
        return
    width = _width(populations)
    # What they make wrong grows with the square of their width, and counts squared.
    enough = width * (max(left_out, _NOTICED) / 2 / shares[worst]) ** 0.25
    warnings.warn(
        f"patches of width {width:g} µm may make {shares[worst]:.2g} of the variance at contact "
        f"{worst} wrong, where spikes travel slowly or the sheet ends; left_out counts it. Patches "
        f"of at most {enough:.2g} µm do: sheets.patches(..., width={enough:.2g})",
        stacklevel=3,
    )


def _width(populations: Mapping[str, Population]) -> float:
    return max(each.width for each in populations.values())


# ---------------------------------------------------------------------- what is given, and results
def _of(
    profiles: Mapping[str, Profile | Mapping[str, Profile]], pre: str, patches: KernelSet
) -> dict[str, Profile]:
    """Profile of each postsynaptic population."""
    given = profiles.get(pre)
    if given is None:
        raise KernelError(
            f"profiles has none for {pre!r}, whose kernels the patches have: {list(profiles)}"
        )
    found = given if isinstance(given, Mapping) else dict.fromkeys(patches.post, given)
    missing = [post for post in patches.post if post not in found]
    if missing:
        raise KernelError(f"profiles of {pre!r} have none for the postsynaptic {missing}")
    for profile in found.values():
        if not hasattr(profile, "spectrum"):
            raise KernelError(
                f"profiles of {pre!r} must be Gaussian, Exponential, Disk or the like, found "
                f"{profile!r}"
            )
    return dict(found)


def _number(given: Mapping[str, float] | None, pre: str, what: str) -> float:
    if given is None:
        return 1.0
    if pre not in given:
        raise KernelError(f"{what} has none for {pre!r}, only {list(given)}")
    return positive(given[pre], f"{what} of {pre!r}")


def _grids(sheet: Sheet, degree: int, populations: Sequence[Population]) -> Iterator[Grid]:
    """Grids from one that is too coarse to one that is too fine."""
    spacing = 4 * min(each.spread for each in populations)
    least = degree + 1 if sheet.periodic else 1
    last = None
    while True:
        x, y = (max(least, int(np.ceil(length / spacing))) for length in sheet.extent)
        grid = Grid(sheet, (x, y), degree)
        if not all(each.resolves(grid) for each in populations):
            return
        if grid != last:
            yield grid
        last, spacing = grid, spacing / _FINER
