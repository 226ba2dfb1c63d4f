"""Detectron's npz of a video, which VideoPose3D's inference makes.

Layout: ``keypoints``, objects (frame, 2): an empty list (the class *background*), then the people
of the frame as an array (person, 4, joint) of x, y, a logit (0 from Detectron2) and a score, or an
empty list for nobody; ``boxes`` and ``segments`` likewise; ``metadata`` ``{"w", "h"}``, the
image's size. All are pickled, and read by :mod:`graphlift.formats.foreign_npz`. Seventeen joints
are COCO's. Nobody has an id.

Source: VideoPose3D's ``inference/infer_video_d2.py`` and ``infer_video.py``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, Origin, assemble
from graphlift.formats.foreign_npz import read_object_arrays
from graphlift.formats.request import Request, check_image_size
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17

_CLASSES = 2
"""Background, and people."""


def read_npz(path: Path, request: Request) -> Keypoints:
    """Read a video's file.

    Raises:
        FormatError: If it is not as above.
    """
    arrays = read_object_arrays(path, ("keypoints", "metadata"), max_bytes=request.max_bytes)
    frames = _frames(arrays["keypoints"], path)
    seen = [person for frame, found in enumerate(frames) for person in _people(found, frame, path)]
    metadata = arrays.get("metadata")
    size = (metadata.get("w"), metadata.get("h")) if isinstance(metadata, dict) else (None, None)
    origin = Origin(
        "Detectron npz",
        str(path),
        usual=(COCO_17,),
        image_size=None if size == (None, None) else check_image_size(size, f"{path}: w and h"),
    )
    return assemble(seen, origin, request, frames=range(len(frames)))


def _frames(found: Any, path: Path) -> list[Any]:  # noqa: ANN401
    """List the people of each frame; NumPy kept the two classes as an axis or as lists."""
    if isinstance(found, np.ndarray):  # nobody anywhere
        return [[] for _ in range(len(found))]
    if isinstance(found, list) and all(isinstance(each, list) and each for each in found):
        if all(len(each) == _CLASSES for each in found):
            return [each[-1] for each in found]
    elif isinstance(found, list) and len(found) % _CLASSES == 0:
        return found[1::_CLASSES]
    raise FormatError(
        f"{path}: keypoints should be two for each frame, the background's, which is empty, and "
        "the people's: it is damaged or of another kind"
    )


def _people(found: Any, frame: int, path: Path) -> Iterator[Detection]:  # noqa: ANN401
    for person, array in enumerate(found if isinstance(found, (list, np.ndarray)) else [found]):
        if (
            not isinstance(array, np.ndarray)
            or array.ndim != 2
            or len(array) != 4
            or array.dtype.kind not in "iuf"
        ):
            raise FormatError(
                f"{path}: person {person} of frame {frame} should be an array (4, joint) of x, y, "
                "logit and score: it is damaged or of another kind"
            )
        yield Detection(frame, array[[0, 1, 3]].T.astype(np.float64))
