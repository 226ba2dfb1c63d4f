"""Fit people to a rig: the 17 joints, y up, without gaps, and what shows how segments turn."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.errors import FormatError
from graphlift.formats.armature import Positions
from graphlift.formats.guides import Guides, find_guides
from graphlift.formats.writing import gaps, interpolate, y_up
from graphlift.mapped import in_blocks
from graphlift.sequences import Axes, Poses
from graphlift.skeletons import H36M_17, joint_map
from graphlift.skeletons.joint_maps import JointMap


@dataclass(frozen=True, eq=False)
class Joints:
    """The 17 joints of a person, m, y up, made of what is asked for; of an hour all take 73 MB.

    Args:
        source: The same in the axes of the poses.
        axes: Which these are.
        kind: Of the numbers that are made.
        gaps: Frames that are filled, in order.
        filled: What they are filled with.
    """

    source: Float[np.ndarray, "frame joint 3"]
    axes: Axes
    kind: np.dtype[Any]
    gaps: Int[np.ndarray, " gap"] = field(default_factory=lambda: np.zeros(0, dtype=int))
    filled: Float[np.ndarray, "gap joint 3"] = field(default_factory=lambda: np.zeros((0, 0, 3)))

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Any) -> np.ndarray:  # noqa: ANN401
        """Give a frame, or a slice of them; or a joint of these."""
        wanted, *joint = index if isinstance(index, tuple) else (index,)
        frames = range(len(self))[wanted]
        if not isinstance(wanted, slice):
            return np.asarray(self[(slice(frames, frames + 1), *joint)][0])
        found = y_up(self.source[(wanted, *joint)].astype(self.kind), self.axes)
        if len(self.gaps):
            asked = np.array(frames, dtype=int)
            place = np.minimum(np.searchsorted(self.gaps, asked), len(self.gaps) - 1)
            gap = self.gaps[place] == asked
            found[gap] = self.filled[place[gap]][(slice(None), *joint)]
        return found


@dataclass(frozen=True, eq=False)
class RiggedPerson:
    """One person's motion as a rig can hold it.

    Args:
        name: The person's.
        positions: The 17 joints, m, y up; every number finite.
        present: Frames that were lifted; in the others the positions are filled in.
        remarks: What was done to the poses, one sentence each.
        guides: What shows how segments are turned, beside the 17 joints.
    """

    name: str
    positions: Positions
    present: Bool[np.ndarray, " frame"]
    remarks: tuple[str, ...]
    guides: Guides = field(default_factory=Guides)

    @property
    def counted(self) -> Bool[np.ndarray, " frame"]:
        """The frames that were lifted; all of them if none was lifted whole."""
        return self.present if self.present.any() else np.ones_like(self.present)


def rigged_people(path: Path, poses: Poses) -> tuple[tuple[RiggedPerson, ...], tuple[str, ...]]:
    """Convert poses to people of the 17 joints without gaps.

    Returns:
        People with a position in at least one frame, and notes on what was done to all of them.

    Raises:
        FormatError: If the skeleton lacks a joint of the 17, or a joint has no position in any
            frame.
    """
    convert, remarks = _seventeen(path, poses)
    people: list[RiggedPerson] = []
    for i, name in enumerate(poses.people):
        joints = _joints(poses, i, convert)
        if np.isfinite(joints.source).any():
            people.append(_fill(path, name, joints, find_guides(poses, i)))
        else:
            remarks += (f"Person {name} is in no frame: left out.",)
    guided = dict.fromkeys(person.guides.words for person in people if person.guides.words)
    remarks += tuple(f"Turned as fronts, faces and soles show: {words}." for words in guided)
    return tuple(people), remarks


def _seventeen(path: Path, poses: Poses) -> tuple[JointMap | None, tuple[str, ...]]:
    """Find how the 17 joints follow from those of the poses; None if they are these."""
    if poses.skeleton.joints == H36M_17.joints:
        return None, ()
    convert = joint_map(poses.skeleton, H36M_17)
    by_kind = {
        kind: ", ".join(j for j, k in zip(H36M_17.joints, convert.kinds, strict=True) if k == kind)
        for kind in ("derived", "missing")
    }
    if by_kind["missing"]:
        raise FormatError(
            f"{path}: a {path.suffix} needs the joints of {H36M_17.name}, and "
            f"{by_kind['missing']} cannot be had from {poses.skeleton.name}: write .c3d, .trc or "
            ".npz, which take any joints"
        )
    note = f"Converted from {poses.skeleton.name} to {H36M_17.name}"
    note += f"; derived: {by_kind['derived']}." if by_kind["derived"] else "."
    return convert, (note,)


def _joints(poses: Poses, person: int, convert: JointMap | None) -> Joints:
    """Find a person's 17 joints; without a copy where they are the first that the poses have."""
    given = poses.positions[:, person]
    if convert is None:
        return Joints(given, poses.axes, given.dtype)
    first = np.eye(len(H36M_17), len(poses.skeleton))
    if np.array_equal(convert.weights, first) and _whole_or_absent(given):
        return Joints(given[:, : len(first)], poses.axes, np.dtype(np.float64))
    made = np.empty((len(given), len(H36M_17), 3))
    for part in in_blocks(given):
        made[part] = convert(given[part])
    return Joints(made, poses.axes, made.dtype)


def _whole_or_absent(given: Float[np.ndarray, "frame joint 3"]) -> bool:
    """Whether each frame shows all joints or none, so that no joint stands for another."""
    for part in in_blocks(given):
        known = np.isfinite(given[part]).all(axis=-1)
        if not (known.all(axis=1) | ~known.any(axis=1)).all():
            return False
    return True


def _fill(path: Path, name: str, joints: Joints, guides: Guides) -> RiggedPerson:
    """Fill gaps bone by bone, so that a joint stays with its parent; the root by itself."""
    present = np.isfinite(joints.source).all(axis=(-2, -1))
    if present.all():
        return RiggedPerson(name, joints, present, (), guides)
    missing, never = np.flatnonzero(~present), set()
    filled = np.empty((len(missing), len(H36M_17), 3))
    joints = replace(joints, kind=np.dtype(np.float64))
    for joint in H36M_17.order:
        parent = H36M_17.parents[joint]
        own = joints[:, joint]
        filled[:, joint] = interpolate(own if parent < 0 else own - joints[:, parent])[missing]
        if not np.isfinite(filled[:, joint]).all():
            never.add(joint)
        if parent >= 0:
            filled[:, joint] += filled[:, parent]
    if lost := [name for joint, name in enumerate(H36M_17.joints) if joint in never]:
        raise FormatError(
            f"{path}: {', '.join(lost)} of person {name} cannot be placed in any frame: write "
            ".npz, .json or .c3d, which keep missing joints"
        )
    remark = f"Person {name} has no whole pose in {gaps(present)}: filled by interpolation."
    joints = replace(joints, gaps=missing, filled=filled)
    return RiggedPerson(name, joints, present, (remark,), guides)
