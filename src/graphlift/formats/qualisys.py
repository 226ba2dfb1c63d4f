"""Qualisys' calibration in: XML in a ``.qca.txt``, with a ``camera`` element for each camera.

Intrinsics are in 64ths of a pixel of the sensor, of which ``fov_video`` is the part that is
recorded; positions in mm; ``r11`` to ``r33``, row by row, turn the world to axes that are x right,
y up, z backward, so that half a turn about x makes them ours.

Source: the file's own layout, and the conversion in Pose2Sim (Pagnon et al., JOSS 2022).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # what could expand is refused before  # nosec B405

import numpy as np

from graphlift.errors import FormatError
from graphlift.numerals import decimal
from graphlift.words import reason

SUBPIXELS = 64
MM = 1000.0
HALF_TURN = np.diag([1.0, -1.0, -1.0])


def read_qualisys(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    """Read every camera, as name and table: see :mod:`graphlift.formats.calibration`.

    Args:
        path: For messages.
        text: The file's content.

    Raises:
        FormatError: If it is no such XML, or an element or a number is missing.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # may expand without end
        raise FormatError(f"{path}: declares entities, which no calibration does: export it again")
    try:
        root = ElementTree.fromstring(text)  # no entities, see above  # nosec B314
        found = root.findall("cameras/camera")
    except (ElementTree.ParseError, RecursionError, ValueError) as error:
        raise FormatError(
            f"{path}: is no calibration of Qualisys, which is XML ({reason(error)}): export it "
            "again"
        ) from error
    if not found:
        raise FormatError(f"{path}: has no <camera> in <cameras>: give a .qca.txt of Qualisys")
    return [
        (camera.get("serial") or str(number), _table(path, number, camera))
        for number, camera in enumerate(found)
    ]


_ELEMENTS = ("intrinsic", "transform", "fov_video")
_DISTORTIONS = (
    *("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2"),
    "radialDistortion3",
)
"""In OpenCV's order; Qualisys writes "tangental"."""


def _table(path: Path, number: int, camera: ElementTree.Element) -> dict[str, Any]:
    where = f"{path}: camera {(camera.get('serial') or str(number))[:40]}"
    lens, place, view = (_numbers_of(camera, name, where) for name in _ELEMENTS)
    rows = [[place(f"r{row}{column}") for column in (1, 2, 3)] for row in (1, 2, 3)]
    position = np.array([place(axis) for axis in "xyz"]) / MM
    R = HALF_TURN @ np.array(rows)
    fx, fy = lens("focalLengthU") / SUBPIXELS, lens("focalLengthV") / SUBPIXELS
    cx = lens("centerPointU") / SUBPIXELS - view("left")
    cy = lens("centerPointV") / SUBPIXELS - view("top")
    return {
        "size": [view("right") - view("left") + 1, view("bottom") - view("top") + 1],
        "matrix": [[fx, lens("skew", "0") / SUBPIXELS, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        "distortions": [lens(name) for name in _DISTORTIONS],
        "rotation": R,
        "translation": -R @ position,
    }


def _numbers_of(camera: ElementTree.Element, name: str, where: str) -> Callable[..., float]:
    element = camera.find(name)
    if element is None:
        raise FormatError(f"{where}: has no <{name}>: export the calibration again")

    def number(key: str, missing: str = "") -> float:
        try:
            value = decimal(element.get(key, missing))
        except ValueError:
            value = np.nan
        if not abs(value) < 1e12:
            raise FormatError(f"{where}: <{name}> has no number {key}: export it again")
        return value

    return number
