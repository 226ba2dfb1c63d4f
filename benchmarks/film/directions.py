"""Which way feet, head and pelvis point, against the reference: angles, degrees.

A *foot* points from heel to big toe, the *head* from the middle of the ears to the nose. The *hip
line* goes from the right hip to the left one; the *trunk's normal* is perpendicular to it and to
the line from the middle of the hips to that of the shoulders, and points to the front. The
pelvis' *heading* is level: by the hip line, perpendicular to it; by the model's own front of the
pelvis, along it. So a bent pelvis and a bent trunk have the same heading.
"""

import numpy as np

from film.parts import best_rotation
from film.reference import JOINTS, POINTS
from graphlift.geometry import unit_vectors
from graphlift.sequences import FRONTS

_AT = {name: place for place, name in enumerate(POINTS)}
DIRECTIONS = (
    *("foot", "head", "hip line", "trunk's normal", "heading by hips"),
    *("heading by front", "head by front"),
)


def point(points, up, fronts=None):
    """Unit vectors by name: (frame, 1 or 2 sides, 3); NaN where a point is not known.

    Args:
        points: (frame, point, 3), m.
        up: Unit vector against gravity, same axes.
        fronts: As :attr:`film.methods.Made.fronts`; what is made of them is NaN without.
    """
    at = {name: points[:, place] for name, place in _AT.items()}
    hips = at["LHip"] - at["RHip"]
    trunk = at["LShoulder"] + at["RShoulder"] - at["LHip"] - at["RHip"]
    if fronts is None:
        fronts = np.full((len(points), len(FRONTS), 3), np.nan)
    pelvis, head = (fronts[:, FRONTS.index(name)] for name in ("Pelvis", "Head"))
    made = {
        "foot": [at[f"{side}BigToe"] - at[f"{side}Heel"] for side in "LR"],
        "head": [at["Nose"] - (at["LEar"] + at["REar"]) / 2],
        "hip line": [hips],
        "trunk's normal": [np.cross(hips, trunk)],
        "heading by hips": [np.cross(hips, up)],
        "heading by front": [pelvis - (pelvis @ up)[:, None] * up],
        "head by front": [head],
    }
    return {name: unit_vectors(np.stack(each, axis=1)) for name, each in made.items()}


def direction_errors(made, truth, *, turned_back=False):
    """Angles between each direction and the reference's, degrees: (frame, direction).

    Args:
        made: Of one view.
        truth: The reference in that view.
        turned_back: Whether the turn of the whole body is undone first, as for P-MPJPE.
    """
    points, fronts = made.points, made.fronts
    if turned_back:
        turn = turn_back(points, truth.positions)
        points, fronts = points @ turn, None if fronts is None else fronts @ turn
    found, goals = point(points, truth.up, fronts), point(truth.positions, truth.up)
    goals |= {"heading by front": goals["heading by hips"], "head by front": goals["head"]}
    columns = [angle(found[name], goals[name]).mean(axis=1) for name in DIRECTIONS]
    return np.stack(columns, axis=1)


def turn_back(points, goal):
    """For each frame the matrix by which rows are multiplied to undo the whole body's turn."""
    x, y = (each[:, : len(JOINTS)] for each in (points, goal))
    known = (np.isfinite(x) & np.isfinite(y)).all(axis=(1, 2))
    R = np.full((len(x), 3, 3), np.nan)
    x, y = (each[known] - each[known].mean(axis=1, keepdims=True) for each in (x, y))
    R[known] = best_rotation(x, y).swapaxes(-1, -2)
    return R


def angle(a, b):
    """Between unit vectors, degrees."""
    return np.degrees(np.arccos(np.clip((a * b).sum(axis=-1), -1, 1)))
