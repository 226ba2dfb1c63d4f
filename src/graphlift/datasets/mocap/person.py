"""A person in motion capture: put on the floor, and refused where no person can move like that."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from graphlift.datasets.mocap.clips import Clip
from graphlift.errors import FormatError
from graphlift.formats.kinematics import limb_length
from graphlift.skeletons import ANKLE_HEIGHT, H36M_17


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
        FormatError: If a person's knees bend backward.
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
