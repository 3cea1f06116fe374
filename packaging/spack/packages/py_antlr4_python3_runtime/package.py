"""Not built yet. ANTLR's runtime, of just the version that NESTML's grammar was compiled with."""

from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyAntlr4Python3Runtime(PythonPackage):
    """What parsers that ANTLR 4 generated need at run time."""

    homepage = "https://www.antlr.org"
    git = "https://github.com/antlr/antlr4.git"

    license("BSD-3-Clause")

    version("4.13.2", tag="4.13.2")

    build_directory = "runtime/Python3"

    depends_on("python@3.10:", type=("build", "run"))
    depends_on("py-setuptools", type="build")
