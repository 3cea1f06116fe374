"""How objects show themselves in a notebook: facts, and tables that fold.

HTML that inherits its colours, so that it is read on dark pages too. Whatever is shown came from
outside, names above all, and is escaped here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LINE = "1px solid rgba(128, 128, 128, 0.35)"
# Notebooks draw tables right-aligned, in a small font, striped white: not ours.
_CELL = "text-align: left; padding: 0.1em 1.2em 0.1em 0; background: none; border: none"
_TABLE = "border-collapse: collapse; margin: 0.2em 0; color: inherit; border: none"
_LONGEST = 200  # characters of a cell


class Html(str):
    """Text that is HTML already: of another object that shows itself."""


def card(title: str, facts: Iterable[tuple[str, object]], *folded: Html) -> str:
    """What an object says of itself, for ``_repr_html_``.

    Parameters
    ----------
    title : str
        What it is.
    facts : iterable of (str, object)
        A line each: what, and its value. Values that are None or empty are left out.
    *folded : Html
        What comes below, such as a `table`.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> shown = card("Kernels", [("pre", "<b>E</b>")], table("signals", ["name"], [["LFP"]]))
    >>> "<b>E</b>" in shown, "&lt;b&gt;E&lt;/b&gt;" in shown
    (False, True)
    """
    rows = [
        f'<tr style="background: none"><th style="{_CELL}; opacity: 0.75; font-weight: normal">'
        f'{_text(label)}</th><td style="{_CELL}">{_text(value)}</td></tr>'
        for label, value in facts
        if value is not None and value != ""
    ]
    return (
        f'<div class="nestlfp-card" style="border: {_LINE}; border-radius: 4px; '
        'padding: 0.5em 0.9em; margin: 0.3em 0; overflow-x: auto; color: inherit">'
        f"<strong>{_text(title)}</strong>"
        f'<table style="{_TABLE}"><tbody>{"".join(rows)}</tbody></table>{"".join(folded)}</div>'
    )


def table(summary: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """A table that folds under its summary, and is unfolded at first."""
    top = "".join(
        f'<th style="{_CELL}; border-bottom: {_LINE}">{_text(name)}</th>' for name in head
    )
    body = "".join(
        '<tr style="background: none">'
        + "".join(f'<td style="{_CELL}; white-space: nowrap">{_text(value)}</td>' for value in row)
        + "</tr>"
        for row in rows
    )
    return _folding(
        summary,
        f'<table style="{_TABLE}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>',
        shown=True,
    )


def folded(summary: str, html: str) -> Html:
    """Another object's HTML, under a summary that unfolds it."""
    return _folding(summary, html, shown=False)


def _folding(summary: str, html: str, shown: bool) -> Html:
    unfolded = " open" if shown else ""
    return Html(
        f'<details style="margin-top: 0.3em"{unfolded}>'
        f'<summary style="cursor: pointer">{_text(summary)}</summary>{html}</details>'
    )


def _text(value: object) -> str:
    text = str(value)
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def in_short(names: Sequence[str], most: int = 12) -> str:
    """Names on one line; of more than `most` the first three, the last, and how many they are.

    Examples
    --------
    >>> in_short(["E", "I"])
    'E, I'
    >>> in_short([f"E/{i}" for i in range(256)])
    'E/0, E/1, E/2, …, E/255 (256)'
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:3])}, …, {names[-1]} ({len(names)})"
