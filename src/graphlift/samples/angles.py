"""Joint angles near recorded ones.

Motion capture shows each pose as a few people held it. Turning trunk, head and limbs at their
joints by a few degrees fills the space between.
"""

import numpy as np
from jaxtyping import Float

from graphlift.bodies import SEGMENTS
from graphlift.geometry import unit_or_zero

MOST_BENT = np.radians(150.0)
"""An elbow or knee is bent no further, unless it was recorded so."""


def _at(*names: str) -> list[int]:
    return [SEGMENTS.index(name) for name in names]


_PELVIS, _CHEST, _HEAD = _at("Pelvis", "Chest", "Head")
_LIMBS = tuple(
    (parent, np.array(_at(*(f"{side}{name}" for name in names))), np.array(along))
    for parent, names, alongs in (
        (_CHEST, ("UpperArm", "Forearm", "Hand"), ([1.0, 0, 0], [-1.0, 0, 0])),
        (_PELVIS, ("Thigh", "Shin", "Foot"), ([0, 0, -1.0], [0, 0, -1.0])),
    )
    for side, along in zip("LR", alongs, strict=True)
)
"""Of each limb the segment it hangs on, its own three, and where its bones point in the T-pose."""


def vary_angles(
    turns: Float[np.ndarray, "frame segment 3 3"],
    degrees: float,
    rng: np.random.Generator,
    frames: int = 1,
) -> Float[np.ndarray, "frame segment 3 3"]:
    """Turn chest, head, arms and legs at their joints; bend elbows and knees more or less.

    Each person is varied by an amount of their own, uniform from 0 to ``degrees``: the standard
    deviation, about each axis, of the turns of chest, head, upper arms and thighs against what
    they hang on, half of it for the chest. Elbows and knees keep their plane: how far they are
    bent is multiplied by the exponential of a normal number whose standard deviation is the same
    amount in radians, so straight limbs stay straight and none bends backward.

    Args:
        turns: From the T-pose to the frame, world axes.
        degrees: Largest amount.
        rng: Random generator.
        frames: How many frames of each person, who follow one another; varied alike.
    """
    from scipy.spatial.transform import Rotation

    count = len(turns) // frames
    amount = np.radians(degrees) * rng.random(count)
    shares = np.array([0.5, 1, 1, 1, 1, 1])[:, None]
    vectors = rng.standard_normal((count, 6, 3)) * shares * amount[:, None, None]
    R = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(count, 6, 3, 3)
    bends = np.exp(amount[:, None] * rng.standard_normal((count, len(_LIMBS))))
    R, bends = np.repeat(R, frames, axis=0), np.repeat(bends, frames, axis=0)

    varied = turns.copy()
    pelvis, chest = turns[:, _PELVIS], turns[:, _CHEST]
    varied[:, _CHEST] = pelvis @ R[:, 0] @ _against(pelvis, chest)
    varied[:, _HEAD] = varied[:, _CHEST] @ R[:, 1] @ _against(chest, turns[:, _HEAD])
    for limb, (parent, segments, along) in enumerate(_LIMBS):
        before = turns[:, [parent]]
        moved = _against(before, turns[:, segments])
        moved = varied[:, [parent]] @ R[:, [2 + limb]] @ moved
        upper, lower = (moved[:, at] @ along for at in (0, 1))
        moved[:, 1:] = _bend(upper, lower, bends[:, limb])[:, None] @ moved[:, 1:]
        varied[:, segments] = moved
    return varied


def _against(parent: np.ndarray, turns: np.ndarray) -> np.ndarray:
    return np.asarray(parent.swapaxes(-1, -2) @ turns)


def _bend(upper: np.ndarray, lower: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Rotations that bend the lower bone of a limb by ``factor`` of what it is bent."""
    from scipy.spatial.transform import Rotation

    axis = np.cross(upper, lower)
    bent = np.arctan2(np.linalg.norm(axis, axis=-1), (upper * lower).sum(axis=-1))
    more = np.minimum(bent * factor, np.maximum(bent, MOST_BENT)) - bent
    return np.asarray(Rotation.from_rotvec(unit_or_zero(axis) * more[:, None]).as_matrix())
