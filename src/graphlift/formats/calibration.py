"""Calibrated cameras in: the TOML that Pose2Sim and Anipose keep, one table for each camera.

Keys: ``size`` (width, height, px), ``matrix`` (3 × 3, px), ``distortions`` (k1, k2, p1, p2 and
perhaps k3, OpenCV's order), ``rotation`` (a rotation vector, world to camera) and ``translation``
(m, ``camera = R @ world + translation``); optionally ``name`` and ``fisheye``. The world's z axis
must point up.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.cameras import Camera
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.words import listed, reason, shown

LARGEST = 1_000_000
"""Bytes; a calibration of a hundred cameras has a fiftieth of that."""

_FARTHEST = 1_000.0
"""m; a translation beyond this is in other units."""


def read_camera(path: Path, name: str | None = None) -> Camera:
    """Read one camera of a calibration file.

    Args:
        path: A ``.toml``.
        name: Of the camera; may be left out where there is one only.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is no such calibration, has no camera of that name, or several and none
            was named.
    """
    tables = _tables(path)
    if name is None and len(tables) > 1:
        raise FormatError(
            f"{path}: holds {len(tables)} cameras ({listed(tables)}): say which, as in "
            f"{path}:{next(iter(tables))}"
        )
    name = next(iter(tables)) if name is None else name
    if name not in tables:
        raise FormatError(f"{path}: has no camera {shown(name)}: there are {listed(tables)}")
    return _camera(tables[name], f"{path}: {name}")


def _tables(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Find the tables that are cameras, by their own names."""
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no calibration at {path}: give a .toml of Pose2Sim or Anipose"
        )
    if path.stat().st_size > LARGEST:
        raise FormatError(f"{path}: is too large for a calibration: give the .toml of the cameras")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{path}: is no TOML ({reason(error)}): give a Pose2Sim calibration"
        ) from error
    tables = {
        str(table.get("name", key)): table
        for key, table in content.items()
        if isinstance(table, dict) and "matrix" in table
    }
    if not tables:
        raise FormatError(
            f"{path}: holds no camera: give a calibration with a table for each, with size, "
            "matrix, distortions, rotation and translation"
        )
    return tables


def _camera(table: Mapping[str, Any], where: str) -> Camera:
    if table.get("fisheye"):
        raise FormatError(f"{where}: fisheye lenses are not supported: undistort its video")
    width, height = _numbers(table, "size", (2,), where)
    K = _numbers(table, "matrix", (3, 3), where)
    turn = _numbers(table, "rotation", (3,), where)
    shift = _numbers(table, "translation", (3,), where)
    lens = _distortions(table, where)
    if min(width, height) < 1 or min(K[0, 0], K[1, 1]) <= 0 or not np.allclose(K[2], (0, 0, 1)):
        raise FormatError(f"{where}: size and matrix are no camera's: calibrate it again")
    if np.abs(shift).max() > _FARTHEST:
        raise FormatError(f"{where}: translation {shift.tolist()}: give it in metres")
    R = rotation_matrix(turn)
    return Camera(
        focal=(float(K[0, 0]), float(K[1, 1])),
        centre=(float(K[0, 2]), float(K[1, 2])),
        size=(int(width), int(height)),
        R=R,
        position=-R.T @ shift,
        radial=(float(lens[0]), float(lens[1]), float(lens[4])),
        tangential=(float(lens[2]), float(lens[3])),
    )


def rotation_matrix(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: turn about ``vector`` by its length, radians."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K)


def _distortions(table: Mapping[str, Any], where: str) -> np.ndarray:
    """k1, k2, p1, p2, k3; zeros where the file has fewer."""
    given = table.get("distortions", [])
    if not isinstance(given, list) or len(given) > 5:
        raise FormatError(
            f"{where}: distortions should be k1, k2, p1, p2 and perhaps k3: calibrate with "
            "OpenCV's model of five"
        )
    found = _numbers({"distortions": given}, "distortions", (len(given),), where)
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
