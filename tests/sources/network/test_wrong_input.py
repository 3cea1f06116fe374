"""What is said wrongly to `network.kernels`: told before cells are computed, or by the cells."""

import os

import numpy as np
import pytest
from described import by_arrays, work_of

import nestlfp
from nestlfp.sources import mechanisms, network
from nestlfp.sources.network import CellType, Column, Placement, Synapse, computing
from nests import quieten

KERNEL, NETWORK = nestlfp.KernelError, nestlfp.NetworkError
LAYERS = {"upper": (0.0, 400.0), "lower": (-400.0, 0.0)}


@pytest.fixture(scope="module")
def descriptions():
    """Networks with currents, with conductances, and with a population that gets no synapses."""
    import nest

    quieten(nest)
    found = {"currents": network.describe(by_arrays(nest))}
    nest.ResetKernel()
    E, X = nest.Create("iaf_cond_exp", 5), nest.Create("iaf_cond_exp", 2)
    noise = nest.Create("gamma_sup_generator")
    nest.Connect(X, E, syn_spec={"weight": 1.0})
    found["without rates"] = network.describe({"E": E, "X": X})
    nest.Connect(noise, E, syn_spec={"weight": 1.0})
    found["conductances"] = network.describe({"E": E, "X": X})
    by_hand = Synapse(peak=1.0, reversal=0.0)
    nest.ResetKernel()
    T = nest.Create("iaf_chxk_2008", 5)
    nest.Connect(T, T, "all_to_all", {"weight": 1.0})
    found["by hand"] = network.describe({"T": T}, synapses=by_hand)
    nest.ResetKernel()
    return found


@pytest.mark.parametrize(
    ("said", "told", "error"),
    [
        # cells
        ({"cells": {"E": "p5", "I": None}}, "a cell is one of the library.*'p5_L23'.*'p5'", KERNEL),
        ({"cells": {"E": "nowhere.swc"}}, "no morphology file", KERNEL),
        ({"cells": {"E": 5}}, "a cell is one of the library", KERNEL),
        ({"cells": {"X": "i4"}}, r"cells must be a dict by population of \['E', 'I'\].*X", KERNEL),
        ({"cells": ["i4"]}, "cells must be a dict by population", KERNEL),
        ({"cells": {"E": None, "I": None}}, "nothing that could leave a signal", KERNEL),
        ({"cells": {"E": [CellType("i4", 0.5)]}}, "'E' must add up to 1, found 0.5", KERNEL),
        (
            {"cells": {"E": CellType("i4", synapses={"TC": 1.0})}},
            r"'E' names presynaptic populations \['TC'\], known are \['E', 'I'\]",
            KERNEL,
        ),
        (
            {"cells": {"E": CellType("i4", placement={"I": "soma"})}},
            "from 'I' on a cell type of 'E' must be a Placement, found 'soma'",
            KERNEL,
        ),
        # placement and layers
        ({"placement": {"E": Placement()}}, r"placement is by \(pre.*found 'E'", KERNEL),
        ({"placement": {("E", "X"): Placement()}}, r"found \('E', 'X'\)", KERNEL),
        ({"placement": {("E", "I"): "soma"}}, r"\('E', 'I'\)\] must be a Placement", KERNEL),
        ({"placement": Placement()}, r"placement must be a dict such as \{\('E', 'I'\)", KERNEL),
        (
            {"placement": {("E", "I"): Placement(layers={"upper": 1.0})}},
            r"kernels\(\.\.\., layers=\{'L2/3': \(top, bottom\)",
            KERNEL,
        ),
        ({"layers": [0.0, 100.0]}, "layers must be a dict such as", KERNEL),
        ({"layers": {"upper": 400.0}}, "'upper' must have two different depths", KERNEL),
        ({"layers": {"upper": (0.0, "x")}}, "boundaries of layer 'upper'", KERNEL),
        ({"layers": {"upper": (0.0, 0.4)}}, "layer 'upper' must be in µm", KERNEL),
        # column
        ({"column": 150.0}, r"column must be a Column\(radius=.*150", KERNEL),
        ({"column": Column(somata={"E": 0.0})}, r"missing \['I'\], unknown \[\]", KERNEL),
        ({"column": Column(somata={"E": 0.0, "I": 0.0, "X": 1.0})}, r"unknown \['X'\]", KERNEL),
        # contacts
        ({"contacts": []}, "contacts must be finite depths", KERNEL),
        ({"contacts": [0.0, 0.1, 0.2]}, "contacts must be in µm.*millimetres", KERNEL),
        ({"contacts": np.array([0.0, 100.0, np.nan])}, "contacts", KERNEL),
        ({"contacts": [0.0, "a"]}, "contacts must be real numbers, found text", KERNEL),
        ({"contacts": "a"}, "contacts must be real numbers, found text", KERNEL),
        ({"contacts": [[0.0, 0.0, 0.0], [10.0, 0.0, 100.0]]}, "on the axis.*sheets", KERNEL),
        ({"contacts": [[1.0, 2.0], [3.0, 4.0]]}, "shape", KERNEL),
        ({"contacts": [[0.0, 1.0], [0.0]]}, "contacts must be an array of real numbers", KERNEL),
        # choices
        ({"signals": "EEG"}, r"kernels\.project\(head, to='EEG'", KERNEL),
        ({"signals": ()}, "signals must be of", KERNEL),
        ({"signals": ("LFP", "LFP")}, "signals must be of", KERNEL),
        ({"signals": 5}, "signals must be of.*found 5", KERNEL),
        ({"signals": [["LFP"]]}, "signals must be of", KERNEL),
        ({"match": "charge"}, "match must be one of .*'current', 'potential'.*'charge'", KERNEL),
        ({"conductances": None}, "conductances must be one of", KERNEL),
        # numbers
        ({"conductivity": 0.0}, "conductivity must be a positive number of S/m", KERNEL),
        ({"conductivity": "0.3"}, "conductivity must be a positive number", KERNEL),
        ({"dt": 0.1}, r"dt must be a power of two, such as 2\*\*-4, found 0.1", KERNEL),
        ({"dt": 0.0}, "dt must be a positive number of ms", KERNEL),
        ({"tau": 2.0}, "tau = 2 ms is not longer than the longest delay, 3 ms", KERNEL),
        ({"tau": -1.0}, "tau must be a positive number of ms", KERNEL),
        ({"tau": "50"}, "tau must be a positive number of ms", KERNEL),
        ({"rates": {"E": np.nan}}, "rate of 'E' must be 0 or more spikes/s, found nan", KERNEL),
        ({"rates": {"E": -1.0}}, "rate of 'E' must be 0 or more spikes/s, found -1", KERNEL),
        ({"rates": {"E": [1.0, 2.0]}}, "rate of 'E' must be one number", KERNEL),
        ({"rates": {"E": "fast"}}, "rate of 'E' must be real numbers", KERNEL),
        ({"rates": {"X": 1.0}}, r"rates has 'X', which is not among \['E', 'I'\]", KERNEL),
        ({"rates": 5.0}, "rates must be a dict such as", KERNEL),
    ],
    ids=str,
)
def test_said_wrongly(descriptions, said, told, error):
    with pytest.raises(error, match=told):
        work_of(descriptions["currents"], **said)


