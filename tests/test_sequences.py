import numpy as np
import pytest

from graphlift.errors import ShapeError
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import COCO_17, H36M_17


@pytest.mark.parametrize("fps", [0.0, -25.0, 1e-4, 10_001.0, 999_999, np.nan, np.inf, "25"])
def test_an_impossible_frame_rate_is_refused(fps):
    with pytest.raises(ShapeError, match=r"fps is .* from 0.001 to 10,000"):
        keypoints_from(np.ones((1, 17, 2)), COCO_17, fps=fps)
    with pytest.raises(ShapeError, match=r"fps is .* None if"):
        Poses(np.zeros((1, 1, 17, 3)), H36M_17, fps=fps)


@pytest.mark.parametrize("fps", [0.001, 25, np.float32(29.97), 10_000.0, None])
def test_a_possible_frame_rate_is_kept_as_it_is(fps):
    assert Poses(np.zeros((1, 1, 17, 3)), H36M_17, fps=fps).fps is fps


@pytest.mark.parametrize("size", [(0, 9), (640,), (1, 2, 3), (640.5, 480), (10**7, 9), 5, "ab"])
def test_an_impossible_image_size_is_refused(size):
    with pytest.raises(ShapeError, match=r"image_size is .* two whole numbers of px"):
        keypoints_from(np.ones((1, 17, 2)), COCO_17, image_size=size)


def test_positions_are_finite_or_missing():
    positions = np.full((3, 2, 17, 3), np.nan)
    assert not Poses(positions, H36M_17, people=("Ada", "Bo")).valid.any()

    positions[1, 1, 4, 2] = -np.inf
    with pytest.raises(ShapeError, match="frame 1, person Bo, LHip"):
        Poses(positions, H36M_17, people=("Ada", "Bo"))
