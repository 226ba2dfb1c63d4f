"""Simulated 2D detections: what a keypoint detector would report, errors included.

The error model is seeded, heavy-tailed, per joint and aware of occlusion; it grows with the
person's size in the image, as a detector works on a crop scaled to the person. Three mistakes:

* *jitter*: every joint, Student's t with 3 degrees of freedom, wider for wrists than for hips,
  wider again where a limb hides the joint;
* *swap*: left and right of a pair of limbs change places;
* *miss*: the joint is detected at its parent, with a large error. It is never at (0, 0).

Every frame is drawn independently. A real detector's mistakes last for several frames, which makes
no difference to a lifter of single frames; :mod:`graphlift.detector_noise` draws such mistakes.

The factors were chosen to be plausible and were not tuned on results, except the two levels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.errors import ConfigError
from graphlift.skeletons import Skeleton

Detections = Literal["gt", "hg-sim", "cpn-sim", "hg", "cpn"]
"""The truth, detectors that are simulated here, and detections that come with a data set."""
DETECTIONS: tuple[Detections, ...] = get_args(Detections)

REFERENCE_SIZE = 360.0
"""px: the longer side of a standing person's joints in Human3.6M's images (about 1.55 m from
ankle to head at 4.9 m, focal length 1145 px). Levels are stated for a person of this size."""

CPN_LEVEL = 1.0
HG_LEVEL = 1.56
"""Multiples of the model below. At ``CPN_LEVEL`` the mean error is 5.4 px for a person of
reference size, swaps and misses included: the published error of CPN on Human3.6M (Sun et al.'s
EvoSkeleton, CVPR 2020, lists it). ``HG_LEVEL`` was set once, by the pilot in docs/protocol.md."""
LEVELS: Mapping[str, float] = {"cpn-sim": CPN_LEVEL, "hg-sim": HG_LEVEL}
SIMULATED: Mapping[str, str] = {
    "hg-sim": "Newell et al., ECCV 2016",
    "cpn-sim": "Chen et al., CVPR 2018",
}
"""Which detector each stands for: the stacked hourglass, and the cascaded pyramid network."""

JITTER = 3.79
"""px: mean error of a visible joint of factor 1 at reference size."""
HIDDEN = 2.0
"""Jitter of a hidden joint, as a multiple of a visible one's."""
SWAP = {"visible": 0.004, "hidden": 0.03}
"""Chance that a pair of limbs is swapped, and the same when one of its joints is hidden."""
MISS = {"visible": 0.004, "hidden": 0.04}
"""Chance that a joint is missed; a hidden one more often."""
MISS_SPREAD = 0.06
"""Standard deviation about the wrong position of a missed joint, as a share of person size."""

_FACTORS = {"Nose": 0.5, "Hip": 0.8, "Spine": 0.8, "Thorax": 0.7, "Neck/Nose": 0.7, "Head": 0.8}
_LIMB_FACTORS = {
    "Hip": 0.9, "Knee": 1.0, "Foot": 1.2, "Shoulder": 0.9, "Elbow": 1.2, "Wrist": 1.5, "Eye": 0.5,
    "Ear": 0.6, "BigToe": 1.3, "SmallToe": 1.3, "Heel": 1.2,
}  # fmt: skip
_LIMBS = (
    ("Hip", "Knee", "Foot", "BigToe", "SmallToe", "Heel"),
    ("Shoulder", "Elbow", "Wrist"),
)


@dataclass(frozen=True, eq=False)
class Detected:
    """What a simulated detector reports.

    Args:
        keypoints: Reported positions of the joints, px.
        error: Distance from the true positions, px.
    """

    keypoints: Float[np.ndarray, "frame joint 2"]
    error: Float[np.ndarray, "frame joint"]


def detect(
    keypoints: Float[np.ndarray, "frame joint 2"],
    hidden: Bool[np.ndarray, "frame joint"],
    skeleton: Skeleton,
    *,
    detections: Detections,
    seed: int | Sequence[int],
) -> Detected:
    """Simulate a detector on frames seen by one camera.

    Args:
        keypoints: True image positions, px.
        hidden: From :func:`occluded`.
        skeleton: Human3.6M's 16 or 17 joints, or body-28.
        detections: Which detector; ``gt`` returns the truth.
        seed: Two calls with the same seed and arguments agree bitwise.

    Raises:
        ConfigError: If it is one that is not simulated.
    """
    if detections == "gt":
        return Detected(keypoints, np.zeros(keypoints.shape[:2]))
    check_simulated(detections)
    return simulate(keypoints, hidden, skeleton, level=LEVELS[detections], seed=seed)


def check_simulated(detections: Detections) -> None:
    """Refuse a detector that cannot be simulated on motion capture.

    Raises:
        ConfigError: If it is one that is not simulated.
    """
    if detections != "gt" and detections not in LEVELS:
        raise ConfigError(
            f"detections = {detections!r} come with a data set that the detector was run on "
            f"(docs/human36m.md); on motion capture use gt, {' or '.join(LEVELS)}"
        )


