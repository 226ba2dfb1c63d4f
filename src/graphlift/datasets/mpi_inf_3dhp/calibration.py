"""``camera.calibration`` of a training sequence: fourteen cameras as text.

Layout: the line ``Skeletool Camera Calibration File V1.0``, then for each camera a line ``name``
and its number, and indented ``sensor``, ``size`` (px), ``animated``, ``intrinsic`` and
``extrinsic`` (4x4, row by row; world to camera, mm) and ``radial``. The world has y up.

Source: the data set's files as several published readers parse them (margipose, mmpose,
posepile); ``radial`` is 0 in all, and the 2D goes with the 3D to 0.01 px without it.
"""

from pathlib import Path

import numpy as np

from graphlift.cameras import Camera
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.numerals import decimal
from graphlift.words import reason, shown

_TITLE = "Skeletool Camera Calibration File"
_LARGEST = 1_000_000
_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""A quarter turn about x: (x, y, z) with y up becomes (x, −z, y) with z up."""


def read_calibration(path: Path) -> dict[int, Camera]:
    """Read the cameras of a sequence by number.

    Returns:
        Cameras in our world: z up, m.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is not as above, or a camera makes no sense; the message names it.
    """
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no camera calibration at {path}: it comes with the data set; copy it "
            "beside annot.mat"
        )
    if path.stat().st_size > _LARGEST:
        raise FormatError(f"{path}: {path.stat().st_size:,} bytes are no camera calibration")
    lines = path.read_text(encoding="latin1").splitlines()
    if not lines or _TITLE not in lines[0]:
        raise FormatError(f"{path}, line 1: should be {shown(_TITLE)}: it is another kind of file")
    fields: dict[int, dict[str, list[float]]] = {}
    number = None
    for count, line in enumerate(lines[1:], start=2):
        key, *words = line.split() or [""]
        if not key:
            continue
        values = _numbers(words, f"{path}, line {count}: {key}")
        if key == "name":
            number = _whole(values, f"{path}, line {count}: name")
            if fields.setdefault(number, {}):
                raise FormatError(f"{path}, line {count}: camera {number} is there twice")
        elif number is None:
            raise FormatError(f"{path}, line {count}: {key} comes before the name of a camera")
        else:
            fields[number][key] = values
    return {each: _camera(of, f"{path}: camera {each}") for each, of in fields.items()}


def _numbers(words: list[str], where: str) -> list[float]:
    try:
        return [decimal(word) for word in words]
    except ValueError as error:
        raise FormatError(f"{where}: {reason(error)}: the file is damaged") from error


def _whole(values: list[float], where: str) -> int:
    if len(values) != 1 or not values[0].is_integer() or not 0 <= values[0] < 1000:
        raise FormatError(f"{where} should be the number of a camera, 0 to 13")
    return int(values[0])


def _camera(fields: dict[str, list[float]], where: str) -> Camera:
    size, K, Rt = (fields.get(key, []) for key in ("size", "intrinsic", "extrinsic"))
    finite = bool((np.abs([*size, *K, *Rt]) < 1e9).all())
    if (len(size), len(K), len(Rt)) != (2, 16, 16) or not finite:
        raise FormatError(
            f"{where}: should have a size of 2 finite numbers, an intrinsic and an extrinsic of "
            f"16 each, but has {len(size)}, {len(K)} and {len(Rt)}: the file is damaged"
        )
    intrinsic = np.reshape(K, (4, 4))
    if min(size) < 1 or min(K[0], K[5]) <= 0 or abs(K[1]) > 1 or abs(K[4]) > 1:
        raise FormatError(
            f"{where}: size {size}, focal lengths {K[0]:g} and {K[5]:g} px and skew {K[1]:g} are "
            "no camera's: the file is damaged"
        )
    R, position = placed(np.reshape(Rt, (4, 4))[:3], where)
    return Camera(
        focal=(float(K[0]), float(K[5])),
        centre=(float(intrinsic[0, 2]), float(intrinsic[1, 2])),
        size=(int(size[0]), int(size[1])),
        R=R,
        position=position,
    )


def placed(extrinsic: np.ndarray, where: str, *, unit: float = 0.001) -> tuple[np.ndarray, ...]:
    """Turn an extrinsic into where a camera stands in our world.

    Args:
        extrinsic: (3, 4), ``camera = R @ world + t``, the world with y up.
        where: For the message.
        unit: Metres a unit of ``t``.

    Returns:
        R and position of :class:`graphlift.cameras.Camera`: z up, m.

    Raises:
        FormatError: If it holds no turn.
    """
    R, t = extrinsic[:, :3], extrinsic[:, 3]
    if not np.allclose(R @ R.T, np.eye(3), atol=1e-2) or np.linalg.det(R) < 0:
        raise FormatError(f"{where}: its extrinsic is no turn: the file is damaged")
    return R @ _Z_UP.T, _Z_UP @ (-R.T @ t * unit)
