"""A streamed simulation in a process of its own: streamed_run.py STORE DURATION CHUNK.

Says "started" when the simulation does. After an interrupt it says where it stopped, and that
NEST can still be used.
"""

import sys

import nest

import nestlfp
from nests import quieten
from networks import streamed_network

if __name__ == "__main__":
    quieten(nest)
    store, duration, chunk = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    recorder, _ = streamed_network(nest)
    print("started", flush=True)
    try:
        nestlfp.simulate(duration, to=store, chunk=chunk, progress=False)
    except KeyboardInterrupt:
        print("interrupted", nest.biological_time, recorder.signals().sizes["time"])
        nestlfp.simulate(10.0, to=store, append=True, progress=False)
        print("alive", nest.biological_time, flush=True)
