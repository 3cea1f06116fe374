"""Networks for the tests of kernels that are read from NEST."""

import numpy as np


def two_populations(nest, model="iaf_psc_exp", sizes=(80, 20), weights=(20.0, -100.0), **nodes):
    """E and I with normal weights and delays, connected by arrays: the same for any threads."""
    rng = np.random.default_rng(5)
    populations = {
        "E": nest.Create(model, sizes[0], params=nodes),
        "I": nest.Create(model, sizes[1], params=nodes),
    }
    everybody = np.array(populations["E"].tolist() + populations["I"].tolist())
    for (_, sources), weight, degree in zip(populations.items(), weights, (8, 2), strict=True):
        targets = np.repeat(everybody, degree)
        chosen = rng.choice(sources.tolist(), targets.size)
        nest.Connect(
            chosen,
            targets,
            "one_to_one",
            {
                "weight": weight * rng.uniform(0.8, 1.2, targets.size),
                "delay": 0.1 * rng.integers(5, 30, targets.size),
                "synapse_model": "static_synapse",
            },
        )
    return populations


def from_connections(nest, populations, pre, post):
    """Count by source, mean weight and mean delay of a pathway, connection by connection."""
    found = nest.GetConnections(populations[pre], populations[post])
    read = found.get(["source", "weight", "delay"])
    counts = np.unique(read["source"], return_counts=True)[1]
    weights = np.array(read["weight"])
    return (
        counts.sum() / len(populations[pre]),
        weights.mean(),
        np.average(read["delay"], weights=np.abs(weights)),
    )
