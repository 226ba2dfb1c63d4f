"""From joint angles to joint positions, and from a rig's points to Human3.6M's 17 joints.

What all formats of motion capture share: rotations along a tree of bones, a table that says which
points of a rig make which joint of the 17, and the unit that follows from the length of the legs.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.geometry import chain_bones
from graphlift.skeletons import H36M_17

Recipe = Mapping[str, str]
"""For each of the 17 joints how to get it from named points: terms ``weight*name`` or ``name``
joined by ``+``; alternatives, best first, are parted by ``|``."""

UNITS: Mapping[str, float] = {
    "m": 1.0,
    "cm": 0.01,
    "mm": 0.001,
    "inch": 0.0254,
    "cmu": 0.0254 / 0.45,
}
"""Metres per unit. ``cmu`` is the unit of the CMU database: 1/0.45 inch.

Source: the ``:units length 0.45`` of its ASF files and the notes on mocap.cs.cmu.edu.
"""

ADULT_LEG = (0.6, 1.1)
"""m, hip to knee to ankle. Narrow enough that a length is an adult's leg in one of UNITS only."""


def euler_to_matrix(
    angles: Float[np.ndarray, "*batch axis"], axes: str
) -> Float[np.ndarray, "*batch 3 3"]:
    """Compose rotations about coordinate axes; none of them gives the identity.

    Args:
        angles: Radians, right-handed, one for each letter of ``axes``.
        axes: As SciPy has them: ``ZYX`` about the rotated axes, Rz Ry Rx, as a BVH's channels;
            ``zyx`` about the fixed axes, Rx Ry Rz, as Acclaim lists them.
    """
    from scipy.spatial.transform import Rotation

    if not axes:
        return np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    return np.asarray(Rotation.from_euler(axes, angles).as_matrix())


def forward_kinematics(
    vectors: Float[np.ndarray, "frame joint 3"],
    rotations: Float[np.ndarray, "frame joint 3 3"],
    parents: tuple[int, ...],
    *,
    own_turn: bool = False,
) -> Float[np.ndarray, "frame joint 3"]:
    """Follow turns and bone vectors along the tree, all frames at once.

    Args:
        vectors: From each joint's parent to it, at rest; the root's is its place in the world.
        rotations: Of each joint against its parent.
        parents: Every parent before its children; the root's is -1.
        own_turn: Whether a bone is moved by the rotation of the joint at its end (Acclaim, where
            joints are named after the bones that end in them) rather than of the one at its start
            (BVH).

    Returns:
        Positions in the world of the root, in the unit of ``vectors``.
    """
    world, turned = np.array(rotations), np.array(vectors)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            world[:, joint] = world[:, parent] @ rotations[:, joint]
            R = world[:, joint if own_turn else parent]
            turned[:, joint] = np.einsum("fij,fj->fi", R, vectors[:, joint])
    return chain_bones(turned, parents, tuple(range(len(parents))))


def recipe_weights(names: Sequence[str], recipe: Recipe) -> Float[np.ndarray, "joint point"]:
    """Turn a recipe into weights over named points; a joint that cannot be had is a row of NaN."""
    weights = np.full((len(H36M_17), len(names)), np.nan)
    column = {name: place for place, name in enumerate(names)}
    for row, joint in zip(weights, H36M_17.joints, strict=True):
        for alternative in recipe[joint].split("|"):
            terms = [term.strip().rpartition("*") for term in alternative.split("+")]
            if all(name in column for _, _, name in terms):
                row[:] = 0
                for factor, _, name in terms:
                    row[column[name]] += float(factor or 1)
                break
    return weights


def missing_joints(weights: Float[np.ndarray, "joint point"]) -> list[str]:
    """Name the joints of the 17 that a recipe could not find."""
    found = np.isfinite(weights).all(axis=1)
    return [joint for joint, known in zip(H36M_17.joints, found, strict=True) if not known]


def limb_length(positions: Float[np.ndarray, "frame joint 3"], *chain: str) -> float:
    """Median over frames of the length of a chain of joints, in the unit of ``positions``."""
    points = positions[:, H36M_17.index(*chain)]
    return float(np.median(np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(axis=1)))


def leg_length(positions: Float[np.ndarray, "frame joint 3"]) -> float:
    """Mean of both legs, hip to knee to ankle."""
    return 0.5 * sum(limb_length(positions, f"{s}Hip", f"{s}Knee", f"{s}Foot") for s in "LR")


def guess_unit(positions: Float[np.ndarray, "frame joint 3"], where: str) -> float:
    """Tell the unit of a file from the length of the person's legs.

    Args:
        positions: The 17 joints in the file's unit.
        where: What to call the file in an error.

    Returns:
        Metres per unit.

    Raises:
        FormatError: If no unit, or more than one, makes the legs an adult's (ADULT_LEG).
    """
    leg = leg_length(positions)
    fitting = [scale for scale in UNITS.values() if ADULT_LEG[0] <= leg * scale <= ADULT_LEG[1]]
    if len(fitting) != 1:
        raise FormatError(
            f"{where}: the legs, hip to knee to ankle, measure {leg:.4g} of the file's units; in "
            f"none of {', '.join(UNITS)} is that an adult's {ADULT_LEG[0]} to {ADULT_LEG[1]} m: "
            "give the metres per unit (scale; --scale or --units on the command line)"
        )
    return fitting[0]
