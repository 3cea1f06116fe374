"""Papers in a text as authors and year in round brackets: Hagen et al. (2022)."""

from dataclasses import dataclass, field

from sphinx.application import Sphinx
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle


def round_brackets() -> BracketStyle:
    return BracketStyle(left="(", right=")")


@dataclass
class RoundBrackets(AuthorYearReferenceStyle):
    bracket_parenthetical: BracketStyle = field(default_factory=round_brackets)
    bracket_textual: BracketStyle = field(default_factory=round_brackets)


def setup(app: Sphinx) -> dict:
    style = "sphinxcontrib.bibtex.style.referencing"
    register_plugin(style, "round_brackets", RoundBrackets)
    return {"parallel_read_safe": True, "version": "1"}
