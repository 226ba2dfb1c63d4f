"""The network that each method's name stands for; only here the baselines are defined."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int

from graphlift.errors import ModelError
from graphlift.graph import pooled
from graphlift.skeletons import Skeleton
from graphlift.weight_sharing import METHODS, Sharing

NonLocalKind = Literal["none", "grouped", "embedded"]
"""``grouped``: SemGCN's, after the input layer and after every block; ``embedded``: one embedded
Gaussian layer before the output layer, as in Modulated GCN for detected keypoints."""
Centre = Literal["spine", "root"]
"""Where convolution-style counts bones from: the spine in the study, the root in Any-GCN."""

IMAGE_PART = "lifter of the system; its image part is not here"


@dataclass(frozen=True)
class Published:
    """How a network was published.

    Args:
        reference: Authors, conference and year.
        channels: Its width, as its own module counts it.
        blocks: Its residual blocks, or its depth.
        image: Whether its system also has a network for images, which is not here.
    """

    reference: str
    channels: int
    blocks: int
    image: bool = False


LIFTERS: Mapping[str, Published] = {
    "martinez": Published("Martinez et al., ICCV 2017", 1024, 2),
    "lcn": Published("Ci et al., ICCV 2019", 64, 3),
    "mixture": Published("Li and Lee, CVPR 2019", 1024, 2),
    "bidirectional": Published("Wang et al., ICCV 2019", 512, 2, image=True),  # sizes are ours
    "ordinal-depth": Published("Pavlakos et al., CVPR 2018", 1024, 2, image=True),  # as above
    "high-order": Published("Zou et al., BMVC 2020", 96, 4),
    "graph-hourglass": Published("Xu and Takano, CVPR 2021", 64, 4),
    "graformer": Published("Zhao et al., CVPR 2022", 96, 5),
    "htnet": Published("Cai et al., ICASSP 2023", 80, 3),
}
"""Networks that are no stack of the study's graph convolutions, by name."""
ANY_FEATURES = ("high-order", "graph-hourglass", "graformer", "htnet")
"""Those of :data:`LIFTERS` that take every kind of input, and may also give deviations."""
SAYS_MORE = ("bidirectional", "mixture", "ordinal-depth")
"""Those of :data:`LIFTERS` that give more of a pose than positions and deviations."""
OTHERS: Mapping[str, Published] = {
    "semgcn": Published("Zhao et al., CVPR 2019", 128, 4, image=True),
    "modulated": Published("Zou and Tang, ICCV 2021", 128, 4),
    **LIFTERS,
}
"""All networks that are none of the study's eight methods, by name."""

DILATIONS = (1, 3, 9)
"""Of a network over time: three layers of three taps."""
WINDOW = 1 + 2 * sum(DILATIONS)
"""Frames that one of its corrections is made from: 27."""


@dataclass(frozen=True)
class Layout:
    """A network, without its width and its skeleton.

    Args:
        sharing: Weight-sharing method of its graph convolutions; None for :data:`LIFTERS`, which
            are no stacks of them.
        decouple_self: Give self-connections their own weights.
        non_local: Which non-local layers it has.
        blocks: Residual blocks.
        modulated: Modulate weights by joint, and learn an affinity of every two joints.
    """

    sharing: Sharing | None
    decouple_self: bool
    non_local: NonLocalKind
    blocks: int
    modulated: bool = False


