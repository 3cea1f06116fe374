"""Whose spikes are whose, by rules in any order."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import write_sonata

import nestlfp
from nestlfp import activity
from nestlfp.errors import ActivityError

KERNELS = nestlfp.KernelSet.from_arrays(
    {"LFP": np.ones((1, 3, 1, 1))}, pre=["E", "I", "T"], post=["Y"], dt=1.0, units={"LFP": "mV"}
)


def used(path, populations, **options):
    made = activity.convolve(KERNELS, path, populations=populations, duration=9.0, **options)
    return {name: n for name, n in json.loads(made.attrs["spikes"]).items() if n}


@pytest.fixture
def groups(tmp_path):
    """Groups E (2 spikes) and I (3), whose ids count from 0 in each."""
    found = {"E": (np.array([1.0, 2.0]), np.arange(2)), "I": (np.array([1.0, 2, 3]), np.arange(3))}
    write_sonata(tmp_path / "a.h5", found)
    return tmp_path / "a.h5"


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"E": "0:79"},
        {"E": "E"},
        {"E": "0:79", "I": "I"},
        {"E": "E/0:79", "I": "I/0:2"},
        {"E": "0:79", "I": "I/0:2"},
    ],
)
def test_a_rule_without_a_name_leaves_what_has_one(groups, rules):
    for order in itertools.permutations(rules.items()):
        assert used(groups, dict(order)) == {"E": 2, "I": 3}
    assert used([f"E={groups}"], {"E": "E"}, skip_unknown=True) == {"E": 2}


def test_a_table_of_sonata(tmp_path):
    """Its ids count in each population, too."""
    lines = [f"{t}.0 {x} {i}" for x, n in (("E", 2), ("I", 3)) for i, t in enumerate(range(1, n))]
    (tmp_path / "a.csv").write_text("timestamps population node_ids\n" + "\n".join(lines) + "\n")
    assert used(tmp_path / "a.csv", {"E": "0:79", "I": "I"}) == {"E": 1, "I": 2}
    renamed = (tmp_path / "a.csv").read_text().replace(" E ", " x ").replace(" I ", " y ")
    (tmp_path / "b.csv").write_text(renamed)
    with pytest.raises(ActivityError, match="--population T=LABEL/0:79 says so"):
        used(tmp_path / "b.csv", {"T": "0:79"})


@pytest.mark.parametrize(
    ("rules", "match"),
    [
        ({"E": "excitatory"}, "spikes of neuron 0 of 'E'.*none of.*E=excitatory"),
        ({"E": "E", "I": "I/7:9"}, "spikes of neuron 0 of 'I'.*none of"),
        ({"E": "I"}, "spikes of 'E'|spikes of neuron 0 of 'E'"),
        ({"E": "E", "T": "E"}, "overlap: both have spikes of 'E'; T=E/FIRST:LAST"),
        ({"E": "E", "T": "E/0:1"}, "overlap: both have"),
    ],
)
def test_rules_that_do_not_fit(groups, rules, match):
    for order in itertools.permutations(rules.items()):
        with pytest.raises(ActivityError, match=match.replace("T=E", "[ET]=E")):
            used(groups, dict(order))


def test_a_file_that_says_it_is_of_another_population(tmp_path):
    write_sonata(tmp_path / "a.h5", {"E": (np.array([1.0, 2.0]), np.arange(2))})
    (tmp_path / "a.csv").write_text("times,population,senders\n1.0,E,0\n2.0,E,1\n")
    for path in (tmp_path / "a.h5", tmp_path / "a.csv"):
        for rules in ({}, {"I": "0:9"}):
            with pytest.raises(ActivityError, match=r"given for 'I', but .* of 'E'.*I=E says"):
                used({"I": path}, rules)
        assert used({"I": path}, {"I": "E"}) == {"I": 2}
        assert used({"E": path}, {"E": "0:9"}) == {"E": 2}
        with pytest.raises(ActivityError, match="the kernels' 'T'"):
            used({"I": path}, {"T": "E"})


def test_rules_that_match_nothing(groups, tmp_path):
    with pytest.raises(ActivityError, match=r"I=I/7:9: there are no such spikes.* ids 0 … 2"):
        used(groups, {"I": "I/7:9"}, skip_unknown=True)
    with pytest.raises(ActivityError, match=r"E=excitatory: .* populations \['E', 'I'\]"):
        used(groups, {"E": "excitatory"}, skip_unknown=True)
    (tmp_path / "a.dat").write_text("1\t1.000\n2\t2.000\n")
    with pytest.raises(ActivityError, match=r"I=11:20: there are no such spikes.* ids 1 … 2"):
        used(tmp_path / "a.dat", {"E": "1:10", "I": "11:20"})
    with pytest.raises(ActivityError, match="I=inh: there are no such spikes"):
        used(tmp_path / "a.dat", {"E": "1:10", "I": "inh"})
    (tmp_path / "none.dat").write_text("sender\ttime_ms\n")
    assert used(tmp_path / "none.dat", {"E": "1:10", "I": "11:20"}) == {}


RULES = st.one_of(
    st.sampled_from(["a", "b", "E", "I", "a/0:4", "a/5:9", "b/0:9", "I/0:9"]),
    st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda ends: "{}:{}".format(*ends)),
)


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rules=st.dictionaries(st.sampled_from(["E", "I", "T"]), RULES),
    labels=st.lists(st.sampled_from(["a", "b", "E", "I"]), min_size=1, unique=True),
    skip=st.booleans(),
    by_name=st.booleans(),
)
def test_the_order_of_rules_does_not_count(tmp_path, rules, labels, skip, by_name):
    rng = np.random.default_rng(len(rules))
    found = {label: (np.full(8, 1.0 + k), rng.integers(0, 10, 8)) for k, label in enumerate(labels)}
    write_sonata(tmp_path / "a.h5", found)
    path = {"E": tmp_path / "a.h5"} if by_name else tmp_path / "a.h5"
    results = set()
    for order in itertools.permutations(rules.items()):
        try:
            made = activity.convolve(
                KERNELS, path, populations=dict(order), duration=9.0, skip_unknown=skip, by="pre"
            )
            results.add(made["LFP"].values.tobytes())
        except ActivityError:
            results.add("refused")
    assert len(results) == 1
