"""Turns from positions: bones are followed exactly, bent limbs and trunks as they were turned."""

import numpy as np
from helpers.turned_people import BONES, positions_of, standing_turns
from scipy.spatial.transform import Rotation

from graphlift.bodies.segments import ALONG, CARRIERS, FIXED, SEGMENTS
from graphlift.datasets.mocap.estimated_turns import estimate_turns
from graphlift.geometry import bone_vectors
from graphlift.sequences import FRONTS
from graphlift.skeletons import H36M_17


def people(seed=0, frames=50):
    quat = standing_turns(frames, seed, spread=0.6)
    turns = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix().reshape(frames, -1, 3, 3)
    return positions_of(quat), turns


def angle(one, other):
    return np.degrees(np.arccos(np.clip((np.trace(
        one.swapaxes(-1, -2) @ other, axis1=-2, axis2=-1) - 1) / 2, -1, 1)))  # fmt: skip


def test_turns_are_rotations_that_point_limbs_along_their_bones():
    positions, _ = people()

    turns, _ = estimate_turns(positions)

    product = turns.astype(float) @ turns.astype(float).swapaxes(-1, -2)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-5)
    assert (np.linalg.det(turns) > 0).all()
    limbs = FIXED & ~np.isin(H36M_17.joints, ("LHip", "RHip"))
    vectors = bone_vectors(positions, H36M_17.parents)[:, limbs]
    along = np.einsum("fjab,jb->fja", turns[:, CARRIERS], ALONG)[:, limbs]
    bones = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    np.testing.assert_allclose(along, bones, atol=1e-5)


def test_bent_limbs_are_turned_as_they_were():
    """The made people bend elbows and knees about one axis, by 30° to 85°."""
    positions, truth = people()

    turns, known = estimate_turns(positions)

    for name in ("LUpperArm", "RUpperArm", "LThigh", "RThigh"):
        assert known[:, FRONTS.index(name)].all()
        at = SEGMENTS.index(name)
        assert angle(turns[:, at], truth[:, at]).max() < 0.1, name
    for name in ("LForearm", "RShin"):
        at = SEGMENTS.index(name)
        assert angle(turns[:, at], truth[:, at]).max() < 0.1, name


def test_trunks_face_as_hips_and_shoulders_show():
    positions, truth = people()

    turns, known = estimate_turns(positions)

    assert known[:, :2].all()
    assert not known[:, FRONTS.index("Head")].any()
    # The bones from hip to spine and thorax lean back and forward by a few degrees of their own.
    for name, lean in (("Pelvis", BONES["Spine"][1]), ("Chest", BONES["Thorax"][1])):
        at = SEGMENTS.index(name)
        own = np.degrees(np.arctan2(abs(lean[1]), lean[2]))
        np.testing.assert_allclose(angle(turns[:, at], truth[:, at]), own, atol=0.1)


def test_straight_limbs_follow_the_trunk():
    """A T-pose, somewhat turned: nothing is bent, so nothing of the limbs' fronts is known."""
    quat = np.tile([0.0, 0, 0, 1], (1, len(SEGMENTS), 1))
    R = Rotation.from_euler("z", 30, degrees=True)
    positions = R.apply(positions_of(quat)[0])[None]

    turns, known = estimate_turns(positions)

    assert known.tolist() == [[True, True, False, False, False, False, False]]
    fronts = -turns[0, [SEGMENTS.index(n) for n in ("LUpperArm", "RThigh", "LShin")], :, 1]
    np.testing.assert_allclose(fronts, np.tile(R.apply([0, -1, 0]), (3, 1)), atol=0.15)


def test_estimates_turn_with_the_person():
    positions, _ = people(frames=5)
    R = Rotation.from_rotvec([0.4, -0.2, 1.1]).as_matrix()

    turned, _ = estimate_turns(positions @ R.T)

    np.testing.assert_allclose(turned, R @ estimate_turns(positions)[0], atol=1e-5)


def test_a_straight_arm_turns_steadily_as_it_passes_the_front():
    """An arm that points forward, a degree to the left and to the right: no half turn between."""
    still = np.tile([0.0, 0, 0, 1], (2, len(SEGMENTS), 1))
    arm = [SEGMENTS.index(name) for name in ("LUpperArm", "LForearm", "LHand")]
    forward = Rotation.from_euler("z", [[-89.0], [-91.0]], degrees=True).as_quat()
    still[:, arm] = forward[:, None]

    turns, _ = estimate_turns(positions_of(still))

    at = SEGMENTS.index("LUpperArm")
    assert angle(turns[:1, at], turns[1:, at]) < 3
