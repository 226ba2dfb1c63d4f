"""What each step from camera frame to floor does to the error, on motion-capture truth.

    python benchmarks/motion_steps.py DIR [--model NAME] [--part test] [--every 3] [--seeds 1]

DIR holds cmu.npz and splits.json. Every third clip of the test subjects is seen by one random
camera (graphlift.rigs.RandomRig, drawn again until it sees 90 % of the joints from a metre away).
Without --model the lifter is simulated (simulated_lifter.py); with it, the same simulated
keypoints are lifted by that model. What is chosen is chosen with --part validation.
"""

import argparse
import json
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from simulated_lifter import View, look

from graphlift import motion
from graphlift.datasets.pack import read_pack
from graphlift.geometry import align_similarity
from graphlift.motion.requirements import legs
from graphlift.motion.upright import find_floor, find_up, scale_to_floor
from graphlift.skeletons import H36M_17

ANKLES = legs(H36M_17)[:, 2]


def length(vectors):
    return np.linalg.norm(vectors, axis=-1)


def mean_mm(parts):
    return 1000 * float(np.mean(np.concatenate([np.ravel(part) for part in parts])))


def known(poses):
    """Frames in which the lifter said something."""
    return poses.valid[:, 0]


def relative(poses):
    positions = poses.positions[:, 0]
    return positions - positions[:, :1]


def pose_error(poses, view, frames):
    """Distance of each joint, root-relative, m."""
    return length(relative(poses)[frames] - view.rooted[frames])


def aligned_error(poses, view, frames):
    return length(
        align_similarity(relative(poses)[frames], view.rooted[frames]) - view.rooted[frames]
    )


def speed_error(positions, truth, fps, frames):
    """Error of velocities between neighbouring frames that are both counted, m/s."""
    both = frames[1:] & frames[:-1]
    return fps * length(np.diff(positions - truth, axis=0))[both]


def true_contacts(view):
    """Ankles below 15 cm that move slower than 0.2 m/s: (frame, side)."""
    feet = view.world[:, ANKLES]
    return (view.fps * length(np.gradient(feet, axis=0)) < 0.2) & (feet[..., 2] < 0.15)


def skate(poses, view):
    """Speed of the feet while they truly stand, m/s."""
    feet = poses.positions[:, 0, ANKLES]
    speed = view.fps * length(np.gradient(feet, axis=0))
    return speed[true_contacts(view) & np.isfinite(speed)]


def angle(a, b):
    return np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


class Table:
    """Rows of one measure before and after a step."""

    def __init__(self):
        self.rows = {}

    def add(self, step, measure, before, after):
        b, a = self.rows.setdefault((step, measure), ([], []))
        b.append(before)
        a.append(after)

    def show(self):
        print("| step | measure | before | after |\n|---|---|---:|---:|")
        for (step, measure), (before, after) in self.rows.items():
            scale = 1 if measure.endswith("°") else 1000
            cells = [
                scale * np.mean(np.concatenate([np.ravel(x) for x in v])) for v in (before, after)
            ]
            print(f"| {step} | {measure} | {cells[0]:.1f} | {cells[1]:.1f} |")


def measure_gaps(table, view):
    lifted, there = view.lifted, known(view.lifted)
    held = lifted.positions[np.maximum.accumulate(np.where(there, np.arange(len(there)), 0))]
    for method in ("linear", "pchip"):
        filled = motion.fill_poses(lifted, method=method)
        gap = ~there & known(filled)
        if gap.any():
            before = pose_error(replace(lifted, positions=held), view, gap)
            table.add(
                f"gaps, {method}", "MPJPE in the gap, mm", before, pose_error(filled, view, gap)
            )
    return motion.fill_poses(lifted)


