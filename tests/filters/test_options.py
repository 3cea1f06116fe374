"""Options as values: what goes together, and what an interval means for the choice."""

import pytest

import nestlfp
from nestlfp.filters.options import Options, method_named
from networks import bank_of, exponential_kernels


def test_names_and_values_say_the_same():
    assert Options.of("fir") == Options() == Options.of(nestlfp.FIR())
    assert method_named("state-space", tolerance=1e-3) == nestlfp.StateSpace(1e-3)
    assert method_named("separable", tolerance=1e-3) == nestlfp.Separable(1e-3)
    assert method_named("auto", exact_channels=True) == nestlfp.Auto(exact_channels=True)
    assert method_named("state-space", tolerance=None) == nestlfp.StateSpace()
    assert Options.of(by="pre").by == ("pre",)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "magic"}, "method must be one of"),
        ({"method": 3}, "method must be one of"),
        ({"method": "fir", "tolerance": 1e-3}, "has no option tolerance: .*its options: none"),
        ({"method": "fir", "exact_channels": True}, "has no option exact_channels"),
        ({"method": "separable", "exact_channels": True}, "has no option exact_channels"),
        ({"method": "separable", "tolerance": 2.0}, "between 0 and 1, found 2.0"),
        ({"method": nestlfp.StateSpace(), "tolerance": 1e-3}, "say it there instead"),
        ({"method": nestlfp.Separable(), "tolerance": 1e-3}, "say it there instead"),
        ({"method": "auto", "tolerance": 0.0}, "tolerance must lie between 0 and 1, found 0.0"),
        ({"method": "auto", "tolerance": "small"}, "found 'small'"),
        ({"by": "glia"}, "by must be 'pre', 'post' or both"),
        ({"antialias": True}, "needs to know the interval"),
    ],
)
def test_what_does_not_go_together_is_refused(given, words):
    with pytest.raises(nestlfp.KernelError, match=words):
        bank_of(exponential_kernels(), **given)


def test_the_choice_depends_on_how_often_samples_are_taken():
    """The exact filter adds taps that fall on a sample; a reduced one moves on in every step."""
    kernels = exponential_kernels(lengths=(300, 300), channels=5)
    chosen = {every: bank_of(kernels, "auto", interval=every * kernels.dt) for every in (1, 1000)}
    assert [bank.every for bank in chosen.values()] == [1, 1000]
    assert [bank.filter.method for bank in chosen.values()] == ["state-space", "fir"]
