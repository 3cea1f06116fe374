"""Brain signals from spiking networks while they run.

nestlfp evaluates, inside a running NEST simulation, the local field potential, current dipole
moment, EEG and MEG that follow from the network's spikes and precomputed spike-signal kernels.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import errors as errors
from .errors import (
    ActivityError,
    EnsembleError,
    KernelError,
    KernelsMismatchWarning,
    MissingExtraError,
    NestLFPError,
    NetworkError,
    SignalError,
    StoreLostError,
    StreamError,
    ToleranceError,
    ToolchainError,
)

if TYPE_CHECKING:
    from . import activity, ensemble, plotting, signals, sources
    from . import bmtk as bmtk
    from . import cells as cells
    from . import filters as filters
    from . import geometry as geometry
    from . import kernels as kernels
    from . import testing as testing
    from .filters.options import FIR, Auto, Separable, StateSpace
    from .kernels import KernelSet, NeuronKernels
    from .kernels.neurons.validity import validity
    from .nodes.bank import FilterBank
    from .runtime.inputs import Inputs
    from .runtime.install import install
    from .runtime.loop import loop
    from .runtime.plasticity import Plasticity
    from .runtime.recorder import FieldRecorder
    from .runtime.simulate import simulate
    from .runtime.strengths import out_strengths
    from .runtime.trigger import Trigger

__version__ = "0.1.0"

__all__ = [
    "FIR",
    "ActivityError",
    "Auto",
    "EnsembleError",
    "FieldRecorder",
    "FilterBank",
    "Inputs",
    "KernelError",
    "KernelSet",
    "KernelsMismatchWarning",
    "MissingExtraError",
    "NestLFPError",
    "NetworkError",
    "NeuronKernels",
    "Plasticity",
    "Separable",
    "SignalError",
    "StateSpace",
    "StoreLostError",
    "StreamError",
    "ToleranceError",
    "ToolchainError",
    "Trigger",
    "activity",
    "ensemble",
    "install",
    "loop",
    "out_strengths",
    "plotting",
    "signals",
    "simulate",
    "sources",
    "validity",
]

# Where the other public names live. They are imported when they are first used: the command line
# and the steps of a build need few of them, and answer at once.
_HOMES = {
    "filters.options": ["FIR", "Auto", "Separable", "StateSpace"],
    "kernels": ["KernelSet", "NeuronKernels"],
    "kernels.neurons.validity": ["validity"],
    "nodes.bank": ["FilterBank"],
    "runtime.inputs": ["Inputs"],
    "runtime.install": ["install"],
    "runtime.loop": ["loop"],
    "runtime.plasticity": ["Plasticity"],
    "runtime.recorder": ["FieldRecorder"],
    "runtime.simulate": ["simulate"],
    "runtime.strengths": ["out_strengths"],
    "runtime.trigger": ["Trigger"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
# Packages that need no import of their own. Those that `__all__` leaves out have names, such as
# kernels, that a script's own variables have.
_PACKAGES = {
    "activity",
    "bmtk",
    "cells",
    "ensemble",
    "filters",
    "geometry",
    "kernels",
    "plotting",
    "signals",
    "sources",
    "testing",
}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    elif name in _PACKAGES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
