"""The benchmark on real people: its calibration, its reference and its scores, on made-up ones."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from graphlift.cameras import Camera, camera_to_image, look_at, world_to_camera
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import H36M_17, MEDIAPIPE_33

PATH = Path(__file__).parents[2] / "benchmarks/wild.py"
SPEC = importlib.util.spec_from_file_location("wild", PATH)
wild = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(wild)

PLACES = [(4, 0, 1.5), (0, 4, 1.2), (-4, 0.5, 2.0), (0.3, -4, 1.6)]


def camera(place, **lens):
    place = np.array(place, dtype=float)
    settings = {"focal": (1700.0, 1690.0), "centre": (530.0, 950.0), "size": (1088, 1920)}
    R = look_at(place, np.array([0.0, 0.0, 1.0]), roll=0.3)
    return Camera(**(settings | lens), R=R, position=place)


@pytest.fixture
def cameras():
    return [camera(place) for place in PLACES]


@pytest.fixture
def body(rng):
    """Positions (frame, joint of MediaPipe, 3) within half a metre of the middle, m, world."""
    return np.array([0, 0, 1]) + rng.uniform(-0.5, 0.5, size=(3, 33, 3))


def seen(cameras, body):
    return [
        keypoints_from(camera_to_image(world_to_camera(body, each), each), MEDIAPIPE_33)
        for each in cameras
    ]


def test_the_reference_is_where_the_rays_meet(cameras, body):
    positions, errors = wild.make_reference(cameras, seen(cameras, body))

    at = MEDIAPIPE_33.index(*wild.JOINTS)
    np.testing.assert_allclose(positions, body[:, at], atol=1e-6)
    assert errors.max() < 1e-3


def test_distortion_is_taken_out_before_rays_meet(body):
    cameras = [
        camera(place, radial=(-0.05, 0.14, 0.0), tangential=(6e-4, 7e-4)) for place in PLACES
    ]
    views = []
    for each in cameras:
        K, D, r, t = wild.opencv(each)
        image = cv2.projectPoints(body.reshape(-1, 3), r, t, K, D)[0].reshape(*body.shape[:2], 2)
        views.append(keypoints_from(image, MEDIAPIPE_33))

    positions, _ = wild.make_reference(cameras, views)

    at = MEDIAPIPE_33.index(*wild.JOINTS)
    np.testing.assert_allclose(positions, body[:, at], atol=1e-5)


def test_a_view_that_disagrees_with_three_others_is_left_out(cameras, body):
    views = seen(cameras, body)
    views[2].positions[1, 0, MEDIAPIPE_33.index("LKnee")] += 80

    positions, errors = wild.make_reference(cameras, views)

    np.testing.assert_allclose(positions, body[:, MEDIAPIPE_33.index(*wild.JOINTS)], atol=1e-6)
    assert errors.max() < 1e-3


def test_a_joint_that_a_view_does_not_see_has_no_reference(cameras, body):
    views = seen(cameras, body)
    views[0].positions[2] = np.nan

    positions, _ = wild.make_reference(cameras, views)

    assert np.isfinite(positions).all(axis=(1, 2)).tolist() == [True, True, False]


def test_a_lifter_that_is_right_scores_nothing_whatever_it_calls_an_ankle(cameras, body, capsys):
    reference = body[:, MEDIAPIPE_33.index(*wild.JOINTS)]
    names = [name.replace("Foot", "Ankle") for name in H36M_17.joints]

    def lift(keypoints, camera):
        """Right up to a turn and a scale; what is not compared is anywhere."""
        positions = np.full((len(keypoints), 1, 17, 3), 9.0)
        for joint, name in enumerate(names):
            if name in wild.JOINTS:
                positions[:, 0, joint] = 0.8 * reference[:, wild.JOINTS.index(name)] @ camera.R.T
        return Poses(positions, H36M_17)

    views, world = seen(cameras, body), [0.5 * body[:, :, [0, 1, 2]]] * 4
    made = wild.lift_views({"right": lift}, cameras, views, world)
    wild.print_table(made, reference)

    # A step over time may move what moves: the body of this test jumps from frame to frame.
    for name in ("right", wild.BASELINE):
        assert all(wild.score(view, reference)[0] < 1e-6 for view in made[name])
    mirrored = made["right"][0] * [-1, 1, 1]
    assert wild.score(mirrored, reference)[0] > 50
    table = capsys.readouterr().out
    assert "| right                 | 0.0 ± 0 | 0.0 ± 0 | 0.0 ± 0 | 0.0 ± 0 | 0.0 | 12 |" in table


def test_frames_that_either_lacks_are_not_scored_and_the_rest_is_counted(body):
    reference = body[:, :12].copy()
    predicted = reference.copy()
    reference[0, 3], predicted[1, 5] = np.nan, np.nan

    mean, _, _, frames = wild.score(predicted, reference)

    assert (round(mean, 6), frames) == (0, 1)
