"""What was read for kernels of a network, what was assumed, and how much depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import xarray as xr

from ... import cells as cell_library
from ...errors import KernelError
from ...kernels import KernelSet
from .assumptions import CellType, Column, Placement, cells_of
from .currents import Waveform
from .description import Description, Drive, Pathway, Population
from .predicting import kernels
from .reading import checked_rates, described


def summary(computed: KernelSet) -> str:
    """What kernels are made of, as text: what was read from NEST, and what was assumed.

    Parameters
    ----------
    computed : KernelSet
        Of `nestlfp.sources.network.kernels`, also scaled, projected or from a file.

    Returns
    -------
    str
        To be printed: the tables of the description, and one of cells. It shows for each pathway
        the peak of the potential of one synapse, at the soma of the cell and at the point neuron.

    Raises
    ------
    KernelError
        If the kernels were not computed from a network.
    """
    made = computed.provenance
    if "network" not in made:
        raise KernelError(
            "these kernels were not read from a network in NEST: network.kernels(populations) "
            "computes such"
        )
    assumed = made["assumed"]
    cells = pd.DataFrame(
        [
            {
                "population": cell["population"],
                "cell": cell["cell"],
                "share": f"{cell['share']:.3g}",
                "membrane (µm²)": f"{cell['membrane_um2']:.0f}",
                "from … to (µm)": f"{cell['bottom_um']:.0f} … {cell['top_um']:.0f}",
                "soma (µm)": f"{cell['soma_um']:g} ± {assumed['soma_spread_um']:g}",
                "leak (nS)": f"{cell['leak_nS']:.3g}",
                **(
                    {
                        "synaptic conductance / leak": f"{cell['conductance_over_leak']:.2g}",
                        "mean potential (mV)": f"{cell['mean_potential_mV']:.1f}",
                    }
                    if "conductance_over_leak" in cell
                    else {}
                ),
            }
            for cell in assumed["cells"]
        ]
    )
    potentials = pd.DataFrame(
        [
            {
                "potential of one synapse": f"{row['pre']} → {row['post']}",
                "at the soma of the cell (mV)": f"{row['cell_mV']:.3g}",
                "at the point neuron (mV)": _number(row["point_mV"]),
                "point / cell": _number(row["ratio"]),
            }
            for row in made["pathways"]
        ]
    )
    lines = [
        f"Column of radius {assumed['radius_um']:.0f} µm, conductivity "
        f"{assumed['conductivity_S_per_m']:g} S/m, match={assumed['match']!r}"
    ]
    if silent := _without_signal(computed):
        lines.append(
            f"{', '.join(silent)}: no signal, as of synapses that are spread evenly over a cell: "
            "their current leaves the cell where it enters"
        )
    parts = [
        repr(description_of(computed)),
        "Assumed",
        cells.fillna("").to_string(index=False),
        "\n".join(lines),
        potentials.to_string(index=False),
    ]
    return "\n\n".join(parts)


def _without_signal(computed: KernelSet) -> list[str]:
    """The pathways whose synapses leave nothing but rounding."""
    sizes = [
        abs(array).max([dim for dim in array.dims if dim not in ("pre", "post")])
        for array in (computed[name] for name in computed.signals)
    ]
    nothing = [size <= 1e-9 * size.max() for size in sizes]
    pairs = {(pathway["pre"], pathway["post"]) for pathway in computed.provenance["pathways"]}
    return [
        f"{pre} → {post}"
        for post in computed.post
        for pre in computed.pre
        if (pre, post) in pairs and all(each.sel(pre=pre, post=post) for each in nothing)
    ]


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3g}"


def description_of(computed: KernelSet) -> Description:
    """The network that kernels were computed from, as it was read."""
    given = computed.provenance["network"]

    def restored(kind: Any, values: Mapping[str, Any]) -> Any:
        wave = values["waveform"] and Waveform(**values["waveform"])
        lists = {key: tuple(v) for key, v in values.items() if isinstance(v, list)}
        return kind(**{**values, **lists, "waveform": wave})

    return Description(
        {
            name: Population(**{**values, "varied": tuple(values["varied"])})
            for name, values in given["populations"].items()
        },
        tuple(restored(Pathway, values) for values in given["pathways"]),
        tuple(restored(Drive, values) for values in given["drives"]),
        given["resolution"],
        given["time"],
    )


def alternatives(
    network: Mapping[str, Any] | Description,
    rates: Mapping[str, float],
    contacts: Any = None,
    **said: Any,
) -> xr.DataArray:
    """How much rests on what was assumed: the LFP's size for this choice and for others.

    Kernels are computed for the choice, for other cells, for synapses spread evenly over the
    membrane, for a column twice as wide, and for ``match="potential"``. The size is the standard
    deviation of the LFP if neurons spike independently (`KernelSet.poisson`); what they do together
    makes it larger, for all choices alike.

    Parameters
    ----------
    network : dict of str to nest.NodeCollection, or Description
        As in `kernels`.
    rates : dict of str to float
        Spikes/s of a neuron of each population.
    contacts, **said
        As in `kernels`.

    Returns
    -------
    xarray.DataArray
        Standard deviation (mV) with the dimensions ``(choice, LFP_channel)``.
        `nestlfp.plotting.alternatives` draws it.

    Examples
    --------
    >>> found = network.alternatives({"E": E, "I": I}, {"E": 5.0, "I": 8.0})  # doctest: +SKIP
    >>> found.max("LFP_channel")  # doctest: +SKIP
    """
    description = described(network, said.pop("synapses", None), None)
    given = checked_rates(rates)
    unknown = sorted(set(description.populations) - set(given))
    if unknown:
        raise KernelError(f"rates of {unknown} are missing (spikes/s of a neuron): {given}")
    spikes = {
        name: given[name] * population.size for name, population in description.populations.items()
    }
    said = {**said, "signals": ("LFP",), "rates": given}
    chosen = kernels(description, contacts, **said)
    z = chosen["LFP"]["LFP_z"].values
    own = cells_of(description, said.get("cells"), said.get("layers") or {})
    column = said.get("column") or Column()
    radius = chosen.provenance["assumed"]["radius_um"]
    others: dict[str, dict[str, Any]] = {}
    for post, types in own.items():
        for name in ("p23", "p5_L56", "p6_L4", "i23"):
            like = cell_library.cell(name).kind
            if like == types[0].cell.kind and name != types[0].cell.name:
                others[f"{post}: {name}"] = {"cells": {**own, post: CellType(name)}}
    evenly = Placement()
    others |= {
        "synapses evenly": {"placement": {"excitatory": evenly, "inhibitory": evenly}},
        "twice the radius": {"column": replace(column, radius=2 * radius)},
        "match='potential'": {"match": "potential"},
    }
    found = {"as chosen": chosen.poisson(spikes)["LFP"].sel(moment="sd", drop=True)}
    for choice, changed in others.items():
        other = kernels(description, z, **{**said, **changed})
        found[choice] = other.poisson(spikes)["LFP"].sel(moment="sd", drop=True)
    joined = xr.concat(list(found.values()), dim="choice", combine_attrs="override")
    return joined.assign_coords(choice=list(found)).rename("standard_deviation")
