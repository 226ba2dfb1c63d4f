"""How well people are told apart: simulated crowds, scored by IDF1 and MOTA.

    python benchmarks/identity.py [--seeds 12] [--seconds 10]

Crowds are simulated (tests/helpers/crowd.py): 6, 12 and 18 people who walk across the view of one
camera in a hall of about 8 x 9 m and hide each other; the detector misses 3 % of them, repeats 1 %
and sees somebody who is not there in 1 % of the frames, and is off by 1.5 % of the body's size in
every joint. Compared are the tracker that works as frames come, the one over the whole clip, and,
as the most that can be had of these detections, the true ids. Measures are motmetrics': mean and,
in brackets, standard deviation over seeds.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from graphlift.tracking import Tracker, track

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the simulation is theirs, too
from helpers.crowd import crowd, score


def causal(scene):
    tracker = Tracker()
    return [tracker.update(people) for people in scene.frames]


WAYS = {
    "as frames come": causal,
    "over the whole clip": lambda scene: track(scene.frames, fps=scene.fps).ids,
    "true ids": lambda scene: scene.whose,
}


def names_in(ids):
    return len({name for frame in ids for name in frame if name >= 0})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12, help="simulated clips of each size")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip, at 30 fps")
    arguments = parser.parse_args()
    print("| people | ids given | IDF1, % | MOTA, % | switches | ids - people |")
    print("|---:|---|---:|---:|---:|---:|")
    for people in (6, 12, 18):
        scenes = [
            crowd(people, seconds=arguments.seconds, seed=seed) for seed in range(arguments.seeds)
        ]
        there = [np.isfinite(scene.truth[..., 0]).any(axis=(0, 2)).sum() for scene in scenes]
        for name, way in WAYS.items():
            ids = [way(scene) for scene in scenes]
            scores = [score(scene, each) for scene, each in zip(scenes, ids, strict=True)]
            columns = [[100 * each[key] for each in scores] for key in ("idf1", "mota")]
            columns += [[each["num_switches"] for each in scores]]
            columns += [[names_in(each) - n for each, n in zip(ids, there, strict=True)]]
            told = [f"{np.mean(c):.1f} ({np.std(c, ddof=1):.1f})" for c in columns]
            print(f"| {people} | {name} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
