"""What the probe classes of LFPykit and LFPykernels, and our own, predict."""

POTENTIAL = ("LFP", "mV")
DIPOLE = ("CDM", "nA µm")
SOURCE_DENSITY = ("CSD", "nA/µm³")
PREDICTS = {
    "GaussCylinderPotential": POTENTIAL,
    "SheetPotential": POTENTIAL,  # ours, see nestlfp.sources.sheets
    "ColumnPotential": POTENTIAL,  # ours, see nestlfp.sources.network
    "PointSourcePotential": POTENTIAL,
    "LineSourcePotential": POTENTIAL,
    "RecExtElectrode": POTENTIAL,
    "RecMEAElectrode": POTENTIAL,
    "OneSphereVolumeConductor": POTENTIAL,
    "CurrentDipoleMoment": DIPOLE,
    "KernelApproxCurrentDipoleMoment": DIPOLE,
    "LaminarCurrentSourceDensity": SOURCE_DENSITY,
    "SliceDensity": SOURCE_DENSITY,  # ours, see nestlfp.sources.network
}
"""Name of a class: (signal, unit). Transmembrane currents are in nA."""
