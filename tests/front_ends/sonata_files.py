"""A small network in SONATA's files, for bmtk and for NEST."""

import json

import numpy as np
from bmtk.builder.networks import NetworkBuilder
from bmtk.utils.reports.spike_trains import PoissonSpikeGenerator

DURATION = 152.0
SIZES = {"e": 40, "i": 10}
STATIC = {"model_template": "static_synapse", "dynamics_params": "synapse.json"}


def write(folder, *, seed=1):
    """Write the network, its input and its configuration, whose path is returned.

    The population ``cortex`` has neurons e and i, in turns; ``thalamus`` is their input, with
    delays that are shorter than those within ``cortex``.
    """
    rng = np.random.default_rng(seed)
    cortex = NetworkBuilder("cortex")
    for kind, n in {"e": 15, "i": 10, "e ": 25}.items():
        cortex.add_nodes(
            N=n,
            ei=kind.strip(),
            model_type="point_neuron",
            model_template="nest:iaf_psc_exp",
            dynamics_params="neuron.json",
        )
    for kind, weight, delay in (("e", 25.0, 0.7), ("i", -110.0, 2.3)):
        cortex.add_edges(
            source={"ei": kind},
            target=cortex.nodes(),
            connection_rule=lambda source, target: int(rng.random() < 0.2),
            syn_weight=weight,
            delay=delay,
            **STATIC,
        )
    thalamus = NetworkBuilder("thalamus")
    thalamus.add_nodes(N=50, model_type="virtual")
    thalamus.add_edges(
        source=thalamus.nodes(),
        target=cortex.nodes(),
        connection_rule=lambda source, target: int(source.node_id == target.node_id),
        syn_weight=6000.0,
        delay=0.4,
        **STATIC,
    )
    for network in (cortex, thalamus):
        network.build()
        network.save(output_dir=str(folder / "network"))
    (folder / "models").mkdir()
    (folder / "models" / "neuron.json").write_text(json.dumps({"tau_syn_ex": 0.5}))
    (folder / "models" / "synapse.json").write_text("{}")
    spikes = PoissonSpikeGenerator(population="thalamus", seed=seed)
    spikes.add(node_ids=range(50), firing_rate=200.0, times=(0.001, DURATION / 1000.0))
    spikes.to_sonata(str(folder / "input.h5"))
    config = {
        "manifest": {"$BASE_DIR": str(folder)},
        "target_simulator": "NEST",
        "run": {"tstop": DURATION, "dt": 0.1, "n_thread": 2},
        "components": {
            "point_neuron_models_dir": "$BASE_DIR/models",
            "synaptic_models_dir": "$BASE_DIR/models",
        },
        "inputs": {
            "thalamus": {
                "input_type": "spikes",
                "module": "sonata",
                "input_file": "$BASE_DIR/input.h5",
                "node_set": "thalamus",
            }
        },
        "output": {"output_dir": "$BASE_DIR/output", "spikes_file": "spikes.h5"},
        "networks": {
            "nodes": [files(name, "node") for name in ("cortex", "thalamus")],
            "edges": [files(name, "edge") for name in ("cortex_cortex", "thalamus_cortex")],
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


def files(name, kind):
    """Where the nodes or edges of this name are, as the configuration says it."""
    path = f"$BASE_DIR/network/{name}_{kind}"
    return {f"{kind}s_file": f"{path}s.h5", f"{kind}_types_file": f"{path}_types.csv"}
