"""Keypoints against the image they are said to be in, whoever says its size."""

import numpy as np
import pytest
from helpers.tiny_keypoints import (
    assert_same,
    coco_annotations,
    coco_results,
    dump,
    openpose,
    refused,
    walk,
    wide_csv,
)

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints, write_keypoints
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17

NAMES = list(COCO_17.joints)


def walker(*, frames=40, start=350, stop=800, y=250):
    """Somebody who walks from one side to the other of an image of 1280x720."""
    body = np.random.default_rng(3).uniform(0, 100, (17, 2)) * [0.5, 3]
    xy = np.stack([np.linspace(start, stop, frames), np.full(frames, y)], axis=-1)
    confidence = np.full((frames, 1, 17, 1), 0.9)
    return np.concatenate([xy[:, None, None] + body, confidence], axis=-1)


TRIPLES = walker()
KEYPOINT_FILES = {
    "a.json": lambda path, triples: dump(path, coco_results(triples)),
    "a.csv": wide_csv,
    "a.npy": lambda path, triples: np.save(path, triples) or path,
    "a.npz": lambda path, triples: write_keypoints(path, keypoints_from(triples, COCO_17)) or path,
    "folder": openpose,
}


@pytest.mark.parametrize("name", KEYPOINT_FILES)
def test_a_size_that_is_another_images_is_refused_by_every_reader(tmp_path, name):
    path = KEYPOINT_FILES[name](tmp_path / name, TRIPLES)

    message = refused(path, r"stated to be 128x72 px", image_size=(128, 72), skeleton="coco-17")

    assert "100% of them lie outside" in message
    assert "image_size=(width, height) (--image-size WIDTHxHEIGHT)" in message


@pytest.mark.parametrize("name", KEYPOINT_FILES)
def test_swapped_sides_are_named_by_every_reader(tmp_path, name):
    path = KEYPOINT_FILES[name](tmp_path / name, TRIPLES)

    message = refused(
        path, r"stated to be 720x1280 px", image_size=(720, 1280), skeleton="coco-17"
    )

    assert "in 1280x720 they fit: width and height are swapped" in message
    assert "--image-size 1280x720" in message
    read = read_keypoints(path, image_size=(1280, 720), skeleton="coco-17")
    assert read.image_size == (1280, 720)
    assert "outside" not in read.source


def test_a_size_that_the_file_says_is_checked_too_and_the_callers_stands_above_it(tmp_path):
    path = dump(tmp_path / "a.json", coco_annotations(TRIPLES, NAMES, size=(720, 1280)))

    refused(path, r"stated to be 720x1280 px.*swapped")
    assert read_keypoints(path, image_size=(1280, 720)).image_size == (1280, 720)


def test_some_joints_beyond_the_border_are_noted_and_no_error():
    triples = walker(y=500)  # the legs end below the image

    keypoints = read_keypoints(triples, image_size=(1280, 720), skeleton="coco-17")

    outside = (triples[..., 1] > 720).mean()
    assert 0.1 < outside < 0.5
    assert f"{outside:.0%} of joints outside the image of 1280x720" in keypoints.source
    assert_same(keypoints, triples)


def test_guesses_that_the_detector_is_not_sure_of_are_not_counted():
    """MediaPipe guesses the legs of somebody at a desk: far below the image, hardly visible."""
    triples = walker(start=100, stop=300)
    below = [place for place, name in enumerate(NAMES) if name[1:] in ("Hip", "Knee", "Ankle")]
    assert len(below) == 6
    triples[:, :, below] += [0, 900, -0.8]

    keypoints = read_keypoints(triples, image_size=(640, 640), skeleton="coco-17")

    assert "outside" not in keypoints.source


def test_people_in_a_corner_of_the_image_are_no_contradiction():
    for size in ((1280, 720), (4000, 3000), (3000, 4000)):
        keypoints = read_keypoints(TRIPLES, image_size=size, skeleton="coco-17")
        assert "outside" not in keypoints.source


def test_without_a_size_nothing_is_said():
    assert "outside" not in read_keypoints(TRIPLES, skeleton="coco-17").source


@pytest.mark.parametrize("name", KEYPOINT_FILES)
def test_fractions_become_px_where_the_size_is_known(tmp_path, name):
    triples = TRIPLES.copy()
    triples[7, 0, 3] = 0
    fractions = triples / [1280, 720, 1]
    path = KEYPOINT_FILES[name](tmp_path / name, fractions)

    keypoints = read_keypoints(path, image_size=(1280, 720), skeleton="coco-17")

    assert_same(keypoints, triples, atol=1e-9)
    if name != "a.npz":  # which has a line of its own
        assert "fractions taken as px of an image of 1280x720" in keypoints.source
    refused(path, r"fractions of the image; multiply x by .*image_size", skeleton="coco-17")


def test_fractions_about_the_middle_are_not_taken_for_fractions_of_the_image(tmp_path):
    """OpenPose's ``--keypoint_scale 4`` counts from -1 to 1; people stand in the middle."""
    middle = TRIPLES / [640, 360, 1] - [1, 1, 0]
    middle[..., 0] = np.clip(middle[..., 0] - 0.3, -1, 1)

    refused(openpose(tmp_path, middle), r"fractions of the image; .*from its top left corner",
            image_size=(1280, 720))  # fmt: skip


def test_what_an_npz_says_of_its_source_is_kept_and_the_note_is_added_once(tmp_path):
    triples = walker(y=500)
    made = keypoints_from(triples, COCO_17, image_size=(1280, 720), source="a line")
    write_keypoints(tmp_path / "a.npz", made)

    once = read_keypoints(tmp_path / "a.npz")
    write_keypoints(tmp_path / "b.npz", once)
    twice = read_keypoints(tmp_path / "b.npz")

    assert once.source.startswith("a line, ")
    assert "of joints outside the image of 1280x720" in once.source
    assert twice.source == once.source


def test_nobody_in_any_frame_is_refused_before_the_size_is_looked_at():
    with pytest.raises(FormatError, match=r"no person is seen in any frame \(4 frames\)"):
        read_keypoints(walk(COCO_17) * [1, 1, 0], image_size=(3, 3), skeleton="coco-17")
