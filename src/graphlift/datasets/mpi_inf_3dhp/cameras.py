"""Cameras of MPI-INF-3DHP: the data set's calibration, mmpose's pickle, a lens fitted to the data.

``camera.calibration`` of a training sequence holds fourteen cameras as text: the line ``Skeletool
Camera Calibration File V1.0``, then for each camera a line ``name`` and its number, and indented
``sensor``, ``size`` (px), ``animated``, ``intrinsic`` and ``extrinsic`` (4x4, row by row; world to
camera, mm) and ``radial``. The world has y up.

mmpose's pickle: {``S4_Seq2_Cam0`` or ``TS1``: {``f``, ``c``: (2, 1) px, ``w``, ``h``, and for
training ``R`` (3, 3) and ``T`` (3, 1) m, world to camera}}.

Source: the data set's files as several published readers parse them (margipose, mmpose,
posepile); ``radial`` is 0 in all, and the 2D goes with the 3D to 0.01 px without it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera
from graphlift.datasets.licensed.checks import check_rotation, check_size
from graphlift.datasets.licensed.mmpose import camera_numbers, read_camera_pickle
from graphlift.datasets.mpi_inf_3dhp.facts import TEST_SIZES, TRAIN_SIZE
from graphlift.datasets.mpi_inf_3dhp.sequence import lens_alone
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.numerals import decimal
from graphlift.words import counted, reason, shown

_TITLE = "Skeletool Camera Calibration File"
_LARGEST = 1_000_000
"""Bytes of a calibration."""
_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""A quarter turn about x: (x, y, z) with y up becomes (x, −z, y) with z up."""
_TRAIN_CAMERA = re.compile(r"S[1-8]_Seq[12]_Cam\d{1,2}", re.ASCII)

_FEWEST_JOINTS = 8
_WORST_FIT = 0.05
"""Of the image's width; a fit that leaves more shows arrays that do not belong together."""


