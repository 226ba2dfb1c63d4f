"""Random views of random people: what the open models are trained on, and tested by.

Every example has a camera of its own. People are varied in size, in the pose of their upper body
against their legs, and in what a detector would have seen of them; all as a function of a seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.datasets import MotionCapture
from graphlift.geometry import bone_vectors, chain_bones, turn_about_z
from graphlift.preprocessing import canonical
from graphlift.simulated_detector import occluded, simulate
from graphlift.skeletons import H36M_17, Skeleton
from graphlift.virtual_cameras import RandomRig, extrinsics

_STRICT = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, kw_only=True)
class Variety:
    """How training views vary; each share is a chance from 0 to 1.

    Args:
        size: Standard deviation of a person's size, as a share; all bones alike.
        bones: The same for each bone by itself, left and right alike.
        recombine: Share of people whose body above the pelvis is somebody else's.
        noise: Largest level of simulated detector noise (1: that of CPN on Human3.6M); the level
            of an example is uniform from 0 to it.
        exact: Share of examples without noise.
        proxies: Share of examples whose head, neck, spine and pelvis are those that can be had
            from COCO's keypoints.
        crop: Share of examples in which joints outside the image are not seen.
        joints: Share of examples in which single joints are missing, each with a chance from 0 to
            0.5.
        limbs: Share of examples in which an arm, a leg, both legs or the head is missing.
        confident: Share of examples whose confidences are all 1.
        mirror: Share of people who are mirrored.
    """

    __pydantic_config__: ClassVar = _STRICT
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


TRAINING_RIG = RandomRig(
    distance=(1.8, 8.0), height=(0.2, 3.2), roll=(-12.0, 12.0), field_of_view=(30.0, 90.0),
    aim_height=(0.5, 1.3), off_centre=0.7,
)  # fmt: skip
UNSEEN_RIG = RandomRig()
H36M_LIKE_RIG = RandomRig(
    distance=(4.2, 5.5), height=(1.4, 1.7), roll=(0.0, 0.0),
    field_of_view=(47.177, 47.177), aim_height=(1.0, 1.0), off_centre=0.3,
)  # fmt: skip
"""Like Human3.6M's: focal length 1145 px of a 1000 px image, 2·atan(500 / 1145) = 47.18°."""


@dataclass(frozen=True, eq=False)
class Views:
    """People as random cameras see them.

    Args:
        rays: Where a detector says the joints are, x and y at unit depth, camera axes.
        confidence: Its confidence; 0 where a joint is missing.
        targets: Root-relative positions, m, camera axes.
        tangent: Half the image's width at unit depth, for screen-normalised input.
        activity: What the person does.
    """

    rays: Float[np.ndarray, "frame joint 2"]
    confidence: Float[np.ndarray, "frame joint"]
    targets: Float[np.ndarray, "frame joint 3"]
    tangent: Float[np.ndarray, " frame"]
    activity: np.ndarray

    def __len__(self) -> int:
        return len(self.rays)

    def lessons(self) -> "Lessons":
        """What a network is to see, and what it should answer in its virtual camera's axes."""
        seen = canonical(self.rays, self.confidence)
        targets = self.targets @ seen.R.swapaxes(-1, -2)
        return Lessons(seen.inputs.astype(np.float32), targets.astype(np.float32), self.activity)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Canonical inputs and the answers to them, both float32.

    Args:
        inputs: From :func:`graphlift.preprocessing.canonical`.
        targets: Root-relative positions, m, axes of the virtual camera.
        activity: What the person does.
        skeleton: Joint order.
    """

    inputs: Float[np.ndarray, "frame joint 3"]
    targets: Float[np.ndarray, "frame joint 3"]
    activity: np.ndarray
    skeleton: Skeleton = H36M_17


@dataclass(frozen=True, eq=False)
class People:
    """Frames of motion capture to draw from.

    Args:
        positions: m, world frame, hip above the origin, the 17 joints.
        activity: What each does.
        chances: Of each frame to be drawn; they sum to 1.
    """

    positions: Float[np.ndarray, "frame joint 3"]
    activity: np.ndarray
    chances: Float[np.ndarray, " frame"]


def people_of(capture: MotionCapture, *, stride: int = 1) -> People:
    """Gather every ``stride``-th frame of each clip, without those that are too fast to be true.

    Activities are drawn in proportion to the square root of their number of frames, as in the
    open protocol.
    """
    kept = [
        np.flatnonzero(~clip.fast() & (np.arange(len(clip.positions)) % stride == 0))
        for clip in capture.clips
    ]
    positions = np.concatenate([c.positions[k] for c, k in zip(capture.clips, kept, strict=True)])
    positions = positions.astype(np.float32)
    positions[..., :2] -= positions[:, :1, :2]
    activity = np.repeat([clip.activity for clip in capture.clips], [len(k) for k in kept])
    _, index, count = np.unique(activity, return_inverse=True, return_counts=True)
    chances = 1 / np.sqrt(count[index])
    return People(positions, activity, chances / chances.sum())


def training_views(
    people: People, variety: Variety, *, count: int, seed: tuple[int, ...]
) -> Views:
    """Draw people and cameras, and vary both."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(people.chances), size=count, p=people.chances)
    bodies = _vary(people.positions, drawn, variety, rng)
    bodies = turn_about_z(bodies, rng.uniform(0, 2 * np.pi, count))
    positions, tangent = _seen_by(bodies, TRAINING_RIG, rng)
    rays, confidence = _detected(positions, tangent, variety, rng)
    targets = positions - positions[:, [H36M_17.root]]
    return Views(rays, confidence, targets, tangent, people.activity[drawn])


