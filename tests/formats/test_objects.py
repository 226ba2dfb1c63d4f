"""Results in memory: stand-ins with the attributes that the real classes have."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.tiny_keypoints import assert_same, walk

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints
from graphlift.skeletons import COCO_17, HALPE_26, MEDIAPIPE_33

SIZE = (1280, 720)


class Tensor:
    """As torch's on a device: only ``cpu().numpy()`` gives an array."""

    def __init__(self, data, where="cuda"):
        self.data, self.where = data, where

    def cpu(self):
        return Tensor(self.data, "cpu")

    def numpy(self):
        assert self.where == "cpu"
        return np.asarray(self.data, dtype=np.float32)

    def __array__(self, *_):
        raise TypeError("can't convert cuda tensor to numpy")


def ultralytics(people, *, ids=None, conf=True, size=SIZE):
    """A ``Results`` of ultralytics 8: image, boxes and keypoints."""
    keypoints = SimpleNamespace(
        xy=Tensor(people[..., :2]), conf=Tensor(people[..., 2]) if conf else None
    )
    boxes = SimpleNamespace(id=None if ids is None else Tensor(np.array(ids, float)), is_track=ids)
    return SimpleNamespace(
        orig_img=None, orig_shape=size[::-1], boxes=boxes, keypoints=keypoints, path="x", names={}
    )


@dataclass
class KeyPoints:
    """supervision's, from 0.29 on."""

    xy: Any
    class_id: Any = None
    keypoint_confidence: Any = None
    detection_confidence: Any = None
    visible: Any = None
    data: dict = field(default_factory=dict)

    @property
    def confidence(self):
        raise DeprecationWarning("the old name warns")

    def __iter__(self):
        raise AssertionError("an object is not to be iterated over")


@dataclass
class OldKeyPoints:
    """supervision's, up to 0.28."""

    xy: Any
    class_id: Any = None
    confidence: Any = None
    data: dict = field(default_factory=dict)


@dataclass
class Landmark:
    x: float
    y: float
    z: float
    visibility: float | None
    presence: float | None = None


def marks(joints):
    return [Landmark(x / SIZE[0], y / SIZE[1], 0.0, c) for x, y, c in joints.tolist()]


# ultralytics


def test_ultralytics_results_are_a_video(recwarn):
    triples = walk(COCO_17, frames=4)
    triples[1, 0, 3] = 0

    keypoints = read_keypoints([ultralytics(people) for people in triples], fps=25)

    assert keypoints.skeleton is COCO_17
    assert (keypoints.image_size, keypoints.fps) == (SIZE, 25)
    assert_same(keypoints, triples, atol=1e-4)
    assert keypoints.source == "ultralytics results, 4 frames (coco-17)"


def test_ultralytics_results_come_as_they_are_made():
    triples = walk(COCO_17, frames=4)
    alive = []

    def stream():
        for people in triples:
            alive.append(1)
            yield ultralytics(people)

    assert_same(read_keypoints(stream()), triples, atol=1e-4)
    assert len(alive) == 4


def test_ultralytics_frames_with_nobody_are_there_the_first_too():
    triples = walk(COCO_17, frames=4)
    empty = ultralytics(triples[0][:0])
    nothing = SimpleNamespace(keypoints=None, boxes=None, orig_shape=SIZE[::-1])
    odd = ultralytics(np.zeros((1, 0, 3)))  # what some versions leave

    keypoints = read_keypoints([empty, ultralytics(triples[1]), nothing, odd])

    triples[[0, 2, 3]] = 0
    assert_same(keypoints, triples, atol=1e-4)


def test_ultralytics_tracks_are_used():
    triples = walk(COCO_17, frames=3, people=2)
    ids = [(4, 9), (9, 4), (4, 9)]
    results = [ultralytics(people, ids=one) for people, one in zip(triples, ids, strict=True)]

    keypoints = read_keypoints(results)

    assert keypoints.people == ("4", "9")
    np.testing.assert_allclose(keypoints.positions[1, 0], triples[1, 1, :, :2], atol=1e-4)


