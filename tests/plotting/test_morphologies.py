"""Cells side by side."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from nestlfp import KernelError, cells, plotting

pytest.importorskip("LFPy")


def drawn(figure):
    """Corners of each cell (µm) and its name, from left to right."""
    (ax,) = figure.axes
    boxes = []
    for lines in ax.collections:
        assert isinstance(lines, LineCollection)
        points = np.concatenate(lines.get_segments())
        boxes.append((points.min(axis=0), points.max(axis=0)))
    return boxes, [text.get_text() for text in ax.texts[: len(boxes)]]


def test_the_library_to_scale():
    figure = plotting.cells()
    boxes, names = drawn(figure)
    assert tuple(names) == cells.names()
    for name, (low, high) in zip(names, boxes, strict=True):
        shape = cells.cell(name).shape
        assert (low[1], high[1]) == pytest.approx((shape.bottom, shape.top), abs=1.0)
    for (_, left), (right, _) in pairwise(boxes):
        assert left[0] < right[0]
    figure.draw_without_rendering()
    (ax,) = figure.axes
    labels = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in pairwise(labels))
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["pyramidal", "stellate", "interneuron"]
    assert ax.get_aspect() == 1.0


def test_one_of_the_users(tmp_path):
    swc = tmp_path / "a_rather_long_name_of_a_cell.swc"
    swc.write_text("1 1 0 0 0 10 -1\n2 1 0 0 10 10 1\n3 4 0 0 500 1 2\n")
    boxes, names = drawn(plotting.cells(swc))
    assert len(boxes) == 1
    assert names[0].startswith("a_rather")
    assert len(names[0]) <= 16
    boxes, _ = drawn(plotting.cells([cells.cell("i4"), swc]))
    assert len(boxes) == 2


def test_what_cannot_be_drawn():
    with pytest.raises(KernelError, match="there is no cell to draw"):
        plotting.cells([])
    with pytest.raises(KernelError, match="one of the library"):
        plotting.cells("nothing")
