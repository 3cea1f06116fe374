"""Unitary LFPs (Teleńczuk et al. 2020): a kernel whose size and delay differ between neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._types import Floats, Ints
from ...errors import KernelError
from ...extras import require
from ...geometry import cells, check_together, contact_labels, positions
from ...kernels import KernelSet, NeuronKernels
from ...kernels.checks import positive, positive_ms
from .._provenance import package_version
from .checks import EXTRA, check_part, check_roles, delay_ms, direction


def telenczuk(
    contacts: Any,
    *,
    dt: float,
    excitatory: Mapping[str, ArrayLike] | None = None,
    inhibitory: Mapping[str, ArrayLike] | None = None,
    orientation: ArrayLike = (0.0, 0.0, 1.0),
    post: str = "all",
    parameters: Mapping[str, Any] | None = None,
    left_out: float = 1e-4,
    rates: Mapping[str, ArrayLike] | None = None,
    tail: float = 1e-7,
    channels: Sequence[Any] | None = None,
) -> NeuronKernels:
    """Unitary LFPs of Teleńczuk et al. (2020): a kernel per type of neuron, scaled and delayed.

    A spike of neuron i gives, at contact r, ``A exp(-|r - x_i| / lambda)
    exp(-(t - d - |r - x_i| / v)^2 / (2 sigma^2))``, where A depends on the type of the neuron and
    on the height of the contact above its soma, and sigma on its type. Amplitudes and delays go
    over smoothly from neuron to neuron, so that few modes make the kernels of all.

    Parameters
    ----------
    contacts : array, shape (n, 3), or probeinterface.Probe
        Contact positions (µm).
    dt : float
        Distance of lags (ms): NEST's resolution.
    excitatory, inhibitory : dict of str to array, shape (neuron, 3)
        Populations and the positions of their neurons (µm), in the order of their node ids.
    orientation : array, shape (3,)
        Up, from the soma to the apical dendrite.
    post : str
        Label of the postsynaptic side, which the unitary LFP does not resolve.
    parameters : dict, optional
        Like ``tklfp.params2020``, which is the default.
    left_out : float
        The largest share of any contact's variance that the modes may leave out, if neurons spike
        independently of each other.
    rates : dict of str to float or array of shape (neuron,), optional
        How often neurons spike (spikes/s), of all populations. Default: all alike.
    tail : float
        The kernels end where the Gaussian falls below this part of its peak.
    channels : sequence, optional
        Label of each contact. Default: the probe's contact ids, or 0, 1, ...

    Returns
    -------
    NeuronKernels
        Signal "LFP" in µV, of neurons in the order of their positions.

    Raises
    ------
    KernelError
        If there are no neurons, or positions are of the wrong shape or not in µm.
    MissingExtraError
        If ``tklfp`` is not installed.

    Notes
    -----
    Teleńczuk, Teleńczuk and Destexhe (2020), J Neurosci Methods 344:108871. The delay
    ``d + |r - x_i| / v`` is rounded to the grid. The Gaussian also reaches a little back before
    the spike: with a `tail` of 1e-7 from -7.5 ms on, so that a recorder's signal ends that much
    before the time simulated.

    Examples
    --------
    >>> kernels = nestlfp.sources.proxies.telenczuk(  # doctest: +SKIP
    ...     probe, dt=0.1, excitatory={"E": xyz_E}, inhibitory={"I": xyz_I}
    ... )
    >>> recorder = nestlfp.FieldRecorder(kernels, {"E": E, "I": I})  # doctest: +SKIP
    """
    positive_ms(dt, "dt")
    where, up = positions(contacts, "the contacts"), direction(orientation)
    check_part(tail, "tail")
    check_part(left_out, "left_out")
    excitatory, inhibitory = excitatory or {}, inhibitory or {}
    check_roles(excitatory, inhibitory)
    neurons = {
        name: cells(given, f"the neurons of {name!r}")
        for name, given in {**excitatory, **inhibitory}.items()
    }
    check_together(contacts=where, neurons=np.concatenate(list(neurons.values())))
    tklfp = require("tklfp", EXTRA)
    values = dict(tklfp.params2020 if parameters is None else parameters)
    _check_parameters(values)
    if channels is None:
        channels = contact_labels(contacts) or range(len(where))
    labels = tuple(channels)
    if len(labels) != len(where):
        raise KernelError(f"there are {len(where)} contacts but {len(labels)} channels")

    sigma = {name: values["sig_e_ms" if name in excitatory else "sig_i_ms"] for name in neurons}
    reach = int(np.ceil(np.sqrt(2 * np.log(1 / tail)) * max(sigma.values()) / dt))
    since = np.arange(-reach, reach + 1) * dt
    gaussians = {name: np.exp(-(since**2) / (2 * sigma[name] ** 2)) for name in neurons}
    amplitudes, steps = {}, {}
    for name, somata in neurons.items():
        offset = somata[:, np.newaxis] - where  # (neuron, contact, 3)
        distance = np.linalg.norm(offset, axis=-1)
        profile = values["exc_A0_by_depth" if name in excitatory else "inh_A0_by_depth"]
        amplitudes[name] = profile(-offset @ up / 1e3) * np.exp(
            -distance / 1e3 / values["lambda_mm"]
        )
        delay = values["d_ms"] + distance / 1e3 / values["va_m_s"]  # mm / (m/s) = ms
        steps[name] = np.rint(delay / dt).astype(np.int64)
    earliest = min(int(found.min()) for found in steps.values())
    coefficients, functions = _in_functions(
        {name: np.where(each < tail, 0.0, each) for name, each in gaussians.items()},
        amplitudes,
        {name: found - earliest for name, found in steps.items()},
    )
    layout: dict[str, Any] = dict(
        dt=dt, units={"LFP": "µV"}, channels={"LFP": labels}, positions={"LFP": where}
    )
    found = NeuronKernels.from_arrays(
        {name: {"LFP": each} for name, each in coefficients.items()},
        left_out=left_out,
        rates=rates,
        post=post,
        provenance={
            "tool": "tklfp",
            "version": package_version("tklfp"),
            "model": "unitary LFP (Teleńczuk et al. 2020)",
        },
        **layout,
    )

    def in_lags(kernels: KernelSet) -> KernelSet:
        return KernelSet.from_arrays(
            {"LFP": kernels["LFP"].values @ functions},
            pre=kernels.pre,
            post=kernels.post,
            first_lag=(earliest - reach) * dt,
            provenance=kernels.provenance,
            **layout,
        )

    return NeuronKernels(
        in_lags(found.modes),
        found.populations,
        found.weights,
        energy=found.energy,
        means=None if found.means is None else in_lags(KernelSet(found.means)).dataset,
    )


def _in_functions(
    courses: Mapping[str, Floats], amplitudes: Mapping[str, Floats], steps: Mapping[str, Ints]
) -> tuple[dict[str, Floats], Floats]:
    """Delayed time courses as sums of a few functions of the lag, which make all delays.

    The functions are orthonormal, so that what is left out of coefficients is what is left out of
    kernels.

    Parameters
    ----------
    courses : dict of str to array, shape (lag,)
        Of each population, all of one length.
    amplitudes, steps : dict of str to array, shape (neuron, contact)
        Factor of the course, and by how many steps it comes later.

    Returns
    -------
    coefficients : dict of str to array, shape (neuron, contact, function)
    functions : array, shape (function, lag)
    """
    n_lags = len(next(iter(courses.values())))
    span = max(int(found.max()) for found in steps.values()) + 1
    shifted = np.zeros((len(courses), span, n_lags + span - 1))
    for course, out in zip(courses.values(), shifted, strict=True):
        for late in range(span):
            out[late, late : late + n_lags] = course
    left, size, functions = np.linalg.svd(np.concatenate(shifted), full_matrices=False)
    used = size > 1e-12 * size[0]
    of_steps = np.split((left * size)[:, used], len(courses))
    coefficients = {
        name: amplitudes[name][..., np.newaxis] * of_step[steps[name]]
        for name, of_step in zip(courses, of_steps, strict=True)
    }
    return coefficients, functions[used]


def _check_parameters(values: Mapping[str, Any]) -> None:
    names = ("va_m_s", "lambda_mm", "sig_e_ms", "sig_i_ms", "d_ms")
    missing = [n for n in (*names, "exc_A0_by_depth", "inh_A0_by_depth") if n not in values]
    if missing:
        raise KernelError(f"parameters lacks {missing}; tklfp.params2020 shows what is needed")
    for name in names[:-1]:
        positive(values[name], f"parameters[{name!r}]")
    delay_ms(values["d_ms"], "parameters['d_ms']")
