"""Brain signals from spiking networks while they run.

nestlfp evaluates, inside a running NEST simulation, the local field potential, current dipole
moment, EEG and MEG that follow from the network's spikes and precomputed spike-signal kernels.
"""

from . import sources
from .bank import FilterBank, install
from .errors import KernelError, NestLFPError, NetworkError, ToolchainError
from .kernels import KernelSet
from .recorder import FieldRecorder
from .simulation import simulate

__version__ = "0.1.0"

__all__ = [
    "FieldRecorder",
    "FilterBank",
    "KernelError",
    "KernelSet",
    "NestLFPError",
    "NetworkError",
    "ToolchainError",
    "install",
    "simulate",
    "sources",
]
