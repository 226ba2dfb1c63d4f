"""Fit the embedded prior to the training subjects of the CMU pack, and say how good it is.

    python recipes/fit_prior.py PACK SPLITS -o src/graphlift/datasets/mocap/prior.npz
    python recipes/fit_prior.py PACK SPLITS --choose     # held-out log-likelihood of sizes tried
    python recipes/fit_prior.py PACK SPLITS --check      # the shipped prior against real people
    python recipes/fit_prior.py --figure docs/figures/prior_samples.png

Fits use training subjects only and choices use validation subjects only; test subjects are never
looked at.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from prior_fit import (
    FitChoice,
    features_by_activity,
    fit_mixtures,
    fit_prior,
    held_out,
    shares_of,
    subject_lengths,
    usable_poses,
    with_mirror,
    write_prior,
)

from graphlift.datasets import MotionCapture
from graphlift.datasets.mocap.pack import read_pack
from graphlift.datasets.mocap.prior import (
    BONE_LENGTHS,
    Mixture,
    features_to_directions,
    features_to_positions,
    joint_angles,
    load_prior,
    plausible,
    sample_prior,
)
from graphlift.skeletons import H36M_17

CHOICES = (
    FitChoice(12, 200, 0),
    FitChoice(40, 200, 0),
    FitChoice(40, 200, 50),
    FitChoice(12, 200, 200),
    FitChoice(24, 200, 200),
    FitChoice(40, 600, 200),
    FitChoice(40, 200, 200),
    FitChoice(40, 100, 200),
    FitChoice(40, 200, 600),
)
"""What ``--choose`` compares; :class:`FitChoice`'s defaults are what was chosen."""

EACH = 300
"""Validation poses of an activity that ``--check`` looks at."""

POOL = 2000
"""Training poses and samples of an activity that they are compared with."""


def main() -> None:
    """Read the arguments and do what they ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack", type=Path, nargs="?", help="the CMU pack")
    parser.add_argument("splits", type=Path, nargs="?", help="JSON of the subjects of each split")
    parser.add_argument("-o", "--out", type=Path, help="fit, and write the parameters here")
    parser.add_argument("--choose", action="store_true", help="compare sizes of the model")
    parser.add_argument("--check", action="store_true", help="compare samples with real people")
    parser.add_argument("--figure", type=Path, help="draw samples into this PNG")
    options = parser.parse_args()
    if options.figure:
        draw_samples(options.figure)
        return
    if options.pack is None or options.splits is None:
        parser.error("PACK and SPLITS are needed")
    training, validation = read_splits(options.pack, options.splits)
    if options.choose:
        print_choices(training, validation)
    if options.out:
        write(options.out, training)
    if options.check:
        print_check(training, validation)


def read_splits(pack: Path, splits: Path) -> tuple[MotionCapture, MotionCapture]:
    """Read the training and the validation subjects."""
    capture = read_pack(pack)
    subjects = json.loads(splits.read_text(encoding="utf-8"))["cmu"]
    return capture.of(subjects["train"]), capture.of(subjects["validation"])


def write(path: Path, training: MotionCapture) -> None:
    """Fit with the chosen sizes and write the parameters."""
    note(f"fitting {FitChoice()} to {len(training)} poses")
    prior = fit_prior(training, FitChoice())
    write_prior(path, prior)
    components = sum(len(mixture.weights) for mixture in prior.mixtures)
    note(f"{path}: {path.stat().st_size:,} bytes, {components} components")


def print_choices(training: MotionCapture, validation: MotionCapture) -> None:
    """Print the held-out log-likelihood of each size tried, one row each."""
    poses, others = usable_poses(training), features_by_activity(validation)
    say("| latent | poses a component | imagined | components | training | held out |")
    say("|---|---|---|---|---|---|")

    def row(name: str, mixtures: tuple[Mixture, ...], shares: np.ndarray) -> None:
        seen = held_out(mixtures, shares, poses)
        unseen = held_out(mixtures, shares, others)
        count = sum(len(mixture.weights) for mixture in mixtures)
        say(f"| {name} | {count} | {seen:.3f} | {unseen:.3f} |")

    shares = shares_of(poses)
    everything = {"all": np.concatenate(list(poses.values()))}
    whole = FitChoice(43, 10**9, 0)
    row("43 (one Gaussian in all) | all | 0", fit_mixtures(everything, whole), np.ones(1))
    row("43 (one Gaussian each) | all | 0", fit_mixtures(poses, whole), shares)
    for choice in CHOICES:
        note(f"fitting {choice}")
        name = f"{choice.latent} | {choice.per_component} | {choice.imagined}"
        row(name, fit_mixtures(poses, choice), shares)


def print_check(training: MotionCapture, validation: MotionCapture) -> None:
    """Print how samples of the shipped prior compare with people it has not seen."""
    prior = load_prior()
    samples = sample_prior("train", poses=len(prior.activities) * POOL * 4)
    found = features_by_activity(validation, stride=1)
    shared = [activity for activity in prior.activities if activity in found]
    unseen = balanced(found, shared, EACH)
    trained = {a: with_mirror(x) for a, x in features_by_activity(training, stride=1).items()}
    seen = balanced(trained, shared, POOL)
    drawn = balanced(features_by_activity(samples, stride=1), shared, POOL)
    people = {"validation": unseen, "training": seen, "prior": drawn}
    say(
        f"Activities: {', '.join(shared)}; {EACH} validation, {POOL} training and prior poses each"
    )
    say(f"\n| | {' | '.join(people)} |\n|---|---|---|---|")
    for name, measure in MEASURES.items():
        say(f"| {name} | {' | '.join(f'{measure(x):.1f}' for x in people.values())} |")
    print_distances(people)
    print_neighbours(people)
    print_bodies(training, validation, samples)
    kept = plausible(prior, unseen).mean()
    say(f"\nReal validation poses that the rule of plausibility would keep: {kept:.1%}")
    for activity, mixture in zip(prior.activities, prior.mixtures, strict=True):
        rate = plausible(prior, mixture.draw(4000, np.random.default_rng(0))).mean()
        say(f"Draws kept, {activity}: {rate:.0%}")


def balanced(poses: dict[str, np.ndarray], activities: list[str], each: int) -> np.ndarray:
    """Pick as many poses of every activity, some twice where there are too few."""
    rng = np.random.default_rng(0)
    return np.concatenate(
        [rng.choice(poses[a], each, replace=len(poses[a]) < each) for a in activities]
    )


def on_mean_body(features: np.ndarray) -> np.ndarray:
    """Put everybody into the prior's mean body: root-relative, without heading, mm."""
    positions = features_to_positions(features, np.exp(load_prior().length_mean))
    return np.asarray(1000 * (positions - positions[:, :1]))


