"""Cameras from a user's own files: Human3.6M's ``metadata.xml``, mmpose's ``cameras.pkl``.

``metadata.xml``: the element ``w0`` holds 300 numbers in brackets: for each camera and each of
eleven subjects three Euler angles and a position (mm), so that ``camera = R1 R2 R3 (world - T)``;
then for each camera f, c, k1 to k3, p1, p2. ``cameras.pkl``: {(subject, camera): {R, T (m), f, c,
k, p, w, h, ...}}, where R turns camera axes into the world's.

Source: Martinez et al., "A simple yet effective baseline for 3D human pose estimation", ICCV 2017
(its ``cameras.py``); mmpose's ``preprocess_h36m.py`` and ``SimpleCamera``.
"""

from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from graphlift.cameras import Camera
from graphlift.datasets.human36m.calibration import make_camera
from graphlift.datasets.human36m.facts import CAMERAS, SUBJECTS
from graphlift.errors import FormatError
from graphlift.formats.plain_pickle import unpickle_plain
from graphlift.numerals import decimal
from graphlift.words import reason

_LARGEST = 1 << 24
"""Bytes of a file of cameras; the real ones take some hundred thousand at most."""

_PEOPLE = 11

_FARTHEST = 1e6
"""m or px; a camera's numbers are no larger."""

Cameras = dict[tuple[str, str], Camera]


def read_metadata_xml(path: Path) -> Cameras:
    """Read Human3.6M's calibration.

    Raises:
        FormatError: If it is no such XML, declares a document type or entities, or its ``w0`` is
            not 300 finite numbers.
    """
    text = _text_of(path, "w0").strip().removeprefix("[").removesuffix("]")
    try:
        w0 = [decimal(word) for word in text.split()]
    except ValueError:
        w0 = []
    if len(w0) != 300 or not all(abs(number) < _FARTHEST for number in w0):
        raise FormatError(
            f"{path}: w0 should hold 300 numbers, places of 4 cameras for 11 subjects, then "
            f"lenses with distortion; it holds {len(w0)}: copy the file again, or leave it out "
            "to use the published calibration"
        )
    cameras: Cameras = {}
    for c, name in enumerate(CAMERAS):
        lens = w0[6 * 4 * _PEOPLE + 9 * c :][:9]
        for subject in SUBJECTS:
            start = 6 * (_PEOPLE * c + int(subject[1:]) - 1)
            place = np.array(w0[start : start + 6])
            cameras[subject, name] = make_camera(
                name, lens, R=_euler_to_matrix(place[:3]), position=place[3:] / 1000
            )
    return cameras


def read_camera_pickle(path: Path) -> Cameras:
    """Read mmpose's cameras, without running what is in the file.

    Raises:
        FormatError: If it asks for anything but numbers, a camera of the seven subjects is not
            there, or a camera lacks a parameter; the message names it.
    """
    _check_size(path)
    stored = unpickle_plain(path.read_bytes(), str(path))
    if not isinstance(stored, dict):
        raise FormatError(f"{path}: should be a dictionary of cameras: it is of another kind")
    cameras: Cameras = {}
    for subject in SUBJECTS:
        for name in CAMERAS:
            where = f"{path}: camera {name} of {subject}"
            about = stored.get((subject, name))
            if not isinstance(about, dict):
                raise FormatError(f"{where} is not there: make the file again from metadata.xml")
            numbers = [
                n for key, count in (("f", 2), ("c", 2), ("k", 3), ("p", 2))
                for n in _numbers(about, key, count, where)
            ]  # fmt: skip
            R = np.array(_numbers(about, "R", 9, where)).reshape(3, 3).T
            if not np.allclose(R @ R.T, np.eye(3), atol=1e-3):
                raise FormatError(f"{where}: R is no rotation: make the file again")
            position = np.array(_numbers(about, "T", 3, where))
            cameras[subject, name] = make_camera(name, numbers, R=R, position=position)
    return cameras


def _numbers(about: dict[str, Any], key: str, count: int, where: str) -> list[float]:
    """Take so many numbers of a camera; the distortion k, p must be there as well."""
    value = about.get(key)
    array = value if isinstance(value, np.ndarray) and value.dtype.kind in "fi" else np.zeros(0)
    if array.size != count or not (np.abs(array) < _FARTHEST).all():
        what = "distortion" if key in "kp" else "calibration"
        raise FormatError(
            f"{where} has no {key} of {count} numbers: its {what} is missing; make the file again "
            "from Human3.6M's metadata.xml, or leave it out to use the published calibration"
        )
    return [float(number) for number in array.astype(float).ravel()]


def _text_of(path: Path, element: str) -> str:
    """Collect the text of the elements of one name; no entity is ever replaced."""
    _check_size(path)
    found: list[str] = []
    inside: list[str] = []

    def refuse(*_: object) -> None:
        raise FormatError(
            f"{path}: declares a document type (DOCTYPE), which is not read because it can be "
            "made to fill memory: remove the declaration, or leave the file out"
        )

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = lambda name, _: inside.append(name) if name == element else None
    parser.EndElementHandler = lambda name: inside.pop() if name == element else None
    parser.CharacterDataHandler = lambda text: found.append(text) if inside else None
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise FormatError(
            f"{path}: is no XML, or damaged ({reason(error)}): copy it again"
        ) from error
    return "".join(found)


def _check_size(path: Path) -> None:
    if (size := path.stat().st_size) > _LARGEST:
        raise FormatError(
            f"{path}: takes {size / 1e6:.0f} MB, which no file of cameras does: it is of another "
            "kind"
        )


def _euler_to_matrix(angles: np.ndarray) -> np.ndarray:
    """R1 R2 R3: turns about x, then y, then z of the turned axes."""
    (c1, c2, c3), (s1, s2, s3) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, c1, -s1], [0, s1, c1]])
    about_y = np.array([[c2, 0, s2], [0, 1, 0], [-s2, 0, c2]])
    about_z = np.array([[c3, -s3, 0], [s3, c3, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)
