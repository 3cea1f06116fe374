"""The draft of the paper: its references are there, and its numbers stand in the pages."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
HEADER, BODY = (ROOT / "paper" / "paper.md").read_text(encoding="utf-8").split("\n---\n", 1)
BIB = (ROOT / "paper" / "paper.bib").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:[ ,]\d{3})*(?:\.\d+)?(?:e-\d+)?")
SECTIONS = ["Summary", "Statement of need", "State of the field", "Design", "What was measured",
            "Figures", "Limits", "References"]  # fmt: skip


def numbers(text):
    """Numbers in a text, without those of code, of references and of names such as R²."""
    plain = re.sub(r"```.*?```|`[^`]*`|\[?@\w+(?:; @\w+)*\]?|\bBrian 2\b", " ", text, flags=re.S)
    return set(NUMBER.findall(plain.replace("−", "-")))


def test_header_and_sections():
    header = yaml.safe_load(HEADER.removeprefix("---\n"))
    for key in ("title", "tags", "authors", "affiliations", "date", "bibliography"):
        assert header[key], key
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert header["title"] == citation["title"]
    assert [author["name"] for author in header["authors"]] == [
        author["name"] for author in citation["authors"]
    ]
    assert (ROOT / "paper" / header["bibliography"]).is_file()
    assert re.findall(r"^# (.*)$", BODY, re.M) == SECTIONS


def test_every_reference_is_in_the_bibliography_and_is_cited():
    cited = set(re.findall(r"@(\w+)", BODY))
    entries = re.findall(r"^@\w+\{(\w+),$", BIB, re.M)
    assert len(entries) == len(set(entries))
    assert cited == set(entries)


def test_figures_exist():
    found = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", BODY)
    assert len(found) > 2
    assert [path for path in found if not (ROOT / "paper" / path).is_file()] == []


ROWS = [
    (cells[0], " ".join(cells[:2]), cells[2].strip("`"))
    for cells in (line.strip("| ").split(" | ") for line in BODY.splitlines())
    if len(cells) == 3 and cells[2].startswith("`docs/")
]
SENTENCES = [
    (sentence, sentence, page)
    for sentence in re.split(r"(?<=[.:])\s", re.sub(r"^\|.*$", "", BODY, flags=re.M))
    for page in re.findall(r"`(docs/\w+\.md)`", sentence)
]


@pytest.mark.parametrize(("name", "text", "page"), ROWS + SENTENCES)
def test_numbers_stand_in_the_page(name, text, page):
    known = numbers((ROOT / page).read_text(encoding="utf-8"))
    assert numbers(text) - known == set(), name


def test_no_number_is_without_a_page():
    """Of the text, beside the table and sentences that name their page."""
    text = re.sub(r"^\|.*$", "", BODY, flags=re.M)
    for sentence, _, _ in SENTENCES:
        text = text.replace(sentence, "")
    assert len(ROWS) > 5
    assert numbers(text) == set()
