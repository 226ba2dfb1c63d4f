"""JSON of millions of nothings: it is refused by its first entries, and in little memory."""

import json
import sys
import tracemalloc

import numpy as np
import pytest
from helpers.tiny_keypoints import dump, mmpose_video, walk

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints
from graphlift.formats.frame_numbers import number_in
from graphlift.formats.json_files import numbers
from graphlift.skeletons import COCO_17

MANY = 200_000


def calls_of(work):
    """How many functions of Python are called or resumed."""
    count = 0

    def see(_frame, event, _about):
        nonlocal count
        count += event == "call"

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("entry", ["[]", "{}", "null", "1", "[[]]", "[0]", '{"a":[]}', '"a"'])
@pytest.mark.parametrize("around", ["[%s]", '{"frames":[%s]}'])
def test_what_is_of_no_kind_is_refused_by_its_first_entries(tmp_path, entry, around):
    path = tmp_path / "a.json"
    path.write_text(around % ",".join([entry] * MANY))

    def refused():
        with pytest.raises(FormatError, match="is JSON of no kind that is known"):
            read_keypoints(path)

    assert calls_of(refused) < MANY / 2


BODY = [number % 50 for number in range(3 * len(COCO_17))]
POINT = [1, 1, 1]
WITHOUT_A_SKELETON = {
    "ultralytics": [[{"keypoints": {"x": [], "y": []}}] * MANY],
    "ultralytics, a person a frame": [[{"keypoints": {"x": [], "y": []}}]] * MANY,
    "ultralytics, after a person": [
        [{"keypoints": {"x": BODY[:17], "y": BODY[:17]}}]
        + [{"keypoints": {"x": [], "y": []}}] * MANY
    ],
    "COCO results": [{"image_id": 0, "keypoints": POINT}] * MANY,
    "COCO annotations": {"annotations": [{"image_id": 0, "keypoints": POINT}] * MANY},
    "COCO annotations with names": {
        "annotations": [{"image_id": 0, "keypoints": POINT}] * MANY,
        "categories": [{"keypoints": COCO_17.joints}],
    },
    "OpenPose": {"people": [{"pose_keypoints_2d": POINT}] * MANY},
    "AlphaPose": {"1.jpg": {"people": [{"pose_keypoints_2d": POINT}] * MANY}},
    "PoseFlow": {"1.jpg": [{"keypoints": POINT}] * MANY},
    "MMPose": [{"instances": [{"keypoints": [[1, 1]], "keypoint_scores": [1]}] * MANY}],
    "MediaPipe": [[[{"x": 0, "y": 0}]] * MANY],
}


@pytest.mark.parametrize("data", WITHOUT_A_SKELETON.values(), ids=WITHOUT_A_SKELETON)
def test_people_without_the_joints_of_a_skeleton_are_refused_at_the_first_of_them(tmp_path, data):
    path = dump(tmp_path / "a.json", data)

    def refused():
        with pytest.raises(FormatError, match=r"no skeleton of|two skeletons|joints are named"):
            read_keypoints(path, image_size=(640, 480))

    assert calls_of(refused) < 8 * MANY  # to read the joints of each takes nine and more


TOO_MANY_FRAMES = {
    "ultralytics": [[{"keypoints": {"x": BODY[:17], "y": BODY[:17]}}]] * 3_000,
    "ultralytics, without people": [
        [{"keypoints": {"x": BODY[:17], "y": BODY[:17]}}],
        *[[]] * 2_999,
    ],
    "COCO results": [{"image_id": number, "keypoints": BODY} for number in (0, 2_999)],
    "COCO annotations": {
        "images": [{"id": number} for number in range(3_000)],
        "annotations": [{"image_id": 0, "keypoints": BODY}],
    },
    "MMPose": [{"frame_id": number, "instances": []} for number in range(3_000)],
    "AlphaPose": {f"{number}.jpg": [{"keypoints": BODY}] for number in range(3_000)},
    "MediaPipe": [[{"x": 0.1, "y": 0.1}] * 33] * 3_000,
}


