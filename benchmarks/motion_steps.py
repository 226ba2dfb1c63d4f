"""What each step from camera frame to floor does to the error, on motion-capture truth.

    python benchmarks/motion_steps.py DIR [--model NAME] [--part test] [--every 3] [--seeds 1]
                                          [--errors 1] [--docs docs/motion-steps.md]

DIR holds cmu.npz and splits.json. Every third clip of the test subjects is seen by one random
camera (graphlift.virtual_cameras.RandomRig, drawn again until it sees 90 % of the joints from a
metre away).
Without --model the lifter is simulated (simulated_lifter.py); with it, the same simulated
keypoints, of 17 joints, are lifted by that model. Errors are those of the 17; of a model that says
more, all steps have the heels and toes, too. What is chosen is chosen with --part validation.
"""

import argparse
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from pages import add_docs, show, table
from simulated_lifter import View, look

from graphlift import motion
from graphlift.datasets.mocap.pack import read_pack
from graphlift.geometry import align_similarity
from graphlift.motion.requirements import legs
from graphlift.motion.sizes import scale_to_floor
from graphlift.motion.upright import find_floor, find_up
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17

ANKLES = legs(H36M_17)[:, 2]


def length(vectors):
    return np.linalg.norm(vectors, axis=-1)


def known(poses):
    """Frames in which the lifter said something."""
    return poses.valid[:, 0]


def relative(poses):
    """Of Human3.6M's 17 joints, which the truth has; they are the first of 28."""
    positions = poses.positions[:, 0, : len(H36M_17)]
    return positions - positions[:, :1]


def pose_error(poses, view, frames):
    """Distance of each joint, root-relative, m."""
    return length(relative(poses)[frames] - view.rooted[frames])


def aligned_error(poses, view, frames):
    """The same after the best similarity of every frame."""
    truth = view.rooted[frames]
    return length(align_similarity(relative(poses)[frames], truth) - truth)


def pose_speed_error(poses, view, frames):
    return speed_error(relative(poses), view.rooted, view.fps, frames)


def speed_error(positions, truth, fps, frames):
    """Error of velocities between neighbouring frames that are both counted, m/s."""
    counted = frames[1:] & frames[:-1]
    return fps * length(np.diff(positions - truth, axis=0))[counted]


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
    """Measures before and after each step, pooled over frames and joints, or over clips."""

    def __init__(self):
        self.rows = {}

    def add(self, step, measure, before, after):
        columns = self.rows.setdefault((step, measure), ([], []))
        for column, values in zip(columns, (before, after), strict=True):
            column.append(np.ravel(values))

    def markdown(self):
        lines, last = [], ""
        for (step, measure), columns in self.rows.items():
            scale = {"degrees": 1, "per": 100}.get(measure.partition(" ")[0], 1000)
            means = (scale * np.mean(np.concatenate(column)) for column in columns)
            numbers = ["–" if np.isnan(mean) else f"{mean:.1f}" for mean in means]
            lines.append(["" if step == last else step, measure, *numbers])
            last = step
        return table(["step", "measure", "before", "after"], lines, words=2)


def both(measure, view, before, after, frames=None):
    """One measure of the poses before and after a step, in the frames a lifter spoke of."""
    frames = known(before) & known(after) if frames is None else frames
    return [measure(poses, view, frames) for poses in (before, after)]


def measure_sides(table, view):
    """Sides confused once in a second or so, for up to 0.5 s, all joints alike."""
    rng = np.random.default_rng(len(view.world))
    confused = np.zeros(len(view.world), dtype=bool)
    for start in np.flatnonzero(rng.random(len(confused)) < 1 / view.fps):
        confused[start : start + rng.integers(1, max(round(0.5 * view.fps), 1) + 1)] = True
    px = view.keypoints.positions.copy()
    px[confused] = px[confused][:, :, H36M_17.mirror]
    _, mended = motion.mend_sides(replace(view.keypoints, positions=px))
    _, untouched = motion.mend_sides(view.keypoints)
    wrong = mended[:, 0] != confused
    table.add("sides", "per cent of frames with them confused (simulated)", confused, wrong)
    table.add("sides", "per cent of frames, none confused", 0 * confused, untouched[:, 0])