def layout(
    method: str,
    *,
    decouple_self: bool = False,
    blocks: int | None = None,
    non_local: NonLocalKind | None = None,
) -> Layout:
    """Look up the network that a name stands for.

    Args:
        method: A weight-sharing method; ``semgcn``, which is decoupled full-sharing with grouped
            non-local layers; ``modulated``, which is decoupled full-sharing with modulated weights
            and affinities; or one of :data:`LIFTERS`.
        decouple_self: The decoupled variant of a method.
        blocks: Residual blocks; 4, or as :data:`LIFTERS` says, when left out.
        non_local: Which non-local layers; semgcn's are grouped, the others have none, when left
            out.

    Raises:
        ModelError: If there is no such method, or it cannot have such layers.

    Source: the references in :data:`OTHERS`.
    """
    if method in LIFTERS:
        if non_local not in (None, "none"):
            raise ModelError(f"{method} has no non-local layers: leave non_local out")
        return Layout(None, False, "none", LIFTERS[method].blocks if blocks is None else blocks)
    count = 4 if blocks is None else blocks
    if method == "semgcn":
        return Layout("full-sharing", True, non_local or "grouped", count)
    if method == "modulated":
        return Layout("full-sharing", True, non_local or "none", count, modulated=True)
    for sharing in METHODS:
        if sharing == method:
            return Layout(sharing, decouple_self, non_local or "none", count)
    known = ", ".join((*METHODS, *OTHERS))
    raise ModelError(f"no network is named {method!r}: use one of {known}")


# Graph Stacked Hourglass: which joints are one at its smaller scales

PAIRS = (
    ("RKnee", "RFoot"),
    ("LKnee", "LFoot"),
    ("RHip", "LHip"),
    ("Hip", "Spine"),
    ("Thorax", "Head"),
    ("RElbow", "RWrist"),
    ("LElbow", "LWrist"),
    ("LShoulder", "RShoulder"),
)
"""Of the 16 joints, the pairs that SemGCN's non-local layers group, too."""
PARTS = ((0, 1), (2, 3), (5, 6), (4, 7))
"""Of these pairs: legs, hips, arms, head with shoulders."""


@dataclass(frozen=True)
class Pooling:
    """Pairs of joints that are one in the next smaller graph.

    Args:
        skeleton: The larger graph.
        groups: Each joint is in one.
    """

    skeleton: Skeleton
    groups: tuple[tuple[int, int], ...]

    @property
    def smaller(self) -> Skeleton:
        """The smaller graph."""
        return pooled(self.skeleton, self.groups)


def hourglass_levels(skeleton: Skeleton, blocks: int) -> tuple[Pooling, Pooling]:
    """Pool 16 joints to 8 pairs, and these to 4 parts.

    Raises:
        ModelError: If the skeleton has other joints, or there is no hourglass.

    Source: Xu and Takano, CVPR 2021, who pool in two steps; which joints: tamasino52/GraphSH.
    """
    if {*skeleton.joints} != {joint for pair in PAIRS for joint in pair}:
        raise ModelError(
            f"graph-hourglass pools the joints of h36m-16, and {skeleton.name} has others: use "
            "16 joints, or another network"
        )
    if blocks < 1:
        raise ModelError("graph-hourglass has at least one hourglass: give blocks of 1 or more")
    of = skeleton.joints.index
    whole = Pooling(skeleton, tuple((of(one), of(other)) for one, other in PAIRS))
    return whole, Pooling(whole.smaller, PARTS)


# HTNet: which joints form a limb

LIMBS = (
    ("RHip", "RKnee", "RFoot"),
    ("LHip", "LKnee", "LFoot"),
    ("LShoulder", "LElbow", "LWrist"),
    ("RShoulder", "RElbow", "RWrist"),
)


def htnet_limbs(skeleton: Skeleton) -> Int[np.ndarray, "limb joint"]:
    """Find the three joints of each limb, from the trunk outwards.

    Raises:
        ModelError: If the skeleton does not have them.
    """
    if not {joint for limb in LIMBS for joint in limb} <= {*skeleton.joints}:
        raise ModelError(
            f"htnet knows the limbs of Human3.6M's joints, and {skeleton.name} has others: use "
            "16, 17 or 28 joints, or another network"
        )
    return np.stack([skeleton.index(*limb) for limb in LIMBS])


def htnet_widths(channels: int) -> tuple[int, int]:
    """Features between two graph convolutions, and inside fully connected layers.

    In proportion to the published ones, 384 and 1024 where a stream has 80 channels.
    """
    return max(24 * channels // 5, 1), max(64 * channels // 5, 1)