def measure_smoothing(table, view, poses):
    frames = known(poses)
    truth = view.rooted
    for method in ("one-euro", "savgol"):
        after = motion.smooth(poses, method)
        table.add(
            method, "MPJPE, mm", pose_error(poses, view, frames), pose_error(after, view, frames)
        )
        table.add(
            method,
            "P-MPJPE, mm",
            aligned_error(poses, view, frames),
            aligned_error(after, view, frames),
        )
        table.add(
            method,
            "MPJVE, mm/s",
            speed_error(relative(poses), truth, view.fps, frames),
            speed_error(relative(after), truth, view.fps, frames),
        )
    return motion.smooth(poses)


def measure_bones(table, view, poses):
    frames = known(poses)
    after = motion.hold_bones(poses)
    parents = [max(parent, 0) for parent in H36M_17.parents]

    def lengths(positions):
        return length(positions - positions[:, parents])[:, 1:]

    sds = [lengths(p.positions[frames, 0]).std(axis=0) for p in (poses, after)]
    table.add("bones", "sd of a bone's length, mm", *sds)
    truth = np.median(lengths(view.world), axis=0)
    errors = [np.abs(lengths(p.positions[frames, 0]) - truth) for p in (poses, after)]
    table.add("bones", "error of a bone's length, mm", *errors)
    table.add(
        "bones", "MPJPE, mm", pose_error(poses, view, frames), pose_error(after, view, frames)
    )
    table.add(
        "bones",
        "P-MPJPE, mm",
        aligned_error(poses, view, frames),
        aligned_error(after, view, frames),
    )
    return after


def measure_height(table, view, poses):
    """The stated height is what the same proportions give for the true skeleton."""
    frames = known(poses)
    truth = replace(poses, positions=view.rooted[:, None], seen=np.ones_like(poses.seen))
    after = motion.scale_to_height(poses, float(motion.statures(truth)[0]))
    table.add(
        "height", "MPJPE, mm", pose_error(poses, view, frames), pose_error(after, view, frames)
    )
    return after


def measure_path(table, view, poses, name, **lens):
    frames, truth = known(poses), view.truth[:, 0]
    rough = motion.locate(poses, smooth=False, **lens).positions[:, 0, 0]
    smooth = motion.locate(poses, **lens)
    path = smooth.positions[:, 0, 0]
    still = np.broadcast_to(truth.mean(axis=0), truth.shape)
    table.add(
        f"path, {name}", "root from its place, mm (before: at its mean)",
        length(still - truth)[frames], length(path - truth)[frames],
    )  # fmt: skip
    moved = [p - p[frames].mean(axis=0) for p in (still, path, truth)]
    table.add(
        f"path, {name}", "the same, means aligned, mm",
        length(moved[0] - moved[2])[frames], length(moved[1] - moved[2])[frames],
    )  # fmt: skip
    table.add(
        f"path, {name}", "root's velocity, mm/s (before: path not smoothed)",
        speed_error(rough, truth, view.fps, frames), speed_error(path, truth, view.fps, frames),
    )  # fmt: skip
    return smooth


def measure_gravity(table, view, moving, name):
    up, _ = find_up(moving)
    true, level = view.camera.R[:, 2], np.array([0.0, -1.0, 0.0])
    table.add(f"gravity, {name}", "angle, °", angle(level, true), angle(up, true))
    frames = known(moving)
    height = (view.world[frames, 0, 2]).mean()
    errors = [
        abs((moving.positions[frames, 0, 0] @ u).mean() - find_floor(moving, u) - height)
        for u in (level, up)
    ]
    table.add(f"gravity, {name}", "floor under the person, mm", *errors)


def measure_feet(table, view, name, **lens):
    loose = motion.to_world(view.lifted, feet=False, **lens)
    held = motion.to_world(view.lifted, **lens)
    frames = known(held)
    table.add(
        f"feet, {name}", "speed of standing feet, mm/s", skate(loose, view), skate(held, view)
    )
    table.add(
        f"feet, {name}",
        "P-MPJPE, mm",
        aligned_error(loose, view, frames),
        aligned_error(held, view, frames),
    )
    found, true = held.contacts[frames][:, 0, ANKLES], true_contacts(view)[frames]
    return np.array([(found & true).sum(), found.sum(), true.sum()])


