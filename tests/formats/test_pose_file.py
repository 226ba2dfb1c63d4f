"""``.pose`` files: bytes laid out here from the documentation, and by pose-format where it is."""

import struct

import numpy as np
import pytest
from helpers.tiny_keypoints import assert_same, walk

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints
from graphlift.skeletons import MEDIAPIPE_33, OPENPOSE_BODY_25

LANDMARKS = [
    *("NOSE", "LEFT_EYE_INNER", "LEFT_EYE", "LEFT_EYE_OUTER", "RIGHT_EYE_INNER", "RIGHT_EYE"),
    *("RIGHT_EYE_OUTER", "LEFT_EAR", "RIGHT_EAR", "MOUTH_LEFT", "MOUTH_RIGHT"),
    *(f"{side}_{part}" for part in ("SHOULDER", "ELBOW", "WRIST", "PINKY", "INDEX", "THUMB",
                                    "HIP", "KNEE", "ANKLE", "HEEL", "FOOT_INDEX")
      for side in ("LEFT", "RIGHT")),
]  # fmt: skip


def text(words):
    encoded = words.encode()
    return struct.pack("<H", len(encoded)) + encoded


def component(name, points, form="XYZC"):
    head = text(name) + text(form) + struct.pack("<3H", len(points), 1, 1)
    return head + b"".join(map(text, points)) + struct.pack("<5H", 0, 1, 255, 0, 0)


def pose(components, data, confidence, *, version=0.2, size=(640, 480), fps=25.0):
    """A file: data (frame, person, point, dims) and confidence (frame, person, point)."""
    frames, people = confidence.shape[:2]
    counts = struct.pack("<2H", round(fps), frames) if version == 0.1 else (
        struct.pack("<fI", fps, frames)
    )  # fmt: skip
    return b"".join(
        [
            struct.pack("<f3HH", version, *size, 0, len(components)),
            *components,
            counts,
            struct.pack("<H", people),
            data.astype("<f4").tobytes(),
            confidence.astype("<f4").tobytes(),
        ]
    )


def holistic(triples):
    """A face before, the body, and world landmarks after it, as holistic files have."""
    frames, people = triples.shape[:2]
    face, world = np.full((frames, people, 3, 3), 7.0), np.full((frames, people, 33, 3), 0.1)
    body = np.concatenate([triples[..., :2], np.zeros((frames, people, 33, 1))], axis=-1)
    components = [
        component("FACE_LANDMARKS", ["0", "1", "2"]),
        component("POSE_LANDMARKS", LANDMARKS),
        component("POSE_WORLD_LANDMARKS", LANDMARKS),
    ]
    data = np.concatenate([face, body, world], axis=2)
    confidence = np.concatenate([np.ones((frames, people, 3)), triples[..., 2],
                                 np.ones((frames, people, 33))], axis=2)  # fmt: skip
    return components, data, confidence


@pytest.mark.parametrize("version", [0.1, 0.2])
def test_the_body_is_found_among_the_components(tmp_path, version):
    triples = walk(MEDIAPIPE_33, frames=5)
    triples[2, 0, 7] = triples[0] = 0
    (tmp_path / "a.pose").write_bytes(pose(*holistic(triples), version=version))

    keypoints = read_keypoints(tmp_path / "a.pose")

    assert keypoints.skeleton is MEDIAPIPE_33
    assert (keypoints.image_size, keypoints.fps) == ((640, 480), 25)
    assert_same(keypoints, triples, people=("0",), atol=1e-4)


def test_people_are_told_apart_because_the_file_does_not(tmp_path):
    triples = walk(OPENPOSE_BODY_25, frames=4, people=2)
    shown = np.stack([frame[:: 1 - 2 * (number % 2)] for number, frame in enumerate(triples)])
    body = component("pose_keypoints_2d", list(OPENPOSE_BODY_25.joints), "XYC")
    (tmp_path / "a.pose").write_bytes(pose([body], shown[..., :2], shown[..., 2]))

    keypoints = read_keypoints(tmp_path / "a.pose")

    assert keypoints.skeleton is OPENPOSE_BODY_25
    assert_same(keypoints, triples, people=("0", "1"), atol=1e-4)


