"""The exact filter: what it hands out is the user's."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nestlfp
from networks import (
    assert_signal_is_convolution,
    exponential_kernels,
    installed,
    replayed,
    reset,
)


def test_signals_can_be_changed_without_changing_the_recorder(nest):
    reset(nest)
    bank = installed(exponential_kernels())
    parrots = replayed(nest, [[1.0, 4.0]])
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots, "I": None}, interval=0.1)
    nest.Simulate(20.0)
    first = recorder.signals()
    before = first["LFP"].copy()
    first["LFP"] *= 1000  # mV to µV
    assert recorder.signals()["LFP"].equals(before)
    assert abs(before).max() > 0


@st.composite
def recordings(draw):
    """Kernels, intervals (steps) of two recorders, when they are made, and spikes."""
    n = draw(st.integers(1, 3))
    leads = [draw(st.integers(-20, 60)) for _ in range(n)]
    lengths = [draw(st.integers(1, 90)) for _ in range(n)]
    every = draw(st.sampled_from([2, 3, 7, 10, 16, 25, 100, 300]))
    start = draw(st.integers(0, 120))
    trains = [draw(st.lists(st.integers(140, 900), unique=True, max_size=8)) for _ in range(n)]
    return leads, lengths, every, start, trains


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(recordings(), st.sampled_from([(), ("pre",)]), st.integers(1, 2))
@pytest.mark.filterwarnings("ignore:samples every")
def test_a_sample_is_the_same_however_many_are_between(nest, recording, by, threads):
    """Each sample is the convolution, and equals that of a recorder of all steps to the bit."""
    leads, lengths, every, start, trains = recording
    names = [f"P{i}" for i in range(len(leads))]
    kernels = exponential_kernels(leads, lengths, channels=3, pre=names, post=["Y"])
    reset(nest, threads=threads)
    bank = installed(kernels, by=by)
    # Connections of 0.5 to 2 ms: what starts later is held back by the node, by other steps each.
    others = nest.Create("parrot_neuron", 2)
    for delay in (0.5, 2.0):
        nest.Connect(others[0], others[1], syn_spec={"delay": delay})
    populations = {
        name: replayed(nest, [[round(t / 10 - 1.0, 1) for t in sorted(train)]])
        for name, train in zip(names, trains, strict=True)
    }
    if start:
        nest.Simulate(start / 10)
    interval = every / 10
    seldom = nestlfp.FieldRecorder(bank, populations, interval=interval)
    always = nestlfp.FieldRecorder(bank, populations, interval=0.1)
    nest.Simulate((1200 - start) / 10)
    few, all_ = seldom.signals(), always.signals()
    assert few.sizes["time"] >= (1200 - start) // every - 40 // every - 2
    same = all_["LFP"].sel(time=few.time, method="nearest").assign_coords(time=few.time)
    assert few["LFP"].equals(same)
    spikes = {name: np.array(train) / 10 for name, train in zip(names, trains, strict=True)}
    assert_signal_is_convolution(few.sum("pre") if by else few, kernels, spikes, 120.0)
