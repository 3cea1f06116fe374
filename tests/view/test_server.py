"""Who may see the page: on this machine everyone, elsewhere who has the token."""

import asyncio
import re
import shlex
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id
from served import served
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from typer.testing import CliRunner

from nestlfp.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "live_view.md").read_text(encoding="utf-8")
FILES = ["", "static/js/bokeh.min.js", "autoload.js?bokeh-autoload-element=1", "metadata"]


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """A page for this machine."""
    with served(tmp_path_factory.mktemp("x") / "x.zarr", "--port", 0) as (url, told):
        yield url, told


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A page for others, too: at any address of this machine."""
    store = tmp_path_factory.mktemp("x") / "x.zarr"
    with served(store, "--port", 0, "--address", "0.0.0.0") as (url, _):
        port, token = re.search(r":(\d+)/\?token=(\S+)", url).groups()
        yield f"http://127.0.0.1:{port}/", token


def status(url, opener=None, **headers):
    request = urllib.request.Request(url, headers=headers)
    try:
        with (opener or urllib.request.build_opener()).open(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def cookies():
    """What keeps them from one request to the next."""
    return urllib.request.HTTPCookieProcessor()


def websocket(url, **headers):
    """The status with which a websocket is refused, or "open"."""

    async def connect():
        session = generate_jwt_token(generate_session_id())
        headers["Sec-WebSocket-Protocol"] = f"bokeh, {session}"
        request = HTTPRequest(url.replace("http", "ws", 1) + "ws", headers=headers)
        try:
            connection = await websocket_connect(request)
        except HTTPClientError as error:
            return error.code
        connection.close()
        return "open"

    return asyncio.run(connect())


@pytest.mark.slow
def test_a_page_for_this_machine(private):
    url, told = private
    assert url.startswith("http://127.0.0.1:")
    port = url.rsplit(":", 1)[1].strip("/")
    assert re.search(rf"ssh -N -L {port}:127\.0\.0\.1:{port} \S+@\S+", told)
    assert f"http://localhost:{port}/" in told
    assert [status(url + file) for file in FILES] == [200] * len(FILES)
    assert websocket(url) == "open"


@pytest.mark.slow
def test_nothing_listens_elsewhere(private):
    port = int(private[0].rsplit(":", 1)[1].strip("/"))
    for address in {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None)}:
        if not address.startswith("127."):
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=5).close()


@pytest.mark.slow
def test_pages_of_other_sites_cannot_use_it(private):
    url, _ = private
    host = url.removeprefix("http://").strip("/")
    assert websocket(url, Origin=f"http://{host}") == "open"
    assert websocket(url, Origin="http://evil.example") == 403
    assert websocket(url, Origin="http://127.0.0.1:1") == 403
    # A name that its owner lets stand for this machine.
    assert status(url, Host="evil.example") == 403
    assert websocket(url, Host="evil.example", Origin="http://evil.example") == 403


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    ["[::1", "[::1]x", "[", "localhost:x", "127.0.0.1:80:1", "::1"],
)
def test_hosts_and_origins_that_are_none(private, guarded, wrong):
    for url in (private[0], guarded[0], f"{guarded[0]}?token={guarded[1]}"):
        assert status(url, Host=wrong) == 400
        assert status(url, Origin=f"http://{wrong}") == 400
    assert websocket(private[0], Origin=f"http://{wrong}") == 400


@pytest.mark.slow
@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_a_page_at_an_address_of_ipv6(tmp_path):
    with served(tmp_path / "x.zarr", "--port", 0, "--address", "::1") as (url, told):
        host = url.removeprefix("http://").strip("/")
        port = host.removeprefix("[::1]:")
        assert f"ssh -N -L {port}:[::1]:{port} " in told
        assert [status(url + file) for file in FILES] == [200] * len(FILES)
        assert websocket(url, Origin=f"http://{host}") == "open"
        assert status(url, Host="evil.example") == 403


@pytest.mark.slow
def test_others_need_the_token(guarded):
    url, token = guarded
    assert len(token) >= 20
    assert [status(url + file) for file in FILES] == [403] * len(FILES)
    assert websocket(url) == 403
    for wrong in ("", "x", token[:-1], token + "x", "%ff"):
        assert status(f"{url}?token={wrong}") == 403
        assert websocket(url, Cookie=f"nestlfp_view_{url[17:-1]}={wrong}") == 403


@pytest.mark.slow
def test_the_token_opens_the_page(guarded):
    url, token = guarded
    kept = cookies()
    opener = urllib.request.build_opener(kept)
    with opener.open(f"{url}?token={token}", timeout=20) as answer:
        assert answer.status == 200
        assert answer.url == url  # the token has left the address
    assert [status(url + file, opener) for file in FILES] == [200] * len(FILES)
    (cookie,) = kept.cookiejar
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert websocket(url, Cookie=f"{cookie.name}={cookie.value}") == "open"
    evil = {"Cookie": f"{cookie.name}={cookie.value}", "Origin": "http://evil.example"}
    assert websocket(url, **evil) == 403


@pytest.mark.slow
def test_a_token_of_ones_own_keeps_others_on_this_machine_out(tmp_path):
    with served(tmp_path / "x.zarr", "--port", 0, "--token", "open_sesame") as (url, told):
        assert url.endswith("?token=open_sesame")
        assert told.count("?token=open_sesame") == 2
        bare = url.partition("?")[0]
        assert status(bare) == 403
        assert websocket(bare) == 403


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["x.nc"], "the name of a store ends in '.zarr', found 'x.nc'"),
        (["x.zarr", "--every", "0"], "every 20 to 60000 ms, found 0"),
        (["x.zarr", "--every", "nan"], "every 20 to 60000 ms, found nan"),
        (["x.zarr", "--token", "short"], "a token is made of at least 8"),
        (["x.zarr", "--token", "with spaces; and"], "a token is made of at least 8"),
        (["x.zarr", "--conductivity", "-1"], "a conductivity must be positive, in S/m, found -1"),
        (["x.zarr", "--address", "203.0.113.7"], "cannot listen on 203.0.113.7, port 5006: "),
    ],
)
def test_mistakes_are_told_plainly(arguments, told):
    result = CliRunner().invoke(app, ["view", *arguments])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("nestlfp: ")
    assert told in line


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = CliRunner().invoke(app, ["view", "x.zarr", "--port", port])
    assert result.exit_code == 1
    assert "Address already in use. Another port is chosen by --port" in result.stderr


@pytest.mark.slow
def test_commands_of_the_docs(tmp_path):
    """They find no stores here, and wait for them."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    for command in blocks:
        _, view, *arguments = shlex.split(command)
        assert view == "view"
        with served(*arguments, folder=tmp_path) as (url, _):
            assert status(url, opener=urllib.request.build_opener(cookies())) == 200
