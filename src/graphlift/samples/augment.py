"""Augmentation: varied bodies, and simulated detections of them.

People are varied in size, in single bones and in the pose of their upper body against their legs;
keypoints in noise, in which joints are missing, and in the detector's confidence. All of it is
determined by a random generator.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.geometry import bone_vectors, chain_bones, unit_or_zero
from graphlift.simulated_detector import occluded, simulate
from graphlift.skeletons import H36M_17, Skeleton


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training views vary; each share is a chance from 0 to 1.

    Args:
        size: Standard deviation of a person's size, as a share; all bones alike.
        bones: The same for each bone by itself, left and right alike.
        recombine: Share of people whose body above the pelvis is another person's.
        noise: Largest level of simulated detector noise (1: that of CPN on Human3.6M); the level
            of a sample is uniform from 0 to it.
        exact: Share of samples without noise.
        proxies: Share of samples whose head, neck, spine and pelvis are those that can be had
            from COCO's keypoints.
        crop: Share of samples in which joints outside the image are missing.
        joints: Share of samples in which single joints are missing, each with a chance from 0 to
            0.5.
        limbs: Share of samples in which an arm, a leg, both legs or the head is missing.
        confident: Share of samples whose confidences are all 1.
        mirror: Share of people who are mirrored.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}
    size: float = 0.05
    bones: float = 0.04
    recombine: float = 0.25
    noise: float = 1.5
    exact: float = 0.4
    proxies: float = 0.35
    crop: float = 0.5
    joints: float = 0.45
    limbs: float = 0.2
    confident: float = 0.5
    mirror: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            most = {"noise": 10.0, "size": 0.3, "bones": 0.3}.get(name, 1.0)
            if not 0 <= value <= most:
                raise ValueError(f"{name} must be from 0 to {most:g}")


_UPPER = H36M_17.index(
    *("Spine", "Thorax", "Neck/Nose", "Head", "LShoulder", "LElbow", "LWrist", "RShoulder"),
    *("RElbow", "RWrist"),
)
_LEFT_OF_PAIRS = H36M_17.mirror > np.arange(len(H36M_17))
"""The joint of each pair that has the lower index; it takes the bone length of the other."""


def vary_bodies(
    positions: Float[np.ndarray, "other joint 3"],
    drawn: Int[np.ndarray, " frame"],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Float[np.ndarray, "frame joint 3"]:
    """Vary people's size and bone lengths, and replace poses above the pelvis by another's."""
    count = len(drawn)
    chosen = positions[drawn].astype(np.float64)
    other = positions[rng.choice(drawn, size=count)].astype(np.float64)
    swapped = rng.random(count) < augmentation.recombine
    vectors = bone_vectors(chosen, H36M_17.parents)
    turn = pelvis_axes(other).swapaxes(-1, -2) @ pelvis_axes(chosen)
    theirs = bone_vectors(other, H36M_17.parents) @ turn
    vectors[np.ix_(swapped, _UPPER)] = theirs[np.ix_(swapped, _UPPER)]
    each = 1 + augmentation.bones * rng.standard_normal((count, len(H36M_17)))
    each[:, _LEFT_OF_PAIRS] = each[:, H36M_17.mirror[_LEFT_OF_PAIRS]]
    size = 1 + augmentation.size * rng.standard_normal((count, 1))
    vectors *= np.clip(each * size, 0.6, 1.5)[..., None]
    hip = chosen[:, [H36M_17.root]] * np.clip(size, 0.6, 1.5)[..., None]
    bodies = hip + chain_bones(vectors - vectors[:, [0]], H36M_17.parents, H36M_17.order)
    mirrored = rng.random(count) < augmentation.mirror
    bodies[mirrored] = bodies[mirrored][:, H36M_17.mirror] * [-1.0, 1.0, 1.0]
    return np.asarray(bodies)


def pelvis_axes(positions: Float[np.ndarray, "frame joint 3"]) -> Float[np.ndarray, "frame 3 3"]:
    """Rows: towards the left hip, backward, and up along the lower spine; right-handed."""
    left, right, spine = (positions[:, j] for j in H36M_17.index("LHip", "RHip", "Spine"))
    x = unit_or_zero(left - right)
    up = spine - positions[:, H36M_17.root]
    z = unit_or_zero(up - (up * x).sum(-1, keepdims=True) * x)
    return np.stack([x, np.cross(z, x), z], axis=1)


_LEVELS = 4
"""Steps in which the level of noise is drawn."""


def detect_varied(
    positions: Float[np.ndarray, "frame joint 3"],
    tangent: Float[np.ndarray, " frame"],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "frame joint 2"], Float[np.ndarray, "frame joint"]]:
    """Simulate what a detector reports of each joint, with which confidence.

    Args:
        positions: m, camera axes.
        tangent: Half the image's width at unit depth.
        augmentation: How keypoints vary.
        rng: Random generator.

    Returns:
        x and y at unit depth, and confidences, 0 where a joint is missing.
    """
    count = len(positions)
    proxied = rng.random(count) < augmentation.proxies
    shown = positions.copy()
    shown[proxied] = coco_proxies(positions[proxied], rng)
    truth = shown[..., :2] / shown[..., 2:]
    rays, error = noisy(truth, occluded(positions, H36M_17), H36M_17, augmentation, rng)
    confidence = confidence_of(truth, error, augmentation, rng)
    missing = _missing(count, augmentation, rng)
    cropped = (rng.random(count) < augmentation.crop)[:, None]
    missing |= cropped & (np.abs(rays) > tangent[:, None, None]).any(axis=-1)
    return rays, np.where(missing, 0, confidence)


def noisy(
    truth: Float[np.ndarray, "frame joint 2"],
    hidden: Bool[np.ndarray, "frame joint"],
    skeleton: Skeleton,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "frame joint 2"], Float[np.ndarray, "frame joint"]]:
    """Add a simulated detector's errors, each person's of a level of their own.

    Args:
        truth: x and y at unit depth.
        hidden: Which joints a limb hides.
        skeleton: Of the joints.
        augmentation: How large the errors are.
        rng: Random generator.

    Returns:
        Where the detector reports the joints, and how far that is from the truth.
    """
    rays, error = truth.copy(), np.zeros(truth.shape[:-1])
    exact = rng.random(len(truth)) < augmentation.exact
    level = np.where(exact, 0, rng.integers(1, _LEVELS + 1, len(truth)))
    for step in range(1, _LEVELS + 1):
        at = np.flatnonzero(level == step)
        if len(at) and augmentation.noise:
            amount, seed = augmentation.noise * step / _LEVELS, int(rng.integers(2**62))
            seen = simulate(truth[at], hidden[at], skeleton, level=amount, seed=seed)
            rays[at], error[at] = seen.keypoints, seen.error
    return rays, error


def confidence_of(
    truth: np.ndarray, error: np.ndarray, augmentation: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Draw confidences that fall with the error, with noise; the slope differs between samples."""
    size = np.ptp(truth, axis=1).max(axis=-1)[:, None]
    slope = rng.uniform(2, 12, size=(len(truth), 1))
    guess = np.exp(-slope * error / size) + 0.1 * rng.standard_normal(error.shape)
    sure = rng.random((len(truth), 1)) < augmentation.confident
    return np.where(sure, 1.0, np.clip(guess, 0.05, 1))


