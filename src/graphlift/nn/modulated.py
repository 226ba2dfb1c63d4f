"""Modulated graph convolution: one matrix, scaled for each joint, over a learnt graph."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.errors import ModelError
from graphlift.graph import AffinityKind, BodyGraph, fixed_affinity
from graphlift.nn.graph_conv import Init, draw_weights


class ModulatedConv(nn.Module):
    """Graph convolution with modulated weights and a modulated affinity.

        h'_i = b + a_ii m_i ∘ (W h_i) + Σ_{j ≠ i} a_ij m_j ∘ (T h_j)

    Decoupled full-sharing, in which each sender's message is scaled, channel by channel, by a
    vector m_j of its own; and a = (B + Bᵀ) / 2 with B = A + Q, where A is fixed and Q is learnt
    for every two joints, connected by a bone or not. Parameters: ``weight`` (slot, in, out), T
    first and then W; ``modulation`` (joint, out); ``affinity`` (joint, joint), which is Q;
    ``bias`` (out).

    Args:
        graph: The body graph.
        in_channels: Features of a joint that go in.
        out_channels: Features of a joint that come out.
        affinity: What A is. ``learnt``, as published: the mean over a joint's neighbours without
            itself, and itself with weight 1. ``row-normalised``, as in Any-GCN: the mean over its
            neighbours with itself.
        init: As in :class:`graphlift.nn.graph_conv.GraphConv`.

    Raises:
        ModelError: If ``affinity`` is another.

    Source: Zou and Tang, "Modulated graph convolutional network for 3D human pose estimation",
    ICCV 2021; A, and that Q starts at 1e-6 and m at 1, from its published code.
    """

    def __init__(
        self,
        graph: BodyGraph,
        in_channels: int,
        out_channels: int,
        *,
        affinity: AffinityKind = "learnt",
        init: Init = "glorot",
    ) -> None:
        super().__init__()
        if affinity not in ("learnt", "row-normalised"):
            raise ModelError(
                f"modulated has no {affinity} affinity: use learnt, or row-normalised as Any-GCN"
            )
        self.graph, self.init = graph, init
        self.joints = joints = len(graph.skeleton)
        start = np.zeros((joints, joints), np.float32)
        kind = "whole-self" if affinity == "learnt" else affinity
        start[graph.target, graph.source] = fixed_affinity(graph, kind)
        self.start = nn.Buffer(torch.from_numpy(start), persistent=False)
        self.weight = nn.Parameter(torch.empty(2, in_channels, out_channels))
        self.modulation = nn.Parameter(torch.empty(joints, out_channels))
        self.affinity = nn.Parameter(torch.empty(joints, joints))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise without modulation, with random weights."""
        draw_weights(self.weight, self.bias, self.init)
        nn.init.ones_(self.modulation)
        nn.init.constant_(self.affinity, 1e-6)

    def affinities(self) -> Float[Tensor, "joint joint"]:
        """The affinities a_ij as a matrix, symmetric; rows need not sum to 1."""
        modulated = self.start + self.affinity
        return (modulated + modulated.T) / 2

    def forward(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Sum the messages of all joints."""
        return self.without_bias(x) + self.bias

    def without_bias(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """The sum alone, for a layer that is normalised next."""
        a = self.affinities()
        a_self = a.diagonal()
        near, own = self.weight
        # m_j ⊙ (T h_j) = (T scaled by m_j) h_j: there are fewer weights than features.
        sent = torch.bmm(x, near * self.modulation[:, None])
        between = ((a - a_self.diag()) @ sent.flatten(1)).view_as(sent)
        return torch.baddbmm(between, x, a_self[:, None, None] * own * self.modulation[:, None])

    def extra_repr(self) -> str:
        """Describe the size of the matrices, for ``print``."""
        _, before, after = self.weight.shape
        return f"{before}, {after}, modulated"
