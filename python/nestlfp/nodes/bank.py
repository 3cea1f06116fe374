"""Filter banks: kernels, the filter that realizes them, and the model that computes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from .._types import Ints
from ..display import card, in_short, table
from ..errors import KernelError
from ..filters.base import Once, here
from ..filters.coefficients import Array, Coefficients
from ..filters.options import Method, Options
from ..kernels import KernelSet, NeuronKernels
from ..kernels.checks import found_instead
from ..kernels.neurons.kernels import as_neurons
from ..simulator import Simulator
from .detector import RECORDING, Detector
from .model import Model, capacity, create_nodes, model_for


def modes_of(kernels: Any) -> KernelSet:
    """What has a spike port each: populations, or modes of neurons; a `KernelError` of others."""
    if isinstance(kernels, NeuronKernels):
        return kernels.modes
    if isinstance(kernels, KernelSet):
        return kernels
    raise KernelError(f"expected a KernelSet, {found_instead(kernels)}")


class FilterBank:
    """Kernels, and the filter that computes their sum over spikes in a NEST node.

    `FieldRecorder` and `Trigger` make one of the kernels that they are given. If you make it
    beforehand, you see the filter's error and cost, and several recorders can share it.

    Parameters
    ----------
    kernels : KernelSet or NeuronKernels
        Kernels at NEST's resolution.
    method : {"fir", "state-space", "separable", "auto"} or FIR, StateSpace, Separable, Auto
        How the sum is computed. "fir" takes the kernels as they are, exactly, and is the default;
        its cost grows with every channel and every tap that falls on a sample. "state-space"
        computes the same sum to a tolerance (1e-6, or ``nestlfp.StateSpace(tolerance=...)``) with
        far fewer operations; so does "separable" for hundreds of ports (modes of neurons, nodes of
        a sheet) whose kernels share a few time courses. "auto" takes the one whose step is
        estimated to cost least (see `nestlfp.filters.cost`), and "fir" where no reduced filter
        meets the tolerance; printing the bank shows which and why.
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart. Default: one signal, summed.
    interval : float, optional
        Distance of two samples (ms) of the recorders of this bank. Default: theirs to choose.
    antialias : bool
        Low-pass filter the kernels for `interval`, see `KernelSet.lowpass`: the recorded signal
        is the full-rate one, filtered and decimated. NEST then hands out samples 10 intervals
        late, since they depend on what comes after them; they keep their times.
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
    bound : xarray.Dataset
        The sum over lags of that difference, relative to the channel's peak: what the error of the
        signal can grow to at most for each spike per step, of any population.

    Raises
    ------
    KernelError
        If these are no kernels, or an option is not what it should be.
    ToleranceError
        If the method is "state-space" or "separable" and no filter of a sensible size meets the
        tolerance.

    Examples
    --------
    >>> import nestlfp, numpy as np
    >>> kernels = nestlfp.KernelSet.from_arrays(
    ...     {"LFP": np.ones((1, 1, 1, 5))}, pre="E", post="E", dt=0.1, units={"LFP": "mV"}
    ... )
    >>> nestlfp.FilterBank(kernels).filter.n_outputs
    1
    """

    def __init__(
        self,
        kernels: KernelSet | NeuronKernels,
        *,
        method: str | Method = "fir",
        by: str | Iterable[str] = (),
        interval: float | None = None,
        antialias: bool = False,
        once: Once = here,
    ) -> None:
        modes = modes_of(kernels)
        neurons = as_neurons(kernels)
        self.options = options = Options.of(method, by=by, interval=interval, antialias=antialias)
        self.every = options.every(modes.dt)  # before anything that takes long
        if options.antialias and options.interval is not None:
            modes = modes.lowpass(options.interval)
        self.kernels = modes
        self.neurons = NeuronKernels(modes, neurons.populations, neurons.weights)
        coefficients = Coefficients(modes, options.by)
        self.filter = options.method.design(coefficients, self.every, once)

    @property
    def model(self) -> Model:
        """The NEST model that computes it, of the smallest size that does."""
        return model_for(self.filter.method, capacity(len(self.ports)))

    def create_nodes(
        self,
        sim: Simulator,
        model: Model,
        n: int,
        hold: Ints,
        every: int,
        until: int,
        detector: Detector | None = None,
    ) -> Any:
        """`n` nodes of a model, see `Filter.parameters`; collective under MPI.

        With a `detector` they emit a spike when the bank's one channel crosses its threshold.
        """
        head = RECORDING
        if detector is not None:
            (scale,) = self.filter.expand(np.ones((1, 1))).ravel()
            head = detector.parameters(float(scale))
        parameters = self.filter.parameters(model.ports, hold, every, until) | head
        return create_nodes(sim, model, n, parameters, self.filter.grows)

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
        return {
            "kernels": self.kernels.fingerprint,
            "method": self.filter.method,
            "method_options": repr(self.filter.options),
        }

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

    def _with_modes(self, name: str) -> str:
        n = len(self.neurons.populations[name])
        return name if n == 1 else f"{name} ({n} modes)"

    def _facts(self) -> list[tuple[str, str]]:
        """What it is, for a person."""
        coefficients = self.filter.coefficients
        return [
            ("populations", in_short([self._with_modes(name) for name in self.populations])),
            (
                "channels",
                f"{coefficients.n_channels} of {', '.join(self.kernels.signals)}"
                + (f", apart by {', '.join(self.options.by)}" if self.options.by else ""),
            ),
            ("taps", f"{coefficients.shape[2]} of {self.kernels.dt:g} ms"),
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
        ]

    def __repr__(self) -> str:
        return "\n".join(
            [f"FilterBank: {self._method()}"]
            + [f"  {what}: {value}" for what, value in self._facts()]
        )

    def _method(self) -> str:
        choice = self.filter.choice
        chosen = f", chosen by 'auto': {choice}" if choice else ""
        return f"method {self.filter.method!r}{chosen}"

    def _repr_html_(self) -> str:
        errors = [
            (
                name,
                array.shape[2],
                array.attrs["units"],
                f"{float(self.error[name].max()):.2g}",
                f"{float(self.bound[name].max()):.2g}",
            )
            for name, array in self.kernels.stored.data_vars.items()
        ]
        head = ["signal", "channels", "unit", "error", "bound for a spike in every step"]
        return card(
            "FilterBank",
            [("method", self._method().removeprefix("method ")), *self._facts()],
            table("signals, and the largest error of a channel", head, errors),
        )