@pytest.mark.parametrize("data", TOO_MANY_FRAMES.values(), ids=TOO_MANY_FRAMES)
def test_too_many_frames_are_refused_before_people_are_told_apart(tmp_path, data):
    path = dump(tmp_path / "a.json", data)

    def refused():
        with pytest.raises(
            FormatError, match=r"3,000 frames, more than the 2,999 that are allowed: .*cut the"
        ):
            read_keypoints(path, image_size=(640, 480), max_frames=2_999)

    assert calls_of(refused) < 10 * 3_000  # to tell people apart takes hundreds


def test_as_many_frames_as_are_allowed_are_read(tmp_path):
    path = dump(tmp_path / "a.json", TOO_MANY_FRAMES["COCO results"])

    with pytest.raises(FormatError, match="3,000 frames, more than the 1 that"):
        read_keypoints(path, max_frames=1)
    assert len(read_keypoints(path, max_frames=3_000)) == 3_000


@pytest.mark.parametrize(
    "value", [[], [1, 2.5, None], [True, 1.0], [0, -7], [[1, None], [2, 3]], [1e300, 2**70]]
)
def test_numbers_are_what_numpy_makes_of_each(value):
    made = numbers(value, "keypoints")

    assert made.dtype == np.float64
    np.testing.assert_array_equal(made, np.vectorize(as_float, otypes=[float])(slowly(value)))


def slowly(value):
    return np.asarray(value, dtype=object)


def as_float(one):
    return float("nan") if one is None else float(one)


def test_frames_without_people_before_the_first_person_are_passed_over(tmp_path):
    landmarks = [{"x": 0.5, "y": 0.01 * joint, "visibility": 0.9} for joint in range(33)]
    person = {"keypoints": {axis: list(range(50, 67)) for axis in "xy"}}
    for name, frame, size in (
        ("mediapipe", landmarks, (640, 480)),
        ("ultralytics", [person], None),
    ):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps([[], None, *[[]] * 1_200, frame]).replace("null", "[]"))

        keypoints = read_keypoints(path, image_size=size)

        assert len(keypoints) == 1_203
        assert keypoints.seen[-1].all()
        assert not keypoints.seen[:-1].any()


def peak_of(work):
    """The most bytes that are taken meanwhile."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


TEXTS = ["a"] * 2_000 + ["b" * 50_000]
"""In an array of text, which has room for the longest in each place, 400 MB."""


@pytest.mark.parametrize("value", [TEXTS, [TEXTS], [[text] for text in TEXTS], [1, *TEXTS]])
def test_text_for_numbers_takes_no_more_than_its_own_memory(value):
    def refused():
        with pytest.raises(FormatError, match="there is text among them"):
            numbers(value, "keypoints")

    assert peak_of(refused) < 10_000_000


@pytest.mark.parametrize("field", ["joints", "people"])
def test_long_names_take_no_more_than_their_own_memory(tmp_path, field):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"keypoints": [[[[1, 2]] * 17]], field: TEXTS}))

    def refused():
        with pytest.raises(FormatError, match="names 2,001"):
            read_keypoints(path, skeleton="coco-17", image_size=(640, 480))

    assert peak_of(refused) < 20_000_000


@pytest.mark.parametrize("depth", [33, 64, 65, 200])
def test_lists_deeper_than_an_array_are_no_numbers(depth):
    value = 1.0
    for _ in range(depth):
        value = [value]
    if depth <= 64:
        assert numbers(value, "keypoints").shape == (1,) * depth
        return
    with pytest.raises(FormatError, match="keypoints should be numbers"):
        numbers(value, "keypoints")


@pytest.mark.parametrize("end", ["", "x!", ".jpg", ".jpg!"])
def test_a_name_of_a_million_digits_is_read_in_one_pass(end):
    """From each digit anew it would take a day."""
    name = "7" * 1_000_000 + end

    assert number_in(name) is None
    assert number_in(f"{name} 12{end}") == (None if "!" in end else 12)


def test_places_of_joints_that_python_reads_as_no_number_are_passed_over(tmp_path):
    data = {
        "meta_info": {"keypoint_id2name": {"1" * 5_000: "Nose"}},
        "instance_info": mmpose_video(walk(COCO_17)),
    }

    assert read_keypoints(dump(tmp_path / "a.json", data)).skeleton is COCO_17
