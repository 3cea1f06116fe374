"""Crossings of a threshold: the rule, against one written differently."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nestlfp.nodes.detector import DIRECTIONS, Detector


@given(
    st.lists(st.integers(-4, 4), max_size=60),
    st.sampled_from(sorted(DIRECTIONS)),
    st.integers(-3, 3),
    st.integers(0, 3),
    st.integers(0, 8),
)
def test_crossings(values, direction, threshold, hysteresis, refractory):
    found = Detector(threshold, direction, refractory, hysteresis).crossings(values)
    low, high = {
        "rising": (threshold - hysteresis, threshold),
        "falling": (threshold, threshold + hysteresis),
        "both": (threshold - hysteresis / 2, threshold + hysteresis / 2),
    }[direction]
    # The state at each step is what the latest sample outside the two levels says.
    states = [threshold <= 0]
    for i in range(len(values)):
        outside = [v for v in values[: i + 1] if v >= high or v < low]
        states.append(outside[-1] >= high if outside else states[0])
    ups = {i for i in range(len(values)) if states[i + 1] and not states[i]}
    downs = {i for i in range(len(values)) if states[i] and not states[i + 1]}
    wanted = sorted({"rising": ups, "falling": downs, "both": ups | downs}[direction])
    kept = []
    for i in wanted:
        if not kept or i - kept[-1] >= refractory:
            kept.append(i)
    assert found.tolist() == kept


def test_no_values():
    assert Detector(1.0).crossings(np.zeros(0)).size == 0
