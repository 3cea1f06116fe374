"""Kernels: the response of each signal to one spike of each presynaptic population.

A `KernelSet` is a thin face on an `xarray.Dataset`. Each signal ("LFP", "CDM", ...) is one
array with the dimensions ``(post, pre, <signal>_channel, lag)``; units are attributes, contact
positions are coordinates along the channel dimension, lags are in ms. On disk it is a
netCDF-4 file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator, make_interp_spline
from scipy.signal import firwin, oaconvolve

from ..errors import KernelError
from ..grid import GRID_TOLERANCE, steps
from . import files

AXES = ("x", "y", "z")


def check_name(name: Any, what: str) -> str:
    """`name` if it can serve as a label, else a `KernelError`.

    Names are data and never become code, so that anything printable will do; what cannot be
    printed on one line would only hide mistakes.
    """
    if not isinstance(name, str):
        raise KernelError(f"a name of {what} must be a str, found {name!r}")
    if not name.strip() or not name.isprintable():
        raise KernelError(f"the name of {what} must be printable text on one line, found {name!r}")
    return name


def _check_signal_name(name: Any) -> str:
    """Signals become variables of a netCDF file, whose names are restricted."""
    if not (isinstance(name, str) and name.isascii() and name.isidentifier()):
        raise KernelError(
            "the name of a signal must be made of letters, digits and underscores, such as "
            f"'LFP' or 'EEG_scalp', found {name!r}"
        )
    return name


def _unique(names: Sequence[Any], what: str) -> None:
    repeated = sorted({str(n) for n in names if list(names).count(n) > 1})
    if repeated:
        raise KernelError(f"{what} must differ from each other, found twice: {repeated}")


def channel_dim(signal: str) -> str:
    """Name of a signal's channel dimension, for example ``LFP_channel``."""
    return f"{signal}_channel"