def read_calibration(path: Path) -> dict[int, Camera]:
    """Read the cameras of a training sequence by number.

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
    check_size(path, _LARGEST, "camera calibration")
    lines = path.read_text(encoding="latin1").splitlines()
    if not lines or _TITLE not in lines[0]:
        raise FormatError(f"{path}, line 1: should be {shown(_TITLE)}: it is another kind of file")
    fields: dict[int, dict[str, list[float]]] = {}
    number = None
    for count, line in enumerate(lines[1:], start=2):
        key, *words = line.split() or [""]
        where = f"{path}, line {count}: {key}"
        if not key:
            continue
        try:
            values = [decimal(word) for word in words]
        except ValueError as error:
            raise FormatError(f"{where}: {reason(error)}: the file is damaged") from error
        if key == "name":
            if len(values) != 1 or not values[0].is_integer() or not 0 <= values[0] < 1000:
                raise FormatError(f"{where} should be the number of a camera, 0 to 13")
            number = int(values[0])
            if fields.setdefault(number, {}):
                raise FormatError(f"{where}: camera {number} is listed twice")
        elif number is None:
            raise FormatError(f"{where} comes before the name of a camera")
        else:
            fields[number][key] = values
    return {each: _calibrated(of, f"{path}: camera {each}") for each, of in fields.items()}


def read_3dhp_pickle(path: Path, notes: list[str]) -> dict[str, Camera]:
    """Read mmpose's pickled cameras of MPI-INF-3DHP by name.

    Where the data set's own image size is known, it is used in place of the file's: some files
    that the converter wrote have a height of 204 for 2048.

    Args:
        path: The pickle.
        notes: Gets a sentence if an image size of the file is not the data set's.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it asks to run code, is damaged or not as above.
    """
    table = read_camera_pickle(path)
    stated = {str(name): _pickled(of, f"{path}: {name}") for name, of in table.items()}
    known = {
        name: TRAIN_SIZE if _TRAIN_CAMERA.fullmatch(name) else TEST_SIZES.get(name, camera.size)
        for name, camera in stated.items()
    }
    if wrong := [name for name, camera in stated.items() if camera.size != known[name]]:
        first = "{} x {} px of {}".format(*stated[wrong[0]].size, wrong[0])
        more = f" and {counted(len(wrong) - 1, 'more camera')}" if len(wrong) > 1 else ""
        notes.append(
            f"{path.name}: states {first}{more}; the data set's own image size, "
            "{} x {} px, is used".format(*known[wrong[0]])
        )
    return {name: replace(camera, size=known[name]) for name, camera in stated.items()}


def _calibrated(fields: Mapping[str, list[float]], where: str) -> Camera:
    size, K, Rt = (fields.get(key, []) for key in ("size", "intrinsic", "extrinsic"))
    finite = bool((np.abs([*size, *K, *Rt]) < 1e9).all())
    if (len(size), len(K), len(Rt)) != (2, 16, 16) or not finite:
        raise FormatError(
            f"{where}: should have a size of 2 finite numbers, an intrinsic and an extrinsic of "
            f"16 each, but has {len(size)}, {len(K)} and {len(Rt)}: the file is damaged"
        )
    if abs(K[1]) > 1 or abs(K[4]) > 1:
        raise FormatError(f"{where}: has a skew of {K[1]:g}, {K[4]:g}: the file is damaged")
    extrinsic = np.reshape(Rt, (4, 4))[:3]
    return _make_camera((K[0], K[5]), (K[2], K[6]), size, extrinsic, 0.001, where)


def _pickled(parameters: object, where: str) -> Camera:
    numbers = camera_numbers(parameters, {"f": 2, "c": 2, "w": 1, "h": 1}, where)
    size = [*numbers["w"], *numbers["h"]]
    if not isinstance(parameters, dict) or "R" not in parameters:
        return _make_camera(numbers["f"], numbers["c"], size, None, 1, where)
    place = camera_numbers(parameters, {"R": 9, "T": 3}, where)
    extrinsic = np.column_stack([np.reshape(place["R"], (3, 3)), place["T"]])
    return _make_camera(numbers["f"], numbers["c"], size, extrinsic, 1, where)


def _make_camera(
    focal: Sequence[float],
    centre: Sequence[float],
    size: Sequence[float],
    extrinsic: np.ndarray | None,
    unit: float,
    where: str,
) -> Camera:
    """Make a camera in our world, z up, from ``camera = R @ world + t`` in a world with y up.

    The extrinsic is R and t, (3, 4); ``unit`` is metres a unit of t.
    """
    if min(focal) <= 0 or min(size) < 1:
        raise FormatError(
            f"{where}: focal lengths {focal[0]:g}, {focal[1]:g} px and image size {size[0]:g} x "
            f"{size[1]:g} px are no camera's: the file is damaged"
        )
    pairs = ((focal[0], focal[1]), (centre[0], centre[1]))
    lens = lens_alone(pairs, (int(size[0]), int(size[1])))
    if extrinsic is None:
        return lens
    R, t = extrinsic[:, :3], extrinsic[:, 3]
    check_rotation(R, where, tolerance=1e-2)
    return replace(lens, R=R @ _Z_UP.T, position=_Z_UP @ (-R.T @ t * unit))


def fit_lens(
    keypoints: Float[np.ndarray, "frame joint 2"],
    positions: Float[np.ndarray, "frame joint 3"],
    size: tuple[int, int],
    *,
    where: str = "the sequence",
) -> tuple[Camera, float]:
    """Fit focal lengths and principal point to a sequence, by least squares.

    u = fx · x/z + cx and v = fy · y/z + cy, without distortion. A second pass leaves out the
    joints that the first put more than three medians away: a few wrong ones must not bend it.

    Args:
        keypoints: px.
        positions: Any unit, camera axes, and not scaled about the person: ``annot3``.
        size: Width and height of the image, px.
        where: For the message.

    Returns:
        The lens, its place unknown, and the root mean square distance that is left, px.

    Raises:
        FormatError: If there are too few joints in front of the camera, all lie on one line of
            sight, or what is left is over a twentieth of the image's width.

    Source: the pinhole model; mmpose's converter of this test set estimates it so too, weighted by
    depth.
    """
    image, points = keypoints.reshape(-1, 2), positions.reshape(-1, 3)
    usable = np.isfinite(image).all(1) & np.isfinite(points).all(1)
    usable &= points[:, 2] > 1e-3 * np.abs(points[:, :2]).max(axis=1, initial=0)
    image, points = image[usable], points[usable]
    rays = points[:, :2] / points[:, 2:]
    if len(rays) < _FEWEST_JOINTS or min(np.ptp(rays, axis=0)) < 1e-6:
        raise FormatError(
            f"{where}: the lens does not follow from {counted(len(rays), 'joint')} before the "
            "camera: the sequence is too short, or its 3D is not in the camera's axes"
        )
    focal, centre = _fit(rays, image)
    distance = np.linalg.norm(rays * focal + centre - image, axis=1)
    near = distance <= 3 * np.median(distance)
    if min(np.ptp(rays[near], axis=0)) >= 1e-6:
        focal, centre = _fit(rays[near], image[near])
        distance = np.linalg.norm(rays[near] * focal + centre - image[near], axis=1)
    left = float(np.sqrt((distance**2).mean()))
    if min(focal) <= 0 or left > _WORST_FIT * size[0]:
        raise FormatError(
            f"{where}: no lens puts its 3D onto its 2D (focal lengths {focal[0]:.0f} and "
            f"{focal[1]:.0f} px leave {left:.0f} px): the two do not belong together"
        )
    pair = ((float(focal[0]), float(focal[1])), (float(centre[0]), float(centre[1])))
    return lens_alone(pair, size), left


def _fit(rays: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line to each axis: slope is the focal length, offset the principal point."""
    mean, at = rays.mean(axis=0), image.mean(axis=0)
    focal = ((rays - mean) * (image - at)).sum(axis=0) / ((rays - mean) ** 2).sum(axis=0)
    return focal, at - focal * mean
