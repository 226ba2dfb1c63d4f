"""Lifting 28 joints and fronts: the file against the network, and what turning must not change."""

import numpy as np
import pytest
import torch
from helpers.made_lifter import export_28, network_28

from graphlift.cameras import Camera, assumed_camera
from graphlift.errors import ModelError
from graphlift.lifting import Lifter
from graphlift.preprocessing import FRONT_JOINTS, canonical_28
from graphlift.sequences import FRONTS
from graphlift.skeletons import BODY_28, COCO_17, MEDIAPIPE_33

SIZE = (1280, 720)


@pytest.fixture(scope="module")
def lifter(tmp_path_factory):
    return Lifter.load(export_28(tmp_path_factory.mktemp("made") / "made.onnx"), threads=1)


@pytest.fixture(scope="module")
def rays():
    rng = np.random.default_rng(0)
    points = rng.normal([0.2, 0, 4], 0.4, (20, 28, 3))
    confidence = np.where(rng.random((20, 28)) < 0.3, 0, rng.uniform(0.2, 1, (20, 28)))
    return points[..., :2] / points[..., 2:], confidence


def test_what_is_lifted_is_what_the_network_says(lifter, rays):
    lifted = lifter.lift_rays(*rays)

    seen = canonical_28(*rays)
    with torch.inference_mode():
        answer = network_28()(torch.from_numpy(seen.inputs.astype(np.float32))).numpy()
    rooted = answer[..., :3] - answer[:, :1, :3]
    np.testing.assert_allclose(
        lifted.positions, np.einsum("fba,fjb->fja", seen.R, rooted), atol=5e-3
    )
    np.testing.assert_allclose(lifted.sigma, 2 * np.exp(answer[..., 3]), rtol=2e-2)
    at = answer[:, BODY_28.index(*FRONT_JOINTS)]
    unit = at[..., 4:7] / np.linalg.norm(at[..., 4:7], axis=-1, keepdims=True)
    turned = np.einsum("fba,fsb->fsa", seen.R, unit)
    assert (np.einsum("fsa,fsa->fs", lifted.fronts, turned) > 0.995).mean() > 0.95
    np.testing.assert_allclose(np.linalg.norm(lifted.fronts, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(lifted.front_sigma, 3 * np.exp(at[..., 7]), rtol=2e-2)


def test_with_flip_a_mirrored_person_is_the_mirrored_pose(lifter, rays):
    """The mean over both is the same whichever of the two came first."""
    xy, confidence = rays
    mirror = BODY_28.mirror
    other = [FRONTS.index({"L": "R", "R": "L"}.get(n[0], n[0]) + n[1:]) for n in FRONTS]

    one = lifter.lift_rays(xy, confidence, flip=True)
    two = lifter.lift_rays(xy[:, mirror] * [-1, 1], confidence[:, mirror], flip=True)

    np.testing.assert_allclose(two.positions, one.positions[:, mirror] * [-1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(two.fronts, one.fronts[:, other] * [-1, 1, 1], atol=1e-4)
    np.testing.assert_allclose(two.sigma, one.sigma[:, mirror], rtol=1e-4)


@pytest.mark.parametrize("skeleton", [COCO_17, MEDIAPIPE_33], ids=lambda s: s.name)
def test_poses_of_28_joints_come_of_any_keypoints(lifter, skeleton):
    rng = np.random.default_rng(1)
    px = rng.uniform(200, 600, (5, 1, len(skeleton), 2))
    px[3] = np.nan

    poses = lifter(px, skeleton=skeleton, image_size=SIZE)

    assert poses.skeleton == BODY_28
    assert poses.positions.shape == (5, 1, 28, 3)
    assert poses.fronts.shape == (5, 1, 7, 3)
    assert poses.front_sigma.shape == (5, 1, 7)
    assert np.isnan(poses.positions[3]).all()
    assert np.isnan(poses.fronts[3]).all()
    assert np.isfinite(poses.positions[[0, 1, 2, 4]]).all()
    feet = BODY_28.index("LHeel", "RHeel")
    assert poses.seen[0, 0, feet].all() == (skeleton == MEDIAPIPE_33)


def test_a_stream_gives_what_the_whole_gives(lifter):
    rng = np.random.default_rng(1)
    px = rng.uniform(200, 600, (4, 1, 33, 2))
    whole = lifter(px, skeleton=MEDIAPIPE_33, image_size=SIZE)
    stream = lifter.stream(skeleton=MEDIAPIPE_33, image_size=SIZE)

    for number, frame in enumerate(px):
        one = stream(frame)
        np.testing.assert_allclose(one.positions[0], whole.positions[number], atol=1e-5)
        np.testing.assert_allclose(one.fronts[0], whole.fronts[number], atol=1e-4)


def test_a_camera_turned_about_its_centre_turns_the_pose_and_the_fronts(lifter, rays):
    """A person before another camera at the same place: the rays are rotated, so is the pose."""
    xy, confidence = rays
    angle = 0.3
    R = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    turned = np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1) @ R.T
    there = lifter.lift_rays(turned[..., :2] / turned[..., 2:], confidence)
    here = lifter.lift_rays(xy, confidence)

    # The virtual camera's roll is the camera's, so the two differ by a small roll at most.
    moved = here.fronts @ R.T
    assert (np.einsum("fsa,fsa->fs", there.fronts, moved) > 0.9).mean() > 0.7
    assert isinstance(assumed_camera(SIZE), Camera)


def test_a_card_that_does_not_fit_its_network_is_refused(tmp_path):
    path = export_28(tmp_path / "wrong.onnx", skeleton="h36m-17", inputs="canonical")

    with pytest.raises(ModelError, match=r"wrong.onnx: its card says h36m-17.*model.joints = 17"):
        Lifter.load(path)
