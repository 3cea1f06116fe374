"""The charge of a NEURON synapse, in a process in which NEST with MPI has simulated: charge.py"""

import nest

from nestlfp.sources import mechanisms
from nestlfp.sources._charge import charge_taken

neurons = nest.Create("iaf_psc_delta", 10)
nest.Connect(neurons, neurons)
nest.Simulate(10.0)
mechanisms.load()
print(charge_taken({"syntype": "ExpSynI", "tau": 0.5, "weight": 1.0}, 2**-4, 50.0, twin=False))
