"""Not built yet. NEST 3.10: Spack's own package of it, nest, ends at 3.0."""

from spack_repo.builtin.build_systems.cmake import CMakePackage

from spack.package import *


class NestSimulator(CMakePackage):
    """NEST, a simulator of spiking neural networks, with its Python interface."""

    homepage = "https://www.nest-simulator.org"
    git = "https://github.com/nest/nest-simulator.git"

    license("GPL-2.0-or-later")

    version("3.10", tag="v3.10")

    variant("mpi", default=True, description="Networks on several processes")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.19:", type="build")
    depends_on("pkgconfig", type="build")

    extends("python")
    depends_on("python@3.10:", type=("build", "link", "run"))
    depends_on("py-cython@3:", type="build")
    depends_on("py-setuptools", type="build")
    depends_on("py-numpy", type=("build", "run"))
    depends_on("py-scipy", type="run")
    depends_on("py-pandas", type="run")
    depends_on("py-matplotlib", type="run")

    # Its headers include those of Boost and libltdl, and modules include its headers.
    depends_on("boost", type=("build", "link", "run"))
    depends_on("libtool", type=("build", "link", "run"))
    depends_on("gsl")
    depends_on("mpi", when="+mpi")

    def cmake_args(self):
        """As `cmake -Dwith-mpi=ON` by hand."""
        return [
            self.define_from_variant("with-mpi", "mpi"),
            self.define("with-openmp", True),
            self.define("with-hdf5", False),
            self.define("with-gsl", self.spec["gsl"].prefix),
            self.define("with-ltdl", self.spec["libtool"].prefix),
            self.define("with-boost", self.spec["boost"].prefix),
        ]

    def setup_run_environment(self, env):
        """Modules are compiled with Boost's and libltdl's headers."""
        for name in ("boost", "libtool"):
            env.prepend_path("CPLUS_INCLUDE_PATH", self.spec[name].prefix.include)
