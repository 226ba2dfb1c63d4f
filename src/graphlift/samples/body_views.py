"""Random views of people of every body, for networks of 28 joints. See docs/training.md.

Targets have six numbers a joint: the root-relative position, m, and, in seven joints
(:data:`graphlift.preprocessing.FRONT_JOINTS`), the unit vector along the front of a segment; NaN
elsewhere and where a front is not known. Both in the axes of the virtual camera.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from graphlift.bodies.segments import CARRIERS
from graphlift.datasets.mocap.turns import Motion
from graphlift.geometry import turn_about_z
from graphlift.preprocessing import FRONT_JOINTS, canonical_28
from graphlift.samples.anatomy import Anatomy, Figures, draw_figures
from graphlift.samples.augment import Augmentation, confidence_of, noisy
from graphlift.samples.batches import Batches, Place, always_new
from graphlift.samples.definitions import FACE, FEET, SMALL_TOES, show, with_middles
from graphlift.samples.random_views import TRAINING_RIG, seen_by
from graphlift.samples.samples import Samples, Selection
from graphlift.sequences import FRONTS
from graphlift.simulated_detector import occluded
from graphlift.skeletons import BODY_28
from graphlift.virtual_cameras import RandomRig

CLUSTERS = 128
"""Kinds of poses among which sampling is balanced."""


@dataclass(frozen=True, eq=False)
class BodyViews:
    """People as random cameras see them.

    Args:
        rays: Where a source of keypoints reports the 28 joints, x and y at unit depth.
        confidence: Its confidence; 0 where a joint is missing.
        targets: Root-relative positions, m, camera axes.
        fronts: Unit vectors of :data:`graphlift.sequences.FRONTS`, camera axes; NaN if not known.
        captured: Whether the keypoints are a capture system's joints.
        activity: What the person does.
    """

    rays: Float[np.ndarray, "frame joint 2"]
    confidence: Float[np.ndarray, "frame joint"]
    targets: Float[np.ndarray, "frame joint 3"]
    fronts: Float[np.ndarray, "frame front 3"]
    captured: Bool[np.ndarray, " frame"]
    activity: np.ndarray

    def __len__(self) -> int:
        return len(self.rays)

    def samples(self) -> Samples:
        """Give canonical inputs, and the targets in the axes of each virtual camera."""
        seen = canonical_28(self.rays, self.confidence)
        turned = seen.R.swapaxes(-1, -2)
        targets = np.full((*self.targets.shape[:2], 6), np.nan, dtype=np.float32)
        targets[..., :3] = self.targets @ turned
        targets[:, BODY_28.index(*FRONT_JOINTS), 3:] = self.fronts @ turned
        return Samples(
            skeleton=BODY_28,
            inputs=seen.inputs.astype(np.float32),
            targets=targets,
            activity=self.activity,
        )


@dataclass(frozen=True, eq=False)
class BodyPeople:
    """Frames to draw from, and how likely each is.

    Args:
        motion: The frames.
        balance: As in :class:`graphlift.samples.anatomy.Anatomy`.
    """

    motion: Motion
    balance: float

    @cached_property
    def weights(self) -> Float[np.ndarray, " frame"]:
        """Chance of each frame to be drawn; they sum to 1.

        Poses are put into :data:`CLUSTERS` kinds by the directions of their bones against the
        pelvis; a kind of n frames is drawn in proportion to n to the power 1 - ``balance``.
        """
        kinds = pose_kinds(self.motion)
        count = np.bincount(kinds, minlength=CLUSTERS).astype(float)
        weights = count[kinds] ** -self.balance
        return np.asarray(weights / weights.sum())


def pose_kinds(motion: Motion, *, clusters: int = CLUSTERS) -> np.ndarray:
    """Sort frames into kinds of poses by k-means: limbs against the pelvis, pelvis against up."""
    from scipy.cluster.vq import kmeans2

    world = np.einsum("fjab,fjb->fja", motion.turns[:, CARRIERS], motion.directions)
    pelvis = motion.turns[:, :1]
    local = world @ pelvis[:, 0]
    features = np.concatenate(
        [local.reshape(len(motion), -1), 2 * pelvis[:, 0, 2]], axis=1
    ).astype(np.float32)
    few = features[:: max(len(features) // 20_000, 1)]
    centres, _ = kmeans2(few, min(clusters, len(few)), iter=10, minit="++", seed=0)
    half = (centres**2).sum(axis=1) / 2
    return np.concatenate(
        [np.argmin(half - part @ centres.T, axis=1) for part in np.array_split(features, 32)]
    )


def body_view_batches(people: BodyPeople, chosen: Selection, place: Place) -> Batches:
    """Draw fresh views of people, a few batches at a time; an epoch has as many as frames."""

    def make(seed: tuple[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        views = draw_views(people, chosen.anatomy, chosen.augmentation, count, rng).samples()
        return views.inputs, views.targets

    return always_new(len(people.motion), make, place, size=chosen.size, seed=chosen.seed)


def draw_views(
    people: BodyPeople,
    anatomy: Anatomy,
    augmentation: Augmentation,
    count: int,
    rng: np.random.Generator,
) -> BodyViews:
    """Draw people, what their keypoints mean, cameras and a detector.

    Args:
        people: Frames to draw from.
        anatomy: How people vary.
        augmentation: How detections vary.
        count: How many.
        rng: Random generator.
    """
    drawn = rng.choice(len(people.motion), size=count, p=people.weights)
    figures = draw_figures(people.motion, drawn, anatomy, people.weights, rng)
    return view_figures(figures, people.motion.activity[drawn], anatomy, augmentation, rng)


@dataclass(frozen=True, eq=False)
class Seen:
    """People before their cameras, and what a source of keypoints has of them.

    Args:
        positions: Of the 28 joints as their source of keypoints defines them, m, camera axes.
        given: Whether such a source has the joint.
        targets: Of the 28 joints as they are to be lifted, m, camera axes.
        fronts: Unit vectors of :data:`graphlift.sequences.FRONTS`, camera axes; NaN if not known.
        captured: Whether the keypoints are a capture system's joints.
        tangent: Half the image's width at unit depth.
    """

    positions: Float[np.ndarray, "frame joint 3"]
    given: Bool[np.ndarray, "frame joint"]
    targets: Float[np.ndarray, "frame joint 3"]
    fronts: Float[np.ndarray, "frame front 3"]
    captured: Bool[np.ndarray, " frame"]
    tangent: Float[np.ndarray, " frame"]

    def views(
        self,
        rays: Float[np.ndarray, "frame joint 2"],
        confidence: Float[np.ndarray, "frame joint"],
        activity: np.ndarray,
    ) -> BodyViews:
        """Put what a detector reported beside the truth."""
        targets = self.targets - self.targets[:, [BODY_28.root]]
        return BodyViews(rays, confidence, targets, self.fronts, self.captured, activity)


def see(
    figures: Figures,
    anatomy: Anatomy,
    augmentation: Augmentation,
    rng: np.random.Generator,
    *,
    rig: RandomRig = TRAINING_RIG,
    frames: int = 1,
) -> Seen:
    """Put people before cameras, each of them before one and by a definition of their own.

    Args:
        figures: The people.
        anatomy: How definitions of keypoints vary.
        augmentation: Which share of people is mirrored.
        rng: Random generator.
        rig: Cameras.
        frames: How many frames of each person, who follow one another.
    """
    count, joints = len(figures.joints) // frames, len(BODY_28)
    shown = show(figures, anatomy, rng, frames)
    everything = np.concatenate([shown.positions, shown.targets, figures.fronts], axis=1)
    bearing = np.repeat(rng.uniform(0, 2 * np.pi, count), frames)
    everything = turn_about_z(everything, bearing)
    positions, tangent, R = seen_by(everything[:, : 2 * joints], rig, rng, frames)
    fronts = everything[:, 2 * joints :] @ R.swapaxes(-1, -2)
    seen, targets = positions[:, :joints], positions[:, joints:]
    mirrored = np.repeat(rng.random(count) < augmentation.mirror, frames)
    for array, mirror in ((seen, BODY_28.mirror), (targets, BODY_28.mirror), (fronts, _MIRROR)):
        array[mirrored] = array[mirrored][:, mirror] * [-1.0, 1.0, 1.0]
    given = np.where(mirrored[:, None], shown.given[:, BODY_28.mirror], shown.given)
    return Seen(seen, given, targets, fronts, shown.captured, tangent)


def view_figures(
    figures: Figures,
    activity: np.ndarray,
    anatomy: Anatomy,
    augmentation: Augmentation,
    rng: np.random.Generator,
    *,
    rig: RandomRig = TRAINING_RIG,
) -> BodyViews:
    """See people, each by a camera, a source of keypoints and a detector of their own.

    Args:
        figures: The people.
        activity: What each does.
        anatomy: How definitions of keypoints vary.
        augmentation: How detections vary.
        rng: Random generator.
        rig: Cameras.
    """
    seen = see(figures, anatomy, augmentation, rng, rig=rig)
    return seen.views(*_detect(seen, augmentation, rng), activity)


def _other_side(name: str) -> str:
    return {"L": "R", "R": "L"}.get(name[0], name[0]) + name[1:]


_MIRROR = np.array([FRONTS.index(_other_side(name)) for name in FRONTS])
"""For each front that of the other side of the body."""


def _detect(
    seen: Seen, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate a detector; rays and confidences, 0 where a joint is missing."""
    truth = seen.positions[..., :2] / seen.positions[..., 2:]
    hidden = occluded(seen.positions, BODY_28)
    rays, error = noisy(truth, hidden, BODY_28, augmentation, rng)
    confidence = confidence_of(truth, error, augmentation, rng)
    missing = ~seen.given | _missing(seen.given, augmentation, rng)
    cropped = (rng.random(len(rays)) < augmentation.crop)[:, None]
    outside = (np.abs(rays) > seen.tangent[:, None, None]).any(axis=-1)
    missing |= cropped & outside
    rays, confidence, missing = derive_middles(rays, confidence, missing, ~seen.captured)
    enough = (~missing).sum(axis=1, keepdims=True) >= _LEAST
    return rays, np.where(np.where(enough, missing, ~seen.given), 0, confidence)


