"""Connections that nobody can hold for nothing, and what was sent before what cannot be read."""

import contextlib
import errno
import json
import logging
import socket
import threading
import time

import pytest
from helpers.served import (
    OPENING,
    ask,
    counted,
    head,
    opened,
    people,
    plain,
    positions,
    post_json,
    stream_to,
    until,
    wire,
)
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from graphlift.serve.server import serving
from graphlift.serve.settings import Settings

ONE = json.dumps(people(1)[0, 0].tolist())
SOON = 0.4
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
)


@pytest.fixture(scope="module")
def strict():
    """A server that soon drops who holds a connection for nothing."""
    settings = {"connection_seconds": SOON, "seconds": 2.5, "body_bytes": 50_000}
    with serving(Settings(port=0, models=("open-small",), **settings)) as address:
        yield address


def seconds_until_dropped(link, *, every=b""):
    """How long a connection lasts on which so many bytes are sent again and again."""
    began = time.monotonic()
    link.settimeout(0.05)
    while time.monotonic() - began < 20:
        try:
            if every:
                link.sendall(every)
            if not link.recv(1 << 16):
                break
        except TimeoutError:
            pass
        except ConnectionError:
            break
    return time.monotonic() - began


def send_on(link, what):
    for _ in range(20_000):
        link.sendall(what)


def test_a_connection_on_which_no_head_comes_is_dropped(strict):
    for said in (b"", b"GET /health HTT"):
        with wire(strict) as link:
            link.sendall(said)
            assert SOON / 2 < seconds_until_dropped(link) < 10


def test_a_byte_after_an_answer_does_not_hold_a_connection(strict):
    with wire(strict) as link:
        link.sendall(head(strict, "GET", "/health") + b"G")
        assert link.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert seconds_until_dropped(link) < 4  # uvicorn's own clock has 5 s, and was stopped


def test_a_server_with_all_its_connections_taken_says_that_it_lives(served):
    address = served(connections=2)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(stream_to(address)) for _ in range(2)]
        for each in streams:
            opened(each)
        silent = [stack.enter_context(wire(address)) for _ in range(100)]
        watched = [ask(address, "GET", path, timeout=20) for path in ("/health", "/metrics")]
        busy = post_json(address, "/lift?raw=true", plain(people(1)[:, 0]))
        streams[0].send(ONE)
        frame = json.loads(streams[0].recv())
        silent[-1].sendall(head(address, "GET", "/health"))  # those before it were dropped first
        last = silent[-1].recv(1 << 16)
        first = silent[0].recv(1)

    assert [each.status for each in watched] == [200, 200]
    assert (busy.status, busy.headers["Retry-After"]) == (503, "5")
    assert frame["frame"] == 0
    assert last.startswith(b"HTTP/1.1 200")
    assert first == b""


def test_streams_that_have_ended_make_room_first(served):
    address = served(connections=2)
    with contextlib.ExitStack() as stack:
        for _ in range(100):  # who is told why it ends, and neither reads that nor closes
            link = stack.enter_context(wire(address))
            link.sendall(head(address, "GET", "/stream", *HANDSHAKE))
            assert link.recv(400).startswith(b"HTTP/1.1 101")
            link.sendall(b"\x81\x81" + bytes(4) + b"x")  # text that is no opening
            until(lambda: counted(address, 'graphlift_connections{kind="streams"}') == 0)

        assert ask(address, "GET", "/health", timeout=20).status == 200


def test_the_body_of_a_refused_request_does_not_hold_a_connection(strict):
    with wire(strict) as link:
        link.sendall(head("http://evil.example", "POST", "/lift", "Content-Length: 40000"))
        assert link.recv(1 << 16).startswith(b"HTTP/1.1 403")
        assert seconds_until_dropped(link, every=b" ") < 4


def test_a_handshake_that_cannot_be_read_does_not_hold_a_connection(strict):
    with wire(strict) as link:
        odd = (f"X-{number}: 1" for number in range(200))
        link.sendall(head(strict, "GET", "/stream", *HANDSHAKE, *odd))
        assert seconds_until_dropped(link) < 10


