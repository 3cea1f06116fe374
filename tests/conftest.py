"""Shared fixtures. NEST, NESTML and the compiler are the real ones everywhere."""

import os
from pathlib import Path

os.environ.setdefault("PYNEST_QUIET", "1")
# Threads of several tests share few cores: waiting must not keep them busy.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest

import nestlfp
from environments import lacked
from nests import quieten, use_other
from order import LONGEST

use_other()

TESTS = Path(__file__).parent
DATA = TESTS / "data"
PROBES = {"LFP": "GaussCylinderPotential", "CDM": "KernelApproxCurrentDipoleMoment"}


@pytest.fixture(scope="session")
def hagen() -> nestlfp.KernelSet:
    """Kernels of the two-population network of Hagen et al. 2022, dt = 2^-4 ms, 800 lags."""
    arrays = np.load(DATA / "hagen2022_kernels.npz")
    names = ["E", "I"]
    signals = {
        signal: np.array([[arrays[f"{y}:{x}|{probe}"] for x in names] for y in names])
        for signal, probe in PROBES.items()
    }
    z = np.arange(1000.0, -300.0, -100.0)
    return nestlfp.KernelSet.from_arrays(
        signals,
        pre=names,
        post=names,
        dt=2**-4,
        units={"LFP": "mV", "CDM": "nA µm"},
        channels={"CDM": ["x", "y", "z"]},
        positions={"LFP": np.stack([0 * z, 0 * z, z], axis=1)},
        provenance={"tool": "LFPykernels", "version": "0.2.0"},
    )


@pytest.fixture
def nest():
    """A quiet NEST with an empty kernel."""
    import nest

    quieten(nest)
    nest.ResetKernel()
    yield nest
    nest.ResetKernel()


def pytest_collection_modifyitems(items):
    """What starts NEST loads a module, which may have to be compiled.

    Processes that share the tests begin with the longest files, so that none ends alone.
    """
    for item in items:
        if "nest" in item.fixturenames:
            item.add_marker(pytest.mark.compile)
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = {TESTS / name: i for i, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(item.path, len(place)))


def skipped_where_lacking(report, told, path, line):
    """Turn a failure for want of an optional package into a skip that names it."""
    reason = lacked(told) if report.failed else None
    if reason:
        report.outcome = "skipped"
        report.longrepr = (str(path), line, f"Skipped: {reason}")
    return report


def chain(error):
    """What an error says, and those behind it."""
    told = ""
    while error is not None:
        told += f"{error}\n"
        error = error.__cause__ or error.__context__
    return told


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    return skipped_where_lacking(report, str(report.longrepr), collector.path, 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    told = chain(call.excinfo.value) if call.excinfo else ""
    return skipped_where_lacking(report, told, item.path, item.location[1] + 1)
