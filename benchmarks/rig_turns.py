"""How far from the truth the nodes of a BVH or GLB point, on people whose turns are known.

    python benchmarks/rig_turns.py DIR [--part validation] [--every 2] [--noise 0.03]
                                   [--front-noise 12]

DIR holds cmu.npz, cmu_turns.npz and splits.json. Every so many-th clip gets a random adult body
of graphlift.bodies; joints and fronts are exact, then with noise that lasts for 0.3 s. Printed
are means in degrees.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import convolve1d

from graphlift.bodies import fronts, load_bodies, place_points
from graphlift.bodies.segments import POINTS
from graphlift.datasets.mocap.pack import read_pack
from graphlift.datasets.mocap.turns import read_turns
from graphlift.formats import armature
from graphlift.formats.retarget import rigged_people
from graphlift.sequences import FRONTS, Poses
from graphlift.skeletons import BODY_28, H36M_17

NODES = {
    "Hips": ("Pelvis",), "Spine2": ("Chest",), "Head": ("Head",), "Foot": ("LFoot", "RFoot"),
    "Arm": ("LUpperArm", "RUpperArm"), "UpLeg": ("LThigh", "RThigh"),
}  # fmt: skip
SHORTEST = 30
"""Frames of a clip that counts."""


def clips_of(folder, part, every):
    """Clips with the turns of their segments, where all of these are known."""
    subjects = json.loads((folder / "splits.json").read_text())["cmu"][part]
    capture = read_pack(folder / "cmu.npz")
    turns, start, found = read_turns(folder / "cmu_turns.npz", capture), 0, []
    for clip in capture.clips:
        own = turns[start : start + len(clip.positions)].astype(float)
        start += len(own)
        whole = np.isfinite(own).all() and len(own) >= SHORTEST and not clip.fast().any()
        if clip.subject in subjects and whole:
            found.append((clip, own))
    return found[::every]


def slow_noise(rng, shape, size):
    """Noise of a standard deviation that lasts for 11 frames."""
    taps = np.hanning(11)
    return size * convolve1d(rng.normal(size=shape), taps / np.linalg.norm(taps), axis=0)


def people_of(clip, turns, noise, front_noise, rng):
    """Poses of 17 joints, of 28, and of 28 with fronts."""
    bodies = load_bodies()
    adult = rng.choice(np.flatnonzero(bodies.age >= 18))
    body = bodies.of(np.full(len(turns), adult))
    joints = np.zeros((len(turns), len(BODY_28), 3))
    joints[:, :17] = clip.positions
    points = place_points(turns, joints[:, :17], body)
    for name in BODY_28.joints[17:]:
        joints[:, BODY_28.index(name)[0]] = points[:, POINTS.index(name)]
    joints += slow_noise(rng, joints.shape, noise)
    ahead = fronts(turns, *FRONTS)
    ahead = ahead + slow_noise(rng, ahead.shape, front_noise)
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    sigma = np.full((len(turns), 1, len(FRONTS)), front_noise) if front_noise else None
    whole = Poses(joints[:, None], BODY_28, axes="world", rooted=False, fps=clip.fps)
    some = Poses(joints[:, None, :17], H36M_17, axes="world", rooted=False, fps=clip.fps)
    return some, whole, replace(whole, fronts=ahead[:, None], front_sigma=sigma)


def angles(poses, turns, node):
    """Angle between a node's front and that of its segment, of both sides, degrees."""
    (person,), _ = rigged_people(Path("x.bvh"), poses)
    world = armature.solve_rotations(person.positions, poses.fps, person.guides)
    names, found = [each.name for each in armature.NODES], []
    for segment in NODES[node]:
        side = {"L": "Left", "R": "Right"}[segment[0]] if len(NODES[node]) == 2 else ""
        points = world[:, names.index(side + node), :, 2]
        true = fronts(turns, segment)[:, 0][:, [0, 2, 1]] * [1, 1, -1]  # y up
        across = np.linalg.norm(np.cross(points, true), axis=-1)
        found.append(np.degrees(np.arctan2(across, (points * true).sum(axis=-1))))
    return np.concatenate(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", default="validation")
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--noise", type=float, default=0.03, help="m")
    parser.add_argument("--front-noise", type=float, default=12.0, help="degrees")
    given = parser.parse_args()
    clips = clips_of(given.folder, given.part, given.every)
    print(f"{len(clips)} clips, {sum(len(turns) for _, turns in clips):,} frames")
    print("| | | " + " | ".join(NODES) + " |\n|---|---|" + "---:|" * len(NODES))
    noises = {"exact": (0.0, 0.0), "noisy": (given.noise, np.radians(given.front_noise))}
    for word, noise in noises.items():
        rng = np.random.default_rng(0)
        people = [people_of(clip, turns, *noise, rng) for clip, turns in clips]
        for kind, label in enumerate(("17 joints", "body-28", "with fronts")):
            pairs = [(each[kind], turns) for each, (_, turns) in zip(people, clips, strict=True)]
            row = [
                np.concatenate([angles(*pair, node) for pair in pairs]).mean() for node in NODES
            ]
            print(f"| {word} | {label} | " + " | ".join(f"{mean:.1f}" for mean in row) + " |")


if __name__ == "__main__":
    main()
