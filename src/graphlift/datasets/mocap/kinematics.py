"""From joint angles to joint positions, and from a rig's points to Human3.6M's 17 joints.

What every motion-capture format shares: turns along a tree of bones, a table that says which point
of a rig is which joint of the 17, the turn from y up to z up, and how large a person is.
Nothing here knows files.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from graphlift.datasets import Clip
from graphlift.errors import FormatError
from graphlift.geometry import chain_bones
from graphlift.skeletons import ANKLE_HEIGHT, H36M_17

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
    """Multiply turns about coordinate axes, the first one leftmost.

    ``axes="zyx"`` gives R = Rz Ry Rx: the order of a BVH's channels, and the reverse of the order
    in which Acclaim lists angles. Any number of axes will do; none gives the identity.

    Args:
        angles: Radians, right-handed, one for each letter of ``axes``.
        axes: Letters ``x``, ``y``, ``z``.
    """
    R = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for column, axis in enumerate(axes):
        i = "xyz".index(axis)
        j, k = (i + 1) % 3, (i + 2) % 3
        cos, sin = np.cos(angles[..., column]), np.sin(angles[..., column])
        turn = np.zeros_like(R)
        turn[..., i, i] = 1
        turn[..., j, j] = turn[..., k, k] = cos
        turn[..., j, k], turn[..., k, j] = -sin, sin
        R = R @ turn
    return np.asarray(R)


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
    return [joint for joint, there in zip(H36M_17.joints, found, strict=True) if not there]


def put_on_floor(positions: Float[np.ndarray, "frame joint 3"]) -> np.ndarray:
    """Shift a clip along z so that its floor is z = 0.

    The lower of the two ankles is ANKLE_HEIGHT above the floor in all but the lowest 2 % of
    frames, which may be capture errors. A person who never stands is put too low by this.

    Args:
        positions: m, world, z up, the 17 joints.
    """
    lower = positions[:, H36M_17.index("RFoot", "LFoot"), 2].min(axis=1)
    floor = np.quantile(lower, 0.02) - ANKLE_HEIGHT
    return np.asarray(positions - [0.0, 0.0, floor])


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
            "say how many metres a unit is (scale; --scale or --units on the command line)"
        )
    return fitting[0]


def forward_bend(positions: Float[np.ndarray, "frame joint 3"]) -> Float[np.ndarray, " frame"]:
    """Measure how far forward the knees are bent; a mirrored person's bend backward.

    The front of a body is left × up, where left runs from the right hip to the left one and up
    from the hips to the thorax.

    Args:
        positions: m, right-handed, the 17 joints.

    Returns:
        How far each knee lies before the line from hip to ankle, m, summed over both legs.
    """
    left, up = (
        positions[:, H36M_17.index(end)[0]] - positions[:, H36M_17.index(start)[0]]
        for start, end in (("RHip", "LHip"), ("Hip", "Thorax"))
    )
    front = np.cross(left, up)
    front = front / np.maximum(np.linalg.norm(front, axis=-1, keepdims=True), 1e-9)
    bend = np.zeros(len(positions))
    for side in "LR":
        hip, knee, ankle = np.moveaxis(
            positions[:, H36M_17.index(f"{side}Hip", f"{side}Knee", f"{side}Foot")], 1, 0
        )
        leg = ankle - hip
        share = ((knee - hip) * leg).sum(axis=-1) / np.maximum((leg**2).sum(axis=-1), 1e-9)
        bend += ((knee - hip - share[:, None] * leg) * front).sum(axis=-1)
    return bend


def check_not_mirrored(clips: Sequence[Clip], where: str) -> None:
    """Refuse people whose knees bend backward: left and right, or two axes, are swapped.

    Of 58 people of CMU, HDM05 and others, each has more than 0.9 of their bending forward, so
    that the bound of half of it backward lies far from both a person and a mirrored one. People
    who hardly bend their knees (10 mm in the mean) are let pass.

    Args:
        clips: Of people with the 17 joints; those of one subject are taken together.
        where: What to call the file in an error.

    Raises:
        FormatError: If somebody's knees bend backward.
    """
    people: dict[str, list[np.ndarray]] = {}
    for clip in clips:
        people.setdefault(clip.subject, []).append(forward_bend(clip.positions))
    for name, parts in people.items():
        bend = np.concatenate(parts)
        size = float(np.abs(bend).mean())
        if size > 0.01 and bend.mean() < -0.5 * size:
            raise FormatError(
                f"{where}: the knees of {name} bend backward: the person is mirrored, because "
                "left and right are swapped or the axes are left-handed (a swap of y and z "
                "mirrors); prepare the files again from right-handed ones"
            )


def check_person(
    positions: Float[np.ndarray, "frame joint 3"], fps: float, *, scale: float, where: str
) -> None:
    """Refuse what no person can be: a wrong scale, units mixed between limbs or with the root.

    Args:
        positions: m, the 17 joints.
        fps: Frames per second.
        scale: Metres per unit that was applied, for the message.
        where: What to call the file in an error.

    Raises:
        FormatError: If one leg is over twice the other, the trunk or an arm is not 0.25 to 1.6
            legs long, a leg is not 0.3 to 1.6 m long, or the hip moves faster than 15 m/s in more
            than a twentieth of the frames.
    """
    unit = f"with {scale:.4g} m a unit"
    leg = limb_length(positions, "LHip", "LKnee", "LFoot")
    limbs = {
        "right leg": (0.5, 2.0, limb_length(positions, "RHip", "RKnee", "RFoot")),
        "trunk": (0.25, 1.6, limb_length(positions, "Hip", "Spine", "Thorax")),
        "left arm": (0.25, 1.6, limb_length(positions, "LShoulder", "LElbow", "LWrist")),
        "right arm": (0.25, 1.6, limb_length(positions, "RShoulder", "RElbow", "RWrist")),
    }
    for limb, (least, most, length) in limbs.items():
        if not least * leg <= length <= most * leg:
            raise FormatError(
                f"{where}: {unit}, the {limb} is {length:.3g} m long but the left leg {leg:.3g} "
                "m: the file mixes units or its hierarchy is wrong; export it again"
            )
    if not 0.3 <= leg <= 1.6:
        raise FormatError(
            f"{where}: {unit}, a leg is {leg:.3g} m long, which is no person's: give the right "
            "scale (--scale or --units on the command line)"
        )
    speed = np.linalg.norm(np.diff(positions[:, H36M_17.root], axis=0), axis=-1) * fps
    if speed.size and (usual := float(np.quantile(speed, 0.95))) > 15:
        raise FormatError(
            f"{where}: {unit}, the hip moves at {usual:.4g} m/s: the root's positions are in "
            "another unit than the bones (mixed units), or the frame rate is wrong"
        )
