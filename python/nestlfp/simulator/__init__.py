"""What is asked of NEST: nodes, connections, the state of its kernel, MPI ranks.

============== =====================================================================
module         what is in it
============== =====================================================================
`simulator`    NEST itself: all that is asked and changed, and its quirks
`ranks`        several MPI processes acting as one
`populations`  the nodes of the populations that a user names
`node_models`  which models send spikes, and which of their spikes reach a recorder
`recorders`    spikes that were recorded
`synapses`     what a spike weighs at its targets, by the synapse model
============== =====================================================================
"""

from .ranks import Ranks as Ranks
from .simulator import Simulator as Simulator
