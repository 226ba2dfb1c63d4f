"""Skeletons: named joints in an order, and the tree that connects them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from graphlift.errors import SkeletonError
from graphlift.words import counted, listed, shown


@dataclass(frozen=True)
class Skeleton:
    """A tree of named joints. Joints may come in any order, children before parents included.

    Args:
        name: Short identifier, as written in configurations and on the command line.
        joints: Joint names in array order, as the field writes them. A name that starts with
            ``L`` or ``R`` and differs from another in that letter alone is one of a pair.
        parents: For each joint the index of its parent; the root's is -1.
        centre: Name of the joint from which convolution-style sharing counts bones.

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
            raise SkeletonError(
                f"{self.name}: {counted(count, 'joint')} but "
                f"{counted(len(self.parents), 'parent')}"
            )
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
            raise SkeletonError(
                f"{self.name}: centre {shown(self.centre)} is none of {listed(self.joints, 40)}"
            )

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
                    f"{self.name} has no joint {shown(name)}: its joints are "
                    f"{listed(self.joints, 40)}"
                )
        return np.array([self.joints.index(name) for name in names], dtype=int)

    def _depth(self, joint: int) -> int:
        depth = 0
        while (joint := self.parents[joint]) >= 0:
            depth += 1
        return depth