def test_a_body_that_comes_too_slowly_is_refused_and_gives_its_place_back(served):
    address = served(seconds=300, upload_seconds=0.5, connections=1, connection_seconds=60)
    body = json.dumps(plain(people(1)[:, 0])).encode()
    form = b'--m\r\nContent-Disposition: form-data; name="file"; filename="a.npz"\r\n\r\n'
    for kind, begin in (("application/json", b"["), ("multipart/form-data; boundary=m", form)):
        with wire(address) as link:
            lines = (f"Content-Type: {kind}", "Content-Length: 400000")
            link.sendall(head(address, "POST", "/lift", *lines) + begin)
            said, began = b"", time.monotonic()
            link.settimeout(0.05)
            while b"came too slowly" not in said and time.monotonic() - began < 30:
                if not said:
                    link.sendall(b" ")
                with contextlib.suppress(TimeoutError):
                    said += link.recv(1 << 16)

        assert said.startswith(b"HTTP/1.1 408")
        assert b"came too slowly: 0.5 s, and a second more for each 10 kB" in said
        until(lambda: counted(address, 'graphlift_connections{kind="requests"}') == 1)  # ours
        assert post_json(address, "/lift?raw=true", json.loads(body)).status == 200


def test_a_body_that_comes_steadily_may_take_longer_than_its_grace(served):
    address = served(seconds=300, upload_seconds=2)
    body = json.dumps(plain(people(40))).encode()
    body += b" " * (60_000 - len(body))  # 6 s at the least rate
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")

    with wire(address) as link:
        link.sendall(head(address, "POST", "/lift?raw=true", *lines) + body[:30_000])
        time.sleep(3)
        link.sendall(body[30_000:])
        assert link.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_a_request_that_takes_its_time_and_the_next_one_are_answered(strict):
    body = json.dumps(plain(people(1)[:, 0])).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")

    with wire(strict) as link:
        for _ in range(2):
            link.sendall(head(strict, "POST", "/lift?raw=true", *lines))
            for part in range(4):
                time.sleep(SOON / 3)
                link.sendall(body[part * 200 :][:200])
            link.sendall(body[800:])
            assert link.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_who_reads_no_answer_is_dropped(strict):
    with wire(strict, receive=4096) as link:
        link.settimeout(0.2)
        with pytest.raises(TimeoutError):  # until the server reads no more
            send_on(link, head(strict, "GET", "/openapi.json") * 100)
        dropped = lambda: link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # noqa: E731
        assert until(dropped, seconds=15) == errno.ECONNRESET


def test_a_stream_whose_answers_are_not_read_ends_and_says_why(strict):
    crowd, count = json.dumps(people(1, 20)[0].tolist()), 400
    ended = 'graphlift_requests_total{route="/stream",status="1008"}'
    before = counted(strict, ended)

    with stream_to(strict, sock=wire(strict, receive=4096), max_queue=1) as link:
        opened(link)
        sender = threading.Thread(target=send_all, args=(link, crowd, count))
        sender.start()
        until(lambda: counted(strict, ended) == before + 1)
        *answers, last = (json.loads(each) for each in every(link))
        with pytest.raises(ConnectionClosedError) as end:
            link.recv()
        sender.join()

    assert 0 < len(answers) < count
    assert [each["frame"] for each in answers] == list(range(len(answers)))
    assert positions(answers[-1]).shape == (20, 28, 3)
    assert last["error"] == end.value.rcvd.reason
    assert last["error"].startswith(f"no answer was read for {SOON:g} s")
    assert end.value.rcvd.code == 1008


