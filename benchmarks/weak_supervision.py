"""What objectives on poses gain where few training people have 3D labels.

    python benchmarks/weak_supervision.py path/to/mocap [--steps 4000] [--seeds 0 1 2]
                                          [--out runs/weak] [--docs docs/weak-supervision.md]

Decoupled pre-aggregation, exact keypoints, open-16. Four of the training people are labelled, the
first by name; the others are seen in 2D, with simulated ordinal labels where a row has them. Rows
differ in nothing else; each run has the same steps. Weights were chosen on validation people, with
one seed and few steps. A run that was interrupted goes on, and a finished one is not done again.
MPJPE and P-MPJPE of test people, mm, the mean over activities of mean errors over frames, as mean
± standard deviation over seeds, of the weights that have the lowest error on validation people.
A first table has how far the x and y of true poses of validation people are from their keypoints,
mm, at the best scale of each pose.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
from pages import add_docs, show, table

from graphlift.metrics import joint_errors
from graphlift.samples import Selection
from graphlift.samples.open_data import OpenData, read_open_data
from graphlift.samples.supervision import Supervision
from graphlift.scoring import mean_over_activities
from graphlift.training.checkpoints import load_run
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.evaluation import predict
from graphlift.training.loop import train
from graphlift.training.state import MODEL

LABELLED = 4
"""Of the training people, the first by name."""
PROJECTION = {"projection": 1.0, "bone_ratios": 0.1}
WITH_OTHERS = {
    "+ projection, bone ratios": PROJECTION,
    "+ ordinal, all pairs": PROJECTION | {"ordinal": 0.1},
    "+ ordinal, parts": PROJECTION | {"parts": 0.1},
    "+ critic": PROJECTION | {"critic": 0.01},
    "+ all of these": PROJECTION | {"ordinal": 0.1, "parts": 0.1, "critic": 0.01},
}
"""Objectives of the unlabelled people, with their weights."""
ALONE, ALL = "labelled people alone", "all people labelled"
ROWS = (ALONE, *WITH_OTHERS, ALL)
RECIPE = TrainConfig(
    batch_size=256,
    evaluate_every=200,
    learning_rate=2e-2,
    loss="mpjpe",
    schedule="cosine",
    tensorboard=False,
    model=ModelConfig(method="pre-aggregation", channels=20),
)
"""Of the study on open data, a little narrower."""


def off_the_keypoints(data: OpenData) -> str:
    """How far true poses are from where scaled orthography would have them."""
    samples = data.samples("validation", Selection())
    root = samples.skeleton.root
    k = samples.inputs - samples.inputs[:, [root]]
    p = samples.targets[..., :2]
    scale = (p * k).sum(axis=(1, 2)) / (k * k).sum(axis=(1, 2))
    off = np.linalg.norm(p - scale[:, None, None] * k, axis=-1)
    return table(
        ["projection", "mm"], [["scaled orthography", f"{1000 * off.mean():.1f}"]], words=1
    )


def labelled_people(data: OpenData) -> tuple[str, ...]:
    return tuple(sorted(data.train.subjects)[:LABELLED])


def run_of(row: str, data: OpenData, recipe: TrainConfig) -> tuple[TrainConfig, OpenData]:
    """The configuration of a row, and the people that it is trained on."""
    known = labelled_people(data)
    if row == ALL:
        return recipe, data
    if row == ALONE:
        return recipe, replace(data, train=data.train.of(known))
    others = tuple(name for name in data.train.subjects if name not in known)
    asked = Supervision(unlabelled=others, **WITH_OTHERS[row])
    return replace(recipe, supervision=asked), data


def errors(out: Path, data: OpenData) -> tuple[float, float, float]:
    """MPJPE and P-MPJPE of test people and MPJPE of validation people, mm, of a finished run."""
    network, config, record = load_run(out / MODEL)
    test = data.samples("test", config.selection)
    predicted = predict(network, test)
    scores = [
        1000 * float(mean_over_activities(each.mean(axis=1), test.activity))
        for each in (
            joint_errors(predicted, test.targets),
            joint_errors(predicted, test.targets, alignment="similarity"),
        )
    ]
    return (*scores, record["best_validation_mpjpe_mm"])


def spread(values: list[float]) -> str:
    """Mean ± standard deviation, or the one value."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def tabulate(scores: dict[str, list[tuple[float, float, float]]]) -> str:
    rows = [
        [row, *(spread(list(column)) for column in zip(*of, strict=True))]
        for row, of in scores.items()
    ]
    return table(["supervision", "MPJPE", "P-MPJPE", "validation MPJPE"], rows, words=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap", help="a folder with cmu.npz and splits.json, or prior")
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/weak"))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, metavar="ROW")
    add_docs(parser)
    chosen = parser.parse_args()
    data = read_open_data(chosen.mocap)
    show({"projection": off_the_keypoints(data)}, chosen.docs)
    scores: dict[str, list[tuple[float, float, float]]] = {row: [] for row in chosen.rows}
    for seed in chosen.seeds:
        for row, of in scores.items():
            recipe = replace(RECIPE, data=chosen.mocap, steps=chosen.steps, seed=seed)
            config, people = run_of(row, data, recipe)
            out = (
                chosen.out / f"{row.replace('+ ', '').replace(', ', '-').replace(' ', '-')}-{seed}"
            )
            for progress in train(config, people, out):
                if progress.step % 200 == 0:
                    print(f"{row}, seed {seed}: step {progress.step}", flush=True)
            of.append(errors(out, data))
    show({"weak supervision": tabulate(scores)}, chosen.docs)


if __name__ == "__main__":
    main()
