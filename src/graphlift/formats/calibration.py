"""Calibrated cameras in: Pose2Sim's and Anipose's TOML, Qualisys' .qca.txt, OpenCV's YAML.

A TOML has one table for each camera, with ``size`` (width, height, px), ``matrix`` (3 × 3, px),
``distortions`` (k1, k2, p1, p2 and perhaps k3, OpenCV's order and form), ``rotation`` (a rotation
vector, world to camera) and ``translation`` (m, ``camera = R @ world + translation``); optionally
``name`` and ``fisheye``. :mod:`graphlift.formats.qualisys` and
:mod:`graphlift.formats.opencv_yaml` bring the other files into such tables; the checks are here.
The world's z axis must point up.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.cameras import Camera
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.opencv_yaml import read_opencv_yaml
from graphlift.formats.qualisys import read_qualisys
from graphlift.words import listed, plain, reason, shown

LARGEST = 1_000_000
"""Bytes; a calibration of a hundred cameras has a fiftieth of that."""

SUFFIXES = (".toml", ".txt", ".yaml", ".yml")

_KINDS = "a .toml of Pose2Sim or Anipose, a .qca.txt of Qualisys, or a .yaml of OpenCV or ROS"
_FARTHEST = 1_000.0
"""m; a translation beyond this is in other units."""
_LONGEST = 1_000.0
"""Widths of the image; a focal length beyond this is in other units."""
_STRONGEST = 1e6
"""Of a coefficient of distortion."""
_SHOWN = 20
"""Names of cameras that a message lists."""


def read_cameras(path: Path) -> dict[str, Camera]:
    """Read every camera of a calibration file, by name.

    Raises:
        DatasetNotFoundError: As :func:`read_camera`.
        FormatError: As :func:`read_camera`.
    """
    return {
        name: _camera(table, f"{path}: {plain(name)}") for name, table in _tables(path).items()
    }


def read_camera(path: Path, name: str | None = None) -> Camera:
    """Read one camera of a calibration file.

    Args:
        path: One of the kinds above, recognised by its suffix.
        name: Of the camera; may be left out where there is one only. Qualisys' cameras are named
            by their serial numbers.

    Returns:
        The camera. Of OpenCV's YAML only the lens is known: its R is the identity and its position
        0 (:attr:`graphlift.cameras.Camera.placed`).

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is no such calibration, describes what no camera is, has no camera of
            that name or two of them, or several and none was named.
    """
    tables = _tables(path)
    if name is None and len(tables) > 1:
        raise FormatError(
            f"{path}: holds {len(tables)} cameras ({listed(tables, _SHOWN)}): name one, as in "
            f"{path}:{plain(next(iter(tables)), 40)}"
        )
    name = next(iter(tables)) if name is None else name
    if name not in tables:
        raise FormatError(
            f"{path}: has no camera {shown(name)}: there are {listed(tables, _SHOWN)}"
        )
    return _camera(tables[name], f"{path}: {plain(name)}")


def _tables(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Find the tables that are cameras, by their own names."""
    if not path.is_file():
        raise DatasetNotFoundError(f"no calibration at {path}: give {_KINDS}")
    if path.stat().st_size > LARGEST:
        raise FormatError(f"{path}: is too large for a calibration: give {_KINDS}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is no text ({reason(error)}): give {_KINDS}") from error
    match path.suffix.lower():
        case ".toml":
            found = _toml_tables(path, text)
        case ".txt":
            found = read_qualisys(path, text)
        case ".yaml" | ".yml":
            found = read_opencv_yaml(path, text)
        case _:
            raise FormatError(f"{path}: is no calibration that is known: give {_KINDS}")
    return _by_name(path, found)


