"""Write JSON that describes itself: units, axes, skeleton, people, one line a frame.

A missing joint is null, and so is an unknown front of a segment. Numbers have six decimals: a
thousandth of a millimetre. A person whose model gave several poses has ``hypotheses``, a list of
them, each with ``weight``, ``sigma`` and ``positions``, root-relative in the camera's axes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.files import replacing
from graphlift.formats.archive import describe_alone
from graphlift.hypotheses import Hypotheses
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
    columns: dict[str, Any] = {
        "positions": _vectors(poses.positions[part]),
        "seen": poses.seen[part].tolist(),
        "sigma": _numbers(poses.sigma[part]),
    }
    if poses.fronts is not None:
        columns["fronts"] = _vectors(poses.fronts[part])
    if poses.front_sigma is not None:
        columns["front_sigma"] = _numbers(poses.front_sigma[part])
    if poses.hypotheses is not None:
        columns["hypotheses"] = _hypotheses(poses.hypotheses, part)
    return [
        [dict(zip(columns, person, strict=True)) for person in zip(*frame, strict=True)]
        for frame in zip(*columns.values(), strict=True)
    ]


def _hypotheses(given: Hypotheses, part: slice) -> list[list[list[dict[str, Any]]]]:
    """List hypotheses by frame and person."""
    frames, people, count, joints, _ = given.positions[part].shape
    flat = _vectors(given.positions[part].reshape(frames, people * count, joints, 3))
    weights, sigma = _numbers(given.weights[part]), _numbers(given.sigma[part])
    return [
        [
            [
                {
                    "weight": weights[frame][person][one],
                    "sigma": sigma[frame][person][one],
                    "positions": flat[frame][person * count + one],
                }
                for one in range(count)
            ]
            for person in range(people)
        ]
        for frame in range(frames)
    ]


def _vectors(values: np.ndarray) -> list[Any]:
    """List vectors by frame, person and joint or segment; null for one that is not finite."""
    vectors: Any = np.round(values.astype(np.float64), 6)
    missing: Any = ~np.isfinite(vectors).all(axis=-1)
    return [
        [
            [None if lost else [*map(float, place)] for place, lost in zip(p, m, strict=True)]
            for p, m in zip(frame, absent, strict=True)
        ]
        for frame, absent in zip(vectors.tolist(), missing.tolist(), strict=True)
    ]


def _numbers(values: np.ndarray) -> Any:  # noqa: ANN401
    """List numbers, null for one that is not finite."""
    numbers = np.round(values.astype(np.float64), 6).astype(object)
    numbers[~np.isfinite(values)] = None
    return numbers.tolist()
