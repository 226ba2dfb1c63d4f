"""The graph convolution, with its weights shared by any of the five methods."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.graph import (
    DECOUPLED,
    AffinityKind,
    BodyGraph,
    Sharing,
    fixed_affinity,
    weight_slots,
)

Order = Literal["reduced", "unified"]
Init = Literal["glorot", "stacked"]


class GraphConv(nn.Module):
    r"""Graph convolution over the joints of a body.

    .. math:: h'_i = b + \sum_{j \in N(i)} a_{ij} \, W_{s(i,j)} \, h_j

    where :math:`N(i)` contains :math:`i` itself, :math:`s` is :func:`graphlift.graph.weight_slots`
    and the affinities :math:`a_{ij}` of a joint are the softmax of one learnt number per edge.
    Parameters: ``weight`` (slot, in, out), ``affinity`` (edge) and ``bias`` (out).

    Features are held joint by joint, (joint, batch, channel): the rows that one matrix transforms
    then lie together, and a layer is a few batched matrix products.

    The sum is evaluated in one of two orders, equal but for rounding. *Unified*: transform every
    neighbour for every joint, then aggregate: D'·D·Σ|N̂_i| multiply-accumulates. *Reduced*:
    full-sharing and pre-aggregation transform each joint once, then aggregate; post-aggregation
    aggregates, then transforms: D'·D·N, twice that when decoupled. The layer reduces wherever the
    method allows; no-sharing and convolution-style are always unified.

    Args:
        graph: The body graph, fixed for the life of the layer.
        in_channels: Features of a joint that go in.
        out_channels: Features of a joint that come out.
        sharing: Weight-sharing method, by the paper's name.
        decouple_self: Give self-connections their own weights.
        affinity: ``learnt``, or one of two fixed ones (:func:`graphlift.graph.fixed_affinity`).
        order: ``unified`` to forgo the reduction, for comparison.
        init: ``glorot`` draws each matrix as Glorot would draw it, and biases are zero;
            ``stacked`` draws the whole (slot, in, out) tensor as the published code does, with
            gain √2, about 6 times smaller at 128 channels, and biases between ± 1 / √D'.

    Raises:
        ModelError: As :func:`graphlift.graph.weight_slots`.

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
        self.order: Order = order if sharing in DECOUPLED else "unified"
        self.weight = nn.Parameter(torch.empty(int(slots.max()) + 1, in_channels, out_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.learnt = affinity == "learnt"
        self.affinity: Tensor
        if affinity == "learnt":
            self.affinity = nn.Parameter(torch.empty(graph.target.size))
        else:
            fixed = torch.from_numpy(fixed_affinity(graph, affinity)).float()
            self.affinity = nn.Buffer(fixed, persistent=False)

        joints = len(graph.skeleton)
        self.joints = joints
        self.target = nn.Buffer(torch.from_numpy(graph.target.copy()), persistent=False)
        # Edges in order of their slots, so that those which share a matrix lie together.
        by_slot = torch.from_numpy(slots).argsort(stable=True)
        self.edge = nn.Buffer(by_slot, persistent=False)
        self.sender = nn.Buffer(torch.from_numpy(graph.source)[by_slot], persistent=False)
        self.edges_per_slot = torch.from_numpy(slots).bincount().tolist()
        self.where = nn.Buffer(
            torch.from_numpy(graph.target * joints + graph.source), persistent=False
        )
        self.itself = nn.Buffer(torch.from_numpy(graph.itself), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as a plain mean over neighbours, with random weights."""
        draw_weights(self.weight, self.bias, self.init)
        if self.learnt:
            nn.init.ones_(self.affinity)

    def affinities(self) -> Float[Tensor, "joint joint"]:
        """The affinities a_ij as a matrix, rows i; zero where there is no edge."""
        shape = (self.joints, self.joints)
        if not self.learnt:
            zeros = self.affinity.new_zeros(self.joints**2)
            return zeros.scatter(0, self.where, self.affinity).view(shape)
        logits = self.affinity.new_full((self.joints**2,), -torch.inf)
        return logits.scatter(0, self.where, self.affinity).view(shape).softmax(dim=-1)

    def forward(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """Exchange features between neighbouring joints."""
        return self.without_bias(x) + self.bias

    def without_bias(self, x: Float[Tensor, "joint batch in"]) -> Float[Tensor, "joint batch out"]:
        """The sum alone, for a layer that is normalised next."""
        a = self.affinities()
        if self.order == "unified":
            return self._unified(x, a)
        if not self.decouple_self:
            return self._reduced(x, a, self.weight)
        near, own = self.weight.chunk(2)
        a_self = a.diagonal()
        between = self._reduced(x, a - a_self.diag(), near)
        # a_ii (h_i W_i) = h_i (a_ii W_i): there are fewer weights than features.
        return torch.baddbmm(between, x, a_self[:, None, None] * own)

    def _reduced(self, x: Tensor, a: Tensor, weight: Tensor) -> Tensor:
        """Transform each joint once and aggregate, or the other way round."""
        if self.sharing == "post-aggregation":
            return _transform(_aggregate(a, x), weight)
        return _aggregate(a, _transform(x, weight))

    def _unified(self, x: Tensor, a: Tensor) -> Tensor:
        """Transform every neighbour for every joint, then aggregate."""
        # index_select, not x[...]: its gradient is a plain sum over equal rows.
        senders = x.index_select(0, self.sender)
        if len(self.edges_per_slot) == len(senders):
            messages = torch.bmm(senders, self.weight)
        else:
            groups = torch.split(senders, self.edges_per_slot)
            messages = torch.cat([g @ W for g, W in zip(groups, self.weight, strict=True)])
        a_edge = a.view(-1)[self.where[self.edge]]
        incidence = a.new_zeros(self.joints, len(a_edge)).index_put(
            (self.target[self.edge], torch.arange(len(a_edge), device=a.device)), a_edge
        )
        return _aggregate(incidence, messages)

    def extra_repr(self) -> str:
        """Say how many weight matrices of which size, and the method."""
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


def _transform(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply each joint's features by its matrix, or all by the only one."""
    if len(weight) == 1:
        return x @ weight[0]
    return torch.bmm(x, weight)


def _aggregate(a: Tensor, messages: Tensor) -> Tensor:
    """Sum messages into joints, weighted by a (joint, message)."""
    return (a @ messages.flatten(1)).view(len(a), *messages.shape[1:])
