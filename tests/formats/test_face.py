"""Points of the face that stand for joints of the head which a detector of bodies missed."""

import json

import numpy as np
import pytest
from helpers.tiny_keypoints import alphapose, coco_results, dump, mmpose_video, openpose, walk

from graphlift import Lifter
from graphlift.formats import read_keypoints
from graphlift.skeletons import (
    BODY_28,
    COCO_17,
    COCO_23,
    HALPE_26,
    OPENPOSE_BODY_25,
    OPENPOSE_COCO_18,
)

HEAD = ("Nose", "LEye", "REye", "LEar", "REar")
NOTE = "Where the body's own was not seen, points of the face stand for {}."


def face_towards_us(centre, c=0.8):
    """iBUG's 68 points of a face that looks into the camera: its right is the image's left."""
    x, y = centre
    points = np.zeros((68, 2))
    turn = np.linspace(np.pi, 0, 17)  # the jaw, from the image's left over the chin to its right
    points[:17] = np.stack([x + 60 * np.cos(turn), y + 80 * np.sin(turn)], axis=-1)
    points[17:27] = np.stack([x + np.linspace(-50, 50, 10), np.full(10, y - 25)], axis=-1)
    points[27:31] = np.stack([np.full(4, x), y + np.linspace(0, 24, 4)], axis=-1)
    points[31:36] = np.stack([x + np.linspace(-10, 10, 5), np.full(5, y + 30)], axis=-1)
    around = np.pi - np.arange(6) * np.pi / 3
    eye = np.stack([10 * np.cos(around), -4 * np.sin(around)], axis=-1)
    points[36:42], points[42:48] = np.add((x - 28, y), eye), np.add((x + 28, y), eye)
    points[48:] = (x, y + 50)
    return np.column_stack([points, np.full(68, c)])


def expected(centre, c=0.8):
    x, y = centre
    at = {"Nose": (x, y + 24), "LEye": (x + 28, y), "REye": (x - 28, y),
          "LEar": (x + 60, y), "REar": (x - 60, y)}  # fmt: skip
    return {name: (*xy, c) for name, xy in at.items()}


def people(skeleton, lost, hands=42):
    """Two people's bodies without some joints, then their faces and hands."""
    body = walk(skeleton, people=2)
    body[:, 0, skeleton.index(*lost)] = 0
    faces = np.array([[face_towards_us((200 + t, 150)), face_towards_us((600 + t, 160), 0.6)]
                      for t in range(len(body))])  # fmt: skip
    return body, np.concatenate([body, faces, np.full((*body.shape[:2], hands, 3), 0.5)], axis=2)


def assert_filled(keypoints, body, lost):
    assert keypoints.positions.shape[:3] == body.shape[:3]
    whole = np.concatenate([keypoints.positions, keypoints.confidence[..., None]], axis=-1)
    for frame in range(len(body)):
        for name in keypoints.skeleton.joints:
            joint = keypoints.skeleton.joints.index(name)
            own = body[frame, :, joint]
            if name in lost:
                own = np.array([expected((200 + frame, 150))[name], own[1]])
            np.testing.assert_allclose(whole[frame, :, joint], own, atol=1e-9)
    assert keypoints.notes == ((NOTE.format(", ".join(lost)),) if lost else ())


def mmpose_named(triples):
    names = [*COCO_23.joints, *(f"face-{n}" for n in range(68)), *(f"hand-{n}" for n in range(42))]
    meta = {"keypoint_id2name": dict(enumerate(names))}
    return {"meta_info": meta, "instance_info": mmpose_video(triples)}


FILES = {
    "MMPose": (COCO_23, mmpose_video),
    "MMPose's names": (COCO_23, mmpose_named),
    "COCO results": (COCO_23, coco_results),
    "AlphaPose of 133": (COCO_23, alphapose),
    "AlphaPose of 136": (HALPE_26, alphapose),
}


