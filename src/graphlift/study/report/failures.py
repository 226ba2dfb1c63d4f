"""Fig. 2 of the supplement: the worst frames, drawn and counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from graphlift.skeletons import SKELETONS, Skeleton
from graphlift.study.claims import BEST, worst_joint
from graphlift.study.grid import Study, Variant, detections_label
from graphlift.study.report.cells import DASH, Cell, Column, Row, Table, number
from graphlift.study.report.figures import Drawing, canvas, plain, to_svg
from graphlift.study.results import Failure, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Float[np.ndarray, "joint 2"]
_SIDE, _GAP, _PAIR, _TOP, _ROW = 1.55, 0.1, 4.95, 0.45, 2.05
"""Inches: a view, between views, from frame to frame, above the first row, from row to row."""
LEFT, RIGHT, MIDDLE, TRUTH = "#d55e00", "#0072b2", "#444444", "#b9b9b9"


@dataclass(frozen=True)
class Gallery:
    """The worst frames of one method on one kind of detections.

    Args:
        variant: The method.
        detections: The detections.
        skeleton: That joints belong to; None if their names are of no known one.
        joints: Names, in the order of the frames' rows.
        frames: Distinct frames that the runs kept, the worst first, each as its worst run saw it.
        seeds: In how many runs each of them is among the worst.
        occluded_share: Share of all test joints that are hidden.
    """

    variant: Variant
    detections: str
    skeleton: Skeleton | None
    joints: tuple[str, ...]
    frames: Sequence[Failure]
    seeds: Sequence[int]
    occluded_share: float

    @property
    def posed(self) -> list[Failure]:
        """Frames with their poses; none in lines that were published."""
        return [failure for failure in self.frames if len(failure.predicted)]

    @property
    def worst_kinds(self) -> list[tuple[str, int]]:
        """How often each kind of joint has the largest error of its frame, the most first."""
        kinds = Counter(_kind(worst_joint(f, self.joints)) for f in self.posed)
        return sorted(kinds.items(), key=lambda item: (-item[1], item[0]))

    @property
    def occluded_worst(self) -> int:
        """In how many frames the joint with the largest error is hidden."""
        return sum(f.occluded[self.joints.index(worst_joint(f, self.joints))] for f in self.posed)


def gallery(study: Study) -> Gallery | None:
    """Gather the worst frames of the paper's best method (else ours) on the noisiest detections.

    Returns:
        None if no run kept a frame.
    """
    noisiest: list[str] = ["hg", "hg-sim", "cpn", "cpn-sim", "gt"]
    kinds = [k for k in noisiest if k in study.detections]
    kinds += [k for k in study.detections if k not in kinds]
    best = study.find(*BEST)
    variants = ([best] if best else []) + [v for v in study.variants if v != best]
    for variant in variants:
        for kind in kinds:
            runs = study.at(variant, kind)
            kept = [f for run in runs for f in run.failures if _whole(f, run)]
            if kept:
                names = tuple(runs[0].per_joint_mm)
                share = float(np.mean([run.occluded_share for run in runs]))
                return Gallery(variant, kind, _skeleton(names), names, *_distinct(kept), share)
    return None


def _whole(failure: Failure, run: Result) -> bool:
    """Whether a frame has a row for each joint, or no poses at all."""
    joints = len(run.per_joint_mm)
    poses = (failure.keypoints, failure.predicted, failure.truth)
    if not any(map(len, poses)):
        return True
    rows = (*poses, failure.occluded)
    if any(len(each) != joints for each in rows):
        return False
    return all(len(p) == 2 for p in failure.keypoints) and all(
        len(p) == 3 for p in (*failure.predicted, *failure.truth)
    )


def _distinct(failures: Sequence[Failure]) -> tuple[list[Failure], list[int]]:
    """Keep each frame of each camera once, by its worst error; count how often it was there."""
    frames: dict[tuple[str, int, int], list[Failure]] = {}
    for failure in sorted(failures, key=lambda f: -f.mpjpe_mm):
        frames.setdefault((failure.clip, failure.frame, failure.camera), []).append(failure)
    return [same[0] for same in frames.values()], [len(same) for same in frames.values()]


def choose(worst_first: Sequence[Failure], count: int) -> list[Failure]:
    """Take the worst frame of each clip first, so that one bad second does not fill the page."""
    clips: dict[str, Failure] = {}
    for failure in worst_first:
        clips.setdefault(failure.clip, failure)
    chosen = list(clips.values())[:count]
    return chosen + [f for f in worst_first if f not in chosen][: count - len(chosen)]


def _skeleton(joints: tuple[str, ...]) -> Skeleton | None:
    return next((s for s in SKELETONS.values() if s.joints == joints), None)


def _kind(joint: str) -> str:
    return joint[1:] if joint[:1] in "LR" and joint[1:2].isupper() else joint


def worst_frames(found: Gallery, count: int = 6) -> Drawing:
    """Fig. 2 of the supplement: 2D input, then prediction over truth from the front and a side.

    All views share one coordinate system, inches of the page with y downwards.
    """
    shown = choose(found.posed, count)
    figure, ax = canvas(_TOP + _ROW * (-(-len(shown) // 2)))
    truths, drawn, hidden = [], [], []
    for place, failure in enumerate(shown):
        left, top = 0.1 + _PAIR * (place % 2), _TOP + _ROW * (place // 2)
        clip = plain(f"{failure.activity}, {failure.clip}")
        where = f"{clip}, frame {failure.frame}, camera {failure.camera}"
        ax.text(left, top - 0.2, f"{where}: {failure.mpjpe_mm:.0f} mm", fontsize=7)
        for column, (title, points, truth) in enumerate(_views(failure)):
            corner = np.array([left + column * (_SIDE + _GAP), top])
            fit = _fit(np.concatenate([points, truth]), corner)
            ax.text(corner[0], top - 0.06, title, fontsize=7, color="#555555")
            truths.append(fit(truth) if column else np.full_like(points, np.nan))
            drawn.append(fit(points))
            hidden.append(failure.occluded)
            box = corner + _SIDE * np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
            ax.plot(*box.T, color="#dddddd", lw=0.6)
    _bones(ax, found, np.array(truths), range(len(found.joints)), TRUTH, 4)
    _draw(ax, found, np.array(drawn), np.array(hidden))
    return Drawing(
        "failures",
        f"The worst frames of {found.variant.spoken}, {detections_label(found.detections)}",
        "Grey: truth. Orange: the person's left; blue: right; black: trunk and head. Hollow "
        "joints are hidden from the camera by a limb. The side view has the camera on its left.",
        to_svg(figure),
    )


def _views(failure: Failure) -> list[tuple[str, Points, Points]]:
    """Title, what to draw and the truth behind it (for the 2D input nothing, so itself)."""
    keypoints = np.array(failure.keypoints, dtype=float)
    predicted, truth = (np.array(p, dtype=float) for p in (failure.predicted, failure.truth))
    return [
        ("2D input", keypoints, keypoints),
        ("from the camera", predicted[:, [0, 1]], truth[:, [0, 1]]),
        ("from the side", predicted[:, [2, 1]], truth[:, [2, 1]]),
    ]


def _fit(points: Points, corner: Float[np.ndarray, "2"]) -> Callable[[Points], Points]:
    """Say how to bring points into the square below a corner, keeping their shape."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 0.9 * _SIDE / (float((high - low).max()) + 1e-6)
    return lambda some: np.asarray(corner + _SIDE / 2 + scale * (some - (low + high) / 2))