def measure_refinement(table, view, lens):
    frames, after = known(view.lifted), motion.refine(view.lifted, lens)
    table.add("refinement", "MPJPE, mm", *both(pose_error, view, view.lifted, after, frames))
    table.add("refinement", "P-MPJPE, mm", *both(aligned_error, view, view.lifted, after, frames))
    return after


def measure_gaps(table, view, lifted):
    there = known(lifted)
    held = lifted.positions[np.maximum.accumulate(np.where(there, np.arange(len(there)), 0))]
    filled = motion.fill_poses(lifted)
    gap = ~there & known(filled)
    if gap.any():
        errors = both(pose_error, view, replace(lifted, positions=held), filled, gap)
        table.add("gaps", "MPJPE in them, mm (before: last pose held)", *errors)
    return filled


def measure_smoothing(table, view, poses):
    frames = known(view.lifted)
    for method, name in (("one-euro", "One-Euro"), ("savgol", "Savitzky-Golay")):
        after = motion.smooth(poses, method)
        table.add(name, "MPJPE, mm", *both(pose_error, view, poses, after, frames))
        table.add(name, "P-MPJPE, mm", *both(aligned_error, view, poses, after, frames))
        table.add(name, "MPJVE, mm/s", *both(pose_speed_error, view, poses, after, frames))
    return after


def measure_bones(table, view, poses):
    frames = known(view.lifted)
    after = motion.hold_bones(poses)
    parents = [max(parent, 0) for parent in H36M_17.parents]

    def lengths(positions):
        return length(positions - positions[:, parents])[:, 1:]

    found = [lengths(p.positions[frames, 0, : len(H36M_17)]) for p in (poses, after)]
    truth = np.median(lengths(view.world), axis=0)
    table.add("bones", "sd of a bone's length, mm", *(x.std(axis=0) for x in found))
    table.add("bones", "error of a bone's length, mm", *(np.abs(x - truth) for x in found))
    table.add("bones", "MPJPE, mm", *both(pose_error, view, poses, after, frames))
    table.add("bones", "P-MPJPE, mm", *both(aligned_error, view, poses, after, frames))
    return after


def measure_height(table, view, poses):
    """The stated height is what the same proportions give for the true skeleton."""
    truth = Poses(view.rooted[:, None], H36M_17, fps=view.fps)
    after = motion.scale_to_height(poses, float(motion.statures(truth)[0]))
    table.add("height", "MPJPE, mm", *both(pose_error, view, poses, after, known(view.lifted)))
    return after


def measure_path(table, view, poses, name, **lens):
    frames, truth = known(view.lifted), view.truth[:, 0]
    rough = motion.locate(poses, smooth=False, **lens).positions[:, 0, 0]
    moving = motion.locate(poses, **lens)
    path = moving.positions[:, 0, 0]
    frames = frames & np.isfinite(path[:, 0])
    still = np.broadcast_to(truth[frames].mean(axis=0), truth.shape)
    errors = [length(p - truth)[frames] for p in (still, path)]
    table.add(f"path, {name}", "root's place, mm (before: its mean)", *errors)
    about = path - path[frames].mean(axis=0)
    errors = [length(p - truth)[frames] for p in (still, still + about)]
    table.add(f"path, {name}", "the same, means aligned, mm", *errors)
    errors = [speed_error(p, truth, view.fps, frames) for p in (rough, path)]
    table.add(f"path, {name}", "root's velocity, mm/s (before: not smoothed)", *errors)
    return moving


def measure_gravity(table, view, moving, name):
    up, level = find_up(moving).up, np.array([0.0, -1.0, 0.0])
    errors = [angle(u, view.camera.R[:, 2]) for u in (level, up)]
    table.add(f"gravity, {name}", "degrees off (before: the camera's vertical)", *errors)
    frames = known(moving)
    height = view.world[frames, 0, 2].mean()
    root = moving.positions[frames, 0, 0].mean(axis=0)
    errors = [abs(root @ u - find_floor(moving, u) - height) for u in (level, up)]
    table.add(f"gravity, {name}", "height of the floor under the person, mm", *errors)


