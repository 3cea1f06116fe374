"""simulate: nest.Simulate with a progress bar, and the same spikes."""

from __future__ import annotations

import numpy as np

from .bank import import_nest
from .errors import NetworkError
from .kernels import steps

_PIECES = 200  # how often, at most, a progress bar moves


def pieces(start: int, stop: int, min_delay: int, length: int) -> list[int]:
    """Lengths, in steps, of runs from start to stop that are cut at multiples of min_delay.

    NEST draws random numbers slice by slice, and slices start at multiples of min_delay from
    time 0: a cut anywhere else makes another realization of the network.
    """
    stride = max(1, round(length / min_delay)) * min_delay
    cuts = np.arange((start // stride + 1) * stride, stop, stride)
    return np.diff(np.concatenate([[start], cuts, [stop]])).astype(int).tolist()


def simulate(t: float, *, progress: bool = True) -> None:
    """Simulate the network, like ``nest.Simulate(t)``, with a progress bar.

    Parameters
    ----------
    t : float
        Time to simulate (ms), a multiple of the resolution.
    progress : bool
        Show a progress bar with simulated time and real-time factor.

    Raises
    ------
    NetworkError
        If `t` is not a positive multiple of the resolution.

    Notes
    -----
    The simulation runs in pieces that end at multiples of the network's min_delay, so that the
    spikes are those of a single ``nest.Simulate(t)``.
    """
    from tqdm import tqdm

    nest = import_nest()
    dt = float(nest.resolution)
    try:
        n = int(steps(t, dt, "t"))
    except (ValueError, TypeError):
        n = -1
    if n < 0:
        raise NetworkError(
            f"t must be a positive multiple of the resolution of {dt:g} ms, found {t!r}"
        )
    start = round(nest.biological_time / dt)
    bar = tqdm(
        total=n * dt,
        unit="ms",
        disable=None if progress else True,
        bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} ms [{elapsed}<{remaining}{postfix}]",
    )
    with bar, nest.RunManager():
        min_delay = round(nest.min_delay / dt)
        for piece in pieces(start, start + n, min_delay, -(-n // _PIECES)):
            nest.Run(piece * dt)
            bar.update(piece * dt)
            if not bar.disable:
                factor = bar.format_dict["elapsed"] * 1000 / bar.n
                bar.set_postfix_str(f"real-time factor {factor:.3g}", refresh=False)
