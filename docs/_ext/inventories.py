"""Inventories of other packages' documentation, as far as they can be had."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TIMEOUT = 5.0  # s


def reachable(sites: dict[str, str], folder: Path, timeout: float = TIMEOUT) -> dict:
    """What `intersphinx_mapping` wants, without the sites that do not answer.

    An inventory that was had once serves until it can be had again, so that a build on a train
    has the links of the one before.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def fetched(item: tuple[str, str]) -> tuple[str, tuple[str, str | None]] | None:
        name, site = item
        kept = folder / f"{name}.inv"
        try:
            with urllib.request.urlopen(f"{site}objects.inv", timeout=timeout) as answer:
                found = answer.read()
            if found.startswith(b"# Sphinx inventory"):
                kept.write_bytes(found)
        except (OSError, ValueError):  # no network, no such host, no answer
            pass
        return (name, (site, str(kept))) if kept.exists() else None

    with ThreadPoolExecutor(len(sites)) as pool:
        return dict(filter(None, pool.map(fetched, sites.items())))