def measure_feet(table, view, name, **lens):
    loose = motion.to_world(view.lifted, feet=False, **lens)
    held = motion.to_world(view.lifted, **lens)
    errors = [skate(p, view) for p in (loose, held)]
    table.add(f"feet, {name}", "speed of standing feet, mm/s", *errors)
    table.add(f"feet, {name}", "P-MPJPE, mm", *both(aligned_error, view, loose, held))
    frames = known(held)
    found, true = held.contacts[frames][:, 0, ANKLES], true_contacts(view)[frames]
    nothing = np.full(1, np.nan)  # there are none before
    table.add(f"feet, {name}", "per cent of contacts found that are true", nothing, true[found])
    table.add(f"feet, {name}", "per cent of true contacts that are found", nothing, found[true])


def measure_all(table, view, name, **lens):
    """Root-relative in world axes with y along the view, so that only gravity turns them."""
    held = motion.to_world(view.lifted, **lens)
    frames = known(view.lifted) & known(held)
    up = view.camera.R[:, 2]
    y = np.array([0.0, 0.0, 1.0]) - up[2] * up
    y /= length(y)
    truth = view.rooted @ np.stack([np.cross(y, up), y, up]).T
    level = relative(view.lifted) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    errors = [length(p[frames] - truth[frames]) for p in (level, relative(held))]
    table.add(f"all, {name}", "MPJPE in world axes, mm (before: the camera's vertical)", *errors)
    table.add(f"all, {name}", "P-MPJPE, mm", *both(aligned_error, view, view.lifted, held, frames))
    errors = [speed_error(p, truth, view.fps, frames) for p in (level, relative(held))]
    table.add(f"all, {name}", "MPJVE, mm/s", *errors)


def measure(table, view):
    """Add one view to the table."""
    lens = replace(view.camera, R=np.eye(3), position=np.zeros(3))
    measure_sides(table, view)
    refined = view.lifted
    if np.isfinite(refined.sigma).any():
        refined = measure_refinement(table, view, lens)
    filled = measure_gaps(table, view, refined)
    poses = measure_bones(table, view, measure_smoothing(table, view, filled))
    tall = measure_height(table, view, poses)
    sized = scale_to_floor(poses, motion.locate(poses, view.camera), view.camera)
    moving = measure_path(table, view, poses, "known lens", camera=lens)
    measure_path(table, view, tall, "known lens and height", camera=lens)
    measure_path(table, view, sized, "known camera", camera=view.camera)
    guess = measure_path(table, view, poses, "55°")
    measure_gravity(table, view, moving, "known lens")
    measure_gravity(table, view, guess, "55°")
    measure_feet(table, view, "known lens", camera=lens)
    measure_feet(table, view, "known camera", camera=view.camera)
    measure_feet(table, view, "55°")
    measure_all(table, view, "known lens", camera=lens)
    measure_all(table, view, "55°")


def views(folder, *, part, every, seeds, errors, model):
    subjects = json.loads((folder / "splits.json").read_text())["cmu"][part]
    clips = read_pack(folder / "cmu.npz").of(subjects).clips[::every]
    lifter = None
    if model:
        from graphlift.lifting import Lifter

        lifter = Lifter.load(model)
    for seed in range(seeds):
        for clip in clips:
            view = look(clip, [seed, zlib.crc32(clip.name.encode())], errors)
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
    parser.add_argument("--errors", type=float, default=1.0, help="times the simulated ones")
    parser.add_argument("--seeds", type=int, default=1, help="cameras a clip")
    add_docs(parser)
    arguments = vars(parser.parse_args())
    page, measured, frames, names = arguments.pop("docs"), Table(), 0, set()
    for view in views(**arguments):
        measure(measured, view)
        frames += len(view.world)
        names.add(view.name)
    lifter = arguments["model"] or f"simulated lifter, {arguments['errors']:g} times its errors"
    print(
        f"{lifter}; {len(names)} clips of {arguments['part']} subjects, {frames:,} frames, "
        f"{arguments['seeds']} camera(s) a clip"
    )
    show({"motion steps": measured.markdown()}, page)


if __name__ == "__main__":
    main()
