"""How a benchmark is asked: it answers --help, and refuses what it does not know."""

import argparse


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser that shows a script's docstring as it is."""
    shown = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=doc, formatter_class=shown)
