"""Whatever is refused, and by whichever library, is refused by the same JSON and headers."""

import http.client
import json
import logging

import pytest
from helpers.served import ask, counted, head, plain, post_file, until, wire
from helpers.served import people as walk

from graphlift.formats.arrays import write_keypoints
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17

KEY = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")
VERSION = "Sec-WebSocket-Version: 13"


def said_to(address, content):
    """What is answered to bytes, and whether the connection is closed afterwards."""
    with wire(address) as link:
        link.sendall(content)
        answer = http.client.HTTPResponse(link)
        answer.begin()
        body = answer.read()
        return answer, json.loads(body)["error"], link.recv(1) == b""


@pytest.mark.parametrize(
    "content",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /lift HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
    ],
    ids=["text", "no host", "two hosts", "path", "length", "long", "TLS"],
)
def test_what_is_no_http_is_refused_as_json(address, content):
    answer, error, closed = said_to(address, content)

    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert error == "Invalid HTTP request received: send HTTP/1.1"
    assert closed


def test_what_is_no_http_in_a_body_that_is_refused_already_ends_the_connection(address, caplog):
    lines = ("Transfer-Encoding: chunked", "Content-Type: text/html")
    with wire(address) as link:
        link.sendall(head(address, "POST", "/lift", *lines))
        assert link.recv(1 << 16).startswith(b"HTTP/1.1 415")
        link.sendall(b"no chunk\r\n")
        rest = b""
        while more := link.recv(1 << 16):
            rest += more

    assert b"HTTP/1.1" not in rest
    assert not [each for each in caplog.records if each.name == "asyncio"]


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/health"), ("GET", "/health"), ("POST", "/x")]
)
def test_what_is_no_http_after_a_head_is_refused_once(address, caplog, method, path):
    with wire(address) as link:
        link.sendall(head(address, method, path, "Transfer-Encoding: chunked") + b"no chunk\r\n")
        said = b""
        while more := link.recv(1 << 16):
            said += more

    assert said.startswith(b"HTTP/1.1 400")
    assert said.count(b"HTTP/1.1 4") == 1
    assert said.endswith(b"\r\n\r\n" if method == "HEAD" else b': send HTTP/1.1"}')
    until(lambda: counted(address, 'graphlift_connections{kind="requests"}') == 1)
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("method", "path", "lines", "status", "words"),
    [
        ("GET", "/stream", [VERSION], 400, "missing Sec-WebSocket-Key header: send the handsh"),
        ("GET", "/stream", [KEY], 400, "missing Sec-WebSocket-Version header: send the handsh"),
        ("GET", "/stream", [KEY, "Sec-WebSocket-Version: 8"], 400, "8: send the handshake"),
        (
            "GET",
            "/stream",
            ["Sec-WebSocket-Key: \u00e9", VERSION],
            400,
            "a header is not ASCII: send",
        ),
        ("POST", "/stream", [KEY, VERSION], 400, "send the handshake of RFC 6455"),
        ("GET", "/stream", [KEY, VERSION, "Content-Length: 5"], 400, "send the handshake of"),
        ("GET", "/stream", [KEY, VERSION, *["X-1: 1"] * 200], 400, "send the handshake of"),
        ("GET", "/health", [KEY, VERSION], 403, "no stream is here: open /stream"),
    ],
)
def test_a_handshake_that_is_none_is_refused_as_json(address, method, path, lines, status, words):
    answer, error, closed = said_to(address, head(address, method, path, *UPGRADE, *lines))

    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert words in error
    assert closed


def test_a_part_that_a_result_does_not_have_is_refused_as_json(address, tmp_path):
    path = tmp_path / "walk.npz"
    xy = walk(3)[..., :2]
    write_keypoints(path, keypoints_from(xy, COCO_17, image_size=(640, 480), fps=30))
    job = post_file(address, "/jobs?raw=true", path.name, path.read_bytes()).json["id"]
    until(lambda: ask(address, "GET", f"/jobs/{job}").json["state"] == "done")
    result = f"/jobs/{job}/result"

    whole = ask(address, "GET", result).body
    part = ask(address, "GET", result, Range="bytes=5-9")
    beyond = ask(address, "GET", result, Range=f"bytes={len(whole)}-")
    odd = ask(address, "GET", result, Range="frames=1-2")

    assert (part.status, part.body) == (206, whole[5:10])
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    assert odd.status == 400
    for said in (beyond, odd):
        assert said.error.startswith("Range: asks for no part of this file")
        assert said.headers["X-Content-Type-Options"] == "nosniff"


def test_a_part_of_an_answer_that_is_made_anew_is_not_taken(address):
    body = json.dumps(plain(walk(2)))
    headers = {"Content_Type": "application/json", "Range": "bytes=900000-"}

    assert ask(address, "POST", "/lift", body, **headers).status == 200