@pytest.mark.parametrize(
    ("description", "said", "told", "error"),
    [
        (
            "without rates",
            {},
            r"X → E are conductances.*rates=\{'X': .*network\.rates\(.*ResetKernel",
            NETWORK,
        ),
        (
            "conductances",
            {"rates": {"X": 1.0}},
            r"gamma_sup_generator → E are conductances.*rates=\{'gamma_sup_generator': ",
            NETWORK,
        ),
        ("without rates", {"cells": {"X": "i4"}}, r"'X' .* gets no synapses from the pop", KERNEL),
        (
            "by hand",
            {"rates": {"T": 1.0}, "match": "potential"},
            "match='potential' is not possible for 'T'.*'iaf_chxk_2008'.*match='current'",
            KERNEL,
        ),
        (
            "by hand",
            {"rates": {"T": 1.0}, "conductances": "relative"},
            "conductances='relative' is not possible for 'T'.*'absolute'",
            KERNEL,
        ),
    ],
)
def test_what_the_network_does_not_allow(descriptions, description, said, told, error):
    with pytest.raises(error, match=told):
        work_of(descriptions[description], **said)


def test_said_wrongly_of_processes_and_of_a_description(descriptions):
    read = descriptions["currents"]
    for processes in (-1, 2.0, "two"):
        with pytest.raises(KERNEL, match="processes must be a whole number"):
            network.kernels(read, processes=processes)
    with pytest.raises(KERNEL, match="give synapses to describe"):
        network.kernels(read, synapses=Synapse(peak=1.0))
    for given in (None, 5, [read]):
        with pytest.raises(NETWORK, match="populations must be a dict"):
            network.kernels(given)


