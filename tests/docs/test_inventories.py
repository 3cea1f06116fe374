"""Links to other packages' documentation, with and without a network."""

import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from sites import served

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))
from inventories import reachable

INVENTORY = b"# Sphinx inventory version 2\n# Project: x\n# Version: 1\n"


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(1 if "slow" in self.path else 0)
        self.send_response(404 if "gone" in self.path else 200)
        self.end_headers()
        if "gone" not in self.path:
            self.wfile.write(b"<html>log in" if "login" in self.path else INVENTORY)

    def log_message(self, *_):
        pass


@pytest.fixture
def address(capfd):
    with served(Site) as found:
        yield found
    assert capfd.readouterr() == ("", "")  # also of the visitor that did not wait


def test_only_what_answers(address, tmp_path):
    sites = {
        "there": f"{address}/there/",
        "gone": f"{address}/gone/",
        "login": f"{address}/login/",
        "nowhere": "http://127.0.0.1:9/",
        "slow": f"{address}/slow/",
    }
    found = reachable(sites, tmp_path / "kept", timeout=0.5)
    assert list(found) == ["there"]
    site, kept = found["there"]
    assert site == sites["there"]
    assert Path(kept).read_bytes() == INVENTORY


def test_what_was_had_once_serves_again(address, tmp_path):
    reachable({"numpy": f"{address}/"}, tmp_path)
    offline = {"numpy": "http://127.0.0.1:9/"}
    assert reachable(offline, tmp_path) == {
        "numpy": ("http://127.0.0.1:9/", str(tmp_path / "numpy.inv"))
    }
