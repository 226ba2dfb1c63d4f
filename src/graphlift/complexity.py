"""Parameters and multiply-accumulates of each network, by formula; tests count the networks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphlift.graph import (
    AffinityKind,
    body_graph,
    bones_between,
    degrees_of_freedom,
    local_graph,
    walks,
)
from graphlift.networks import (
    ANY_FEATURES,
    NonLocalKind,
    hourglass_levels,
    htnet_widths,
    layout,
)
from graphlift.skeletons import H36M_16, Skeleton
from graphlift.weight_sharing import DECOUPLED, Sharing, weight_slots

IN, OUT = 2, 3
"""Channels of a joint that go into the network (screen x, y) and come out (x, y, z in m)."""


@dataclass(frozen=True)
class Complexity:
    """Size and cost of a network.

    Args:
        parameters: Learnt numbers.
        macs_unified: Multiply-accumulates of the weight products for one pose when every neighbour
            is transformed and then aggregated: D'·D·Σ|N̂_i| per layer, for every method.
        macs_reduced: The same in the order the layer chooses: D'·D·N per layer for full-sharing,
            pre- and post-aggregation, twice that when decoupled; unreduced for the other two.

    Source: the study's supplement, section 2.
    """

    parameters: int
    macs_unified: int
    macs_reduced: int


def slot_count(skeleton: Skeleton, sharing: Sharing, *, decouple_self: bool) -> int:
    """Count the weight matrices of one layer."""
    slots = weight_slots(body_graph(skeleton), sharing, decouple_self=decouple_self)
    return int(slots.max()) + 1


def non_local_parameters(channels: int) -> int:
    """Count the parameters of one non-local layer (see :class:`graphlift.nn.gcn.NonLocal`)."""
    inner = max(channels // 2, 1)
    return 3 * _linear(channels, inner) + 2 * inner + _linear(inner, channels) + 2 * channels


def _non_local(kind: NonLocalKind, channels: int, blocks: int, joints: int) -> tuple[int, int]:
    """Count parameters and multiply-accumulates of all non-local layers of a network."""
    if kind == "none":
        return 0, 0
    layers = blocks + 1 if kind == "grouped" else 1
    inner, each = max(channels // 2, 1), non_local_parameters(channels)
    if kind == "embedded":  # a product of query and key, where grouped layers learn a score
        each -= 2 * inner
    return layers * each, layers * joints * 4 * channels * inner  # four linear maps


def complexity(
    sharing: Sharing,
    *,
    decouple_self: bool = False,
    channels: int = 128,
    blocks: int = 4,
    non_local: NonLocalKind = "none",
    affinity: AffinityKind = "learnt",
    features: int = IN,
    skeleton: Skeleton = H36M_16,
) -> Complexity:
    """Count parameters and multiply-accumulates of :class:`graphlift.nn.gcn.PoseGCN`.

    Per layer: one matrix per slot, one bias per channel, one affinity per edge if it is learnt;
    the normalised layers add a scale and a shift per channel. Non-local layers cost the same in
    either order.
    """
    graph = body_graph(skeleton)
    edges, joints = graph.target.size, len(skeleton)
    slots = slot_count(skeleton, sharing, decouple_self=decouple_self)
    products = features * channels + 2 * blocks * channels**2 + channels * OUT
    layers = 2 * blocks + 2
    parameters = slots * products + (edges * layers if affinity == "learnt" else 0)
    parameters += (layers - 1) * 3 * channels + OUT  # biases, scales and shifts; the last bias
    transforms = joints * (2 if decouple_self else 1) if sharing in DECOUPLED else edges
    own, mixing = _non_local(non_local, channels, blocks, joints)
    return Complexity(parameters + own, edges * products + mixing, transforms * products + mixing)


def modulated_complexity(
    *,
    channels: int = 128,
    blocks: int = 4,
    non_local: NonLocalKind = "none",
    features: int = IN,
    skeleton: Skeleton = H36M_16,
) -> Complexity:
    """Count parameters and multiply-accumulates of Modulated GCN.

    Per layer: two matrices, one factor per joint and channel, one affinity for every two joints,
    one bias per channel; the normalised layers add a scale and a shift. Every joint is a neighbour
    of every other, so that unreduced it transforms N² of them. 0.29 M at 128 channels and 1.10 M
    at 256 are the published sizes.

    Source: Zou and Tang, ICCV 2021.
    """
    joints = len(skeleton)
    layers = 2 * blocks + 2
    products = features * channels + 2 * blocks * channels**2 + channels * OUT
    parameters = 2 * products + layers * joints**2
    parameters += joints * ((layers - 1) * channels + OUT)  # modulations
    parameters += (layers - 1) * 3 * channels + OUT  # biases, scales and shifts; the last bias
    own, mixing = _non_local(non_local, channels, blocks, joints)
    parameters += own
    return Complexity(parameters, joints**2 * products + mixing, 2 * joints * products + mixing)


def martinez_complexity(
    *, channels: int = 1024, blocks: int = 2, skeleton: Skeleton = H36M_16
) -> Complexity:
    """Count the fully connected baseline of Martinez et al., ICCV 2017; it has no graph."""
    return _dense(len(skeleton) * IN, len(skeleton) * OUT, channels, blocks)


def _dense(before: int, after: int, channels: int, blocks: int) -> Complexity:
    """Count residual blocks of a vector, with the layers before and after them."""
    products = before * channels + 2 * blocks * channels**2 + channels * after
    parameters = products + (2 * blocks + 1) * 3 * channels + after
    return Complexity(parameters, products, products)


def high_order_complexity(
    *, channels: int = 96, blocks: int = 4, features: int = IN, skeleton: Skeleton = H36M_16
) -> Complexity:
    """Count parameters and multiply-accumulates of :class:`graphlift.nn.high_order.HighOrderGCN`.

    Per layer: a matrix for each of four hops, an affinity per edge of the last three; the layers
    inside join the hops, so that four times as many channels are normalised. 1.20 M at 96 channels
    is the published size.

    Source: Zou et al., BMVC 2020.
    """
    hops = [int(walks(skeleton, bones).sum()) for bones in range(4)]
    inside, layers = 4 * channels, 2 * blocks + 2
    products = features * channels + 2 * blocks * inside * channels + inside * OUT
    parameters = 4 * products + layers * sum(hops[1:]) + (layers - 1) * 3 * inside + OUT
    return Complexity(parameters, sum(hops) * products, len(skeleton) * 4 * products)


def hourglass_complexity(
    *, channels: int = 64, blocks: int = 4, features: int = IN, skeleton: Skeleton = H36M_16
) -> Complexity:
    """Count parameters and multiply-accumulates of :class:`graphlift.nn.hourglass.GraphHourglass`.

    Five layers of decoupled pre-aggregation an hourglass, on 16, 8, 4, 8 and 16 joints, and one
    before them all; linear maps see each hourglass, scale channels and give positions. 3.69 M at
    64 channels; 3.70 M are published.
    """
    _, half = hourglass_levels(skeleton, blocks)
    C, wide, widest, joints = channels, 3 * channels // 2, 2 * channels, len(skeleton)
    layers = [(skeleton, features, C)] + blocks * [
        (skeleton, C, wide),
        (half.skeleton, wide, widest),
        (half.smaller, widest, widest),
        (half.skeleton, widest, wide),
        (skeleton, wide, C),
    ]
    share = max(C // blocks, 1)
    seen, inner = blocks * share, max(blocks * share // 8, 1)
    parameters = blocks * _linear(C, share) + _linear(seen, inner) + _linear(inner, seen)
    parameters += _linear(seen, OUT)
    unified = reduced = joints * seen * (C + OUT) + 2 * seen * inner
    for body, before, after in layers:
        edges, products = body_graph(body).target.size, before * after
        parameters += 2 * len(body) * products + edges + 3 * after
        unified, reduced = unified + edges * products, reduced + 2 * len(body) * products
    return Complexity(parameters, unified, reduced)


def graformer_complexity(
    *, channels: int = 96, blocks: int = 5, features: int = IN, skeleton: Skeleton = H36M_16
) -> Complexity:
    """Count parameters and multiply-accumulates of :class:`graphlift.nn.graformer.GraFormer`.

    A Chebyshev graph convolution has a matrix for each of three polynomials, of joints none, at
    most one and at most two bones apart; the learnt graph connects every two joints. 0.65 M at 96
    channels is the published size.

    Source: Zhao et al., CVPR 2022.
    """
    C, joints, between = channels, len(skeleton), bones_between(skeleton)
    heads = 4 * -(-C // 4)
    products = features * C + 2 * blocks * C * C + C * OUT
    attention, graph = 4 * C * heads, 4 * C * C
    parameters = 3 * products + (2 * blocks + 1) * C + OUT
    parameters += blocks * (_linear(C, 3 * heads) + _linear(heads, C) + 4 * C)
    parameters += blocks * (joints**2 + _linear(C, 2 * C) + _linear(2 * C, C))
    edges = sum(int((between <= bones).sum()) for bones in range(3))
    unified = edges * products + blocks * (joints * attention + joints**2 * graph)
    reduced = joints * (3 * products + blocks * (attention + graph))
    return Complexity(parameters, unified, reduced)


def htnet_complexity(
    *, channels: int = 80, blocks: int = 3, features: int = IN, skeleton: Skeleton = H36M_16
) -> Complexity:
    """Count parameters and multiply-accumulates of :class:`graphlift.nn.htnet.HTNet`.

    A block has two modulated graph convolutions, in which every joint is a neighbour of every
    other; two linear maps of four limbs; attention; and three fully connected layers. 3.05 M at 80
    channels a stream and 17 joints.

    Source: Cai et al., ICASSP 2023.
    """
    C, joints, heads = channels, len(skeleton), 8 * -(-channels // 8)
    between, full = htnet_widths(C)
    graph, limbs = 2 * C * between, 4 * (5 * C * C + 4 * C * full)
    parameters = 2 * (graph + joints**2) + (joints + 1) * (between + C) + 2 * 2 * C
    parameters += sum(_linear(n * C, C) + _full(C, full) + 2 * C for n in (3, 2))
    parameters += _linear(C, 3 * heads) + _linear(heads, C) + 2 * C + _full(3 * C, full)
    around = _linear(features, 3 * C) + joints * 3 * C + 2 * 3 * C + _linear(3 * C, OUT)
    other = limbs + joints * (4 * C * heads + 6 * C * full)
    ends = joints * 3 * C * (features + OUT)
    unified = blocks * (joints**2 * graph + other) + ends
    reduced = blocks * (2 * joints * graph + other) + ends
    return Complexity(blocks * parameters + around, unified, reduced)


def _linear(before: int, after: int) -> int:
    """Count a linear map with its bias."""
    return before * after + after


def _full(channels: int, between: int) -> int:
    """Count two linear maps, and the scale and shift of a normalisation before them."""
    return _linear(channels, between) + _linear(between, channels) + 2 * channels


def lcn_complexity(
    *,
    channels: int = 64,
    blocks: int = 3,
    learnt_mask: bool = False,
    skeleton: Skeleton = H36M_16,
) -> Complexity:
    """Count the locally connected network of Ci et al., ICCV 2019.

    Per layer: one matrix for each pair of connected joints, one bias per joint and channel; the
    normalised layers add a scale and a shift per channel. A learnt mask is one number for every
    two joints. Its published code stores also the weights that the mask sets to zero, 7.20 M in
    all; these count here no more than they do in the result.
    """
    joints, layers, pairs = len(skeleton), 2 * blocks + 1, local_graph(skeleton).target.size
    products = pairs * (IN * channels + 2 * blocks * channels**2 + channels * OUT)
    biases = joints * (layers * channels + OUT)
    parameters = products + biases + layers * 2 * channels + joints**2 * learnt_mask
    return Complexity(parameters, products, products)


def mixture_complexity(
    *, channels: int = 1024, blocks: int = 2, skeleton: Skeleton = H36M_16
) -> Complexity:
    """Count the mixture density network of Li and Lee, CVPR 2019, with its five hypotheses."""
    out = 5 * (len(skeleton) * OUT + 2)  # a spread and a weight beside each pose
    return _dense(len(skeleton) * IN, out, channels, blocks)


def ordinal_depth_complexity(
    *, channels: int = 1024, blocks: int = 2, skeleton: Skeleton = H36M_16
) -> Complexity:
    """Count both parts of :mod:`graphlift.nn.ordinal_depth`, after Pavlakos et al., CVPR 2018."""
    joints, sizes = len(skeleton), ((IN, 1), (OUT, OUT))  # keypoints to depths, both to poses
    parts = [_dense(before * joints, after * joints, channels, blocks) for before, after in sizes]
    products = sum(part.macs_reduced for part in parts)
    return Complexity(sum(part.parameters for part in parts), products, products)


def bidirectional_complexity(
    *, channels: int = 512, blocks: int = 2, skeleton: Skeleton = H36M_16
) -> Complexity:
    """Count the network after Wang et al., ICCV 2019, :mod:`graphlift.nn.bidirectional`.

    Three steps of a recurrence share its weights, so that it multiplies more than it has
    parameters.
    """
    joints = len(skeleton)
    attributes = 3 * int((degrees_of_freedom(skeleton) > 0).sum())
    hidden = max(channels // 2, 1)
    before = joints * IN * channels + 2 * blocks * channels**2 + channels * attributes
    before += 3 * (channels + attributes) * channels + joints * IN * channels  # to each level
    gates = 2 * 3 * hidden * (channels + hidden)  # three of them, in each direction
    after = 2 * hidden * joints * OUT
    biases = (2 * blocks + 1 + 3) * 3 * channels + attributes + 2 * 6 * hidden + joints * OUT
    products = before + 3 * gates + after
    return Complexity(before + gates + after + biases, products, products)


LIFTERS: Mapping[str, Callable[..., Complexity]] = {
    "martinez": martinez_complexity,
    "lcn": lcn_complexity,
    "mixture": mixture_complexity,
    "bidirectional": bidirectional_complexity,
    "ordinal-depth": ordinal_depth_complexity,
    "high-order": high_order_complexity,
    "graph-hourglass": hourglass_complexity,
    "graformer": graformer_complexity,
    "htnet": htnet_complexity,
}
"""The networks of :data:`graphlift.networks.LIFTERS`."""


def network_complexity(
    method: str,
    *,
    decouple_self: bool = False,
    channels: int,
    blocks: int | None = None,
    non_local: NonLocalKind | None = None,
    affinity: AffinityKind = "learnt",
    learnt_mask: bool = False,
    inputs: str = "screen",
    mirrored: bool = False,
    skeleton: Skeleton = H36M_16,
) -> Complexity:
    """Count what :func:`graphlift.networks.layout` finds by the name of any network.

    ``inputs`` is ``screen``, or ``centred``, of which a joint has four. What also lifts the mirror
    image costs twice as much.
    """
    features = 2 * IN if inputs == "centred" else IN
    which = layout(method, decouple_self=decouple_self, blocks=blocks, non_local=non_local)
    sizes: dict[str, Any] = {"channels": channels, "blocks": which.blocks, "skeleton": skeleton}
    own: dict[str, Any] = {"non_local": which.non_local, "features": features}
    if which.sharing is None:
        options: dict[str, Any] = {"learnt_mask": True} if learnt_mask else {}
        options |= {"features": features} if method in ANY_FEATURES else {}
        once = LIFTERS[method](**sizes, **options)
    elif which.modulated:
        once = modulated_complexity(**sizes, **own)
    else:
        of_study: dict[str, Any] = {"decouple_self": which.decouple_self, "affinity": affinity}
        once = complexity(which.sharing, **of_study, **sizes, **own)
    times = 1 + mirrored
    return Complexity(once.parameters, times * once.macs_unified, times * once.macs_reduced)
