"""Signals in bmtk's PointNet: models for NEST, populations by their properties, a report.

Nothing here imports bmtk; it uses what bmtk's networks and simulators offer to scripts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ._types import Ints
from .build.prebuilt import obtain
from .errors import NetworkError
from .filters.options import Method
from .kernels import KernelSet, NeuronKernels
from .nodes.bank import FilterBank, modes_of
from .runtime.install import models_for
from .runtime.recorder import FieldRecorder
from .signals.sonata import contact_table, one_signal, to_sonata
from .simulator import Simulator


def install(
    network: Any,
    kernels: KernelSet | NeuronKernels | FilterBank | None = None,
    *,
    ports: int | None = None,
    method: str | Method | None = None,
) -> None:
    """Have a PointNet network load the models of filter nodes, as `nestlfp.install` does in NEST.

    To be called before ``PointSimulator.from_config``, which resets NEST and builds the nodes.

    Parameters
    ----------
    network : bmtk.simulator.pointnet.PointNetwork
    kernels, ports, method : optional
        As those of `nestlfp.install`.

    Raises
    ------
    KernelError
        If these are no kernels, or there is no such method.
    ToolchainError
        If NEST, a compiler or another tool is missing.
    """
    models = models_for(kernels, ports, method)
    module = Simulator().ranks.on_root(lambda: obtain(models))
    network.add_nest_module(str(module.path))


def populations(network: Any, selections: Mapping[str, Any]) -> dict[str, Ints | None]:
    """NEST's ids of populations that are given by SONATA's names and properties.

    To be called after ``PointSimulator.from_config``, which creates the nodes.

    Parameters
    ----------
    network : bmtk.simulator.pointnet.PointNetwork
    selections : dict of str to str, dict or None
        For each of the kernels' populations the name of a SONATA population, or properties of
        nodes with a value or a list of values, such as ``{"population": "V1", "ei": ["e"]}``; None
        where the network has none. Properties are columns of the tables of nodes and node types.

    Returns
    -------
    dict of str to ndarray of int, shape (neuron,)
        In the order of the node ids; by SONATA population, in the order of their names, where there
        are several.

    Raises
    ------
    NetworkError
        If no neuron is selected, or there is no such population or property.
    """
    if not isinstance(selections, Mapping):
        raise NetworkError(
            "populations must be a dict such as {'E': {'population': 'V1', 'ei': 'e'}}, found "
            f"{selections!r}"
        )
    nodes = network.node_properties().rename_axis(["population", "node_id"]).reset_index()
    known = [str(name) for name in nodes["population"].unique()]
    neurons = nodes[nodes["model_type"] != "virtual"].sort_values(["population", "node_id"])
    found: dict[str, Ints | None] = {}
    for name, selection in selections.items():
        if selection is None:
            found[name] = None
            continue
        wanted = {"population": selection} if isinstance(selection, str) else selection
        if not isinstance(wanted, Mapping) or not set(wanted) <= set(nodes.columns):
            raise NetworkError(
                f"population {name!r} must be the name of a SONATA population or properties of its "
                f"nodes, found {selection!r}: there are the properties {list(nodes.columns)}"
            )
        selected = neurons
        for key, value in wanted.items():
            selected = selected[selected[key].isin(value if np.ndim(value) else [value])]
        if selected.empty:
            raise NetworkError(
                f"population {name!r}: no neuron has {dict(wanted)!r}. There are the populations "
                f"{known}; the nodes of a virtual one are generators, which bmtk makes when it "
                "runs: give None, and add the signal of their spikes by nestlfp.activity.convolve"
            )
        found[name] = _nest_ids(network, selected)
    return found


def _nest_ids(network: Any, selected: Any) -> Ints:
    made = network.gid_map.populations
    missing = [name for name in selected["population"].unique() if name not in made]
    if missing:
        raise NetworkError(
            f"the nodes of {missing} are not there yet: call PointSimulator.from_config(config, "
            "network) first"
        )
    parts = [
        network.gid_map.get_nestids(name, rows["node_id"].to_numpy())
        for name, rows in selected.groupby("population")
    ]
    return np.concatenate(parts).astype(np.int64)


class FieldReport:
    """A report of bmtk: a `FieldRecorder` while PointNet runs, and a file ``ecp.h5`` at its end.

    Parameters
    ----------
    kernels : KernelSet, NeuronKernels or FilterBank
        Kernels at the configuration's ``dt``.
    selections : dict of str to str, dict or None
        Who is in each of the kernels' populations, see `populations`.
    file_name : path, optional
        Where the signal is written by `nestlfp.signals.to_sonata`; where it is not absolute, it is
        below the configuration's ``output_dir``. Default: nowhere.
    signal : str, optional
        Which signal is written. Default: the only one.
    electrodes : path, optional
        Where the positions of the contacts are written, likewise.
    **options
        Of `FieldRecorder`, such as ``interval``.

    Attributes
    ----------
    recorder : FieldRecorder or None
        None until the simulator runs.

    Raises
    ------
    KernelError
        If these are no kernels.
    SignalError
        If the file could not hold the signal: of several signals none is chosen, contributions are
        kept apart, or positions of contacts are not known.

    Examples
    --------
    >>> nestlfp.bmtk.install(network)  # doctest: +SKIP
    >>> simulator = pointnet.PointSimulator.from_config(config, network)  # doctest: +SKIP
    >>> report = nestlfp.bmtk.FieldReport(kernels, {"E": {"ei": "e"}, "I": {"ei": "i"}}, "ecp.h5")
    ... # doctest: +SKIP
    >>> simulator.add_mod(report)  # doctest: +SKIP
    >>> simulator.run()  # doctest: +SKIP
    >>> report.signals()["LFP"].plot.line(x="time")  # doctest: +SKIP
    """

    def __init__(
        self,
        kernels: KernelSet | NeuronKernels | FilterBank,
        selections: Mapping[str, Any],
        file_name: str | os.PathLike[str] | None = None,
        *,
        signal: str | None = None,
        electrodes: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        if file_name is not None:  # errors that `to_sonata` would have after the run
            bank = kernels if isinstance(kernels, FilterBank) else None
            modes = modes_of(kernels) if bank is None else bank.kernels
            by = options.get("by", ()) if bank is None else bank.options.by
            array = one_signal(modes.convolve({}, modes.dt, by=by), signal)
            if electrodes is not None:
                contact_table(array)
        self.recorder: FieldRecorder | None = None
        self._kernels, self._selections, self._options = kernels, selections, options
        self._file_name, self._signal, self._electrodes = file_name, signal, electrodes

    def signals(self) -> xr.Dataset:
        """The signals so far, see `FieldRecorder.signals`."""
        if self.recorder is None:
            raise NetworkError(
                "there are no signals yet: simulator.add_mod(report), then simulator.run()"
            )
        return self.recorder.signals()

    # ------------------------------------------------------------------ called by bmtk
    def initialize(self, sim: Any) -> None:
        """Make the recorder before the first run."""
        if self.recorder is None:
            found = populations(sim.net, self._selections)
            self.recorder = FieldRecorder(self._kernels, found, **self._options)

    def finalize(self, sim: Any) -> None:
        """Write the signal after each run."""
        if (name := self._file_name) is None:
            return
        folder, signals = Path(sim.output_dir), self.signals()
        Simulator().ranks.on_root(
            lambda: to_sonata(
                signals,
                folder / name,
                signal=self._signal,
                electrodes=None if self._electrodes is None else folder / self._electrodes,
                overwrite=True,
            )
        )