class KernelSet:
    """Labelled spike-signal kernels of a network.

    Parameters
    ----------
    dataset : xarray.Dataset
        One variable per signal with dimensions ``(post, pre, <signal>_channel, lag)`` and an
        attribute ``units``; coordinate ``lag`` in ms with attribute ``dt_ms``. Use `from_arrays`
        or `from_lfpykernels` to make one from plain arrays.

    Raises
    ------
    KernelError
        If dimensions, names or lags disagree, or if kernels are not finite or all zero.

    Notes
    -----
    The kernel :math:`H_{YX}(r, \\tau)` is the signal at channel r and lag tau after one spike
    of presynaptic population X, through all cells of postsynaptic population Y (Hagen et al.
    2022, PLoS Comput Biol 18(8): e1010353, Eq. 1).

    Examples
    --------
    >>> import numpy as np, nestlfp
    >>> lags = np.arange(1, 101) * 0.1
    >>> alpha = lags / 2 * np.exp(1 - lags / 2)
    >>> kernels = nestlfp.KernelSet.from_arrays(
    ...     {"LFP": alpha.reshape(1, 1, 1, -1) * 1e-6},
    ...     pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"},
    ... )
    >>> kernels.signals
    ('LFP',)
    >>> signals = kernels.convolve({"E": [1.0]}, duration=5.0)
    >>> round(signals["LFP"].sel(time=3.0).item(), 12)
    1e-06
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = _validated(dataset)

    # ------------------------------------------------------------------ making one
    @classmethod
    def from_arrays(
        cls,
        signals: Mapping[str, ArrayLike],
        *,
        pre: Sequence[str],
        post: Sequence[str],
        dt: float,
        units: Mapping[str, str],
        first_lag: float | None = None,
        channels: Mapping[str, Sequence[Any]] | None = None,
        positions: Mapping[str, ArrayLike] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> KernelSet:
        """Kernels from plain arrays.

        Parameters
        ----------
        signals : dict of str to array, shape (post, pre, channel, lag)
            Kernels of each signal; all with the same number of lags.
        pre, post : sequence of str
            Names of the presynaptic and postsynaptic populations.
        dt : float
            Distance of two lags (ms).
        units : dict of str to str
            Unit of each signal, such as ``"mV"`` or ``"nA µm"``.
        first_lag : float, optional
            Lag of the first sample (ms), a multiple of `dt`. Default: `dt`, as in LFPykernels.
        channels : dict of str to sequence, optional
            Labels of the channels of a signal. Default: 0, 1, 2, ...
        positions : dict of str to array, shape (channel, 3), optional
            Contact positions (µm).
        provenance : dict, optional
            What made the kernels: JSON-compatible values, kept with the file.
        """
        dt = float(dt)
        if not (np.isfinite(dt) and dt > 0):
            raise KernelError(f"dt must be a positive number of ms, found {dt!r}")
        channels, positions = channels or {}, positions or {}
        for what, names in (("units", units), ("channels", channels), ("positions", positions)):
            unknown = sorted(set(map(str, names)) - set(map(str, signals)))
            if unknown:
                raise KernelError(f"{what} given for unknown signals {unknown}")
        first = int(steps(dt if first_lag is None else first_lag, dt, "first_lag", KernelError))

        dataset = xr.Dataset(attrs={"provenance": json.dumps(dict(provenance or {}))})
        lengths = set()
        for name, values in signals.items():
            _check_signal_name(name)
            if name not in units:
                raise KernelError(f"signal {name!r} has no unit: add it to units={{...}}")
            array = np.array(values, dtype=float)
            if array.ndim != 4 or array.shape[:2] != (len(post), len(pre)):
                raise KernelError(
                    f"signal {name!r} must have shape (post, pre, channel, lag) = "
                    f"({len(post)}, {len(pre)}, ..., ...), found {array.shape}"
                )
            lengths.add(array.shape[-1])
            if len(lengths) > 1:
                raise KernelError(f"all signals must have the same lags, found {sorted(lengths)}")
            dim = channel_dim(name)
            dataset[name] = (("post", "pre", dim, "lag"), array, {"units": units[name]})
            labels = list(channels.get(name, range(array.shape[2])))
            if len(labels) != array.shape[2]:
                raise KernelError(
                    f"signal {name!r} has {array.shape[2]} channels but {len(labels)} labels"
                )
            dataset = dataset.assign_coords({dim: np.asarray(labels)})
            if name in positions:
                dataset = dataset.assign_coords(_position_coords(name, positions[name], array))
        if not dataset.data_vars:
            raise KernelError("no signals given")
        count = lengths.pop()
        lag = ("lag", (first + np.arange(count)) * dt, {"units": "ms", "dt_ms": dt})
        return cls(dataset.assign_coords(pre=list(pre), post=list(post), lag=lag))

    @classmethod
    def from_lfpykernels(
        cls, H_YX: Mapping[str, Mapping[str, ArrayLike]], **options: Any
    ) -> KernelSet:
        """Kernels from the dictionary that users of LFPykernels have.

        See `nestlfp.sources.lfpykernels.from_dictionary` for the parameters.
        """
        from ..sources.lfpykernels import from_dictionary

        return from_dictionary(H_YX, **options)

    # ------------------------------------------------------------------ what is in it
    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals."""
        return tuple(str(name) for name in self.dataset.data_vars)

    @property
    def pre(self) -> tuple[str, ...]:
        """Names of the presynaptic populations."""
        return tuple(str(name) for name in self.dataset["pre"].values)

    @property
    def post(self) -> tuple[str, ...]:
        """Names of the postsynaptic populations."""
        return tuple(str(name) for name in self.dataset["post"].values)

    @property
    def dt(self) -> float:
        """Distance of two lags (ms)."""
        return float(self.dataset["lag"].attrs["dt_ms"])

    @property
    def first_lag_steps(self) -> int:
        """Lag of the first sample, in steps of `dt`."""
        return int(steps(self.dataset["lag"].values[0], self.dt, "lags", KernelError))

    @property
    def n_lags(self) -> int:
        """Number of lags (taps)."""
        return int(self.dataset.sizes["lag"])

    @cached_property  # every chunk of a stream asks for it
    def fingerprint(self) -> str:
        """Digest of the kernels' values and lags, to tell whether two sets are the same."""
        digest = hashlib.sha256(f"{self.dt!r} {self.first_lag_steps}".encode())
        for name in self.signals:
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.dataset[name].values).tobytes())
        return digest.hexdigest()[:16]

    @property
    def provenance(self) -> dict[str, Any]:
        """What made these kernels."""
        found = json.loads(self.dataset.attrs.get("provenance", "{}"))
        return dict(found)

    def __getitem__(self, signal: str) -> xr.DataArray:
        if signal not in self.signals:
            raise KernelError(f"no signal {signal!r} in this kernel set: it has {self.signals}")
        return self.dataset[signal]

    def __repr__(self) -> str:
        return "\n".join(_description(self))

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>{self.dataset._repr_html_()}"

    # ------------------------------------------------------------------ algebra
    def select(
        self,
        *,
        signals: Iterable[str] | None = None,
        pre: Iterable[str] | None = None,
        post: Iterable[str] | None = None,
    ) -> KernelSet:
        """The part of the set with these signals and populations.

        Raises
        ------
        KernelError
            If a name is not in the set.
        """
        wanted: dict[str, list[str]] = {}
        for what, names, known in (
            ("signals", signals, self.signals),
            ("pre", pre, self.pre),
            ("post", post, self.post),
        ):
            wanted[what] = list(known if names is None else names)
            _check_known(wanted[what], known, what)
        part = self.dataset[wanted["signals"]].sel(pre=wanted["pre"], post=wanted["post"])
        return KernelSet(part)

    def scale(self, factors: Mapping[str, float]) -> KernelSet:
        """Kernels with those of each named presynaptic population multiplied by a factor.

        Kernels scale with the synaptic weight of the presynaptic population (Skaar et al. 2020,
        PLoS Comput Biol 16(3): e1007725), so that a network whose weights differ from the
        kernels' needs no new ones.

        Parameters
        ----------
        factors : dict of str to float
            Factor per presynaptic population; populations not named stay as they are.
        """
        _check_known(factors, self.pre, "pre")
        values = np.array([float(factors.get(name, 1.0)) for name in self.pre])
        if not np.all(np.isfinite(values)):
            raise KernelError(f"factors must be finite, found {dict(factors)}")
        with xr.set_options(keep_attrs=True):
            scaled = self.dataset * xr.DataArray(values, dims="pre", coords={"pre": list(self.pre)})
        scaled = scaled.transpose("post", "pre", ..., "lag")
        return KernelSet(scaled.assign_attrs(self.dataset.attrs))

    def resample(self, dt: float, *, method: str = "cubic") -> KernelSet:
        """Kernels at another distance of lags, such as NEST's resolution.

        A kernel is the signal's response to one spike, so that resampling keeps its amplitude.
        Between the lags it is interpolated; before its first lag and after its last it is zero.

        Parameters
        ----------
        dt : float
            New distance of lags (ms).
        method : {"cubic", "pchip", "linear"}
            Interpolation. "pchip" never overshoots where a kernel jumps.
        """
        if not (np.isfinite(dt) and dt > 0):
            raise KernelError(f"dt must be a positive number of ms, found {dt!r}")
        if np.isclose(dt, self.dt, rtol=1e-12, atol=0):
            return self
        first = self.first_lag_steps
        # One lag before the first, where the kernel is zero, anchors the interpolation.
        knots = (first - 1 + np.arange(self.n_lags + 2)) * self.dt
        lowest = np.floor(knots[0] / dt + GRID_TOLERANCE) + 1
        if first >= 0:
            lowest = max(lowest, 0)
        highest = np.floor(knots[-2] / dt + GRID_TOLERANCE)
        new = np.arange(lowest, highest + 1) * dt
        if new.size == 0:
            raise KernelError(
                f"no lag is left at dt = {dt:g} ms: the kernels end at {knots[-2]:g} ms"
            )
        interpolators = {
            "cubic": lambda x, y: CubicSpline(x, y, axis=-1),
            "pchip": lambda x, y: PchipInterpolator(x, y, axis=-1),
            "linear": lambda x, y: make_interp_spline(x, y, k=1, axis=-1),
        }
        if method not in interpolators:
            raise KernelError(f"method must be one of {sorted(interpolators)}, found {method!r}")
        resampled = self.dataset.drop_vars([*self.signals, "lag"])
        for name in self.signals:
            array = self.dataset[name]
            padded = np.pad(array.values, [(0, 0)] * 3 + [(1, 1)])
            if method != "linear":  # the kernel need not reach zero right after its last lag
                padded, x = padded[..., :-1], knots[:-1]
            else:
                x = knots
            resampled[name] = (array.dims, interpolators[method](x, padded)(new), array.attrs)
        lag = ("lag", new, {"units": "ms", "dt_ms": float(dt)})
        return KernelSet(resampled.assign_coords(lag=lag))

    def lowpass(self, interval: float) -> KernelSet:
        """Kernels whose signals can be sampled every `interval` ms without aliasing.

        A signal recorded with them at that interval equals the full-rate signal of these kernels
        after ``scipy.signal.decimate(signal, q, ftype="fir", zero_phase=True)``, with q the
        number of steps in an interval: a linear-phase FIR filter, cut off at the new Nyquist
        frequency. Its delay is compensated: nothing is shifted, and the kernels start 10
        intervals earlier (at negative lags, mostly) and end 10 intervals later.

        Parameters
        ----------
        interval : float
            Distance of two samples (ms), a multiple of `dt`.
        """
        q = int(steps(interval, self.dt, "interval", KernelError))
        if q < 1:
            raise KernelError(f"interval must be at least dt = {self.dt:g} ms, found {interval}")
        if q == 1:
            return self
        reach = 10 * q
        taps = firwin(2 * reach + 1, 1 / q, window="hamming")
        filtered = self.dataset.drop_vars([*self.signals, "lag"])
        for name in self.signals:
            array = self.dataset[name]
            # Not by FFT, whose rounding would leave no kernel's leading zeros zero.
            values = np.apply_along_axis(np.convolve, -1, array.values, taps)
            filtered[name] = (array.dims, values, array.attrs)
        lags = (self.first_lag_steps - reach + np.arange(self.n_lags + 2 * reach)) * self.dt
        lag = ("lag", lags, {"units": "ms", "dt_ms": self.dt})
        return KernelSet(filtered.assign_coords(lag=lag))

    def project(self, model: Any, **options: Any) -> KernelSet:
        """The set with EEG or MEG added, from its dipole moment and a volume conductor.

        See `nestlfp.sources.conductors.project` for the parameters.
        """
        from ..sources.conductors import project

        return project(self, model, **options)

    def convolve(
        self,
        spike_times: Mapping[str, ArrayLike],
        duration: float,
        *,
        by: str | Iterable[str] = (),
    ) -> xr.Dataset:
        """The signal of recorded spikes, offline: the reference for everything online.

        Parameters
        ----------
        spike_times : dict of str to array
            Spike times (ms) of each presynaptic population, all its neurons together, as NEST
            stamps them: multiples of the kernels' `dt`, larger than 0. Populations left out are
            silent; spikes after `duration` are passed over.
        duration : float
            Length of the signal (ms).
        by : {"pre", "post"} or both, optional
            Keep the contributions of these populations apart. Default: summed over both.

        Returns
        -------
        xarray.Dataset
            A variable per signal with dimensions ``([post,] [pre,] <signal>_channel, time)``
            at the times dt, 2 dt, ..., `duration` (ms).

        Notes
        -----
        ``psi(r, t) = sum_X sum_Y sum_lag H_YX(r, lag) nu_X(t - lag)`` with nu_X the number of
        spikes in a step (Hagen et al. 2022, Eq. 1).
        """
        _check_known(spike_times, self.pre, "pre")
        keep = by_dims(by)
        n = int(steps(duration, self.dt, "duration", KernelError))
        if n < 1:
            raise KernelError(f"duration must be at least dt = {self.dt:g} ms, found {duration}")
        counts = np.zeros((len(self.pre), n + 1))
        for i, name in enumerate(self.pre):
            at = steps(
                np.ravel(spike_times.get(name, [])),
                self.dt,
                f"spike times of {name!r}",
                KernelError,
            )
            if np.any(at < 0):
                raise KernelError(f"spike times of {name!r} must not be negative, found {at.min()}")
            counts[i] = np.bincount(at[at <= n], minlength=n + 1)

        first = self.first_lag_steps
        times = np.arange(1, n + 1) * self.dt
        out = self.dataset.drop_vars([*self.signals, "lag"])
        for dim in {"pre", "post"} - set(keep):
            out = out.drop_vars(dim)
        out = out.assign_coords(time=("time", times, {"units": "ms"}))
        for name in self.signals:
            kernel = self.dataset[name]
            if "post" not in keep:
                kernel = kernel.sum("post", keep_attrs=True)
            nu = xr.DataArray(counts, dims=("pre", "lag")).broadcast_like(
                kernel.isel(lag=0, drop=True)
            )
            nu = nu.transpose(*kernel.dims)
            full = oaconvolve(nu.values, kernel.values, axes=-1)
            # full[k] belongs to step k + first; the signal is wanted at steps 1 ... n.
            lo = 1 - first
            values = np.pad(
                full, [(0, 0)] * (full.ndim - 1) + [(max(0, -lo), max(0, n + lo - full.shape[-1]))]
            )
            values = values[..., max(0, lo) : max(0, lo) + n]
            signal = xr.DataArray(values, dims=(*kernel.dims[:-1], "time"), attrs=kernel.attrs)
            out[name] = signal if "pre" in keep else signal.sum("pre", keep_attrs=True)
        return out

    # ------------------------------------------------------------------ file
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a netCDF-4 file (through h5netcdf); an existing file is replaced whole.

        Raises
        ------
        KernelError
            If it cannot be written, or an attribute is nothing that a file can hold.
        """
        files.save(self.dataset, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> KernelSet:
        """Read what `save` wrote.

        Raises
        ------
        KernelError
            If there is no such file, it is damaged, or it is no file of kernels.
        """
        dataset = files.load(path)
        try:
            return cls(dataset)
        except Exception as error:  # of kernels that another program changed
            told = f"{os.fspath(path)!r} cannot be read: {files.brief(error)}"
            raise KernelError(told) from error


# ---------------------------------------------------------------------- helpers
def by_dims(by: str | Iterable[str]) -> tuple[str, ...]:
    """The dimensions that `by` keeps apart, in the order (post, pre)."""
    given = (by,) if isinstance(by, str) else tuple(by)
    if not set(given) <= {"pre", "post"}:
        raise KernelError(f"by must be 'pre', 'post' or both, found {by!r}")
    return tuple(dim for dim in ("post", "pre") if dim in given)


def _check_known(names: Iterable[str], known: Sequence[str], what: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise KernelError(f"{what}: {unknown} not among the kernels' {list(known)}")


def _position_coords(signal: str, positions: ArrayLike, array: NDArray[Any]) -> dict[str, Any]:
    found = np.array(positions, dtype=float)
    if found.shape != (array.shape[2], 3):
        raise KernelError(
            f"positions of signal {signal!r} must have shape (channel, 3) = ({array.shape[2]}, 3) "
            f"in µm, found {found.shape}"
        )
    return {
        f"{signal}_{axis}": (channel_dim(signal), found[:, i], {"units": "µm"})
        for i, axis in enumerate(AXES)
    }


def _validated(dataset: xr.Dataset) -> xr.Dataset:
    missing = {"post", "pre", "lag"} - set(dataset.coords)
    if missing:
        raise KernelError(
            f"kernels need the coordinates post, pre and lag; missing: {sorted(missing)}"
        )
    if not dataset.data_vars:
        raise KernelError("kernels need at least one signal, found none")
    for dim in ("post", "pre"):
        names = [check_name(name, f"a population ({dim})") for name in dataset[dim].values.tolist()]
        if not names:
            raise KernelError(f"kernels need at least one population along {dim!r}")
        _unique(names, f"the populations along {dim!r}")
    _check_lags(dataset["lag"])
    for name, array in dataset.data_vars.items():
        _check_signal_name(name)
        dim = channel_dim(str(name))
        if array.dims != ("post", "pre", dim, "lag"):
            raise KernelError(
                f"signal {name!r} must have dimensions ('post', 'pre', {dim!r}, 'lag'), "
                f"found {array.dims}"
            )
        if array.sizes[dim] == 0:
            raise KernelError(f"signal {name!r} has no channels")
        check_name(array.attrs.get("units"), f"the unit of signal {name!r}")
        for label in dataset[dim].values.tolist():
            check_name(str(label), f"a channel of {name!r}")
        _unique(dataset[dim].values.tolist(), f"the channels of {name!r}")
        bad = np.argwhere(~np.isfinite(array.values))
        if bad.size:
            p, q, c, k = bad[0]
            raise KernelError(
                f"signal {name!r} is not finite: {array.values[p, q, c, k]} at "
                f"{dataset['pre'].values[q]} -> {dataset['post'].values[p]}, channel "
                f"{dataset[dim].values[c]}, lag {dataset['lag'].values[k]:g} ms"
            )
    if not any(np.any(array.values) for array in dataset.data_vars.values()):
        raise KernelError("all kernels are zero: there would be no signal to record")
    return dataset


def _check_lags(lag: xr.DataArray) -> None:
    dt = lag.attrs.get("dt_ms")
    if dt is None or not (np.isfinite(dt) and dt > 0):
        raise KernelError(f"coordinate 'lag' needs a positive attribute 'dt_ms', found {dt!r}")
    if lag.size == 0:
        raise KernelError("kernels need at least one lag")
    at = steps(lag.values, float(dt), "lags", KernelError)
    if np.any(np.diff(at) != 1):
        raise KernelError(f"lags must follow each other at dt = {dt:g} ms without gaps")


def _description(kernels: KernelSet) -> list[str]:
    lag = kernels.dataset["lag"].values
    lines = [
        f"KernelSet: {len(kernels.pre)} presynaptic × {len(kernels.post)} postsynaptic populations,"
        f" {kernels.n_lags} lags {lag[0]:g} … {lag[-1]:g} ms, dt {kernels.dt:g} ms",
        f"  pre:  {', '.join(kernels.pre)}",
        f"  post: {', '.join(kernels.post)}",
    ]
    for name in kernels.signals:
        array = kernels[name]
        y, x, c, k = np.unravel_index(np.argmax(np.abs(array.values)), array.shape)
        label = array[channel_dim(name)].values[c]
        line = (
            f"  {name}: {array.shape[2]} channels, {array.attrs['units']}; peak"
            f" {array.values[y, x, c, k]:.3g} {array.attrs['units']} per spike"
            f" ({kernels.pre[x]} → {kernels.post[y]}, channel {label}, {lag[k]:g} ms)"
        )
        if f"{name}_z" in array.coords:
            z = array[f"{name}_z"].values
            line += f"; z {np.nanmin(z):g} … {np.nanmax(z):g} µm"
        lines.append(line)
    source = kernels.provenance
    if source:
        lines.append(
            f"  from: {source.get('tool', 'unknown')} {source.get('version', '')}".rstrip()
        )
    return lines
