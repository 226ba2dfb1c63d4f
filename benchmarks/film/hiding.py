"""Half of a body: keypoints hidden from a lifter; errors of what it saw and of what it did not."""

from dataclasses import replace

import numpy as np

from film.methods import pick_points
from film.reference import JOINTS
from graphlift.geometry import align_similarity, unit_vectors

LEGS, WAIST, CUT = HIDDEN = ("legs", "below the waist", "image cut at the waist")
"""Keypoints of the legs hidden; those below a row of the image; the detector shown no more of the
image than down to this row (:func:`portrait`)."""
_LEG = ("Knee", "Ankle", "Heel", "FootIndex", "BigToe", "SmallToe", "Foot")
HEIGHT = 1 / 3
"""Of the way from the hips to the shoulders, where the waist is."""
MARGIN = 0.1
"""Of the width of the person's way, on either side of a :func:`portrait`."""
LEAST = 4
"""Seen joints that a pose is aligned by, at least."""


def is_leg(name):
    """Whether a joint is below the hips."""
    return name[:1] in "LR" and name[1:] in _LEG


def waist_row(keypoints):
    """The row of the image at which one person's clip is cut, px: the median over frames of the
    row that is :data:`HEIGHT` of the way from the middle of the hips to that of the shoulders."""
    y = keypoints.positions[:, 0, :, 1]
    hips, shoulders = (
        y[:, keypoints.skeleton.index(f"L{name}", f"R{name}")].mean(axis=-1)
        for name in ("Hip", "Shoulder")
    )
    return float(np.nanmedian(hips + HEIGHT * (shoulders - hips)))


def portrait(keypoints):
    """The part of the image for a detector that is shown no more than down to the waist, px: left,
    right, bottom. It is as wide as the person's way, so that nobody else of the film is in it."""
    x = keypoints.positions[:, 0, :, 0]
    left, right = np.nanmin(x), np.nanmax(x)
    margin = MARGIN * (right - left)
    return max(round(left - margin), 0), round(right + margin), round(waist_row(keypoints))


def hide(keypoints, what):
    """Keypoints without the legs, or without those below :func:`waist_row`."""
    if what == LEGS:
        gone = np.array([is_leg(name) for name in keypoints.skeleton.joints])
        gone = np.broadcast_to(gone, keypoints.confidence.shape)
    else:
        gone = keypoints.positions[..., 1] > waist_row(keypoints)
    return replace(
        keypoints,
        positions=np.where(gone[..., None], np.nan, keypoints.positions),
        confidence=np.where(gone, 0.0, keypoints.confidence),
    )


def shown(keypoints):
    """Which of the compared joints are there: (frame, 12)."""
    there = np.where(keypoints.seen[:, 0, :, None], 1.0, np.nan)
    return np.isfinite(pick_points(there, keypoints.skeleton)[:, : len(JOINTS), 0])


def split_errors(predicted, target, seen):
    """Errors of the joints that were seen and of the others, m: (frame, 3).

    First of the seen ones, aligned by the best similarity of them; then of the seen and of the
    other ones where the pose is only moved, so that the mean of the seen ones is right: its turn
    and size count. (A few joints of a trunk do not say how a body is turned as a whole.)

    Args:
        predicted: (frame, joint, 3), m.
        target: The same joints, m.
        seen: (frame, joint).

    Returns:
        Mean distances; NaN where there is no such joint, or fewer than :data:`LEAST` are seen.
    """
    known = (np.isfinite(predicted) & np.isfinite(target)).all(axis=(1, 2))
    known &= seen.sum(axis=1) >= LEAST
    x, goal, seen = predicted[known], target[known], seen[known]
    middle = (seen / seen.sum(axis=1, keepdims=True))[..., None]
    moved = x + ((goal - x) * middle).sum(axis=1, keepdims=True)
    aligned = align_similarity(x, goal, seen)
    errors = np.full((len(target), 3), np.nan)
    errors[known] = np.stack(
        [
            mean_distance(aligned, goal, seen),
            mean_distance(moved, goal, seen),
            mean_distance(moved, goal, ~seen),
        ],
        axis=1,
    )
    return errors


def mean_distance(x, goal, chosen):
    """Over the chosen joints of each frame; NaN where none is."""
    distance = np.where(chosen, np.linalg.norm(x - goal, axis=-1), 0)
    count = chosen.sum(axis=1)
    return np.where(count > 0, distance.sum(axis=1) / np.maximum(count, 1), np.nan)


def straight_legs(positions):
    """True upper bodies on legs that continue the line of the trunk, each bone of its true length.

    A guess that needs no network: what a lifter has to be better than where legs are hidden.

    Args:
        positions: True ones of the compared joints: (frame, 12, 3), m.
    """
    at = {name: positions[:, place] for place, name in enumerate(JOINTS)}
    down = unit_vectors(at["LHip"] + at["RHip"] - at["LShoulder"] - at["RShoulder"])
    guess = positions.copy()
    for side in "LR":
        end = at[f"{side}Hip"]
        for upper, lower in (("Hip", "Knee"), ("Knee", "Ankle")):
            bone = at[f"{side}{lower}"] - at[f"{side}{upper}"]
            end = end + np.linalg.norm(bone, axis=-1, keepdims=True) * down
            guess[:, JOINTS.index(f"{side}{lower}")] = end
    return guess
