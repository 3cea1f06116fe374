"""``{commands}`` in a page: what each command of ``nestlfp`` answers to ``--help``."""

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.testing import CliRunner

from nestlfp import cli

WIDTH = 88  # columns


def help_of(*words: str) -> str:
    """What ``nestlfp <words> --help`` prints."""
    runner = CliRunner(env={"COLUMNS": str(WIDTH), "TERMINAL_WIDTH": str(WIDTH)})
    told = runner.invoke(cli.app, [*words, "--help"], prog_name="nestlfp")
    assert told.exit_code == 0, told.output
    return told.output.strip()


class Commands(SphinxDirective):
    """A section for each command."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(cli.__file__)
        made: list[nodes.Node] = [literal(help_of())]
        for name in typer.main.get_command(cli.app).commands:
            section = nodes.section(ids=[f"nestlfp-{name}"], names=[f"nestlfp {name}"])
            section += nodes.title("", f"nestlfp {name}")
            section += literal(help_of(name))
            self.state.document.note_implicit_target(section, section)
            made.append(section)
        return made


def literal(text: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language="text")


def setup(app: Sphinx) -> dict:
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "version": "1"}
