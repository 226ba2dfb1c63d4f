"""Fig. 2 of the supplement: the frames with the largest errors, drawn and counted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphlift.skeletons import SKELETONS, Skeleton
from graphlift.study import paper
from graphlift.study.claims import joint_kind
from graphlift.study.grid import Study, Variant
from graphlift.study.report.figures import WIDTH, plain
from graphlift.study.results import Result, WorstFrame

Points = Float[np.ndarray, "joint 2"]
_SIDE, _GAP, _PAIR, _TOP, _ROW = 1.55, 0.1, 4.95, 0.45, 2.05
"""Inches: side of a view, space between views, step to the next frame, space above the first row,
step to the next row."""
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
    frames: Sequence[WorstFrame]
    seeds: Sequence[int]
    occluded_share: float

    @property
    def posed(self) -> list[WorstFrame]:
        """Frames with their poses; none in lines that were published."""
        return [failure for failure in self.frames if len(failure.predicted)]

    @property
    def worst_kinds(self) -> list[tuple[str, int]]:
        """How often each kind of joint has the largest error of its frame, the most first."""
        kinds = Counter(joint_kind(self.worst_joint(frame)) for frame in self.posed)
        return sorted(kinds.items(), key=lambda item: (-item[1], item[0]))

    @property
    def occluded_worst(self) -> int:
        """In how many frames the joint with the largest error is hidden."""
        return sum(f.occluded[self.joints.index(self.worst_joint(f))] for f in self.posed)

    def worst_joint(self, frame: WorstFrame) -> str:
        """Name the joint with the largest error in a frame."""
        errors = np.linalg.norm(np.subtract(frame.predicted, frame.truth), axis=1)
        return self.joints[int(errors.argmax())]


def gallery(study: Study) -> Gallery | None:
    """Gather the worst frames of the paper's best method (else ours) on the noisiest detections.

    Returns:
        None if no run kept a frame.
    """
    noisiest = {kind: at for at, kind in enumerate(("hg", "hg-sim", "cpn", "cpn-sim", "gt"))}
    kinds = sorted(study.detections, key=lambda kind: noisiest.get(kind, len(noisiest)))
    best = study.find(*paper.BEST)
    for variant in sorted(study.variants, key=lambda each: each != best):
        for kind in kinds:
            runs = study.at(variant, kind)
            kept = [frame for run in runs for frame in run.failures if _drawable(frame, run)]
            if kept:
                names = tuple(runs[0].per_joint_mm)
                skeleton = next((s for s in SKELETONS.values() if s.joints == names), None)
                share = float(np.mean([run.occluded_share for run in runs]))
                return Gallery(variant, kind, skeleton, names, *_distinct(kept), share)
    return None


def _drawable(frame: WorstFrame, run: Result) -> bool:
    """Whether a frame has a row for each joint, or no poses at all."""
    joints = len(run.per_joint_mm)
    poses = {2: [frame.keypoints], 3: [frame.predicted, frame.truth]}
    if not any(len(pose) for some in poses.values() for pose in some):
        return True
    return len(frame.occluded) == joints and all(
        len(pose) == joints and all(len(point) == axes for point in pose)
        for axes, some in poses.items()
        for pose in some
    )


def _distinct(failures: Sequence[WorstFrame]) -> tuple[list[WorstFrame], list[int]]:
    """Keep each frame of each camera once, by its largest error; count how many runs kept it."""
    frames: dict[tuple[str, int, int], list[WorstFrame]] = {}
    for failure in sorted(failures, key=lambda f: -f.mpjpe_mm):
        frames.setdefault((failure.clip, failure.frame, failure.camera), []).append(failure)
    return [same[0] for same in frames.values()], [len(same) for same in frames.values()]


def choose(worst_first: Sequence[WorstFrame], count: int) -> list[WorstFrame]:
    """Take the worst frame of each clip first, so that not all are of the same second."""
    clips: dict[str, WorstFrame] = {}
    for failure in worst_first:
        clips.setdefault(failure.clip, failure)
    chosen = list(clips.values())[:count]
    return chosen + [f for f in worst_first if f not in chosen][: count - len(chosen)]


def worst_frames(found: Gallery, count: int = 6) -> Figure:
    """Draw 2D input, then prediction over truth from the front and from a side.

    All views share one coordinate system, inches of the page with y downwards.
    """
    shown = choose(found.posed, count)
    height = _TOP + _ROW * (-(-len(shown) // 2))
    figure = Figure(figsize=(WIDTH, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(height, 0))
    ax.set_axis_off()
    truths, drawn, hidden = [], [], []
    for place, frame in enumerate(shown):
        left, top = 0.1 + _PAIR * (place % 2), _TOP + _ROW * (place // 2)
        clip = plain(f"{frame.activity}, {frame.clip}")
        where = f"{clip}, frame {frame.frame}, camera {frame.camera}"
        ax.text(left, top - 0.2, f"{where}: {frame.mpjpe_mm:.0f} mm", fontsize=7)
        for column, (title, points, truth) in enumerate(_views(frame)):
            corner = np.array([left + column * (_SIDE + _GAP), top])
            ax.text(corner[0], top - 0.06, title, fontsize=7, color="#555555")
            pose, behind = _fitted(points, truth, corner)
            truths.append(behind if column else np.full_like(points, np.nan))
            drawn.append(pose)
            hidden.append(frame.occluded)
            box = corner + _SIDE * np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
            ax.plot(*box.T, color="#dddddd", lw=0.6)
    _bones(ax, found, np.array(truths), range(len(found.joints)), TRUTH, 4)
    _draw(ax, found, np.array(drawn), np.array(hidden))
    return figure


def _views(frame: WorstFrame) -> list[tuple[str, Points, Points]]:
    """Title, what to draw and the truth behind it (for the 2D input, the input itself)."""
    keypoints = np.array(frame.keypoints, dtype=float)
    predicted, truth = (np.array(p, dtype=float) for p in (frame.predicted, frame.truth))
    return [
        ("2D input", keypoints, keypoints),
        ("from the camera", predicted[:, [0, 1]], truth[:, [0, 1]]),
        ("from the side", predicted[:, [2, 1]], truth[:, [2, 1]]),
    ]


def _fitted(
    points: Points, truth: Points, corner: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "pose joint 2"]:
    """Move and scale two poses together into the square below a corner."""
    both = np.stack([points, truth])
    low, high = both.min(axis=(0, 1)), both.max(axis=(0, 1))
    scale = 0.9 * _SIDE / (float((high - low).max()) + 1e-6)
    return np.asarray(corner + _SIDE / 2 + scale * (both - (low + high) / 2))


def _draw(
    ax: Axes,
    gallery: Gallery,
    points: Float[np.ndarray, "frame joint 2"],
    hidden: Bool[np.ndarray, "frame joint"],
) -> None:
    inks = [
        {"L": LEFT, "R": RIGHT}[name[0]] if joint_kind(name) != name else MIDDLE
        for name in gallery.joints
    ]
    for ink in (MIDDLE, RIGHT, LEFT):
        mine = np.array(inks) == ink
        _bones(ax, gallery, points, np.flatnonzero(mine), ink, 1.3)
        ax.plot(*points[mine & ~hidden].T, "o", color=ink, ms=2.6, mew=0.9)
        ax.plot(*points[mine & hidden].T, "o", color=ink, mfc="white", ms=3.6, mew=0.9)


def _bones(
    ax: Axes,
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
