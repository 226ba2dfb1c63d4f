"""Two people on one floor: what sharing it tells of their sizes, on motion-capture truth.

    python benchmarks/shared_floor.py DIR [--model NAME] [--pairs 40] [--size-pairs 100]
                                          [--errors 1] [--docs docs/sizes.md]

DIR holds cmu.npz and splits.json. Clips of two subjects are cut to one length and put 1 to 3 m
apart on one floor, each person scaled by a normal factor (5.5 %; a child by 0.65), and seen by one
random camera through a known lens. Without --model the lifter is simulated (simulated_lifter.py);
with it, the same simulated keypoints are lifted by that model. The first table is of test
subjects; how sizes fit their deviations, which was chosen on validation subjects, is of these.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from motion_steps import angle
from pages import add_docs, show, table
from simulated_lifter import detect, draw_camera, lift

from graphlift import motion
from graphlift.datasets.mocap.pack import read_pack
from graphlift.motion.bones import SIZES
from graphlift.motion.requirements import legs
from graphlift.motion.sizes import scale_to_floor, share_floor
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17

ANKLES = legs(H36M_17)[:, 2]
SPREAD, CHILD = 0.055, 0.65
LONGEST = 300
"""Frames of a pair; more would say the same again."""


def pair_up(clips, rng):
    """Two clips of different subjects as (frame, person, joint, 3), m, on one floor."""
    while True:
        first, second = (clips[k] for k in rng.choice(len(clips), 2, replace=False))
        frames = min(len(first.positions), len(second.positions), LONGEST)
        if first.subject != second.subject and first.fps == second.fps and frames > 60:
            break
    way = rng.uniform(0, 2 * np.pi)
    apart = rng.uniform(1, 3) * np.array([np.cos(way), np.sin(way), 0])
    worlds = []
    for clip, place in ((first, 0 * apart), (second, apart)):
        world = clip.positions[:frames].astype(float)
        worlds.append(world - np.median(world[:, 0], axis=0) * [1, 1, 0] + place)
    return np.stack(worlds, axis=1), first.fps


def resize(world, factor):
    """Larger or smaller about a point on the floor, which stays under the ankles as they are."""
    lower = np.quantile(world[..., ANKLES, 2], 0.05)
    return (world - [0, 0, lower]) * factor + [0, 0, lower]


def see(world, fps, rng, errors, lifter):
    """Both people through one camera: the camera without its place, and poses; or None."""
    camera = draw_camera(rng, world.reshape(len(world), -1, 3))
    if camera is None:
        return None
    lens = replace(camera, R=np.eye(3), position=np.zeros(3))
    found = []
    for person in range(2):
        keypoints = detect(rng, world[:, person], camera, fps, errors)
        lifted = lift(rng, world[:, person], camera, fps, keypoints, errors)
        found.append(lifted if lifter is None else lifter(keypoints, camera=lens))
    people = ("0", "1")
    keypoints = replace(
        found[0].keypoints,
        positions=np.concatenate([each.keypoints.positions for each in found], axis=1),
        confidence=np.concatenate([each.keypoints.confidence for each in found], axis=1),
        people=people,
    )
    poses = Poses(
        np.concatenate([each.positions for each in found], axis=1),
        found[0].skeleton,
        seen=np.concatenate([each.seen for each in found], axis=1),
        sigma=np.concatenate([each.sigma for each in found], axis=1),
        fps=fps,
        people=people,
        keypoints=keypoints,
        size_sigma=np.array(
            [SIZES if each.size_sigma is None else each.size_sigma[0] for each in found]
        ),
    )
    return camera, lens, poses


def compare(upright, world, camera):
    """Feet apart in height, gravity off, and how far the people are from one another."""
    there = upright.valid.all(axis=1)
    rise = upright.positions[there][..., ANKLES, 2] - world[there][..., ANKLES, 2]
    feet = np.median(rise, axis=(0, 2))
    between = [np.diff(p[there][:, :, 0], axis=1)[:, 0] for p in (upright.positions, world)]
    distance = [np.linalg.norm(each, axis=-1) for each in between]
    return {
        "height of the feet of one above the other's, mm": 1000 * abs(feet[1] - feet[0]),
        "gravity, degrees off": angle(upright.camera.R[:, 2], camera.R[:, 2]),
        "distance between the people, mm off": 1000 * np.abs(distance[0] - distance[1]).mean(),
    }


def measure(world, camera, lens, poses):
    """The measures before and after the floor was shared, and how sizes fit their deviations."""
    poses = motion.hold_bones(motion.smooth(motion.fill_poses(poses)))
    moving = motion.locate(poses, lens)
    sized, gravity = share_floor(poses, moving)
    after = motion.stand(motion.locate(sized, lens), gravity=gravity)
    measures = [compare(each, world, camera) for each in (motion.stand(moving), after)]
    truth = motion.statures(Poses(world, H36M_17, fps=poses.fps, people=poses.people))
    for found, each in zip(measures, (poses, sized), strict=True):
        sizes = np.log(motion.statures(each) / truth)
        found["size of one against the other, per cent off"] = 100 * abs(sizes[1] - sizes[0])
    placed = scale_to_floor(poses, motion.locate(poses, camera), camera)
    kinds = {"the model's": poses, "one floor": sized, "known camera": placed}
    return measures, {
        kind: np.stack([np.log(motion.statures(each) / truth), each.size_sigma])
        for kind, each in kinds.items()
    }


def tabulate_sizes(pairs):
    """How far sizes are off, and how often by less than their deviations say."""
    rows = []
    for kind in pairs[0]:
        error, sigma = np.concatenate([pair[kind] for pair in pairs], axis=1)
        off = np.abs(error / sigma)
        numbers = f"{100 * np.sqrt((error**2).mean()):.1f}", f"{100 * np.median(sigma):.1f}"
        rows.append([kind, *numbers, f"{(off < 1).mean():.0%}", f"{(off < 1.96).mean():.0%}"])
    head = ["sizes", "off, per cent (rms)", "stated (median)", "within 1 sd", "within 1.96 sd"]
    return table(head, rows, words=1)


def tabulate_measures(measured):
    """Median and 90 % quantile of each measure, of both kinds of pairs, before and after."""
    rows = []
    for name in next(iter(measured.values()))[0][0][0]:
        cells = []
        for pairs in measured.values():
            columns = np.array([[before[name], after[name]] for (before, after), _ in pairs])
            cells += [f"{np.median(c):.1f} ({np.quantile(c, 0.9):.1f})" for c in columns.T]
        rows.append([name, *cells])
    head = [f"{who}: {when}" for who in measured for when in ("before", "after")]
    return table(["", *head], rows, words=1)


def measure_pairs(clips, lifter, count, *, child, errors):
    """The :func:`measure` of so many pairs."""
    rows = []
    for seed in range(10 * count):
        rng = np.random.default_rng(seed)
        world, fps = pair_up(clips, rng)
        factors = 1 + SPREAD * rng.standard_normal(2)
        factors[1] = CHILD if child else factors[1]
        world = np.stack([resize(world[:, k], factors[k]) for k in range(2)], axis=1)
        seen = see(world, fps, rng, errors, lifter)
        if seen is not None:
            rows.append(measure(world, *seen))
        if len(rows) == count:
            break
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with cmu.npz and splits.json")
    parser.add_argument("--model", help="a lifter's name or file; simulated when left out")
    parser.add_argument("--pairs", type=int, default=40, help="of test subjects, of each kind")
    parser.add_argument("--size-pairs", type=int, default=100, help="of validation subjects")
    parser.add_argument("--errors", type=float, default=1.0, help="times the simulated ones")
    add_docs(parser)
    arguments = parser.parse_args()
    people = json.loads((arguments.folder / "splits.json").read_text())["cmu"]
    pack = read_pack(arguments.folder / "cmu.npz")
    lifter = None
    if arguments.model:
        from graphlift.lifting import Lifter

        lifter = Lifter.load(arguments.model)

    def pairs(part, count, *, child=False):
        clips = pack.of(people[part]).clips
        return measure_pairs(clips, lifter, count, child=child, errors=arguments.errors)

    kinds = {"two adults": False, "an adult and a child": True}
    together = {who: pairs("test", arguments.pairs, child=child) for who, child in kinds.items()}
    sizes = {
        who: [found for _, found in pairs("validation", arguments.size_pairs, child=child)]
        for who, child in kinds.items()
    }
    print(arguments.model or "simulated lifter")
    show(
        {
            "shared floor": tabulate_measures(together),
            "sizes": tabulate_sizes(sizes["two adults"]),
            "sizes with a child": tabulate_sizes(sizes["an adult and a child"]),
        },
        arguments.docs,
    )


if __name__ == "__main__":
    main()
