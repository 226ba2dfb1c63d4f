"""Rows of Markdown: one a part of the error, one column a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pages import table

from error_sources.geometry import Parts

LABELS = {
    "size": "size of the person",
    "offsets": "constant offset of each joint",
    "yaw": "turn of the whole body: yaw",
    "other turn": "turn of the whole body: the rest of it",
    "depth signs": "limbs whose depth sign is wrong",
}


@dataclass(frozen=True)
class Row:
    """A number of one model.

    Args:
        people: On whom.
        what: Which number.
        n: Of how many frames; 0 where the number says it itself.
        value: As printed.
    """

    people: str
    what: str
    n: int
    value: str


def part_rows(people: str, parts: Parts) -> tuple[list[Row], list[Row]]:
    """Rows by geometry, which sum to the total, and rows on signs of depth and turns."""
    count = len(parts.frame)
    named = {LABELS[name]: value for name, value in parts.removed.items()}
    values = named | {
        "rest": parts.rest,
        "total": parts.total,
        "total, were depth right": parts.across,
    }
    geometry = [Row(people, what, count, f"{value:.1f}") for what, value in values.items()]
    frames = parts.wrong.any(axis=1)
    some = f"{parts.frame[frames].mean():.1f} mm" if frames.any() else "–"
    others = f"{parts.frame[~frames].mean():.1f} mm" if not frames.all() else "–"
    signs = {
        "limb bones with the wrong sign": f"{100 * parts.wrong.mean():.1f} %",
        "frames with one or more": f"{100 * frames.mean():.1f} %",
        "MPJPE of these frames": some,
        "MPJPE of the other frames": others,
        "turn of the whole body, mean": f"{parts.turn:.1f}°",
        "of it about the vertical (yaw)": f"{parts.yaw:.1f}°",
        "of it towards or away from the camera": f"{parts.lean:.1f}°",
    }
    return geometry, [Row(people, what, count, value) for what, value in signs.items()]


def band_rows(people: str, errors: np.ndarray, masks: Mapping[str, np.ndarray]) -> list[Row]:
    """Mean error of each group of frames; a dash where there are none."""
    return [
        Row(people, what, int(mask.sum()), f"{errors[mask].mean():.1f}" if mask.any() else "–")
        for what, mask in masks.items()
    ]


def tabulate(models: Mapping[str, Sequence[Row]]) -> str:
    """The rows of all models side by side, as Markdown."""
    rows = []
    for same in zip(*models.values(), strict=True):
        first = same[0]
        rows.append([first.people, first.what, f"{first.n:,}", *(row.value for row in same)])
    return table(["people", "", "n", *models], rows, words=2)