_TOGETHER = tuple(
    H36M_17.index(*names)
    for names in (
        ("RKnee", "RFoot"),
        ("LKnee", "LFoot"),
        ("RKnee", "RFoot", "LKnee", "LFoot"),
        ("Hip", "RHip", "RKnee", "RFoot", "LHip", "LKnee", "LFoot"),
        ("RElbow", "RWrist"),
        ("LElbow", "LWrist"),
        ("Neck/Nose", "Head"),
        ("Neck/Nose",),
    )
)
"""Joints that are missing together: a leg, both, all below the waist, an arm, the head."""


def _missing(
    count: int, augmentation: Augmentation, rng: np.random.Generator
) -> Bool[np.ndarray, "frame joint"]:
    """Choose joints to be missing: single ones, or a limb, or everything below the waist."""
    chance = rng.uniform(0, 0.5, (count, 1)) * (rng.random((count, 1)) < augmentation.joints)
    missing = rng.random((count, len(H36M_17))) < chance
    masks = np.stack([np.isin(np.arange(len(H36M_17)), joints) for joints in _TOGETHER])
    limb = rng.integers(len(masks), size=count)
    missing |= masks[limb] & (rng.random((count, 1)) < augmentation.limbs)
    enough = (~missing).sum(axis=1, keepdims=True) >= 5
    return np.asarray(missing & enough)


def coco_proxies(
    positions: Float[np.ndarray, "frame joint 3"], rng: np.random.Generator
) -> Float[np.ndarray, "frame joint 3"]:
    """Put head, neck, spine and pelvis where COCO's keypoints would have them.

    Pelvis and thorax are the middles of hips and shoulders, the spine the middle of those two, the
    head the middle of the ears, and Neck/Nose the nose: 10 cm before and 3 cm below the middle of
    the ears, the head turned against the shoulders by up to 60°. The distances are estimates.
    """
    pelvis, thorax, spine, nose, top = H36M_17.index("Hip", "Thorax", "Spine", "Neck/Nose", "Head")
    left, right = (positions[:, j] for j in H36M_17.index("LShoulder", "RShoulder"))
    moved = positions.copy()
    hips = positions[:, H36M_17.index("LHip", "RHip")].mean(axis=1)
    shoulders = positions[:, H36M_17.index("LShoulder", "RShoulder")].mean(axis=1)
    moved[:, pelvis], moved[:, thorax] = hips, shoulders
    moved[:, spine] = (hips + shoulders) / 2
    head = positions[:, top]
    up = unit_or_zero(head - positions[:, nose])
    across = left - right
    across = unit_or_zero(across - (across * up).sum(-1, keepdims=True) * up)
    forward = np.cross(across, up)
    turn = np.clip(rng.standard_normal((len(positions), 1)) * np.deg2rad(25), -1.05, 1.05)
    facing = np.cos(turn) * forward + np.sin(turn) * across
    moved[:, nose] = head + 0.10 * facing - 0.03 * up
    return moved
