"""Views of 28 joints: what is shown, what is lifted, and where keypoints lie on a body."""

from dataclasses import fields, replace

import numpy as np
import pytest
from helpers.turned_people import turned_capture
from scipy.spatial.transform import Rotation

from graphlift.bodies.segments import POINTS, SEGMENTS
from graphlift.datasets.mocap.turns import motion_of
from graphlift.preprocessing import FRONT_JOINTS, canonical_28
from graphlift.samples.anatomy import Anatomy, draw_figures
from graphlift.samples.augment import Augmentation
from graphlift.samples.body_views import BodyPeople, draw_views, pose_kinds, view_figures
from graphlift.samples.definitions import FACE, SHIFTS, show
from graphlift.samples.strata import DEFINITIONS, EXACT, POSTURES, postures, strata, strata_samples
from graphlift.sequences import FRONTS
from graphlift.skeletons import BODY_28, H36M_17

COUNT = 400
AS_OURS = DEFINITIONS["recorded"]


@pytest.fixture(scope="module")
def motion():
    capture, quat = turned_capture(("a", "b", "c"), frames=30)
    turns = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix().reshape(-1, 15, 3, 3)
    return motion_of(capture, turns.astype(np.float32), "abc")


@pytest.fixture(scope="module")
def people(motion):
    return BodyPeople(motion, 0.5)


def figures_of(motion, anatomy=AS_OURS, seed=0):
    everybody = np.full(len(motion), 1 / len(motion))
    rng = np.random.default_rng(seed)
    return draw_figures(motion, rng.integers(len(motion), size=COUNT), anatomy, everybody, rng)


def local_shift(shown, figures, joint, segment):
    """By how much keypoints lie beside our joints, in a segment's axes, mm."""
    ours = figures.joints[:, H36M_17.joints.index(joint)]
    R = figures.turns[:, SEGMENTS.index(segment)]
    moved = shown.positions[:, BODY_28.joints.index(joint)] - ours
    return 1000 * np.einsum("fba,fb->fa", R, moved)


def test_our_own_definition_shows_the_17_joints_as_they_are(motion):
    figures = figures_of(motion)

    shown = show(figures, AS_OURS, np.random.default_rng(1))

    np.testing.assert_allclose(shown.positions[:, :17], figures.joints)
    np.testing.assert_allclose(shown.targets, shown.positions)
    assert not shown.given[:, 17:].any()
    assert shown.given[:, BODY_28.index("Spine", "Head", "LFoot")].all()


def test_systems_of_capture_shift_joints_by_what_is_stated_alike_on_both_sides(motion):
    figures = figures_of(motion)

    shown = show(figures, replace(AS_OURS, as_ours=0), np.random.default_rng(1))

    tall = figures.stature[:, None] / 1.75
    for joint, segment in (("Thorax", "Chest"), ("Head", "Head"), ("LShoulder", "Chest")):
        shift = local_shift(shown, figures, joint, segment) / tall
        expected = SHIFTS[joint if joint in SHIFTS else joint[1:]][1]
        np.testing.assert_allclose(shift.std(axis=0), expected, rtol=0.2, atol=1e-4)
    left, right = (local_shift(shown, figures, f"{s}Shoulder", "Chest") for s in "LR")
    np.testing.assert_allclose(left, right * [-1, 1, 1], atol=1e-4)
    np.testing.assert_allclose(
        shown.positions[:, 0], shown.positions[:, BODY_28.index("LHip", "RHip")].mean(axis=1)
    )
    np.testing.assert_allclose(shown.targets[:, :17], shown.positions[:, :17])
    np.testing.assert_allclose(  # what is not a joint of the system stays on the surface
        shown.targets[:, BODY_28.joints.index("Nose")], figures.points[:, POINTS.index("Nose")]
    )


