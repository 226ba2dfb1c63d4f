"""Write JSON that describes itself: units, axes, skeleton, people, one line a frame.

A missing joint is null. Numbers have six decimals: a thousandth of a millimetre.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.files import replacing
from graphlift.formats.archive import describe_alone
from graphlift.sequences import Axes, Poses

AXES: Mapping[Axes, Mapping[str, str]] = {
    "camera": {"x": "right", "y": "down", "z": "forward", "handedness": "right"},
    "world": {"z": "up", "handedness": "right", "floor": "z = 0"},
}
CHUNK = 2048


def write_json(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write JSON, all people in one file, each frame on a line of its own."""
    about = describe_alone(poses)
    about["axes"] = {"name": poses.axes, **AXES[poses.axes]}
    head = json.dumps(about, ensure_ascii=False, allow_nan=False)
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{head[:-1]}, "frames": [')
        for start in range(0, len(poses), CHUNK):
            for i, frame in enumerate(_frames(poses, slice(start, start + CHUNK)), start=start):
                text = json.dumps({"frame": i, "people": frame}, allow_nan=False)
                file.write(f"{',' if i else ''}\n{text}")
        file.write("\n]}\n")
    return (f"Everything in m, {poses.axes} axes; the keypoints are only in .npz.",)


def _frames(poses: Poses, part: slice) -> list[list[dict[str, Any]]]:
    positions: Any = np.round(poses.positions[part].astype(np.float64), 6)
    missing: Any = ~np.isfinite(positions).all(axis=-1)
    places: list[Any] = [
        [
            [None if lost else [*map(float, place)] for place, lost in zip(p, m, strict=True)]
            for p, m in zip(frame, absent, strict=True)
        ]
        for frame, absent in zip(positions.tolist(), missing.tolist(), strict=True)
    ]
    sigma = np.round(poses.sigma[part].astype(np.float64), 6).astype(object)
    sigma[~np.isfinite(poses.sigma[part])] = None
    return [
        [{"positions": p, "seen": s, "sigma": d} for p, s, d in zip(*person, strict=True)]
        for person in zip(places, poses.seen[part].tolist(), sigma.tolist(), strict=True)
    ]
