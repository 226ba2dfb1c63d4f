"""Fit people to a rig: the 17 joints, y up, without gaps, and what shows how segments turn."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from graphlift.errors import FormatError
from graphlift.formats.guides import Guides, find_guides
from graphlift.formats.writing import gaps, interpolate, y_up
from graphlift.geometry import bone_vectors, chain_bones
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17, joint_map


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
    positions: Float[np.ndarray, "frame joint 3"]
    present: Bool[np.ndarray, " frame"]
    remarks: tuple[str, ...]
    guides: Guides = field(default_factory=Guides)

    @property
    def measured(self) -> Float[np.ndarray, "frame joint 3"]:
        """The frames that were lifted; all of them if none was lifted whole."""
        return self.positions[self.present] if self.present.any() else self.positions


def rigged_people(path: Path, poses: Poses) -> tuple[tuple[RiggedPerson, ...], tuple[str, ...]]:
    """Convert poses to people of the 17 joints without gaps.

    Returns:
        People with a position in at least one frame, and notes on what was done to all of them.

    Raises:
        FormatError: If the skeleton lacks a joint of the 17, or a joint has no position in any
            frame.
    """
    positions, remarks = _seventeen(path, poses)
    positions = y_up(positions, poses.axes)
    people: list[RiggedPerson] = []
    for i, name in enumerate(poses.people):
        if np.isfinite(positions[:, i]).any():
            people.append(_fill(path, name, positions[:, i], find_guides(poses, i)))
        else:
            remarks += (f"Person {name} is in no frame: left out.",)
    guided = dict.fromkeys(person.guides.words for person in people if person.guides.words)
    remarks += tuple(f"Turned as fronts, faces and soles show: {words}." for words in guided)
    return tuple(people), remarks


def _seventeen(path: Path, poses: Poses) -> tuple[np.ndarray, tuple[str, ...]]:
    if poses.skeleton.joints == H36M_17.joints:
        return poses.positions, ()
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
    return convert(poses.positions), (note,)


def _fill(path: Path, name: str, positions: np.ndarray, guides: Guides) -> RiggedPerson:
    """Fill gaps bone by bone, so that a joint stays with its parent; the root by itself."""
    present = np.isfinite(positions).all(axis=(-2, -1))
    if present.all():
        return RiggedPerson(name, positions, present, (), guides)
    bones = bone_vectors(positions, H36M_17.parents)
    bones[:, H36M_17.root] = positions[:, H36M_17.root]
    bones = interpolate(bones)
    if never := [
        joint for i, joint in enumerate(H36M_17.joints) if not np.isfinite(bones[:, i]).all()
    ]:
        raise FormatError(
            f"{path}: {', '.join(never)} of person {name} cannot be placed in any frame: write "
            ".npz, .json or .c3d, which keep missing joints"
        )
    remark = f"Person {name} has no whole pose in {gaps(present)}: filled by interpolation."
    filled = chain_bones(bones, H36M_17.parents, H36M_17.order)
    return RiggedPerson(name, filled, present, (remark,), guides)