def _draw(
    ax: "Axes",
    gallery: Gallery,
    points: Float[np.ndarray, "frame joint 2"],
    hidden: Bool[np.ndarray, "frame joint"],
) -> None:
    sides = np.array([_side(name) for name in gallery.joints])
    for ink in (MIDDLE, RIGHT, LEFT):
        mine = sides == ink
        _bones(ax, gallery, points, np.flatnonzero(mine), ink, 1.3)
        ax.plot(*points[mine & ~hidden].T, "o", color=ink, ms=2.6, mew=0.9)
        ax.plot(*points[mine & hidden].T, "o", color=ink, mfc="white", ms=3.6, mew=0.9)


def _bones(
    ax: "Axes",
    gallery: Gallery,
    points: Float[np.ndarray, "frame joint 2"],
    children: Iterable[int],
    ink: str,
    width: float,
) -> None:
    """Draw the bones that end in some joints, all frames in one broken line."""
    parents = gallery.skeleton.parents if gallery.skeleton else ()
    gap = np.full(points[:, 0].shape, np.nan)
    bones = [
        np.stack([points[:, parents[child]], points[:, child], gap], axis=1)
        for child in children
        if parents and parents[child] >= 0
    ]
    if bones:
        line = np.concatenate(bones).reshape(-1, 2)
        ax.plot(*line.T, color=ink, lw=width, solid_capstyle="round")


def _side(joint: str) -> str:
    paired = joint[1:2].isupper()
    return {"L": LEFT, "R": RIGHT}.get(joint[:1], MIDDLE) if paired else MIDDLE


def listed(found: Gallery, count: int = 12) -> Table:
    """The worst frames by name, which can be published where their poses cannot."""
    rows = [
        Row(
            [
                Cell(failure.activity),
                Cell(failure.clip),
                Cell(str(failure.frame)),
                Cell(str(failure.camera)),
                Cell(number(failure.mpjpe_mm)),
                Cell(str(seeds)),
                Cell(worst_joint(failure, found.joints) if len(failure.predicted) else DASH),
            ]
        )
        for failure, seeds in list(zip(found.frames, found.seeds, strict=True))[:count]
    ]
    return Table(
        f"The worst frames of {found.variant.spoken}, {detections_label(found.detections)}, mm",
        "Each frame of each camera once, with the error of its worst run; runs: how many kept it "
        "among their worst.",
        [
            Column("Activity", number=False),
            Column("Clip", number=False),
            Column("Frame"),
            Column("Camera"),
            Column("MPJPE"),
            Column("Runs"),
            Column("Largest error at", number=False),
        ],
        rows,
        folded=True,
    )
