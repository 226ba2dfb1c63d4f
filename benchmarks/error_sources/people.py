"""Whom a model is measured on: frames, cameras, a mean skeleton, postures, nearest poses."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.datasets import MotionCapture
from graphlift.geometry import align_similarity, bone_vectors, chain_bones
from graphlift.metrics import joint_errors
from graphlift.samples.random_views import kept_frames, people_of, seen_by
from graphlift.skeletons import H36M_17
from graphlift.virtual_cameras import RandomRig

LEG = H36M_17.index("RKnee", "RFoot", "LKnee", "LFoot")
CANDIDATES = 50
"""Training poses that are compared exactly with a pose, of those that are near it roughly."""
CHUNK = 256


@dataclass(frozen=True, eq=False)
class Frames:
    """People in the world's axes, hip above the origin.

    Args:
        positions: m, the 17 joints.
        subject: Who each is.
    """

    positions: Float[np.ndarray, "frame joint 3"]
    subject: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, eq=False)
class Seen:
    """People in the axes of cameras, one a frame; detections are exact.

    Args:
        positions: m, the 17 joints, camera axes.
        up: The world's vertical, camera axes.
        field_of_view: Degrees across the image.
        subject: Who each is.
    """

    positions: Float[np.ndarray, "frame joint 3"]
    up: Float[np.ndarray, "frame 3"]
    field_of_view: Float[np.ndarray, " frame"]
    subject: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def rays(self) -> Float[np.ndarray, "frame joint 2"]:
        """x and y at unit depth."""
        return self.positions[..., :2] / self.positions[..., 2:]

    @property
    def targets(self) -> Float[np.ndarray, "frame joint 3"]:
        """Root-relative positions, m, camera axes."""
        return self.positions - self.positions[:, [H36M_17.root]]

    @property
    def towards(self) -> Float[np.ndarray, "frame joint 3"]:
        """Unit vectors from the camera to each joint: where depth is measured along."""
        return self.positions / np.linalg.norm(self.positions, axis=-1, keepdims=True)

    def cameras(self) -> dict[str, Float[np.ndarray, " frame"]]:
        """What each camera is like, degrees and m; elevation is how far it looks down."""
        up = self.up
        return {
            "elevation, °": -np.degrees(np.arcsin(up[:, 2])),
            "distance, m": np.linalg.norm(self.positions[:, H36M_17.root], axis=-1),
            "field of view, °": self.field_of_view,
            "roll, °": np.degrees(np.arctan2(up[:, 0], -up[:, 1])),
        }


def frames_of(capture: MotionCapture, *, stride: int) -> Frames:
    """Take every ``stride``-th frame of each clip, without capture errors, as protocols do."""
    kept = kept_frames(capture, stride=stride, drop_fast=True)
    subject = np.repeat([clip.subject for clip in capture.clips], [len(k) for k in kept])
    return Frames(people_of(capture, stride=stride).positions.astype(np.float64), subject)


def see(frames: Frames, rig: RandomRig, *, seed: int) -> Seen:
    """See each frame by a camera of its own: the views of ``exact_views`` of the same seed."""
    rng = np.random.default_rng([seed, len(frames)])
    positions, tangent, R = seen_by(frames.positions, rig, rng)
    field_of_view = np.degrees(2 * np.arctan(tangent))
    return Seen(positions, R[..., 2], field_of_view, frames.subject)


def mean_lengths(frames: Frames) -> Float[np.ndarray, " joint"]:
    """Average each bone over frames, m; 0 for the root."""
    vectors = bone_vectors(frames.positions, H36M_17.parents)
    return np.asarray(np.linalg.norm(vectors, axis=-1).mean(axis=0))


def put_on(frames: Frames, lengths: Float[np.ndarray, " joint"]) -> Frames:
    """Give people other bones and keep their directions; hips rise as legs are longer."""
    vectors = bone_vectors(frames.positions, H36M_17.parents)
    own = np.linalg.norm(vectors, axis=-1)
    made = vectors * (lengths / np.maximum(own, 1e-9))[..., None]
    positions = chain_bones(made, H36M_17.parents, H36M_17.order)
    positions -= positions[:, [H36M_17.root]]
    taller = lengths[LEG].sum() / own[:, LEG].sum(axis=1)
    positions[..., 2] += (frames.positions[:, H36M_17.root, 2] * taller)[:, None]
    return replace(frames, positions=positions)


def postures(frames: Frames) -> dict[str, Bool[np.ndarray, " frame"]]:
    """Sort frames by how far the trunk (hip to thorax) leans from the vertical, as recorded."""
    x = frames.positions
    hip, thorax = (x[:, joint] for joint in H36M_17.index("Hip", "Thorax"))
    thighs = (
        x[:, H36M_17.index("LKnee", "RKnee")] - x[:, H36M_17.index("LHip", "RHip")]
    )  # frame, side, 3
    lean = _from_vertical(thorax - hip)
    level = np.abs(_from_vertical(thighs) - 90) < 30
    low = level.all(axis=1) & (lean < 60)
    return {
        "upright": (lean < 30) & ~low,
        "bent": (lean >= 30) & (lean < 60) & ~low,
        "squatting or sitting": low,
        "lying": (lean >= 60) & (lean < 120),
        "inverted": lean >= 120,
    }


def _from_vertical(vectors: np.ndarray) -> np.ndarray:
    cosine = vectors[..., 2] / np.maximum(np.linalg.norm(vectors, axis=-1), 1e-9)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def nearest(
    frames: Frames, known: Frames, lengths: Float[np.ndarray, " joint"], joints: np.ndarray
) -> Float[np.ndarray, " frame"]:
    """Find how far each pose is from the nearest of known poses, m.

    All are put on one skeleton, and known poses are there mirrored, too. The distance is the mean
    over joints after the best similarity. First all poses are aligned with one mean pose, where
    the nearest :data:`CANDIDATES` are found by products of matrices; these are compared exactly.
    So the distance is never too small, and rarely too large.
    """
    bank = put_on(known, lengths).positions
    bank = np.concatenate([bank, bank[:, H36M_17.mirror] * [-1, 1, 1]])[:, joints]
    poses = put_on(frames, lengths).positions[:, joints]
    middle = bank[0]
    for _ in range(3):
        middle = align_similarity(bank, np.broadcast_to(middle, bank.shape)).mean(axis=0)
    bank_features, features = (
        _features(align_similarity(x, np.broadcast_to(middle, x.shape))) for x in (bank, poses)
    )
    half = (bank_features**2).sum(axis=1) / 2
    count = min(CANDIDATES, len(bank))
    found = []
    for at in range(0, len(poses), CHUNK):
        apart = half - features[at : at + CHUNK] @ bank_features.T
        near = np.argpartition(apart, count - 1, axis=1)[:, :count]
        own = np.repeat(poses[at : at + CHUNK], count, axis=0)
        errors = joint_errors(bank[near.ravel()], own, alignment="similarity").mean(axis=1)
        found.append(errors.reshape(-1, count).min(axis=1))
    return np.concatenate(found)


def _features(poses: np.ndarray) -> Float[np.ndarray, "frame coordinate"]:
    centred = poses - poses.mean(axis=1, keepdims=True)
    return centred.reshape(len(poses), -1).astype(np.float32)
