"""Tables of what is measured on the film."""

import csv

import numpy as np
from pages import table

from film.directions import DIRECTIONS, direction_errors
from film.hiding import LEGS, split_errors, straight_legs
from film.methods import CLIP, FRAMES, Made
from film.parts import PARTS, bootstrap, mean_and_spread, mean_of_known, take_apart
from film.reference import JOINTS
from graphlift.files import replacing

GUESS = "true trunk, straight legs"
HALVES = (FRAMES, CLIP)
"""Ways that are tabulated where not all are."""


def names(method):
    return [method.detector, method.model, method.way]


def take_all_apart(made, truths):
    """Method -> the :class:`film.parts.Parts` of each view."""
    return {
        method: [compare(view.points, truth) for view, truth in zip(views, truths, strict=True)]
        for method, views in made.items()
    }


def compare(points, truth):
    """The compared joints of one view, taken apart."""
    rays = truth.rays[:, : len(JOINTS)]
    return take_apart(points[:, : len(JOINTS)], truth.joints, rays, truth.up)


def cells(values, digits=0):
    """Means over frames, each with half its 95 % interval."""
    means, spreads = mean_and_spread(values)
    means = np.round(means, digits) + 0.0  # not -0
    return [f"{m:.{digits}f} ± {s:.{digits}f}" for m, s in zip(means, spreads, strict=True)]


def over_views(arrays):
    """Frames' means over views: of the same moment, so drawn together."""
    return mean_of_known(np.stack(arrays))


def parts_table(parts):
    """Every method's error and its parts, mm, means over views and frames."""
    rows = []
    for method, views in parts.items():
        whole = over_views([1000 * v.stages[:, :1] for v in views])
        shares = over_views([1000 * v.shares for v in views])
        rows.append([*names(method), *cells(np.concatenate([whole, shares], axis=1))])
    return table(["keypoints", "3D from", "how", "whole error", *PARTS], rows)


def p_mpjpe_table(parts):
    """P-MPJPE of each view, mm, and the mean's difference from BlazePose's own, smoothed."""
    base = next((views for method, views in parts.items() if method.smoothed_own), None)
    rows = []
    for method, views in parts.items():
        errors = np.stack([1000 * v.stages[:, 3] for v in views], axis=1)
        row = [*names(method), *cells(np.column_stack([errors, mean_of_known(errors.T)]))]
        if base is not None:
            others = np.stack([1000 * v.stages[:, 3] for v in base], axis=1)
            gain = mean_of_known((errors - others).T)
            low, high = np.quantile(bootstrap(gain), [0.025, 0.975])
            text = f"{np.nanmean(gain):+.1f} [{low:+.1f}, {high:+.1f}]"
            row.append("" if views is base else text)
        rows.append(row)
    head = [f"camera {k + 1}" for k in range(len(next(iter(parts.values()))))]
    head = ["keypoints", "3D from", "how", *head, "mean"]
    return table([*head, "less BlazePose's, smoothed"] if base is not None else head, rows)


def turns_table(parts):
    """Yaw of each view, degrees, signed; the other turn and the size, means over views."""
    rows = []
    for method, views in parts.items():
        yaw = cells(np.stack([v.yaw for v in views], axis=1))
        rest = [np.stack([np.abs(v.yaw), v.rest, 100 * v.size], axis=1) for v in views]
        rows.append([*names(method), *yaw, *cells(over_views(rest))])
    head = [f"camera {k + 1}" for k in range(len(next(iter(parts.values()))))]
    more = ["yaw, either way", "rest of the turn", "size, %"]
    return table(["keypoints", "3D from", "how", *head, *more], rows)


def cameras_table(parts):
    """Parts of each view by itself, mm."""
    rows = []
    for method, views in parts.items():
        for k, view in enumerate(views, start=1):
            values = 1000 * np.concatenate([view.stages[:, :1], view.shares], axis=1)
            rows.append([*names(method)[:2], str(k), *cells(values)])
    return table(["keypoints", "3D from", "camera", "whole error", *PARTS], rows)


