"""Not built yet. ODE-toolbox, which NESTML needs; filter nodes have no differential equations."""

from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyOdetoolbox(PythonPackage):
    """Solvers and analysis of systems of ordinary differential equations, for NESTML."""

    homepage = "https://ode-toolbox.readthedocs.io"
    git = "https://github.com/nest/ode-toolbox.git"

    license("GPL-2.0-or-later")

    version("3.0.0", tag="v3.0.0")

    depends_on("python@3.10:", type=("build", "run"))
    depends_on("py-setuptools", type="build")
    depends_on("py-cython", type=("build", "run"))
    depends_on("py-numpy", type=("build", "run"))
    depends_on("py-scipy", type=("build", "run"))
    depends_on("py-sympy", type=("build", "run"))
