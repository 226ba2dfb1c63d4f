"""Depths that are known by their order alone, and a network that makes poses of them."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.baselines import DenseLayer, dense_blocks, residual
from graphlift.nn.ordinal import depth_relations, ordinal_loss
from graphlift.skeletons import H36M_16, Skeleton

LEAST_EXTENT = 1e-6
"""Of keypoints about their root, half widths of the image: a person in one point stays there."""
LEAST_DEPTH = 1.0
"""Of depths about their root, in units of the ordinal loss: below it, a flat pose stays flat
instead of being stretched."""


class Ordered(NamedTuple):
    """A pose, and the depths that it was made from.

    Args:
        pose: (batch, joint, 3), root-relative positions, m, camera axes.
        depths: (batch, joint), growing away from the camera; only their order and which are
            about equal has a meaning, not where zero is nor the unit.
        skeleton: Of both.
    """

    pose: Tensor
    depths: Tensor
    skeleton: Skeleton


class OrdinalDepth(nn.Module):
    """Ordinal depth: which joint is nearer, then a pose that agrees with it.

    With k the keypoints and F and R two stacks of residual blocks of
    :class:`graphlift.nn.baselines.Martinez`:

        z = F(k)                                    one depth a joint
        P = R(k̃, z̃)                                 3N numbers, to positions of N joints

    where k̃ and z̃ are k and z about their root, divided by the largest number in each
    (:func:`in_proportion`). F is trained by the order of the depths of all pairs of joints alone
    (:func:`order_loss`), R by the pose alone, ``mse`` or ``mpjpe``: z̃ is taken as given, so that
    no length in metres has a part in F. People of whom only the order is known teach F by it, too
    (``supervision.ordinal``).

    The published F is a network for images, which are not here: a stack of blocks that sees the
    keypoints stands for it. The published order is said by people who look at the image, or
    follows from motion capture; here it is simulated from the true depths.

    Input and output are those of every network of the study: positions on the screen, and
    root-relative positions in metres.

    Args:
        skeleton: The body; the order of joints that go in and come out.
        channels: Width of the hidden vectors of both stacks.
        blocks: Residual blocks of two layers in each stack.
        dropout: Share of features dropped after each ReLU in training.

    Source: Pavlakos et al., "Ordinal depth supervision for 3D human pose estimation", CVPR 2018,
    and its published code (geopavlakos/ordinal-pose3d), which evaluates and does not train. From
    there are the two networks in a row, trained apart; that the second has 3N numbers in and out,
    in metres; and its input, x and y about the root divided by the largest of their sizes. Its z
    is (b - 33) / 32 of the most likely b of 64 bins of depth about the person, which the first
    network scores; here, where there are no bins, the largest depth takes the place of the 32.
    The layers of the second network and what noise its training adds to its input were not at
    hand: residual blocks, all widths, and no noise but the errors of z itself are ours.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        channels: int = 1024,
        blocks: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        joints = len(skeleton)
        self.skeleton = skeleton
        self.depths = DenseStack(2 * joints, joints, channels, blocks, dropout)
        self.reconstruction = DenseStack(3 * joints, 3 * joints, channels, blocks, dropout)

    def forward(self, keypoints: Float[Tensor, "batch joint 2"]) -> Ordered:
        """Lift screen-normalised keypoints."""
        depths = self.depths(keypoints.flatten(1))
        known = in_proportion(keypoints, depths.detach(), self.skeleton.root)
        pose = self.reconstruction(known.flatten(1)).unflatten(1, (-1, 3))
        return Ordered(pose, depths, self.skeleton)


class DenseStack(nn.Module):
    """Residual blocks of vectors, between a layer before them and a linear map after them.

    Args:
        before: Features of the input.
        after: Features of the output.
        channels: Width of the hidden vectors.
        blocks: Residual blocks of two layers.
        dropout: Share of features dropped after each ReLU in training.
    """

    def __init__(
        self, before: int, after: int, channels: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        self.input = DenseLayer(before, channels, dropout)
        self.blocks = dense_blocks(channels, blocks, dropout)
        self.output = nn.Linear(channels, after)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Float[Tensor, "batch in"]) -> Float[Tensor, "batch out"]:
        """Apply all layers."""
        out: Tensor = self.output(residual(self.input(x), self.blocks))
        return out


def in_proportion(
    keypoints: Float[Tensor, "batch joint 2"], depths: Float[Tensor, "batch joint"], root: int
) -> Float[Tensor, "batch joint 3"]:
    """Move a pose's x, y and depth to its root, and scale the largest to 1.

    x and y share a scale, and keep their proportions. It does not depend on where the person is
    in the image, nor on its size there, nor on a common shift of depths.

    Args:
        keypoints: Positions on the screen.
        depths: Of the same joints, in units of :func:`graphlift.nn.ordinal.ordinal_loss`.
        root: The joint that comes to zero.

    Returns:
        Within [-1, 1]. Depths that are less than :data:`LEAST_DEPTH` apart from the root's are
        only moved.

    Source: Pavlakos et al., CVPR 2018, published code, main.lua; of depths, ours.
    """
    xy = keypoints - keypoints[:, [root]]
    z = depths - depths[:, [root]]
    largest = xy.abs().amax(dim=(1, 2), keepdim=True)
    deepest = z.abs().amax(dim=1, keepdim=True)
    xy, z = xy / largest.clamp(min=LEAST_EXTENT), z / deepest.clamp(min=LEAST_DEPTH)
    return torch.cat([xy, z[..., None]], dim=-1)


def order_loss(said: Ordered, target: Float[Tensor, "batch joint 3"]) -> Tensor:
    """Mean ordinal loss of all pairs of joints, whose order is that of the true depths.

    The order is simulated: nobody looked at an image to say it.

    Args:
        said: By the network.
        target: m, camera axes: the third coordinate grows away from the camera.
    """
    pairs = np.stack(np.triu_indices(len(said.skeleton), k=1), axis=1)
    every = torch.from_numpy(pairs).to(target.device)
    return ordinal_loss(said.depths, every, depth_relations(target[..., 2], every))
