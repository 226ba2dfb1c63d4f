"""Skeletons: which joints a pose has, in which order, and how they hang together."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from graphlift.errors import ShapeError, SkeletonError


@dataclass(frozen=True)
class Skeleton:
    """A tree of named joints. Joints may come in any order, children before parents included.

    Args:
        name: Short identifier, as written in configurations and on the command line.
        joints: Joint names in array order, as the field writes them. A name that starts with
            ``L`` or ``R`` and differs from another in that letter alone is one of a pair.
        parents: For each joint the index of its parent; the root's is -1.
        centre: The joint that "towards the body" means, by name.

    Raises:
        SkeletonError: If names repeat, there is not exactly one root, a parent is no joint, the
            parents form a cycle, or the centre is no joint.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    centre: str

    def __post_init__(self) -> None:
        count = len(self.joints)
        if len(set(self.joints)) != count:
            twice = sorted({joint for joint in self.joints if self.joints.count(joint) > 1})
            raise SkeletonError(f"{self.name}: joint names repeat: {', '.join(twice)}")
        if len(self.parents) != count:
            raise SkeletonError(f"{self.name}: {count} joints but {len(self.parents)} parents")
        roots = [self.joints[joint] for joint, parent in enumerate(self.parents) if parent == -1]
        if len(roots) != 1:
            raise SkeletonError(
                f"{self.name}: exactly one joint must be the root (parent -1), found "
                f"{len(roots)}: {', '.join(roots) or 'none'}"
            )
        for joint, parent in enumerate(self.parents):
            if not -1 <= parent < count:
                raise SkeletonError(
                    f"{self.name}: the parent of {self.joints[joint]} is {parent}, which is no "
                    f"joint: give an index from 0 to {count - 1}, or -1 for the root"
                )
        for joint in range(count):
            ancestor = joint
            for _ in range(count):
                ancestor = self.parents[ancestor] if ancestor >= 0 else -1
            if ancestor >= 0:
                raise SkeletonError(
                    f"{self.name}: {self.joints[joint]} never reaches the root: its parents "
                    "form a cycle"
                )
        if self.centre not in self.joints:
            raise SkeletonError(f"{self.name}: centre {self.centre!r} is none of {self.joints}")

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def root(self) -> int:
        """The joint without a parent."""
        return self.parents.index(-1)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) pairs in child order; one fewer than joints."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) joints that mirror each other."""
        return tuple(
            (left, self.joints.index(f"R{name[1:]}"))
            for left, name in enumerate(self.joints)
            if name.startswith("L") and f"R{name[1:]}" in self.joints
        )

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Joints sorted so that every parent comes before its children."""
        return tuple(sorted(range(len(self)), key=lambda joint: (self._depth(joint), joint)))

    @cached_property
    def mirror(self) -> Int[np.ndarray, " joint"]:
        """For each joint its counterpart on the other side; itself on the midline."""
        mirror = np.arange(len(self))
        for left, right in self.pairs:
            mirror[[left, right]] = right, left
        return mirror

    def index(self, *names: str) -> Int[np.ndarray, " joint"]:
        """Find joints by name.

        Raises:
            SkeletonError: If a name is none of this skeleton's.
        """
        for name in names:
            if name not in self.joints:
                raise SkeletonError(
                    f"{self.name} has no joint {name!r}: its joints are {', '.join(self.joints)}"
                )
        return np.array([self.joints.index(name) for name in names], dtype=int)

    def _depth(self, joint: int) -> int:
        depth = 0
        while (joint := self.parents[joint]) >= 0:
            depth += 1
        return depth


def _skeleton(name: str, centre: str, tree: str) -> Skeleton:
    """Build a skeleton from ``child<parent`` words in array order; the root is written alone."""
    words = [word.split("<") for word in tree.split()]
    joints = tuple(word[0] for word in words)
    parents = tuple(joints.index(word[1]) if len(word) > 1 else -1 for word in words)
    return Skeleton(name, joints, parents, centre)


H36M_17 = _skeleton(
    "h36m-17",
    "Spine",
    "Hip RHip<Hip RKnee<RHip RFoot<RKnee LHip<Hip LKnee<LHip LFoot<LKnee Spine<Hip Thorax<Spine "
    "Neck/Nose<Thorax Head<Neck/Nose LShoulder<Thorax LElbow<LShoulder LWrist<LElbow "
    "RShoulder<Thorax RElbow<RShoulder RWrist<RElbow",
)
"""Human3.6M's 17 moving joints, in VideoPose3D's order. Root: Hip; centre: Spine.

Source: Pavllo et al., CVPR 2019; the centre from the study's authors' convolution-style classes.
"""

H36M_16 = _skeleton(
    "h36m-16",
    "Spine",
    "Hip RHip<Hip RKnee<RHip RFoot<RKnee LHip<Hip LKnee<LHip LFoot<LKnee Spine<Hip Thorax<Spine "
    "Head<Thorax LShoulder<Thorax LElbow<LShoulder LWrist<LElbow "
    "RShoulder<Thorax RElbow<RShoulder RWrist<RElbow",
)
"""The 17 without Neck/Nose, on which the study's 4.22 M parameters were counted.

