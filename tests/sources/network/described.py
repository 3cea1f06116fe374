"""Networks that are described, and the work that follows from what is said of cells."""

import inspect

import numpy as np

import nestlfp
from nestlfp.sources import network
from nestlfp.sources.network import predicting
from networks import reset

DELAYS = (0.5, 3.0)


def by_arrays(nest, *, threads=1, before=0, seed=5, n=(30, 12), order=("E", "I"), installing=None):
    """A network that does not depend on NEST's random numbers: {"E": ..., "I": ...}."""
    reset(nest, threads=threads)
    if installing is not None:
        nestlfp.install(installing)
    if before:
        nest.Create("iaf_psc_exp", before)
    made = {name: nest.Create("iaf_psc_exp", n["EI".index(name)]) for name in order}
    E, I = made["E"], made["I"]  # noqa: E741
    rng = np.random.default_rng(seed)
    for pre, post, weight in ((E, E, 20), (E, I, 25), (I, E, -90), (I, I, -80)):
        connected(nest, rng, pre, post, 200, weight)
    return {name: made[name] for name in order}


def connected(nest, rng, pre, post, number, weight, **synapse):
    """Connections between random nodes, also of a node to itself and several of a pair."""
    sources = rng.integers(len(pre), size=number) + pre.tolist()[0]
    targets = rng.integers(len(post), size=number) + post.tolist()[0]
    nest.Connect(
        sources,
        targets,
        "one_to_one",
        {
            "weight": weight * rng.normal(1.0, 0.1, number),
            "delay": np.round(rng.uniform(*DELAYS, number), 1),
            **synapse,
        },
    )


def work_of(description, **said):
    """What `network.kernels` makes of what is said, before cells are computed."""
    names = list(inspect.signature(predicting._work).parameters)[1:]
    options = inspect.signature(network.kernels).parameters
    return predicting._work(description, *(said.get(name, options[name].default) for name in names))


def digest(description, **said):
    """Name of the kernels in the cache."""
    return predicting._digest(work_of(description, **said))
