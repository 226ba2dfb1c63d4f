"""Attention of every joint to every joint, by several heads."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.dropout import Dropout


class MultiHead(nn.Module):
    """Scaled dot-product attention between the joints of a frame.

        y_i = b + V [Σ_j a^1_ij v^1_j, ..., Σ_j a^H_ij v^H_j],
        a^h_ij = softmax_j(q^h_i · k^h_j / √d)

    q, k and v are linear in the features of a joint. A head has d = C / H channels; if C is no
    multiple of H, so many that all heads together have at least C. Parameters: ``mix``, from C
    channels to q, k and v of the first head, then of the second and so on; ``back``.

    Args:
        channels: Features in and out, C.
        heads: H.
        dropout: Share of the affinities dropped in training.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
    """

    def __init__(self, channels: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.each = heads, head_width(channels, heads)
        self.mix = nn.Linear(channels, heads * 3 * self.each)
        self.back = nn.Linear(heads * self.each, channels)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "joint batch channel"]
    ) -> Float[Tensor, "joint batch channel"]:
        """Let every joint attend to every joint."""
        joints, batch, _ = x.shape
        mixed = self.mix(x).view(joints, batch * self.heads, 3 * self.each)
        q, k, v = mixed.transpose(0, 1).chunk(3, dim=-1)  # each frame and head by itself
        affinity = (torch.bmm(q, k.transpose(1, 2)) * self.each**-0.5).softmax(dim=-1)
        seen = torch.bmm(self.dropout(affinity), v).transpose(0, 1)
        out: Tensor = self.back(seen.reshape(joints, batch, self.heads * self.each))
        return out


def head_width(channels: int, heads: int) -> int:
    """Channels of a head: their share, rounded up."""
    return -(-channels // heads)