@pytest.mark.parametrize(
    ("made", "arguments", "told"),
    [
        (Placement, {"sections": 5}, "sections must be names"),
        (Placement, {"sections": []}, "sections must be names"),
        (Placement, {"depths": [(100.0, -100.0)]}, "depths must be intervals"),
        (Placement, {"depths": (0.0, 100.0)}, "depths must be intervals"),
        (Placement, {"depths": [("a", "b")]}, "depths must be real numbers"),
        (Placement, {"depths": [(0.0, np.nan)]}, "depths must be intervals"),
        (Placement, {"layers": [0.5, 0.5]}, "layers must be a dict"),
        (Placement, {"layers": {"L1": -0.5, "L2": 1.5}}, "must be 0 or more"),
        (Placement, {"layers": {"L1": "half"}}, "shares of layers must be real"),
        (Column, {"radius": 0.0}, "radius of the column must be a positive number of µm"),
        (Column, {"radius": "wide"}, "radius of the column must be a positive number"),
        (Column, {"radius": 0.5}, "radius of the column must be in µm"),
        (Column, {"somata": np.inf}, "somata must be finite"),
        (Column, {"somata": {"E": [1.0, 2.0]}}, "somata must be"),
        (Column, {"somata": "deep"}, "somata must be"),
        (Column, {"spread": -1.0}, "spread must be 0 or more"),
        (Column, {"spread": [1.0, 2.0]}, "spread must be"),
        (Column, {"spread": None}, "spread must be"),
        (CellType, {"cell": "i4", "share": 0.0}, "share of a cell type must be more than 0"),
        (CellType, {"cell": "i4", "share": "all"}, "share of a cell type"),
        (CellType, {"cell": "i5000"}, "a cell is one of the library"),
        (CellType, {"cell": "i4", "synapses": 0.5}, "synapses of a cell type must be a dict"),
        (CellType, {"cell": "i4", "synapses": {"E": "x"}}, "synapses of a cell type must be real"),
        (CellType, {"cell": "i4", "placement": Placement()}, "placement of a cell type must be"),
        (CellType, {"cell": "i4", "rotation": {"x": None}}, "rotation of a cell type must be"),
    ],
    ids=str,
)
def test_values_without_sense(made, arguments, told):
    with pytest.raises(KERNEL, match=told):
        made(**arguments)


# ---------------------------------------------------------------------- told by the cells
def swc(path, top=200.0):
    """A soma and a straight dendrite."""
    points = [(1, 1, 0, -5, -1), (2, 1, 0, 5, 1), (3, 3, 0, 10, 2), (4, 3, 0, top, 3)]
    lines = [f"{i} {kind} {x} 0 {z} {5 if kind == 1 else 1} {of}" for i, kind, x, z, of in points]
    path.write_text("\n".join(lines))
    return str(path)


@pytest.mark.compile
@pytest.mark.parametrize(
    ("changes", "said", "told"),
    [
        ({}, {"placement": {"excitatory": Placement("axon")}}, "no membrane of 'axon'"),
        (
            {},
            {"placement": {"excitatory": Placement("dend", [(500.0, 600.0)])}},
            "cell 'cell' of 'E' has no membrane of 'dend' at the depths.*relative to its soma.*"
            "another placement",
        ),
        (
            {},
            {"placement": {"inhibitory": Placement(layers={"lower": 0.5, "upper": 0.5})},
             "layers": {"upper": (0.0, 400.0), "lower": (-900.0, -400.0)}},
            "'cell' of 'E' gets synapses in lower.*has no membrane",
        ),
        (
            {},
            {"placement": {"inhibitory": Placement(layers={"L1": 1.0})}, "layers": LAYERS},
            r"unknown layers \['L1'\], known are \['upper', 'lower'\]",
        ),
        (
            {},
            {"placement": {"inhibitory": Placement(layers={"upper": 0.3})}, "layers": LAYERS},
            "shares of layers must .*add up to 1",
        ),
        ({"passive": False}, {}, "cell 'cell' of 'E' is not passive: it needs the leak 'pas'"),
        ({"cm": 0.0}, {}, "without capacitance"),
        ({"passive_parameters": {"g_leak": 1.0}}, {}, "'cell' of 'E' cannot be made"),
        ({}, {"contacts": [100.0], "signals": "CSD"}, "needs two contacts or more"),
        ({}, {"contacts": [100.0, 0.0, 100.0], "signals": "CSD"}, "each of another depth"),
    ],
)  # fmt: skip
def test_told_by_the_cells(descriptions, tmp_path, changes, said, told):
    cell = {
        "morphology": swc(tmp_path / "cell.swc"),
        **nestlfp.cells.PASSIVE,
        "passive_parameters": {"g_pas": 1e-4, "e_pas": -65.0},
        **changes,
    }
    work = work_of(descriptions["currents"], cells={"E": cell, "I": None}, **said)
    mechanisms.load()
    with pytest.raises(KERNEL, match=told):
        computing.computed(work, 0, False)


@pytest.mark.compile
def test_an_error_of_the_cells_reaches_the_user(descriptions):
    nowhere = {"excitatory": Placement("axon")}
    with pytest.raises(KERNEL, match="no membrane of 'axon'") as raised:
        network.kernels(descriptions["currents"], cells={"E": "i4", "I": None}, placement=nowhere)
    assert raised.value.__cause__ is None or raised.value.__suppress_context__


def test_a_network_is_as_it_was_after_an_error(nest):
    nodes = by_arrays(nest)
    before, threads = (nest.network_size, nest.num_connections), os.environ.get("OMP_NUM_THREADS")
    with pytest.raises(KERNEL, match="'X'"):
        network.kernels(nodes, cells={"X": "i4"})
    assert (nest.network_size, nest.num_connections) == before
    assert not nest.GetDefaults("static_synapse")["receptor_type"]
    assert os.environ.get("OMP_NUM_THREADS") == threads