@pytest.mark.parametrize("lost", [HEAD, ("REye", "LEar"), ()])
@pytest.mark.parametrize("kind", FILES)
def test_the_face_fills_what_the_body_lacks_and_nothing_else(tmp_path, kind, lost):
    skeleton, write = FILES[kind]
    lost = [name for name in HEAD if name in lost]
    body, whole = people(skeleton, lost)
    keypoints = read_keypoints(dump(tmp_path / "k.json", write(whole)))
    assert keypoints.skeleton is skeleton
    assert_filled(keypoints, body, lost)
    assert "face-0" not in keypoints.source


@pytest.mark.parametrize("kind", ["array", "npy", "npz"])
def test_arrays_of_133_points_are_filled_alike(tmp_path, kind):
    body, whole = people(COCO_23, ("Nose", "REar"))
    np.save(tmp_path / "k.npy", whole)
    np.savez(tmp_path / "k.npz", keypoints=whole[..., :2], confidence=whole[..., 2])
    keypoints = read_keypoints(whole if kind == "array" else tmp_path / f"k.{kind}")
    assert_filled(keypoints, body, ["Nose", "REar"])


def test_of_133_points_taken_as_17_the_face_is_the_same(tmp_path):
    body, whole = people(COCO_23, HEAD)
    keypoints = read_keypoints(whole, skeleton="coco-17")
    assert_filled(keypoints, body[:, :, :17], list(HEAD))
    assert keypoints.skeleton is COCO_17


@pytest.mark.parametrize("skeleton", [OPENPOSE_BODY_25, OPENPOSE_COCO_18])
def test_openposes_face_of_70_points_stands_beside_its_body(tmp_path, skeleton):
    body, whole = people(skeleton, HEAD)
    folder = openpose(tmp_path / "json", body)
    for frame, file in enumerate(sorted(folder.iterdir())):
        data = json.loads(file.read_text())
        for person, entry in enumerate(data["people"]):
            face = whole[frame, person, len(skeleton) : len(skeleton) + 70]  # two of them pupils
            entry["face_keypoints_2d"] = face.ravel().tolist()
        dump(file, data)
    assert_filled(read_keypoints(folder), body, list(HEAD))


def test_an_eye_of_which_one_point_is_missing_stays_missing():
    _, whole = people(COCO_23, HEAD)
    whole[:, :, 23 + 44, 2] = 0
    keypoints = read_keypoints(whole)
    left, right = keypoints.skeleton.index("LEye", "REye")
    assert not keypoints.seen[:, 0, left].any()
    assert keypoints.seen[:, 0, right].all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_point_of_the_face_that_is_nowhere_stands_for_nothing(value):
    body, whole = people(COCO_23, HEAD)
    whole[:, :, 23 + 30, 0] = whole[:, :, 23 + 36, 1] = value
    keypoints = read_keypoints(whole)
    seen = keypoints.seen[:, 0, keypoints.skeleton.index(*HEAD)]
    np.testing.assert_array_equal(seen, [[False, True, False, True, True]] * len(body))


def test_an_eye_whose_mean_is_no_number_is_missing():
    _, whole = people(COCO_23, HEAD)
    whole[:, 0, 23 + 36 : 23 + 42, 0] = 1.7e308
    keypoints = read_keypoints(whole)
    assert not keypoints.seen[:, 0, keypoints.skeleton.index("REye")].any()


def test_the_least_confidence_of_an_eyes_points_is_the_eyes():
    _, whole = people(COCO_23, HEAD)
    whole[:, :, 23 + 38, 2] = 0.1
    keypoints = read_keypoints(whole)
    assert (keypoints.confidence[:, 0, keypoints.skeleton.index("REye")] == 0.1).all()


def test_a_lifted_pose_says_so_and_its_joints_of_the_head_were_seen():
    _, whole = people(COCO_23, HEAD)
    poses = Lifter.load("open-small")(read_keypoints(whole, image_size=(1000, 700)))
    assert NOTE.format(", ".join(HEAD)) in poses.notes
    head = BODY_28.index(*HEAD)
    assert poses.seen[:, 0, head].all()
