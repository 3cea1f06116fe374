"""Units as signals and kernels name them in their attributes."""

from __future__ import annotations


def ascii_unit(unit: str) -> str:
    """The unit with "u" for either of the letters that look like mu."""
    return unit.replace("µ", "u").replace("μ", "u")


# By the unit's `ascii_unit`.
VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "nV": 1e-9}
TESLA = {"T": 1.0, "mT": 1e-3, "uT": 1e-6, "nT": 1e-9, "pT": 1e-12, "fT": 1e-15}
RATES = {"1/s", "s⁻¹", "Hz", "spikes/s"}
NA_UM = {f"nA{gap}um" for gap in " *·"}
"""Current dipole moments as LFPykernels has them."""
DIPOLE_MOMENTS = {f"{a}A{gap}{m}m" for a in ("", "u", "n", "p") for gap in " *·" for m in ("", "u")}
