"""Checks for those who write sources of kernels, filters or networks of their own.

They raise an `AssertionError` that says what differs, so that they serve in a test as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ._types import Floats
from .grid import GRID_TOLERANCE
from .kernels import KernelSet
from .runtime.install import install
from .runtime.recorder import FieldRecorder
from .runtime.simulate import simulate
from .simulator import Simulator

Build = Callable[[], tuple[Mapping[str, Any], Any]]


def convolved(
    kernels: KernelSet, signal: str, spike_times: Mapping[str, ArrayLike], n_steps: int
) -> Floats:
    """The signal by `numpy.convolve`, channel by channel: slow, and plain to see.

    Parameters
    ----------
    kernels : KernelSet
        Kernels; their postsynaptic populations are added up.
    signal : str
        Which of its signals.
    spike_times : dict of str to array
        Spike times (ms) of each presynaptic population; those left out are silent.
    n_steps : int
        Length of the signal in steps of ``kernels.dt``.

    Returns
    -------
    ndarray, shape (channel, n_steps)
        At the times dt, 2 dt, ...

    Examples
    --------
    >>> import nestlfp, nestlfp.testing
    >>> kernels = nestlfp.KernelSet.from_arrays(
    ...     {"LFP": [[[[3.0, 2.0, 1.0]]]]}, pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"}
    ... )
    >>> nestlfp.testing.convolved(kernels, "LFP", {"E": [0.1, 0.2]}, 6)
    array([[0., 3., 5., 3., 1., 0.]])
    """
    h = kernels[signal].values.sum(axis=0)  # (pre, channel, lag)
    first = kernels.first_lag_steps
    out = np.zeros((h.shape[1], n_steps + 1))
    for p, name in enumerate(kernels.pre):
        # Precise spikes are in the step at whose end they are.
        exact = np.asarray(spike_times.get(name, ())) / kernels.dt
        at = np.ceil(exact - GRID_TOLERANCE).astype(int)
        counts = np.bincount(at[at <= n_steps], minlength=n_steps + 1).astype(float)
        for c in range(h.shape[1]):
            full = np.convolve(counts, h[p, c])
            step = np.arange(full.size) + first  # of each of its values
            inside = (step >= 0) & (step <= n_steps)
            out[c, step[inside]] += full[inside]
    return out[:, 1:]


def assert_convolution(
    signals: xr.Dataset,
    kernels: KernelSet,
    spike_times: Mapping[str, ArrayLike],
    *,
    rtol: float = 1e-12,
) -> None:
    """Every sample is the plain convolution of kernels and spikes at its time.

    Parameters
    ----------
    signals : xarray.Dataset
        What a recorder returned, added up over populations.
    kernels : KernelSet
        Its kernels.
    spike_times : dict of str to array
        All spikes of each population (ms).
    rtol : float
        Largest difference, relative to the largest value of the signal.
    """
    at = np.rint(signals["time"].values / kernels.dt).astype(int)
    assert at.size > 0, "there are no samples"
    np.testing.assert_allclose(signals["time"].values, at * kernels.dt, rtol=1e-12)
    for name in kernels.signals:
        expected = convolved(kernels, name, spike_times, int(at.max()))
        difference = np.abs(signals[name].values - expected[:, at - 1]).max()
        largest = max(float(np.abs(expected).max()), np.finfo(float).tiny)
        assert difference <= rtol * largest, (
            f"{name} differs from the convolution of its spikes by {difference / largest:.3g} of "
            f"its largest value, more than {rtol:g}"
        )


def assert_undisturbed(
    build: Build,
    kernels: KernelSet,
    duration: float,
    *,
    threads: Sequence[int] = (1, 2),
    rtol: float = 1e-12,
    **options: Any,
) -> None:
    """The network spikes as it does alone, and what is recorded is the convolution of its spikes.

    Parameters
    ----------
    build : callable
        Creates and connects the network in an empty NEST, and returns its populations (a dict of
        NodeCollections) and a spike_recorder of all their neurons.
    kernels : KernelSet
        What to record with; NEST takes its resolution from them.
    duration : float
        Time to simulate (ms).
    threads : sequence of int
        Numbers of threads to try.
    rtol : float
        See `assert_convolution`.
    **options
        For `FieldRecorder`, such as ``method="state-space"``.
    """
    sim = Simulator()

    def run(n: int, with_recorder: bool) -> tuple[Any, dict[str, Floats], xr.Dataset | None]:
        tics = 1000 if float(1000 * kernels.dt).is_integer() else 16000
        sim.reset(tics_per_ms=tics, resolution=kernels.dt, local_num_threads=n, rng_seed=1)
        recorder = None
        if with_recorder:
            install(kernels, method=options.get("method"))
        populations, spike_recorder = build()
        if with_recorder:
            recorder = FieldRecorder(kernels, populations, interval=kernels.dt, **options)
            simulate(duration, progress=False)
        else:
            sim.simulate(duration)
        times, senders = (np.asarray(spike_recorder.events[key]) for key in ("times", "senders"))
        order = np.lexsort((senders, times))
        by_population = {
            name: times[np.isin(senders, nodes.tolist())]
            for name, nodes in populations.items()
            if nodes is not None and len(nodes)
        }
        facts = (*sim.delays_here, times[order].tolist(), senders[order].tolist())
        return facts, by_population, recorder.signals() if recorder else None

    for n in threads:
        alone, _, _ = run(n, with_recorder=False)
        recorded, spikes, signals = run(n, with_recorder=True)
        assert recorded[:2] == alone[:2], (
            f"with {n} threads, min_delay and max_delay are {recorded[:2]} ms with the recorder "
            f"and {alone[:2]} ms without"
        )
        assert recorded[2:] == alone[2:], f"with {n} threads, the recorder changes the spikes"
        assert signals is not None
        assert_convolution(signals, kernels, spikes, rtol=rtol)
