"""Signals: what a recorder or an offline convolution returned, kept in files and handed on."""

from ..errors import SignalError
from .csd import current_source_density
from .files import file_format, load, save
from .layout import FORMAT, checked, describe, pathways, sampling_interval
from .mne import to_mne
from .neo import to_neo
from .nwb import to_nwb
from .sonata import to_sonata
from .spectrum import band_power, spectrogram, spectrum

__all__ = [
    "FORMAT",
    "SignalError",
    "band_power",
    "checked",
    "current_source_density",
    "describe",
    "file_format",
    "load",
    "pathways",
    "sampling_interval",
    "save",
    "spectrogram",
    "spectrum",
    "to_mne",
    "to_neo",
    "to_nwb",
    "to_sonata",
]
