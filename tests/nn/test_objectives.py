"""Objectives that need no 3D label: written out bone by bone, and what must not matter."""

import numpy as np
import pytest
import torch

from graphlift.nn.objectives import bone_ratio_loss, projection_loss
from graphlift.skeletons import H36M_16, H36M_17

LEGS = [("LHip", "LKnee", "LFoot"), ("RHip", "RKnee", "RFoot")]
ARMS = [("LShoulder", "LElbow", "LWrist"), ("RShoulder", "RElbow", "RWrist")]


def random_poses(rng, skeleton=H36M_16, frames=4):
    return rng.normal(0, 0.4, (frames, len(skeleton), 3))


def lengths(pose, skeleton):
    def between(one, other):
        return np.linalg.norm(
            pose[skeleton.joints.index(one)] - pose[skeleton.joints.index(other)]
        )

    def two_bones(limbs, ratio):
        found = []
        for upper, middle, lower in limbs:
            found += [between(upper, middle), between(middle, lower) * ratio]
        return found

    return [
        two_bones(LEGS, 1.0085885098415446),  # as the published code: the shank times the ratio
        two_bones(ARMS, 1.1375361376887123),
        [between("Hip", "LHip"), between("Hip", "RHip")],
        [between("Thorax", "LShoulder"), between("Thorax", "RShoulder")],
    ]


@pytest.mark.parametrize("skeleton", [H36M_16, H36M_17], ids=lambda s: s.name)
def test_bone_ratios_are_as_written_out(skeleton, rng):
    poses = random_poses(rng, skeleton)

    found = bone_ratio_loss(torch.tensor(poses), skeleton)

    terms = [
        np.mean((np.array(group) / np.mean(group) - 1) ** 2)
        for pose in poses
        for group in lengths(pose, skeleton)
    ]
    assert found.item() == pytest.approx(np.mean(terms))


def test_neither_size_nor_place_nor_direction_matters_to_bone_ratios(rng):
    poses = torch.tensor(random_poses(rng))
    turn = torch.tensor(np.linalg.qr(rng.normal(size=(3, 3)))[0])

    assert bone_ratio_loss(0.01 * poses @ turn + 3, H36M_16).item() == pytest.approx(
        bone_ratio_loss(poses, H36M_16).item()
    )


def test_people_of_canonical_proportions_cost_nothing(rng):
    """A chain grown bone by bone, in any directions; legs twice as long as arms."""
    of = {"Hip": 0.1, "Knee": 0.5, "Foot": 0.5 / 1.0085885098415446}
    of |= {"Shoulder": 0.2, "Elbow": 0.3, "Wrist": 0.3 / 1.1375361376887123}
    pose = np.zeros((16, 3))
    for joint, parent in enumerate(H36M_16.parents):
        if parent >= 0:
            way = rng.normal(size=3)
            length = of.get(H36M_16.joints[joint][1:], 0.25)
            pose[joint] = pose[parent] + length * way / np.linalg.norm(way)

    assert bone_ratio_loss(torch.tensor(pose[None]), H36M_16).item() == pytest.approx(0, abs=1e-12)
    pose[H36M_16.joints.index("LWrist")] *= 1.1
    assert bone_ratio_loss(torch.tensor(pose[None]), H36M_16).item() > 1e-5


def test_a_short_bone_grows_and_its_long_twin_shrinks(rng):
    poses = torch.tensor(random_poses(rng, frames=1))
    hip, left, right = H36M_16.index("Hip", "LHip", "RHip")
    poses[:, hip] = 0
    poses[:, left], poses[:, right] = torch.tensor([[0.05, 0, 0], [-0.2, 0, 0]])
    down = torch.tensor([0, 0.4, 0])  # thighs at right angles to hips have no say in x
    poses[:, H36M_16.index("LKnee", "RKnee")] = poses[:, H36M_16.index("LHip", "RHip")] + down
    poses.requires_grad_()

    bone_ratio_loss(poses, H36M_16).backward()

    assert poses.grad[0, left, 0] < 0
    assert poses.grad[0, right, 0] < 0


def test_a_pose_of_no_extent_has_a_finite_loss_and_gradient():
    poses = torch.zeros(1, 16, 3, requires_grad=True)

    loss = bone_ratio_loss(poses, H36M_16) + projection_loss(poses, torch.zeros(1, 16, 2), root=0)
    loss.backward()

    assert torch.isfinite(loss)
    assert torch.isfinite(poses.grad).all()


def test_projection_is_the_share_that_the_best_scale_leaves_nearly(rng):
    """1 - cos² = (1 - cos) (1 + cos): by trying scales."""
    poses, keypoints = random_poses(rng, frames=1), rng.normal(size=(1, 16, 2))
    keypoints += 3 * poses[..., :2]  # so that they agree somewhat

    found = projection_loss(torch.tensor(poses), torch.tensor(keypoints), root=0).item()

    p, k = poses[0, :, :2] - poses[0, 0, :2], keypoints[0] - keypoints[0, 0]
    scales = np.linspace(0, 10, 100_001)
    left = [(s * s * (p**2).sum() - 2 * s * (p * k).sum() + (k**2).sum()) for s in scales]
    assert found * (2 - found) == pytest.approx(min(left) / (k**2).sum(), rel=1e-6)


def test_projection_does_not_ask_where_or_how_large_people_are(rng):
    poses = random_poses(rng)
    seen = torch.tensor(0.3 * poses[..., :2] + [0.4, -0.2])
    moved = torch.tensor(7 * poses + 1)

    assert projection_loss(moved, seen, root=0).item() == pytest.approx(0, abs=1e-12)
    assert projection_loss(moved, -seen, root=0).item() == pytest.approx(2)


def test_depths_get_no_gradient_of_the_projection(rng):
    poses = torch.tensor(random_poses(rng), requires_grad=True)

    projection_loss(poses, torch.tensor(rng.normal(size=(4, 16, 2))), root=0).backward()

    assert (poses.grad[..., 2] == 0).all()
    assert (poses.grad[..., :2] != 0).all()
