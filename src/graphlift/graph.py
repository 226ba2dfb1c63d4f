"""The body as a graph: which joints are connected, and how much each edge counts if fixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.skeletons import Skeleton

AffinityKind = Literal["learnt", "row-normalised", "column-normalised", "symmetric"]


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare
class BodyGraph:
    """Directed edges of a skeleton, self-connections included, ordered by target, then source.

    Args:
        skeleton: The skeleton the edges come from.
        target: Joint that receives, per edge.
        source: Joint that sends, per edge.
    """

    skeleton: Skeleton
    target: Int[np.ndarray, " edge"]
    source: Int[np.ndarray, " edge"]

    @property
    def itself(self) -> Bool[np.ndarray, " edge"]:
        """Which edges are self-connections."""
        return np.asarray(self.target == self.source)


@lru_cache
def body_graph(skeleton: Skeleton) -> BodyGraph:
    """Connect each joint to itself, its parent and its children."""
    adjacency = np.eye(len(skeleton), dtype=bool)
    for parent, child in skeleton.bones:
        adjacency[parent, child] = adjacency[child, parent] = True
    return BodyGraph(skeleton, *np.nonzero(adjacency))


@lru_cache
def local_graph(skeleton: Skeleton, hops: int = 3) -> BodyGraph:
    """Connect each joint to itself and to every joint at most so many bones away.

    Where the skeleton has them, the spine is also linked to both hips and both shoulders, as if
    by bones: on Human3.6M's 17 joints, three hops then connect 175 of the 289 pairs, without
    these links 131.

    Source: Ci et al., "Optimizing network structure for 3D human pose estimation", ICCV 2019; the
    links from its published code.
    """
    graph = body_graph(skeleton)
    near = np.zeros((len(skeleton), len(skeleton)), dtype=np.int64)
    near[graph.target, graph.source] = 1
    linked = ("Spine", "LHip", "RHip", "LShoulder", "RShoulder")
    if set(linked) <= set(skeleton.joints):
        spine, *others = skeleton.index(*linked)
        near[spine, others] = near[others, spine] = 1
    return BodyGraph(skeleton, *np.nonzero(np.linalg.matrix_power(near, hops)))


def degrees_of_freedom(skeleton: Skeleton) -> Int[np.ndarray, " joint"]:
    """Sort joints by how freely they move against the trunk.

    Returns:
        0 of trunk and head, 1 from elbows and knees on, 2 from wrists and ankles on.

    Source: the levels of Wang et al., "Not all parts are created equal", ICCV 2019.
    """
    ends = {f"{side}{part}" for side in "LR" for part in ("Wrist", "Ankle", "Foot")}
    bends = {f"{side}{part}" for side in "LR" for part in ("Elbow", "Knee")}
    level = np.zeros(len(skeleton), dtype=np.int64)
    for joint in skeleton.order:  # every parent before its children
        name, parent = skeleton.joints[joint], skeleton.parents[joint]
        own = 2 if name in ends else 1 if name in bends else 0
        level[joint] = max(own, level[parent] if parent >= 0 else 0)
    return level


def fixed_affinity(
    graph: BodyGraph,
    kind: Literal["row-normalised", "column-normalised", "symmetric", "whole-self"],
) -> Float[np.ndarray, " edge"]:
    """Give each edge a fixed affinity, one that is not learnt.

    With A the adjacency, self-connections included, and D its degrees: ``row-normalised`` is
    D⁻¹A (where the learnt affinity starts), ``column-normalised`` is AD⁻¹ (what Any-GCN's
    no-sharing layer computes), ``symmetric`` is D^-½ A D^-½ (Kipf and Welling, "Semi-supervised
    classification with graph convolutional networks", ICLR 2017). ``whole-self`` is a joint
    itself, with weight 1, beside the mean of the others: where Modulated GCN starts.
    """
    degree = np.bincount(graph.target)
    if kind == "row-normalised":
        return np.asarray(1 / degree[graph.target])
    if kind == "column-normalised":
        return np.asarray(1 / degree[graph.source])
    if kind == "whole-self":
        return np.where(graph.itself, 1.0, 1 / (degree[graph.target] - 1))
    return np.asarray(1 / np.sqrt(degree[graph.target] * degree[graph.source]))


@lru_cache
def bones_between(skeleton: Skeleton) -> Int[np.ndarray, "joint joint"]:
    """Count the bones on the path between every two joints."""
    between = np.zeros((len(skeleton), len(skeleton)), dtype=int)
    for place, joint in enumerate(skeleton.order):  # parents first
        for other in skeleton.order[:place]:
            bones = between[skeleton.parents[joint], other] + 1
            between[joint, other] = between[other, joint] = bones
    return between


def walks(skeleton: Skeleton, bones: int) -> Bool[np.ndarray, "joint joint"]:
    """Find the joints that a walk of exactly so many bones connects.

    A walk may go back on its way: in a tree it leads to every joint at most so far away, if the
    distance is even where the number is even, and odd where it is odd.
    """
    between = bones_between(skeleton)
    return np.asarray((between <= bones) & ((bones - between) % 2 == 0))


def pooled(skeleton: Skeleton, groups: Sequence[tuple[int, ...]]) -> Skeleton:
    """Merge the joints of each group into one; a bone between two groups connects them.

    Args:
        skeleton: The body.
        groups: Every joint in exactly one of them; the parents of a group's joints are in it, or
            in one other group.

    Returns:
        A joint for each group, in their order, named after all of its joints.
    """
    of = {joint: number for number, group in enumerate(groups) for joint in group}
    above = [{of[skeleton.parents[j]] for j in g if j != skeleton.root} for g in groups]
    parents = tuple(max(over - {number}, default=-1) for number, over in enumerate(above))
    names = tuple("+".join(skeleton.joints[joint] for joint in group) for group in groups)
    centre = names[of[skeleton.joints.index(skeleton.centre)]]
    return Skeleton(f"{skeleton.name} pooled", names, parents, centre)
