"""What is known of a network: its populations, and what a spike brings to each of them.

A value without NEST: it can be printed, kept, and compared with a paper.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...display import Html, card
from .currents import Waveform

PLASTIC = ("stdp", "clopath", "eprop", "jonke", "urbanczik", "vogels")
"""What the names of synapse models begin with whose weights go on changing."""
SHORT_TERM = ("tsodyks", "quantal_stp", "ht_")
"""The same of those whose spikes weigh more or less after others."""
WITHOUT_CELLS = ("parrot_neuron", "parrot_neuron_ps", "spike_generator")
"""Models that pass spikes on and have no membrane."""


@dataclass(frozen=True)
class Population:
    """The nodes of a population.

    Attributes
    ----------
    size : int
        Number of nodes.
    model : str
        NEST's model; of a copy, the model that it is a copy of.
    parameters : dict of str to float or list of float
        What currents and the membrane depend on, the mean over neurons.
    varied : tuple of str
        Those of `parameters` that are not the same for all neurons.
    read : int
        Number of neurons whose outgoing connections were read.
    outside : float
        Share of their synapses that end at neurons in no population, and leave no signal.
    spatial : bool
        Whether NEST has positions of them.
    rate : float or None
        Spikes/s of a neuron, at which synapses with short-term plasticity were weighed; None for
        a spike after a long silence.
    """

    name: str
    size: int
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    varied: tuple[str, ...] = ()
    read: int = 0
    outside: float = 0.0
    spatial: bool = False
    rate: float | None = None


@dataclass(frozen=True)
class Synapses:
    """Synapses of one kind onto a population.

    Attributes
    ----------
    post : str
        The population.
    receptor : int
        Receptor of NEST's connections.
    weight, weight_sd : float
        Of a connection, in NEST's unit: mean and standard deviation.
    waveform : Waveform or None
        Current or conductance of a connection; None where it is not known.
    scale : float
        Peak of the current (pA) or conductance (nS) of a connection of weight 1.
    unknown : str
        Why the waveform is not known.
    """

    post: str
    receptor: int
    weight: float
    weight_sd: float
    waveform: Waveform | None
    scale: float
    unknown: str

    @property
    def source(self) -> str:
        """Where the spikes come from: a population, or the model of sources outside."""
        raise NotImplementedError

    @property
    def unit(self) -> str | None:
        """Of `peak`: pA of a current, nS of a conductance; None where that is not known."""
        return None if self.waveform is None else self.waveform.unit

    @property
    def peak(self) -> float:
        """Largest current (pA, with its sign) or conductance (nS) of a connection, the mean."""
        assert self.waveform is not None, self.unknown
        weight = self.weight if self.waveform.reversal is None else abs(self.weight)
        return self.waveform.sign * self.scale * weight

    def excitatory(self, rest: float) -> bool:
        """Whether a spike depolarizes a cell that is at rest (mV); where unknown, by the weight."""
        if self.waveform is None:
            return self.weight > 0
        if self.waveform.reversal is None:
            return self.peak > 0
        return self.waveform.reversal > rest

    def current(self) -> str:
        """What a connection brings, for a table."""
        if self.waveform is None:
            return "not known"
        wave = self.waveform
        at = "" if wave.reversal is None else f" to {wave.reversal:g} mV"
        rise = "" if wave.tau_rise is None else f"{wave.tau_rise:g}, "
        return f"{self.peak:.4g} {wave.unit} {wave.shape}({rise}{wave.tau:.4g} ms){at}"


@dataclass(frozen=True)
class Pathway(Synapses):
    """What a spike of `pre` brings to `post` through one kind of synapse.

    Attributes
    ----------
    pre : str
        The presynaptic population.
    synapses, synapses_sd : float
        Connections that a neuron of `pre` makes onto `post`: mean, and standard deviation between
        neurons.
    error : float
        Standard error of what a spike brings, relative to itself; 0 where all were read.
    delays, shares : tuple of float
        Each delay that occurs (ms), and its part of the summed weight.
    models : tuple of str
        NEST's synapse models; of a copy, the model that it is a copy of.
    """

    pre: str
    synapses: float
    synapses_sd: float
    error: float
    delays: tuple[float, ...]
    shares: tuple[float, ...]
    models: tuple[str, ...]

    @property
    def source(self) -> str:
        return self.pre

    @property
    def delay(self) -> float:
        """The mean delay (ms)."""
        return float(np.dot(self.delays, self.shares))

    @property
    def delay_sd(self) -> float:
        """Standard deviation of the delays (ms)."""
        away = np.asarray(self.delays) - self.delay
        return float(np.sqrt(np.dot(away**2, self.shares)))

    @property
    def brought(self) -> float:
        """What a spike brings to `post`, all neurons: charge (fC), or conductance (nS ms)."""
        assert self.waveform is not None, self.unknown
        return self.synapses * self.peak * self.waveform.area

    @property
    def plastic(self) -> bool:
        """Whether the weights go on changing."""
        return any(model.startswith(PLASTIC) for model in self.models)


@dataclass(frozen=True)
class Drive(Synapses):
    """Synapses whose spikes come from no population: of generators, or neurons without a name.

    Attributes
    ----------
    model : str
        NEST's model of the sources.
    sources : int
        How many there are.
    indegree : float
        Connections that a neuron of `post` gets from them, the mean.
    rate : float or None
        Spikes/s over each connection; None where NEST does not have it.
    """

    model: str
    sources: int
    indegree: float
    rate: float | None

    @property
    def source(self) -> str:
        return self.model


@dataclass(frozen=True)
class Description:
    """A network as it is in NEST; `describe` reads one, and ``print`` shows it as a table.

    Attributes
    ----------
    populations : dict of str to Population
        By name.
    pathways : tuple of Pathway
        One for each pair of populations, receptor and sign of the weight.
    drives : tuple of Drive
        Input from outside of the populations.
    resolution : float
        Of NEST (ms).
    time : float
        When it was read (ms of the simulation).
    """

    populations: Mapping[str, Population]
    pathways: tuple[Pathway, ...]
    drives: tuple[Drive, ...]
    resolution: float
    time: float = 0.0

    def onto(self, post: str) -> Iterator[Pathway]:
        """The pathways that end at a population."""
        return (pathway for pathway in self.pathways if pathway.post == post)

    def longest_delay(self, posts: Iterable[str]) -> float:
        """Of all pathways onto these populations (ms)."""
        return max(max(pathway.delays) for post in posts for pathway in self.onto(post))

    def indegree(self, pathway: Pathway) -> float:
        """Connections of the pathway that a neuron of its target gets, the mean."""
        sizes = self.populations
        return pathway.synapses * sizes[pathway.pre].size / sizes[pathway.post].size

    def brought(self, unit: str) -> dict[tuple[str, str], float]:
        """What a spike brings by (pre, post), where it is known and of this unit.

        Populations that are not connected get 0.

        Parameters
        ----------
        unit : {"pA", "nS"}
            Of the synapses: then the charge is in fC, the conductance in nS ms.
        """
        found: dict[tuple[str, str], float] = {}
        other = set()
        for p in self.pathways:
            if p.unit != unit:
                other.add((p.pre, p.post))
            else:
                found[p.pre, p.post] = found.get((p.pre, p.post), 0.0) + p.brought
        if not found:
            return {}
        pairs = [(pre, post) for pre in self.populations for post in self.populations]
        return {pair: found.get(pair, 0.0) for pair in pairs if pair not in other}

    # ------------------------------------------------------------------ for people
    def __repr__(self) -> str:
        head = f"Network read from NEST at {self.time:g} ms, resolution {self.resolution:g} ms"
        tables = [frame.to_string(index=False) for frame in self._tables().values()]
        return "\n\n".join([head, *tables, *(["\n".join(self.notes())] if self.notes() else [])])

    def _repr_html_(self) -> str:
        read = f"at {self.time:g} ms, resolution {self.resolution:g} ms"
        tables = [Html(frame.to_html(index=False)) for frame in self._tables().values()]
        return card("Network", [("read", read), *[("note", n) for n in self.notes()]], *tables)

    def _tables(self) -> dict[str, pd.DataFrame]:
        """Tables for people: of populations, pathways and, where there is some, outer input."""
        tables = {
            "populations": [
                {
                    "population": p.name,
                    "neurons": p.size,
                    "model": p.model,
                    **{key: _as_text(value) for key, value in p.parameters.items()},
                    "sources read": "all" if p.read == p.size else f"{p.read}",
                }
                for p in self.populations.values()
            ],
            "pathways": [
                {
                    "pathway": f"{p.pre} → {p.post}",
                    "synapses per spike": f"{p.synapses:.4g} ± {p.synapses_sd:.2g}",
                    "in-degree": f"{self.indegree(p):.4g}",
                    "weight": f"{p.weight:.4g} ± {p.weight_sd:.2g}",
                    "delay (ms)": f"{p.delay:.4g} ± {p.delay_sd:.2g}",
                    "of one synapse": p.current(),
                    "of a spike": _of_a_spike(p),
                    "s.e.": f"{100 * p.error:.2g} %",
                }
                for p in self.pathways
            ],
            "drives": [
                {
                    "input from outside": f"{d.model} ({d.sources}) → {d.post}",
                    "in-degree": f"{d.indegree:.4g}",
                    "weight": f"{d.weight:.4g} ± {d.weight_sd:.2g}",
                    "of one synapse": d.current(),
                    "spikes/s each": "not known" if d.rate is None else f"{d.rate:.4g}",
                }
                for d in self.drives
            ],
        }
        return {name: pd.DataFrame(rows).fillna("") for name, rows in tables.items() if rows}

    def notes(self) -> list[str]:
        """Notes on the tables, a sentence or two each."""
        found = []
        for name, population in self.populations.items():
            if population.outside > 5e-4:
                found.append(
                    f"{100 * population.outside:.1f} % of the synapses of {name} end at neurons in "
                    "no population. They leave no signal."
                )
            if population.varied:
                found.append(
                    f"Neurons of {name} differ in {', '.join(population.varied)}. "
                    "The means are taken."
                )
            if population.spatial:
                found.append(
                    f"{name} has positions in NEST. They have no unit, and are not used: say "
                    "depths by column=Column(somata=...), or use nestlfp.sources.sheets."
                )
        for p in self.pathways:
            if p.plastic:
                found.append(
                    f"The weights of {p.pre} → {p.post} change ({', '.join(p.models)}). They are "
                    f"those at {self.time:g} ms."
                )
            if any(model.startswith(SHORT_TERM) for model in p.models):
                rate = self.populations[p.pre].rate
                when = "after a long silence" if rate is None else f"at {rate:g} spikes/s, the mean"
                found.append(
                    f"The weights of {p.pre} → {p.post} depend on the spikes before "
                    f"({', '.join(p.models)}). They are those of a spike {when}."
                )
            if p.unknown and self.populations[p.post].model not in WITHOUT_CELLS:
                found.append(p.unknown)
        driven = dict.fromkeys(drive.post for drive in self.drives)
        onto = ", ".join(p for p in driven if self.populations[p].model not in WITHOUT_CELLS)
        if onto:
            found.append(
                f"Input from outside (onto {onto}) leaves no signal. For its signal put a "
                "parrot_neuron between the generator and each neuron, and name the parrots as a "
                "population without cells."
            )
        return found

    # ------------------------------------------------------------------ for programs
    def to_dict(self) -> dict[str, Any]:
        """All of it in JSON's terms."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found

    def to_xarray(self) -> xr.Dataset:
        """The pathways as labelled arrays, along ``pathway``.

        Returns
        -------
        xarray.Dataset
            ``synapses``, ``indegree``, ``weight`` and ``weight_sd`` (in NEST's unit), ``delay`` and
            ``delay_sd`` (ms), ``relative_standard_error``, ``charge`` (fC) or ``conductance``
            (nS ms) of a spike, NaN where it is the other or not known. Coordinates ``pre``,
            ``post`` and ``receptor``.
        """
        columns = {
            "synapses": ("1", [p.synapses for p in self.pathways]),
            "indegree": ("1", [self.indegree(p) for p in self.pathways]),
            "weight": ("unit of NEST", [p.weight for p in self.pathways]),
            "weight_sd": ("unit of NEST", [p.weight_sd for p in self.pathways]),
            "delay": ("ms", [p.delay for p in self.pathways]),
            "delay_sd": ("ms", [p.delay_sd for p in self.pathways]),
            "relative_standard_error": ("1", [p.error for p in self.pathways]),
            "charge": ("fC", [_brought(p, "pA") for p in self.pathways]),
            "conductance": ("nS ms", [_brought(p, "nS") for p in self.pathways]),
        }
        return xr.Dataset(
            {
                name: ("pathway", np.asarray(values, dtype=float), {"units": unit})
                for name, (unit, values) in columns.items()
            },
            coords={
                "pathway": [f"{p.pre} → {p.post}" for p in self.pathways],
                "pre": ("pathway", [p.pre for p in self.pathways]),
                "post": ("pathway", [p.post for p in self.pathways]),
                "receptor": ("pathway", [p.receptor for p in self.pathways]),
            },
            attrs={"resolution_ms": self.resolution, "time_ms": self.time},
        )


def _brought(pathway: Pathway, unit: str) -> float:
    return pathway.brought if pathway.unit == unit else np.nan


def _of_a_spike(pathway: Pathway) -> str:
    if pathway.unit is None:
        return ""
    return f"{1e-3 * pathway.brought:.4g} {'pC' if pathway.unit == 'pA' else 'nS s'}"


def _as_text(value: Any) -> str:
    return ", ".join(f"{each:.4g}" for each in np.atleast_1d(value))