def derive_middles(
    rays: Float[np.ndarray, "frame joint 2"],
    confidence: Float[np.ndarray, "frame joint"],
    missing: Bool[np.ndarray, "frame joint"],
    detected: Bool[np.ndarray, " frame"],
) -> tuple[
    Float[np.ndarray, "frame joint 2"],
    Float[np.ndarray, "frame joint"],
    Bool[np.ndarray, "frame joint"],
]:
    """Make Hip and Thorax of what a detector reports of hips and shoulders, as joint maps do.

    Args:
        rays: Reported positions; any where a joint is missing.
        confidence: Of each joint.
        missing: Which joints are not reported.
        detected: Which frames are a detector's.

    Returns:
        All three, new: a middle is missing where one of its pair is.
    """
    rays, confidence, missing = rays.copy(), confidence.copy(), missing.copy()
    rays[detected] = with_middles(rays[detected])
    for middle, pair in _PAIRS:
        missing[detected, middle] |= missing[detected][:, pair].any(axis=1)
        confidence[detected, middle] = confidence[detected][:, pair].min(axis=1)
    return rays, confidence, missing


_PAIRS = tuple(
    (BODY_28.joints.index(middle), BODY_28.index(*pair))
    for middle, pair in (("Hip", ("LHip", "RHip")), ("Thorax", ("LShoulder", "RShoulder")))
)
_LEAST = 4
"""Joints that are left in every training example."""


