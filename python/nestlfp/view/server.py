"""The server: who may see the page, and where it is."""

from __future__ import annotations

import asyncio
import getpass
import hmac
import logging
import re
import secrets
import socket
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import panel as pn
from panel.io.server import get_server
from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClosedError

from ..errors import SignalError
from ..signals.stores import SUFFIX
from .page import Page

LOCAL = "127.0.0.1"
_LOCAL_NAMES = {LOCAL, "localhost", "::1"}
_HOST = re.compile(r"(\[[\da-f:.]+\]|[^][:@/]*)(:\d{0,5})?", re.IGNORECASE)


# Turned round, and hues turned back: red stays positive, and zero is as dark as the page.
_IN_THE_DARK = """
@media (prefers-color-scheme: dark) {
  html { background: white; filter: invert(0.93) hue-rotate(180deg); }
}
"""


class View:
    """A server that shows stores while they grow.

    Parameters
    ----------
    paths : sequence of Path
        The stores' places, at which there may be nothing yet.
    address : str
        Interface that it listens on. Any but 127.0.0.1 needs a token.
    port : int
        Port that it listens on; 0 takes a free one.
    token : str, optional
        Part of the address, without which nothing is shown. Default: a random one, and none on
        127.0.0.1.
    every : float
        How often stores are looked at (ms).
    conductivity : float
        Of the tissue (S/m), for the CSD.

    Raises
    ------
    SignalError
        If a path is none of a store, or an option is wrong.
    OSError
        If the port is taken, or the address is not this machine's.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        address: str = LOCAL,
        port: int = 5006,
        token: str | None = None,
        every: float = 100.0,
        conductivity: float = 0.3,
    ) -> None:
        _check(paths, token, every, conductivity)
        self.address = address
        local = address in _LOCAL_NAMES
        self.token = token if token is not None or local else secrets.token_urlsafe(24)
        pn.extension(raw_css=[_IN_THE_DARK])
        for name in ("util", "views.ws"):  # on the "*" below, and on tabs that were closed
            logging.getLogger(f"bokeh.server.{name}").setLevel(logging.ERROR)
        try:
            self._server = get_server(
                lambda: Page(paths, every, conductivity).layout(),
                port=port,
                address=address,
                websocket_origin="*",  # `_Strangers` asks for more
                title="nestlfp view",
                location=False,  # Panel's does not understand a host like [::1]
            )
        except OSError as error:
            raise OSError(
                f"cannot listen on {address}, port {port}: {error.strerror}. Another port is "
                "chosen by --port, a free one by --port 0"
            ) from error
        self.port: int = self._server.port
        # Before all routes of Bokeh: scripts, page and websocket.
        rules = self._server._tornado.default_router.rules
        rules.insert(0, Rule(_Strangers(self.token, self.port), _Refused))
        if self.token is not None:
            rules.insert(0, Rule(_Newcomers(self.token), _Welcome, {"name": _cookie(self.port)}))
        rules.insert(0, Rule(_Nonsense(), _NotUnderstood))

    @property
    def url(self) -> str:
        """The address to open in a browser of this machine."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        host = socket.gethostname() if self.address in ("0.0.0.0", "::") else host
        query = f"?{urlencode({'token': self.token})}" if self.token is not None else ""
        return f"http://{host}:{self.port}/{query}"

    def describe(self) -> str:
        """Where the page is, and how to come there from elsewhere."""
        lines = [f"The page is at  {self.url}"]
        if self.address in _LOCAL_NAMES:
            query = urlsplit(self.url).query
            here = f"http://localhost:{self.port}/{'?' if query else ''}{query}"
            there = f"[{self.address}]" if ":" in self.address else LOCAL
            tunnel = (
                f"ssh -N -L {self.port}:{there}:{self.port} "
                f"{getpass.getuser()}@{socket.gethostname()}"
            )
            lines += [
                f"From another machine, type there  {tunnel}",
                f"and open  {here}",
            ]
        return "\n".join([*lines, "Ctrl-C ends it."])

    def run(self, *, browser: bool = False) -> None:
        """Serve until interrupted."""
        if browser:
            self._server.io_loop.call_later(0.1, webbrowser.open, self.url)
        self._server.io_loop.asyncio_loop.set_exception_handler(_but_for_closed_tabs)
        self._server.start()
        self._server.io_loop.start()


def _but_for_closed_tabs(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ignore that a tab is closed while something is sent to it."""
    if not isinstance(context.get("exception"), WebSocketClosedError):
        loop.default_exception_handler(context)


def _check(paths: Sequence[Path], token: str | None, every: float, conductivity: float) -> None:
    for path in paths:
        if path.suffix != SUFFIX:
            raise SignalError(
                f"the name of a store ends in {SUFFIX!r}, found {str(path)!r}; nestlfp plot draws "
                "files"
            )
    if token is not None and not re.fullmatch(r"[\w.~-]{8,}", token, re.ASCII):
        raise SignalError("a token is made of at least 8 letters, digits and -._~")
    if not 20 <= every <= 60_000:
        raise SignalError(f"a page can look for samples every 20 to 60000 ms, found {every:g}")
    if not 0 < conductivity < float("inf"):
        raise SignalError(f"a conductivity must be positive, in S/m, found {conductivity:g}")


# ---------------------------------------------------------------------- who may see it
def _cookie(port: int) -> str:
    """Cookies are a host's; its ports need names of their own."""
    return f"nestlfp_view_{port}"


class _Nonsense(Matcher):
    """Requests whose host or origin is none, such as [::1 without its end."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        try:
            origin = urlsplit(request.headers.get("Origin", "")).netloc
        except ValueError:
            return {}
        return None if all(map(_HOST.fullmatch, (request.host, origin))) else {}


class _Newcomers(Matcher):
    """Requests that have the token in their address."""

    def __init__(self, token: str) -> None:
        self._token = token

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        given = request.query_arguments.get("token", [b""])[-1]
        return {} if hmac.compare_digest(given, self._token.encode()) else None


class _Strangers(Matcher):
    """Requests that show no token where there is one, or that another site's page made."""

    def __init__(self, token: str | None, port: int) -> None:
        self._token, self._port = token, port

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return {}
        if self._token is None:
            # Another name may be a site's whose owner lets it stand for this machine.
            return None if urlsplit(f"//{request.host}").hostname in _LOCAL_NAMES else {}
        cookie = request.cookies.get(_cookie(self._port))
        given = "" if cookie is None else cookie.value
        return None if hmac.compare_digest(given.encode(), self._token.encode()) else {}


class _Refused(RequestHandler):
    def prepare(self) -> None:
        self.set_status(403)
        self.finish("This page needs the address with the token that nestlfp view printed.\n")


class _NotUnderstood(RequestHandler):
    def prepare(self) -> None:
        self.set_status(400)
        self.finish("This request names no host, or no origin, that there can be.\n")


class _Welcome(RequestHandler):
    """Keeps the token in a cookie: it leaves the address, and the browser's history."""

    def initialize(self, name: str) -> None:
        self._name = name

    def get(self) -> None:
        token = self.get_query_argument("token")
        self.set_cookie(self._name, token, httponly=True, samesite="Lax", path="/")
        self.redirect("/")
