"""Random views: geometry that must hold whatever is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.datasets.mocap.prior import sample_prior
from graphlift.geometry import bone_vectors
from graphlift.samples.augment import Augmentation, coco_proxies, pelvis_axes
from graphlift.samples.random_views import (
    H36M_LIKE_RIG,
    TRAINING_RIG,
    UNSEEN_RIG,
    exact_views,
    hide,
    people_of,
    training_views,
)
from graphlift.skeletons import H36M_17
from graphlift.virtual_cameras import RandomRig, aimed_camera, extrinsics

SEEDS = st.integers(0, 2**31 - 1)
PATIENT = settings(deadline=None, max_examples=10)
PLAIN = Augmentation(
    size=0, bones=0, recombine=0, noise=0, exact=1, proxies=0, crop=0, joints=0, limbs=0,
    confident=1, mirror=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def people():
    return people_of(sample_prior("validation"))


@PATIENT
@given(SEEDS)
def test_many_cameras_stand_where_each_would_by_itself(seed):
    drawn = TRAINING_RIG.draw_many(np.random.default_rng(seed), 5)
    R, position = extrinsics(drawn)

    for k in range(5):
        alone = aimed_camera(
            azimuth=drawn.azimuth[k], distance=drawn.distance[k], height=drawn.height[k],
            focal=1000.0, target=tuple(drawn.target[k]), roll=float(drawn.roll[k]),
        )  # fmt: skip
        np.testing.assert_allclose(R[k], alone.R, atol=1e-12)
        np.testing.assert_allclose(position[k], alone.position, atol=1e-12)


@pytest.mark.parametrize("rig", [TRAINING_RIG, UNSEEN_RIG, H36M_LIKE_RIG])
def test_cameras_keep_to_their_ranges(rig):
    drawn = rig.draw_many(np.random.default_rng(0), 2000)

    for name in ("distance", "height"):
        low, high = getattr(rig, name)
        assert low <= getattr(drawn, name).min() <= getattr(drawn, name).max() <= high
    assert np.hypot(*drawn.target[:, :2].T).max() <= rig.off_centre
    view = np.rad2deg(drawn.field_of_view)
    assert rig.field_of_view[0] - 1e-9 <= view.min() <= view.max() <= rig.field_of_view[1] + 1e-9


def test_the_h36m_like_lens_has_1145_px_for_a_1000_px_image():
    (low, high) = H36M_LIKE_RIG.field_of_view
    assert low == high
    assert 500 / np.tan(np.deg2rad(low) / 2) == pytest.approx(1145, abs=0.1)


def test_exact_rays_are_the_projection_of_the_targets_moved_back_to_the_root(people):
    views = exact_views(people, UNSEEN_RIG, seed=0)

    # The root's depth is all that a root-relative pose hides; any joint's ray gives it back.
    for k in range(0, len(views), 97):
        joint, ray = views.targets[k, 10], views.rays[k]
        # (joint + t) projects to ray 10 and t itself to ray 0: solve for t_z by least squares.
        A = (ray[10] - ray[0])[:, None]
        b = (joint[:2] - ray[10] * joint[2])[:, None]
        z = float(np.linalg.lstsq(A, b, rcond=None)[0][0, 0])
        t = np.array([*(ray[0] * z), z])
        again = views.targets[k] + t
        np.testing.assert_allclose(again[:, :2] / again[:, 2:], ray, atol=1e-6)


def test_the_same_seed_gives_the_same_views(people):
    one, same, other = (
        training_views(people, Augmentation(), count=64, seed=(s, 0)).samples() for s in (1, 1, 2)
    )

    np.testing.assert_array_equal(one.inputs, same.inputs)
    assert not np.array_equal(one.inputs, other.inputs)


@PATIENT
@given(SEEDS)
def test_no_joint_is_behind_the_camera_and_all_is_finite(people, seed):
    views = training_views(people, Augmentation(), count=64, seed=(seed,))
    samples = views.samples()

    assert np.isfinite(samples.inputs).all()
    assert np.isfinite(samples.targets).all()
    assert np.abs(samples.targets).max() < 2.5
    assert not samples.targets[:, H36M_17.root].any()
    assert ((samples.inputs[..., 2] > 0).sum(axis=1) >= 0).all()


def test_samples_are_turned_into_the_virtual_camera_together(people):
    """Turning keeps lengths, and the virtual camera's rays point at the turned joints."""
    views = exact_views(people, UNSEEN_RIG, seed=0)
    samples = views.samples()

    np.testing.assert_allclose(
        np.linalg.norm(samples.targets, axis=-1), np.linalg.norm(views.targets, axis=-1), atol=1e-5
    )
    # A joint to the right of the root in the virtual image, at the same depth, is to its right.
    flat = np.abs(samples.targets[..., 2]) < 0.02
    apart = (samples.inputs - samples.inputs[:, [0]])[..., :2]
    far = flat & (np.abs(apart) > 0.2).all(axis=-1)
    assert far.sum() > 20
    np.testing.assert_array_equal(np.sign(apart[far]), np.sign(samples.targets[..., :2][far]))


