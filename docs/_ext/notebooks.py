"""The tutorials as notebooks to download, without outputs."""

from pathlib import Path
from typing import Any

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook
from sphinx.application import Sphinx

PAGES = "tutorials/0*.md"


def written(app: Sphinx, failed: Exception | None) -> None:
    if failed or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "notebooks"
    folder.mkdir(exist_ok=True)
    for page in Path(app.srcdir).glob(PAGES):
        notebook = read_myst_markdown_notebook(page.read_text(encoding="utf-8"))
        nbformat.write(notebook, folder / f"{page.stem}.ipynb")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", written)
    return {"parallel_read_safe": True, "version": "1"}
