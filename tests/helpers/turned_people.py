"""People of whom every turn is known: random turns of segments, and the positions they make."""

import numpy as np
from scipy.spatial.transform import Rotation

from graphlift.bodies.segments import SEGMENTS
from graphlift.datasets import MotionCapture
from graphlift.datasets.mocap.clips import Clip
from graphlift.datasets.mocap.pack import write_pack
from graphlift.skeletons import H36M_17

BONES = {
    "RHip": ("Pelvis", (-0.09, 0, 0)), "LHip": ("Pelvis", (0.09, 0, 0)),
    "RKnee": ("RThigh", (0, 0, -0.42)), "LKnee": ("LThigh", (0, 0, -0.41)),
    "RFoot": ("RShin", (0, 0, -0.43)), "LFoot": ("LShin", (0, 0, -0.43)),
    "Spine": ("Pelvis", (0, 0.03, 0.22)), "Thorax": ("Chest", (0, -0.02, 0.24)),
    "Neck/Nose": ("Chest", (0, -0.03, 0.18)), "Head": ("Head", (0, -0.0177, 0.1005)),
    "LShoulder": ("Chest", (0.18, 0.01, 0.05)), "RShoulder": ("Chest", (-0.18, 0.01, 0.05)),
    "LElbow": ("LUpperArm", (0.29, 0, 0)), "RElbow": ("RUpperArm", (-0.29, 0, 0)),
    "LWrist": ("LForearm", (0.26, 0, 0)), "RWrist": ("RForearm", (-0.27, 0, 0)),
}  # fmt: skip
"""Of each bone the segment that carries it, and where it leads in the T-pose, m."""


def standing_turns(frames, seed=0, *, spread=0.25):
    """Quaternions x y z w, w >= 0, of people who stand about and wave; knees and elbows bend."""
    rng = np.random.default_rng(seed)
    about_z = Rotation.from_euler("z", rng.uniform(-0.5, 0.5, (frames, 1)))

    def near(base):
        return base * Rotation.from_rotvec(spread * rng.standard_normal((frames, 3)) / 2)

    def bent(base, axis, sign):
        return base * Rotation.from_euler(axis, sign * rng.uniform(0.5, 1.5, (frames, 1)))

    turns = {"Pelvis": near(about_z), "Chest": near(about_z), "Head": near(about_z)}
    for side, out in (("L", -1), ("R", 1)):
        turns[f"{side}UpperArm"] = near(about_z)
        turns[f"{side}Forearm"] = bent(turns[f"{side}UpperArm"], "z", out)
        turns[f"{side}Hand"] = near(turns[f"{side}Forearm"])
        turns[f"{side}Thigh"] = near(about_z)
        turns[f"{side}Shin"] = bent(turns[f"{side}Thigh"], "x", 1)
        turns[f"{side}Foot"] = near(turns[f"{side}Shin"])
    quat = np.stack([turns[name].as_quat() for name in SEGMENTS], axis=1)
    return np.where(quat[..., 3:] < 0, -quat, quat)


def positions_of(quat):
    """Follow the bones one by one: (frame, 17, 3), m, hips 0.9 m above the floor."""
    frames = len(quat)
    placed = {"Hip": np.tile([0.0, 0, 0.9], (frames, 1))}
    for joint in H36M_17.joints[1:]:
        segment, vector = BONES[joint]
        parent = H36M_17.joints[H36M_17.parents[H36M_17.joints.index(joint)]]
        turn = Rotation.from_quat(quat[:, SEGMENTS.index(segment)])
        placed[joint] = placed[parent] + turn.apply(vector)
    return np.stack([placed[joint] for joint in H36M_17.joints], axis=1)


def turned_capture(subjects, *, frames=40, name="cmu", source="amc", seed=0):
    """Motion capture and its quaternions, a clip a subject."""
    clips, quats = [], []
    for number, subject in enumerate(subjects):
        quat = standing_turns(frames, seed + number, spread=0.25)
        clips.append(
            Clip(
                name=f"{subject}/1",
                subject=subject,
                activity=("walk", "dance")[number % 2],
                fps=5.0,
                positions=positions_of(quat).astype(np.float32),
                provenance=source,
            )
        )
        quats.append(quat)
    return MotionCapture(name, H36M_17, tuple(clips), "CC0", "made"), np.concatenate(quats)


def write_turned(folder, subjects, **settings):
    """A pack with turns beside it."""
    capture, quat = turned_capture(subjects, **settings)
    write_pack(folder / f"{capture.name}.npz", capture)
    np.savez_compressed(
        folder / f"{capture.name}_turns.npz",
        quat=np.rint(quat * 32767).astype(np.int16),
        segments=np.array(SEGMENTS),
    )
    return capture, quat
