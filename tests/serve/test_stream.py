"""Streams over a websocket: a pose for each frame, in order; what ends them, and how."""

import json
import socket
import threading
import time

import numpy as np
import pytest
from helpers.served import (
    OPENING,
    ask,
    counted,
    opened,
    people,
    plain,
    positions,
    stream_to,
    until,
)
from websockets.exceptions import ConnectionClosedError

CLOSE = 1e-5
"""m; see test_lift.py."""


def test_two_hundred_frames_have_two_hundred_answers_in_their_order(address, lifter):
    frames = people(200)

    with stream_to(address) as link:
        head = opened(link)
        sender = threading.Thread(
            target=lambda: [link.send(json.dumps(frame.tolist())) for frame in frames]
        )
        sender.start()
        said = [json.loads(link.recv()) for _ in frames]
        sender.join()
        with pytest.raises(TimeoutError):
            link.recv(timeout=0.1)

    assert [frame["frame"] for frame in said] == list(range(200))
    direct = lifter(frames, skeleton="coco-17", image_size=(640, 480), fps=30)
    ours = np.array([positions(frame) for frame in said])
    np.testing.assert_allclose(ours, direct.positions, rtol=0, atol=CLOSE)
    assert head["skeleton"]["joints"] == list(direct.skeleton.joints)
    assert (head["units"], head["axes"]["name"], head["fps"]) == ("m", "camera", 30)
    assert head["notes"] == ["The lens was assumed to see 55° across 640 px."]


def test_each_connection_has_a_state_of_its_own(address, lifter):
    clips = [people(12, seed=seed) for seed in (1, 2)]
    opening = {"smooth": True, "field_of_view": 60}
    said = [[], []]

    with stream_to(address) as one, stream_to(address) as other:
        links = (one, other)
        for link in links:
            opened(link, **opening)
        for number in range(12):
            for link, clip in zip(links, clips, strict=True):
                link.send(json.dumps({"keypoints": clip[number, 0].tolist()}))
            for link, frames in zip(links, said, strict=True):
                frames.append(positions(json.loads(link.recv()), number))

    for clip, frames in zip(clips, said, strict=True):
        alone = lifter.stream(
            skeleton="coco-17", image_size=(640, 480), fps=30, field_of_view=60, smooth=True
        )
        direct = [alone(frame).positions[0] for frame in clip]
        np.testing.assert_allclose(frames, direct, rtol=0, atol=CLOSE)


def test_a_lens_is_taken(address, lifter):
    lens = {"focal": [700, 710], "centre": [330, 235], "radial": [-0.1, 0, 0]}
    frame = people(1)[0]

    with stream_to(address) as link:
        head = opened(link, camera=lens, model="open-small")
        link.send(json.dumps(frame.tolist()))
        said = positions(json.loads(link.recv()))

    from graphlift.cameras import Camera

    camera = Camera(
        *((700.0, 710.0), (330.0, 235.0), (640, 480), np.eye(3), np.zeros(3)),
        radial=(-0.1, 0.0, 0.0),
        distortion="opencv",
    )
    direct = lifter.stream(skeleton="coco-17", camera=camera)(frame)
    np.testing.assert_allclose(said, direct.positions[0], rtol=0, atol=CLOSE)
    assert head["camera"]["focal"] == [700, 710]


ONE = people(1)[0, 0].tolist()
FRAMES = {
    "no JSON": ("[[1, 2", 1007, "frame 1: is no JSON"),
    "deep": ("[" * 100_000, 1007, "frame 1: is no JSON"),
    "a number": ("3", 1007, "frame 1: is 3"),
    "other keys": ('{"joints": []}', 1007, "frame 1: has ['joints']"),
    "other joints": (json.dumps(ONE[:16]), 1007, "frame 1: keypoints (16, 3)"),
    "ragged": (json.dumps([*ONE[:16], [1]]), 1007, "in lists of equal length"),
    "text": (json.dumps([["1", "2"]] * 17), 1007, "text among them"),
    "far": (json.dumps([[1e300, 0, 1]] * 17), 1007, "these are no px"),
    "crowd": (json.dumps([ONE] * 21), 1008, "21 people, more than the 20"),
    "binary": (b"\x00", 1003, "a binary message"),
}


@pytest.mark.parametrize(("bad", "code", "words"), FRAMES.values(), ids=FRAMES)
def test_a_frame_that_cannot_be_is_named_after_the_answers_before_it(address, bad, code, words):
    with stream_to(address) as link:
        opened(link)
        link.send(json.dumps(ONE))
        link.send(bad)

        assert positions(json.loads(link.recv()), 0).shape == (1, 28, 3)
        assert words in json.loads(link.recv())["error"]
        with pytest.raises(ConnectionClosedError) as end:
            link.recv()
    assert end.value.rcvd.code == code


