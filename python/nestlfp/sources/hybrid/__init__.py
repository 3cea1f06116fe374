"""The hybrid scheme: the full calculation of a network's signal, cell by cell.

A network of point neurons has run in NEST. Each neuron gets a passive multicompartment cell of
LFPy, each connection its synapses on that cell, and each presynaptic spike is replayed at these
synapses after the connection's own delay and with its own weight; LFPykit turns the
transmembrane currents into signals (Hagen et al. 2016, Cereb Cortex 26:4461). Kernels replace
this calculation, and this calculation says how good they are.

======================  ======================================================================
`Network`               what the scheme needs of the network: connections, spikes, resolution
`Population`            the cells that stand for one population, and the synapses they receive
`signals`               the signal of the recorded spikes, cell by cell
`kernels`               kernels measured by a synchronous spike of each population
`single_kernels`        the kernel of each single neuron, whose spread a population kernel hides
======================  ======================================================================

All three replay spikes of rows of activity: one row holds the recorded spikes, or one spike of
every neuron of a population, or one spike of one neuron. Cells are simulated in processes of
their own, started afresh: NEURON never meets NEST, and cells of the calling process stay as
they are. Each cell draws its position and synapses from random numbers of its own, so that the
result is the same for any number of processes.
"""

from .cells import Column, Population, Synapses
from .measure import kernels, signals, single_kernels
from .network import Connections, Network

__all__ = [
    "Column",
    "Connections",
    "Network",
    "Population",
    "Synapses",
    "kernels",
    "signals",
    "single_kernels",
]
