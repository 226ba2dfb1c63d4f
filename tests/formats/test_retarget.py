"""Gaps of a rig's joints: a twin that fills the whole clip at once."""

from pathlib import Path

import numpy as np
import pytest

from graphlift.formats.retarget import rigged_people
from graphlift.sequences import Poses
from graphlift.skeletons import BODY_28, H36M_17


def filled_at_once(positions):
    """Every bone by itself, from the root on, y up; the axes are the camera's."""
    given = positions[:, :17] * [1.0, -1.0, -1.0]
    frames, filled = np.arange(len(given)), np.empty(given.shape)
    for joint in H36M_17.order:
        parent = H36M_17.parents[joint]
        own = given[:, joint] - (0 if parent < 0 else given[:, parent])
        known = np.isfinite(own).all(axis=-1)
        for axis in range(3):
            filled[:, joint, axis] = np.interp(frames, frames[known], own[known, axis])
        if parent >= 0:
            filled[:, joint] += filled[:, parent]
    return filled


@pytest.fixture(params=[BODY_28, H36M_17], ids=["28 joints", "17 joints"])
def broken(request, rng):
    """Twelve frames, of which some have no pose, at both ends too."""
    shape = (12, 1, len(request.param), 3)
    positions = rng.standard_normal(shape).cumsum(axis=0).astype(np.float32)
    positions[[0, 4, 5, 9, 11]] = np.nan
    return Poses(positions=positions, skeleton=request.param)


def check(poses):
    (person,), _ = rigged_people(Path("x.glb"), poses)
    expected = filled_at_once(poses.positions[:, 0].astype(np.float64))

    np.testing.assert_allclose(person.positions[:], expected, atol=1e-6)
    for first in range(12):
        np.testing.assert_array_equal(person.positions[first], person.positions[:][first])
        for last in range(first, 12):
            part = slice(first, last)
            np.testing.assert_array_equal(person.positions[part], person.positions[:][part])
            np.testing.assert_array_equal(person.positions[part, 3], person.positions[part][:, 3])
    return person


def test_frames_without_a_pose_are_filled_bone_by_bone(broken):
    person = check(broken)

    assert person.present.tolist() == [n not in (0, 4, 5, 9, 11) for n in range(12)]


def test_so_are_single_joints(broken):
    broken.positions[6, 0, 13] = np.nan
    broken.positions[7, 0, [2, 5, 13]] = np.nan

    check(broken)


def test_frames_are_asked_for_as_of_an_array(broken):
    (person,), _ = rigged_people(Path("x.glb"), broken)
    whole = person.positions[:]

    for asked in (-1, -12, np.int64(4), (-1, 3), (4, slice(2, 5)), (slice(2, 8), [1, 13])):
        np.testing.assert_array_equal(person.positions[asked], whole[asked])
    for step in (-3, -1, 1, 2, 5):
        for start in (None, -4, 0, 3, 9, 20):
            part = slice(start, None, step)
            np.testing.assert_array_equal(person.positions[part], whole[part])
    with pytest.raises(IndexError):
        person.positions[12]


def test_the_poses_stay_as_they_are(broken):
    before = broken.positions.copy()
    (person,), _ = rigged_people(Path("x.glb"), broken)
    person.positions[2:8][:] = 0

    np.testing.assert_array_equal(broken.positions, before)
    assert np.isfinite(person.positions[:]).all()
    assert (person.positions[2:8] != 0).any()
