"""Half of a body: people of motion capture whose legs, or all below the waist, are hidden.

    python benchmarks/half_bodies.py path/to/mocap open-base new=runs/new.onnx [--docs PAGE]

A model is a name, an .onnx file, or LABEL=FILE. The people are the validation people of
``benchmarks/strata.py``, every frame through an unseen camera of its own, exact 2D, on a body of
the library and by a detector's definition of the keypoints ("detected"). Hidden are knees, ankles
and feet (*legs*), or these, hips and pelvis (*below the waist*). Errors are those of Human3.6M's
16 joints without the pelvis; beside a lifter's, those of a guess: the true trunk on straight legs.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from film.hiding import LEGS, WAIST, is_leg, split_errors, straight_legs
from film.methods import load_models
from film.parts import mean_of_known
from film.reference import JOINTS
from film.tables import GUESS
from pages import add_docs, show, table
from strata import lift_views

from graphlift.samples.open_data import read_open_data
from graphlift.samples.strata import POSTURES, strata
from graphlift.skeletons import BODY_28, H36M_16

COMPARED = BODY_28.index(*H36M_16.joints[1:])
TWELVE = BODY_28.index(*(name.replace("Ankle", "Foot") for name in JOINTS))
HIDDEN = {
    LEGS: np.array([is_leg(name) for name in BODY_28.joints]),
    WAIST: np.array([is_leg(name) or name.endswith("Hip") for name in BODY_28.joints]),
}
DEFINITION = "detected"


def hide(views, joints):
    """Views without some joints."""
    return replace(views, confidence=np.where(joints, 0.0, views.confidence))


def errors_of(predicted, views, joints):
    """Of seen and hidden joints, mm, means over frames, as :func:`film.hiding.split_errors`."""
    seen = np.broadcast_to(~joints[COMPARED], (len(views), len(COMPARED)))
    errors = split_errors(predicted[:, COMPARED], views.targets[:, COMPARED], seen)
    return 1000 * mean_of_known(errors)


def guess(views):
    """Targets with straight legs."""
    guessed = views.targets.copy()
    guessed[:, TWELVE] = straight_legs(views.targets[:, TWELVE])
    return guessed


def measure(found, lifters):
    """What is hidden, model and posture -> :func:`errors_of` half a body, and of the whole."""
    means = {}
    for posture in POSTURES:
        views = found[f"{posture}, {DEFINITION}"]
        for what, joints in HIDDEN.items():
            for name, lifter in lifters.items():
                half = errors_of(lift_views(lifter, hide(views, joints)).positions, views, joints)
                full = errors_of(lift_views(lifter, views).positions, views, joints)
                means[what, name, posture] = np.stack([half, full])
        guessed = errors_of(guess(views), views, HIDDEN[LEGS])
        means[LEGS, GUESS, posture] = np.stack([guessed, guessed])
    return means


def tabulate(means):
    """A row for each model, a column for each posture: hidden joints; then means of all errors."""
    rows = []
    for what, name in sorted(
        dict.fromkeys(key[:2] for key in means), key=lambda key: key[0] != LEGS
    ):
        each = np.stack([means[what, name, posture] for posture in POSTURES])
        numbers = np.concatenate([each[:, :, 2], each.mean(axis=0)[:, [2, 1, 0]].T])
        cells = [f"{half:.0f} ({full:.0f})" for half, full in numbers]
        if name == GUESS:
            cells = [f"{error:.0f}" for error in numbers[:-2, 0]] + ["–", "–"]
        rows.append([what, name, *cells])
    head = ["hidden", "3D from", *POSTURES, "mean", "seen", "seen, P-MPJPE"]
    return table(head, rows, words=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap")
    parser.add_argument("models", nargs="+")
    add_docs(parser)
    parser.add_argument("--each", type=int, default=600, help="people a posture")
    chosen = parser.parse_args()
    data = read_open_data(chosen.mocap)
    motion = data.motion("validation", stride=data.stride)
    text = tabulate(measure(strata(motion, each=chosen.each), load_models(chosen.models)))
    show({"half bodies": text}, chosen.docs)


if __name__ == "__main__":
    main()
