"""The example in the package is what its recipe makes."""

import make_example
import numpy as np

from graphlift.formats import read_keypoints, write_keypoints
from graphlift.formats.example import example_keypoints_path


def test_the_example_is_what_its_recipe_makes(tmp_path):
    made, kept = make_example.example_keypoints(), read_keypoints(example_keypoints_path())
    write_keypoints(tmp_path / "again.npz", made)

    np.testing.assert_allclose(kept.positions, made.positions, atol=0.11)  # rounded to 0.1 px
    np.testing.assert_array_equal(kept.confidence, made.confidence)
    assert (kept.fps, kept.image_size, kept.skeleton.name) == (30.0, (1280, 720), "coco-17")
    assert len((tmp_path / "again.npz").read_bytes()) == example_keypoints_path().stat().st_size
    assert example_keypoints_path().stat().st_size < 60_000


def test_bones_of_the_example_keep_their_lengths():
    joints = make_example.jumping_jacks()

    for a, b in ((11, 13), (13, 15), (5, 7), (7, 9)):  # of a leg and an arm of the left side
        lengths = np.linalg.norm(joints[:, a] - joints[:, b], axis=-1)
        np.testing.assert_allclose(lengths, lengths[0])
    assert joints[..., 2].min() > 0