def test_detectors_find_the_surface_and_our_joints_are_lifted(motion):
    figures = figures_of(motion)

    shown = show(figures, replace(AS_OURS, captured=0), np.random.default_rng(1))

    for joint, point in (("LShoulder", "LShoulder"), ("RFoot", "RAnkle"), ("LHeel", "LHeel")):
        np.testing.assert_allclose(
            shown.positions[:, BODY_28.joints.index(joint)], figures.points[:, POINTS.index(point)]
        )
    np.testing.assert_allclose(shown.targets[:, :17], figures.joints)
    middle = shown.positions[:, BODY_28.index("LShoulder", "RShoulder")].mean(axis=1)
    np.testing.assert_allclose(shown.positions[:, BODY_28.joints.index("Thorax")], middle)
    given = shown.given.mean(axis=0)
    assert not given[BODY_28.index("Spine", "Neck/Nose", "Head")].any()
    assert given[BODY_28.index("Hip", "Thorax", "LWrist")].all()
    assert 0.9 < given[FACE].mean() < 1
    assert 0.2 < given[BODY_28.joints.index("LSmallToe")] < 0.5


def test_exact_views_project_onto_the_keypoints(motion):
    views = view_figures(
        figures_of(motion), np.full(COUNT, "walk"), AS_OURS, EXACT, np.random.default_rng(2)
    )

    # With the right depth of the hip, every joint lies on its ray: solve for it by least squares.
    seen = views.confidence > 0
    rays = np.concatenate([views.rays, np.ones_like(views.rays[..., :1])], axis=-1)
    for ray, joints, known in zip(rays[:20], views.targets[:20], seen[:20], strict=True):
        # joints + h is along ray: cross(ray, joints + h) = 0, linear in h
        x, y, z = ray[known].T
        zero = np.zeros_like(x)
        rows = np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1)], 1)
        wanted = -np.cross(ray[known], joints[known])[:, :2]
        h, *_ = np.linalg.lstsq(rows.reshape(-1, 3), wanted.reshape(-1), rcond=None)
        at = joints[known] + h
        np.testing.assert_allclose(at[:, :2] / at[:, 2:], ray[known, :2], atol=1e-9)
        assert h[2] > 1


def test_mirrored_views_are_another_person_of_the_other_side(motion):
    settings = (np.full(COUNT, "walk"), replace(AS_OURS, captured=0))
    figures = figures_of(motion)
    plain = view_figures(figures, *settings, EXACT, np.random.default_rng(2))
    mirrored = view_figures(figures, *settings, replace(EXACT, mirror=1), np.random.default_rng(2))

    np.testing.assert_allclose(mirrored.rays, plain.rays[:, BODY_28.mirror] * [-1, 1], atol=1e-12)
    np.testing.assert_allclose(
        mirrored.targets, plain.targets[:, BODY_28.mirror] * [-1, 1, 1], atol=1e-12
    )
    arm = FRONTS.index("LUpperArm"), FRONTS.index("RUpperArm")
    np.testing.assert_allclose(
        mirrored.fronts[:, arm[0]], plain.fronts[:, arm[1]] * [-1, 1, 1], atol=1e-12
    )


def test_samples_are_in_the_virtual_cameras_axes(motion):
    views = view_figures(
        figures_of(motion), np.full(COUNT, "walk"), AS_OURS, EXACT, np.random.default_rng(2)
    )

    samples = views.samples()

    seen = canonical_28(views.rays, views.confidence)
    np.testing.assert_allclose(samples.inputs, seen.inputs, atol=1e-6)
    back = np.einsum("fba,fjb->fja", seen.R, samples.targets[..., :3])
    np.testing.assert_allclose(back, views.targets, atol=1e-6)
    at = BODY_28.index(*FRONT_JOINTS)
    np.testing.assert_allclose(np.linalg.norm(samples.targets[:, at, 3:], axis=-1), 1, atol=1e-5)
    others = np.setdiff1d(np.arange(len(BODY_28)), at)
    assert np.isnan(samples.targets[:, others, 3:]).all()


def test_inputs_say_what_is_missing(people):
    views = draw_views(people, Anatomy(), Augmentation(), 500, np.random.default_rng(0))

    inputs = views.samples().inputs

    missing = views.confidence == 0
    assert missing.any()
    assert (inputs[missing] == 0).all()
    assert (inputs[~missing][:, 3] == 1).all()
    assert ((~missing).sum(axis=1) >= 4).all()


