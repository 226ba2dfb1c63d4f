"""Places in the queue are for who has sent all, and bodies on their way fill no disk."""

import http.client
import json
import select
from contextlib import ExitStack

import pytest
from helpers.served import ask, counted, head, people, plain, until, wire

CLIP = json.dumps(plain(people(2))).encode()


def begin(stack, address, path, sent):
    """Send the beginning of a body, and go on no further."""
    link = stack.enter_context(wire(address))
    lines = ("Content-Type: application/json", "Content-Length: 400000")
    link.sendall(head(address, "POST", path, *lines) + b" " * sent)
    return link


@pytest.mark.parametrize(("path", "status"), [("/lift", 200), ("/jobs", 202)])
def test_who_sends_slowly_takes_no_place(served, path, status):
    address = served(waiting=0)
    with ExitStack() as stack:
        slow = [begin(stack, address, path, 100) for _ in range(5)]
        until(lambda: counted(address, 'graphlift_connections{kind="requests"}') == len(slow) + 1)
        said = ask(address, "POST", path, CLIP, Content_Type="application/json")

    assert said.status == status


def test_bodies_on_their_way_fill_no_disk(served):
    address = served(waiting=1, body_bytes=400_000, video_bytes=400_000)  # 800,000 of each
    with ExitStack() as stack:
        links = [begin(stack, address, "/lift", 390_000) for _ in range(3)]
        refused, _, _ = select.select(links, (), (), 60)  # it may be any of them
        third = http.client.HTTPResponse(refused[0])
        third.begin()
        error = json.loads(third.read())["error"]
        job = ask(address, "POST", "/jobs", CLIP, Content_Type="application/json")

    assert len(refused) == 1
    assert (third.status, third.headers["Retry-After"]) == (503, "5")
    assert error.startswith("0.8 MB of requests are under way, as many as this server allows")
    assert job.status == 202
    until(
        lambda: ask(address, "POST", "/lift", CLIP, Content_Type="application/json").status == 200
    )
    with ExitStack() as stack:  # all that came has been given back
        held = [begin(stack, address, "/lift", 390_000) for _ in range(2)]
        until(lambda: counted(address, 'graphlift_connections{kind="requests"}') == len(held) + 1)
        assert ask(address, "POST", "/lift", CLIP, Content_Type="application/json").status == 200