def spread(*joints: str) -> Callable[[np.ndarray], float]:
    """Measure how far joints stray from their mean position: root mean square, mm."""

    def measure(features: np.ndarray) -> float:
        positions = on_mean_body(features)[:, H36M_17.index(*joints)]
        return float(np.sqrt(((positions - positions.mean(axis=0)) ** 2).sum(-1).mean()))

    return measure


def flexion(features: np.ndarray, *, child: str) -> np.ndarray:
    """Measure how far a joint is bent, left and right together, degrees."""
    directions = features_to_directions(features)
    far = H36M_17.index(f"R{child}", f"L{child}")
    near = np.array(H36M_17.parents)[far]
    cosine = (directions[:, far] * directions[:, near]).sum(-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))).ravel()


def knees(features: np.ndarray) -> np.ndarray:
    """Measure knee flexion, degrees."""
    return flexion(features, child="Foot")


def elbows(features: np.ndarray) -> np.ndarray:
    """Measure elbow flexion, degrees."""
    return flexion(features, child="Wrist")


def wrong_knees(features: np.ndarray) -> float:
    """Find how many shins swing forwards of the thigh by more than 10°, %."""
    return float(100 * (joint_angles(features_to_directions(features))[:, -2:] < -0.1745).mean())


def backward_forearms(features: np.ndarray) -> float:
    """Find how many forearms of a hanging arm point further back than the upper arm, %.

    Hanging: within 45° of the trunk's downward axis; further back: by more than 0.5, that is 30°
    from an upper arm along the trunk, against the normal of trunk and shoulders. A hand behind
    the back does this too, so the share is to be held against that of real people.
    """
    direction = features_to_directions(features)
    right_elbow, right_wrist, left_elbow, left_wrist, trunk, right, left = H36M_17.index(
        "RElbow", "RWrist", "LElbow", "LWrist", "Thorax", "RShoulder", "LShoulder"
    )
    up, across = direction[:, trunk], direction[:, right] - direction[:, left]
    forward = np.cross(up, across)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    wrong = []
    for upper, fore in ((right_elbow, right_wrist), (left_elbow, left_wrist)):
        hanging = -(direction[:, upper] * up).sum(-1) > np.cos(np.pi / 4)
        behind = ((direction[:, upper] - direction[:, fore]) * forward).sum(-1) > 0.5
        wrong.append(hanging & behind)
    return float(100 * np.mean(wrong))


MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "spread of the wrists, mm": spread("LWrist", "RWrist"),
    "spread of the elbows, mm": spread("LElbow", "RElbow"),
    "spread of the head, mm": spread("Head"),
    "spread of the knees, mm": spread("LKnee", "RKnee"),
    "spread of the ankles, mm": spread("LFoot", "RFoot"),
    "spread of all joints but the root, mm": spread(*H36M_17.joints[1:]),
    "knee flexion, mean, °": lambda features: float(knees(features).mean()),
    "elbow flexion, mean, °": lambda features: float(elbows(features).mean()),
    "knees bent the wrong way, %": wrong_knees,
    "forearm behind a hanging upper arm, %": backward_forearms,
    "elbows folded beyond 150°, %": lambda features: float(100 * (elbows(features) > 150).mean()),
}


def print_distances(people: dict[str, np.ndarray]) -> None:
    """Print Wasserstein distances of flexion angles to the validation subjects'."""
    from scipy.stats import wasserstein_distance

    say("\n| Wasserstein distance to validation | training | prior |\n|---|---|---|")
    for name, measure in {"knee": knees, "elbow": elbows}.items():
        real = measure(people["validation"])
        far = [wasserstein_distance(real, measure(people[who])) for who in ("training", "prior")]
        say(f"| {name} flexion, ° | {far[0]:.1f} | {far[1]:.1f} |")


def print_neighbours(people: dict[str, np.ndarray]) -> None:
    """Print how near the nearest pose of another set is, in the same body, without heading."""
    at = {who: on_mean_body(features).astype(np.float32) for who, features in people.items()}
    some = at["prior"][:: max(1, len(at["prior"]) // len(at["validation"]))]
    say("\n| each of | nearest in | median, mm | mean, mm | 90 %, mm |\n|---|---|---|---|---|")
    for name, poses, pool in (
        ("validation", at["validation"], "training"),
        ("validation", at["validation"], "prior"),
        ("prior", some, "training"),
    ):
        note(f"looking for neighbours of {name} in {pool}")
        near = np.concatenate([nearest(pose, at[pool]) for pose in np.array_split(poses, 300)])
        middle, high = np.quantile(near, [0.5, 0.9])
        say(f"| {name} | {pool} | {middle:.0f} | {near.mean():.0f} | {high:.0f} |")


def nearest(poses: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Find the least mean joint distance of each pose to a pool."""
    return np.linalg.norm(poses[:, None] - pool, axis=-1).mean(axis=-1).min(axis=1)


def print_bodies(
    training: MotionCapture, validation: MotionCapture, samples: MotionCapture
) -> None:
    """Print mean and standard deviation of bone lengths over people."""
    bodies = [subject_lengths(capture) * 1000 for capture in (training, validation, samples)]
    columns = ("training", "validation", "prior")
    head = [f"{name} ({len(body)})" for name, body in zip(columns, bodies, strict=True)]
    say(f"\n| mm | {' | '.join(head)} |\n|---|---|---|---|")
    for bone, name in enumerate(BONE_LENGTHS):
        cells = [
            f"{body[:, bone].mean():.0f} ± {body[:, bone].std(ddof=1):.0f}" for body in bodies
        ]
        say(f"| {name} | {' | '.join(cells)} |")


def draw_samples(path: Path) -> None:
    """Draw two people of each activity: from behind, and below from their right-hand side."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    capture = sample_prior("train", seed=1)
    activities = load_prior().activities
    figure, axes = plt.subplots(4, len(activities), figsize=(1.5 * len(activities), 9))
    for column, activity in enumerate(activities):
        found = [clip for clip in capture.clips if clip.activity == activity]
        axes[0, column].set_title(activity)
        for row, clip in enumerate(found[:2]):
            level = features_by_activity(capture.of([clip.subject]), stride=1)[activity][:1]
            pose = on_mean_body(level)[0] / 1000
            pose[:, 2] -= pose[:, 2].min()
            draw_pose(axes[2 * row, column], pose[:, [0, 2]])
            draw_pose(axes[2 * row + 1, column], pose[:, [1, 2]])
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    note(f"wrote {path}")


def draw_pose(axis, flat: np.ndarray) -> None:
    """Draw a pose seen along one axis: right side red, left side blue."""
    colours = {"R": "tab:red", "L": "tab:blue"}
    for parent, child in H36M_17.bones:
        side = H36M_17.joints[child][0]
        axis.plot(*flat[[parent, child]].T, color=colours.get(side, "black"), linewidth=2.5)
    axis.set(aspect="equal", xlim=(-0.75, 0.75), ylim=(-0.05, 2.05))
    axis.axis("off")


def say(line: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Print a line about progress."""
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