def simulate(
    keypoints: Float[np.ndarray, "frame joint 2"],
    hidden: Bool[np.ndarray, "frame joint"],
    skeleton: Skeleton,
    *,
    level: float,
    seed: int | Sequence[int],
) -> Detected:
    """Apply the error model at any level: jitter and the chances of mistakes scale with it.

    Arguments are those of :func:`detect`. With the same seed, a higher level makes the same
    mistakes, but larger, and additional ones.
    """
    rng = np.random.default_rng(seed)
    shape = keypoints.shape[:2]
    size = person_size(keypoints)[:, None]
    seen = _swap(keypoints, hidden, skeleton, level, rng)

    chance = np.where(hidden, MISS["hidden"], MISS["visible"]) * level
    missed = rng.random(shape) < chance
    parents = np.array([max(parent, 0) for parent in skeleton.parents])
    spread = rng.standard_normal((*shape, 2)) * (MISS_SPREAD * size)[..., None]
    wrong = keypoints[:, parents] + spread

    width = JITTER * level * joint_factors(skeleton) * np.where(hidden, HIDDEN, 1)
    jitter = _unit_jitter(shape, rng) * (width * size / REFERENCE_SIZE)[..., None]
    found = np.where(missed[..., None], wrong, seen + jitter)
    return Detected(found, np.linalg.norm(found - keypoints, axis=-1))


def person_size(
    keypoints: Float[np.ndarray, "*clip frame joint 2"],
) -> Float[np.ndarray, "*clip frame"]:
    """Measure the longer side of the box around the joints, px, image borders ignored."""
    return np.asarray(np.ptp(keypoints, axis=-2).max(axis=-1))


def joint_factors(skeleton: Skeleton) -> Float[np.ndarray, " joint"]:
    """How much each joint jitters; wrists and ankles most, the trunk least."""
    limbs = {f"{side}{name}": factor for name, factor in _LIMB_FACTORS.items() for side in "LR"}
    return np.array([(_FACTORS | limbs)[joint] for joint in skeleton.joints])


def limb_pairs(
    skeleton: Skeleton,
) -> list[tuple[Int[np.ndarray, " joint"], Int[np.ndarray, " joint"]]]:
    """List what a swap exchanges: the joints of the left leg and of the right one, of the arms."""
    pairs = []
    for limb in _LIMBS:
        names = [name for name in limb if f"L{name}" in skeleton.joints]
        left, right = ([f"{side}{name}" for name in names] for side in "LR")
        pairs.append((skeleton.index(*left), skeleton.index(*right)))
    return pairs


def _unit_jitter(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw planar t noise, 3 degrees of freedom, of mean length 1.

    A normal vector has mean length √(π/2) and 1/√(χ²₃/3) has mean √(6/π): together √3.
    """
    normal = rng.standard_normal((*shape, 2))
    chi = np.sqrt(rng.chisquare(3, size=shape) / 3)
    return np.asarray(normal / chi[..., None] / np.sqrt(3))


def _swap(
    keypoints: np.ndarray,
    hidden: np.ndarray,
    skeleton: Skeleton,
    level: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Exchange left and right of whole legs or arms in some frames."""
    seen = keypoints.copy()
    for left, right in limb_pairs(skeleton):
        obscure = hidden[:, np.concatenate([left, right])].any(axis=1)
        chance = np.where(obscure, SWAP["hidden"], SWAP["visible"]) * level
        (frames,) = np.nonzero(rng.random(len(keypoints)) < chance)
        seen[np.ix_(frames, left)] = keypoints[np.ix_(frames, right)]
        seen[np.ix_(frames, right)] = keypoints[np.ix_(frames, left)]
    return seen


_RADII = {  # m, radius of the body around the bone that ends at this joint
    "Hip": 0.09, "Knee": 0.08, "Foot": 0.05, "Spine": 0.13, "Thorax": 0.13, "Neck/Nose": 0.06,
    "Head": 0.09, "Shoulder": 0.07, "Elbow": 0.05, "Wrist": 0.04,
}  # fmt: skip
_CLEARANCE = 0.05
"""m: a limb hides a joint only if its surface is at least this much nearer to the camera."""


def occluded(
    positions: Float[np.ndarray, "frame joint 3"], skeleton: Skeleton
) -> Bool[np.ndarray, "frame joint"]:
    """Find the joints that another part of the same body hides from the camera.

    Bones are capsules. A joint is hidden if its line of sight passes through the capsule of a
    bone that does not end at it, and the bone is nearer there.

    Args:
        positions: Camera frame, m.
        skeleton: Human3.6M's 16 or 17 joints, or body-28.
    """
    # Joints first and x apart from y: sums over a last axis of two would take most of the time.
    depth = np.ascontiguousarray(positions[..., 2].T)
    x, y = positions[..., 0].T / depth, positions[..., 1].T / depth  # lines of sight at depth 1
    hidden = np.zeros(depth.shape, dtype=bool)
    for parent, child in skeleton.bones:
        name = skeleton.joints[child]
        radius = _RADII.get(name, _RADII.get(name[1:], 0.0))
        if not radius:
            continue
        along_x, along_y = x[child] - x[parent], y[child] - y[parent]
        from_x, from_y = x - x[parent], y - y[parent]
        length2 = np.maximum(along_x**2 + along_y**2, 1e-12)
        share = np.clip((from_x * along_x + from_y * along_y) / length2, 0, 1)
        gap = np.sqrt((from_x - share * along_x) ** 2 + (from_y - share * along_y) ** 2)
        # Inverse depth is linear along the image of a line.
        near = 1 / ((1 - share) / depth[parent] + share / depth[child])
        hides = (gap * near < radius) & (near + radius + _CLEARANCE < depth)
        hides[[parent, child]] = False
        hidden |= hides
    return hidden.T
