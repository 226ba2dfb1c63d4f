"""How close a study on the embedded prior comes to one on motion capture.

    python recipes/prior_vs_real.py DATA -o DIR [--steps 1500] [--seeds 0 1]

The same small study twice: trained on people sampled from the prior (its kept weights chosen on
other sampled people), and trained on the real training subjects (chosen on the real validation
subjects). Both are tested on the real test subjects, protocol open-16, ground-truth keypoints, and
on HDM05, protocol cross-14. Prints the Markdown table of docs/study/prior-vs-real.md; finished
runs are not repeated.
"""

import argparse
import statistics
import sys
from dataclasses import replace
from pathlib import Path

from graphlift.samples.open_data import OpenData, read_open_data
from graphlift.study.evaluation import evaluate_model
from graphlift.study.plan import planned_runs, read_plan
from graphlift.training.loop import train
from graphlift.training.state import MODEL

METHODS = (
    *("full-sharing", "pre-aggregation", "no-sharing"),
    *("decoupled pre-aggregation", "martinez"),
)


def every(capture, stride):
    """Keep every ``stride``-th frame of each clip, from its first."""
    clips = (
        replace(clip, positions=clip.positions[::stride], fps=clip.fps / stride)
        for clip in capture.clips
    )
    return replace(capture, clips=tuple(clips))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with cmu.npz, splits.json and hdm05.npz")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    arguments = parser.parse_args()
    real, prior = read_open_data(arguments.data), read_open_data("prior")
    test, cross = every(real.test, real.stride), every(real.cross, real.stride)
    sources = {
        "prior": OpenData("prior", prior.train, prior.validation, test, cross, stride=1),
        "real": real,
    }
    plan = replace(
        read_plan("open"), methods=METHODS, detections=("gt",), seeds=tuple(arguments.seeds)
    )
    scores = {}
    for run in planned_runs(plan, data=arguments.data):
        config = replace(run.config, steps=arguments.steps, evaluate_every=250)
        for source, data in sources.items():
            out = arguments.out / f"{source}_{run.name}"
            for _ in train(config, data, out):
                pass
            result = evaluate_model(out / MODEL, data, name=run.name)
            scores.setdefault((run.name.partition("_")[0], source), []).append(result)
            print(source, run.name, result.mpjpe_mm, file=sys.stderr)
    print("| method | trained on | MPJPE, mm | P-MPJPE, mm | PCK, % | AUC, % |")
    print("|---|---|---:|---:|---:|---:|")
    for (method, source), results in scores.items():
        cells = (
            [getattr(result, name) for result in results]
            for name in ("mpjpe_mm", "p_mpjpe_mm", "cross_pck", "cross_auc")
        )
        row = " | ".join(
            f"{statistics.mean(values):.1f} ({min(values):.1f} - {max(values):.1f})"
            for values in cells
        )
        print(f"| {method.rpartition('-')[0]} | {source} | {row} |")


if __name__ == "__main__":
    main()
