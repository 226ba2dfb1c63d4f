"""Score models on strata of validation people: postures, bodies and definitions of keypoints.

    python benchmarks/strata.py path/to/mocap open-base runs/mine [more models] [--docs PAGE]

A model is a name, an .onnx file, or the folder of a finished training run. A model of 17 joints
sees what conversion gives it of the same keypoints. MPJPE / P-MPJPE, mm, of Human3.6M's 16 joints,
mean over frames, every frame through an unseen camera of its own; the angle between the lifted and
the true line through the hips, degrees, mean over frames; and which share of all joints lies
within the balls that should hold 50, 80 and 95 %: first of exact 2D, then of noisy 2D with missing
joints, as training has them.
"""

import argparse
from pathlib import Path

import numpy as np
from pages import add_docs, show, table

from graphlift import Lifter
from graphlift.datasets.mocap.turns import Motion
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


def tabulate(scored, found, columns, form, *, means_only=False):
    """A table of strata and its means by definition; a column for each model."""
    rows = []
    for posture in () if means_only else POSTURES:
        for definition in DEFINITIONS:
            name = f"{posture}, {definition}"
            cells = [form.format(*each[name][columns]) for each in scored.values()]
            rows.append([name, str(len(found[name])), *cells])
    for definition in (*DEFINITIONS, ""):
        cells = []
        for each in scored.values():
            own = [v[columns] for name, v in each.items() if name.endswith(definition)]
            cells.append(form.format(*np.mean(own, axis=0)))
        rows.append([f"mean, {definition or 'all'}", "", *cells])
    return table(["stratum", "n", *scored], rows, words=1)


def measure(motion: Motion, models: dict, seen: Augmentation):
    """The strata, and the :func:`scores` of each model on each of them."""
    found = strata(motion, augmentation=seen)
    scored = {
        model: {name: scores(*lift(views), views) for name, views in found.items()}
        for model, lift in models.items()
    }
    return scored, found


def compare(motion: Motion, models: dict) -> dict[str, str]:
    """Tables by name: errors and what sigma covers, exact and noisy."""
    tables = {}
    for word, seen in (("", EXACT), (", noisy", Augmentation(mirror=0))):
        scored, found = measure(motion, models, seen)
        few = {"means_only": bool(word)}
        errors = tabulate(scored, found, slice(0, 3), "{:.1f} / {:.1f} / {:.1f}°", **few)
        sigma = tabulate(scored, found, slice(3, 6), "{:.0f} / {:.0f} / {:.0f}", means_only=True)
        tables |= {f"strata{word}": errors, f"strata, sigma{word}": sigma}
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap")
    parser.add_argument("models", nargs="+")
    add_docs(parser)
    chosen = parser.parse_args()
    data = read_open_data(chosen.mocap)
    names = [Path(model).name.removesuffix(".onnx") for model in chosen.models]
    models = dict(zip(names, map(lift_with, chosen.models), strict=True))
    show(compare(data.motion("validation", stride=data.stride), models), chosen.docs)


if __name__ == "__main__":
    main()
