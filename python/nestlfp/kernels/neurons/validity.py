"""How good a population's kernel is for neurons that have kernels of their own: R² beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from ..._types import Floats
from ...errors import KernelError
from ...grid import Rounding
from ..names import channel_dim, check_known
from ..strengths import labels_of_signals
from . import energies
from .counts import mean_rates
from .energies import at_least, between, by_signal, rates_of
from .kernels import NeuronKernels
from .single_neurons import checked_rates, checked_singles

_FINE = 0.1  # how much less than the last target modes leave out that all is found from


@dataclass(frozen=True)
class Validity:
    """What `validity` found; printed, it is a table and a sentence.

    Attributes
    ----------
    independent : xarray.Dataset
        R² of population kernels if neurons spike independently of each other: a variable for each
        signal with the dimension ``<signal>_channel``.
    recorded : xarray.Dataset or None
        R² of population kernels for the recorded spikes, with their correlations.
    modes : dict of float to (dict of str to int, or None)
        For each R² that was asked for, the number of modes of each population that reach it at
        every channel if neurons spike independently, or None where they would be too many.
    recorded_modes : dict of float to xarray.Dataset
        R² of so many modes for the recorded spikes.
    """

    independent: xr.Dataset
    recorded: xr.Dataset | None
    modes: dict[float, dict[str, int] | None]
    recorded_modes: dict[float, xr.Dataset]

    @property
    def advice(self) -> str:
        """Which kernels to use, in a sentence."""
        worst, where = _worst(self.independent if self.recorded is None else self.recorded)
        known = f"population kernels have R² ≥ {_short(worst)}, the lowest at {where}"
        targets = sorted(self.modes)
        if worst >= targets[0]:
            return f"Use population kernels: {known}."
        reached = {target: self._reached(target) for target in targets}
        if not reached[targets[0]]:
            return (
                f"Use neither: {known}, and it would take too many modes to reach {targets[0]:g}. "
                "Kernels differ too much between neurons; nestlfp.sources.hybrid simulates each "
                "cell."
            )
        wanted = ", ".join(text for text in reached.values() if text)
        return f"Use modes: {wanted}; {known}."

    def _reached(self, target: float) -> str | None:
        counts = self.modes[target]
        if counts is None:
            return None
        each = ", ".join(f"{name} {n}" for name, n in counts.items())
        n = sum(counts.values())
        text = f"{n} mode{'s' * (n != 1)} ({each}) for R² ≥ {target:g}"
        if target in self.recorded_modes:
            text += f" ({_short(_worst(self.recorded_modes[target])[0])} for these spikes)"
        return text

    def __str__(self) -> str:
        lines = ["R² of population kernels, from kernels of single neurons:"]
        head = f"  {'channel':<24}{'independent spikes':>20}"
        lines.append(head + (f"{'these spikes':>16}" if self.recorded is not None else ""))
        for name, array in self.independent.data_vars.items():
            labels = array[channel_dim(str(name))].values
            for i in _some(array.values):
                line = f"  {f'{name} {labels[i]}':<24}{_short(array.values[i]):>20}"
                if self.recorded is not None:
                    line += f"{_short(self.recorded[name].values[i]):>16}"
                lines.append(line)
            if len(labels) > 4:
                lines.append(f"    (highest, median, lowest of {len(labels)} channels)")
        return "\n".join([*lines, self.advice])


def validity(
    kernels: Mapping[str, xr.Dataset] | NeuronKernels,
    *,
    rates: Mapping[str, Any] | None = None,
    spikes: Mapping[str, tuple[Any, Any]] | None = None,
    duration: float | None = None,
    rounding: Rounding = False,
    targets: Sequence[float] = (0.99, 0.999),
    most: int = 100,
) -> Validity:
    """How much of the signal population kernels get right, known before anything is simulated.

    Parameters
    ----------
    kernels : dict of str to xarray.Dataset, or NeuronKernels
        Kernels of single neurons, as `nestlfp.sources.hybrid.single_kernels` returns them of each
        population, or their modes with weights.
    rates : dict of str to float or array of shape (neuron,), optional
        Rate of a neuron (spikes/s) in each population. Default: those of `spikes`, or those that
        the modes were made for; all alike where none were.
    spikes : dict of str to (times, neurons), optional
        Recorded spikes, as for `NeuronKernels.convolve`: what correlations between neurons add.
    duration : float, optional
        With spikes, how long the recording is (ms): several times the kernels.
    rounding : {False, "up", "nearest"}
        Of spikes between steps, as of `KernelSet.convolve`.
    targets : sequence of float
        R² for which the number of modes is wanted; population kernels do if they reach the first.
    most : int
        Modes of all populations together that are still worth it.

    Returns
    -------
    Validity
        Printed, a table and a sentence: use population kernels, or modes, or neither.

    Raises
    ------
    KernelError
        If kernels, rates or spikes do not fit each other, or weights are not known.

    Notes
    -----
    The mean kernel of a population misses h_n - mean h of neuron n. If neurons spike independently,
    what is missed adds up in power::

        R² = 1 - (sum over X of rate_X · sum over n and lags of (h_n - mean)²) / (the same of h_n²)

    With correlations the whole signal grows, and so may what is missed. From spikes it is found
    directly: the mean square of sum over n of (h_n - mean h) * spikes_n, by modes, over the
    variance of the full signal; the first part, as long as the kernels, is left out.

    Examples
    --------
    >>> import numpy as np, nestlfp
    >>> size = np.linspace(0.5, 1.5, 20)[:, None, None]
    >>> kernels = nestlfp.NeuronKernels.from_arrays(
    ...     {"E": {"LFP": size * np.ones((20, 1, 5))}}, dt=0.1, units={"LFP": "mV"}, modes=1
    ... )
    >>> found = nestlfp.validity(kernels)
    >>> found.independent["LFP"].values.round(3)
    array([0.916])
    >>> print(found.advice)
    Use modes: 1 mode (E 1) for R² ≥ 0.99, 1 mode (E 1) for R² ≥ 0.999; population kernels have \
