"""The published design, as a rival: a scalar node for each channel and pathway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from nestlfp.module_cache import compile_module

SOURCE = Path(__file__).with_name("published_filter.nestml.jinja")


def install(nest: Any, taps: int) -> None:
    """Compile (cached) and load the published filter node for kernels of this length."""
    text = jinja2.Template(SOURCE.read_text(encoding="utf-8")).render(taps=taps)
    nest.Install(str(compile_module(f"published_filter_{taps}", text)))


def create(nest: Any, coefficients: NDArray[np.float64]) -> Any:
    """One node for each row of coefficients (node, tap)."""
    nodes = nest.Create(f"published_filter_{coefficients.shape[1]}", len(coefficients))
    nodes.set([{"h": row} for row in coefficients])
    return nodes
