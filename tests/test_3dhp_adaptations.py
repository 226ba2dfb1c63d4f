"""The known adaptations: by hand, and what they leave as it was."""

from itertools import pairwise

import numpy as np
import pytest
import tiny_3dhp as tiny

from graphlift.cameras import camera_to_image
from graphlift.datasets.mpi_inf_3dhp.adaptations import (
    bone_sum,
    rescale_bones,
    scale_by_own_width,
    shift_hips,
    through_lens,
)
from graphlift.errors import ShapeError
from graphlift.skeletons import MPI_INF_3DHP_17

POSES = tiny.take(1, 6).positions
TARGET = tiny.take(2, 6).positions
AT = {name: place for place, name in enumerate(MPI_INF_3DHP_17.joints)}
CHAINS = (
    ("HeadTop", "Neck", "Hip"),
    *(("Neck", f"{s}Shoulder", f"{s}Elbow", f"{s}Wrist") for s in "LR"),
    *(("Hip", f"{s}Hip", f"{s}Knee", f"{s}Ankle") for s in "LR"),
)


def test_hips_move_a_fifth_of_the_way_to_the_neck():
    moved = shift_hips(POSES)

    for frame in range(len(POSES)):
        before, after = POSES[frame], moved[frame]
        way = before[AT["Neck"]] - before[AT["Hip"]]
        for name in MPI_INF_3DHP_17.joints:
            expected = before[AT[name]]
            if name in ("Hip", "LHip", "RHip"):
                expected = expected + 0.2 * way
            if name == "Spine":
                expected = (before[AT["Hip"]] + 0.2 * way + before[AT["Neck"]]) / 2
            np.testing.assert_allclose(after[AT[name]], expected, atol=1e-12)


def test_hips_that_move_all_the_way_are_at_the_neck():
    moved = shift_hips(POSES, ratio=1.0)

    np.testing.assert_allclose(moved[:, AT["Hip"]], POSES[:, AT["Neck"]])


def test_bones_are_those_of_the_source_by_name():
    by_name = [(AT[a], AT[b]) for chain in CHAINS for a, b in pairwise(chain)]
    expected = [sum(np.linalg.norm(pose[a] - pose[b]) for a, b in by_name) for pose in POSES]

    assert len(by_name) == 14
    np.testing.assert_allclose(bone_sum(POSES), expected)


def test_rescaled_bones_add_up_to_the_targets_and_the_pelvis_stays():
    scaled = rescale_bones(POSES, TARGET)

    np.testing.assert_allclose(bone_sum(scaled), bone_sum(TARGET))
    np.testing.assert_allclose(scaled[:, AT["Hip"]], POSES[:, AT["Hip"]])
    rooted = POSES - POSES[:, [AT["Hip"]]]
    ratio = (scaled - scaled[:, [AT["Hip"]]]) / np.where(rooted == 0, np.nan, rooted)
    assert np.nanmax(np.ptp(np.nan_to_num(ratio, nan=np.nanmean(ratio)), axis=(1, 2))) < 0.2


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_a_wrong_scale_vanishes(scale):
    root = TARGET[:, [AT["Hip"]]]

    scaled = rescale_bones(scale * (TARGET - root), TARGET)

    np.testing.assert_allclose(scaled, TARGET - root, atol=1e-12)


def test_a_pose_in_one_point_stays_there():
    point = np.ones((2, 17, 3))

    np.testing.assert_array_equal(rescale_bones(point, TARGET[:2]), point)


def test_own_width_spans_minus_one_to_one_in_each_image():
    corners = np.array([[0.0, 0], [1920, 1080]])

    np.testing.assert_allclose(
        scale_by_own_width(corners, (1920, 1080)), [[-1, -1080 / 1920], [1, 1080 / 1920]]
    )
    np.testing.assert_allclose(
        scale_by_own_width(np.array([[2048.0, 2048]]), (2048, 2048)), [[1, 1]]
    )


def test_through_another_lens_is_what_that_camera_sees():
    lens, other = tiny.a_camera(1), tiny.a_camera(2, (1000, 1000), 1145.0)
    seen = camera_to_image(POSES, lens)

    np.testing.assert_allclose(
        through_lens(seen, lens, other), camera_to_image(POSES, other), atol=1e-9
    )


@pytest.mark.parametrize("shape", [(16, 3), (4, 17, 2), (17,)])
def test_other_joints_are_refused(shape):
    with pytest.raises(ShapeError, match=r"official joints.*convert them first"):
        shift_hips(np.zeros(shape))