def test_one_result_is_one_frame_and_no_confidence_is_full():
    triples = walk(COCO_17, frames=1)

    keypoints = read_keypoints(ultralytics(triples[0], conf=False))

    triples[..., 2] = 1
    assert_same(keypoints, triples, atol=1e-4)


# supervision


@pytest.mark.parametrize("kind", [KeyPoints, OldKeyPoints])
@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26, MEDIAPIPE_33], ids=lambda s: s.name)
def test_supervision_key_points_of_any_version(kind, skeleton):
    triples = walk(skeleton, frames=3)
    named = "keypoint_confidence" if kind is KeyPoints else "confidence"
    frames = [kind(people[..., :2], **{named: people[..., 2]}) for people in triples]

    keypoints = read_keypoints(frames, image_size=SIZE)

    assert keypoints.skeleton is skeleton
    assert keypoints.image_size == SIZE
    assert_same(keypoints, triples)


def test_supervisions_hidden_points_are_missing():
    triples = walk(COCO_17, frames=1)
    visible = np.ones((1, 17), dtype=bool)
    visible[0, 4] = False

    keypoints = read_keypoints(KeyPoints(triples[0][..., :2], visible=visible))

    triples[..., 2] = 1
    triples[0, 0, 4] = 0
    assert_same(keypoints, triples)


# MediaPipe


def test_mediapipes_solution_has_one_person_or_none():
    triples = walk(MEDIAPIPE_33, frames=3)
    results = [
        SimpleNamespace(pose_landmarks=SimpleNamespace(landmark=marks(people[0])))
        for people in triples
    ]
    results[0] = SimpleNamespace(pose_landmarks=None)

    keypoints = read_keypoints(results, image_size=SIZE)

    triples[0] = 0
    assert_same(keypoints, triples, atol=1e-9)


def test_mediapipes_landmarker_has_several_people():
    triples = walk(MEDIAPIPE_33, frames=3, people=2)
    results = [
        SimpleNamespace(pose_landmarks=[marks(joints) for joints in people],
                        pose_world_landmarks=[], segmentation_masks=None)
        for people in triples
    ]  # fmt: skip
    results[1].pose_landmarks = []
    triples[1] = 0

    assert_same(read_keypoints(results, image_size=SIZE), triples, atol=1e-9)


def test_mediapipe_needs_the_images_size():
    result = SimpleNamespace(pose_landmarks=[marks(walk(MEDIAPIPE_33)[0, 0])])

    with pytest.raises(FormatError, match=r"fractions of the image.*give image_size=\(width"):
        read_keypoints(result)


# What is none of them


@pytest.mark.parametrize("source", [object(), 3, None, {}, {"x": 1}, [object()], [], [[1, 2]]])
def test_anything_else_is_refused_with_what_is_known(source):
    with pytest.raises(FormatError, match=r"is no keypoints that are known: give a path, an arr"):
        read_keypoints(source)


def test_frames_of_two_kinds_or_two_sizes_are_refused():
    people = walk(COCO_17)[0]

    with pytest.raises(FormatError, match=r"frame 1 is a KeyPoints, but frame 0 is of ultraly"):
        read_keypoints([ultralytics(people), KeyPoints(people[..., :2])])
    with pytest.raises(FormatError, match=r"frames are of 2 sizes.*give the frames of one video"):
        read_keypoints([ultralytics(people), ultralytics(people, size=(10, 10))])


def test_keypoints_of_other_shapes_are_refused_with_the_right_ones():
    people = walk(COCO_17)[0]

    with pytest.raises(FormatError, match=r"frame 0: keypoints .* should be \(person, joint, 2\)"):
        read_keypoints(KeyPoints(people))
    with pytest.raises(FormatError, match=r"two skeletons in one: 17 joints in frame 0, 16 in fr"):
        read_keypoints([KeyPoints(people[..., :2]), KeyPoints(people[:, :16, :2])])


def test_nothing_is_imported_to_recognise_them():
    import subprocess
    import sys

    script = "import sys, graphlift.formats\nprint([m for m in ('ultralytics', 'supervision', "
    script += "'mediapipe', 'torch', 'h5py', 'scipy', 'pandas') if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert run.stdout == "[]\n"
