"""Read the JSON of poses that we write."""

from pathlib import Path

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.archive import FORMAT, compose
from graphlift.formats.json_files import read_json
from graphlift.formats.keypoint_source import MAX_BYTES
from graphlift.sequences import Poses


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
    places = [[place or [None] * 3 for place in person["positions"]] for person in people]
    if not all(isinstance(flag, bool) for person in people for flag in person["seen"]):
        raise TypeError("seen is not of booleans")
    arrays = {  # null becomes NaN
        "poses": np.array(places, dtype=np.float64).reshape(*shape, 3),
        "sigma": np.array([p["sigma"] for p in people], dtype=np.float64).reshape(shape),
        "seen": np.array([p["seen"] for p in people], dtype=bool).reshape(shape),
    }
    return compose(arrays, {**data, "axes": data["axes"]["name"]})
