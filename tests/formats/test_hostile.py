"""Junk, damage and code in keypoint files: refused or read, and nothing else happens."""

import contextlib
import copy
import json
import os
import pickle

import numpy as np
import pytest
from helpers.tiny_keypoints import (
    MAKERS,
    NAMES,
    TRIPLES,
    alphapose,
    coco_annotations,
    coco_results,
    dump,
    landmarks,
    mmpose_video,
    refused,
    walk,
    wide_csv,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import GraphliftError
from graphlift.formats import read_keypoints
from graphlift.skeletons import MEDIAPIPE_33, OPENPOSE_BODY_25

# JSON that is hostile


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("[" * 100_000, r"lists within lists without end|cannot be read as JSON"),
        ('{"a":' * 100_000, r"lists within lists without end|cannot be read as JSON"),
        ('{"people": 3}', r"people should be a list of objects"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', r"pose_keypoints_2d of person 0 should"),
        ('{"people": [{"pose_keypoints_2d": "abc"}]}', r"should be numbers"),
        ('{"people": [{"pose_keypoints_2d": [[1, 2, 1], [3]]}]}', r"lists of equal length"),
        ('{"people": [{"pose_keypoints_2d": [1e400, 1, ' + "9" * 400 + "]}]}", r"people|numbers"),
        ("[]", r"is JSON of no kind that is known"),
        ("3", r"is JSON of no kind that is known"),
        ('{"a": 1}', r"its first object has a; known are OpenPose"),
        ("[[[[[[]]]]]]", r"is JSON of no kind that is known"),
    ],
)  # fmt: skip
def test_hostile_json_is_refused(tmp_path, text, pattern):
    (tmp_path / "a.json").write_text(text)

    refused(tmp_path / "a.json", pattern)


GOOD = {
    "openpose": {"people": [{"person_id": [-1], "pose_keypoints_2d":
                             walk(OPENPOSE_BODY_25, frames=1).ravel().tolist()}]},
    "results": coco_results(TRIPLES[:2]),
    "annotations": coco_annotations(TRIPLES[:2], NAMES),
    "alphapose": alphapose(TRIPLES[:2]),
    "mmpose": mmpose_video(TRIPLES[:2]),
    "demo": {"meta_info": {"keypoint_id2name": dict(enumerate(NAMES))},
             "instance_info": mmpose_video(TRIPLES[:2])},
    "mediapipe": {"frames": [landmarks(p, (640, 480)) for p in walk(MEDIAPIPE_33, frames=2)],
                  "width": 640, "height": 480},
}  # fmt: skip
JUNK = st.sampled_from(
    [None, True, 0, -1, 3, 10**30, 1e300, float("nan"), "", "x", "7", [], [1], [[]], [None], {},
     {"x": 1}, {"people": []}, [{"keypoints": []}], [["a"]]]
)  # fmt: skip


