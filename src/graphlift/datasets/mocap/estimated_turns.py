"""How segments are turned as far as positions of joints show, for motion capture without turns.

Bones say where limbs point; a bent elbow or knee, how the limb is turned about itself. Nothing in
17 joints says where a head looks or a foot points: heads are taken to face as the chest does, feet
to stand at a right angle to the shin, hands to continue the forearm.
"""

import numpy as np
from jaxtyping import Bool, Float

from graphlift.bodies.segments import SEGMENTS
from graphlift.geometry import swing, unit_or_zero
from graphlift.sequences import FRONTS
from graphlift.skeletons import H36M_17

BENT = 0.3
"""Sine of the bend above which an elbow or knee shows how the limb above it is turned."""

SKULL = np.radians(10.0)
"""How far the line from the base of the skull to the middle of the head leans forward of the
face's vertical."""


def estimate_turns(
    positions: Float[np.ndarray, "frame joint 3"],
) -> tuple[Float[np.ndarray, "frame segment 3 3"], Bool[np.ndarray, "frame front"]]:
    """Estimate the turns of segments from the 17 joints.

    Args:
        positions: m, world axes, z up.

    Returns:
        Rotations from the T-pose to the frame, and which of :data:`graphlift.sequences.FRONTS`
        the positions show: pelvis and chest, and limbs above a bent elbow or knee.
    """
    at = dict(zip(H36M_17.joints, np.moveaxis(positions.astype(np.float64), 1, 0), strict=True))
    pelvis = _axes(at["LHip"] - at["RHip"], at["Spine"] - at["Hip"])
    chest = _axes(at["LShoulder"] - at["RShoulder"], at["Thorax"] - at["Spine"])
    turns = {"Pelvis": pelvis, "Chest": chest, "Head": _head(at, chest)}
    known = {"Pelvis": np.ones(len(positions), bool), "Chest": np.ones(len(positions), bool)}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        arm = [at[f"{side}{name}"] for name in ("Shoulder", "Elbow", "Wrist")]
        upper, lower, bent = _limb(arm, np.array([sign, 0, 0]), 1.0, chest)
        turns |= {f"{side}UpperArm": upper, f"{side}Forearm": lower, f"{side}Hand": lower}
        known[f"{side}UpperArm"] = bent
        leg = [at[f"{side}{name}"] for name in ("Hip", "Knee", "Foot")]
        upper, lower, bent = _limb(leg, np.array([0, 0, -1.0]), -1.0, pelvis)
        turns |= {f"{side}Thigh": upper, f"{side}Shin": lower, f"{side}Foot": lower}
        known[f"{side}Thigh"] = bent
    nowhere = np.zeros(len(positions), bool)
    return (
        np.stack([turns[name] for name in SEGMENTS], axis=1).astype(np.float32),
        np.stack([known.get(name, nowhere) for name in FRONTS], axis=1),
    )


def _axes(left: np.ndarray, up: np.ndarray) -> Float[np.ndarray, "frame 3 3"]:
    """Columns: to the left, which is kept, backward, and up as far as it is across."""
    x = unit_or_zero(left)
    z = unit_or_zero(up - (up * x).sum(axis=-1, keepdims=True) * x)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _head(at: dict[str, np.ndarray], chest: np.ndarray) -> np.ndarray:
    """A head whose skull leans as in all sources, facing as the chest does."""
    skull = unit_or_zero(at["Head"] - at["Neck/Nose"])
    left = chest[..., 0]
    left = unit_or_zero(left - (left * skull).sum(axis=-1, keepdims=True) * skull)
    back = np.cross(skull, left)
    up = np.cos(SKULL) * skull + np.sin(SKULL) * back
    return _axes(left, up)


def _limb(
    joints: list[np.ndarray],
    rest: Float[np.ndarray, "3"],
    forward: float,
    trunk: Float[np.ndarray, "frame 3 3"],
) -> tuple[np.ndarray, np.ndarray, Bool[np.ndarray, " frame"]]:
    """Turn the two segments of a limb.

    Args:
        joints: Shoulder, elbow and wrist, or hip, knee and ankle.
        rest: Where both bones point in the T-pose.
        forward: 1 if the lower one bends to the front, -1 if to the back.
        trunk: Turn of chest or pelvis, whose front a straight limb carries along.

    Returns:
        Turns of upper and lower segment, and whether the bend shows them.
    """
    start, middle, end = joints
    upper, lower = unit_or_zero(middle - start), unit_or_zero(end - middle)
    across = lower - (lower * upper).sum(axis=-1, keepdims=True) * upper
    folded = (lower * upper).sum(axis=-1) < 0
    bent = (np.linalg.norm(across, axis=-1) > BENT) | folded
    front = np.where(bent[:, None], forward * across, swing(-trunk[..., 1], trunk @ rest, upper))
    first = _facing(upper, front, rest)
    hinge = np.cross(rest, [0.0, -1, 0])  # across the limb and its front, in the T-pose
    axis = first @ hinge
    return first, _facing(lower, np.cross(axis, lower), rest), bent


def _facing(
    bone: np.ndarray, front: np.ndarray, rest: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "frame 3 3"]:
    """Rotations that take ``rest`` to the bone, and the T-pose's front near to ``front``."""
    front = front - (front * bone).sum(axis=-1, keepdims=True) * bone
    # A front along the bone shows nothing: any direction across it.
    lost = np.linalg.norm(front, axis=-1, keepdims=True) < 1e-6
    spare = np.cross(bone, np.where(np.abs(bone[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    front = unit_or_zero(np.where(lost, spare, front))
    there = np.stack([bone, front, np.cross(bone, front)], axis=-1)
    here = np.stack([rest, [0.0, -1, 0], np.cross(rest, [0.0, -1, 0])], axis=-1)
    return np.asarray(there @ here.T)
