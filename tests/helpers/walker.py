"""A person who walks as no person does, so that everything about the walk is known.

The feet stand exactly still, 8 cm above the floor, for 0.6 of a cycle of one second; the hips
glide; trunk and head are vertical; bones keep their lengths.
"""

import numpy as np

from graphlift.cameras import Camera, camera_to_image, look_at, world_to_camera
from graphlift.sequences import Keypoints, Poses, keypoints_from
from graphlift.skeletons import H36M_17

THIGH = SHIN = 0.44
HIP_HEIGHT, ANKLE = 0.86, 0.08
HALF_HIPS, HALF_SHOULDERS = 0.1, 0.17
CYCLE, STANCE = 1.0, 0.6


def stance(frames, fps):
    """Whether the left and the right foot stand, (frame, 2)."""
    phase = (np.arange(frames)[:, None] / fps / CYCLE + [0.0, 0.5]) % 1
    return phase < STANCE


def _foot(frames, fps, speed, offset):
    """How far along the way and how high an ankle is, (frame, 2)."""
    cycles = np.arange(frames) / fps / CYCLE + offset
    whole, phase = np.floor(cycles), cycles % 1
    swing = np.clip((phase - STANCE) / (1 - STANCE), 0, 1)
    step = swing**2 * (3 - 2 * swing)
    along = (whole - offset + step + STANCE / 2) * speed * CYCLE
    return np.stack([along, ANKLE + 0.12 * np.sin(np.pi * swing) ** 2], axis=-1)


def _knee(hip, ankle):
    """Bend forward in the plane of the walk: an isosceles triangle of thigh and shin."""
    line = ankle - hip
    d = np.linalg.norm(line, axis=-1, keepdims=True)
    ahead = np.stack([-line[:, 1], line[:, 0]], axis=-1) / d
    return (hip + ankle) / 2 + np.sqrt(THIGH**2 - d**2 / 4) * ahead


def walk(frames, fps=30.0, *, speed=1.0, heading=0.0, start=(0.0, 0.0)):
    """World positions (frame, 17, 3), m, of somebody walking towards ``heading``, radians."""
    way = speed * np.arange(frames) / fps
    hip = np.stack([way, np.full(frames, HIP_HEIGHT)], axis=-1)
    joints = {}
    for side, y, offset in (("L", 1, 0.0), ("R", -1, 0.5)):
        ankle = _foot(frames, fps, speed, offset)
        for name, place in {"Hip": hip, "Knee": _knee(hip, ankle), "Foot": ankle}.items():
            joints[side + name] = (place, y * HALF_HIPS)
        arm = 0.5 * np.sin(2 * np.pi * (np.arange(frames) / fps / CYCLE + offset))
        down = 0.28 * np.stack([np.sin(arm), -np.cos(arm)], axis=-1)
        for name, bones in {"Shoulder": 0, "Elbow": 1, "Wrist": 2}.items():
            joints[side + name] = (hip + [0, 0.5] + bones * down, y * HALF_SHOULDERS)
    for name, above in {
        "Hip": 0,
        "Spine": 0.25,
        "Thorax": 0.5,
        "Neck/Nose": 0.6,
        "Head": 0.72,
    }.items():
        joints[name] = (hip + np.array([0, above]), 0.0)
    positions = np.stack(
        [
            np.stack([place[:, 0], np.full(frames, y), place[:, 1]], axis=-1)
            for place, y in (joints[name] for name in H36M_17.joints)
        ],
        axis=1,
    )
    cos, sin = np.cos(heading), np.sin(heading)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return positions @ turn.T + [*start, 0]


def film(position=(0.5, -5.0, 1.5), target=(0.5, 0.0, 0.9), *, roll=0.0, focal=900.0):
    """A camera without distortion whose place is known, 1000 x 1000 px."""
    position, target = np.array(position, dtype=float), np.array(target, dtype=float)
    R = look_at(position, target, roll=roll)
    return Camera((focal, focal), (500.0, 500.0), (1000, 1000), R, position)


def lens(camera):
    """The same camera, its place forgotten."""
    return Camera(camera.focal, camera.centre, camera.size, np.eye(3), np.zeros(3),
                  camera.radial, camera.tangential)  # fmt: skip


def keypoints_of(world, camera, fps=30.0) -> Keypoints:
    """What a perfect detector sees of people: (frame, person, 17, 3) or (frame, 17, 3)."""
    world = world[:, None] if world.ndim == 3 else world
    image = camera_to_image(world_to_camera(world, camera), camera)
    return keypoints_from(image, H36M_17, image_size=camera.size, fps=fps)


def lifted(world, camera, fps=30.0) -> Poses:
    """What a perfect lifter returns."""
    world = world[:, None] if world.ndim == 3 else world
    positions = world_to_camera(world, camera)
    return Poses(
        positions - positions[:, :, :1],
        H36M_17,
        fps=fps,
        people=tuple(map(str, range(world.shape[1]))),
        keypoints=keypoints_of(world, camera, fps),
    )


def angle(a, b):
    """Degrees between two vectors."""
    return float(
        np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))
    )