def test_a_face_counts_as_a_joint_in_where_and_how_large_a_person_is(motion):
    figures = figures_of(motion)
    views = view_figures(
        figures, np.full(COUNT, "walk"), replace(AS_OURS, captured=0), EXACT,
        np.random.default_rng(2),
    )  # fmt: skip
    without = views.confidence.copy()
    without[:, FACE] = 0

    one, two = canonical_28(views.rays, views.confidence), canonical_28(views.rays, without)

    size = [np.linalg.norm(s.inputs[:, 2, :2] - s.inputs[:, 12, :2], axis=1) for s in (one, two)]
    assert np.abs(np.log(size[0] / size[1])).max() < 0.15


def test_rare_poses_are_drawn_more_often_than_they_were_recorded(motion):
    kinds = pose_kinds(motion, clusters=6)
    count = np.bincount(kinds)
    weights = BodyPeople(motion, 1.0).weights

    assert len(count) <= 6
    assert weights.sum() == pytest.approx(1)
    kinds = pose_kinds(motion)
    each = np.bincount(kinds, weights=weights)
    np.testing.assert_allclose(each[each > 0], each.max())  # balance 1: all kinds alike


def test_postures_are_told_by_trunk_and_thighs(motion):
    turns = np.broadcast_to(np.eye(3), (4, 15, 3, 3)).copy()
    about_x = Rotation.from_euler("x", [[45], [90]], degrees=True).as_matrix()
    trunk = [SEGMENTS.index(name) for name in ("Pelvis", "Chest")]
    thighs = [SEGMENTS.index(name) for name in ("LThigh", "RThigh")]
    turns[1, trunk], turns[2, trunk] = about_x[0], about_x[1]
    turns[3, thighs] = about_x[1]
    four = replace(motion.at(np.arange(4)), turns=turns)

    found = {name: frames.tolist() for name, frames in postures(four).items()}

    assert found == {"upright": [0], "bent": [1], "lying": [2], "squatting": [3]}


def test_strata_hold_every_posture_by_every_definition(motion):
    turns = motion.turns.copy()
    thighs = [SEGMENTS.index(name) for name in ("LThigh", "RThigh")]
    turns[:10, thighs] = Rotation.from_euler("x", -80, degrees=True).as_matrix()
    found = strata(replace(motion, turns=turns), each=12)
    samples = strata_samples(replace(motion, turns=turns))

    shown = [posture for posture in POSTURES if posture != "bent"]  # nobody was recorded so
    assert set(found) == {f"{p}, {d}" for p in shown for d in DEFINITIONS}
    assert set(samples.activity) <= set(found)
    down = found["inverted (made), recorded"].targets
    head, foot = (down[:, BODY_28.joints.index(name), 1] for name in ("Head", "LFoot"))
    assert (head > foot).mean() > 0.8  # y is down
    detected = found["upright, detected"]
    assert not detected.captured.any()
    assert found["upright, shifted"].captured.all()


def test_postures_that_nobody_was_recorded_in_are_left_out(motion):
    upright = motion.at(postures(motion)["upright"])

    found = strata(upright, each=5)

    assert {name.split(",")[0] for name in found} == {
        "upright", "lying (made)", "inverted (made)",
    }  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in fields(Augmentation)])
def test_of_views_the_keys_that_a_configuration_may_give_are_those_that_count(people, name):
    """:mod:`graphlift.training.config` refuses the others where there are 28 joints."""

    def drawn(augmentation):
        views = draw_views(people, Anatomy(), augmentation, 200, np.random.default_rng(4))
        return views.rays.tobytes() + views.confidence.tobytes() + views.targets.tobytes()

    other = replace(Augmentation(), **{name: 0.123})
    counts = name not in {"size", "bones", "recombine", "proxies"}
    assert (drawn(other) != drawn(Augmentation())) == counts
