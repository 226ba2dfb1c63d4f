"""Where keypoints lie on a body: as a detector finds them, or as a capture system defines joints.

Systems of motion capture put Thorax, Neck, Head and shoulders 20 to 90 mm from each other's, and
detectors find points of the surface. A lifter for anybody's keypoints is trained on all of it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.bodies import SEGMENTS
from graphlift.bodies.segments import POINTS, SIDED_POINTS
from graphlift.samples.anatomy import Anatomy, Figures
from graphlift.skeletons import BODY_28, H36M_17

USUAL_STATURE = 1.75
"""m; shifts are stated for a person of this height, and grow with it."""

SHIFTS = {
    "Spine": ("Chest", (0, 25, 40)),
    "Thorax": ("Chest", (0, 20, 30)),
    "Neck/Nose": ("Head", (0, 30, 30)),
    "Head": ("Head", (0, 25, 45)),
    "Shoulder": ("Chest", (25, 15, 25)),
    "Elbow": ("UpperArm", (8, 8, 8)),
    "Wrist": ("Forearm", (20, 8, 8)),
    "Hip": ("Pelvis", (12, 15, 20)),
    "Knee": ("Thigh", (6, 8, 12)),
    "Foot": ("Shin", (6, 10, 15)),
}
"""mm, standard deviation of where a capture system puts a joint, against our definition: out of
the body, back and up in the T-pose's axes of a segment; the same on both sides. From anatomy:
Thorax may be the pit of the neck or the vertebra behind it, the neck any vertebra up to the skull,
the head the skull's base, middle or top, a shoulder the joint's centre or the bone above it, a hip
the joint's centre or the top of the thigh bone, a wrist the joint or the hand's middle.
"""

_OURS = np.array([joint in H36M_17.joints for joint in BODY_28.joints])
_LIMBS = {
    f"{side}{joint}": f"{side}{point}"
    for side in "LR"
    for joint, point in (
        *((name, name) for name in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee")),
        ("Foot", "Ankle"),
    )
}
"""Joints of the limbs, and the point that detectors find for them."""
FACE = BODY_28.index("Nose", "LEye", "REye", "LEar", "REar")
SMALL_TOES = BODY_28.index("LSmallToe", "RSmallToe")
FEET = BODY_28.index("LBigToe", "LHeel", "RBigToe", "RHeel")
_AT_LIMB = BODY_28.index(*_LIMBS)
_LIMB_POINTS = np.array([POINTS.index(point) for point in _LIMBS.values()])
_BEYOND = np.flatnonzero(~_OURS)
_BEYOND_POINTS = np.array([POINTS.index(BODY_28.joints[joint]) for joint in _BEYOND])
_MIDDLES = {"Hip": ("LHip", "RHip"), "Thorax": ("LShoulder", "RShoulder")}

FACELESS, NO_FEET, NO_SMALL_TOES = 0.05, 0.4, 0.25
"""Shares of detectors' examples: without a face, without feet, with heels and big toes alone."""
NO_NECK = 0.2
"""Share of captured examples without Neck/Nose, as Human3.6M's 16 joints."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What is to be seen of people.

    Args:
        positions: Of the 28 joints as their source of keypoints defines them, m.
        given: Whether such a source has the joint.
        targets: Of the 28 joints as they are to be lifted, m.
        captured: Whether the keypoints are a capture system's joints.
    """

    positions: Float[np.ndarray, "frame joint 3"]
    given: Bool[np.ndarray, "frame joint"]
    targets: Float[np.ndarray, "frame joint 3"]
    captured: Bool[np.ndarray, " frame"]


def show(figures: Figures, anatomy: Anatomy, rng: np.random.Generator) -> Shown:
    """Draw for each person whose definition their keypoints follow.

    What is lifted from a capture system's joints are these joints, wherever it puts them; from a
    detector's points, the 17 joints by our definition. Nose, eyes, ears, toes and heels are the
    surface's in both.
    """
    count = len(figures.joints)
    captured = rng.random(count) < anatomy.captured
    targets = np.empty((count, len(BODY_28), 3))
    targets[:, _OURS] = figures.joints
    targets[:, _BEYOND] = figures.points[:, _BEYOND_POINTS]
    shifted = rng.random(count) >= anatomy.as_ours
    moved = _capture_joints(figures, anatomy, rng)
    targets[captured & shifted] = np.where(
        _OURS[:, None], moved[captured & shifted], targets[captured & shifted]
    )
    positions = targets.copy()
    found = _detected(figures, targets, anatomy, rng)
    positions[~captured] = found[~captured]
    return Shown(positions, _given(captured, rng), targets, captured)


