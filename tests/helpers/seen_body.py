"""A body of 28 joints that walks, or one of the table in a T-pose, as detectors see it."""

import numpy as np
from helpers.walker import film
from helpers.whole_body import whole_body

from graphlift.bodies import Body, load_bodies, place_joints, place_points
from graphlift.bodies.segments import ALONG, POINTS, SEGMENTS
from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.sequences import keypoints_from
from graphlift.skeletons import BODY_28, H36M_17, joint_map

CAMERA = film(position=(0.3, -5.0, 1.4), target=(0.0, 0.0, 0.9))
FACE = ("Nose", "LEye", "REye", "LEar", "REar")
FEET = ("LAnkle", "RAnkle", "LFoot", "RFoot", *(f"{s}{p}" for s in "LR" for p in
        ("BigToe", "SmallToe", "Heel")))  # fmt: skip
UPPER = (*FACE, *(f"{s}{p}" for s in "LR" for p in ("Shoulder", "Elbow", "Wrist")))


def walking(frames, fps=30.0, *, scale=1.0, x=0.0):
    """World positions of body-28 (frame, 28, 3): arms down, one step a second, facing -y."""
    time = np.arange(frames) / fps
    swing, none = 0.5 * np.sin(2 * np.pi * time), np.zeros(frames)
    joints, _, _ = whole_body(
        frames,
        LThigh=np.stack([swing, none, none], axis=1),
        RThigh=np.stack([-swing, none, none], axis=1),
        LUpperArm=np.stack([0.3 * swing, none + 1.2, none], axis=1),
        RUpperArm=np.stack([-0.3 * swing, none - 1.2, none], axis=1),
    )
    return scale * joints + np.stack([x + 0.2 * time, none, none], axis=1)[:, None]


def of_the_table(stature, frames=20):
    """Somebody of the table of bodies, scaled to a stature, m, who stands in a T-pose."""
    bodies = load_bodies()
    nearest = int(np.abs(bodies.stature - stature).argmin())
    own = bodies.of(np.array([nearest]))
    factor = stature / bodies.stature[nearest]
    body = Body(own.lengths * factor, own.points * factor)
    turns = np.broadcast_to(np.eye(3), (1, len(SEGMENTS), 3, 3))
    directions = ALONG.copy()
    for joint in ("Spine", "Thorax", "Neck/Nose", "Head"):
        directions[H36M_17.index(joint)] = [0, 0, 1]
    directions[H36M_17.index("LShoulder")] = [1, 0, 0]
    directions[H36M_17.index("RShoulder")] = [-1, 0, 0]
    joints = place_joints(turns, directions[None], body)
    points = place_points(turns, joints, body)
    face_and_feet = [POINTS.index(name) for name in BODY_28.joints[len(H36M_17) :]]
    found = np.concatenate([joints, points[:, face_and_feet]], axis=1)
    found[..., 2] -= found[..., 2].min()
    return np.repeat(found, frames, axis=0)


def seen(world, skeleton, only=None, *, fps=30.0, noise=1.0, camera=CAMERA):
    """What a detector sees of (frame, 28, 3) or (frame, person, 28, 3); ``only`` some joints."""
    world = world if world.ndim == 4 else world[:, None]
    px = joint_map(BODY_28, skeleton)(camera_to_image(world_to_camera(world, camera), camera))
    px = px + np.random.default_rng(0).normal(0, noise, px.shape)
    if only is not None:
        px[..., [name not in only for name in skeleton.joints], :] = np.nan
    confidence = np.where(np.isfinite(px[..., 0]), 0.9, 0.0)
    return keypoints_from(px, skeleton, confidence=confidence, image_size=camera.size, fps=fps)
