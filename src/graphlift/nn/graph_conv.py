"""The graph convolution, with its weights shared by any of the five methods.

This module is the definition. :mod:`graphlift.nn.fast` computes the same in fewer operations.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import AffinityKind, BodyGraph, fixed_affinity
from graphlift.nn import fast
from graphlift.weight_sharing import Sharing, weight_slots

Order = Literal["reduced", "unified"]
Init = Literal["glorot", "stacked"]


class GraphConv(nn.Module):
    """Graph convolution over the joints of a body: equation (1) of ``docs/method.md``.

        h'_i = b + Σ_{j ∈ N(i)} a_ij W_s(i,j) h_j

    where N(i) contains i itself, s is :func:`graphlift.weight_sharing.weight_slots`, and the
    affinities a_ij of a joint are the softmax of one learnt number per edge.
    Parameters: ``weight`` (slot, in, out), ``affinity`` (edge) and ``bias`` (out).

    Features are held joint by joint, (joint, batch, channel): the rows that one matrix transforms
    are then adjacent in memory, and a layer is a few batched matrix products.

    Args:
        graph: The body graph, fixed for the life of the layer.
        in_channels: Features of a joint that go in.
        out_channels: Features of a joint that come out.
        sharing: Weight-sharing method, by the paper's name.
        decouple_self: Give self-connections their own weights.
        affinity: ``learnt``, or one of two fixed ones (:func:`graphlift.graph.fixed_affinity`).
        order: ``unified`` evaluates the definition edge by edge, for comparison; ``reduced`` the
            equal sum that takes fewest operations (:func:`graphlift.nn.fast.weighted_sum`).
        init: ``glorot`` draws each matrix as Glorot would draw it, and biases are zero;
            ``stacked`` draws the whole (slot, in, out) tensor as the published code does, with
            gain √2, about 6 times smaller at 128 channels, and biases between ± 1 / √D'.

    Raises:
        ModelError: As :func:`graphlift.weight_sharing.weight_slots`.

    Source: Liu et al., ECCV 2020, and its supplement, section 2; the learnt affinities are those
    of Zhao et al., "Semantic graph convolutional networks", CVPR 2019.
    """

    def __init__(
        self,
        graph: BodyGraph,
        in_channels: int,
        out_channels: int,
        *,
        sharing: Sharing = "pre-aggregation",
        decouple_self: bool = False,
        affinity: AffinityKind = "learnt",
        order: Order = "reduced",
        init: Init = "glorot",
    ) -> None:
        super().__init__()
        slots = weight_slots(graph, sharing, decouple_self=decouple_self)
        self.graph, self.init = graph, init
        self.sharing, self.decouple_self = sharing, decouple_self
        self.order: Order = order
        self.weight = nn.Parameter(torch.empty(int(slots.max()) + 1, in_channels, out_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.learnt = affinity == "learnt"
        self.affinity: Tensor
        if affinity == "learnt":
            self.affinity = nn.Parameter(torch.empty(graph.target.size))
        else:
            fixed = torch.from_numpy(fixed_affinity(graph, affinity)).float()
            self.affinity = nn.Buffer(fixed, persistent=False)
        self.joints = len(graph.skeleton)
        self.target = nn.Buffer(torch.from_numpy(graph.target.copy()), persistent=False)
        self.source = nn.Buffer(torch.from_numpy(graph.source.copy()), persistent=False)
        self.slot = nn.Buffer(torch.from_numpy(slots.copy()), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise affinities as a plain mean over neighbours, and weights randomly."""
        draw_weights(self.weight, self.bias, self.init)
        if self.learnt:
            nn.init.ones_(self.affinity)

    def affinities(self) -> Float[Tensor, "joint joint"]:
        """The affinities a_ij as a matrix, rows i; zero where there is no edge: equation (2)."""
        outside = -torch.inf if self.learnt else 0.0
        everywhere = self.affinity.new_full((self.joints, self.joints), outside)
        a = everywhere.index_put((self.target, self.source), self.affinity)
        return a.softmax(dim=-1) if self.learnt else a

    def forward(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Sum the messages of neighbouring joints: equation (1)."""
        return self.without_bias(x) + self.bias

    def without_bias(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """The sum alone, for a layer that is normalised next."""
        return fast.weighted_sum(self, x) if self.order == "reduced" else self.definition(x)

    def definition(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Equation (1) without its bias, edge by edge, as it is written."""
        a = self.affinities()[self.target, self.source]  # a_ij of each edge
        messages = torch.bmm(x[self.source], self.weight[self.slot])  # W_s(i,j) h_j of each edge
        total = x.new_zeros(self.joints, *messages.shape[1:])
        return total.index_add(0, self.target, a[:, None, None] * messages)

    def extra_repr(self) -> str:
        """Describe the weight matrices and the method, for ``print``."""
        slots, before, after = self.weight.shape
        decoupled = ", decoupled" if self.decouple_self else ""
        return f"{before}, {after}, slots={slots}, {self.sharing}{decoupled}, {self.order}"


def draw_weights(weight: nn.Parameter, bias: nn.Parameter, init: Init) -> None:
    """Draw the (slot, in, out) matrices and the bias of a layer, as ``init`` of GraphConv says."""
    slots, before, after = weight.shape
    if init == "glorot":
        bound = (6 / (before + after)) ** 0.5
    else:  # torch takes the first axis as channels out, the last as a kernel's extent
        bound = 1.414 * (6 / (before * after + slots * after)) ** 0.5
    nn.init.uniform_(weight, -bound, bound)
    if init == "glorot":
        nn.init.zeros_(bias)
    else:
        nn.init.uniform_(bias, -(after**-0.5), after**-0.5)