def _given(captured: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which joints each source of keypoints has."""
    count = len(captured)
    of_detector = ~_OURS
    of_detector[[*_AT_LIMB, *BODY_28.index(*_MIDDLES)]] = True
    given = np.where(captured[:, None], _OURS, of_detector)
    kind = rng.random(count)
    faceless = rng.random(count) < FACELESS
    given[:, BODY_28.joints.index("Neck/Nose")] &= rng.random(count) >= NO_NECK
    given[:, FACE] &= ~faceless[:, None]
    given[:, [*FEET, *SMALL_TOES]] &= (kind >= NO_FEET)[:, None]
    given[:, SMALL_TOES] &= (kind >= NO_FEET + NO_SMALL_TOES)[:, None]
    return np.asarray(given)


def _sided(values: np.ndarray, joint: str) -> np.ndarray:
    """Mirror offsets of the right side: out of the body is the other way."""
    return values * [-1.0, 1.0, 1.0] if joint.startswith("R") else values


def _capture_joints(
    figures: Figures, anatomy: Anatomy, rng: np.random.Generator
) -> Float[np.ndarray, "frame joint 3"]:
    """Put the 17 joints where one capture system a person would have them; 28 come out."""
    size = 0.001 * anatomy.shifts * (figures.stature / USUAL_STATURE)[:, None]
    moved = np.zeros((len(size), len(BODY_28), 3))
    moved[:, _OURS] = figures.joints
    for name, (segment, spread) in SHIFTS.items():
        offset = size * rng.standard_normal((len(size), 3)) * spread
        for joint in (
            (name,) if name in H36M_17.joints and name != "Hip" else (f"L{name}", f"R{name}")
        ):
            carrier = segment if segment in SEGMENTS else f"{joint[0]}{segment}"
            R = figures.turns[:, SEGMENTS.index(carrier)]
            moved[:, BODY_28.joints.index(joint)] += np.einsum(
                "fab,fb->fa", R, _sided(offset, joint)
            )
    left, right = (moved[:, joint] for joint in BODY_28.index("LHip", "RHip"))
    moved[:, BODY_28.root] = (left + right) / 2
    return moved


_POINT_NAMES = ("Nose", *SIDED_POINTS)


def _detected(
    figures: Figures, targets: np.ndarray, anatomy: Anatomy, rng: np.random.Generator
) -> Float[np.ndarray, "frame joint 3"]:
    """Put the 28 joints where one detector a person would find them, without its noise.

    A detector has a bias of its own, in the pelvis' axes and alike on both sides.
    """
    count = len(targets)
    size = (figures.stature / USUAL_STATURE)[:, None, None]
    bias = anatomy.detectors * size * rng.standard_normal((count, len(_POINT_NAMES), 3))
    bias[:, 0, 0] = 0
    each = bias[:, [_POINT_NAMES.index(p if p == "Nose" else p[1:]) for p in POINTS]]
    each = each * [[-1.0 if p[0] == "R" else 1.0, 1.0, 1.0] for p in POINTS]
    pelvis = figures.turns[:, SEGMENTS.index("Pelvis")]
    points = figures.points + each @ pelvis.swapaxes(-1, -2)
    found = targets.copy()
    found[:, _AT_LIMB] = points[:, _LIMB_POINTS]
    found[:, _BEYOND] = points[:, _BEYOND_POINTS]
    return with_middles(found)


def with_middles(positions: np.ndarray) -> np.ndarray:
    """Put Hip and Thorax in the middle of hips and shoulders, as joint maps of detectors do."""
    for name, (left, right) in _MIDDLES.items():
        pair = positions[:, BODY_28.index(left, right)]
        positions[:, BODY_28.joints.index(name)] = pair.mean(axis=1)
    return positions
