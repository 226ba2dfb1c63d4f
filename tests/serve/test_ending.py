"""A server that is to end: streams answer what has come, whatever clients do, and it ends."""

import json
import threading
import time
from contextlib import ExitStack

import pytest
from helpers.served import OPENING, opened, people, stream_to
from websockets.exceptions import ConnectionClosed

from graphlift.serve.server import serving
from graphlift.serve.settings import Settings

ONE = json.dumps(people(1)[0, 0].tolist())


@pytest.fixture
def ending():
    """A server that has a long time for what it accepted, and what ends it."""
    with ExitStack() as stack:
        settings = Settings(port=0, models=("open-small",), grace_seconds=60)
        yield stack.enter_context(serving(settings)), stack.close


def rest_of(link):
    """All messages that still come, and the code of the closing."""
    said = []
    try:
        while True:
            said.append(json.loads(link.recv(timeout=30)))
    except ConnectionClosed as end:
        return said, end.rcvd.code


def test_a_stream_whose_opening_has_not_come_does_not_hold_it(ending):
    address, end = ending
    with stream_to(address) as silent, stream_to(address) as late:
        began = time.monotonic()
        late.send(json.dumps(OPENING))
        late.send(ONE)
        end()

        assert time.monotonic() - began < 20
        assert rest_of(silent) == ([{"error": "this server is ending: connect again"}], 1001)
        (head, frame, last), code = rest_of(late)
    assert (head["units"], frame["frame"], code) == ("m", 0, 1001)
    assert last["error"].startswith("this server is ending")


@pytest.mark.parametrize("pause", [0.005, 0], ids=["a camera", "without a pause"])
def test_a_busy_camera_does_not_hold_it(ending, pause):
    address, end = ending
    with stream_to(address) as link:
        opened(link)

        def send():
            try:
                while True:
                    link.send(ONE)
                    time.sleep(pause)
            except ConnectionClosed:
                pass

        said = []
        threads = [
            threading.Thread(target=send),
            threading.Thread(target=lambda: said.append(rest_of(link))),
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        began = time.monotonic()
        end()
        seconds = time.monotonic() - began
        for thread in threads:
            thread.join()

    (*frames, last), code = said[0]
    assert seconds < 20
    assert [frame["frame"] for frame in frames] == list(range(len(frames)))
    assert len(frames) > 10
    assert (code, last["error"][:21]) == (1001, "this server is ending")
