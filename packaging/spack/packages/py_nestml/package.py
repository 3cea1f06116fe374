"""Not built yet. NESTML, which turns the text of a filter node into C++."""

from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyNestml(PythonPackage):
    """NESTML: models of neurons and synapses, turned into code for NEST."""

    homepage = "https://nestml.readthedocs.io"
    git = "https://github.com/nest/nestml.git"

    license("GPL-2.0-or-later")

    version("9.0.0", tag="v9.0.0")

    depends_on("python@3.10:", type=("build", "run"))
    depends_on("py-setuptools", type=("build", "run"))
    depends_on("py-antlr4-python3-runtime@4.13.2", type=("build", "run"))
    depends_on("py-astropy", type=("build", "run"))
    depends_on("py-jinja2@2.10:", type=("build", "run"))
    depends_on("py-numpy", type=("build", "run"))
    depends_on("py-odetoolbox@3:", type=("build", "run"))
    depends_on("py-scipy", type=("build", "run"))
    depends_on("py-semver", type=("build", "run"))
    depends_on("py-sympy", type=("build", "run"))
    depends_on("py-typing-extensions", type=("build", "run"), when="^python@:3.11")
