"""OpenCV's calibration in: what ``cv::FileStorage`` writes as YAML, and ROS' ``camera_info``.

Only the layout of these files is read, not YAML: ``key: value`` on the first level, below it keys
that are indented, and numbers in brackets (over several lines if need be) or in a list of dashes.
A library for YAML would not do: the first line of OpenCV 4's files, ``%YAML:1.0``, is none that
YAML allows.

The lens is taken, and nothing else: extrinsics in these files are of a chessboard or of another
camera, not of a world whose z axis points up.

Source: OpenCV's ``calibration`` sample (``camera_matrix``, ``distortion_coefficients``,
``image_width``); ROS' ``sensor_msgs/CameraInfo`` and its calibration files.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphlift.errors import FormatError
from graphlift.numerals import decimal
from graphlift.words import counted

_SIZE = {"width": ("imagewidth", "width"), "height": ("imageheight", "height")}
_MATRIX = ("cameramatrix", "k")
_COEFFICIENTS = ("distortioncoefficients", "distcoeffs", "d")
"""Keys by which files name things, without case, ``_`` and ``-``; the first one found counts."""

_MODELS = ("", "plumbbob", "radtan", "brownconrady")
"""Of distortion: other names of OpenCV's five coefficients; others beyond them must be 0."""
_RATIONAL = "rationalpolynomial"
_FISHEYE = ("fisheye", "equidistant", "kannalabrandt")

_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_][\w-]*)[ \t]*:(?:[ \t]+(?P<value>.*))?$")
_ITEM = re.compile(r" *-[ \t]+(?P<value>[^\s:]+)$")
_TAG = re.compile(r"^!!?[\w:.-]*[ \t]*")

Values = dict[str, str | list[str]]
Entry = tuple[int, str | None, int, str | list[str] | None]


def read_opencv_yaml(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    """Read the one camera, as name and table: see :mod:`graphlift.formats.calibration`.

    Args:
        path: For messages.
        text: The file's content.

    Raises:
        FormatError: If it is of another layout, has a key twice, lacks the size, the matrix or
            the distortion, or the lens is a fisheye.
    """
    values = _values(path, text)
    model = _plain(str(_first(values, ("distortionmodel",)) or ""))
    known = model in _MODELS or model == _RATIONAL
    if not known and model not in _FISHEYE:
        raise FormatError(
            f"{path}: distortion_model {model[:40]!r} is not known: calibrate with plumb_bob, "
            "OpenCV's model of five coefficients"
        )
    matrix = _list(path, values, _MATRIX, "camera_matrix")
    if len(matrix) != 9:
        raise FormatError(f"{path}: camera_matrix has {counted(len(matrix), 'number')}, not 3 × 3")
    table = {
        "size": [_number(path, values, names, f"image_{key}") for key, names in _SIZE.items()],
        "matrix": [matrix[:3], matrix[3:6], matrix[6:]],
        "distortions": _list(path, values, _COEFFICIENTS, "distortion_coefficients"),
        "rotation": [0.0, 0.0, 0.0],
        "translation": [0.0, 0.0, 0.0],
        "fisheye": not known,
    }
    return [(str(_first(values, ("cameraname",)) or path.stem), table)]


def _values(path: Path, text: str) -> Values:
    """Gather the value of each key of the first level; of a matrix its ``data``."""
    values: Values = {}
    top, depth = "", 0
    for number, key, indent, value in _entries(path, text):
        if key is None:
            if not isinstance(rest := values.setdefault(top, []), list):
                raise FormatError(f"{path}, line {number}: a list after the value {rest[:40]!r}")
            rest.append(str(value))
            continue
        if not indent:
            top, depth = _plain(key), 0
            name = top
        else:
            depth = depth or indent
            name = top if _plain(key) == "data" and indent == depth else f"{top}.{_plain(key)}"
        if value is None:
            continue
        if "." not in name and values.get(name):
            raise FormatError(f"{path}, line {number}: {key[:40]} comes twice: keep one")
        values[name] = value
    return values


def _entries(path: Path, text: str) -> Iterator[Entry]:
    """Yield line, key (None for an item of a list), indent and value of each entry."""
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        bare = line.split(" #")[0].rstrip()
        if not bare or bare.startswith(("%", "#", "---", "...")):
            continue
        if item := _ITEM.match(bare):
            yield number, None, 0, item["value"]
            continue
        if not (found := _KEY.match(bare)):
            raise FormatError(
                f"{path}, line {number}: {bare.strip()[:40]!r} is nothing that OpenCV or ROS "
                "write in a calibration: give such a file, or a .toml"
            )
        value = _TAG.sub("", found["value"] or "", count=1).strip()
        if value.startswith("["):
            parts = [value]
            while "]" not in parts[-1]:
                parts.append(next(lines, (0, "]"))[1])
            listed = " ".join(parts).strip(" []").replace(",", " ").split()
            yield number, found["key"], len(found["indent"]), listed
        else:
            yield number, found["key"], len(found["indent"]), value or None


def _plain(key: str) -> str:
    return re.sub(r"[\W_]", "", key.lower())


def _first(values: Values, names: tuple[str, ...]) -> str | list[str] | None:
    found = next((values[name] for name in names if name in values), None)
    return found.strip("\"'") if isinstance(found, str) else found


def _number(path: Path, values: Values, names: tuple[str, ...], what: str) -> float:
    found = _first(values, names)
    if not isinstance(found, str):
        raise FormatError(f"{path}: has no {what}: add it, in px")
    return _float(path, found, what)


def _list(path: Path, values: Values, names: tuple[str, ...], what: str) -> list[float]:
    found = _first(values, names)
    if not isinstance(found, list):
        raise FormatError(f"{path}: has no {what} with numbers: give a calibration of OpenCV")
    return [_float(path, each, what) for each in found]


def _float(path: Path, word: str, what: str) -> float:
    try:
        return decimal(word)
    except ValueError:
        raise FormatError(f"{path}: {what}: {word[:40]!r} is no number") from None
