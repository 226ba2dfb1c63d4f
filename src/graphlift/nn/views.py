"""What any network may be shown of a pose: it against its root, too, and its mirror image."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphlift.skeletons import Skeleton


class Viewed(nn.Module):
    """A network of which each pose is shown centred as well, or also as its mirror image.

    Args:
        network: Takes the numbers of a joint that it is shown, and gives positions; what it may
            give after them does not change in the mirror.
        skeleton: The body.
        centred: Show each joint also against the root, in units of the person's size
            (:func:`beside_centred`): the network takes four numbers of a joint.
        mirrored: Answer outside training with the mean of the answers for the pose and for its
            mirror image, turned back.
    """

    def __init__(
        self, network: nn.Module, skeleton: Skeleton, *, centred: bool, mirrored: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.root = skeleton.root if centred else None
        mirror = torch.from_numpy(skeleton.mirror.copy()) if mirrored else None
        self.mirror = nn.Buffer(mirror, persistent=False) if mirror is not None else None

    def forward(
        self, keypoints: Float[Tensor, "batch joint 2"]
    ) -> Float[Tensor, "batch joint after"]:
        """Lift screen-normalised keypoints, as the network itself does."""
        poses = self.lift(keypoints)
        if self.mirror is None or self.training:
            return poses
        return (poses + reflected(self.lift(reflected(keypoints, self.mirror)), self.mirror)) / 2

    def lift(
        self, keypoints: Float[Tensor, "batch joint 2"]
    ) -> Float[Tensor, "batch joint after"]:
        """Lift keypoints once, as they are."""
        shown = keypoints if self.root is None else beside_centred(keypoints, self.root)
        poses: Tensor = self.network(shown)
        return poses


def reflected(
    x: Float[Tensor, "batch joint coordinate"], mirror: Int[Tensor, " joint"]
) -> Float[Tensor, "batch joint coordinate"]:
    """Reflect positions left and right: x changes sign, left and right joints change places."""
    sign = torch.tensor([-1.0] + [1.0] * (x.shape[2] - 1), dtype=x.dtype, device=x.device)
    return x.index_select(1, mirror) * sign


def beside_centred(
    keypoints: Float[Tensor, "batch joint 2"], root: int
) -> Float[Tensor, "batch joint 4"]:
    """Put beside each position on the screen the one against the root, over the person's size.

    The size is the mean of |x| and |y| against the root over all joints. What the two numbers say
    of the pose does not change where a person stands elsewhere or farther away.
    """
    apart = keypoints - keypoints.index_select(1, torch.tensor([root], device=keypoints.device))
    size = apart.abs().flatten(1).mean(1, keepdim=True)[:, :, None]
    return torch.cat([keypoints, apart / (size + 1e-6)], dim=2)
