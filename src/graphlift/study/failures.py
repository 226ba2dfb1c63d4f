"""Fig. 2 of the supplement: the worst frames, drawn and counted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from graphlift.skeletons import SKELETONS, Skeleton
from graphlift.study.claims import BEST, worst_joint
from graphlift.study.figures import Drawing, Margins, blank, plain, to_svg
from graphlift.study.grid import Study, Variant, detections_label
from graphlift.study.results import Failure, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEFT, RIGHT, MIDDLE, TRUTH = "#d55e00", "#0072b2", "#444444", "#b9b9b9"


@dataclass(frozen=True)
class Gallery:
    """The worst frames of one method on one kind of detections.

    Args:
        variant: The method.
        detections: The detections.
        skeleton: That joints belong to; None if their names are of no known one.
        joints: Names, in the order of the frames' rows.
        frames: The worst first, each from another clip as far as there are others.
        all_frames: Everything the runs kept, for counting.
        occluded_share: Share of all test joints that are hidden.
    """

    variant: Variant
    detections: str
    skeleton: Skeleton | None
    joints: tuple[str, ...]
    frames: Sequence[Failure]
    all_frames: Sequence[Failure]
    occluded_share: float

    @property
    def worst_kinds(self) -> list[tuple[str, int]]:
        """How often each kind of joint has the largest error of its frame, the most first."""
        kinds = Counter(_kind(worst_joint(f, self.joints)) for f in self.all_frames)
        return sorted(kinds.items(), key=lambda item: (-item[1], item[0]))

    @property
    def occluded_worst(self) -> int:
        """In how many frames the joint with the largest error is hidden."""
        return sum(
            f.occluded[self.joints.index(worst_joint(f, self.joints))] for f in self.all_frames
        )


def gallery(study: Study, count: int = 6) -> Gallery | None:
    """Choose the frames: the paper's best method (else ours), the noisiest detections.

    Returns:
        None if no run kept a frame that can be drawn.
    """
    noisiest: list[str] = ["hg-sim", "cpn-sim", "gt"]
    kinds = [k for k in noisiest if k in study.detections]
    kinds += [k for k in study.detections if k not in kinds]
    best = study.find(*BEST)
    variants = ([best] if best else []) + [v for v in study.variants if v != best]
    for variant in variants:
        for kind in kinds:
            runs = study.at(variant, kind)
            kept = [f for run in runs for f in run.failures if _drawable(f, run)]
            if kept:
                names = tuple(runs[0].per_joint_mm)
                share = float(np.mean([run.occluded_share for run in runs]))
                chosen = _choose(kept, count)
                return Gallery(variant, kind, _skeleton(names), names, chosen, kept, share)
    return None


def _drawable(failure: Failure, run: Result) -> bool:
    joints = len(run.per_joint_mm)
    rows = (failure.keypoints, failure.predicted, failure.truth, failure.occluded)
    if any(len(each) != joints for each in rows):
        return False
    return all(len(p) == 2 for p in failure.keypoints) and all(
        len(p) == 3 for p in (*failure.predicted, *failure.truth)
    )


def _choose(failures: Sequence[Failure], count: int) -> list[Failure]:
    """Take the worst frame of each clip first, so that one bad second does not fill the page."""
    worst_first = sorted(failures, key=lambda f: -f.mpjpe_mm)
    clips: dict[str, Failure] = {}
    for failure in worst_first:
        clips.setdefault(failure.clip, failure)
    chosen = list(clips.values())[:count]
    return chosen + [f for f in worst_first if f not in chosen][: count - len(chosen)]


def _skeleton(joints: tuple[str, ...]) -> Skeleton | None:
    return next((s for s in SKELETONS.values() if s.joints == joints), None)


def _kind(joint: str) -> str:
    return joint[1:] if joint[:1] in "LR" and joint[1:2].isupper() else joint


def worst_frames(found: Gallery) -> Drawing:
    """Fig. 2 of the supplement: 2D input, then prediction over truth from the front and a side."""
    rows = -(-len(found.frames) // 2)
    margins = Margins(left=0.1, top=0.45, bottom=0.1, across=0.1, down=0.5)
    figure, grid = blank(1.55, rows, 6, margins)
    axes = grid.reshape(-1, 3)
    for ax in grid[:, 3:].flat:  # a wider gap between the two frames of a row
        ax.set_position(ax.get_position().translated(0.006, 0))
    for trio, failure in zip(axes, found.frames, strict=False):
        draw_input(trio[0], found, failure)
        draw_view(trio[1], found, failure, (0, 1))
        draw_view(trio[2], found, failure, (2, 1))
        clip = plain(f"{failure.activity}, {failure.clip}")
        where = f"{clip}, frame {failure.frame}, camera {failure.camera}"
        trio[0].set_title(f"{where}: {failure.mpjpe_mm:.0f} mm\n2D input", fontsize=7)
        trio[1].set_title("from the camera", fontsize=7)
        trio[2].set_title("from the side", fontsize=7)
    for ax in axes[len(found.frames) :].flat:
        ax.set_axis_off()
    return Drawing(
        "failures",
        f"The worst frames of {found.variant.spoken}, {detections_label(found.detections)}",
        "Grey: truth. Orange: the person's left; blue: right; black: trunk and head. Hollow "
        "joints are hidden from the camera by a limb. The side view has the camera on its left.",
        to_svg(figure),
    )


def draw_input(ax: "Axes", gallery: Gallery, failure: Failure) -> None:
    """Draw the keypoints as the network got them, occluded joints hollow."""
    points = np.array(failure.keypoints, dtype=float)
    _draw(ax, gallery, points, np.array(failure.occluded))
    _frame(ax, points)


def draw_view(ax: "Axes", gallery: Gallery, failure: Failure, axes: tuple[int, int]) -> None:
    """Draw the prediction over the truth (grey), seen along the axis left out."""
    truth, predicted = (np.array(p, dtype=float) for p in (failure.truth, failure.predicted))
    _bones(ax, gallery, truth[:, axes], range(len(truth)), TRUTH, 4)
    ax.plot(*truth[:, axes].T, "o", color=TRUTH, ms=4)
    _draw(ax, gallery, predicted[:, axes], np.array(failure.occluded))
    _frame(ax, np.concatenate([truth, predicted])[:, axes])


def _draw(
    ax: "Axes",
    gallery: Gallery,
    points: Float[np.ndarray, "joint 2"],
    occluded: Bool[np.ndarray, " joint"],
) -> None:
    sides = np.array([_side(name) for name in gallery.joints])
    for ink in (MIDDLE, RIGHT, LEFT):
        mine = sides == ink
        _bones(ax, gallery, points, np.flatnonzero(mine), ink, 1.3)
        ax.plot(*points[mine & ~occluded].T, "o", color=ink, ms=2.6, mew=0.9)
        ax.plot(*points[mine & occluded].T, "o", color=ink, mfc="white", ms=3.6, mew=0.9)


def _bones(
    ax: "Axes",
    gallery: Gallery,
    points: Float[np.ndarray, "joint 2"],
    children: Iterable[int],
    ink: str,
    width: float,
) -> None:
    """Draw the bones that end in some joints as one broken line."""
    parents = gallery.skeleton.parents if gallery.skeleton else ()
    gap = np.full(2, np.nan)
    ends = [(points[parents[c]], points[c], gap) for c in children if parents and parents[c] >= 0]
    if ends:
        ax.plot(*np.concatenate(ends).T, color=ink, lw=width, solid_capstyle="round")


def _side(joint: str) -> str:
    paired = joint[1:2].isupper()
    return {"L": LEFT, "R": RIGHT}.get(joint[:1], MIDDLE) if paired else MIDDLE


def _frame(ax: "Axes", points: Float[np.ndarray, "joint 2"]) -> None:
    """Show a square around the points, y downwards, without ticks."""
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, 0.56 * float((high - low).max()) + 1e-6
    ax.set_xlim(centre[0] - half, centre[0] + half)
    ax.set_ylim(centre[1] + half, centre[1] - half)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set(visible=True, color="#dddddd")
