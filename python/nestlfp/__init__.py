"""Brain signals from spiking networks while they run.

nestlfp evaluates, inside a running NEST simulation, the local field potential, current dipole
moment, EEG and MEG that follow from the network's spikes and precomputed spike-signal kernels.
"""

from .errors import KernelError, NestLFPError, NetworkError, ToolchainError
from .kernels import KernelSet

__all__ = [
    "KernelError",
    "KernelSet",
    "NestLFPError",
    "NetworkError",
    "ToolchainError",
]
