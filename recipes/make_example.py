"""The example keypoints in the package: a simulated person who does four jumping jacks.

    python recipes/make_example.py [--out src/graphlift/formats/example_keypoints.npz]

Every number follows from the formulas below and from a seed; no recording of a person is used.
"""

import argparse
from pathlib import Path

import numpy as np

from graphlift.cameras import Camera, camera_to_image, look_at, world_to_camera
from graphlift.formats import write_keypoints
from graphlift.formats.example import example_keypoints_path
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17

FPS, SECONDS, PERIOD = 30.0, 4.0, 1.0
SIZE, FOCAL = (1280, 720), 1100.0
THIGH, SHIN, UPPER_ARM, FOREARM = 0.44, 0.43, 0.29, 0.26
HIP, SHOULDER, TRUNK = 0.1, 0.18, 0.5
"""m; half the widths of hips and shoulders, and how high the shoulders are above the hips."""
FACE = {"Nose": (0.1, 0.0, 0.2), "Eye": (0.08, 0.03, 0.24), "Ear": (0.0, 0.07, 0.22)}
"""m, forward, to the left and up, from between the shoulders."""
NOISE = 1.5
"""px; standard deviation of every coordinate, as a detector might err."""


def limb(start, angle, upper, lower, bend):
    """Two bones hanging in the frontal plane, ``angle`` to the side, the second bent inwards."""
    joints = [start]
    for length, turn in ((upper, angle), (lower, angle - bend)):
        direction = np.stack([0 * turn, np.sin(turn), -np.cos(turn)], axis=-1)
        joints.append(joints[-1] + length * direction)
    return joints[1:]


def jumping_jacks():
    """World positions (frame, joint, 3) of COCO's joints, m: x forward, y left, z up."""
    time = np.arange(round(FPS * SECONDS)) / FPS
    wide = (1 - np.cos(2 * np.pi * time / PERIOD)) / 2  # 0 closed, 1 open
    jump = 0.12 * np.sin(2 * np.pi * time / PERIOD) ** 2
    legs, arms = np.radians(4 + 24 * wide), np.radians(12 + 148 * wide)
    joints = {}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        hip, shoulder = np.zeros((2, len(time), 3))
        hip[:, 1], shoulder[:, 1], shoulder[:, 2] = HIP, SHOULDER, TRUNK
        knee, ankle = limb(hip, legs, THIGH, SHIN, np.radians(6) * wide)
        elbow, wrist = limb(shoulder, arms, UPPER_ARM, FOREARM, np.radians(-20) * wide)
        left = {"Hip": hip, "Knee": knee, "Ankle": ankle, "Shoulder": shoulder}
        left |= {"Elbow": elbow, "Wrist": wrist}
        left |= {name: np.array([0, 0, TRUNK]) + np.array(place) for name, place in FACE.items()}
        for name, place in left.items():
            joints["Nose" if name == "Nose" else side + name] = place * [1.0, sign, 1.0]
    places = np.stack(
        [np.broadcast_to(joints[name], (len(time), 3)) for name in COCO_17.joints], axis=1
    )
    lowest = places[..., 2].min(axis=1)
    return places + np.stack([0 * jump, 0 * jump, jump + 0.08 - lowest], axis=-1)[:, None]


def example_keypoints():
    """What a camera 4 m away, 30° to the person's left, sees of it."""
    position = np.array([4.0 * np.cos(np.radians(30)), 4.0 * np.sin(np.radians(30)), 1.4])
    R = look_at(position, np.array([0.0, 0.0, 0.95]))
    camera = Camera((FOCAL, FOCAL), (SIZE[0] / 2, SIZE[1] / 2), SIZE, R, position)
    pixels = camera_to_image(world_to_camera(jumping_jacks(), camera), camera)
    rng = np.random.default_rng(0)
    pixels = (pixels + rng.normal(0, NOISE, pixels.shape)).round(1)
    confidence = rng.uniform(0.8, 1.0, pixels.shape[:2]).round(2)
    return keypoints_from(
        np.concatenate([pixels, confidence[..., None]], axis=-1)[:, None],
        COCO_17,
        image_size=SIZE,
        fps=FPS,
        source="graphlift's example: simulated jumping jacks",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=example_keypoints_path())
    write_keypoints(parser.parse_args().out, example_keypoints())
