"""Cells by name, and those of the user's."""

import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from nestlfp import KernelError, cells

PAGE = (Path(__file__).parents[2] / "docs" / "cells.md").read_text(encoding="utf-8")
SWC = "1 1 {0} 0 {1} 10 -1\n2 1 {0} 0 {2} 10 1\n3 1 {0} 0 {3} 10 2\n4 4 {0} 0 {4} 1 3\n"
ASC = """
("CellBody" (Color Red) (CellBody)
  (   -8.00    -8.00    {0}    0.0)
  (    8.00    -8.00    {0}    0.0)
  (    8.00     8.00    {0}    0.0)
  (   -8.00     8.00    {0}    0.0)
)
( (Color Blue) (Apical)
  (    0.00     0.00    {0}    2.0)
  (    0.00     0.00    {1}    2.0)
  (    0.00    40.00    {2}    2.0)
)
"""


def test_names():
    assert {cells.PYRAMIDAL, cells.INTERNEURON} <= set(cells.names())
    assert cells.cell(cells.PYRAMIDAL).kind == "pyramidal"
    assert cells.cell(cells.INTERNEURON).kind == "interneuron"
    assert cells.cell("ss4").kind == "stellate"
    one = cells.cell("p23")
    assert cells.cell(one) is one


def test_the_table_of_the_page():
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    assert [name.strip("|` ") for name, *_ in rows] == list(cells.names())
    for name, what, area, ends, height, stands_for in rows:
        cell = cells.cell(name.strip("|` "))
        assert float(area.replace(" ", "")) == cell.shape.area
        lowest, highest = map(float, ends.replace("−", "-").split(", "))
        assert (lowest, highest) == (cell.shape.bottom, cell.shape.top)
        assert float(height) == cell.shape.height
        assert cell.source.startswith(f"{what}, ")
        assert f" {stands_for.rstrip(' |')} of Hagen et al. 2016" in cell.source


@pytest.mark.parametrize("name", cells.names())
def test_shapes_are_those_of_the_cells(name):
    pytest.importorskip("LFPy")
    cell = cells.cell(name)
    assert cell.name == name
    assert astuple(cell.shape) == pytest.approx(astuple(cell.measured()), abs=0.51)
    for fact in (name, cell.kind, f"{cell.shape.area:.0f} µm²", f"{cell.shape.height:.0f} µm high"):
        assert fact in repr(cell)


def test_changes_stay_with_who_made_them():
    cells.cell("i4").parameters["passive_parameters"]["g_pas"] = 1.0
    assert cells.cell("i4").parameters["passive_parameters"]["g_pas"] == 1e-4


def test_a_name_starts_no_neuron():
    code = (
        "import sys; from nestlfp import cells; cells.cell('p23'); print('neuron' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout == "False\n"


@pytest.mark.parametrize("at", [0.0, 300.0])
def test_morphologies_of_the_users(tmp_path, at):
    """Wherever their somata are, sizes are relative to them."""
    pytest.importorskip("LFPy")
    swc = tmp_path / "up.swc"
    swc.write_text(SWC.format(at, at - 10, at, at + 10, at + 500))
    found = cells.cell(swc)
    assert found.name == "up"
    assert found.shape is None
    assert found.parameters["passive_parameters"] == cells.PASSIVE["passive_parameters"]
    assert "up.swc" in repr(found)
    area, bottom, top, reach = astuple(found.measured())
    assert (bottom, top) == pytest.approx((-10, 500))
    assert reach == pytest.approx(0, abs=1e-9)
    assert area == pytest.approx(2 * np.pi * (10 * 20 + 1 * 490))  # two cylinders

    asc = tmp_path / "bent.ASC"
    asc.write_text(ASC.format(at, at + 200, at + 200))
    bent = cells.cell(str(asc)).measured()
    assert bent.top == pytest.approx(200, abs=0.1)
    assert bent.reach == pytest.approx(40, abs=0.1)


def test_a_cell_is_not_that_of_before(tmp_path):
    """NEURON makes a template's arrays of sections as long as the last object's became."""
    pytest.importorskip("LFPy")
    swc = tmp_path / "up.swc"
    swc.write_text(SWC.format(0, -10, 0, 10, 500))
    before = cells.cell(swc).measured()
    assert len(cells.cell("p23").made().allsecnames) == 23
    assert cells.cell(swc).measured() == before
    assert len(cells.cell(swc).made().allsecnames) == 2


def test_a_hoc_file_that_fills_the_list(tmp_path):
    pytest.importorskip("LFPy")
    hoc = tmp_path / "ball.hoc"
    text = "create soma[1]\nsoma[0] { all.append() pt3dadd(0, 0, 5, 9) pt3dadd(0, 0, 15, 9) }\n"
    hoc.write_text(text)
    measured = cells.cell(hoc).measured()
    assert astuple(measured) == pytest.approx((np.pi * 9 * 10, -5, 5, 0), abs=1e-6)
    hoc.write_text(text.replace("all.append()", ""))
    with pytest.raises(KernelError, match=r"ball\.hoc', but no template .* calls all.append\(\)"):
        cells.cell(hoc)


def test_arguments_of_lfpy(tmp_path):
    swc = tmp_path / "one.swc"
    swc.write_text(SWC.format(0, -10, 0, 10, 500))
    found = cells.cell({"morphology": swc, "cm": 2.0})
    assert found.parameters["morphology"] == str(swc)
    assert found.parameters["cm"] == 2.0
    assert found.parameters["templatename"] == "NestlfpCell"
    assert "passive" not in found.parameters
    own = {"morphology": swc, "templatefile": "own.hoc", "templatename": "Own"}
    assert cells.cell(own).parameters["templatename"] == "Own"


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("p5", r"one of the library \('p23', 'p4', .*found 'p5'"),
        (3, "found 3"),
        (None, "found None"),
        ("nowhere.swc", "there is no morphology file '.*nowhere.swc'"),
        ({"cm": 1.0}, "needs the file of its morphology.*found None"),
        ({"morphology": "nowhere.swc"}, "there is no morphology file 'nowhere.swc'"),
    ],
)
def test_what_is_no_cell(given, match):
    with pytest.raises(KernelError, match=match):
        cells.cell(given)


def test_a_file_that_is_no_morphology(tmp_path):
    pytest.importorskip("LFPy")
    (tmp_path / "empty.swc").write_text("# nothing\n")
    with pytest.raises(KernelError, match="LFPy cannot make the cell 'empty'"):
        cells.cell(tmp_path / "empty.swc").measured()
