"""What the probe classes of LFPykit and LFPykernels predict."""

POTENTIAL = ("LFP", "mV")
DIPOLE = ("CDM", "nA µm")
PREDICTS = {
    "GaussCylinderPotential": POTENTIAL,
    "PointSourcePotential": POTENTIAL,
    "LineSourcePotential": POTENTIAL,
    "RecExtElectrode": POTENTIAL,
    "RecMEAElectrode": POTENTIAL,
    "OneSphereVolumeConductor": POTENTIAL,
    "CurrentDipoleMoment": DIPOLE,
    "KernelApproxCurrentDipoleMoment": DIPOLE,
}
"""Name of a class: (signal, unit). Transmembrane currents are in nA."""
