"""A filter bank as files that plain PyNEST can use, without nestlfp.

The extension module knows no kernels: they are parameters of its nodes. `export` writes them as
JSON, ready for ``nest.SetDefaults``, with the ports, delays and outputs that a user needs; and the
NESTML source of the model, with comments that say whose ports and outputs they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..kernels import channel_dim
from .bank import FilterBank


def export(bank: FilterBank, folder: Path, stem: str) -> tuple[Path, Path]:
    """Write ``<stem>.filter.json`` and the model's ``.nestml`` into a folder.

    Parameters
    ----------
    bank : FilterBank
        What to write.
    folder : Path
        Where to; it exists.
    stem : str
        The first part of the file's name, such as the name of the file of kernels.

    Returns
    -------
    parameters, nestml : Path
        The files.
    """
    parameters = folder / f"{stem}.filter.json"
    parameters.write_text(json.dumps(description(bank), default=_plain), encoding="utf-8")
    nestml = folder / Path(bank.filter.options.template).stem
    nestml.write_text(_commented(bank), encoding="utf-8")
    return parameters, nestml


def description(bank: FilterBank) -> dict[str, Any]:
    """All that a user of the module needs to know, as JSON has it.

    Returns
    -------
    dict
        ``model``, ``dt_ms``; ``defaults`` for ``nest.SetDefaults``; ``ports``, the receptor type
        of each population; ``lag_ms``, the lag of each population's first tap, which the
        connection's delay stands for; ``outputs``, what each row of ``expansion @ Y`` is, or each
        output Y itself where ``expansion`` is null.
    """
    filter_ = bank.filter
    c = filter_.coefficients
    expansion = filter_.expansion
    if expansion is not None:  # of the outputs of all groups
        expansion = np.concatenate(filter_.expand(np.eye(filter_.n_outputs)))
    nothing_held = np.zeros(len(bank.ports), dtype=np.int64)
    return {
        "model": bank.model.name,
        "method": filter_.method,
        "dt_ms": bank.kernels.dt,
        "kernels": bank.kernels.fingerprint,
        "defaults": filter_.parameters(bank.model.ports, nothing_held, every=1, until=0),
        "ports": {name: i + 1 for i, name in enumerate(bank.ports)},
        "lag_ms": dict(zip(bank.ports, c.first_lags * c.dt, strict=True)),
        "outputs": _outputs(bank),
        "expansion": expansion,
    }


def _outputs(bank: FilterBank) -> list[dict[str, str]]:
    """Signal, channel, unit and populations of each row of the signals, in their order."""
    kernels, by = bank.kernels, bank.options.by
    rows = []
    for name in kernels.signals:
        array = kernels[name]
        for post in kernels.post if "post" in by else [None]:
            for label in array[channel_dim(name)].values:
                row = {"signal": name, "channel": str(label), "unit": array.attrs["units"]}
                rows.append(row | ({"post": post} if post is not None else {}))
    pre = kernels.pre if "pre" in by else [None]
    return [row | ({"pre": name} if name is not None else {}) for name in pre for row in rows]


def _commented(bank: FilterBank) -> str:
    """The model's source, headed by what its ports and outputs are for these kernels."""
    c = bank.filter.coefficients
    lines = [f"{bank.model.name}, made by nestlfp for these kernels:", ""]
    taps = zip(bank.ports, c.lengths, c.first_lags, strict=True)
    for port, (name, length, lag) in enumerate(taps, start=1):
        lines.append(
            f"port {port}: population {name}, {length} taps of {c.dt:g} ms from lag "
            f"{lag * c.dt:g} ms on"
        )
    for name in bank.kernels.signals:
        labels = map(str, bank.kernels[name][channel_dim(name)].values)
        lines.append(f"signal {name} ({bank.kernels[name].attrs['units']}): {', '.join(labels)}")
    # Names are printable text on one line, so that a comment holds them.
    head = "\n".join(f"# {line}".rstrip() for line in [*lines, ""])
    return f"{head}\n{bank.model.text}"


def _plain(value: Any) -> Any:
    return value.tolist()  # NumPy's arrays and numbers
