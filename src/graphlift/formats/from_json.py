"""Read the JSON of poses that we write."""

from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.archive import FORMAT, compose
from graphlift.formats.json_files import read_json
from graphlift.formats.keypoint_source import MAX_BYTES
from graphlift.sequences import FRONTS, Poses


def read_json_poses(path: Path) -> Poses:
    """Read JSON that :func:`graphlift.formats.to_json.write_json` wrote; no keypoints are in it.

    Raises:
        FormatError: If it is no JSON, not of ours, or lacks a frame.
        ValueError: If it was changed, as :func:`graphlift.formats.archive.compose`.
    """
    data = read_json(path, MAX_BYTES)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FormatError(
            f"is JSON, but not of poses that graphlift wrote (format {FORMAT}); keypoints are "
            "lifted first (graphlift lift)"
        )
    shape = (len(data["frames"]), len(data["people"]), len(data["skeleton"]["joints"]))
    for number, frame in enumerate(data["frames"]):
        if frame["frame"] != number or len(frame["people"]) != shape[1]:
            raise FormatError(f"frame {number} is missing, or lacks people: write it again")
    people = [person for frame in data["frames"] for person in frame["people"]]
    if not all(isinstance(flag, bool) for person in people for flag in person["seen"]):
        raise TypeError("seen is not of booleans")
    arrays = {  # null becomes NaN
        "poses": _vectors(people, "positions").reshape(*shape, 3),
        "sigma": np.array([p["sigma"] for p in people], dtype=np.float64).reshape(shape),
        "seen": np.array([p["seen"] for p in people], dtype=bool).reshape(shape),
    }
    segments = (*shape[:2], len(FRONTS))
    if "fronts" in data:
        arrays["fronts"] = _vectors(people, "fronts").reshape(*segments, 3)
    if people and "front_sigma" in people[0]:
        sigma = [p["front_sigma"] for p in people]
        arrays["front_sigma"] = np.array(sigma, dtype=np.float64).reshape(segments)
    if people and "hypotheses" in people[0]:
        arrays |= _hypotheses(people, shape)
    return compose(arrays, {**data, "axes": data["axes"]["name"]})


def _hypotheses(
    people: list[dict[str, Any]], shape: tuple[int, int, int]
) -> dict[str, np.ndarray]:
    """Make the arrays of everybody's hypotheses."""
    given = [one for person in people for one in person["hypotheses"]]
    each = (*shape[:2], len(people[0]["hypotheses"]))
    return {
        "hypotheses": _vectors(given, "positions").reshape(*each, shape[2], 3),
        "hypothesis_weights": np.array([g["weight"] for g in given], np.float64).reshape(each),
        "hypothesis_sigma": np.array([g["sigma"] for g in given], np.float64).reshape(each),
    }


def _vectors(people: list[dict[str, Any]], name: str) -> np.ndarray:
    """Make an array of each person's vectors; null is a vector of NaN."""
    return np.array(
        [[vector or [None] * 3 for vector in person[name]] for person in people], dtype=np.float64
    )
