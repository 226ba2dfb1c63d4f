"""Read the JSON of poses that we write."""

from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.archive import FORMAT, compose_alone, naming_faults
from graphlift.formats.json_files import read_json
from graphlift.formats.keypoint_source import MAX_BYTES
from graphlift.sequences import Poses


def read_json_poses(path: Path) -> Poses:
    """Read JSON that :func:`graphlift.formats.to_json.write_json` wrote; no keypoints are in it.

    Raises:
        FormatError: If it is no JSON, not of ours, or was changed.
    """
    data = read_json(path, MAX_BYTES)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FormatError(
            f"{path}: is JSON, but not of poses that graphlift wrote (format {FORMAT}); keypoints "
            "are lifted first (graphlift lift)"
        )
    with naming_faults(path):
        shape = (len(data["frames"]), len(data["people"]), len(data["skeleton"]["joints"]))
        for number, frame in enumerate(data["frames"]):
            if frame["frame"] != number or len(frame["people"]) != shape[1]:
                raise FormatError(f"frame {number} is missing, or has not everybody in it")
        people = [person for frame in data["frames"] for person in frame["people"]]
        arrays = {
            "poses": _numbers([_places(person) for person in people]).reshape(*shape, 3),
            "sigma": _numbers([person["sigma"] for person in people]).reshape(shape),
            "seen": np.array([_flags(person) for person in people], dtype=bool).reshape(shape),
        }
        return compose_alone(arrays, {**data, "axes": data["axes"]["name"]})


def _places(person: dict[str, Any]) -> list[list[float | None]]:
    return [place or [None] * 3 for place in person["positions"]]


def _flags(person: dict[str, Any]) -> list[bool]:
    if not all(isinstance(flag, bool) for flag in person["seen"]):
        raise TypeError("seen is not of booleans")
    return list(person["seen"])


def _numbers(values: list[Any]) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)  # null becomes NaN
