"""Score models on strata of validation people: postures, bodies and definitions of keypoints.

    python benchmarks/strata.py path/to/mocap open-base runs/mine [more models]

A model is a name, an .onnx file, or the folder of a finished training run. A model of 17 joints
sees what conversion gives it of the same keypoints. MPJPE / P-MPJPE, mm, of Human3.6M's 16 joints,
mean over frames, exact 2D (or noisy, with missing joints), every frame through an unseen camera of
its own; the angle between the lifted and the true line through the hips, degrees, mean over
frames; and which share of all joints lies within the balls that should hold 50, 80 and 95 %.
"""

import argparse
from pathlib import Path

import numpy as np

from graphlift import Lifter
from graphlift.lifting import Lifted
from graphlift.metrics import angles_between, joint_errors
from graphlift.preprocessing import canonical_28
from graphlift.samples.augment import Augmentation
from graphlift.samples.body_views import BodyViews
from graphlift.samples.open_data import read_open_data
from graphlift.samples.strata import DEFINITIONS, EXACT, POSTURES, strata
from graphlift.scoring.sigma import sigma_coverage
from graphlift.skeletons import BODY_28, COCO_17, H36M_16, H36M_17, joint_map

SIXTEEN = BODY_28.index(*H36M_16.joints)
HIPS = BODY_28.index("LHip", "RHip")


def of_17(views: BodyViews) -> tuple[np.ndarray, np.ndarray]:
    """Rays and confidences of Human3.6M's 17 joints, made as a detector's joint map makes them."""
    rays, confidence = views.rays[:, :17].copy(), views.confidence[:, :17].copy()
    detected = ~views.captured
    names = {"Ankle": "Foot"}
    at = BODY_28.index(
        *(n if n == "Nose" else n[0] + names.get(n[1:], n[1:]) for n in COCO_17.joints)
    )
    conversion = joint_map(COCO_17, H36M_17)
    coco = np.where(
        views.confidence[detected][:, at, None] > 0, views.rays[detected][:, at], np.nan
    )
    converted = conversion(coco)
    seen = np.isfinite(converted).all(axis=-1)
    rays[detected] = np.nan_to_num(converted)
    confidence[detected] = seen
    return rays, confidence


def lift_with(model: str):
    """A function from views to positions and sigmas of 28 or 17 joints, camera axes."""
    if Path(model).is_dir():
        return lift_with_run(Path(model) / "model.safetensors")
    lifter = Lifter.load(model, threads=1)

    def lift(views: BodyViews) -> tuple[np.ndarray, np.ndarray]:
        found = lift_views(lifter, views)
        return found.positions, found.sigma

    return lift


def lift_views(lifter: Lifter, views: BodyViews) -> Lifted:
    """Lift views by a model of 28 joints, or by one of the 17 that are made of them."""
    seen = (views.rays, views.confidence) if lifter.skeleton == BODY_28 else of_17(views)
    return lifter.lift_rays(*seen)


def lift_with_run(path: Path):
    """The same by a network of 28 joints as it was trained; its sigma is not calibrated."""
    import torch

    from graphlift.training.checkpoints import load_run

    network = load_run(path)[0].eval()
    torch.set_num_threads(1)

    def lift(views: BodyViews) -> tuple[np.ndarray, np.ndarray]:
        seen = canonical_28(views.rays, views.confidence)
        with torch.inference_mode():
            answer = network(torch.from_numpy(seen.inputs.astype(np.float32))).numpy()
        return answer[..., :3] @ seen.R, np.exp(answer[..., 3])

    return lift


def scores(predicted: np.ndarray, sigma: np.ndarray, views: BodyViews) -> np.ndarray:
    """MPJPE and P-MPJPE, mm; the hips' turn, degrees; what 50, 80 and 95 % of sigma cover."""
    lifted = np.isfinite(predicted).all(axis=(1, 2))  # too few joints are no pose
    predicted, sigma, truth = predicted[lifted], sigma[lifted], views.targets[lifted]
    rooted = predicted - predicted[:, :1]
    plain = joint_errors(rooted[:, SIXTEEN], truth[:, SIXTEEN])
    aligned = joint_errors(rooted[:, SIXTEEN], truth[:, SIXTEEN], alignment="similarity")
    one, two = (x[:, HIPS[0]] - x[:, HIPS[1]] for x in (rooted, truth))
    turn = np.degrees(angles_between(one, two))
    joints = sigma.shape[1]
    covered = sigma_coverage(rooted, truth[:, :joints], sigma)
    return np.array([1000 * plain.mean(), 1000 * aligned.mean(), turn.mean(), *covered.values()])


def show(table, found, columns, form) -> None:
    """Print a table of strata, and its means by definition."""
    models = list(table)
    print("\n| stratum | n | " + " | ".join(models) + " |")
    print("|---|---:|" + "---:|" * len(models))
    for posture in POSTURES:
        for definition in DEFINITIONS:
            name = f"{posture}, {definition}"
            cells = [form.format(*table[model][name][columns]) for model in models]
            print(f"| {name} | {len(found[name])} | {' | '.join(cells)} |")
    for definition in (*DEFINITIONS, ""):
        cells = []
        for model in models:
            rows = [v[columns] for name, v in table[model].items() if name.endswith(definition)]
            cells.append(form.format(*np.mean(rows, axis=0)))
        print(f"| mean, {definition or 'all'} | | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--noisy", action="store_true", help="detections as training has them")
    chosen = parser.parse_args()
    data = read_open_data(chosen.mocap)
    seen = Augmentation(mirror=0) if chosen.noisy else EXACT
    found = strata(data.motion("validation", stride=data.stride), augmentation=seen)
    table = {}
    for model in chosen.models:
        lift = lift_with(model)
        table[model] = {name: scores(*lift(views), views) for name, views in found.items()}
    show(table, found, slice(0, 3), "{:.1f} / {:.1f} / {:.1f}°")
    print("\nWhat sigma covers, per cent, of 50 / 80 / 95:")
    show(table, found, slice(3, 6), "{:.0f} / {:.0f} / {:.0f}")


if __name__ == "__main__":
    main()
