"""The published design, as a rival: a scalar node for each channel and pathway."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from nestlfp.build.modules import compile_module
from nestlfp.nodes.model import Model

SOURCE = Path(__file__).with_name("published_filter.nestml.jinja")


def install(nest: Any, taps: int) -> None:
    """Compile (cached) and load the published filter node for kernels of this length."""
    text = jinja2.Template(SOURCE.read_text(encoding="utf-8")).render(taps=taps)
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder, SOURCE.stem)
        template.write_text(text, encoding="utf-8")
        model = Model(f"published_filter_{taps}", template, ports=1)
        nest.Install(str(compile_module([model])))


def record(
    nest: Any, sources: Iterable[Any], h: NDArray[np.float64], post: int, delay: float
) -> None:
    """A node, sampled every ms, for each row of h (pre, channel, tap) and postsynaptic one."""
    model = f"published_filter_{h.shape[2]}"
    multimeter = nest.Create("multimeter", params={"interval": 1.0, "record_from": ["y"]})
    for source, kernels in zip(sources, h, strict=True):
        for _ in range(post):
            nodes = nest.Create(model, len(kernels))
            nodes.set([{"h": row} for row in kernels])
            nest.Connect(source, nodes, syn_spec={"delay": delay})
            nest.Connect(multimeter, nodes, syn_spec={"delay": delay})
