"""The matrix products of each network, by formula: what its arithmetic consists of.

Only products with weights count, as in :mod:`graphlift.complexity`: their multiply-accumulates are
its ``macs_reduced``. Sums over neighbours, attention and normalisation are what a network does
beside them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from graphlift.complexity import IN, OUT
from graphlift.graph import body_graph, degrees_of_freedom, local_graph
from graphlift.networks import Layout, hourglass_levels, htnet_widths, layout
from graphlift.skeletons import H36M_16, Skeleton
from graphlift.weight_sharing import DECOUPLED, weight_slots


@dataclass(frozen=True)
class Product:
    """Products of equal shape with a matrix of weights each: (rows, inner) by (inner, columns).

    Args:
        matrices: How many are computed together.
        rows: Of the features; of one pose until :func:`products_of` multiplies it by the batch.
        inner: Features that go in.
        columns: Features that come out.
        given: Whether what goes in is given to the network, and so needs no gradient.
    """

    matrices: int
    rows: int
    inner: int
    columns: int
    given: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.matrices * self.rows * self.inner * self.columns

    @property
    def bytes(self) -> int:
        """Bytes of both factors and of the product in float32, each counted once."""
        numbers = self.rows * self.inner + self.inner * self.columns + self.rows * self.columns
        return 4 * self.matrices * numbers

    @property
    def shape(self) -> "Product":
        """The same for all that are equally fast."""
        return replace(self, given=False)

    def of_training(self) -> Iterator["Product"]:
        """The product itself, then those of its gradients: by the matrix, and by the features."""
        yield self
        yield Product(self.matrices, self.inner, self.rows, self.columns)
        if not self.given:
            yield Product(self.matrices, self.rows, self.columns, self.inner)


def products_of(
    method: str,
    batch: int,
    *,
    decouple_self: bool = False,
    channels: int,
    features: tuple[int, int] = (IN, OUT),
    skeleton: Skeleton = H36M_16,
    training: bool = False,
) -> tuple[Product, ...]:
    """List the products of a batch, one entry for each that is computed, in their order.

    Args:
        method: As :func:`graphlift.networks.layout`.
        batch: Poses.
        decouple_self: As there.
        channels: Width, as the network counts it.
        features: Numbers a joint that go in and that come out, of graph convolutions; other
            networks have 2 and 3.
        skeleton: The body.
        training: Whether those of gradients are listed too.

    Raises:
        ModelError: As :func:`graphlift.networks.layout`.
    """
    which = layout(method, decouple_self=decouple_self)
    once = (
        _graph_network(which, channels, features, skeleton)
        if which.sharing
        else _OTHERS[method](channels, which.blocks, skeleton)
    )
    scaled = [replace(each, rows=each.rows * batch) for each in once]
    return tuple(
        product for each in scaled for product in (each.of_training() if training else (each,))
    )


def _graph_network(
    which: Layout, channels: int, features: tuple[int, int], skeleton: Skeleton
) -> Iterator[Product]:
    for number, widths in enumerate(_widths(which.blocks, channels, features)):
        yield from _convolution(which, widths, skeleton, given=number == 0)
    layers = {"grouped": which.blocks + 1, "embedded": 1, "none": 0}[which.non_local]
    joints, inner = len(skeleton), max(channels // 2, 1)
    for _ in range(layers):  # value, query, key; and back
        yield from 3 * [Product(1, joints, channels, inner)]
        yield Product(1, joints, inner, channels)


def _widths(
    blocks: int, channels: int, features: tuple[int, int] = (IN, OUT)
) -> Iterator[tuple[int, int]]:
    """Features before and after each layer of residual blocks of two, and of both ends."""
    return pairwise((features[0], *(2 * blocks + 1) * [channels], features[1]))


def _convolution(
    which: Layout, widths: tuple[int, int], skeleton: Skeleton, *, given: bool
) -> Iterator[Product]:
    """One graph convolution in the order that takes fewest multiply-accumulates."""
    assert which.sharing is not None
    slots = weight_slots(body_graph(skeleton), which.sharing)
    joints, alike = len(skeleton), 1 + which.decouple_self
    if which.modulated or which.sharing in ("pre-aggregation", "post-aggregation"):
        yield from alike * [Product(joints, 1, *widths, given)]
    elif which.sharing in DECOUPLED:
        yield from alike * [Product(1, joints, *widths, given)]
    elif which.sharing == "no-sharing":
        yield Product(len(slots), 1, *widths, given)
    else:  # all edges of a matrix together
        yield from (Product(1, int(edges), *widths, given) for edges in np.bincount(slots))


def _dense(
    before: int, after: int, channels: int, blocks: int, *, given: bool = True
) -> Iterator[Product]:
    """Fully connected layers of a whole pose."""
    for number, widths in enumerate(_widths(blocks, channels, (before, after))):
        yield Product(1, 1, *widths, given and number == 0)


def _martinez(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    return _dense(len(skeleton) * IN, len(skeleton) * OUT, channels, blocks)


def _mixture(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    *trunk, _ = _martinez(channels, blocks, skeleton)
    yield from trunk
    for numbers in (len(skeleton) * OUT, 1, 1):  # positions, spreads, weights of 5 hypotheses
        yield Product(1, 1, channels, 5 * numbers)


def _ordinal_depth(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    joints = len(skeleton)
    yield from _dense(IN * joints, joints, channels, blocks)
    yield from _dense(OUT * joints, OUT * joints, channels, blocks, given=False)


def _bidirectional(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    level = degrees_of_freedom(skeleton)
    hidden, attributes = max(channels // 2, 1), 3 * int((level > 0).sum())
    yield from _dense(len(skeleton) * IN, attributes, channels, blocks)
    joints = [int((level == each).sum()) for each in range(3)]
    for own in joints:
        yield Product(1, 1, channels + attributes + IN * own, channels)
    for _ in range(2):  # directions: all three steps at once, then what each is given by the last
        yield Product(1, 3, channels, 3 * hidden)
        yield from 3 * [Product(1, 1, hidden, 3 * hidden)]
    for own in joints:
        yield Product(1, 1, 2 * hidden, OUT * own)


def _locally_connected(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    pairs = local_graph(skeleton).target.size
    for number, widths in enumerate(_widths(blocks, channels)):
        yield Product(pairs, 1, *widths, number == 0)


def _high_order(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    layers = [(IN, channels), *2 * blocks * [(4 * channels, channels)], (4 * channels, OUT)]
    for number, widths in enumerate(layers):
        yield from 4 * [Product(1, len(skeleton), *widths, number == 0)]


def _hourglass(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    C, wide, widest = channels, 3 * channels // 2, 2 * channels
    _, half = hourglass_levels(skeleton, blocks)
    whole, pairs, parts = (len(body) for body in (skeleton, half.skeleton, half.smaller))
    share = max(C // blocks, 1)
    seen, inner = blocks * share, max(blocks * share // 8, 1)
    yield from 2 * [Product(whole, 1, IN, C, given=True)]
    for _ in range(blocks):
        for joints, before, after in (
            (whole, C, wide),
            (pairs, wide, widest),
            (parts, widest, widest),
            (pairs, widest, wide),
            (whole, wide, C),
        ):
            yield from 2 * [Product(joints, 1, before, after)]
        yield Product(1, whole, C, share)
    yield Product(1, 1, seen, inner)
    yield Product(1, 1, inner, seen)
    yield Product(1, whole, seen, OUT)


def _graformer(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    C, joints, heads = channels, len(skeleton), 4 * -(-channels // 4)
    yield from 3 * [Product(1, joints, IN, C, given=True)]
    for _ in range(blocks):
        for widths in ((C, 3 * heads), (heads, C), (C, 2 * C), (2 * C, C)):
            yield Product(1, joints, *widths)
        yield from 2 * 3 * [Product(1, joints, C, C)]
    yield from 3 * [Product(1, joints, C, OUT)]


def _htnet(channels: int, blocks: int, skeleton: Skeleton) -> Iterator[Product]:
    C, joints, heads = channels, len(skeleton), 8 * -(-channels // 8)
    between, full = htnet_widths(C)
    yield Product(1, joints, IN, 3 * C, given=True)
    for _ in range(blocks):
        yield from 2 * [Product(joints, 1, C, between)]
        yield from 2 * [Product(joints, 1, between, C)]
        for count in (3, 2):  # joints of a limb that are joined, of four limbs
            for widths in ((count * C, C), (C, full), (full, C)):
                yield Product(1, 4, *widths)
        for widths in ((C, 3 * heads), (heads, C), (3 * C, full), (full, 3 * C)):
            yield Product(1, joints, *widths)
    yield Product(1, joints, 3 * C, OUT)


_OTHERS: Mapping[str, Callable[[int, int, Skeleton], Iterator[Product]]] = {
    "martinez": _martinez,
    "lcn": _locally_connected,
    "mixture": _mixture,
    "bidirectional": _bidirectional,
    "ordinal-depth": _ordinal_depth,
    "high-order": _high_order,
    "graph-hourglass": _hourglass,
    "graformer": _graformer,
    "htnet": _htnet,
}
"""The networks of :data:`graphlift.networks.LIFTERS`."""
