"""Parts of an error, directions and half bodies: what is put in comes out, and nothing else."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from graphlift.metrics import p_mpjpe
from graphlift.sequences import FRONTS, keypoints_from
from graphlift.skeletons import COCO_17, H36M_17, MEDIAPIPE_33

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from film import directions, hiding, parts, tables
from film.methods import Made, Method, pick_points
from film.reference import JOINTS, POINTS, Truth

UP = np.array([0.1, -0.9, -0.3]) / np.linalg.norm([0.1, -0.9, -0.3])


@pytest.fixture
def goal(rng):
    """Bodies (frame, joint, 3) four metres before a camera, m."""
    return np.array([0.3, -0.2, 4]) + rng.uniform(-0.8, 0.8, size=(5, 12, 3))


def rays_to(positions):
    return positions / np.linalg.norm(positions, axis=-1, keepdims=True)


def turned(positions, axis, degrees):
    middle = positions.mean(axis=1, keepdims=True)
    R = Rotation.from_rotvec(np.radians(degrees) * np.asarray(axis)).as_matrix()
    return (positions - middle) @ R.T + middle


def modes(goal):
    """What turns, scales and moves a body a little: (7, joint · 3), to be left out of an error."""
    x = goal - goal.mean(axis=0)
    turns = [np.cross(axis, x) for axis in np.eye(3)]
    moves = [np.broadcast_to(axis, x.shape) for axis in np.eye(3)]
    return np.stack([each.ravel() for each in (*turns, *moves, x)])


@pytest.mark.parametrize("degrees", [-170, -35, 0, 12, 90])
def test_a_turn_about_the_vertical_is_yaw_and_nothing_else(goal, degrees):
    found = parts.take_apart(turned(goal, UP, degrees), goal, rays_to(goal), UP)

    np.testing.assert_allclose(found.yaw, degrees, atol=1e-9)
    np.testing.assert_allclose(found.rest, 0, atol=1e-5)
    np.testing.assert_allclose(found.size, 1, atol=1e-12)
    np.testing.assert_allclose(found.stages[:, 1:], 0, atol=1e-12)
    # A joint at the distance r from the axis is 2 r sin(angle / 2) off.
    x = goal - goal.mean(axis=1, keepdims=True)
    r = np.linalg.norm(x - (x @ UP)[..., None] * UP, axis=-1)
    chord = 2 * r.mean(axis=1) * np.sin(np.radians(abs(degrees)) / 2)
    np.testing.assert_allclose(found.stages[:, 0], chord, atol=1e-12)


def test_positive_yaw_is_counter_clockwise_seen_from_above():
    """World axes, z up: from x towards y."""
    goal = np.array([[[1.0, 0, 0], [-1, 0, 0], [0, 0, 1]]])
    predicted = np.array(
        [[[np.cos(0.2), np.sin(0.2), 0], [-np.cos(0.2), -np.sin(0.2), 0], [0, 0, 1]]]
    )

    found = parts.take_apart(predicted, goal, np.ones_like(goal), np.array([0.0, 0, 1]))

    np.testing.assert_allclose(found.yaw, np.degrees(0.2))


def test_a_turn_about_a_level_axis_and_a_size_are_found_as_such(goal):
    level = np.cross(UP, [1.0, 0, 0])
    level /= np.linalg.norm(level)
    tilted = turned(goal, level, 8)

    found = parts.take_apart(0.8 * tilted, goal, rays_to(goal), UP)

    np.testing.assert_allclose(found.size, 0.8)
    np.testing.assert_allclose(found.stages[:, 3:], 0, atol=1e-12)
    # Of a lopsided cloud, a little of the tilt is best undone by yaw: together they are the tilt.
    assert (np.abs(found.yaw) + found.rest >= 8 - 1e-6).all()
    assert (abs(found.rest - 8) < 1).all()


def test_an_error_along_the_rays_is_depth(goal, rng):
    rays, predicted = rays_to(goal), goal.copy()
    for frame in range(len(goal)):
        # Amounts along the rays that no turn, move or size of the body can undo.
        kept = np.einsum("mjx,jx->mj", modes(goal[frame]).reshape(7, 12, 3), rays[frame])
        amounts = rng.normal(size=12)
        amounts -= np.linalg.pinv(kept) @ kept @ amounts
        predicted[frame] += 1e-4 * amounts[:, None] * rays[frame]

    found = parts.take_apart(predicted, goal, rays, UP)

    put_in = np.linalg.norm(predicted - goal, axis=-1).mean(axis=1)
    np.testing.assert_allclose(found.shares[:, 3], put_in, rtol=1e-3)
    assert np.abs(found.yaw).max() < 1e-3
    assert (found.stages[:, 4] < 1e-3 * put_in).all()


def test_an_error_across_the_rays_is_left_over(goal, rng):
    rays, predicted = rays_to(goal), goal.copy()
    for frame in range(len(goal)):
        kept = np.concatenate(
            [
                modes(goal[frame]),
                [np.outer(np.eye(12)[j], rays[frame, j]).ravel() for j in range(12)],
            ]
        )
        error = rng.normal(size=36)
        error -= np.linalg.pinv(kept) @ kept @ error
        predicted[frame] += 1e-4 * error.reshape(12, 3)

    found = parts.take_apart(predicted, goal, rays, UP)

    np.testing.assert_allclose(found.stages[:, 4], found.stages[:, 0], rtol=1e-3)


def test_shares_sum_to_the_whole_and_the_fourth_stage_is_p_mpjpe(goal, rng):
    predicted = 0.7 * turned(goal, [0, 0, 1], 40) + rng.normal(scale=0.1, size=goal.shape)
    found = parts.take_apart(predicted, goal, rays_to(goal), UP)

    x, y = (each - each.mean(axis=1, keepdims=True) for each in (predicted, goal))
    np.testing.assert_allclose(
        found.shares.sum(axis=1), np.linalg.norm(x - y, axis=-1).mean(axis=1)
    )
    np.testing.assert_allclose(found.stages[:, 3].mean(), p_mpjpe(predicted, goal))


def test_a_frame_without_a_pose_has_no_parts(goal):
    predicted = goal.copy()
    predicted[2, 3, 1] = np.nan

    found = parts.take_apart(predicted, goal, rays_to(goal), UP)

    assert np.isnan(found.stages).all(axis=1).tolist() == [False, False, True, False, False]
    assert np.isnan(found.yaw).tolist() == [False, False, True, False, False]


def test_blocks_widen_the_spread_of_errors_that_last(rng):
    fresh = rng.normal(size=(2000, 1))
    lasting = np.repeat(rng.normal(size=(100, 1)), 20, axis=0)

    # The standard error of a mean of n independent values is σ / √n: 95 % lie within 1.96 of it.
    for values, independent in ((fresh, 2000), (lasting, 100)):
        mean, spread = parts.mean_and_spread(values)
        np.testing.assert_allclose(mean, values.mean())
        np.testing.assert_allclose(spread, 1.96 * values.std() / np.sqrt(independent), rtol=0.3)


def standing():
    """A T-pose that faces -y, z up, left at +x: the points of one frame."""
    places = {
        **{f"{s}{n}": (x * w, 0, z) for s, w in (("L", 1), ("R", -1)) for n, x, z in (
            ("Shoulder", 0.2, 1.4), ("Elbow", 0.5, 1.4), ("Wrist", 0.75, 1.4),
            ("Hip", 0.1, 0.9), ("Knee", 0.1, 0.5), ("Ankle", 0.1, 0.1), ("Ear", 0.08, 1.6))},
        **{f"{s}Heel": (w * 0.1, 0.05, 0.0) for s, w in (("L", 1), ("R", -1))},
        **{f"{s}BigToe": (w * 0.1, -0.15, 0.0) for s, w in (("L", 1), ("R", -1))},
        "Nose": (0, -0.1, 1.6),
    }  # fmt: skip
    return np.array([[places[name] for name in POINTS]], dtype=float)


def test_everything_that_faces_forward_points_forward():
    fronts = np.tile([0.0, -1.0, 0.0], (1, len(FRONTS), 1))

    found = directions.point(standing(), np.array([0.0, 0, 1]), fronts)

    for name, vectors in found.items():
        expected = [1.0, 0, 0] if name == "hip line" else [0.0, -1, 0]
        np.testing.assert_allclose(vectors[0], [expected] * vectors.shape[1], atol=1e-12)


def test_a_turned_body_is_off_by_the_turn_and_by_nothing_once_it_is_undone():
    points, up = standing(), np.array([0.0, 0, 1])
    R = Rotation.from_euler("z", 25, degrees=True).as_matrix()
    fronts = np.tile([0.0, -1.0, 0.0], (1, len(FRONTS), 1)) @ R.T
    truth, made = Truth(points, points, up), Made(points @ R.T, fronts)

    np.testing.assert_allclose(directions.direction_errors(made, truth), 25)
    back = directions.direction_errors(made, truth, turned_back=True)
    np.testing.assert_allclose(back, 0, atol=1e-5)


def test_a_foot_is_measured_by_itself_and_a_model_without_feet_has_none():
    points, up = standing(), np.array([0.0, 0, 1])
    bent = points.copy()
    bent[:, POINTS.index("LBigToe")] = bent[:, POINTS.index("LHeel")] + [0, 0, -0.2]
    truth = Truth(points, points, up)

    errors = directions.direction_errors(Made(bent), truth)[0]
    expected = dict.fromkeys(directions.DIRECTIONS, 0.0) | {"foot": 45.0}
    for name, error in zip(directions.DIRECTIONS, errors, strict=True):
        if "front" in name:
            assert np.isnan(error)
        else:
            np.testing.assert_allclose(error, expected[name], atol=1e-6)

    without = Made(pick_points(np.zeros((1, 17, 3)), H36M_17))
    assert np.isnan(directions.direction_errors(without, truth)[0, 0])


@pytest.mark.parametrize("skeleton", [COCO_17, MEDIAPIPE_33, H36M_17])
def test_points_are_found_by_whatever_name_a_skeleton_has(skeleton):
    at = np.arange(len(skeleton), dtype=float)[None, :, None] * np.ones(3)
    other = {"Ankle": "Foot", "BigToe": "FootIndex"}

    picked = pick_points(at, skeleton)[0, :, 0]

    for name, place in zip(POINTS, picked, strict=True):
        names = {name, *(name.replace(a, b) for a, b in other.items())} & set(skeleton.joints)
        assert np.isnan(place) if not names else skeleton.joints[int(place)] in names


def frontal(skeleton):
    """A person before a camera, a frame, px: y grows downwards, hips at 900, shoulders at 600."""
    y = {"Shoulder": 600, "Elbow": 750, "Wrist": 880, "Hip": 900, "Knee": 1200, "Ankle": 1500}
    rows = [y.get(name[1:], 500 if "Foot" not in name and "Heel" not in name else 1550)
            for name in skeleton.joints]  # fmt: skip
    columns = 400 + 10 * np.arange(len(rows))
    return keypoints_from(np.stack([columns, rows], axis=-1)[None].astype(float), skeleton)


def test_legs_are_hidden_and_so_is_all_below_the_waist():
    keypoints = frontal(MEDIAPIPE_33)
    assert hiding.waist_row(keypoints) == 800  # a third of the way from 900 to 600

    seen = {what: set(np.array(JOINTS)[hiding.shown(hiding.hide(keypoints, what))[0]])
            for what in hiding.HIDDEN[:2]}  # fmt: skip

    arms = {f"{s}{n}" for s in "LR" for n in ("Shoulder", "Elbow")}
    rest = {f"{s}{n}" for s in "LR" for n in ("Wrist", "Hip")}
    assert seen == {hiding.LEGS: arms | rest, hiding.WAIST: arms}
    hidden = hiding.hide(keypoints, hiding.LEGS)
    gone = [n for n, s in zip(MEDIAPIPE_33.joints, hidden.seen[0, 0], strict=True) if not s]
    assert gone == [f"{s}{n}" for n in ("Knee", "Ankle", "Heel", "FootIndex") for s in "LR"]


def test_hidden_joints_are_measured_from_the_seen_ones(goal):
    seen = np.ones((5, 12), dtype=bool)
    seen[:, 8:] = False
    predicted = goal + 3.0
    predicted[:, 8:] += [0.1, 0, 0]

    np.testing.assert_allclose(
        hiding.split_errors(predicted, goal, seen), [[0, 0, 0.1]] * 5, atol=1e-7
    )
    # Turned and shrunk: only the first forgives it.
    errors = hiding.split_errors(0.5 * turned(goal, UP, 30), goal, seen)
    assert (errors[:, 0] < 1e-7).all()
    assert (errors[:, 1:] > 0.1).all()


def test_straight_legs_are_the_truth_of_who_stands_straight():
    points = standing()[:, : len(JOINTS)]
    bent = points.copy()
    for side in "LR":
        bent[:, JOINTS.index(f"{side}Ankle")] = bent[:, JOINTS.index(f"{side}Knee")] + [0, 0.4, 0]

    np.testing.assert_allclose(hiding.straight_legs(points), points)
    np.testing.assert_allclose(hiding.straight_legs(bent), points)


def test_the_table_of_parts_has_the_parts_that_were_put_in(goal):
    method = Method("a detector", "a model", "clip")
    views = [parts.take_apart(turned(goal, UP, 20), goal, rays_to(goal), UP)] * 4

    row = tables.parts_table({method: views}).splitlines()[2]

    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["a detector", "a model", "clip"]
    assert cells[3] == cells[4] != "0 ± 0"
    assert set(cells[5:]) == {"0 ± 0"}
