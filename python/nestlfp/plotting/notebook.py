"""A figure that a notebook shows; needs matplotlib."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

_SHARPER = 2  # pixels of the picture for each pixel that it takes on the page


class NotebookFigure(Figure):
    """Notebooks show a plain `Figure` only where pyplot was imported before; this one always."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The picture, and how large it is to be shown."""
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=_SHARPER * self.dpi)
        # No height: a page that is narrower than the picture shrinks both.
        return picture.getvalue(), {"width": round(self.get_figwidth() * self.dpi)}
