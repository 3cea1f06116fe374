"""The charge of short synapses that NEURON's implicit step takes."""

import functools
import warnings

import layered_cells as cells
import numpy as np
import pytest

from mpirun import mpirun
from nestlfp import KernelError, ToolchainError
from nestlfp.sources import mechanisms
from nestlfp.sources._charge import charge_taken
from nestlfp.sources.lfpykernels import compute

pytestmark = pytest.mark.compile

OPTIONS = {"t_X": 40.0, "tau": 40.0, "g_eff": False, "depths": 1, "progress": False}
ONE_TYPE = {"E": {"middle": 1.0}, "I": {"middle": 1.0}}


@pytest.fixture(scope="module", autouse=True)
def _mechanisms():
    mechanisms.load()


def exponential(tau, dt):
    """What a sum over ends of steps makes of the integral of exp(-t / tau)."""
    return dt / np.expm1(dt / tau)


@pytest.mark.parametrize("dt", [2**-3, 2**-4, 2**-6])
@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_a_current_that_jumps(tau, dt):
    """The current right after the jump counts for the whole first step."""
    found = charge_taken({"syntype": "ExpSynI", "tau": tau, "weight": 1.0}, dt, 50.0, twin=False)
    assert found == pytest.approx((exponential(tau, dt) + dt) / tau, abs=2e-5)


def test_the_numbers_that_are_told():
    jump = {"syntype": "ExpSynI", "tau": 0.5}
    rise = {"syntype": "Exp2SynI", "tau1": 1e-3, "tau2": 0.5}
    assert charge_taken(jump, 2**-4, 50.0, twin=False) == pytest.approx(1.0639, abs=1e-4)
    assert charge_taken(rise, 2**-4, 50.0, twin=False) == pytest.approx(0.9406, abs=1e-4)
    assert exponential(0.5, 2**-4) / 0.5 == pytest.approx(0.9388, abs=1e-4)


def test_what_a_mechanism_does_not_have_is_passed_over():
    """As LFPy does: a current-based synapse may be described with a reversal potential."""
    given = {"syntype": "Exp2SynI", "tau1": 4.9995, "tau2": 5.0, "weight": 1e-3}
    with_reversal = charge_taken({**given, "e": 0.0}, 2**-4, 100.0, twin=False)
    assert with_reversal == charge_taken(given, 2**-4, 100.0, twin=False)


@pytest.mark.parametrize(("tau1", "tau2"), [(0.2, 1.8), (0.1, 9.0), (0.001, 0.5)])
def test_a_difference_of_exponentials(tau1, tau2):
    synapse = {"syntype": "Exp2Syn", "tau1": tau1, "tau2": tau2, "weight": 1e-4, "e": 0.0}
    found = charge_taken(synapse, 2**-4, 100.0, twin=True)
    expected = (exponential(tau2, 2**-4) - exponential(tau1, 2**-4)) / (tau2 - tau1)
    assert found == pytest.approx(expected, abs=2e-4)


def test_kernels_warn_and_are_corrected():
    given = {"Y": cells.approximation(shares=ONE_TYPE)}
    told = r"synapses of 2 of 2 pathways .* -> Y as 1\.064 of it, .* too large: correct_charge=True"
    with pytest.warns(UserWarning, match=told):
        coarse = compute(given, cells.probes(), dt=2**-4, **OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corrected = compute(given, cells.probes(), dt=2**-4, correct_charge=True, **OPTIONS)
        fine = compute(given, cells.probes(), dt=2**-6, correct_charge=True, **OPTIONS)
    ratio = coarse["LFP"].values.sum() / corrected["LFP"].values.sum()
    assert ratio == pytest.approx(1.0639, abs=1e-4)
    # The signal summed over time knows the charge alone, not when it flowed.
    for pre in ("E", "I"):
        areas = [
            found.dt * found["LFP"].sel(pre=pre).values.sum(axis=-1) for found in (corrected, fine)
        ]
        np.testing.assert_allclose(*areas, atol=2e-3 * np.abs(areas[1]).max())
    assert corrected.provenance["parameters"]["correct_charge"] is True


def test_synapses_that_begin_with_nothing_lose_charge():
    rising = [{"syntype": "Exp2SynI", "tau1": 0.05, "tau2": 0.5, "weight": 0.1}] * 2
    given = {"Y": cells.approximation(shares=ONE_TYPE, synapseParameters=rising)}
    with pytest.warns(UserWarning, match=r"as 0\.9\d+ of it, .* too small"):
        compute(given, cells.probes(), dt=2**-4, **OPTIONS)


def test_long_synapses_lose_nothing_worth_a_warning():
    slow = [{"syntype": "ExpSynI", "tau": 9.0, "weight": 0.1}] * 2
    given = {"Y": cells.approximation(shares=ONE_TYPE, synapseParameters=slow)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compute(given, cells.probes(), dt=2**-4, **OPTIONS)


def test_a_synapse_that_neuron_does_not_know():
    unknown = [{"syntype": "NoSuch", "weight": 1.0}] * 2
    with pytest.raises(
        KernelError, match=r"no mechanism 'NoSuch': load it .* in each process is mechanisms="
    ):
        compute({"Y": cells.approximation(synapseParameters=unknown)}, cells.probes(), **OPTIONS)


def test_mechanisms_that_are_missing_or_broken(tmp_path):
    (tmp_path / "Broken.mod").write_text("NEURON { POINT_PROCESS Broken\n")
    with pytest.raises(ToolchainError, match="nrnivmodl could not compile"):
        mechanisms.load(tmp_path)
    given = {"Y": cells.approximation()}
    load = functools.partial(mechanisms.load, tmp_path / "nowhere")
    with pytest.raises(KernelError, match="a process that simulates cells ended early"):
        compute(given, cells.probes(), processes=1, mechanisms=load, **OPTIONS)


@pytest.mark.mpi
def test_beside_nest_with_mpi():
    """NEURON's psolve ended such a process by a segmentation fault."""
    printed = mpirun(0, "charge.py").stdout.splitlines()[-1]
    assert float(printed) == pytest.approx(1.0639, abs=1e-4)
