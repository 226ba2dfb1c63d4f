"""Score models on strata of validation people: postures, bodies and definitions of keypoints.

    python benchmarks/strata.py path/to/mocap open-pre-agg runs/open-base [more models]

A model is a name, an .onnx file, or the folder of a finished training run. A model of 17 joints
sees what conversion gives it of the same keypoints. MPJPE / P-MPJPE, mm, of Human3.6M's 16 joints,
mean over frames, exact 2D, every frame through an unseen camera of its own; and the error of the
pelvis' heading, degrees, mean over frames.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from graphlift import Lifter
from graphlift.metrics import joint_errors
from graphlift.preprocessing import canonical_28
from graphlift.samples.body_views import BodyViews
from graphlift.samples.open_data import read_open_data
from graphlift.samples.strata import DEFINITIONS, POSTURES, strata
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
    """A function from views to root-relative positions of 28 or 17 joints, camera axes."""
    if Path(model).is_dir():
        import torch
        from safetensors.torch import load_file

        from graphlift.nn.build import build_network
        from graphlift.training.checkpoints import read_checkpoint

        path = Path(model) / "model.safetensors"
        config = read_checkpoint(path, way_out="train it again")[1]["config"]["model"]
        network = build_network(**config)
        network.load_state_dict(load_file(path))
        network.eval()
        torch.set_num_threads(1)

        def lift(views: BodyViews) -> np.ndarray:
            seen = canonical_28(views.rays, views.confidence)
            with torch.inference_mode():
                answer = network(torch.from_numpy(seen.inputs.astype(np.float32))).numpy()
            return answer[..., :3] @ seen.R

        return lift
    return partial(lift_views, Lifter.load(model, threads=1))


def lift_views(lifter: Lifter, views: BodyViews) -> np.ndarray:
    """Root-relative positions of the lifter's joints, camera axes."""
    seen = (views.rays, views.confidence) if lifter.skeleton == BODY_28 else of_17(views)
    return lifter.lift_rays(*seen).positions


def scores(predicted: np.ndarray, views: BodyViews) -> tuple[float, float, float]:
    rooted = predicted - predicted[:, :1]
    truth = views.targets
    plain = joint_errors(rooted[:, SIXTEEN], truth[:, SIXTEEN])
    aligned = joint_errors(rooted[:, SIXTEEN], truth[:, SIXTEEN], alignment="similarity")
    one, two = (x[:, HIPS[0]] - x[:, HIPS[1]] for x in (rooted, truth))
    cosine = (one * two).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(two, axis=-1)
    turn = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return 1000 * plain.mean(), 1000 * aligned.mean(), turn.mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap")
    parser.add_argument("models", nargs="+")
    chosen = parser.parse_args()
    data = read_open_data(chosen.mocap)
    found = strata(data.motion("validation", stride=data.stride))
    table = {
        model: {name: scores(lift(views), views) for name, views in found.items()}
        for model in chosen.models
        for lift in [lift_with(model)]
    }
    print("| stratum | n | " + " | ".join(chosen.models) + " |")
    print("|---|---:|" + "---:|" * len(chosen.models))
    for posture in POSTURES:
        for definition in DEFINITIONS:
            name = f"{posture}, {definition}"
            cells = [
                "{:.1f} / {:.1f} / {:.1f}°".format(*table[model][name]) for model in chosen.models
            ]
            print(f"| {name} | {len(found[name])} | " + " | ".join(cells) + " |")
    for definition in (*DEFINITIONS, ""):
        cells = []
        for model in chosen.models:
            rows = [v for name, v in table[model].items() if name.endswith(definition)]
            cells.append("{:.1f} / {:.1f} / {:.1f}°".format(*np.mean(rows, axis=0)))
        print(f"| mean, {definition or 'all'} | | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
