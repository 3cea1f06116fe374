"""Filter banks: kernels, the filter that realizes them, and the model that computes it."""

from __future__ import annotations

from collections.abc import Iterable

import xarray as xr

from ..errors import KernelError
from ..filters.choose import Once, make_filter
from ..filters.coefficients import Coefficients
from ..filters.cost import EVERY
from ..kernels import KernelSet, by_dims
from .render import render


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
    once : callable, optional
        Calls the function it is given on one of several processes, and returns its result on all.

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
    tolerance : float
        What the filter was made for; 0 where it is exact.
    exact_channels : bool
        As for `install`.
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
        once: Once | None = None,
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
            **({"once": once} if once else {}),
        )
        exact = self.filter.method == "fir"
        self.tolerance, self.exact_channels = (0.0, False) if exact else (tolerance, exact_channels)
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