def test_pose_format_reads_and_writes_the_same(tmp_path):
    library = pytest.importorskip("pose_format")
    header = pytest.importorskip("pose_format.pose_header")
    body = pytest.importorskip("pose_format.numpy")
    triples = walk(MEDIAPIPE_33, frames=6, people=1)
    triples[3, 0, 2] = 0
    points = header.PoseHeaderComponent("POSE_LANDMARKS", LANDMARKS, [(0, 1)], [(1, 2, 3)], "XYC")
    dimensions = header.PoseHeaderDimensions(640, 480, 0)
    theirs = library.Pose(
        header.PoseHeader(0.2, dimensions, [points]),
        body.NumPyPoseBody(29.97, triples[..., :2].astype("f4"), triples[..., 2].astype("f4")),
    )
    with (tmp_path / "theirs.pose").open("wb") as file:
        theirs.write(file)
    (tmp_path / "ours.pose").write_bytes(pose(*holistic(triples)))

    keypoints = read_keypoints(tmp_path / "theirs.pose")
    back = library.Pose.read((tmp_path / "ours.pose").read_bytes())

    assert_same(keypoints, triples, atol=1e-4)
    assert keypoints.fps == pytest.approx(29.97)
    np.testing.assert_allclose(back.body.data[:, :, 3:36, :2].data, triples[..., :2], atol=1e-4)


@pytest.mark.parametrize("keep", [1, 4, 9, 40, 400, -4])
def test_a_cut_file_says_where_it_ends(tmp_path, keep):
    whole = pose(*holistic(walk(MEDIAPIPE_33)))
    (tmp_path / "a.pose").write_bytes(whole[:keep])

    with pytest.raises(
        FormatError, match=r"a\.pose: ends at byte .* cut short, or no \.pose file"
    ):
        read_keypoints(tmp_path / "a.pose")


def test_a_file_that_promises_millions_of_frames_takes_no_memory(tmp_path):
    head = struct.pack("<f3HH", 0.2, 640, 480, 0, 1) + component("POSE_LANDMARKS", LANDMARKS)
    (tmp_path / "a.pose").write_bytes(head + struct.pack("<fIH", 25, 2**32 - 1, 65535))

    with pytest.raises(
        FormatError, match=r"a\.pose: 4,294,967,295 frames of 65,535 people would take"
    ):
        read_keypoints(tmp_path / "a.pose")


@pytest.mark.parametrize("version", [0.0, 0.3, 1e9, float("nan")])
def test_another_version_is_refused_with_those_that_are_read(tmp_path, version):
    (tmp_path / "a.pose").write_bytes(pose(*holistic(walk(MEDIAPIPE_33)), version=version))

    with pytest.raises(FormatError, match=r"a\.pose: is version .*: 0\.1 and 0\.2 are read"):
        read_keypoints(tmp_path / "a.pose")


@pytest.mark.parametrize("fps", [-1.0, float("nan"), float("inf")])
def test_a_rate_that_cannot_be_is_refused(tmp_path, fps):
    (tmp_path / "a.pose").write_bytes(pose(*holistic(walk(MEDIAPIPE_33)), fps=fps))

    with pytest.raises(FormatError, match=r"a\.pose: fps is .*: frames per second are a number"):
        read_keypoints(tmp_path / "a.pose")


def test_hands_alone_are_no_person(tmp_path):
    hand = component("LEFT_HAND_LANDMARKS", ["WRIST", "THUMB_CMC"], "XYC")
    (tmp_path / "a.pose").write_bytes(pose([hand], np.ones((2, 1, 2, 2)), np.ones((2, 1, 2))))

    with pytest.raises(FormatError, match=r"a\.pose: only 0 of 2 body parts are joints"):
        read_keypoints(tmp_path / "a.pose")
