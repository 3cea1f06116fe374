"""What connections bring to neurons, as NEST does it: one spike, and the potential after it.

The current follows from the potential alone (C dV/dt and the leak), so that no recordable of NEST's
has to be trusted; the conductance and its reversal potential follow from neurons that rest at two
different potentials.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid

import nestlfp
from nestlfp.sources.network.currents import (
    DELTA,
    MODELS,
    REFUSED,
    Synapse,
    parameters_of,
    waveform,
)
from nests import quieten

PAGE = Path(__file__).parents[3] / "docs" / "own_network.md"
H = 0.01  # ms
ARRIVAL = 2.0  # ms
END = 42.0  # ms
REST = (-70.0, -80.0)  # mV
WEIGHT = {"pA": 10.0, "nS": 1.5}
EARLY = {"gif_psc_exp"}  # whose current starts a time step before the spike arrives
ONE_TAU = {"iaf_psc_exp_ps_lossless"}  # which has to have the same time constant for both signs
# Neurons without a membrane, or whose input is no synaptic current.
WITHOUT = re.compile(
    "rate_|_ipn|_opn|parrot|injector|mcculloch|ginzburg|erfc|siegert|readout|ignore|astrocyte"
)


def silent(model, defaults):
    """Parameters that leave a passive membrane without noise."""
    chosen = {name: 0.0 for name in ("g_Na", "g_K", "g_Kv1", "g_Kv3") if name in defaults}
    if model.startswith("aeif"):
        chosen |= {"a": 0.0, "b": 0.0, "V_peak": 10.0, "V_th": 0.0}
    if "gsl_error_tol" in defaults:
        chosen["gsl_error_tol"] = 1e-10
    return chosen


def changed(model, defaults):
    """Other time constants, reversal potentials and membranes than NEST's."""
    found = MODELS[model]
    # A rise may be slower than the decay, but in aeif_cond_beta_multisynapse.
    rises = (0.6, 0.4) if found.by_receptor else (0.6, 2.5)
    values = {"tau": (2.7, 1.2), "tau_rise": rises, "reversal": (12.0, -95.0)}
    if model in ONE_TAU:
        values["tau"] = (2.7, 2.7)
    chosen = {}
    for what, numbers in values.items():
        names = getattr(found, what)
        one = dict.fromkeys(names, numbers)
        chosen |= one if found.by_receptor else dict(zip(names, numbers, strict=False))
    capacitance, leak, _ = found.membrane
    return chosen | {capacitance: 1.3 * defaults[capacitance], leak: 0.8 * defaults[leak]}


@dataclass
class Response:
    """Of one neuron model with one set of parameters, over the steps after the arrival."""

    receptor: int
    weight: float
    parameters: dict
    potential: np.ndarray  # mV, in the middle of steps, for each of REST
    current: np.ndarray  # pA


@pytest.fixture(scope="module")
def responses():
    """All models, receptors and signs in one network, with NEST's parameters and with others."""
    import nest

    quieten(nest)
    nest.ResetKernel()
    nest.resolution = H
    made = []
    for model, found in MODELS.items():
        defaults = nest.GetDefaults(model)
        for of_this in ({}, changed(model, defaults)):
            quiet = silent(model, defaults) | of_this
            receptors = np.size({**defaults, **quiet}[found.tau[0]]) if found.by_receptor else 0
            for receptor in range(1, receptors + 1) if found.by_receptor else [0]:
                for sign in (1, -1):
                    if sign < 0 and found.by_receptor and found.reversal:
                        continue  # which NEST refuses, see below
                    weight = sign * WEIGHT["nS" if found.reversal else "pA"]
                    neurons = [
                        nest.Create(model, params=quiet | {"E_L": rest, "V_m": rest})
                        for rest in REST
                    ]
                    made.append((model, receptor, weight, neurons))
    spike = nest.Create("spike_generator", params={"spike_times": [ARRIVAL - 1.0]})
    meter = nest.Create("multimeter", params={"interval": H, "record_from": ["V_m"]})
    for _, receptor, weight, neurons in made:
        for neuron in neurons:
            how = {"weight": weight, "delay": 1.0, "receptor_type": receptor}
            nest.Connect(spike, neuron, syn_spec=how)
            nest.Connect(meter, neuron)
    nest.Simulate(END + H)
    events = meter.events
    order = np.lexsort((events["times"], events["senders"]))
    traces = events["V_m"][order].reshape(2 * len(made), -1)  # in the order of ids
    found = {}
    for row, (model, receptor, weight, neurons) in enumerate(made):
        V = traces[2 * row : 2 * row + 2]
        parameters = neurons[0].get()
        capacitance, leak, _ = (parameters[name] for name in MODELS[model].membrane)
        if MODELS[model].membrane[1] == "tau_m":
            leak = capacitance / leak
        middle = (V[:, 1:] + V[:, :-1]) / 2
        # What iaf_psc_exp_htum records as V_m is relative to E_L: hence V - V[:, :1].
        current = capacitance * np.diff(V) / H + leak * (middle - V[:, :1])
        found.setdefault(model, []).append(Response(receptor, weight, parameters, middle, current))
    nest.ResetKernel()
    return found


