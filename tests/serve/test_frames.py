"""Messages of a stream: what is read of them, and both ways to write an answer."""

import json
import re
import struct

import numpy as np
import pytest
from helpers.served import OPENING, opened, people, positions, stream_to
from websockets.exceptions import ConnectionClosedError

from graphlift.errors import ShapeError
from graphlift.serve.frames import as_floats, as_json, columns, list_answers, read_frame
from graphlift.skeletons import SKELETONS

COCO = SKELETONS["coco-17"]


def answer(rng, count, fronts):
    """Arrays of so many people, each with another gap."""
    own = {
        "positions": rng.normal(0, 0.5, (count, 28, 3)).astype(np.float32),
        "sigma": rng.random((count, 28)).astype(np.float32),
    }
    if fronts:
        own["fronts"] = rng.normal(0, 0.5, (count, 7, 3)).astype(np.float32)
        own["front_sigma"] = rng.random((count, 7)).astype(np.float32)
    for person, array in enumerate(own.values()):
        array[min(person + 1, count - 1), 2] = np.nan
    return own, rng.random((count, 28)) > 0.3


def in_words(value):
    """An array as JSON has it, number by number."""
    if np.ndim(value):
        lost = value.shape == (3,) and not np.isfinite(value).all()
        return None if lost else [in_words(each) for each in value]
    return bool(value) if value.dtype == bool else None if np.isnan(value) else float(value)


def numbers(value):
    """The same, one after the other; null is NaN."""
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [np.nan if value is None else value]


@pytest.mark.parametrize("fronts", [True, False])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_json_has_six_decimals_of_every_number_and_null_for_none(rng, count, fronts):
    own, seen = answer(rng, max(count, 1), fronts)
    own, seen = {name: array[:count] for name, array in own.items()}, seen[:count]

    text = as_json(41, list_answers(own, seen))

    said = json.loads(text)
    assert list(said) == ["frame", "people"]
    assert (said["frame"], len(said["people"])) == (41, count)
    order = ["positions", "seen", "sigma", *(["fronts", "front_sigma"] if fronts else [])]
    for at, person in enumerate(said["people"]):
        assert list(person) == order
        for name, column in person.items():
            expected = in_words((own | {"seen": seen})[name][at])
            assert shape_of(column) == shape_of(expected), name
            np.testing.assert_allclose(numbers(column), numbers(expected), rtol=0, atol=5.1e-7)
    assert not re.search(r"\.\d{7}", text)


def shape_of(value):
    """What a value is, without its numbers."""
    return list(map(shape_of, value)) if isinstance(value, list) else type(value)


def test_float32_is_as_the_page_says(rng, lifter):
    own, seen = answer(rng, 2, fronts=True)

    said = as_floats(2**32 + 7, own, seen)

    assert struct.unpack_from("<II", said) == (7, 2)
    per_person = 28 * 3 + 28 + 28 + 7 * 3 + 7
    numbers = struct.unpack_from(f"<{2 * per_person}f", said, 8)
    assert len(said) == 8 + 4 * 2 * per_person
    second = numbers[per_person:]
    assert second[3:6] == tuple(own["positions"][1, 1].tolist())
    assert second[84 : 84 + 28] == tuple(seen[1].astype(float).tolist())
    assert second[112:114] == tuple(own["sigma"][1, :2].tolist())
    assert second[140:143] == tuple(own["fronts"][1, 0].tolist())
    np.testing.assert_array_equal(second[-7:], own["front_sigma"][1])
    assert as_floats(3, {}, seen[:0]) == struct.pack("<II", 3, 0)
    layout = columns(lifter)
    assert list(layout) == ["positions", "seen", "sigma", "fronts", "front_sigma"]
    assert sum(int(np.prod(axes)) for axes in layout.values()) == per_person


def test_a_frame_of_float32_is_read(rng):
    given = rng.uniform(0, 600, (2, 17, 3)).astype("<f4")
    given[1, 3] = np.nan

    np.testing.assert_array_equal(read_frame(given.tobytes(), COCO, "frame 0"), given)
    assert read_frame(b"", COCO, "frame 0").shape == (0, 17, 3)
    for bad, words in (
        (given.tobytes()[:-1], "frame 9: 407 bytes should be 204 for each person"),
        (
            np.full((1, 17, 3), np.inf, "<f4").tobytes(),
            "frame 9: Nose of person 0 lies inf px away",
        ),
        (np.full((1, 17, 3), -3e38, "<f4").tobytes(), "these are no px"),
    ):
        with pytest.raises(ShapeError, match=words):
            read_frame(bad, COCO, "frame 9")


def test_null_stands_for_a_joint_and_for_a_person_who_is_away(rng):
    given = rng.uniform(0, 600, (2, 17, 3))
    frame = given.tolist()
    frame[0][4], frame[1] = None, None
    given[0, 4] = given[1] = np.nan

    np.testing.assert_array_equal(read_frame(json.dumps(frame), COCO, "frame 0"), given)
    for away, count in (([None], 1), ([None, None], 2), ([None] * 17, 1), ([[None] * 17] * 2, 2)):
        nobody = read_frame(json.dumps(away), COCO, "frame 0")
        np.testing.assert_array_equal(nobody, np.full((count, 17, 3), np.nan))


def test_a_stream_of_float32_has_the_answers_of_one_of_json(address, lifter):
    frames = people(50, 2)
    frames[7, 1, 2:] = np.nan  # too few joints to lift

    with stream_to(address) as binary, stream_to(address) as text:
        head, other = opened(binary, encoding="float32"), opened(text, encoding="json")
        for frame in frames:
            binary.send(frame.astype("<f4").tobytes())
            text.send(
                json.dumps(
                    [[[n if n == n else None for n in j] for j in p] for p in frame.tolist()]
                )
            )
        said = [binary.recv() for _ in frames]
        read = [json.loads(text.recv()) for _ in frames]

    assert head.pop("columns") == {k: list(v) for k, v in columns(lifter).items()}
    assert (head.pop("encoding"), other.pop("encoding")) == ("float32", "json")
    assert head == other
    for number, (content, frame) in enumerate(zip(said, read, strict=True)):
        assert struct.unpack_from("<II", content) == (number, 2)
        ours = np.frombuffer(content, "<f4", offset=8).reshape(2, -1)
        theirs = positions(frame, number)
        np.testing.assert_allclose(ours[:, :84].reshape(2, 28, 3), theirs, rtol=0, atol=2e-5)
    assert np.isnan(np.frombuffer(said[7], "<f4", offset=8).reshape(2, -1)[1, :84]).all()


BROKEN = {
    "text": ("[]", 1003, "frame 1: is text: the opening promised float32"),
    "odd": (b"123", 1007, "frame 1: 3 bytes"),
    "crowd": (bytes(21 * 17 * 12), 1008, "21 people, more than the 20"),
}


@pytest.mark.parametrize(("bad", "code", "words"), BROKEN.values(), ids=BROKEN)
def test_an_error_in_float32_is_text_after_the_answers(address, bad, code, words):
    with stream_to(address) as link:
        opened(link, encoding="float32")
        link.send(people(1)[0].astype("<f4").tobytes())
        link.send(bad)

        assert len(link.recv()) == 8 + 4 * 168
        assert words in json.loads(link.recv())["error"]
        with pytest.raises(ConnectionClosedError) as end:
            link.recv()
    assert end.value.rcvd.code == code


def test_no_other_encoding_is_opened(address):
    with stream_to(address) as link:
        link.send(json.dumps(OPENING | {"encoding": "float16"}))

        assert "opening: encoding" in json.loads(link.recv())["error"]
