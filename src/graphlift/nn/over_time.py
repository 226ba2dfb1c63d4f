"""A network over time: it corrects the poses of single frames from those of a second around them.

Dilated convolutions over frames (Pavllo et al., "3D human pose estimation in video with temporal
convolutions and semi-supervised training", CVPR 2019), on what a network of single frames says of
each frame instead of on keypoints. Two heads share the trunk: one corrects the frame in the
middle, for files, the other the last one, for streams.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.networks import DILATIONS, WINDOW
from graphlift.nn.dropout import Dropout
from graphlift.preprocessing import ANSWERS, FRONT_JOINTS, OVER_TIME
from graphlift.skeletons import BODY_28

HEADS = ("middle", "last")
STEP = 0.1
"""m: the unit of corrections; one of a metre would be lost in the first steps of training."""


class PoseOverTime(nn.Module):
    """Residual temporal convolutions: features of frames in, corrected answers out.

    Args:
        channels: Features of a frame inside.
        dropout: Share of features dropped after each layer in training.
    """

    def __init__(self, *, channels: int = 384, dropout: float = 0.1) -> None:
        super().__init__()
        self.input = nn.Sequential(
            nn.Conv1d(OVER_TIME, channels, 1), nn.BatchNorm1d(channels), nn.ReLU()
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(channels, channels, 3, dilation=dilation, bias=False),
                nn.BatchNorm1d(channels),
                nn.ReLU(),
                Dropout(dropout),
                nn.Conv1d(channels, channels, 1, bias=False),
                nn.BatchNorm1d(channels),
                nn.ReLU(),
                Dropout(dropout),
            )
            for dilation in DILATIONS
        )
        self.output = nn.Conv1d(channels, len(HEADS) * ANSWERS, 1)
        for parameter in self.output.parameters():  # it starts as the network of single frames
            nn.init.zeros_(parameter)

    def forward(
        self, features: Float[Tensor, "batch frame feature"]
    ) -> Float[Tensor, "batch 2 output joint 8"]:
        """Correct what was said of single frames.

        Args:
            features: From :func:`graphlift.preprocessing.features_over_time`.

        Returns:
            As a network of 28 joints gives them, by the head of the middle frame, then by that of
            the last, for each run of :data:`graphlift.networks.WINDOW` frames.
        """
        h = self.input(features.transpose(1, 2))
        for dilation, block in zip(DILATIONS, self.blocks, strict=True):
            h = h[:, :, dilation:-dilation] + block(h)
        corrections = STEP * self.output(h).transpose(1, 2)
        outputs, middle = corrections.shape[1], WINDOW // 2
        heads = corrections.chunk(len(HEADS), dim=-1)
        said = (features[:, middle : middle + outputs], features[:, WINDOW - 1 :])
        corrected: Tensor = torch.stack(
            [_corrected(f[..., :ANSWERS], c) for f, c in zip(said, heads, strict=True)], dim=1
        )
        return corrected


_FRONTS = torch.from_numpy(BODY_28.index(*FRONT_JOINTS))


def _corrected(
    said: Float[Tensor, "batch output answer"], by: Float[Tensor, "batch output answer"]
) -> Float[Tensor, "batch output joint 8"]:
    """Add corrections to answers; joints that carry no front get zeros in its place."""
    joints = len(BODY_28)
    total = said + by
    poses = total[..., : 4 * joints].reshape(*total.shape[:-1], joints, 4)
    fronts = total[..., 4 * joints :].reshape(*total.shape[:-1], len(_FRONTS), 4)
    whole = torch.zeros_like(poses).index_copy(-2, _FRONTS.to(poses.device), fronts)
    return torch.cat([poses, whole], dim=-1)
