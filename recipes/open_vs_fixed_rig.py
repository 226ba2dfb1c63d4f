"""The open models beside the paper's recipe, through cameras that none of them has seen.

    python recipes/open_vs_fixed_rig.py MODEL DATA OPEN...

MODEL is the model.safetensors of recipes/fixed_rig.toml (screen-normalised input, four fixed
cameras, 16 joints), OPEN are models to lift with of 17 joints, as in recipes/weights. Prints the
Markdown table of docs/unseen-cameras.md: test subjects and HDM05, every third frame, exact 2D,
known intrinsics, mean over frames and the 16 joints; PCK and AUC over the 14 of cross-14. The open
models know the field of view; the other sees the screen, as the paper has it.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from graphlift.lifting import Lifter
from graphlift.protocols import PROTOCOLS, STRIDE
from graphlift.samples.open_data import read_open_data
from graphlift.samples.random_views import exact_views, people_of
from graphlift.scoring import CompleteScores
from graphlift.skeletons import H36M_16, H36M_17, joint_map
from graphlift.study.open_models import RIGS, SEED
from graphlift.training.checkpoints import load_run
from graphlift.training.evaluation import predict

KEPT = H36M_17.index(*H36M_16.joints)
SCORED = replace(
    PROTOCOLS["open-16"], correct=PROTOCOLS["cross-14"].scored, average="frames", name="as printed"
)


class Screened:
    """Views as the paper's networks take them."""

    skeleton = H36M_16

    def __init__(self, views):
        screen = views.rays / views.tangent[:, None, None]
        self.inputs = screen[:, KEPT].astype(np.float32)


def lift_open(lifter, views):
    parts = [slice(at, at + 256) for at in range(0, len(views), 256)]
    poses = [lifter.lift_rays(views.rays[p], views.confidence[p]).positions for p in parts]
    return np.concatenate(poses).astype(float)[:, KEPT]


def row(people, protocol, name, predicted, views):
    targets = views.targets[:, KEPT]
    scores = CompleteScores(predicted, targets, views.activity, SCORED, H36M_16)
    means, (_, pck, auc) = scores.overall(), scores.correct()[""]
    figures = (means["mpjpe"], means["p_mpjpe"], pck, auc)
    print(f"| {people} | {protocol} | {name} | " + " | ".join(f"{x:.1f}" for x in figures) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("open", type=Path, nargs="+")
    arguments = parser.parse_args()
    lifters = {path.stem: Lifter.load(path) for path in arguments.open}
    network = load_run(arguments.model)[0]
    data = read_open_data(str(arguments.data))
    assert joint_map(H36M_17, H36M_16).kinds == ("exact",) * len(H36M_16)
    print("| people | cameras | model | MPJPE, mm | P-MPJPE, mm | PCK, % | AUC, % |")
    print("|---|---|---|---:|---:|---:|---:|")
    for who, capture in {"CMU test subjects": data.test, "HDM05": data.cross}.items():
        if capture is None:
            continue
        people = people_of(capture, stride=STRIDE)
        for protocol, rig in RIGS.items():
            views = exact_views(people, rig, seed=SEED)
            screened = predict(network, Screened(views)).astype(float)
            row(who, f"`{protocol}`", "paper's recipe, fixed rig", screened, views)
            for name, lifter in lifters.items():
                row(who, f"`{protocol}`", f"`{name}`", lift_open(lifter, views), views)


if __name__ == "__main__":
    main()