Source: Zhao et al., "Semantic Graph Convolutional Networks", CVPR 2019 (its published code).
"""

COCO_17 = _skeleton(
    "coco-17",
    "Nose",
    "Nose LEye<Nose REye<Nose LEar<LEye REar<REye LShoulder<Nose RShoulder<Nose LElbow<LShoulder "
    "RElbow<RShoulder LWrist<LElbow RWrist<RElbow LHip<LShoulder RHip<RShoulder LKnee<LHip "
    "RKnee<RHip LAnkle<LKnee RAnkle<RKnee",
)
"""COCO's 17 keypoints. COCO has no pelvis and no spine: the nose, its only joint on the midline,
is both root and centre, and the trunk is two shoulder-to-hip bones.

Source: Lin et al., "Microsoft COCO", ECCV 2014 (keypoint names and order); the tree is ours.
"""

MPI_INF_3DHP_17 = _skeleton(
    "mpi-inf-3dhp-17",
    "Spine",
    "HeadTop<Head Neck<Spine RShoulder<Neck RElbow<RShoulder RWrist<RElbow LShoulder<Neck "
    "LElbow<LShoulder LWrist<LElbow RHip<Hip RKnee<RHip RAnkle<RKnee LHip<Hip LKnee<LHip "
    "LAnkle<LKnee Hip Spine<Hip Head<Neck",
)
"""MPI-INF-3DHP's 17 test joints in the official order, children before parents. Root: Hip.

Source: Mehta et al., 3DV 2017 (the test set's ``univ_annot3``).
"""

SKELETONS: Mapping[str, Skeleton] = {
    skeleton.name: skeleton for skeleton in (H36M_16, H36M_17, COCO_17, MPI_INF_3DHP_17)
}


Kind = Literal["exact", "derived", "missing"]


@dataclass(frozen=True, eq=False)
class JointMap:
    """How to get the joints of one skeleton from another's.

    Args:
        source: Skeleton one has.
        target: Skeleton one wants.
        weights: For each target joint the mean it is of source joints; NaN where it is missing.
        kinds: Per target joint: ``exact`` (the same point of the body), ``derived`` (a mean of
            others, or a near neighbour under another definition) or ``missing``.
    """

    source: Skeleton
    target: Skeleton
    weights: Float[np.ndarray, "joint other"]
    kinds: tuple[Kind, ...]

    def __call__(self, positions: Float[np.ndarray, "*batch other d"]) -> np.ndarray:
        """Convert positions, 2D or 3D; missing joints become NaN.

        Raises:
            ShapeError: If the joint axis is not the source skeleton's.
        """
        if positions.ndim < 2 or positions.shape[-2] != len(self.source):
            raise ShapeError(
                f"positions {positions.shape} should have {len(self.source)} joints "
                f"({self.source.name}) on the last axis but one"
            )
        missing = np.isnan(self.weights).any(axis=1)
        mixed = np.nan_to_num(self.weights) @ np.where(np.isnan(positions), 0, positions)
        # A missing source joint spoils only the joints made of it.
        absent = (np.isnan(positions).any(axis=-1)[..., None, :] & (self.weights != 0)).any(-1)
        return np.where((missing | absent)[..., None], np.nan, mixed)


_ANKLES = {"RFoot": "RAnkle", "LFoot": "LAnkle"}
_FROM_COCO = {
    "Hip": "LHip RHip",
    "Thorax": "LShoulder RShoulder",
    "Spine": "LShoulder RShoulder LHip RHip",
    "Neck/Nose": "Nose",
    "Head": "LEar REar",
    "Neck": "LShoulder RShoulder",
}
_DERIVED: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("coco-17", "h36m-17"): _FROM_COCO,
    ("coco-17", "h36m-16"): _FROM_COCO,
    ("coco-17", "mpi-inf-3dhp-17"): _FROM_COCO,
    ("mpi-inf-3dhp-17", "h36m-17"): {"Thorax": "Neck", "Neck/Nose": "Neck Head"},
    ("mpi-inf-3dhp-17", "h36m-16"): {"Thorax": "Neck"},
    ("h36m-17", "mpi-inf-3dhp-17"): {"Neck": "Thorax"},
    ("h36m-16", "mpi-inf-3dhp-17"): {"Neck": "Thorax"},
    ("h36m-17", "coco-17"): {"Nose": "Neck/Nose"},
    ("h36m-16", "h36m-17"): {"Neck/Nose": "Thorax Head"},
}


def joint_map(source: Skeleton, target: Skeleton) -> JointMap:
    """Find how to get ``target``'s joints from ``source``'s.

    Joints of the same name are exact (Human3.6M's ``Foot`` is the ankle), except ``Head``, which
    every data set puts elsewhere; named means are derived; the rest is missing.
    """
    weights = np.full((len(target), len(source)), np.nan)
    kinds: list[Kind] = []
    derived = _DERIVED.get((source.name, target.name), {})
    same_family = source.name.split("-")[0] == target.name.split("-")[0]
    ankles = {**_ANKLES, **{other: name for name, other in _ANKLES.items()}}
    for row, name in zip(weights, target.joints, strict=True):
        twin = name if name in source.joints else ankles.get(name)
        if name in derived:
            made_of = source.index(*derived[name].split())
            kinds.append("derived")
        elif twin in source.joints:
            made_of = source.index(twin)
            kinds.append("exact" if same_family or name not in ("Head", "Spine") else "derived")
        else:
            kinds.append("missing")
            continue
        row[:] = 0
        row[made_of] = 1 / len(made_of)
    return JointMap(source, target, weights, tuple(kinds))
