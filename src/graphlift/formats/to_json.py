"""Write JSON that describes itself: units, axes, skeleton, people, one line a frame.

A missing joint is null, and so is an unknown front of a segment. Numbers have six decimals: a
thousandth of a millimetre. A person whose model gave several poses has ``hypotheses``, a list of
them, each with ``weight``, ``sigma`` and ``positions``, root-relative in the camera's axes.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

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
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json_lines(poses))
    return (f"Everything in m, {poses.axes} axes; the keypoints are only in .npz.",)


def json_lines(poses: Poses) -> Iterator[str]:
    """Give the text that :func:`write_json` writes, piece by piece."""
    head = json.dumps(describe_json(poses), ensure_ascii=False, allow_nan=False)
    yield f'{head[:-1]}, "frames": ['
    for start in range(0, len(poses), CHUNK):
        part = slice(start, start + CHUNK)
        frames = list_people(
            poses.positions[part],
            poses.seen[part],
            poses.sigma[part],
            None if poses.fronts is None else poses.fronts[part],
            None if poses.front_sigma is None else poses.front_sigma[part],
            None if poses.hypotheses is None else _hypotheses(poses.hypotheses, part),
        )
        for i, people in enumerate(frames, start=start):
            yield f"{',' if i else ''}\n{frame_text(i, people)}"
    yield "\n]}\n"


def describe_json(poses: Poses) -> dict[str, Any]:
    """Describe all that is not of a frame: the head of the file."""
    return describe_alone(poses) | {"axes": {"name": poses.axes, **AXES[poses.axes]}}


def frame_text(number: int, people: list[dict[str, Any]]) -> str:
    """Write a frame, and the people that :func:`list_people` lists of it, as JSON."""
    return json.dumps({"frame": number, "people": people}, allow_nan=False)


def list_people(
    positions: Float[np.ndarray, "frame person joint 3"],
    seen: Bool[np.ndarray, "frame person joint"],
    sigma: Float[np.ndarray, "frame person joint"],
    fronts: Float[np.ndarray, "frame person front 3"] | None = None,
    front_sigma: Float[np.ndarray, "frame person front"] | None = None,
    hypotheses: list[list[list[dict[str, Any]]]] | None = None,
) -> list[list[dict[str, Any]]]:
    """List what JSON says of each person, by frame: fields of poses, in their order."""
    columns: dict[str, Any] = {
        "positions": _vectors(positions),
        "seen": seen.tolist(),
        "sigma": _numbers(sigma),
    }
    if fronts is not None:
        columns["fronts"] = _vectors(fronts)
    if front_sigma is not None:
        columns["front_sigma"] = _numbers(front_sigma)
    if hypotheses is not None:
        columns["hypotheses"] = hypotheses
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


def _vectors(values: np.ndarray) -> Any:  # noqa: ANN401
    """List vectors by frame, person and joint or segment; null for one that is not finite."""
    return _listed(values, np.isfinite(values).all(axis=-1))


def _numbers(values: np.ndarray) -> Any:  # noqa: ANN401
    """List numbers, null for one that is not finite."""
    return _listed(values, np.isfinite(values))


def _listed(values: np.ndarray, known: np.ndarray) -> Any:  # noqa: ANN401
    """List numbers of six decimals, null in place of what is not known."""
    lists = np.round(values.astype(np.float64), 6).tolist()
    for *outer, last in np.argwhere(~known).tolist():
        part = lists
        for at in outer:
            part = part[at]
        part[last] = None
    return lists
