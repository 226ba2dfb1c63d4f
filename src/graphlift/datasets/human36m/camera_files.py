"""Cameras from a user's own files: Human3.6M's ``metadata.xml``, mmpose's ``cameras.pkl``.

``metadata.xml``: the element ``w0`` holds 300 numbers in brackets: for each camera and each of
eleven subjects three Euler angles and a position (mm), so that ``camera = R1 R2 R3 (world - T)``;
then for each camera f, c, k1 to k3, p1, p2. ``cameras.pkl``: {(subject, camera): {R, T (m), f, c,
k, p, w, h, ...}}, where R turns camera axes into the world's.

Source: Martinez et al., "A simple yet effective baseline for 3D human pose estimation", ICCV 2017
(its ``cameras.py``); mmpose's ``preprocess_h36m.py`` and ``SimpleCamera``.
"""

from pathlib import Path
from xml.parsers import expat

import numpy as np

from graphlift.cameras import Camera
from graphlift.datasets.human36m.calibration import make_camera
from graphlift.datasets.human36m.facts import CAMERAS, SUBJECTS
from graphlift.datasets.licensed.checks import LARGEST_NUMBER, check_rotation, check_size
from graphlift.datasets.licensed.mmpose import camera_numbers, read_camera_pickle
from graphlift.errors import FormatError
from graphlift.numerals import decimal
from graphlift.words import reason

_LARGEST = 1 << 24
"""Bytes of ``metadata.xml``; the real one takes some hundred thousand."""

_PEOPLE = 11

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
    if len(w0) != 300 or not all(abs(number) < LARGEST_NUMBER for number in w0):
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
            R = _euler_to_matrix(place[:3])
            cameras[subject, name] = make_camera(name, lens, R=R, position=place[3:] / 1000)
    return cameras


def read_h36m_pickle(path: Path) -> Cameras:
    """Read mmpose's cameras, without running what is in the file.

    Raises:
        FormatError: If it asks for anything but numbers, or a camera of the seven subjects or one
            of its parameters is missing; the message names it.
    """
    stored = read_camera_pickle(path)
    counts = {"f": 2, "c": 2, "k": 3, "p": 2, "R": 9, "T": 3}
    cameras: Cameras = {}
    for subject in SUBJECTS:
        for name in CAMERAS:
            where = f"{path}: camera {name} of {subject}"
            numbers = camera_numbers(stored.get((subject, name)), counts, where)
            R = np.array(numbers.pop("R")).reshape(3, 3).T
            check_rotation(R, where, tolerance=1e-3)
            position = np.array(numbers.pop("T"))
            lens = [number for each in numbers.values() for number in each]
            cameras[subject, name] = make_camera(name, lens, R=R, position=position)
    return cameras


def _text_of(path: Path, element: str) -> str:
    """Collect the text of the elements of one name; no entity is ever replaced."""
    check_size(path, _LARGEST, "file of cameras")
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


def _euler_to_matrix(angles: np.ndarray) -> np.ndarray:
    """Multiply R1 R2 R3, rotations about x, then y, then z of the rotated axes.

    SciPy's matrix differs in the last bit, and so would the digest of every pack.
    """
    (c1, c2, c3), (s1, s2, s3) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, c1, -s1], [0, s1, c1]])
    about_y = np.array([[c2, 0, s2], [0, 1, 0], [-s2, 0, c2]])
    about_z = np.array([[c3, -s3, 0], [s3, c3, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)
