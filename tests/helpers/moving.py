"""People who move as we say, seen by a camera, for what shows or draws them."""

import numpy as np

from graphlift.cameras import Camera, camera_to_image, look_at, world_to_camera
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import H36M_17

POSITION = np.array([0.6, -4.5, 1.5])
CAMERA = Camera(
    (900.0, 900.0),
    (480.0, 320.0),
    (960, 640),
    look_at(POSITION, np.array([0.0, 0.0, 0.9])),
    POSITION,
)


def standing(frames=1, people=1, seed=0):
    """People of the prior, 1.5 m apart, in one pose of walking each: (frame, person, 17, 3)."""
    clips = sample_prior("train", people=people, poses=40 * people, seed=seed).clips
    walking = [clip.positions[0] for clip in clips if clip.activity == "walk"]
    joints = np.stack(walking).astype(float)
    joints -= joints[:, [0]] * [1, 1, 0]
    joints += np.arange(people)[:, None, None] * [1.5, 0, 0]
    return np.repeat(joints[None], frames, axis=0)


def poses_of(joints, *, axes="world", rooted=False, fps=50.0, keypoints=True, **more):
    """Poses of world positions, with what :data:`CAMERA` sees of them."""
    camera = world_to_camera(joints, CAMERA)
    people = tuple(f"p{person}" for person in range(joints.shape[1]))
    seen = None
    if keypoints:
        there = np.isfinite(camera).all(axis=-1)
        pixels = np.full((*there.shape, 2), np.nan)
        pixels[there] = camera_to_image(camera[there], CAMERA)
        seen = keypoints_from(pixels, H36M_17, image_size=CAMERA.size, fps=fps, people=people)
    chosen = camera if axes == "camera" else joints
    return Poses(
        chosen - chosen[:, :, [0]] if rooted else chosen,
        H36M_17,
        axes=axes,
        rooted=rooted,
        fps=fps,
        people=people,
        keypoints=seen,
        **{"camera": CAMERA, **more},
    )
