"""Two MPI processes: the same description, kernels and signals as with one."""

import json

import numpy as np
import pytest

from mpirun import mpirun

pytestmark = [pytest.mark.compile, pytest.mark.mpi]


def test_ranks_do_not_matter(tmp_path):
    for ranks in (1, 2):
        mpirun(ranks, "describing.py", tmp_path)
    one, two = (dict(np.load(tmp_path / f"{ranks}.npz")) for ranks in (1, 2))

    def numbers(found):
        values = []
        rest = json.loads(str(found["description"]), parse_float=lambda n: values.append(float(n)))
        return rest, values

    (rest, values), (expected_rest, expected) = numbers(two), numbers(one)
    assert rest == expected_rest
    np.testing.assert_allclose(values, expected, rtol=2e-12)
    for name in ("kernels", "signal"):
        peak = np.abs(one[name]).max()
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-9 * peak)