def directions_table(made, truths):
    """Angles from the reference's directions, degrees, as lifted / with the body's turn undone."""
    rows = []
    for method, views in made.items():
        if not (method.way == CLIP or method.smoothed_own):
            continue
        texts = []
        for turned_back in (False, True):
            pairs = zip(views, truths, strict=True)
            found = [direction_errors(*pair, turned_back=turned_back) for pair in pairs]
            means = mean_of_known(np.concatenate(found))
            texts.append(["–" if np.isnan(mean) else f"{mean:.0f}" for mean in means])
        both = (one if one == "–" else f"{one} / {two}" for one, two in zip(*texts, strict=True))
        rows.append([*names(method)[:2], *both])
    return table(["keypoints", "3D from", *DIRECTIONS], rows, words=2)


def halves_table(whole, halves, truths, masks):
    """Errors of seen and hidden joints, mm; in brackets with nothing hidden, of the same joints.

    Args:
        whole: Method -> views, given all keypoints.
        halves: What is hidden -> method -> views.
        truths: The reference in each view.
        masks: What is hidden -> detector -> which of the 12 joints are seen, a view each.
    """
    rows = []
    for what, made in halves.items():
        for method, views in made.items():
            seen = masks[what][method.detector]
            half = cells(halves_errors(views, truths, seen))
            full = mean_of_known(halves_errors(whole[method], truths, seen))
            both = [f"{h} ({f:.0f})" for h, f in zip(half, full, strict=True)]
            rows.append([what, *names(method), *both])
        if what == LEGS:
            guess = [Made(straight_legs(truth.joints)) for truth in truths]
            seen = next(iter(masks[what].values()))
            hidden = cells(halves_errors(guess, truths, seen))[2]
            rows.append([what, "–", GUESS, "–", "–", "–", hidden])
    head = ["hidden", "keypoints", "3D from", "how", "seen, P-MPJPE", "seen", "hidden joints"]
    return table(head, rows, words=4)


def halves_errors(views, truths, masks):
    """As :func:`film.hiding.split_errors`, mm, means over views."""
    return over_views([
        1000 * split_errors(view.points[:, : len(JOINTS)], truth.joints, mask)
        for view, truth, mask in zip(views, truths, masks, strict=True)
    ])  # fmt: skip


def references_table(others, truths):
    """How far references from other detectors are from the one that counts, mm and degrees."""
    rows = []
    for name, views in others.items():
        parts = [compare(view.positions, truth) for view, truth in zip(views, truths, strict=True)]
        errors = over_views([1000 * part.stages[:, [0, 3]] for part in parts])
        turns = over_views([np.stack([part.yaw, part.rest], axis=1) for part in parts])
        rows.append([name, *cells(errors), *cells(turns, 1)])
    head = ["reference from", "whole error, mm", "P-MPJPE, mm", "yaw, °", "rest of the turn, °"]
    return table(head, rows, words=1)


def by_reference_table(parts):
    """P-MPJPE, mm, means over views and frames, by what the reference is made of.

    Args:
        parts: Name of the reference -> method -> the parts of each view.
    """
    rows = [
        [*names(method), *(cells(over_views([1000 * v.stages[:, 3:4] for v in each[method]]))[0]
                           for each in parts.values())]
        for method in next(iter(parts.values()))
    ]  # fmt: skip
    return table(["keypoints", "3D from", "how", *parts], rows)


def write_csv(path, parts):
    """Every method's parts in every view, means over frames: mm, degrees, and the size's share."""
    with replacing(path) as beside, beside.open("w", newline="") as file:
        out = csv.writer(file)
        head = ["keypoints", "3d from", "how", "camera", "whole mm", *(f"{p} mm" for p in PARTS)]
        out.writerow([*head, "p-mpjpe mm", "yaw deg", "rest deg", "size", "frames"])
        for method, views in parts.items():
            for k, view in enumerate(views, start=1):
                numbers = 1000 * np.column_stack(
                    [view.stages[:, 0], view.shares, view.stages[:, 3]]
                )
                more = np.column_stack([view.yaw, view.rest, view.size])
                means = mean_of_known(np.concatenate([numbers, more], axis=1))
                frames = int(np.isfinite(view.yaw).sum())
                out.writerow([*names(method), k, *(f"{mean:.3f}" for mean in means), frames])