R² ≥ 0.915, the lowest at LFP 0.
    """
    wanted = _targets(targets)
    if (spikes is None) != (duration is None):
        raise KernelError("spikes and duration must be given together, or neither of them")
    if rates is None and spikes is not None:
        rates = mean_rates(spikes, _sizes(kernels), duration or 0.0)
    exact = None
    if not isinstance(kernels, NeuronKernels):
        exact = _missed_directly(kernels, rates)
        fine = _FINE * (1 - wanted[-1])
        kernels = NeuronKernels.from_single(kernels, left_out=fine, rates=rates)
    expected = _Expected(kernels, rates)
    missed = expected.missed if exact is None else exact
    independent = expected.r2(missed)
    modes = {target: expected.modes_for(1 - target, most) for target in wanted}
    if spikes is None or duration is None:
        return Validity(independent, None, modes, {})
    found = _Recorded(kernels, spikes, duration, rounding, expected)
    weights = kernels.weights
    recorded = found.r2({name: own.toarray() - _mean(own) for name, own in weights.items()})
    recorded_modes = {}
    for target, counts in modes.items():
        if counts is not None:
            missed_by = {name: _beyond(own, counts[name]) for name, own in weights.items()}
            recorded_modes[target] = found.r2(missed_by)
    return Validity(independent, recorded, modes, recorded_modes)


class _Expected:
    """Variances (per channel of all signals) if neurons spike independently."""

    def __init__(self, kernels: NeuronKernels, rates: Mapping[str, Any] | None) -> None:
        self._labels = kernels.modes.stored
        parts = energies.parts_of(kernels)
        energy = kernels.energy
        given = rates_of(energy, parts) if rates is None else rates
        check_known(given, list(parts), "rates")
        if absent := [name for name in parts if name not in given]:
            raise KernelError(f"rates must be given for all populations, missing {absent}")
        self.rates = {
            name: checked_rates(given[name], part.weights.shape[0], name)
            for name, part in parts.items()
        }
        self.left_out = {name: np.zeros(0) for name in parts}
        whole = {}
        for name, part in parts.items():
            mean = float(self.rates[name].mean()) if self.rates[name].size else 0.0
            if energy is None:
                whole[name] = part.energy_between(between(part.weights, self.rates[name]))
                self.left_out[name] = 0.0 * whole[name]
            else:
                of_signal, left = energies.flat(energy.sel(population=name))
                whole[name], self.left_out[name] = mean * of_signal, mean * left
        self.whole = np.asarray(sum(whole.values()))
        self._parts = parts
        if not self.whole.any():
            raise KernelError("no neuron spikes, or all kernels are 0: there is no signal")

    @property
    def missed(self) -> Floats:
        """By population kernels."""
        return np.asarray(
            sum(
                part.energy_between(
                    between(part.weights.toarray() - _mean(part.weights), self.rates[name])
                )
                + self.left_out[name]
                for name, part in self._parts.items()
            )
        )

    def r2(self, missed: Floats) -> xr.Dataset:
        """1 - what is missed, as a share, by signal."""
        return _labelled(self._labels, 1 - missed / self._floored)

    @cached_property
    def _floored(self) -> Floats:
        return np.concatenate([at_least(each) for each in by_signal(self.whole, self._labels)])

    def modes_for(self, left_out: float, most: int) -> dict[str, int] | None:
        """Modes of each population, the next always of that which gains most."""
        left = {}
        for name, part in self._parts.items():
            products = between(part.weights, self.rates[name])
            beyond = [part.energy_between(products, n) for n in range(1, len(products) + 1)]
            left[name] = (np.stack(beyond) + self.left_out[name]) / self._floored
        counts = dict.fromkeys(left, 1)
        while True:
            now = np.asarray(sum(left[name][n - 1] for name, n in counts.items()))
            if now.max() <= left_out:
                return counts
            channel = int(now.argmax())
            gains = {
                name: left[name][n - 1, channel] - left[name][n, channel]
                for name, n in counts.items()
                if n < len(left[name])
            }
            if not gains or sum(counts.values()) >= most:
                return None
            counts[max(gains, key=lambda name: gains[name])] += 1


class _Recorded:
    """Mean squares of what recorded spikes make."""

    def __init__(
        self,
        kernels: NeuronKernels,
        spikes: Mapping[str, tuple[Any, Any]],
        duration: float,
        rounding: Rounding,
        expected: _Expected,
    ) -> None:
        self._kernels, self._spikes, self._duration = kernels, spikes, duration
        self._rounding = rounding
        lasts = float(kernels.modes.stored["lag"].values[-1])
        if duration < 4 * lasts:
            raise KernelError(
                f"duration must be 4 times the kernels' {lasts:g} ms or longer, found {duration:g}"
            )
        self._start = max(lasts, 0.0)
        dt = kernels.modes.dt / 1000.0
        self._left_out = dt * np.asarray(sum(expected.left_out.values()))
        full = self._signals(kernels)
        self._whole = np.concatenate([at_least(each.var(axis=1)) for each in full])
        if not any(each.any() for each in full):
            raise KernelError("there are no spikes in the recording, or all kernels are 0")

    def r2(self, missed: Mapping[str, Floats]) -> xr.Dataset:
        """Of what lacks these weights."""
        modes, populations = self._kernels.modes, self._kernels.populations
        lacking = self._signals(NeuronKernels(modes, populations, missed))
        squares = np.concatenate([(each**2).mean(axis=1) for each in lacking])
        return _labelled(modes.stored, 1 - (squares + self._left_out) / self._whole)

    def _signals(self, kernels: NeuronKernels) -> list[Floats]:
        made = kernels.convolve(self._spikes, self._duration, rounding=self._rounding)
        inside = made["time"].values > self._start
        return [array.values[:, inside] for array in made.data_vars.values()]


def _missed_directly(kernels: Mapping[str, xr.Dataset], rates: Mapping[str, Any] | None) -> Floats:
    """What population kernels miss, from single neurons' kernels themselves."""
    missed: Any = 0.0
    for each in checked_singles(kernels, rates).values():
        if len(each.rates):
            mean = np.concatenate([array.mean(axis=0) for array in each.signals])
            missed = missed + each.energy(mean[np.newaxis], np.ones((len(each.rates), 1)))
    return np.asarray(missed)


