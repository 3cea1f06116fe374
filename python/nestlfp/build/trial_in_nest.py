"""``python -m nestlfp.build.trial_in_nest``: one spike through each port of a module's nodes.

It runs in a process of its own, and needs NEST alone. In the folder it is given it reads
``request.json``; it leaves ``started`` once NEST has started, and ``answer.json``: the outputs of
each node, an array (output, step).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Answer the request in the folder."""
    import nest
    import numpy as np

    (folder / "started").touch()
    request = json.loads((folder / "request.json").read_text())
    nest.Install(request["module"])
    dt, spacing = float(nest.resolution), request["spacing"]
    multimeters = []
    for wanted in request["nodes"]:
        nest.SetDefaults(wanted["model"], wanted["defaults"])
        node = nest.Create(wanted["model"])
        for port, steps in enumerate(wanted["delays"]):
            times = {"spike_times": [(1 + port * spacing) * dt]}
            generator = nest.Create("spike_generator", params=times)
            synapse = {"receptor_type": port + 1, "delay": steps * dt}
            nest.Connect(generator, node, syn_spec=synapse)
        outputs = [f"Y_{i}" for i in range(wanted["defaults"]["outputs"])]
        multimeter = nest.Create("multimeter", params={"record_from": outputs, "interval": dt})
        nest.Connect(multimeter, node, syn_spec={"delay": dt})
        multimeters.append((multimeter, outputs, len(wanted["delays"]) * spacing))
    nest.Simulate((2 + max(steps for _, _, steps in multimeters)) * dt if multimeters else dt)
    answer = []
    for multimeter, outputs, steps in multimeters:
        events = multimeter.events
        values = np.zeros((len(outputs), steps))  # from the step of the first spike on
        at = np.rint(events["times"] / dt).astype(int) - 1
        inside = (at >= 0) & (at < steps)
        values[:, at[inside]] = [events[name][inside] for name in outputs]
        answer.append(values.tolist())
    (folder / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
