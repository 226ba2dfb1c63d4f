"""MediaPipe's pose landmarks: JSON of them, and the objects themselves.

There is no file format of MediaPipe's own. Read is a list with one entry a frame (also under
``frames``, beside ``width`` and ``height`` or ``image_size``, and ``fps``), each entry ``null`` or
``[]`` for no person, 33 landmarks ``{"x", "y", "z", "visibility"}``, a list of such lists for
several people, or an object with one of these under ``pose_landmarks``, ``poseLandmarks``,
``landmarks`` or ``landmark``: what ``MessageToDict``, the JavaScript results and most loggers
give. Objects are recognised by their attribute ``pose_landmarks``: of the legacy solution (one
person) and of the tasks' ``PoseLandmarkerResult`` (several).

x and y are fractions of the image's width and height, so its size must be known. Visibility is
taken as confidence; a landmark without one has confidence 1.

Source: MediaPipe's documentation of the pose landmarker and of the legacy pose solution (0.8 to
0.10).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, alike, assemble
from graphlift.formats.json_files import numbers
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.sequences import Keypoints
from graphlift.skeletons import MEDIAPIPE_33

USUAL = (MEDIAPIPE_33,)
_FARTHEST = 20
"""Images away, for a landmark; outside the image they are guesses, but not so wild."""

_UNDER = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")


def from_landmarks(frames: Any, source: KeypointSource) -> Keypoints:  # noqa: ANN401
    """Make keypoints of landmarks of all frames.

    Raises:
        FormatError: If they are not as above, or the image's size is unknown.
    """
    kind, where = "MediaPipe landmarks", source.where
    if isinstance(frames, dict) and "frames" in frames:
        size = frames.get("image_size")
        if size is None and {"width", "height"} <= set(frames):
            size = (frames["width"], frames["height"])
        source = source.of(kind, usual=USUAL, image_size=size, fps=frames.get("fps"))
        frames = frames["frames"]
    else:
        source = source.of(kind, usual=USUAL)
    if not isinstance(frames, Iterable) or isinstance(frames, (dict, str)):
        frames = [frames]
    size = source.image_size
    if size is None:
        raise FormatError(
            f"{where}: MediaPipe gives positions as fractions of the image, and its size is not "
            "stated: give image_size=(width, height) in px (--image-size WIDTHxHEIGHT)"
        )
    if isinstance(frames, list):
        source.check_frames(len(frames))
    count = 0

    def people() -> Iterator[Detection]:
        nonlocal count
        for frame, entry in enumerate(frames):
            count += 1
            for person in _people(entry):
                yield Detection(frame, _triples(person, size, f"{where}: frame {frame}"))

    seen = alike(people(), source)
    source = source.noting(f"px of an image of {size[0]}x{size[1]}")
    return assemble(seen, source, frames=range(count))


def is_landmarks(entry: Any) -> bool:  # noqa: ANN401
    """Say whether a frame's entry, from JSON or of MediaPipe's own, looks like landmarks."""
    people = _people(entry)
    if people:
        return _field(people[0][0], "x") is not None
    wrapped = entry if isinstance(entry, dict) else getattr(entry, "__dict__", {})
    return any(name in wrapped or hasattr(type(entry), name) for name in _UNDER)


def _people(entry: Any) -> list[Sequence[Any]]:  # noqa: ANN401
    """List the people of a frame's entry, each as a list of landmarks."""
    entry = _inside(entry)
    if not _listed(entry):
        return []
    if _field(entry[0], "x") is not None:
        return [entry]
    return [person for person in map(_inside, entry) if _listed(person)]


def _inside(entry: Any) -> Any:  # noqa: ANN401
    """Take landmarks out of what they are wrapped in."""
    for _ in _UNDER:
        inner = None if isinstance(entry, list) else _field(entry, *_UNDER)
        if inner is None:
            break
        entry = inner
    return entry


def _listed(value: Any) -> bool:  # noqa: ANN401
    sized = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    return sized and not isinstance(value, (str, dict)) and len(value) > 0


def _triples(landmarks: Sequence[Any], size: tuple[int, int], where: str) -> np.ndarray:
    rows = []
    for landmark in landmarks:
        visibility = _field(landmark, "visibility")
        rows.append((_field(landmark, "x"), _field(landmark, "y"), visibility))
    triples = numbers(rows, f"{where}: x, y and visibility of a landmark")
    farthest = float(np.abs(np.nan_to_num(triples[:, :2])).max())
    if farthest > _FARTHEST:
        raise FormatError(
            f"{where}: x and y should be fractions of the image, from 0 to 1, but one is "
            f"{farthest:.3g}: divide px by its width and height"
        )
    triples[np.array([row[2] is None for row in rows]), 2] = 1
    return triples * [*size, 1]


def _field(value: Any, *names: str) -> Any:  # noqa: ANN401
    """Look a name up in a dictionary or among attributes; None if there is none."""
    for name in names:
        found = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
        if found is not None:
            return found
    return None
