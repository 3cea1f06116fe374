"""A filter is one registration, whose options reach the design, the cache and the provenance."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

import nestlfp
from nestlfp.filters.base import METHODS, Filter
from nestlfp.filters.cache import key
from nestlfp.filters.coefficients import Coefficients
from nestlfp.filters.options import method_named
from nestlfp.nodes.export import description
from nestlfp.nodes.model import node_methods
from networks import assert_signal_is_convolution, exponential_kernels, replayed, reset

OTHER = {"tolerance": 1e-2, "exact_channels": True}
"""Another value than the default's, for each option that there is."""
OPTIONS = [(name, field.name) for name, kind in METHODS.items() for field in fields(kind)]


@pytest.fixture
def leaky(monkeypatch):
    """The toy filter, registered for one test."""
    monkeypatch.setitem(METHODS, "leaky", None)  # taken out again afterwards
    from leaky import Leaky

    METHODS["leaky"] = Leaky
    return Leaky


def plain(parameters):
    return {name: np.asarray(value).tolist() for name, value in parameters.items()}


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_every_option_is_read(hagen, name, option):
    """A new one needs another value in `OTHER`, and has to make another filter with it."""
    default = METHODS[name]()
    changed = replace(default, **{option: OTHER[option]})
    assert changed == method_named(name, **{option: OTHER[option]}) != default
    coefficients = Coefficients(hagen)
    banks = [nestlfp.FilterBank(hagen, method=method) for method in (default, changed)]
    made = [plain(each.filter.parameters(2, np.zeros(2, int), 1, 0)) for each in banks]
    assert made[0] != made[1], f"{name} does not read its option {option}"
    assert banks[0].provenance != banks[1].provenance
    assert key(default, coefficients) != key(changed, coefficients)
    assert getattr(banks[1].filter.options, option) == OTHER[option]


def test_new_options_reach_the_design(monkeypatch):
    """One that the design does not know is an error, and never ignored."""
    for name in ("limited", "coloured"):
        monkeypatch.setitem(METHODS, name, None)  # taken out again afterwards

    @dataclass(frozen=True)
    class Limited(nestlfp.StateSpace, name="limited"):
        max_order: int = 2

    @dataclass(frozen=True)
    class Coloured(nestlfp.StateSpace, name="coloured"):
        colour: str = "blue"

    kernels = exponential_kernels(lengths=(1, 9))
    with pytest.raises(nestlfp.ToleranceError, match="of order 2 or less"):
        nestlfp.FilterBank(kernels, method="limited")
    assert nestlfp.FilterBank(kernels, method=Limited(max_order=8)).filter.realization.order > 2
    with pytest.raises(TypeError, match="colour"):
        nestlfp.FilterBank(kernels, method=Coloured())


def test_values_of_numpy_are_the_same_options():
    assert repr(nestlfp.StateSpace(np.float64(1e-3))) == repr(nestlfp.StateSpace(1e-3))


# ---------------------------------------------------------------------- one from elsewhere
def test_a_filter_from_elsewhere(leaky):
    kernels = exponential_kernels(channels=1, post=("E",))
    bank = nestlfp.FilterBank(kernels, method="leaky")
    assert isinstance(bank.filter, Filter)
    assert "leaky" in node_methods()
    assert bank.provenance["method_options"] == "Leaky(tap=1)"
    assert nestlfp.FilterBank(kernels, method=leaky(tap=3)).model == bank.model
    assert description(bank)["expansion"] is None
    assert bank.model.name.startswith("nestlfp_leaky_p2_")
    with pytest.raises(nestlfp.KernelError, match=r"'leaky' has no option tolerance.*options: tap"):
        method_named("leaky", tolerance=1e-3)
    assert nestlfp.FilterBank(kernels, method="auto").filter.method != "leaky"


def test_a_filter_from_elsewhere_records(nest, leaky):
    n = 400
    h = np.array([[[2.0], [-1.0]]])[..., None] * 0.9 ** np.arange(n)
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": h}, pre=["E", "I"], post="Y", dt=0.1, first_lag=0.1, units={"LFP": "mV"}
    )
    reset(nest)
    nestlfp.install(kernels, method="leaky")
    populations = {"E": replayed(nest, [[1.0, 5.0]]), "I": replayed(nest, [[2.0]])}
    recorder = nestlfp.FieldRecorder(kernels, populations, interval=0.1, method=leaky(tap=2))
    nest.Simulate(30.0)
    signals = recorder.signals()
    assert signals.attrs["method_options"] == "Leaky(tap=2)"
    assert_signal_is_convolution(signals, kernels, {"E": [2.0, 6.0], "I": [3.0]}, 30.0)
