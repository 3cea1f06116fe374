"""One model for many kernels: sizes are parameters, and what does not fit is passed over."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import nestlfp
from mpirun import environment
from nestlfp.nodes.bank import FilterBank
from nestlfp.nodes.model import capacity
from nestlfp.simulator import Simulator
from networks import (
    assert_signal_is_convolution,
    bank_of,
    exponential_kernels,
    installed,
    replayed,
    reset,
)

METHODS = ["fir", "state-space", "separable"]


def random_kernels(rng):
    """1 to 8 populations, 1 to 64 channels, 50 to 2000 taps that start where they like."""
    populations, channels = int(rng.integers(1, 9)), int(rng.integers(1, 65))
    names = [f"P{i}" for i in range(populations)]
    leads = rng.integers(1, 40, populations)
    lengths = rng.integers(50, 2000, populations)
    return exponential_kernels(leads, lengths, channels, pre=names, post=["Y"])


@pytest.mark.slow
def test_few_models_serve_many_kernels():
    rng = np.random.default_rng(0)
    models = {FilterBank(random_kernels(rng)).model.name for _ in range(200)}
    assert len(models) <= 3  # and as many for each other method


def test_methods_and_texts_have_models_of_their_own():
    kernels = exponential_kernels()
    fir = FilterBank(kernels)
    reduced = bank_of(kernels, "state-space")
    assert fir.model != reduced.model
    assert fir.model.text.count(fir.model.name) == 1
    assert [capacity(n) for n in (1, 2, 3, 4, 5, 7, 9, 17, 25)] == [2, 2, 4, 4, 8, 8, 16, 24, 32]


@pytest.mark.parametrize("seed", range(6))
def test_any_kernels_fit(nest, seed):
    rng = np.random.default_rng(seed)
    kernels = random_kernels(rng)
    trains = {name: np.unique(rng.integers(30, 900, 6)) / 10 for name in kernels.pre}
    reset(nest)
    bank = installed(kernels)
    populations = {
        name: replayed(nest, [np.round(times - 1.0, 1)]) for name, times in trains.items()
    }
    recorder = nestlfp.FieldRecorder(bank, populations, interval=0.1)
    nest.Simulate(100.0)
    assert_signal_is_convolution(recorder.signals(), kernels, trains, 100.0)


@pytest.mark.parametrize("method", METHODS)
def test_two_sets_of_kernels_share_a_model(nest, method):
    small = exponential_kernels(lengths=(30, 40), channels=1)
    large = exponential_kernels(leads=(3, 9), lengths=(300, 20), channels=5)
    reset(nest, threads=2)
    banks = [installed(kernels, method=method) for kernels in (small, large, small)]
    assert len({bank.model for bank in banks}) == 1
    E, I = replayed(nest, [[1.0, 5.0]]), replayed(nest, [[2.0]])  # noqa: E741
    recorders = [nestlfp.FieldRecorder(bank, {"E": E, "I": I}, interval=0.1) for bank in banks]
    nest.Simulate(50.0)
    for recorder, kernels in zip(recorders, (small, large, small), strict=True):
        assert_signal_is_convolution(
            recorder.signals(),
            kernels,
            {"E": [2.0, 6.0], "I": [3.0]},
            50.0,
            rtol=1e-12 if method == "fir" else 1e-5,
        )


def test_samples_to_come_are_no_recordables(nest, hagen):
    reset(nest, dt=hagen.dt)
    for bank in [installed(hagen, method=method) for method in METHODS]:
        hold = np.zeros(2, dtype=np.int64)
        (node,) = bank.create_nodes(Simulator(), bank.model, 1, hold, 1, 0)
        assert len(node.recordables) < 400
        assert node.get(bank.filter.grows) > 1000


# ---------------------------------------------------------------------- what does not fit
def spoil(method, changes, when="later"):
    """What NEST prints while spikes reach nodes of which a parameter is out of bounds.

    A process of its own: it might end.
    """
    script = f"""
        import nest, nestlfp
        from nests import quieten
        from networks import exponential_kernels, installed, replayed, reset
        for name, value in {changes!r}:
            reset(nest)
            quieten(nest)
            bank = installed(exponential_kernels(), method={method!r})
            parrots = replayed(nest, [[1.0, 3.0, 12.0]])
            recorder = nestlfp.FieldRecorder(bank, {{"E": parrots, "I": None}})
            nodes = nest.GetNodes({{"model": bank.model.name}})
            {"nest.Simulate(10.0)" if when == "later" else ""}
            nodes.set({{name: value}})
            nest.Simulate(20.0)
        print("alive", nest.biological_time)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment(nest=""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "alive" in done.stdout
    return done.stdout.count("[WARNING] nestlfp")


@pytest.mark.compile
def test_nothing_beyond_the_ring_is_touched():
    changes = {
        "span": [1e9, 0.0],
        "start": [1e12, 0.0],
        "longer": [1e9, 0.0],
        "hold": [1e9, -5.0],
        "wait": [1e9, 0.0],
        "lane": [1e9, 0.0],
    }
    assert spoil("fir", list(changes.items())) == len(changes)
    # Rows that are not its own, within the table: another signal, and no harm.
    spoil("fir", [("wait", [-1e9, 0.0]), ("longer", [-1e9, 0.0]), ("span", [-1e9, 0.0])])
    clocks = [[1e9, 0.0], [-7.0, -1.0], [0.0, 1e9], [0.0, -3.0]]
    assert spoil("fir", [("clock", clock) for clock in clocks]) == len(clocks)


@pytest.mark.compile
@pytest.mark.parametrize("when", ["at once", "later"])
def test_nothing_beyond_the_history_is_touched(when):
    changes = {
        "last": [1e9, 0.0],
        "first": [-1e9, 0.0],
        "entering": [1e9, 1e9],
        "leaving": [-1e9, 1e9],
    }
    warnings = spoil("state-space", list(changes.items()), when)
    assert when == "later" or warnings == len(changes)


@pytest.mark.compile
def test_nothing_beyond_the_drives_is_touched():
    changes = [("hold", [1e9, 0.0]), ("hold", [-1.0, 0.0]), ("leaving", -1), ("leaving", 10**9)]
    assert spoil("separable", changes) == len(changes)
    assert spoil("separable", [("clock", [1e9, 0.0]), ("clock", [-7.0, -1.0])]) >= 1


@pytest.mark.compile
@pytest.mark.parametrize(
    ("method", "sizes"),
    [
        ("fir", "groups channels outputs stride ring table every"),
        ("state-space", "groups latents outputs reads depth inputs oscillators used"),
        (
            "separable",
            "outputs channels courses span stride pairs singles swinging fading poles pairs_in "
            "rows singles_in table used depth leaving every",
        ),
    ],
)
def test_sizes_set_later_do_no_harm(method, sizes):
    changes = [(name, value) for name in sizes.split() for value in (0, 1, 1000, 10_000_000)]
    assert spoil(method, changes) >= len(changes) / 2


@pytest.mark.parametrize("method", METHODS)
def test_a_node_without_kernels_says_so(nest, method, capfd):
    bank = installed(exponential_kernels(), method=method)
    nest.ResetKernel()
    reset(nest)
    bank = installed(exponential_kernels(), method=method)
    nest.Create(bank.model.name)
    nest.Simulate(1.0)
    nest.Simulate(1.0)
    assert capfd.readouterr().out.count("[WARNING] nestlfp: a filter node has no kernels") == 1
