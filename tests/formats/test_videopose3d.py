"""Detectron's npz of a video, pickled as VideoPose3D's inference pickles it."""

import numpy as np
import pytest
from helpers.tiny_keypoints import assert_same, refused, walk

from graphlift.formats import read_keypoints
from graphlift.skeletons import COCO_17


def of_frame(people, *, listed=False):
    """(person, 4, joint): x, y, a logit of 0 and the score; an empty list for nobody."""
    rows = [np.stack([j[:, 0], j[:, 1], 0 * j[:, 2], j[:, 2]]).astype(np.float32) for j in people]
    return (rows if listed else np.stack(rows)) if rows else []


def detectron(path, frames, *, flat=True, **metadata):
    """NumPy before 1.24 made an array (frame, 2) of the two classes."""
    classes = [[[], frame] for frame in frames]
    keypoints = np.empty((len(classes), 2) if flat else len(classes), dtype=object)
    for number, pair in enumerate(classes):
        if flat:
            keypoints[number, 0], keypoints[number, 1] = pair
        else:
            keypoints[number] = pair
    segments = np.array([None] * len(classes), dtype=object)
    np.savez_compressed(
        path, boxes=keypoints, segments=segments, keypoints=keypoints, metadata=metadata or {}
    )
    return path


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("listed", [True, False])
def test_a_video_of_detectrons_is_read_with_its_size(tmp_path, flat, listed):
    triples = walk(COCO_17, frames=5, people=2)
    frames = [of_frame(people, listed=listed) for people in triples]
    frames[2] = []

    keypoints = read_keypoints(detectron(tmp_path / "a.npz", frames, flat=flat, w=1920, h=1080))

    triples[2] = 0
    assert keypoints.skeleton is COCO_17
    assert keypoints.image_size == (1920, 1080)
    assert_same(keypoints, triples, people=("0", "1"), atol=1e-4)
    assert "Detectron npz" in keypoints.source
    assert "people told apart by likeness" in keypoints.source


def test_a_video_that_shows_nobody_says_so(tmp_path):
    refused(
        detectron(tmp_path / "a.npz", [[], [], []], w=640, h=480), r"no person is .* \(3 frames\)"
    )


@pytest.mark.parametrize(
    ("frame", "pattern"),
    [
        (np.ones((1, 3, 17)), r"person 0 of frame 1 should be an array \(4, joint\)"),
        ([np.ones((4, 17)), "x"], r"person 1 of frame 1 should be an array"),
        (np.ones((1, 4, 12)), r"two skeletons in one|no skeleton of 12"),
    ],
)
def test_a_spoilt_file_names_person_and_frame(tmp_path, frame, pattern):
    frames = [of_frame(walk(COCO_17)[0]), frame]

    refused(detectron(tmp_path / "a.npz", frames, w=640, h=480), pattern)


def test_an_image_size_that_cannot_be_is_refused(tmp_path):
    frames = [of_frame(walk(COCO_17)[0])]

    path = detectron(tmp_path / "a.npz", frames, w="x", h=480)

    refused(path, r"image size is .*two whole numbers")
