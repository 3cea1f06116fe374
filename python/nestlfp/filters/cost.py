"""What a step of a filter node costs: the model by which ``method="auto"`` chooses.

The constants were fitted to the measurements of benchmarks/cost.py on one core of an AMD EPYC
(Zen 4) at 2.6 GHz, NEST 3.10 from PyPI, g++ 12 with -O3: see docs/filters.md. Another machine
shifts both methods alike, so that the choice stays right where the estimate is off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

NODE = 0.02
"""Any node in a step, whatever it computes (µs)."""
PORT = 0.004
"""A spike port, spike or not (µs)."""
SPIKE = 0.02
"""A spike on its way, and what a population costs that has one to add (µs)."""
TAP = 3.3e-4
"""A channel of a tap of the FIR filter: one multiply-add (µs)."""
OSCILLATOR = 1.5e-3
"""An oscillator's step: four multiply-adds (µs)."""
KICK = 4e-4
"""An oscillator driven by a spike, and rid of its tail (µs)."""
MOVE = 2e-4
"""A multiply-add of a state of one channel of the separable filter (µs); benchmarks/ports.py."""
WEIGHT = 2e-4
"""A channel of a course that a spike adds to its drives (µs); the same."""
OUTPUT = 2e-4
"""An oscillator read out into one latent: two multiply-adds (µs)."""


def fir_microseconds(lengths: ArrayLike, channels: int) -> float:
    """A step of the FIR node with a spike of every population (µs).

    Parameters
    ----------
    lengths : array of int, shape (pre,)
        Taps of each population.
    channels : int
        Channels of all signals.
    """
    taps = np.asarray(lengths)
    return float(NODE + (PORT + SPIKE) * taps.size + TAP * channels * taps.sum())


def state_space_microseconds(
    populations: int, oscillators: int, kicked: int, latents: int, every: int
) -> float:
    """A step of the state-space node with a spike of every population (µs).

    Parameters
    ----------
    populations, oscillators : int
        Their numbers.
    kicked : int
        Oscillators driven by a population, summed over populations.
    latents : int
        Their number.
    every : int
        Steps from one sample to the next.
    """
    step = OSCILLATOR * oscillators + KICK * kicked
    read = OUTPUT * oscillators * latents / every
    return NODE + (PORT + SPIKE) * populations + step + read


def separable_microseconds(
    populations: int, channels: int, courses: int, moves: int, kicks: int, states: int, every: int
) -> float:
    """A step of the separable node with a spike of every population (µs).

    Parameters
    ----------
    populations, channels, courses : int
        Their numbers.
    moves : int
        Multiply-adds by which a channel's states make a step.
    kicks : int
        Entries of input and tail that are used.
    states : int
        Number of a channel's states.
    every : int
        Steps from one sample to the next.
    """
    of_channel = MOVE * (moves + kicks + states / every) + WEIGHT * populations * courses
    return float(NODE + (PORT + SPIKE) * populations + channels * of_channel)
