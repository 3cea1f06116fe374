"""Which files of tests to begin with."""

LONGEST = (
    "bare/test_bare.py",
    "bare/test_no_compiler.py",
    "docs/test_site.py",
    "test_readme.py",
    "test_docs.py",
    "ensemble/test_ensemble.py",
    "runtime/test_mpi.py",
    "sources/network/test_examples.py",
    "examples/test_microcircuit.py",
    "examples/test_nest_models.py",
    "examples/test_own_network.py",
    "test_scripts.py",
)
"""Files that take minutes, the longest first."""