OPENINGS = {
    "no JSON": ("{", "opening: is no JSON"),
    "skeleton": (OPENING | {"skeleton": "octopus"}, "no skeleton is named 'octopus'"),
    "unknown": (OPENING | {"path": "/etc/passwd"}, "opening: path"),
    "model": (OPENING | {"model": "/etc/passwd"}, "is none of this server's"),
    "no size": ({"skeleton": "coco-17"}, "opening: image_size"),
    "size": (OPENING | {"image_size": [0, 480]}, "image"),
    "rate": (OPENING | {"fps": -1}, "fps"),
    "smooth": ({**OPENING, "fps": None, "smooth": True}, "smoothing needs the frame rate"),
    "lens": (OPENING | {"camera": {"focal": [0, 1], "centre": [1, 1]}}, "camera.focal"),
    "far lens": (
        OPENING | {"camera": {"focal": [900, 900], "centre": [1e300, 1]}},
        "camera.centre",
    ),
    "long": (OPENING | {"model": "m" * 9_000}, "opening: has 9,0"),
    "huge": ('{"skeleton": ' + "1" * 5_000 + "}", "opening"),
}


@pytest.mark.parametrize(("opening", "words"), OPENINGS.values(), ids=OPENINGS)
def test_an_opening_that_cannot_be_is_named(address, opening, words):
    with stream_to(address) as link:
        link.send(opening if isinstance(opening, str) else json.dumps(opening))

        assert words in json.loads(link.recv())["error"]
        with pytest.raises(ConnectionClosedError) as end:
            link.recv()
    assert end.value.rcvd.code == 1007


def test_people_may_change_unless_they_are_smoothed(address):
    for smooth in (False, True):
        with stream_to(address) as link:
            opened(link, smooth=smooth)
            link.send(json.dumps([ONE, ONE]))
            link.send(json.dumps([ONE]))

            assert len(json.loads(link.recv())["people"]) == 2
            said = json.loads(link.recv())
        assert ("error" in said) == smooth
        assert "1 person after frames of 2" in said["error"] if smooth else said["frame"] == 1


def test_a_client_that_does_not_read_is_held_up_and_loses_nothing(served):
    address = served()
    frames, count = people(1, 20)[0].tolist(), 160
    done, waits = 'graphlift_frames_total{how="stream"}', 'graphlift_queue{of="frames"}'
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    host, _, port = address.removeprefix("http://").partition(":")
    link.connect((host, int(port)))

    with stream_to(address, sock=link, max_queue=1) as slow:
        opened(slow)
        sender = threading.Thread(
            target=lambda: [slow.send(json.dumps(frames)) for _ in range(count)]
        )
        sender.start()
        seen = [-2.0, -1.0]
        while seen[-1] != seen[-2] or counted(address, waits):
            time.sleep(0.15)
            seen.append(counted(address, done))
        said = [json.loads(slow.recv())["frame"] for _ in range(count)]
        sender.join()

    assert seen[-1] < count  # the rest was not read
    assert said == list(range(count))


def test_silence_ends_a_stream(served):
    address = served(idle_seconds=0.2)

    with stream_to(address) as link:
        opened(link)

        assert json.loads(link.recv())["error"].startswith("no frame for 0.2 s")
        with pytest.raises(ConnectionClosedError) as end:
            link.recv()
    assert end.value.rcvd.code == 1008


def test_a_client_that_goes_away_leaves_nothing_behind(address):
    is_open = 'graphlift_connections{kind="streams"}'
    before = counted(address, is_open)
    with stream_to(address) as link:
        opened(link)
        for _ in range(5):
            link.send(json.dumps(ONE))
        link.close_socket()

    until(lambda: counted(address, is_open) <= before)
    assert ask(address, "GET", "/health").status == 200


def test_streams_and_requests_go_together(address, lifter):
    from helpers.served import post_json

    clip = people(10, seed=9)
    with stream_to(address) as link:
        opened(link)
        for frame in clip:
            link.send(json.dumps(frame.tolist()))
        other = post_json(address, "/lift?raw=true", plain(clip[:1, 0]))
        ours = [positions(json.loads(link.recv())) for _ in clip]

    np.testing.assert_allclose(positions(other.json["frames"][0]), ours[0], rtol=0, atol=CLOSE)
