"""How Sphinx builds the site: `make docs`."""

import hashlib
import operator
import os
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parent
ROOT = DOCS.parent
BUILT = ROOT / "out" / "docs"
sys.path[:0] = [str(DOCS / "_ext"), str(ROOT / "python")]
# Notebooks run in processes of their own, with the package of this checkout, and quietly.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT / "python"), *filter(None, [os.environ.get("PYTHONPATH")])]
)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")

import versions
from inventories import reachable

import nestlfp
from nestlfp.paths import cache_dir

project = "nestlfp"
author = "the nestlfp developers"
project_copyright = f"{author}. GPL-3.0-or-later"
version = release = nestlfp.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_codeautolink",
    "sphinxcontrib.bibtex",
    "citing",
    "commands",
    "mathml",
    "notebooks",
    "pictures",
]
exclude_patterns = ["_*", "**.ipynb_checkpoints"]
templates_path = ["_templates"]

# ---------------------------------------------------------------------- text
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
copybutton_exclude = ".linenos, .gp, .go"
html_math_renderer = "mathml"
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "round_brackets"

# ---------------------------------------------------------------------- notebooks and pictures
# Kept between builds by their text; and by the package's, which their results depend on.
digest = hashlib.sha256()
for source in sorted(
    path
    for folder in ("python", "models", "examples/two_population")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".jinja", ".nestml", ".hoc"}
):
    digest.update(source.read_bytes())
digest.update((DOCS / "tutorials" / "two_population.nc").read_bytes())
state = digest.hexdigest()[:16]
digest.update((DOCS / "_ext" / "pictures.py").read_bytes())
pictures_of = digest.hexdigest()[:16]
# Nobody's own settings of IPython; and its kernel is not to warn of other users of this machine.
profile = BUILT / "ipython" / "profile_default"
profile.mkdir(parents=True, exist_ok=True)
(profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 'ERROR'\n")
os.environ["IPYTHONDIR"] = str(profile.parent)
nb_execution_mode = "cache"
kept = cache_dir() / "notebooks"
nb_execution_cache_path = str(kept / state)
if kept.is_dir():  # those of the last few states of the code are enough
    for old in sorted(kept.iterdir(), key=lambda folder: folder.stat().st_mtime)[:-5]:
        shutil.rmtree(old, ignore_errors=True)
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# ---------------------------------------------------------------------- reference
default_role = "autolink"  # `name` in docstrings: a link where there is something to link to
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc's sections say more
autosummary_generate = True
listed = re.findall(r"^   (nestlfp\.\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.M)
# A name in the code of a page leads to the reference, whose pages list those that use it. There
# names are public ones, and not those of the modules that define them.
codeautolink_autodoc_inject = True
codeautolink_inventory_map = {
    f"{found.__module__}.{found.__qualname__}": name
    for name in listed
    if not isinstance(found := operator.attrgetter(name.partition(".")[2])(nestlfp), ModuleType)
}
for stub in (DOCS / "api").glob("*.rst"):  # what was made for names that are gone
    if stub.stem not in listed:
        stub.unlink()
autosummary_imported_members = True
numpydoc_show_class_members = False  # templates list them
numpydoc_validation_checks = {"PR02", "PR03", "PR10", "GL06", "GL07"}  # what is said is there
nitpicky = True
# Names of other packages are links where their inventories could be had, and text elsewhere.
nitpick_ignore_regex = [("py:.*", r"(?!nestlfp).*")]
intersphinx_mapping = reachable(
    {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "xarray": "https://docs.xarray.dev/en/stable/",
        "matplotlib": "https://matplotlib.org/stable/",
        "nest": "https://nest-simulator.readthedocs.io/en/stable/",
        "lfpykit": "https://lfpykit.readthedocs.io/en/latest/",
    },
    BUILT / "inventories",
)

# ---------------------------------------------------------------------- pages
html_theme = "pydata_sphinx_theme"
html_title = f"nestlfp {version}"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["nestlfp.css"]
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "start", "gallery")}  # nothing is below these
notebooks = [f"tutorials/{page.stem}" for page in (DOCS / "tutorials").glob("0*.md")]
urls = versions.addresses()  # of the site and the repository, from pyproject.toml
html_theme_options = {
    "logo": {"text": "nestlfp"},
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        **{page: ["page-toc", "notebook"] for page in notebooks},
    },
    "footer_start": ["copyright"],
    "footer_end": [],
    **versions.theme_options(urls, version),
}
if "Documentation" in urls:
    html_baseurl = f"{urls['Documentation'].rstrip('/')}/{version}/"


def without_flags(app, what, name, obj, options, lines):
    """Examples of docstrings as they are shown, without what is for doctest alone."""
    lines[:] = [
        re.sub(r"\s*# doctest:.*", "", line)
        for line in lines
        if not re.match(r"\s*\.\.\. # doctest:", line)
    ]


def setup(app):
    app.connect("autodoc-process-docstring", without_flags, priority=100)  # before numpydoc