def _targets(targets: Sequence[float]) -> list[float]:
    found = sorted(float(each) for each in targets)
    if not found or not found[0] > 0 or not found[-1] < 1:
        raise KernelError(f"targets must be R² between 0 and 1, found {targets!r}")
    return found


def _sizes(kernels: Any) -> dict[str, int]:
    """Number of neurons of each population."""
    if isinstance(kernels, NeuronKernels):
        return {name: kernels._known_weights(name).shape[0] for name in kernels.pre}
    return {name: each.sizes["neuron"] for name, each in kernels.items()}


def _mean(weights: Any) -> Floats:
    n = weights.shape[0]
    return np.asarray(weights.sum(axis=0), dtype=float).reshape(1, -1) / (n or 1)


def _beyond(weights: Any, n: int) -> Floats:
    """Without the first modes."""
    out: Floats = weights.toarray()
    out[:, :n] = 0.0
    return out


def _labelled(labels: xr.Dataset, values: Floats) -> xr.Dataset:
    out = labels_of_signals(labels)
    for name, part in zip(labels.data_vars, by_signal(values, labels), strict=True):
        dim = channel_dim(str(name))
        if dim not in out.coords:
            out = out.assign_coords({dim: np.arange(part.size)})
        out[name] = (dim, part, {"units": "1", "long_name": "R²"})
    out.attrs = {}
    return out


def _worst(r2: xr.Dataset) -> tuple[float, str]:
    """Lowest R², and where."""
    lowest = {name: float(array.min()) for name, array in r2.data_vars.items()}
    name = min(lowest, key=lambda each: lowest[each])
    dim = channel_dim(str(name))
    return lowest[name], f"{name} {r2[dim].values[int(r2[name].values.argmin())]}"


def _some(values: Floats) -> list[int]:
    """All of few channels; of many the best, the median and the worst."""
    if values.size <= 4:
        return list(range(values.size))
    order = np.argsort(-values, kind="stable")
    return [int(order[0]), int(order[values.size // 2]), int(order[-1])]


def _short(r2: float) -> str:
    """With enough digits to differ from 1, rounded down."""
    digits = 3
    while digits < 6 and 1 - r2 < 10.0 ** (1 - digits):
        digits += 1
    return f"{np.floor(r2 * 10**digits) / 10**digits:.{digits}f}"
