"""The exact filter: what it hands out is the user's."""

import nestlfp
from networks import exponential_kernels, installed, replayed, reset


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
