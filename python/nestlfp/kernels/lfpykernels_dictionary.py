"""LFPykernels' dictionary of kernels, as labelled kernels.

Users of LFPykernels have a dictionary ``{"POST:PRE": {ProbeClassName: array}}``. Reading it needs
no LFPykernels: the names say what is what. `nestlfp.sources.lfpykernels` computes such arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .._types import Floats
from ..errors import KernelError
from .arrays import labelled
from .checks import real
from .names import AXES, check_name, check_signal_names
from .positions import check_no_group, check_several, is_probe
from .probes import DIPOLE, PREDICTS

_QUIET = 1e-3  # a half of the lags below this part of the peak is probably not meant as a kernel

Pathway = tuple[str, str]  # (post, pre)


def arrays_of(H_YX: Any, fir: bool | None) -> tuple[dict[str, Floats], list[str], list[str]]:
    """An array (post, pre, channel, lag) for each probe of the dictionary, and the populations.

    See `KernelSet.from_lfpykernels`.

    Returns
    -------
    arrays : dict of str to ndarray
        Lags dt, ..., tau.
    post, pre : list of str
        Names of populations.
    """
    if isinstance(H_YX, list | tuple) and H_YX:
        raise KernelError(
            f"found a list of {len(H_YX)}, as in ncpi's kernels.pkl, which has a dictionary for "
            "each trial: give one of them, KernelSet.from_lfpykernels(kernels[0], dt=...)"
        )
    if not (isinstance(H_YX, Mapping) and H_YX):
        raise KernelError(f"no kernels in the dictionary of LFPykernels, found {H_YX!r}")
    pathways = {_pathway(key): H_YX[key] for key in H_YX}
    post = list(dict.fromkeys(y for y, _ in pathways))
    pre = list(dict.fromkeys(x for _, x in pathways))
    arrays = stacked(pathways, post, pre)
    if not (fir if fir is not None else _is_fir(arrays)):
        arrays = _positive_lags(arrays)
    return arrays, post, pre


def _pathway(key: Any) -> Pathway:
    parts = key.split(":") if isinstance(key, str) else []
    if len(parts) != 2 or not all(part.strip() for part in parts):
        raise KernelError(f"keys must be pathways 'POST:PRE' such as 'E:I', found {key!r}")
    post, pre = (check_name(part, "a population") for part in parts)
    return post, pre


def stacked(
    pathways: Mapping[Pathway, Mapping[str, ArrayLike]], post: Sequence[str], pre: Sequence[str]
) -> dict[str, Floats]:
    """An array (post, pre, channel, lag) for each probe, all pathways together."""
    missing = [f"{y}:{x}" for y in post for x in pre if (y, x) not in pathways]
    if missing:
        raise KernelError(
            f"kernels are missing for the pathways POST:PRE {missing}; "
            "a pathway without connections needs kernels of zeros"
        )
    first, wanted = next(iter(pathways.items()))
    if not wanted:
        raise KernelError(f"no probe in pathway '{_label(first)}'")
    found = {}
    for pathway, probes in pathways.items():
        if set(probes) != set(wanted):
            raise KernelError(
                f"pathways must have the same probes: '{_label(first)}' has {sorted(wanted)}, "
                f"'{_label(pathway)}' has {sorted(probes)}"
            )
        for probe, values in probes.items():
            found[pathway, probe] = _checked(values, f"{probe} of pathway '{_label(pathway)}'")
    n_lags = found[first, next(iter(wanted))].shape[1]
    for (pathway, probe), array in found.items():
        shape = (found[first, probe].shape[0], n_lags)
        if array.shape != shape:
            raise KernelError(
                f"shapes disagree: {probe} of pathway '{_label(pathway)}' has shape "
                f"{array.shape}, where '{_label(first)}' says {shape} (channel, lag)"
            )
    return {
        probe: np.stack([np.stack([found[(y, x), probe] for x in pre]) for y in post])
        for probe in wanted
    }


def _checked(values: ArrayLike, what: str) -> Floats:
    array = real(values, what)
    if array.ndim != 2 or array.size == 0:
        raise KernelError(f"{what} must have shape (channel, lag), found {array.shape}")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        channel, lag = bad[0]
        raise KernelError(
            f"{what} is not finite: {array[channel, lag]} at channel {channel}, sample {lag}"
        )
    return array


def _label(pathway: Pathway) -> str:
    return ":".join(pathway)


# ---------------------------------------------------------------------- the two forms of lags
def _is_fir(arrays: Mapping[str, Floats]) -> bool:
    """Whether the lags are dt ... tau rather than -tau ... tau, by their values.

    A wrong guess would shift every signal by tau, so that doubtful cases are errors.
    """
    n_lags = next(iter(arrays.values())).shape[-1]
    until_zero = (n_lags + 1) // 2
    early = [np.abs(array[..., :until_zero]).max() for array in arrays.values()]
    peaks = [np.abs(array).max() for array in arrays.values()]
    if all(peak == 0 for peak in peaks):
        return True  # rejected for being zero, whatever the form
    if any(e > _QUIET * peak for e, peak in zip(early, peaks, strict=True)):
        return True
    if n_lags % 2 == 1 and not any(early):
        return False
    raise KernelError(
        f"of {n_lags} lags the first {until_zero} are (nearly) zero: say fir=True if they are "
        "dt, 2 dt, ..., tau; the form -tau ... tau has an odd number of lags, and zeros at all "
        "those up to 0"
    )


def _positive_lags(arrays: Mapping[str, Floats]) -> dict[str, Floats]:
    """The lags dt ... tau of kernels given at -tau ... tau."""
    n_lags = next(iter(arrays.values())).shape[-1]
    if n_lags % 2 == 0 or n_lags < 3:
        raise KernelError(
            f"lags -tau ... tau (fir=False) must be an odd number of at least 3, found {n_lags}"
        )
    until_zero = (n_lags + 1) // 2
    for probe, array in arrays.items():
        if np.any(array[..., :until_zero]):
            raise KernelError(
                f"{probe} is not zero at lags up to 0 (the first {until_zero} of {n_lags}): "
                "a signal would come before its spike; or are the lags dt ... tau (fir=True)?"
            )
    return {probe: array[..., until_zero:] for probe, array in arrays.items()}


# ---------------------------------------------------------------------- labels
def of_probes(
    arrays: Mapping[str, Floats],
    *,
    post: Sequence[str],
    pre: Sequence[str],
    dt: float,
    names: Mapping[str, str] | None,
    units: Mapping[str, str] | None,
    positions: Mapping[str, ArrayLike] | None,
    probes: Iterable[Any] | None,
    provenance: Mapping[str, Any],
) -> xr.Dataset:
    """Arrays by probe class become signals with units, channels and positions."""
    signal_of = signal_names(arrays, names or {})
    all_units = {
        signal: PREDICTS[probe][1] for probe, signal in signal_of.items() if probe in PREDICTS
    } | dict(units or {})
    for probe, signal in signal_of.items():
        if signal not in all_units:
            raise KernelError(
                f"signal {signal!r} of the unknown probe {probe!r} has no unit: add it to "
                "units={...}"
            )
    places = _probe_positions(probes or (), signal_of)
    places |= {signal: _xyz(signal, given) for signal, given in (positions or {}).items()}
    channels = {}
    for probe, signal in signal_of.items():
        if PREDICTS.get(probe) == DIPOLE:
            if arrays[probe].shape[2] != 3:
                raise KernelError(
                    f"{probe} must have the 3 channels x, y, z, found {arrays[probe].shape[2]}"
                )
            channels[signal] = AXES
    return labelled(
        {signal: arrays[probe] for probe, signal in signal_of.items()},
        pre=pre,
        post=post,
        dt=dt,
        units=all_units,
        channels=channels,
        positions=places,
        provenance=provenance,
    )


def signal_names(probes: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """The signal that each probe class becomes."""
    probes = list(probes)
    unknown = sorted(set(names) - set(probes))
    if unknown:
        raise KernelError(f"names given for {unknown}, but the probes are {probes}")
    signal_of: dict[str, str] = {}
    for probe in probes:
        if probe not in names and probe not in PREDICTS:
            raise KernelError(
                f"unknown probe {probe!r}: say what it predicts with "
                f"names={{{probe!r}: <signal>}} and units={{<signal>: <unit>}}; "
                f"known are {sorted(PREDICTS)}"
            )
        signal = names[probe] if probe in names else PREDICTS[probe][0]
        taken = [other for other, name in signal_of.items() if name == signal]
        if taken:
            raise KernelError(
                f"{taken[0]} and {probe} would both become signal {signal!r}: rename one with "
                "names={...}"
            )
        signal_of[probe] = signal
    check_signal_names(signal_of.values())
    return signal_of


def _probe_positions(probes: Iterable[Any], signal_of: Mapping[str, str]) -> dict[str, Floats]:
    places = {}
    for probe in probes:
        name = type(probe).__name__
        if name not in signal_of:
            raise KernelError(
                f"probe {name!r} is not among the kernels', which are {sorted(signal_of)}"
            )
        if getattr(probe, "z", None) is not None:
            # Of volumes, which have a lower and an upper edge, the middle.
            z = np.mean(probe.z, axis=1) if np.ndim(probe.z) == 2 else np.ravel(probe.z)
            x, y = (np.ravel(getattr(probe, axis, np.zeros_like(z))) for axis in "xy")
            places[signal_of[name]] = np.column_stack(np.broadcast_arrays(x, y, z))
    return places


def check_probes(probes: Iterable[Any], signal_of: Mapping[str, str]) -> None:
    """A `KernelError` where the contacts of probes are in another unit than µm."""
    for signal, places in _probe_positions(probes, signal_of).items():
        check_several(places, f"the contacts of {signal!r}")


def _xyz(signal: str, given: Any) -> Any:
    check_no_group(given)
    if is_probe(given):
        return given
    array = real(given, f"positions of {signal!r}")
    if array.ndim == 1:  # depths alone
        array = np.column_stack([np.zeros((array.size, 2)), array])
    return array
