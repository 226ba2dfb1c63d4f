"""The study's eight networks by NumPy alone: batch normalisation folded, in the reduced order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from graphlift.graph import body_graph, fixed_affinity
from graphlift.skeletons import H36M_16, Skeleton
from graphlift.weight_sharing import DECOUPLED, Sharing, weight_slots


@dataclass(frozen=True, eq=False)
class Convolution:
    """A graph convolution as it is evaluated.

    Args:
        weight: (slot, before, after), scaled as the normalisation that follows would.
        affinity: a_ij of each edge (:class:`graphlift.graph.BodyGraph`).
        shift: What is added to each channel.
    """

    weight: Float[np.ndarray, "slot before after"]
    affinity: Float[np.ndarray, " edge"]
    shift: Float[np.ndarray, " after"]


class NumpyNetwork:
    """Residual graph network of the study, evaluated.

    Args:
        convolutions: The input layer, two of each block, the output layer.
        sharing: Weight-sharing method.
        decouple_self: Whether self-connections have their own weights.
        skeleton: The body.

    Source: :class:`graphlift.nn.gcn.PoseGCN`, which is trained.
    """

    def __init__(
        self,
        convolutions: Sequence[Convolution],
        sharing: Sharing,
        *,
        decouple_self: bool,
        skeleton: Skeleton = H36M_16,
    ) -> None:
        graph, joints = body_graph(skeleton), len(skeleton)
        slots = weight_slots(graph, sharing, decouple_self=decouple_self)
        self.layers: list[_Layer] = []
        for each in convolutions:
            a = np.zeros((joints, joints), np.float32)
            a[graph.target, graph.source] = each.affinity
            shift = each.shift.astype(np.float32)
            if sharing in DECOUPLED:
                self.layers.append(_reduced(each.weight, a, shift, sharing, decouple_self))
                continue
            order = np.argsort(slots, kind="stable")  # edges of one matrix side by side
            incidence = np.zeros((joints, len(order)), np.float32)
            incidence[graph.target[order], np.arange(len(order))] = each.affinity[order]
            counts = np.bincount(slots)
            self.layers.append(
                _Layer(each.weight, None, incidence, shift, source=graph.source[order],
                       counts=None if counts.max() == 1 else tuple(counts.tolist()))
            )  # fmt: skip

    def __call__(
        self, keypoints: Float[np.ndarray, "batch joint before"]
    ) -> Float[np.ndarray, "batch joint after"]:
        """Lift keypoints."""
        first, *inner, last = self.layers
        h = _rectified(first(np.ascontiguousarray(keypoints.swapaxes(0, 1))))
        for one, other in zip(inner[::2], inner[1::2], strict=True):
            h = h + _rectified(other(_rectified(one(h))))
        return np.asarray(last(h).swapaxes(0, 1))


def drawn_network(
    sharing: Sharing, *, decouple_self: bool, channels: int, blocks: int = 4
) -> NumpyNetwork:
    """Make a network with drawn weights, of Human3.6M's 16 joints."""
    rng, graph = np.random.default_rng(0), body_graph(H36M_16)
    slots = int(weight_slots(graph, sharing, decouple_self=decouple_self).max()) + 1
    widths = [2, *(2 * blocks + 1) * [channels], 3]
    layers = []
    for before, after in pairwise(widths):
        bound = (6 / (before + after)) ** 0.5  # Glorot's
        weight = rng.uniform(-bound, bound, (slots, before, after)).astype(np.float32)
        affinity = fixed_affinity(graph, "row-normalised").astype(np.float32)
        layers.append(Convolution(weight, affinity, np.zeros(after, np.float32)))
    return NumpyNetwork(layers, sharing, decouple_self=decouple_self)


@dataclass(frozen=True, eq=False)
class _Layer:
    """Σ_j a_ij W_s(i,j) h_j + b: a transform and a sum over messages, in one order or the other.

    Args:
        weight: Matrices of the transform: one, one a joint, or as the messages need.
        own: Matrices of self-connections, with their affinities, if they are decoupled.
        sums: Weights (joint, message) of the sum.
        shift: b.
        source: Joint of each message; None if each joint sends one.
        counts: Messages of each matrix; None if each has its own.
        sums_first: Whether sums come before the transform.
    """

    weight: np.ndarray
    own: np.ndarray | None
    sums: np.ndarray
    shift: np.ndarray
    source: np.ndarray | None = None
    counts: tuple[int, ...] | None = None
    sums_first: bool = False

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = self._transform(self._sum(x)) if self.sums_first else self._sum(self._transform(x))
        if self.own is not None:
            y += np.matmul(x, self.own)
        y += self.shift
        return y

    def _sum(self, rows: np.ndarray) -> np.ndarray:
        flat = self.sums @ rows.reshape(len(rows), -1)
        return np.asarray(flat.reshape(len(flat), *rows.shape[1:]))

    def _transform(self, x: np.ndarray) -> np.ndarray:
        messages = x if self.source is None else x[self.source]
        if self.counts is None:
            return self._products(messages, self.weight)
        out = np.empty((*messages.shape[:2], self.weight.shape[2]), np.float32)
        start = 0
        for count, matrix in zip(self.counts, self.weight, strict=True):
            part = slice(start, start + count)
            out[part] = self._products(messages[part], matrix[None])
            start += count
        return out

    @staticmethod
    def _products(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if len(weight) > 1:
            return np.asarray(np.matmul(x, weight))
        flat: np.ndarray = x.reshape(-1, x.shape[2]) @ weight[0]
        return np.asarray(flat.reshape(*x.shape[:2], -1))


def _reduced(
    weight: np.ndarray, a: np.ndarray, shift: np.ndarray, sharing: Sharing, decouple_self: bool
) -> _Layer:
    """Transform each joint once and sum, or the other way round."""
    first = sharing == "post-aggregation"
    if not decouple_self:
        return _Layer(weight, None, a, shift, sums_first=first)
    near, own = np.split(weight, 2)
    itself = np.diagonal(a)[:, None, None] * own
    return _Layer(near, itself, a - np.diag(np.diagonal(a)), shift, sums_first=first)


def _rectified(h: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(h, 0, out=h))