def _side(side: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{side}{name}" for name in names)


_FOOT = ("Foot", "BigToe", "SmallToe", "Heel")
_HEAD = ("Nose", "LEye", "REye", "LEar", "REar", "Neck/Nose", "Head")
_ALL_LEGS = tuple(name for side in "LR" for name in _side(side, "Knee", *_FOOT))
_TOGETHER = np.stack(
    [
        np.isin(BODY_28.joints, names)
        for names in (
            *(_side(side, "Knee", *_FOOT) for side in "LR"),
            *(_side(side, *_FOOT) for side in "LR"),
            *(_side(side, "Elbow", "Wrist") for side in "LR"),
            _ALL_LEGS,
            (*_ALL_LEGS, "Hip", "LHip", "RHip"),
            (*_ALL_LEGS, "Hip", "LHip", "RHip", "Spine"),
            _HEAD,
            ("Nose", "LEye", "REye"),
            tuple(
                j for j in BODY_28.joints if j not in (*_HEAD, "Thorax", "LShoulder", "RShoulder")
            ),
            tuple(j for j in BODY_28.joints if "Hip" not in j and j not in _ALL_LEGS),
        )
    ]
)
"""Joints that are missing together: feet, legs, arms, everything below the waist, the head, a face
seen from behind, all but head and shoulders, all but hips and legs."""


def _missing(
    given: np.ndarray, augmentation: Augmentation, rng: np.random.Generator
) -> Bool[np.ndarray, "frame joint"]:
    """Choose joints to be missing: single ones, and groups."""
    count = len(given)
    chance = rng.uniform(0, 0.5, (count, 1)) * (rng.random((count, 1)) < augmentation.joints)
    missing = rng.random(given.shape) < chance
    for joints in (FACE, FEET, SMALL_TOES):  # a detector that does not look for them
        missing[:, joints] |= (rng.random((count, 1)) < 0.1) & (chance > 0)
    group = rng.integers(len(_TOGETHER), size=count)
    return np.asarray(missing | (_TOGETHER[group] & (rng.random((count, 1)) < augmentation.limbs)))