def every(link):
    """Each message until the stream is closed."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield link.recv()


def send_all(link, message, count):
    with contextlib.suppress(ConnectionClosed):
        for _ in range(count):
            link.send(message)


def test_a_stream_that_is_read_again_and_again_goes_on(strict):
    crowd, count = json.dumps(people(1, 20)[0].tolist()), 120

    with stream_to(strict, sock=wire(strict, receive=4096), max_queue=1) as link:
        opened(link)
        sender = threading.Thread(target=send_all, args=(link, crowd, count))
        sender.start()
        said = []
        while len(said) < count:
            time.sleep(SOON / 2)
            said += [json.loads(link.recv())["frame"] for _ in range(min(60, count - len(said)))]
        sender.join()

    assert said == list(range(count))


def test_who_only_asks_whether_the_server_lives_is_dropped(strict):
    ping = b"\x89\xfd" + bytes(4) + b"p" * 125  # masked with zeros

    with wire(strict, receive=4096) as link:
        link.sendall(head(strict, "GET", "/stream", *HANDSHAKE))
        assert link.recv(400).startswith(b"HTTP/1.1 101")
        with pytest.raises(ConnectionError):
            send_on(link, ping * 100)


def test_what_comes_in_one_packet_with_the_handshake_is_answered_after_it(address):
    ping, closing = b"\x89\x82" + bytes(4) + b"hi", b"\x88\x82" + bytes(4) + b"\x03\xe8"
    early = [text_frame(json.dumps(OPENING)), ping, text_frame(ONE), text_frame(ONE), closing]

    for pieces in (1, 2):  # with the handshake, and right after it
        with wire(address) as link:
            shake = head(address, "GET", "/stream", *HANDSHAKE)
            for piece in [shake + b"".join(early)] if pieces == 1 else [shake, b"".join(early)]:
                link.sendall(piece)
            said = b""
            while more := link.recv(1 << 16):
                said += more

        answer, _, frames = said.partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101")
        assert b"\x8a\x02hi" in frames
        assert frames.endswith(b"\x88\x02\x03\xe8")


def test_frames_in_one_packet_with_the_handshake_are_answered_in_their_order(address):
    early = [text_frame(json.dumps(OPENING)), *[text_frame(ONE)] * 3]
    with wire(address) as link:
        link.sendall(head(address, "GET", "/stream", *HANDSHAKE) + b"".join(early))
        said = b""
        while said.count(b'"people":[') < 3:
            more = link.recv(1 << 16)
            assert more, said
            said += more

    assert said.index(b'"units"') < said.index(b'{"frame":0') < said.index(b'{"frame":2')


def text_frame(text):
    """A message as clients send it, masked with zeros."""
    return b"\x81\xfe" + len(text).to_bytes(2) + bytes(4) + text.encode()


UNREADABLE = {
    "long": (" " * 300_000, 1009, "a message above 256 kB"),
    "no UTF-8": (b"\xff\xfe", 1007, "text that is not UTF-8"),
    "no frame": (None, 1002, "no websocket"),
}


@pytest.mark.parametrize(("bad", "code", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_ends_a_stream_after_all_answers(address, caplog, bad, code, words):
    with caplog.at_level(logging.DEBUG, "uvicorn"), stream_to(address) as link:
        opened(link)
        for _ in range(20):
            link.send(ONE)
        if bad is None:
            link.socket.sendall(b"\x83\x80" + bytes(4))  # an opcode that there is not
        else:
            link.send(bad, text=True)
        said = [json.loads(link.recv()) for _ in range(20)]

        assert [positions(each, at).shape for at, each in enumerate(said)] == [(1, 28, 3)] * 20
        assert words in json.loads(link.recv())["error"]
        with pytest.raises(ConnectionClosedError) as end:
            link.recv()
    assert end.value.rcvd.code == code
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_message_of_pieces_without_end_ends_a_stream(address):
    text, more = b"\x01\x80" + bytes(4), b"\x00\x80" + bytes(4)  # empty, and not the last
    with stream_to(address) as link:
        opened(link)
        link.send(ONE)
        link.socket.sendall(text + more * 2_000)

        assert json.loads(link.recv())["frame"] == 0
        assert "more than 1,000 pieces" in json.loads(link.recv())["error"]
        with pytest.raises(ConnectionClosedError) as end:
            link.recv()
    assert end.value.rcvd.code == 1009


def test_what_cannot_be_read_may_be_the_opening(address):
    with stream_to(address) as link:
        link.send(b"\xff", text=True)

        assert "not UTF-8" in json.loads(link.recv())["error"]
        with pytest.raises(ConnectionClosedError) as end:
            link.recv()
    assert end.value.rcvd.code == 1007


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Type: application/json",),
        ("Content-Type: multipart/form-data; boundary=x",),
    ],
)
def test_an_upload_that_is_broken_off_is_no_error_of_the_server(address, caplog, lines):
    gone = 'graphlift_requests_total{route="/lift",status="499"}'
    before = counted(address, gone)

    with wire(address) as link:
        link.sendall(head(address, "POST", "/lift", *lines, "Content-Length: 900") + b"--x\r\n")

    until(lambda: counted(address, gone) == before + 1)
    assert not caplog.records
    assert ask(address, "GET", "/health").status == 200
