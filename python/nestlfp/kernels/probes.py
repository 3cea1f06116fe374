"""What the probe classes of LFPykit and LFPykernels predict."""

POTENTIAL = ("LFP", "mV")
DIPOLE = ("CDM", "nA µm")
SOURCE_DENSITY = ("CSD", "nA/µm³")
PREDICTS = {
    "GaussCylinderPotential": POTENTIAL,
    "PointSourcePotential": POTENTIAL,
    "LineSourcePotential": POTENTIAL,
    "RecExtElectrode": POTENTIAL,
    "RecMEAElectrode": POTENTIAL,
    "OneSphereVolumeConductor": POTENTIAL,
    "CurrentDipoleMoment": DIPOLE,
    "KernelApproxCurrentDipoleMoment": DIPOLE,
    "LaminarCurrentSourceDensity": SOURCE_DENSITY,
}
"""Name of a class: (signal, unit). Transmembrane currents are in nA."""