def exact_views(people: People, rig: RandomRig, *, seed: int) -> Views:
    """Look at each frame once, exactly, through a camera of its own; outside joints are kept."""
    rng = np.random.default_rng([seed, len(people.positions)])
    positions, tangent = _seen_by(people.positions.astype(np.float64), rig, rng)
    targets = positions - positions[:, [H36M_17.root]]
    rays = positions[..., :2] / positions[..., 2:]
    return Views(rays, np.ones(rays.shape[:-1]), targets, tangent, people.activity)


def hide(views: Views, share: float, *, seed: int) -> Bool[np.ndarray, "frame joint"]:
    """Choose joints to be missing, each with the same chance, but leave at least five."""
    order = np.random.default_rng(seed).random(views.confidence.shape)
    least = np.sort(order, axis=1)[:, [-5]]
    return np.asarray((order < share) & (order < least))


def _seen_by(
    bodies: Float[np.ndarray, "frame joint 3"], rig: RandomRig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Express bodies in the axes of cameras drawn for each."""
    cameras = rig.draw_many(rng, len(bodies))
    # Nobody is nearer than half a metre: long limbs push the camera back.
    reach = np.linalg.norm(bodies[..., :2], axis=-1).max(axis=1) + rig.off_centre + 0.5
    cameras = replace(cameras, distance=np.maximum(cameras.distance, reach))
    R, position = extrinsics(cameras)
    positions = (bodies - position[:, None]) @ R.swapaxes(-1, -2)
    return positions, np.tan(cameras.field_of_view / 2)


def _vary(
    positions: np.ndarray, drawn: Int[np.ndarray, " frame"], variety: Variety,
    rng: np.random.Generator,
) -> Float[np.ndarray, "frame joint 3"]:  # fmt: skip
    """Give people other bodies: sizes, bones, and above the pelvis somebody else's pose."""
    count = len(drawn)
    chosen = positions[drawn].astype(np.float64)
    other = positions[rng.choice(drawn, size=count)].astype(np.float64)
    swapped = rng.random(count) < variety.recombine
    vectors = bone_vectors(chosen, H36M_17.parents)
    theirs = bone_vectors(other, H36M_17.parents) @ _between_pelves(other, chosen)
    vectors[np.ix_(swapped, _UPPER)] = theirs[np.ix_(swapped, _UPPER)]
    each = 1 + variety.bones * rng.standard_normal((count, len(H36M_17)))
    each[:, H36M_17.mirror > np.arange(17)] = each[:, H36M_17.mirror][
        :, H36M_17.mirror > np.arange(17)
    ]
    size = 1 + variety.size * rng.standard_normal((count, 1))
    vectors *= np.clip(each * size, 0.6, 1.5)[..., None]
    hip = chosen[:, [H36M_17.root]] * np.clip(size, 0.6, 1.5)[..., None]
    bodies = hip + chain_bones(vectors - vectors[:, [0]], H36M_17.parents, H36M_17.order)
    mirrored = rng.random(count) < variety.mirror
    bodies[mirrored] = bodies[mirrored][:, H36M_17.mirror] * [-1.0, 1.0, 1.0]
    return np.asarray(bodies)


_UPPER = H36M_17.index(
    "Spine", "Thorax", "Neck/Nose", "Head", "LShoulder", "LElbow", "LWrist", "RShoulder",
    "RElbow", "RWrist",
)  # fmt: skip


def _between_pelves(one: np.ndarray, other: np.ndarray) -> Float[np.ndarray, "frame 3 3"]:
    """Turn that takes rows of one's pelvis axes to the other's: ``rows @ turn``."""
    return np.asarray(pelvis_axes(one).swapaxes(-1, -2) @ pelvis_axes(other))


def pelvis_axes(positions: Float[np.ndarray, "frame joint 3"]) -> Float[np.ndarray, "frame 3 3"]:
    """Rows: towards the left hip, backward, and up along the lower spine; right-handed."""
    left, right, spine = (positions[:, j] for j in H36M_17.index("LHip", "RHip", "Spine"))
    x = left - right
    x /= np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
    up = spine - positions[:, H36M_17.root]
    z = up - (up * x).sum(-1, keepdims=True) * x
    z /= np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-9)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _detected(
    positions: Float[np.ndarray, "frame joint 3"],
    tangent: Float[np.ndarray, " frame"],
    variety: Variety,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """What a detector says of each joint, with which confidence."""
    count = len(positions)
    proxied = rng.random(count) < variety.proxies
    shown = positions.copy()
    shown[proxied] = coco_proxies(positions[proxied], rng)
    truth = shown[..., :2] / shown[..., 2:]
    hidden = occluded(positions, H36M_17)
    rays, error = truth.copy(), np.zeros(truth.shape[:-1])
    level = np.where(rng.random(count) < variety.exact, 0, rng.integers(1, _LEVELS + 1, count))
    for step in range(1, _LEVELS + 1):
        at = np.flatnonzero(level == step)
        if len(at) and variety.noise:
            seen = simulate(
                truth[at], hidden[at], H36M_17, level=variety.noise * step / _LEVELS,
                seed=int(rng.integers(2**62)),
            )  # fmt: skip
            rays[at], error[at] = seen.keypoints, seen.error
    confidence = _confidence(truth, error, variety, rng)
    missing = _missing(count, variety, rng)
    cropped = (rng.random(count) < variety.crop)[:, None]
    missing |= cropped & (np.abs(rays) > tangent[:, None, None]).any(axis=-1)
    return rays, np.where(missing, 0, confidence)


_LEVELS = 4
"""Steps in which the level of noise is drawn."""


def _confidence(
    truth: np.ndarray, error: np.ndarray, variety: Variety, rng: np.random.Generator
) -> np.ndarray:
    """Confidence falls with the error, noisily, as every detector's does in its own way."""
    size = np.ptp(truth, axis=1).max(axis=-1)[:, None]
    slope = rng.uniform(2, 12, size=(len(truth), 1))
    guess = np.exp(-slope * error / size) + 0.1 * rng.standard_normal(error.shape)
    sure = rng.random((len(truth), 1)) < variety.confident
    return np.where(sure, 1.0, np.clip(guess, 0.05, 1))


_LIMBS: Mapping[str, np.ndarray] = {
    "right leg": H36M_17.index("RKnee", "RFoot"),
    "left leg": H36M_17.index("LKnee", "LFoot"),
    "both legs": H36M_17.index("RKnee", "RFoot", "LKnee", "LFoot"),
    "below the waist": H36M_17.index("Hip", "RHip", "RKnee", "RFoot", "LHip", "LKnee", "LFoot"),
    "right arm": H36M_17.index("RElbow", "RWrist"),
    "left arm": H36M_17.index("LElbow", "LWrist"),
    "head": H36M_17.index("Neck/Nose", "Head"),
    "neck": H36M_17.index("Neck/Nose"),
}


def _missing(
    count: int, variety: Variety, rng: np.random.Generator
) -> Bool[np.ndarray, "frame joint"]:
    """Joints that nobody sees: single ones, or a limb, or everything below the waist."""
    chance = rng.uniform(0, 0.5, (count, 1)) * (rng.random((count, 1)) < variety.joints)
    missing = rng.random((count, len(H36M_17))) < chance
    masks = np.zeros((len(_LIMBS), len(H36M_17)), dtype=bool)
    for mask, joints in zip(masks, _LIMBS.values(), strict=True):
        mask[joints] = True
    limb = rng.integers(len(masks), size=count)
    missing |= masks[limb] & (rng.random((count, 1)) < variety.limbs)
    enough = (~missing).sum(axis=1, keepdims=True) >= 5
    return np.asarray(missing & enough)


def coco_proxies(
    positions: Float[np.ndarray, "frame joint 3"], rng: np.random.Generator
) -> Float[np.ndarray, "frame joint 3"]:
    """Put head, neck, spine and pelvis where COCO's keypoints would have them.

    Pelvis and thorax are the middles of hips and shoulders, the spine the middle of those two, the
    head the middle of the ears, and Neck/Nose the nose: 10 cm before and 3 cm below the middle of
    the ears, the head turned against the shoulders by up to 60°. The distances are ours, by eye.
    """
    at = H36M_17.index
    moved = positions.copy()
    hips = positions[:, at("LHip", "RHip")].mean(axis=1)
    shoulders = positions[:, at("LShoulder", "RShoulder")].mean(axis=1)
    moved[:, at("Hip")[0]], moved[:, at("Thorax")[0]] = hips, shoulders
    moved[:, at("Spine")[0]] = (hips + shoulders) / 2
    head = positions[:, at("Head")[0]]
    up = head - positions[:, at("Neck/Nose")[0]]
    up /= np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)
    left = positions[:, at("LShoulder")[0]] - positions[:, at("RShoulder")[0]]
    left -= (left * up).sum(-1, keepdims=True) * up
    left /= np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), 1e-9)
    forward = np.cross(left, up)
    turn = np.clip(rng.standard_normal((len(positions), 1)) * np.deg2rad(25), -1.05, 1.05)
    facing = np.cos(turn) * forward + np.sin(turn) * left
    moved[:, at("Neck/Nose")[0]] = head + 0.10 * facing - 0.03 * up
    return moved
