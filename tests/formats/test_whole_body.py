"""COCO-WholeBody's files, whose feet and faces stand in keys of their own."""

import numpy as np
import pytest
from helpers.tiny_keypoints import coco_annotations, coco_results, dump, walk

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints
from graphlift.skeletons import COCO_17, COCO_23

NAMES = [
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
      for side in ("left", "right")),
]  # fmt: skip
HEAD = ("Nose", "LEye", "REye", "LEar", "REar")
FRAMES = 3


def face(x, y):
    """iBUG's points of a face all at one place, but for the tip of the nose, 30."""
    points = np.full((68, 3), (x, y, 0.5))
    points[30] = (x, y + 9, 1.0)
    return points


def apart(entries, whole, *, flag):
    """Take the feet out of ``keypoints`` and give each person a face and hands, as flat lists."""
    people = whole.reshape(-1, 23, 3)
    for entry, person in zip(entries, people, strict=True):
        entry["keypoints"] = entry["keypoints"][: 3 * 17]
        feet = person[17:] * [1, 1, flag]
        x = float(person[0, 0])
        entry |= {
            "foot_kpts": feet.ravel().tolist(),
            "face_kpts": face(x, 40).ravel().tolist(),
            "lefthand_kpts": [0.0] * 63,
            "righthand_kpts": [7.0, 7.0, 1.0] * 21,
        }
        entry |= {f"{part}_valid": True for part in ("foot", "face", "lefthand", "righthand")}


def annotations(whole, names=NAMES):
    data = coco_annotations(whole[:, :, :17], names)
    apart(data["annotations"], whole, flag=2)
    return data


def results(whole):
    data = coco_results(whole[:, :, :17])
    apart(data, whole, flag=1)
    return data


WRITE = {"annotations": annotations, "results": results}
EVERY = pytest.mark.parametrize("kind", WRITE)


@pytest.fixture
def whole():
    """Everything seen for sure; of one person in one frame the left heel is not."""
    triples = walk(COCO_23, frames=FRAMES, people=2)
    triples[..., 2] = 1
    triples[1, 0, 19] = 0
    return triples


@EVERY
def test_feet_stand_behind_the_body_in_their_order(tmp_path, whole, kind):
    keypoints = read_keypoints(dump(tmp_path / "w.json", WRITE[kind](whole)))

    assert keypoints.skeleton is COCO_23
    assert COCO_23.joints[17:] == (
        "LBigToe",
        "LSmallToe",
        "LHeel",
        "RBigToe",
        "RSmallToe",
        "RHeel",
    )
    seen = whole[..., 2] > 0
    np.testing.assert_array_equal(keypoints.seen, seen)
    np.testing.assert_allclose(keypoints.positions[seen], whole[seen][:, :2])
    np.testing.assert_array_equal(keypoints.confidence[seen], 1)
    assert not keypoints.notes  # hands are not used, and no head was missing


@EVERY
def test_a_face_fills_the_head_that_the_body_lacks(tmp_path, whole, kind):
    whole[:, 0, COCO_23.index(*HEAD)] = 0
    data = WRITE[kind](whole)
    entries = data["annotations"] if kind == "annotations" else data
    for number, entry in enumerate(entries):
        entry["face_kpts"] = face(100 + number, 40).ravel().tolist()

    keypoints = read_keypoints(dump(tmp_path / "w.json", data))

    nose, eye = keypoints.skeleton.index("Nose", "LEye")
    for frame in range(FRAMES):
        np.testing.assert_allclose(keypoints.positions[frame, 0, nose], [100 + 2 * frame, 49])
        np.testing.assert_allclose(keypoints.positions[frame, 0, eye], [100 + 2 * frame, 40])
        np.testing.assert_array_equal(keypoints.positions[frame, 1, nose], whole[frame, 1, 0, :2])
    assert set(keypoints.confidence[:, 0, nose]) == {1.0}
    assert set(keypoints.confidence[:, 0, eye]) == {0.5}
    assert "points of the face stand for Nose, LEye, REye, LEar, REar" in keypoints.notes[0]


def test_feet_that_are_hidden_have_half_the_confidence_as_the_body_has(tmp_path, whole):
    data = annotations(whole)
    data["annotations"][0]["foot_kpts"][2] = 1

    keypoints = read_keypoints(dump(tmp_path / "w.json", data))

    assert keypoints.confidence[0, 0, 17] == 0.5


@pytest.mark.parametrize("lacking", ["absent", "zero"])
def test_who_has_no_feet_beside_others_who_have_misses_them(tmp_path, whole, lacking):
    data = annotations(whole)
    if lacking == "absent":
        del data["annotations"][1]["foot_kpts"]
        del data["annotations"][1]["face_kpts"]
    else:
        data["annotations"][1] |= {"foot_kpts": [0] * 18, "foot_valid": False}

    keypoints = read_keypoints(dump(tmp_path / "w.json", data))

    assert keypoints.skeleton is COCO_23
    assert not keypoints.seen[0, 1, 17:].any()
    assert keypoints.seen[0, 1, :17].all()


@EVERY
def test_the_body_alone_can_be_asked_for(tmp_path, whole, kind):
    file = dump(tmp_path / "w.json", WRITE[kind](whole))

    keypoints = read_keypoints(file, skeleton="coco-17")

    assert keypoints.skeleton is COCO_17
    np.testing.assert_array_equal(keypoints.positions, whole[:, :, :17, :2])


def test_names_in_another_order_are_put_in_ours_with_the_feet(tmp_path, whole):
    data = annotations(whole, NAMES[::-1])
    for entry in data["annotations"]:
        entry["keypoints"] = np.reshape(entry["keypoints"], (17, 3))[::-1].ravel().tolist()

    keypoints = read_keypoints(dump(tmp_path / "w.json", data))

    seen = whole[..., 2] > 0
    np.testing.assert_allclose(keypoints.positions[seen], whole[seen][:, :2])


@EVERY
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("foot_kpts", [1.0, 2.0, 2.0], "foot_kpts has 1 point, and COCO-WholeBody's are 6"),
        ("face_kpts", [1.0] * 9, "face_kpts has 3 points, and COCO-WholeBody's are 68"),
        ("foot_kpts", [1.0, 2.0], "foot_kpts should be x, y, confidence"),
        ("face_kpts", "none", "face_kpts should be"),
    ],
)
def test_points_that_are_not_so_many_are_named(tmp_path, whole, kind, key, value, said):
    data = WRITE[kind](whole)
    (data["annotations"] if kind == "annotations" else data)[1][key] = value

    with pytest.raises(FormatError, match=rf"w\.json: (annotation|entry) 1: {said}"):
        read_keypoints(dump(tmp_path / "w.json", data))


def test_feet_that_are_not_read_do_not_make_flags_of_confidences(tmp_path):
    person = [50.0, 60.0, 1.0] * 133  # with feet of its own
    data = {
        "annotations": [{"image_id": 0, "keypoints": person, "foot_kpts": [9.0, 9.0, 2.0] * 6}]
    }

    read = read_keypoints(dump(tmp_path / "a.json", data))

    assert (read.confidence == 1).all()
