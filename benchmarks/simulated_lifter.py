"""A simulated lifter: mocap truth in a virtual camera, with a lifter's and detector's errors.

The errors are ours, made to be of the size and kind that single-frame lifters make (about 50 mm
MPJPE, larger in depth than across, lasting for a few tenths of a second), never fitted to one:

* *bones*: each bone's vector is off by 4 % of its length across and 12 % in depth, a stationary
  process with a memory of 0.2 s, twice; errors add up from the pelvis to the wrists;
* *jitter*: 6 mm of white noise on every coordinate of every joint;
* *body*: each bone is 4 % too long or short over the whole clip, the whole person 3 %;
* *tilt*: the whole pose is turned by 4° about the camera's x axis over the whole clip;
* *keypoints*: 2 px of slow and 2 px of white noise for a person of 360 px; 2 % of the joints, all
  joints outside the image, and once in a clip everything for 0.3 s, are missing.

All are standard deviations of normal distributions.
"""

from dataclasses import dataclass

import numpy as np

from graphlift.cameras import Camera, camera_to_image, world_to_camera
from graphlift.geometry import bone_vectors, chain_bones
from graphlift.sequences import Keypoints, Poses, keypoints_from
from graphlift.simulated_detector import REFERENCE_SIZE, person_size
from graphlift.skeletons import H36M_17
from graphlift.virtual_cameras import IMAGE, RandomRig, aimed_camera

ACROSS, DEPTH, MEMORY = 0.04, 0.12, 0.2
JITTER = 0.006
BODY, SIZE = 0.04, 0.03
TILT = np.deg2rad(4.0)
SLOW_PX, WHITE_PX = 2.0, 2.0
MISSING, GAP = 0.02, 0.3


@dataclass(frozen=True, eq=False)
class View:
    """A clip seen by a camera: what is true, and what a lifter says."""

    name: str
    activity: str
    camera: Camera
    world: np.ndarray  # (frame, joint, 3), m
    fps: float
    keypoints: Keypoints
    lifted: Poses

    @property
    def truth(self):
        """Camera axes, m, (frame, joint, 3), where the person really is."""
        return world_to_camera(self.world, self.camera)

    @property
    def rooted(self):
        return self.truth - self.truth[:, :1]


def process(rng, frames, shape, fps):
    """A stationary normal process of unit variance: white noise, forgotten over MEMORY, twice."""
    keep = np.exp(-1 / (fps * MEMORY))
    values = rng.standard_normal((frames + round(10 * fps * MEMORY), *shape))
    for _ in range(2):
        for frame in range(1, len(values)):
            values[frame] += keep * values[frame - 1]
    # The sum over i and j of keep^i keep^j keep^|i - j| / (1 - keep^2).
    return values[-frames:] / np.sqrt((1 + keep**2) / (1 - keep**2) ** 3)


def draw_aimed(rng, rig, around):
    """Draw one camera that looks at a person who stands at ``around`` (x, y), m."""
    radius, angle = rig.off_centre * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    half_width = np.tan(np.deg2rad(rng.uniform(*rig.field_of_view)) / 2)
    return aimed_camera(
        azimuth=rng.uniform(0, 2 * np.pi),
        distance=rng.uniform(*rig.distance),
        height=rng.uniform(*rig.height),
        focal=IMAGE[0] / 2 / half_width,
        target=(
            around[0] + radius * np.cos(angle),
            around[1] + radius * np.sin(angle),
            rng.uniform(*rig.aim_height),
        ),
        roll=np.deg2rad(rng.uniform(*rig.roll)),
        distorted=False,
    )


def draw_camera(rng, world):
    """Draw cameras until one sees nearly all joints from at least a metre away."""
    middle = np.median(world[:, 0, :2], axis=0)
    for _ in range(200):
        camera = draw_aimed(rng, RandomRig(), middle)
        positions = world_to_camera(world, camera)
        if positions[..., 2].min() < 1:
            continue
        image = camera_to_image(positions, camera)
        if ((image > 0) & (image < camera.size)).all(axis=-1).mean() > 0.9:
            return camera
    return None


def detect(rng, world, camera, fps, errors):
    """Keypoints with ``errors`` times the errors above; 0 leaves out what is outside the image."""
    truth = camera_to_image(world_to_camera(world, camera), camera)
    shape = truth.shape[1:]
    size = person_size(truth)[:, None, None] / REFERENCE_SIZE
    noise = SLOW_PX * process(rng, len(truth), shape, fps)
    noise += WHITE_PX * rng.standard_normal(truth.shape)
    found = truth + errors * size * noise
    missing = rng.random(truth.shape[:2]) < MISSING * errors
    missing |= ~((found > 0) & (found < camera.size)).all(axis=-1)
    length = round(GAP * fps)
    if errors and len(truth) > 4 * length:
        start = rng.integers(length, len(truth) - 2 * length)
        missing[start : start + length] = True
    found[missing] = np.nan
    return keypoints_from(
        found[:, None], H36M_17, image_size=camera.size, fps=fps, source="simulated"
    )


def lift(rng, world, camera, fps, keypoints, errors):
    """Root-relative poses as a lifter returns them, with ``errors`` times the errors above."""
    positions = world_to_camera(world, camera)
    vectors = bone_vectors(positions, H36M_17.parents)
    vectors[:, H36M_17.root] = 0
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    error = process(rng, len(world), (len(H36M_17), 3), fps)
    vectors = vectors + errors * lengths * error * [ACROSS, ACROSS, DEPTH]
    body = 1 + errors * SIZE * rng.standard_normal()
    body = body * (1 + errors * BODY * rng.standard_normal(len(H36M_17)))
    angle = errors * TILT * rng.standard_normal()
    cos, sin = np.cos(angle), np.sin(angle)
    R = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    poses = chain_bones(vectors * body[:, None], H36M_17.parents, H36M_17.order) @ R.T
    jitter = errors * JITTER * rng.standard_normal(poses.shape)
    jitter[:, H36M_17.root] = 0
    there = keypoints.seen[:, 0].any(axis=1)
    poses = np.where(there[:, None, None], poses + jitter, np.nan)
    return Poses(
        positions=poses[:, None],
        skeleton=H36M_17,
        seen=keypoints.seen,
        fps=fps,
        keypoints=keypoints,
        model="simulated",
    )


def look(clip, seed, errors=1.0):
    """See one clip through one random camera, or None if no camera sees all of it.

    ``errors`` multiplies all errors; 0 is a perfect detector and a perfect lifter.
    """
    rng = np.random.default_rng(seed)
    world = clip.positions.astype(float)
    camera = draw_camera(rng, world)
    if camera is None:
        return None
    keypoints = detect(rng, world, camera, clip.fps, errors)
    lifted = lift(rng, world, camera, clip.fps, keypoints, errors)
    return View(clip.name, clip.activity, camera, world, clip.fps, keypoints, lifted)
