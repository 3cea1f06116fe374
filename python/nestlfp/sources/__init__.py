"""Where kernels come from. Each source is one module and returns a `KernelSet`.

============== ===================================================== ==========================
module         what it takes                                         extra of nestlfp
============== ===================================================== ==========================
`network`      the network that is in NEST, and names of cells       ``lfpykernels``
`lfpykernels`  one cell of LFPykernels for each population           ``lfpykernels``
`layers`       synapses by layers, for `lfpykernels`                 ``lfpykernels`` (LFPy)
`hybrid`       a network that has run, replayed on LFPy's cells      ``lfpykernels``
`conductors`   kernels of a dipole moment, for EEG and MEG           ``lfpykernels`` (LFPykit)
`sheets`       cells of LFPykernels, and where targets are           ``lfpykernels``
`cortex`       kernels of a dipole moment, and a cortical surface    ``cortex`` (files), LFPykit
`proxies`      positions and weights of point neurons                ``proxies``
============== ===================================================== ==========================

`mechanisms` compiles NEURON's mechanisms for `lfpykernels` and `hybrid`. The part that runs in
NEST does not know where kernels came from. Modules are imported when they are first used, as
``nestlfp.sources.proxies.rwslfp(...)``.
"""

from importlib import import_module
from types import ModuleType

__all__ = [
    "conductors",
    "cortex",
    "hybrid",
    "layers",
    "lfpykernels",
    "mechanisms",
    "network",
    "proxies",
    "sheets",
]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
