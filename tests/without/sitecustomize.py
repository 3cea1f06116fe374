"""Python without some of its packages: NESTLFP_WITHOUT=zarr,neo, and this folder on PYTHONPATH.

Python imports this file as it starts, in every process. Neither the packages are found then, nor
what pip has noted of them.
"""

import os
from importlib.machinery import PathFinder

HIDDEN = set(filter(None, os.environ.get("NESTLFP_WITHOUT", "").lower().split(",")))
find_spec, find_distributions = PathFinder.find_spec, PathFinder.find_distributions


def other_spec(_, name, *where):
    return None if name.partition(".")[0].lower() in HIDDEN else find_spec(name, *where)


def other_distributions(_, *context):
    for found in find_distributions(*context):
        if found.name.lower().replace("-", "_") not in HIDDEN:
            yield found


if HIDDEN:
    PathFinder.find_spec = classmethod(other_spec)
    PathFinder.find_distributions = classmethod(other_distributions)