T = np.arange(1, round(END / H)) * H + H / 2 - ARRIVAL


@pytest.mark.compile
@pytest.mark.parametrize("model", MODELS)
def test_a_spike_brings_what_the_table_says(responses, model):
    signs = {(each.receptor, each.weight > 0) for each in responses[model]}
    assert len(signs) >= 2
    for each in responses[model]:
        says = waveform(model, each.parameters, each.receptor, each.weight > 0)
        t = T + H if model in EARLY else T
        expected = abs(each.weight) * says.at(t)
        if says.reversal is None:
            assert says.unit == "pA"
            expected *= np.sign(each.weight) * says.sign
            measured = each.current[0]
            np.testing.assert_allclose(each.current[1], measured, atol=0.003 * abs(each.weight))
        else:
            assert says.unit == "nS"
            measured = -np.diff(each.current, axis=0)[0] / np.diff(each.potential, axis=0)[0]
            strong = measured > 0.2 * measured.max()
            E = each.potential[0] + each.current[0] / np.where(strong, measured, np.inf)
            np.testing.assert_allclose(E[strong], says.reversal, atol=0.2)
        # A time constant that is wrong by 1 % makes a difference of 0.37 % of the peak.
        np.testing.assert_allclose(measured, expected, atol=0.003 * abs(each.weight))
        assert np.abs(measured).max() == pytest.approx(np.abs(expected).max(), rel=0.01)
        assert measured.sum() == pytest.approx(expected.sum(), rel=0.01)


@pytest.mark.parametrize("model", [name for name, each in MODELS.items() if each.by_receptor])
def test_negative_weights_and_receptors_that_are_not_there(nest, model):
    found = MODELS[model]
    neuron = nest.Create(model)
    parameters = neuron.get()
    n = np.size(parameters[found.tau[0]])
    for receptor in (0, n + 1):
        with pytest.raises(nestlfp.NetworkError, match=f"{model}.*1 to {n} .* {receptor}"):
            waveform(model, parameters, receptor, True)
    if not found.reversal:
        assert waveform(model, parameters, n, False) == waveform(model, parameters, n, True)
        return
    with pytest.raises(nestlfp.NetworkError, match=f"{model}.*negative weight.*absolute"):
        waveform(model, parameters, n, False)
    spike = nest.Create("spike_generator", params={"spike_times": [1.0]})
    nest.Connect(spike, neuron, syn_spec={"weight": -1.0, "receptor_type": n})
    if model == "glif_cond":  # NEST lets its conductance become negative
        nest.Simulate(5.0)
        assert neuron.g[n - 1] < 0
    else:
        with pytest.raises(nest.NESTError, match=r"must be (positive|non-negative)"):
            nest.Simulate(5.0)


# ---------------------------------------------------------------------- other models
def test_every_model_of_nest_is_known(nest):
    """A model that a later NEST brings is refused until somebody has looked at it."""
    neurons = {m for m in nest.node_models if nest.GetDefaults(m, "element_type") == "neuron"}
    assert {*MODELS, *DELTA, *REFUSED} == {m for m in neurons if not WITHOUT.search(m)}
    assert not ({*MODELS} & {*DELTA} | {*MODELS} & {*REFUSED} | {*DELTA} & {*REFUSED})
    for model in {*MODELS, *DELTA}:
        assert {*parameters_of(model)} <= {*nest.GetDefaults(model)}


def test_delta_synapses_bring_the_capacitance_times_the_weight(nest):
    """And an error tells so. A weight is in mV, and C_m may be without meaning."""
    nest.resolution = H
    spike = nest.Create("spike_generator", params={"spike_times": [1.0]})
    meter = nest.Create("multimeter", params={"interval": H, "record_from": ["V_m"]})
    of_models = {}
    for model, membrane in DELTA.items():
        neuron = nest.Create(model, params={"C_m": 321.0} if membrane else {})
        nest.Connect(spike, neuron, syn_spec={"weight": 0.5, "delay": 1.0})
        nest.Connect(meter, neuron)
        of_models[model] = neuron
    nest.Simulate(3.0)
    events = meter.events
    for model, neuron in of_models.items():
        V = events["V_m"][events["senders"] == neuron.global_id]
        steps = np.diff(V)
        at = steps.argmax()  # izhikevich is not at rest before
        assert steps[at] - steps[at - 1] == pytest.approx(0.5, rel=0.01)
        charge = 321 if DELTA[model] else 250
        for positive, tau in ((True, 2.0), (False, 5.0)):
            line = (
                f"synapses={{('A', 'B'): Synapse('exp', tau={tau}, charge={charge})}} "
                f"starts with .*C_m .* {tau:g} ms"
            )
            with pytest.raises(nestlfp.NetworkError, match=f"{model}.*mV.*{line_of(line)}"):
                waveform(model, neuron.get(), 0, positive, pathway=("A", "B"))


def line_of(text):
    """A regular expression in which only .* has a meaning."""
    return re.escape(text).replace(r"\.\*", ".*")


