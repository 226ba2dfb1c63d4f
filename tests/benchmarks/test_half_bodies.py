"""Half bodies of motion capture: what is hidden is not seen, and the truth is off by nothing."""

import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.made_lifter import export_28
from helpers.turned_people import turned_capture
from scipy.spatial.transform import Rotation

from graphlift.bodies import SEGMENTS
from graphlift.datasets.mocap.turns import motion_of
from graphlift.lifting import Lifter
from graphlift.preprocessing import canonical_28
from graphlift.samples.strata import POSTURES, strata
from graphlift.skeletons import BODY_28

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import half_bodies
from film.hiding import LEGS, WAIST
from film.tables import GUESS
from strata import lift_views


@pytest.fixture(scope="module")
def found():
    """People of every posture; the thighs of some are level, so that somebody squats."""
    capture, quat = turned_capture(("a", "b", "c"), frames=30)
    turns = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix().reshape(-1, 15, 3, 3)
    thighs = [SEGMENTS.index(name) for name in ("LThigh", "RThigh")]
    turns[:10, thighs] = Rotation.from_euler("x", -80, degrees=True).as_matrix()
    pelvis = [SEGMENTS.index(name) for name in ("Pelvis", "Chest")]
    turns[10:20, pelvis] = Rotation.from_euler("x", 45, degrees=True).as_matrix()
    return strata(motion_of(capture, turns.astype(np.float32), "abc"), each=6)


@pytest.fixture(scope="module")
def views(found):
    return found["upright, detected"]


def test_what_is_hidden_is_missing_and_nothing_else_changes(views):
    for what, joints in half_bodies.HIDDEN.items():
        half = half_bodies.hide(views, joints)

        names = {name for name, gone in zip(BODY_28.joints, joints, strict=True) if gone}
        assert {"LKnee", "RFoot", "LHeel", "RBigToe", "LSmallToe"} <= names
        assert ({"Hip", "LHip", "RHip"} <= names) == (what == WAIST)
        assert not names & {"Spine", "LShoulder", "RWrist", "Nose"}
        assert (half.confidence[:, joints] == 0).all()
        np.testing.assert_array_equal(half.confidence[:, ~joints], views.confidence[:, ~joints])
        np.testing.assert_array_equal(half.targets, views.targets)


def test_the_truth_is_off_by_nothing_and_hidden_joints_that_move_are_told_apart(views):
    joints = half_bodies.HIDDEN[LEGS]
    moved = views.targets.copy()
    moved[:, joints] += [0.0, 0.0, 0.2]

    np.testing.assert_allclose(half_bodies.errors_of(views.targets, views, joints), 0, atol=1e-3)
    np.testing.assert_allclose(half_bodies.errors_of(moved, views, joints), [0, 0, 200], atol=1e-3)


def test_the_guess_is_right_but_for_the_legs(views):
    guessed = half_bodies.guess(views)

    joints = half_bodies.HIDDEN[LEGS]
    np.testing.assert_array_equal(guessed[:, ~joints], views.targets[:, ~joints])
    shin = BODY_28.index("LKnee", "LFoot")
    lengths = [np.linalg.norm(np.diff(each[:, shin], axis=1), axis=-1)
               for each in (guessed, views.targets)]  # fmt: skip
    np.testing.assert_allclose(*lengths, rtol=1e-5)


def test_networks_of_28_joints_are_given_the_views_as_they_are(views, tmp_path):
    lifter = Lifter.load(export_28(tmp_path / "made.onnx"), threads=1)

    seen = canonical_28(views.rays, views.confidence)
    answer = lifter.run(seen.inputs)[..., :3]
    expected = (answer - answer[:, :1]) @ seen.R
    np.testing.assert_allclose(lift_views(lifter, views).positions, expected, atol=1e-5)


def test_the_table_has_each_model_the_guess_and_the_mean_over_postures(found):
    one = Lifter.load("open-small", threads=1)
    means = half_bodies.measure(found, {"one": one, "two": one})
    lines = half_bodies.tabulate(means).splitlines()

    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [row[:2] for row in rows] == [
        *([LEGS, "one"], [LEGS, "two"], [LEGS, GUESS]),
        *([WAIST, "one"], [WAIST, "two"]),
    ]
    assert rows[0][2:] == rows[1][2:]
    hidden = [means[WAIST, "one", posture][0, 2] for posture in POSTURES]
    whole = [means[WAIST, "one", posture][1, 2] for posture in POSTURES]
    assert rows[3][2 + len(POSTURES)] == f"{np.mean(hidden):.0f} ({np.mean(whole):.0f})"