def measure_all(table, view, name, **lens):
    """Root-relative in world axes (y along the view, so that only gravity turns them)."""
    held = motion.to_world(view.lifted, **lens)
    frames = known(view.lifted)
    up = view.camera.R[:, 2]
    y = np.array([0.0, 0.0, 1.0]) - up[2] * up
    true_axes = (
        np.stack([np.cross(y, up), y, up]) / length(np.stack([np.cross(y, up), y, up]))[:, None]
    )
    truth = view.rooted @ true_axes.T
    level = relative(view.lifted) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    errors = [length(p[frames] - truth[frames]) for p in (level, relative(held))]
    table.add(f"all, {name}", "MPJPE in world axes, mm (before: camera's vertical)", *errors)
    errors = [aligned_error(view.lifted, view, frames), aligned_error(held, view, frames)]
    table.add(f"all, {name}", "P-MPJPE, mm", *errors)
    table.add(
        f"all, {name}", "MPJVE, mm/s",
        speed_error(level, truth, view.fps, frames),
        speed_error(relative(held), truth, view.fps, frames),
    )  # fmt: skip


def views(folder, part, every, seeds, model):
    subjects = json.loads((folder / "splits.json").read_text())["cmu"][part]
    clips = read_pack(folder / "cmu.npz").of(subjects).clips[::every]
    lifter = None
    if model:
        from graphlift.lifting import Lifter

        lifter = Lifter.load(model)
    for seed in range(seeds):
        for clip in clips:
            view = look(clip, [seed, zlib.crc32(clip.name.encode())])
            if view is not None and lifter is not None:
                lens = replace(view.camera, R=np.eye(3), position=np.zeros(3))
                lifted = lifter(view.keypoints, camera=lens)
                view = View(**{**vars(view), "lifted": replace(lifted, camera=None)})
            if view is not None:
                yield view


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with cmu.npz and splits.json")
    parser.add_argument("--model", help="a lifter's name or file; simulated when left out")
    parser.add_argument("--part", default="test", choices=("validation", "test"))
    parser.add_argument("--every", type=int, default=3, help="take every so many-th clip")
    parser.add_argument("--seeds", type=int, default=1, help="cameras a clip")
    arguments = parser.parse_args()
    table, counts, frames, seconds = Table(), np.zeros(3), 0, 0.0
    names = set()
    for view in views(
        arguments.folder, arguments.part, arguments.every, arguments.seeds, arguments.model
    ):
        frames += len(view.world)
        names.add(view.name)
        lens = replace(view.camera, R=np.eye(3), position=np.zeros(3))
        began = time.perf_counter()
        motion.to_world(view.lifted, camera=lens)
        seconds += time.perf_counter() - began
        poses = measure_bones(
            table, view, measure_smoothing(table, view, measure_gaps(table, view))
        )
        right = measure_height(table, view, poses)
        sized = scale_to_floor(poses, motion.locate(poses, view.camera), view.camera)
        measure_path(table, view, sized, "known camera", camera=view.camera)
        moving = measure_path(table, view, poses, "known lens", camera=lens)
        measure_path(table, view, right, "known lens and height", camera=lens)
        guess = measure_path(table, view, poses, "55°")
        measure_gravity(table, view, moving, "known lens")
        measure_gravity(table, view, guess, "55°")
        counts += measure_feet(table, view, "known lens", camera=lens)
        measure_feet(table, view, "known camera", camera=view.camera)
        measure_feet(table, view, "55°")
        measure_all(table, view, "known lens", camera=lens)
        measure_all(table, view, "55°")
    print(
        f"{arguments.model or 'simulated'} lifter, {len(names)} clips of {arguments.part} "
        f"subjects, {frames} frames, {arguments.seeds} cameras a clip\n"
    )
    table.show()
    hit, found, true = counts
    print(f"\nContacts: precision {hit / found:.2f}, recall {hit / true:.2f}; "
          f"to_world(): {1e6 * seconds / frames:.0f} µs a frame")  # fmt: skip


if __name__ == "__main__":
    main()