def places(value, at=()):
    """Every place in a document."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(
        value if isinstance(value, list) else ()
    )  # fmt: skip
    for key, each in inner:
        if not isinstance(value, list) or key < 6:
            yield from places(each, (*at, key))


@settings(deadline=None, max_examples=250)
@given(st.data(), st.sampled_from(list(GOOD)))
def test_junk_anywhere_in_a_document_is_refused_or_read(tmp_path_factory, data, kind):
    document = json.loads(json.dumps(GOOD[kind]))
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.sampled_from(sorted(places(document), key=str)))
        junk = copy.deepcopy(data.draw(JUNK))
        inner = document
        for key in at[:-1]:
            inner = inner[key]
        if not at:
            document = junk
        elif data.draw(st.booleans()):
            inner[at[-1]] = junk
        else:
            del inner[at[-1]]
    path = dump(tmp_path_factory.mktemp("x") / "a.json", document)
    with contextlib.suppress(GraphliftError):
        keypoints = read_keypoints(path)
        np.testing.assert_array_equal(keypoints.seen, keypoints.confidence > 0)


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from([name for name in MAKERS if name != "a.json"]))
def test_damage_anywhere_is_refused_or_read(tmp_path_factory, data, name):
    path = MAKERS[name](tmp_path_factory.mktemp("x") / name)
    broken = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(broken[: data.draw(st.integers(len(broken) // 2, len(broken)))]))
    with contextlib.suppress(GraphliftError):
        read_keypoints(path, skeleton="coco-17")


# Tables


@pytest.mark.parametrize(
    ("lines", "pattern"),
    [
        (["frame,joint,x,y", "0,Nose,1"], r"a\.csv, line 2: 3 cells, but the header has 4: .*cut"),
        (["frame,joint,x,y", "0,Nose,one,2"], r"line 2: 'one' is no number: write positions with"),
        (["frame,joint,x,y", "0.5,Nose,1,2"], r"line 2: frame '0\.5' is no whole number"),
        (["frame,joint,x,y", "0,Nose,1,2", "0,Nose,1,2"], r"line 3: Nose of 0 comes twice in fra"),
        (["joint,x,y", "Nose,1,2"], r"has no column frame beside joint, x, y"),
        (["frame,joint,x,y"], r"has a header but no row"),
        (["a,b,c", "1,2,3"], r"its columns \(a, b, c, \.\.\.\) are neither frame, joint, x,"),
        (["frame,joint,x,y", "0,tail,1,2"], r"only 0 of 1 body parts.*not known: tail; rename"),
        (["person,Nose_x,Nose_y", "A,1,2"], r"has a column person but none .*: add a"),
        (["Nose_x,Nose_y", "1,2,3"], r"line 2: 3 cells, but the header has 2"),
        (["scorer,net", "parts,nose", "coords,x", "0,1"], r"'parts' stands in the header, where"),
        (["scorer,net", "bodyparts,nose", "coords,z", "0,1"], r"coords are x, y and likelihood"),
        (["scorer,net", "bodyparts,nose,x", "coords,x", "0,1"], r"bodyparts and coords of one le"),
        (["scorer,net", "bodyparts,nose", "coords,x", "0,1,2"], r"line 4: 3 cells, but the head"),
        (["scorer,net", "bodyparts,nose", "coords,x", "now,1"], r"line 4: 'now' has no frame num"),
        (["scorer,net", "bodyparts,nose", "coords,x"], r"only 1 of 1|no row"),
        (["", ""], r"neither frame, joint, x, y nor"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_names_the_line(tmp_path, lines, pattern):
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")

    refused(tmp_path / "a.csv", pattern)


def test_a_table_whose_frames_count_something_else_takes_no_memory(tmp_path):
    wide_csv(tmp_path / "a.csv", TRIPLES[:2])
    header, *rows = (tmp_path / "a.csv").read_text().splitlines()
    rows = [f"{number},{row}" for number, row in zip((0, 1_700_000_000_000), rows, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join([f"frame,{header}", *rows]))

    refused(tmp_path / "a.csv", r"a\.csv: 1,700,000,000,001 frames of 1 person would take .* GB")


def test_a_table_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"frame,joint,x,y\n0,Nos\xff,1,2\n")

    refused(tmp_path / "a.csv", r"a\.csv: cannot be read as a table: .* no text in UTF-8")


# Code


class Attack:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_pickled_code_is_refused_wherever_it_hides_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evil = np.array(Attack(), dtype=object)
    np.savez("a.npz", keypoints=evil)
    np.savez("b.npz", keypoints=TRIPLES, skeleton=evil)
    np.savez("c.npz", positions_2d=evil, metadata={})
    np.save("d.npy", evil)
    (tmp_path / "e.pkl").write_bytes(pickle.dumps(Attack()))

    refused("a.npz", r"a\.npz: keypoints holds Python objects, .* save plain arrays")
    refused("b.npz", r"b\.npz: skeleton holds Python objects")
    refused("c.npz", r"c\.npz: positions_2d: .* asks for posix\.system, and only numbers")
    refused("d.npy", r"d\.npy holds Python objects, .* save plain arrays")
    refused("e.pkl", r"e\.pkl: \.pkl is not read: a pickle can run code")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.npz", "b.npz", "c.npz", "d.npy", "e.pkl"
    ]  # fmt: skip