def test_bodies_keep_their_bones_when_nothing_varies(people):
    views = training_views(people, PLAIN, count=256, seed=(3,))
    lengths = np.linalg.norm(bone_vectors(views.targets, H36M_17.parents), axis=-1)
    known = np.linalg.norm(bone_vectors(people.positions, H36M_17.parents), axis=-1)

    gap = np.abs(lengths[:, None] - known[None]).max(axis=-1).min(axis=1)
    assert gap.max() < 1e-4


def test_mirrored_people_are_people_with_left_and_right_exchanged(people):
    bodies = Augmentation(**{**vars(PLAIN), "mirror": 1.0})
    plain, mirrored = (training_views(people, v, count=64, seed=(5,)) for v in (PLAIN, bodies))

    def triple(views):
        """Handedness of (left hip, spine, foot): changes sign in a mirror."""
        left, spine, knee = (views.targets[:, j] for j in H36M_17.index("LHip", "Spine", "LKnee"))
        return np.einsum("fi,fi->f", np.cross(left, spine), knee)

    sides = np.linalg.norm(plain.targets[:, H36M_17.mirror], axis=-1)
    np.testing.assert_allclose(np.linalg.norm(mirrored.targets, axis=-1), sides, atol=1e-6)
    assert np.isfinite(triple(mirrored)).all()


def test_pelvis_axes_are_a_right_handed_frame(people):
    axes = pelvis_axes(people.positions.astype(float))

    np.testing.assert_allclose(axes @ axes.swapaxes(1, 2), np.eye(3)[None] + 0 * axes, atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(axes), 1, atol=1e-6)


def test_coco_proxies_put_the_nose_before_the_face(people):
    """Forward is where the person's left is on the left: left × up."""
    positions = people.positions.astype(float)
    moved = coco_proxies(positions, np.random.default_rng(0))
    hip, thorax, spine, nose, head = H36M_17.index("Hip", "Thorax", "Spine", "Neck/Nose", "Head")
    left, right = H36M_17.index("LShoulder", "RShoulder")
    up = positions[:, head] - positions[:, nose]
    forward = np.cross(positions[:, left] - positions[:, right], up)

    assert (np.einsum("fi,fi->f", moved[:, nose] - moved[:, head], forward) > 0).all()
    gap = np.linalg.norm(moved[:, nose] - moved[:, head], axis=-1)
    np.testing.assert_allclose(gap, np.hypot(0.10, 0.03), atol=1e-6)
    np.testing.assert_allclose(moved[:, spine], (moved[:, hip] + moved[:, thorax]) / 2, atol=1e-9)


def test_a_fifth_of_the_joints_is_hidden_but_never_too_many(people):
    views = exact_views(people, UNSEEN_RIG, seed=0)
    gone = hide(views, 0.2, seed=1)

    assert gone.mean() == pytest.approx(0.2, abs=0.01)
    assert (~hide(views, 0.99, seed=1)).sum(axis=1).min() >= 5


@pytest.mark.parametrize(("key", "value"), [("noise", -1.0), ("crop", 1.5), ("size", 0.9)])
def test_an_augmentation_that_makes_no_sense_is_refused_by_its_key(key, value):
    with pytest.raises(ValueError, match=rf"{key} must be from 0 to"):
        Augmentation(**{key: value})


def test_the_rig_that_is_near_pushes_the_camera_back(people):
    near = RandomRig(distance=(0.1, 0.2), height=(1.0, 1.0))
    views = exact_views(people, near, seed=0)

    assert np.abs(views.rays).max() < 20