@pytest.mark.parametrize("model", [*REFUSED, "a_model_of_mine"])
def test_models_that_are_not_known_are_refused_by_name(model):
    with pytest.raises(nestlfp.NetworkError) as told:
        waveform(model, {}, 0, True)
    said = str(told.value)
    assert repr(model) in said
    assert "synapses={('E', 'I'): Synapse(" in said
    assert REFUSED.get(model, "the models of NEST 3.10") in said
    assert parameters_of(model) == ()


# ---------------------------------------------------------------------- by hand
SHAPES = [
    Synapse("exp", 3.0, peak=1.0),
    Synapse("alpha", 3.0, peak=1.0),
    Synapse("beta", 3.0, peak=1.0, tau_rise=0.4),
    Synapse("beta", 3.0, peak=1.0, tau_rise=3.0 * (1 + 1e-5)),
    Synapse("beta", 0.4, peak=1.0, tau_rise=3.0),
]


@pytest.mark.parametrize("synapse", SHAPES, ids=str)
def test_the_course_of_a_synapse(synapse):
    t = np.arange(0, 100, 1e-3)
    shape = synapse.waveform
    decay = np.exp(-t / synapse.tau)
    course = {
        "exp": decay,
        "alpha": t * decay,
        "beta": np.abs(decay - np.exp(-t / (synapse.tau_rise or 1.0))),
    }[synapse.shape]
    np.testing.assert_allclose(shape.at(t), course / course.max(), atol=1e-5)
    assert shape.area == pytest.approx(trapezoid(course / course.max(), t), rel=1e-5)
    assert not shape.at([-1.0, -1e-9]).any()


def test_equal_time_constants_are_those_of_an_alpha_function():
    shape = Synapse("beta", 2.0, peak=1.0, tau_rise=2.0).waveform
    assert shape == Synapse("alpha", 2.0, peak=1.0).waveform
    assert shape.area == pytest.approx(2 * np.e)


def test_peak_and_charge_of_a_synapse_by_hand():
    inhibits = Synapse("alpha", 5.0, charge=-250.0)
    assert inhibits.waveform.sign == -1
    assert inhibits.strength * inhibits.waveform.area == pytest.approx(250.0)
    conductance = Synapse(tau=1.5, peak=0.4, reversal=-80.0)
    assert conductance.strength == 0.4
    assert (conductance.waveform.unit, conductance.waveform.reversal) == ("nS", -80.0)
    assert (inhibits.waveform.unit, inhibits.waveform.reversal) == ("pA", None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"shape": "gauss", "peak": 1.0}, "'alpha', 'beta'.*'gauss'"),
        ({"tau": 0.0, "peak": 1.0}, "tau must be positive"),
        ({"tau": None, "peak": 1.0}, "tau must be a finite number, found None"),
        ({"peak": float("nan")}, "peak must be a finite number"),
        ({"peak": "1"}, "peak must be a finite number, found '1'"),
        ({"peak": 0.0}, "peak is 0"),
        ({}, "either peak .* or charge"),
        ({"peak": 1.0, "charge": 2.0}, "peak=1.0 and charge=2.0"),
        ({"charge": 2.0, "reversal": 0.0}, "reversal potential is a conductance.*charge=2.0"),
        ({"peak": -2.0, "reversal": 0.0}, "reversal potential is a conductance.*peak=-2.0"),
        ({"peak": 1.0, "tau_rise": 0.5}, "tau_rise .*'beta', found 0.5 with 'exp'"),
        ({"shape": "beta", "peak": 1.0}, "tau_rise .*found None"),
        ({"shape": "beta", "peak": 1.0, "tau_rise": -1.0}, "tau_rise must be positive"),
    ],
)
def test_what_is_no_synapse(arguments, told):
    with pytest.raises(nestlfp.KernelError, match=told):
        Synapse(**arguments)


# ---------------------------------------------------------------------- the page
def named(parameters):
    names = ", ".join(f"`{name}`" for name in parameters)
    return f"{names} of the receptor" if len(parameters) == 1 else names


def table():
    """`MODELS` as a table in Markdown, one row for what works alike."""
    courses = {
        "exp": "exp(−t/τ)",
        "alpha": "(t/τ) exp(1 − t/τ)",
        "beta": "(exp(−t/τ) − exp(−t/τ_rise)) / its peak",
    }
    alike = {}
    for name, model in MODELS.items():
        kind = (model.shape, model.tau, model.tau_rise, model.reversal)
        alike.setdefault(kind, []).append(f"`{name}`")
    rows = [
        "| model of the neuron | current of a connection of weight w | τ | τ_rise | E |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (shape, *parameters), names in alike.items():
        course = courses[shape]
        brought = f"\\|w\\| nS · (E − V) · {course}" if parameters[-1] else f"w pA · {course}"
        rows.append("| " + " | ".join([", ".join(names), brought, *map(named, parameters)]) + " |")
    return "\n".join(rows) + "\n"


def test_the_page_has_the_table():
    assert table() in PAGE.read_text(encoding="utf-8"), f"put this there:\n\n{table()}"


def test_the_page_names_the_models_that_need_a_synapse_by_hand():
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in {**DELTA, **REFUSED} if f"`{name}`" not in text] == []
