"""Joints by how freely they move: each level depends on the others, both ways."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphlift.graph import degrees_of_freedom
from graphlift.nn.baselines import DenseLayer, dense_blocks, residual
from graphlift.skeletons import H36M_16, Skeleton

MARGIN = 0.1
"""m from the plane of the torso, within which a joint counts as lying in it."""
CLASSES = 3
"""Behind the torso, in its plane, in front of it."""


class Attributed(NamedTuple):
    """A pose and where its limbs are.

    Args:
        pose: (batch, joint, 3), root-relative positions, m, camera axes.
        attributes: (batch, limb joint, class), logarithms of probabilities up to a constant, for
            the joints of arms and legs in the skeleton's order; :func:`attributes_of` has the
            classes.
        skeleton: Of the pose.
    """

    pose: Tensor
    attributes: Tensor
    skeleton: Skeleton


class Bidirectional(nn.Module):
    """Bi-directional dependencies of body parts, over three levels of freedom.

    Joints have levels l (:func:`graphlift.graph.degrees_of_freedom`): 0 of the trunk, 1 of elbows
    and knees, 2 of wrists and ankles. With f the features of the whole 2D pose, k_l the keypoints
    of a level and c the probabilities of the limbs' attributes:

        c = softmax(A f)                        the limbs against the torso, an auxiliary task
        x_l = layer_l([f, c, k_l])              what is known of level l
        →h_l = GRU(x_l, →h_{l-1})               from the torso to the ends of the limbs
        ←h_l = GRU'(x_l, ←h_{l+1})              and back
        P_l = B_l [→h_l, ←h_l]                  positions of the joints of level l

    so that a wrist depends on what is known of elbow and shoulder, and the torso on the limbs. f
    is from residual blocks of :class:`graphlift.nn.baselines.Martinez`, a layer is the linear map,
    batch normalisation, ReLU and dropout of such a block, and states h are zero before the first
    level. The loss of a pose, ``mse`` or ``mpjpe``, is joined by :func:`attribute_loss`.

    Input and output are those of every network of the study: positions on the screen, and
    root-relative positions in metres.

    Args:
        skeleton: The body; the order of joints that go in and come out.
        channels: Features of a pose; a state h has half as many.
        blocks: Residual blocks before the recurrence.
        dropout: Share of features dropped after each ReLU in training.

    Source: Wang et al., "Not all parts are created equal: 3D pose estimation by modeling
    bi-directional dependencies of body parts", ICCV 2019. Theirs are the levels, that each depends
    on the others in both directions, and that the place of limb joints relative to the torso is
    estimated too and given to what estimates joints. Neither its full text nor a published code
    was available to us. A reconstruction of ours are the residual blocks, the gated recurrent
    unit with one step a level, all widths, the classes of :func:`attributes_of` with their margin,
    and the weights of the losses. The published system sees the image; here, where there is none,
    attributes are estimated from the keypoints.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        channels: int = 512,
        blocks: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        level = degrees_of_freedom(skeleton)
        levels = [np.flatnonzero(level == each) for each in range(3)]
        limbs, hidden = int((level > 0).sum()), max(channels // 2, 1)
        self.skeleton = skeleton
        self.levels = [own.tolist() for own in levels]
        self.place = np.argsort(np.concatenate(levels)).tolist()

        self.input = DenseLayer(len(skeleton) * 2, channels, dropout)
        self.blocks = dense_blocks(channels, blocks, dropout)
        self.attributes = nn.Linear(channels, CLASSES * limbs)
        self.parts = nn.ModuleList(
            DenseLayer(channels + CLASSES * limbs + 2 * len(own), channels, dropout)
            for own in levels
        )
        self.recurrence = nn.GRU(channels, hidden, bidirectional=True)
        self.outputs = nn.ModuleList(nn.Linear(2 * hidden, 3 * len(own)) for own in levels)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, keypoints: Float[Tensor, "batch joint 2"]) -> Attributed:
        """Lift screen-normalised keypoints."""
        f = residual(self.input(keypoints.flatten(1)), self.blocks)
        attributes = self.attributes(f).unflatten(1, (-1, CLASSES))
        known = torch.cat([f, attributes.softmax(dim=-1).flatten(1)], dim=1)
        steps = [
            part(torch.cat([known, keypoints[:, own].flatten(1)], dim=1))
            for part, own in zip(self.parts, self.levels, strict=True)
        ]
        states, _ = self.recurrence(torch.stack(steps))
        each = [out(h).unflatten(1, (-1, 3)) for out, h in zip(self.outputs, states, strict=True)]
        return Attributed(torch.cat(each, dim=1)[:, self.place], attributes, self.skeleton)


def attributes_of(
    poses: Float[Tensor, "batch joint 3"], skeleton: Skeleton
) -> Int[Tensor, "batch limb"]:
    """Say where the joints of arms and legs are against the torso.

    The torso is the plane through the middle of hips and shoulders, along the line from right to
    left and the one from hips to shoulders; its front is their cross product.

    Args:
        poses: m, any right-handed axes.
        skeleton: With hips and shoulders.

    Returns:
        0 behind the plane, 1 within :data:`MARGIN` of it, 2 in front of it.
    """
    corners = skeleton.index("LHip", "RHip", "LShoulder", "RShoulder")
    left_hip, right_hip, left, right = poses[:, corners].unbind(dim=1)
    across, up = left_hip + left - right_hip - right, left + right - left_hip - right_hip
    front = nn.functional.normalize(torch.linalg.cross(across, up), dim=-1)
    middle = (left_hip + right_hip + left + right) / 4
    limbs = np.flatnonzero(degrees_of_freedom(skeleton) > 0)
    depth = ((poses[:, limbs] - middle[:, None]) * front[:, None]).sum(dim=-1)
    return (depth > -MARGIN).long() + (depth > MARGIN).long()


def attribute_loss(said: Attributed, target: Float[Tensor, "batch joint 3"]) -> Tensor:
    """Mean cross-entropy of the attributes, nats: -log of the true class's probability."""
    truth = attributes_of(target, said.skeleton)
    loss: Tensor = nn.functional.cross_entropy(said.attributes.flatten(0, 1), truth.flatten())
    return loss
