"""Filter banks: kernels, the filter that realizes them, and the model that computes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from .._types import Ints
from ..display import card, table
from ..errors import KernelError
from ..filters.choose import Once, make_filter
from ..filters.coefficients import Array, Coefficients
from ..filters.options import Options, Separable, StateSpace
from ..kernels import KernelSet, NeuronKernels
from ..kernels.checks import found_instead
from .detector import RECORDING, Detector
from .model import create_nodes, model_of


class FilterBank:
    """Kernels, the filter that realizes them, and the NEST model that computes it.

    Parameters
    ----------
    kernels : KernelSet or NeuronKernels
        What to realize.
    options : Options, optional
        How; see `install`.
    once : callable, optional
        Calls the function it is given on one of several processes, and returns its result on all.

    Attributes
    ----------
    kernels : KernelSet
        What is realized: after the low-pass filter, if there is one. Modes count as presynaptic
        populations here, of which each has a spike port.
    neurons : NeuronKernels
        The same, with the populations that modes belong to, and weights where they are known.
    options : Options
        How.
    every : int
        Steps between two samples that the options ask for.
    filter : Filter
        What a node computes.
    error : xarray.Dataset
        Certified error of each channel: the largest difference between realized and given kernels
        over all lags, relative to the channel's peak. It holds for the signal of a single spike.
    module : str or None
        The module that `install` had NEST load, and where it came from; None where NEST knew the
        model already.
    bound : xarray.Dataset
        The sum over lags of that difference, relative to the channel's peak: what the error of the
        signal can grow to at most for each spike per step, of any population.
    """

    def __init__(
        self,
        kernels: KernelSet | NeuronKernels,
        options: Options | None = None,
        *,
        once: Once | None = None,
    ) -> None:
        if not isinstance(kernels, KernelSet | NeuronKernels):
            raise KernelError(f"expected a KernelSet, {found_instead(kernels)}")
        populations: Mapping[str, Sequence[str]]
        if isinstance(kernels, KernelSet):
            populations, weights = {name: [name] for name in kernels.pre}, None
        else:
            populations, weights, kernels = kernels.populations, kernels.weights, kernels.modes
        self.options = options = options or Options()
        self.every = options.every(kernels.dt)  # before anything that takes long
        if options.antialias and options.interval is not None:
            kernels = kernels.lowpass(options.interval)
        self.kernels = kernels
        self.neurons = NeuronKernels(kernels, populations, weights)
        self.filter, self._choice = make_filter(
            Coefficients(kernels, options.by),
            options.method,
            self.every,
            **({"once": once} if once else {}),
        )
        self._model = model_of(self.filter)
        self.module: str | None = None

    @property
    def model(self) -> str:
        """Name of the NEST model."""
        return self._model.name

    @property
    def nestml(self) -> str:
        """Its NESTML source."""
        return self._model.text

    def parameters(self, hold: Ints, every: int, until: int) -> dict[str, Any]:
        """All parameters of a node of the bank, see `Filter.parameters`."""
        return self.filter.parameters(self._model.ports, hold, every, until)

    def create_nodes(
        self,
        nest: Any,
        n: int,
        hold: Ints,
        every: int,
        until: int,
        detector: Detector | None = None,
    ) -> Any:
        """`n` nodes of the bank in NEST, see `Filter.parameters`; collective under MPI.

        With a `detector` they emit a spike when the bank's one channel crosses its threshold.
        """
        head = RECORDING
        if detector is not None:
            (scale,) = self.filter.expand(np.ones((1, 1))).ravel()
            head = detector.parameters(float(scale))
        parameters = self.parameters(hold, every, until) | head
        return create_nodes(nest, self._model, n, parameters, self.filter.grows)

    @property
    def populations(self) -> tuple[str, ...]:
        """Presynaptic populations."""
        return tuple(self.neurons.populations)

    @property
    def ports(self) -> tuple[str, ...]:
        """What the node's spike ports are for, in their order: a population each, or a mode."""
        return self.kernels.pre

    def labelled(self, outputs: Array, times: Array) -> xr.Dataset:
        """Signals from the nodes' outputs, shape (output, time), at these times (ms)."""
        signals = self.filter.coefficients.to_dataset(self.filter.expand(outputs), times)
        return self.neurons.by_population(signals) if "pre" in self.options.by else signals

    @property
    def provenance(self) -> dict[str, Any]:
        """All of the bank that its signals depend on, as attributes of a file."""
        found = {"kernels": self.kernels.fingerprint, "method": self.filter.method}
        method = self.options.method
        if isinstance(method, StateSpace | Separable) and self.filter.method != "fir":
            exact = isinstance(method, StateSpace) and method.exact_channels
            return {**found, "tolerance": method.tolerance, "exact_channels": int(exact)}
        return {**found, "tolerance": 0.0, "exact_channels": 0}

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

    def _told(self, name: str) -> str:
        n = len(self.neurons.populations[name])
        return name if n == 1 else f"{name} ({n} modes)"

    def _facts(self) -> list[tuple[str, str]]:
        """What it is, for a person."""
        coefficients = self.filter.coefficients
        return [
            ("populations", ", ".join(self._told(name) for name in self.populations)),
            (
                "channels",
                f"{coefficients.n_channels} of {', '.join(self.kernels.signals)}"
                + (f", apart by {', '.join(self.options.by)}" if self.options.by else ""),
            ),
            ("taps", f"{coefficients.h.shape[2]} of {self.kernels.dt:g} ms"),
            ("filter", f"{self.filter}"),
            (
                "error",
                f"{self.filter.error.max():.2g} of a channel's peak at most, "
                f"{self.filter.bound.max():.2g} for a spike in every step",
            ),
            (
                "cost",
                f"about {self.filter.microseconds(self.every):.2g} µs for a step with a spike "
                f"of every population, sampled every {self.every} steps",
            ),
            *([] if self.module is None else [("module", self.module)]),
        ]

    def __repr__(self) -> str:
        return "\n".join(
            [f"FilterBank {self.model}: {self._method()}"]
            + [f"  {what}: {value}" for what, value in self._facts()]
        )

    def _method(self) -> str:
        chosen = f", {self._choice}" if self._choice else ""
        return f"method {self.filter.method!r}{chosen}"

    def _repr_html_(self) -> str:
        errors = [
            (
                name,
                array.size,
                array.attrs["units"],
                f"{float(self.error[name].max()):.2g}",
                f"{float(self.bound[name].max()):.2g}",
            )
            for name, array in (
                (name, self.kernels[name].isel(pre=0, post=0, lag=0))
                for name in self.kernels.signals
            )
        ]
        head = ["signal", "channels", "unit", "error", "bound for a spike in every step"]
        model = [("model", self.model), ("method", self._method().removeprefix("method "))]
        return card(
            "FilterBank",
            model + self._facts(),
            table("signals, and the largest error of a channel", head, errors),
        )
