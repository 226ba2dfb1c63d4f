import http.client
import re
import subprocess
import sys
from email.message import Message
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlift.errors import ModelError
from graphlift.view.local_server import local_server, refusal

viser = pytest.importorskip("viser")

TOKEN = "a-secret"


class Headers(Message):
    """Headers with the one method that is used, as websockets' have it."""

    def __init__(self, *pairs):
        super().__init__()
        for name, value in pairs:
            self.add_header(name, value)

    def get_all(self, name):
        return super().get_all(name, [])


def asked(path=f"/?token={TOKEN}", host="127.0.0.1:8080", **others):
    return refusal(path, Headers(("Host", host), *others.items()), TOKEN)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:9", "[::1]:8080", "LOCALHOST"])
def test_this_machine_is_answered_under_each_of_its_names(host):
    assert asked(host=host) is None
    assert asked(host=host, Origin=f"http://{host}") is None
    assert asked("/app.js", host=host, Cookie=f"a=b; graphlift-8080={TOKEN}") is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:8080", "localhost@evil.example", "", "[", "a:b"],
)
def test_another_host_name_is_refused_although_the_token_is_right(host):
    assert asked(host=host) is not None


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:8081", "https://127.0.0.1:8080", "file://"],
)
def test_another_page_is_refused_although_the_token_is_right(origin):
    assert asked(Origin=origin) is not None


def test_two_hosts_are_refused():
    pairs = (("Host", "127.0.0.1"), ("Host", "evil.example"))

    assert refusal(f"/?token={TOKEN}", Headers(*pairs), TOKEN) is not None


@given(st.text(max_size=40))
def test_no_other_token_is_taken(text):
    wrong = text.replace(TOKEN, "")

    assert asked(f"/?token={wrong}") is not None
    assert asked(f"/{wrong}") is not None
    assert asked("/", Cookie=wrong.replace("\r", "").replace("\n", "")) is not None


def fetch(address, path, **headers):
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_the_page_needs_its_address_and_then_its_cookie():
    with local_server(0) as (_, address):
        query = urlsplit(address).query
        bare, said = fetch(address, "/")
        page, body = fetch(address, f"/?{query}")
        cookie = page.getheader("Set-Cookie").partition(";")[0]
        asset = re.search(rb'src="\.?(/[^"]+\.js)"', body)
        with_cookie, _ = fetch(address, "/", Cookie=cookie)
        rebound, _ = fetch(address, f"/?{query}", Host="evil.example")

    assert (bare.status, b"token" in said) == (403, True)
    assert (page.status, with_cookie.status, rebound.status) == (200, 200, 403)
    assert "HttpOnly" in page.getheader("Set-Cookie")
    assert "SameSite=Strict" in page.getheader("Set-Cookie")
    assert asset or b"<script" in body


def test_a_foreign_page_gets_no_byte_of_the_scene():
    sockets = pytest.importorskip("websockets.sync.client")
    from websockets.exceptions import InvalidStatus

    protocol = [f"viser-v{viser.__version__}"]

    with local_server(0) as (server, address):
        server.scene.add_label("/name", text="somebody")
        mesh_batches = urlsplit(address)
        socket = f"ws://{mesh_batches.netloc}/"
        own = f"http://{mesh_batches.netloc}"
        for origin, url in (
            ("http://evil.example", f"{socket}?{mesh_batches.query}"),
            (own, socket),
            (None, socket),
        ):
            with pytest.raises(InvalidStatus, match="403"):
                sockets.connect(url, origin=origin, subprotocols=protocol)
        with sockets.connect(
            socket,
            origin=own,
            subprotocols=protocol,
            max_size=None,
            additional_headers={"Cookie": mesh_batches.query},
        ) as connection:
            first = connection.recv(timeout=10)

    assert len(first) > 0


UNGUARDED = """
import viser.infra._infra as infra, websockets.asyncio.server as sockets
import types
plain = sockets.serve
infra.websockets = types.SimpleNamespace(
    asyncio=types.SimpleNamespace(server=types.SimpleNamespace(serve=plain)),
    datastructures=infra.websockets.datastructures, exceptions=infra.websockets.exceptions)
from graphlift.errors import ModelError
from graphlift.view.local_server import local_server
try:
    with local_server(0):
        print("served")
except ModelError as error:
    print("refused", "graphlift view" in str(error))
"""


def test_a_viser_that_cannot_be_guarded_is_not_used():
    run = subprocess.run(
        [sys.executable, "-c", UNGUARDED], capture_output=True, text=True, timeout=60, check=False
    )

    assert run.stdout.strip() == "refused True", run.stderr
    assert issubclass(ModelError, ValueError)
