"""Signals: what a recorder or an offline convolution returned, kept in files and handed on."""

from ..errors import SignalError
from .layout import (
    FORMAT,
    checked,
    describe,
    file_format,
    load,
    pathways,
    sampling_interval,
    save,
    to_neo,
    to_nwb,
)

__all__ = [
    "FORMAT",
    "SignalError",
    "checked",
    "describe",
    "file_format",
    "load",
    "pathways",
    "sampling_interval",
    "save",
    "to_neo",
    "to_nwb",
]
