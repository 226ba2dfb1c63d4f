"""Plain csv tables, and joints by the names that people give them."""

import numpy as np
import pytest
from helpers.tiny_keypoints import SNAKE_NAMES, assert_same, walk, write_rows

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints
from graphlift.formats.joint_names import recognise
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.skeletons import (
    BODY_28,
    COCO_17,
    H36M_17,
    MEDIAPIPE_33,
    OPENPOSE_BODY_25,
    SKELETONS,
)

# Names


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
def test_a_skeletons_own_names_are_recognised_in_any_order(skeleton):
    names = list(reversed(skeleton.joints))

    found, joints, unknown = recognise(names, KeypointSource("x", skeleton))

    assert found is skeleton
    assert {skeleton.joints[joint]: names[place] for joint, place in joints.items()} == {
        name: name for name in names
    }
    assert not unknown


@pytest.mark.parametrize(
    "write",
    [
        lambda side, part: f"{side}_{part}",
        lambda side, part: f"{side[0].upper()}{part.title()}",
        lambda side, part: f"{part}{side[0].upper()}",
        lambda side, part: f"{part}_{side}",
        lambda side, part: f"{side.upper()} {part.upper()}",
        lambda side, part: f"{side[0]}.{part}",
    ],
)
def test_sides_are_written_in_many_ways_and_never_swapped(write):
    parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "eye", "ear")
    names = ["Nose", *(write(side, part) for side in ("left", "right") for part in parts)]

    skeleton, joints, unknown = recognise(names, KeypointSource("x"))

    assert skeleton is COCO_17
    assert not unknown
    for joint, place in joints.items():
        side, part = skeleton.joints[joint][0], skeleton.joints[joint][1:].lower()
        if part != "ose":
            assert names[place] == write({"L": "left", "R": "right"}[side], part)


def test_the_skeleton_is_the_one_that_gives_the_lifter_most():
    feet = ["left_big_toe", "right_big_toe", "left_heel", "right_heel"]
    with_feet = [*SNAKE_NAMES, *feet, "mid_hip"]
    with_hands = [*SNAKE_NAMES, "left_thumb", "mouth_left"]

    assert recognise(SNAKE_NAMES, KeypointSource("x"))[0] is COCO_17
    assert recognise(with_feet, KeypointSource("x"))[0] is OPENPOSE_BODY_25
    assert recognise(H36M_17.joints, KeypointSource("x"))[0] is H36M_17
    assert recognise(with_hands, KeypointSource("x"))[0] is MEDIAPIPE_33


def test_names_of_no_person_are_listed_with_the_names_to_give():
    with pytest.raises(FormatError) as told:
        recognise(["snout", "left_ear", "right_ear", "tailbase"], KeypointSource("mouse.h5"))

    message = str(told.value)
    assert message.startswith("mouse.h5: only 2 of 4 body parts are joints of a person")
    assert "not known: snout, tailbase" in message
    assert "rename them as in coco-17: Nose, LEye" in message


# Plain csv


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_long_table_has_a_row_a_joint(tmp_path, delimiter):
    triples = walk(COCO_17, frames=3, people=2)
    rows = [["frame", "person", "joint", "x", "y", "confidence"]]
    for frame, person, joint in np.ndindex(triples.shape[:3]):
        rows.append([frame, "ab"[person], COCO_17.joints[joint], *triples[frame, person, joint]])

    keypoints = read_keypoints(write_rows(tmp_path / "a.csv", rows, delimiter))

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples, people=("a", "b"))
    assert keypoints.source == f"csv {tmp_path / 'a.csv'} (coco-17)"


def test_a_long_table_without_rows_for_a_joint_or_a_frame_leaves_them_missing(tmp_path):
    triples = walk(COCO_17, frames=5)
    rows = [["frame", "joint", "x", "y"]]
    for frame, joint in np.ndindex(5, 17):
        if frame != 2 and (frame, joint) != (3, 9):
            rows.append([frame + 10, SNAKE_NAMES[joint], *triples[frame, 0, joint, :2]])

    keypoints = read_keypoints(write_rows(tmp_path / "a.csv", rows))

    triples[..., 2] = 1
    triples[2] = triples[3, 0, 9] = 0
    assert_same(keypoints, triples, people=("0",))


@pytest.mark.parametrize("third", ["c", "confidence", "Score", "likelihood"])
@pytest.mark.parametrize("separator", "_.")
def test_a_wide_table_has_columns_a_joint(tmp_path, third, separator):
    triples = walk(COCO_17, frames=3)
    header = [f"{name}{separator}{n}" for name in COCO_17.joints for n in ("x", "y", third)]

    keypoints = read_keypoints(
        write_rows(tmp_path / "a.csv", [header, *triples.reshape(3, -1).tolist()])
    )

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples)


def test_a_wide_table_with_frames_people_and_empty_cells(tmp_path):
    triples = walk(COCO_17, frames=4, people=2)
    header = ["Frame", "ID", *(f"{name}_{n}" for name in SNAKE_NAMES for n in "xyc"), "comment"]
    rows = [
        [f, f"p{p}", *triples[f, p].ravel(), "x"] for f, p in np.ndindex(4, 2) if (f, p) != (1, 1)
    ]
    rows[0][2:4] = ["", " "]

    keypoints = read_keypoints(write_rows(tmp_path / "a.csv", [header, *rows]))

    triples[0, 0, 0] = triples[1, 1] = 0
    assert_same(keypoints, triples, people=("p0", "p1"))


def test_columns_that_are_no_joints_are_named_in_the_source(tmp_path):
    triples = walk(COCO_17, frames=2)
    header = [f"{name}_{n}" for name in [*SNAKE_NAMES, "ball"] for n in "xyc"]
    rows = np.concatenate([triples.reshape(2, -1), np.ones((2, 3))], axis=1)

    keypoints = read_keypoints(write_rows(tmp_path / "a.csv", [header, *rows.tolist()]))

    assert keypoints.source.endswith("(coco-17, not used: ball)")


def test_joints_of_several_detectors_are_not_taken_for_the_union_of_all():
    # Halpe's "Head" is the top of the head; body-28, which has a nose too, calls the middle so.
    names = ["Nose", "Head", "Hip", *(f"{s}{p}" for s in "LR" for p in ("Hip", "Knee", "Ankle"))]

    of_some = recognise(names, KeypointSource("x"))[0]
    of_all = recognise(BODY_28.joints, KeypointSource("x"))[0]

    assert (of_some.name, of_all.name) == ("halpe-26", "body-28")
