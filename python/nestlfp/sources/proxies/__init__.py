"""Kernels without multicompartment cells: proxies of the LFP for networks of point neurons.

- `rwslfp`: the reference weighted sum of synaptic currents (Mazzoni, Lindén et al. 2015). Linear
  in the spikes and the same for all neurons of a population: a `KernelSet` like any other.
- `telenczuk`: the unitary LFP of Teleńczuk et al. (2020), whose amplitude and delay differ from
  neuron to neuron and from contact to contact: `NeuronKernels`.

Amplitudes come from the packages ``wslfp`` and ``tklfp`` (extra ``proxies``).
"""

from .unitary import telenczuk
from .weighted_sum import AMPLITUDES, double_exponential, normalize, rwslfp

__all__ = [
    "AMPLITUDES",
    "double_exponential",
    "normalize",
    "rwslfp",
    "telenczuk",
]