def _toml_tables(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: is no TOML ({reason(error)}): give {_KINDS}") from error
    tables = [
        (str(table.get("name", key)), table)
        for key, table in content.items()
        if isinstance(table, dict) and "matrix" in table
    ]
    if not tables:
        raise FormatError(
            f"{path}: holds no camera: give a calibration with a table for each, with size, "
            "matrix, distortions, rotation and translation"
        )
    return tables


def _by_name(
    path: Path, tables: Iterable[tuple[str, Mapping[str, Any]]]
) -> Mapping[str, Mapping[str, Any]]:
    named: dict[str, Mapping[str, Any]] = {}
    for name, table in tables:
        if name in named:
            raise FormatError(
                f"{path}: two cameras are called {shown(name)}: give each a name of its own"
            )
        named[name] = table
    return named


def _camera(table: Mapping[str, Any], where: str) -> Camera:
    if table.get("fisheye"):
        raise FormatError(f"{where}: fisheye lenses are not supported: undistort its video")
    width, height = _numbers(table, "size", (2,), where)
    K = _numbers(table, "matrix", (3, 3), where)
    _check_pinhole(float(width), float(height), K, where)
    shift = _numbers(table, "translation", (3,), where)
    if np.abs(shift).max() > _FARTHEST:
        raise FormatError(f"{where}: translation {shift.tolist()}: give it in metres")
    R = _rotation(table, where)
    lens = _distortions(table, where)
    return Camera(
        focal=(float(K[0, 0]), float(K[1, 1])),
        centre=(float(K[0, 2]), float(K[1, 2])),
        size=(int(width), int(height)),
        R=R,
        position=-R.T @ shift,
        radial=(float(lens[0]), float(lens[1]), float(lens[4])),
        tangential=(float(lens[2]), float(lens[3])),
        distortion="opencv",
    )


def _check_pinhole(width: float, height: float, matrix: np.ndarray, where: str) -> None:
    """Refuse a matrix that is no camera's, or of a camera with slanted pixels.

    Raises:
        FormatError: With what is wrong.
    """
    (fx, skew, cx), (slant, fy, cy), last = matrix
    if (
        not (1 <= width <= 1e6 and 1 <= height <= 1e6)
        or not 0 < min(fx, fy) <= max(fx, fy) <= _LONGEST * max(width, height)
        or not np.allclose(last, (0, 0, 1))
    ):
        raise FormatError(f"{where}: size and matrix are no camera's: calibrate it again")
    if max(abs(skew), abs(slant)) > 1e-6 * fx:
        raise FormatError(
            f"{where}: matrix has a skew of {skew:g} px (first row, second number), which is not "
            "supported: calibrate again without skew"
        )
    if not (-width <= cx <= 2 * width and -height <= cy <= 2 * height):
        raise FormatError(
            f"{where}: the principal point ({cx:g}, {cy:g}) px is far outside the image of "
            f"{width:g} × {height:g} px: size and matrix are not of one camera"
        )


def _rotation(table: Mapping[str, Any], where: str) -> np.ndarray:
    """Read a rotation vector, or the matrix that a reader has found."""
    from scipy.spatial.transform import Rotation

    if isinstance(table.get("rotation"), np.ndarray):
        given = _numbers(table, "rotation", (3, 3), where)
        if np.abs(given @ given.T - np.eye(3)).max() > 1e-3 or np.linalg.det(given) < 0:
            raise FormatError(f"{where}: rotation is no rotation matrix: calibrate again")
        U, _, Vt = np.linalg.svd(given)  # the file has rounded it
        return np.asarray(U @ Vt)
    vector = _numbers(table, "rotation", (3,), where)
    if np.abs(vector).max() > 2 * np.pi + 1e-6:
        raise FormatError(
            f"{where}: rotation {vector.tolist()} is more than a whole turn: give a rotation "
            "vector in radians"
        )
    return np.asarray(Rotation.from_rotvec(vector).as_matrix())


def _distortions(table: Mapping[str, Any], where: str) -> np.ndarray:
    """k1, k2, p1, p2, k3; zeros where the file has fewer."""
    given = table.get("distortions", [])
    if not isinstance(given, list) or (len(given) > 5 and any(given[5:])):
        raise FormatError(
            f"{where}: distortions should be k1, k2, p1, p2 and perhaps k3: calibrate with "
            "OpenCV's model of five"
        )
    given = given[:5]
    found = _numbers({"distortions": given}, "distortions", (len(given),), where)
    if found.size and np.abs(found).max() > _STRONGEST:
        raise FormatError(f"{where}: distortions {found.tolist()} are no lens': calibrate again")
    return np.pad(found, (0, 5 - len(given)))


def _numbers(table: Mapping[str, Any], key: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    if key not in table:
        raise FormatError(f"{where}: has no {key}: add it, or calibrate again")
    try:
        found = np.array(table[key], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.shape != shape or not (np.abs(found) < 1e9).all():
        raise FormatError(f"{where}: {key} should be {' × '.join(map(str, shape))} finite numbers")
    return found
