"""Not built yet. nestlfp in an environment of Spack, for clusters with MPI."""

from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyNestlfp(PythonPackage):
    """Brain signals from spiking networks in NEST while they run: LFP, current dipole moment,
    EEG and MEG."""

    license("GPL-3.0-or-later")

    # Of a checkout, with `spack develop`: see packaging/README.md. A release has a url here.
    version("0.1.0")

    variant("mpi", default=True, description="NEST with MPI, and mpi4py")
    variant("stream", default=True, description="Signals to Zarr stores while the network runs")

    depends_on("python@3.10:", type=("build", "run"))
    depends_on("py-hatchling@1.27:", type="build")

    with default_args(type="run"):
        depends_on("py-numpy@1.26:")
        depends_on("py-scipy@1.15:")
        depends_on("py-xarray@2025.3.1:")
        depends_on("py-pandas@2.2:")
        depends_on("py-h5netcdf@1.4:")
        depends_on("py-h5py@3.10:")
        depends_on("py-jinja2@3.1:")
        depends_on("py-filelock@3.12:")
        depends_on("py-packaging@24.2:")
        depends_on("py-tqdm@4.66:")
        depends_on("py-typer@0.20:")
        depends_on("py-platformdirs@4.2.2:")
        depends_on("py-threadpoolctl@3.2:")
        depends_on("py-nestml@9")
        depends_on("nest-simulator@3.9:+mpi", when="+mpi")
        depends_on("nest-simulator@3.9:~mpi", when="~mpi")
        depends_on("py-mpi4py@4.1:", when="+mpi")
        depends_on("py-zarr@3.1.3:", when="+stream")
        # Filter nodes are compiled for this NEST where it is used, with the compiler on the PATH.
        depends_on("cmake@3.19:")
        depends_on("gmake")

    def test_doctor(self):
        """Everything is there; a node is compiled, loaded and simulated."""
        which("nestlfp")("doctor")
