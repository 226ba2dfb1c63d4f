"""How far from the truth the nodes of a BVH or GLB point, on people whose turns are known.

    python benchmarks/rig_turns.py DIR [--part validation] [--every 2] [--noise 0.03]
                                   [--front-noise 12] [--model open-base]
                                   [--docs docs/formats-out.md]

DIR holds cmu.npz, cmu_turns.npz and splits.json. Every so many-th clip gets a random adult body
of graphlift.bodies; joints and fronts are exact, then with noise that lasts for 0.3 s. Last come
windows of benchmarks/clips.py (*detected*), lifted by a model, refined and smoothed. Printed are
means in degrees; where feet truly point is not known in the windows.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from clips import CAMERA, FRAMES, NOISES, SEED, WINDOWS, keypoints_of
from pages import add_docs, show, table
from scipy.ndimage import convolve1d

from graphlift import Lifter
from graphlift.bodies import fronts, load_bodies, place_points
from graphlift.bodies.segments import POINTS
from graphlift.datasets.mocap.pack import read_pack
from graphlift.datasets.mocap.turns import read_turns
from graphlift.formats import armature
from graphlift.formats.retarget import rigged_people
from graphlift.formats.turns import solve_rotations
from graphlift.formats.writing import y_up
from graphlift.motion import hold_bones, refine, smooth
from graphlift.samples.clip_views import ClipPeople, draw_windows
from graphlift.samples.open_data import read_open_data
from graphlift.samples.random_views import H36M_LIKE_RIG
from graphlift.samples.strata import DEFINITIONS
from graphlift.sequences import FRONTS, Poses
from graphlift.skeletons import BODY_28, H36M_17

NODES = {
    "Hips": ("Pelvis",), "Spine2": ("Chest",), "Head": ("Head",), "Foot": ("LFoot", "RFoot"),
    "Arm": ("LUpperArm", "RUpperArm"), "UpLeg": ("LThigh", "RThigh"),
}  # fmt: skip
WORDS = ("`Hips`", "`Spine2`", "`Head`", "feet", "upper arms", "thighs")
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


def true_fronts(turns):
    """Fronts of all segments of NODES by name, y up."""
    names = [name for segments in NODES.values() for name in segments]
    true = fronts(turns, *names)[..., [0, 2, 1]] * [1, 1, -1]
    return {name: true[:, at] for at, name in enumerate(names)}


def angles(poses, true):
    """Angles between nodes' fronts and those of their segments, of both sides, degrees."""
    (person,), _ = rigged_people(Path("x.bvh"), poses)
    world = solve_rotations(person.positions, poses.fps, person.guides)
    names, found = [each.name for each in armature.NODES], {}
    for node, segments in NODES.items():
        for segment in segments:
            side = {"L": "Left", "R": "Right"}[segment[0]] if len(segments) == 2 else ""
            points = world[:, names.index(side + node), :, 2]
            goal = true.get(segment, np.full_like(points, np.nan))
            across = np.linalg.norm(np.cross(points, goal), axis=-1)
            off = np.degrees(np.arctan2(across, (points * goal).sum(axis=-1)))
            found.setdefault(node, []).append(off)
    return {node: np.concatenate(both) for node, both in found.items()}


def windows(folder, model, noise):
    """Windows of people as a detector sees them, lifted: poses, and true fronts by name."""
    lifter = Lifter.load(model, threads=1)
    people = ClipPeople(read_open_data(str(folder)).motion("validation"), FRAMES, balance=0)
    rng = np.random.default_rng(SEED)
    views = draw_windows(
        people, DEFINITIONS["detected"], NOISES[noise], WINDOWS, rng, rig=H36M_LIKE_RIG
    )
    for start in range(0, len(views), FRAMES):
        part = slice(start, start + FRAMES)
        keypoints = keypoints_of(views.rays[part], views.confidence[part], captured=False)
        lifted = lifter(keypoints, camera=CAMERA)
        true = y_up(views.fronts[part].astype(float), "camera")
        named = {name: true[:, at] for at, name in enumerate(FRONTS)}
        yield hold_bones(smooth(refine(lifted, CAMERA))), named


def row(words, pairs):
    """Means over frames and sides; a dash where no truth is known."""
    found = [angles(*pair) for pair in pairs]
    means = [np.concatenate([each[node] for each in found]) for node in NODES]
    numbers = ["–" if np.isnan(each).all() else f"{np.nanmean(each):.1f}" for each in means]
    return [*words, *numbers]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", default="validation")
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--noise", type=float, default=0.03, help="m")
    parser.add_argument("--front-noise", type=float, default=12.0, help="degrees")
    parser.add_argument("--model", default="open-base", help="a lifter's name or file")
    add_docs(parser)
    given = parser.parse_args()
    clips = clips_of(given.folder, given.part, given.every)
    print(f"{len(clips)} clips, {sum(len(turns) for _, turns in clips):,} frames")
    truths, rows = [true_fronts(turns) for _, turns in clips], []
    noises = {"exact": (0.0, 0.0), "noisy": (given.noise, np.radians(given.front_noise))}
    for word, noise in noises.items():
        rng = np.random.default_rng(0)
        people = [people_of(clip, turns, *noise, rng) for clip, turns in clips]
        for kind, label in enumerate(("17 joints", "body-28", "with fronts")):
            own = [each[kind] for each in people]
            rows.append(row([word, label], zip(own, truths, strict=True)))
    rows += [row([word, "lifted"], windows(given.folder, given.model, word)) for word in NOISES]
    show({"rig turns": table(["", "", *WORDS], rows, words=2)}, given.docs)


if __name__ == "__main__":
    main()
