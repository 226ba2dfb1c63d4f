"""Results of detectors that are already in memory, by the attributes they have.

Nothing is imported to recognise them: ultralytics is AGPL, and none of them need be installed.

* *ultralytics* ``Results`` (8.0 to 8.3): ``keypoints.xy`` (person, joint, 2), ``keypoints.conf``
  or None, ``boxes.id`` or None, ``orig_shape`` (height, width). A missing joint is 0, 0.
* *supervision* ``KeyPoints`` (0.18 to 0.30): ``xy`` (person, joint, 2), ``keypoint_confidence``
  (``confidence`` before 0.29) or None, ``visible`` or None, ``class_id``.
* *MediaPipe* results: ``pose_landmarks`` (:mod:`graphlift.formats.mediapipe`).

One is a frame; a list or any other iterable of them is a video. Seventeen joints are COCO's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, assemble
from graphlift.formats.keypoint_source import KeypointSource, check_image_size
from graphlift.formats.mediapipe import from_landmarks
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, HALPE_26
from graphlift.words import counted, reason


def from_objects(given: Any, source: KeypointSource) -> Keypoints:  # noqa: ANN401
    """Make keypoints of a detector's result, or of an iterable of them, one a frame.

    Raises:
        FormatError: If it is of no kind that is known, or frames are of several kinds or sizes.
    """
    kind = _kind(given)
    if kind:
        frames: Iterator[Any] = iter([given])
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes, dict)):
        frames = iter(given)
        first = next(frames, None)
        kind = _kind(first)
        frames = chain([first], frames)
    if not kind:
        raise FormatError(
            f"a {type(given).__name__} is no keypoints that are known: give a path, an array, "
            "results of ultralytics, supervision or MediaPipe, or a list of these, one a frame"
        )
    if kind == "MediaPipe":
        return from_landmarks(frames, replace(source, where="MediaPipe results"))
    return _of_people(frames, kind, source)


def _kind(value: Any) -> str:  # noqa: ANN401
    if hasattr(value, "keypoints") and hasattr(value, "orig_shape"):
        return "ultralytics"
    if hasattr(value, "pose_landmarks"):
        return "MediaPipe"
    if hasattr(value, "xy") and hasattr(value, "class_id"):
        return "supervision"
    return ""


def _of_people(frames: Iterable[Any], kind: str, source: KeypointSource) -> Keypoints:
    """Read the people of every frame, and let go of the frame: it may hold the image."""
    seen: list[Detection] = []
    sizes: set[tuple[int, int]] = set()
    count = 0
    for number, frame in enumerate(frames):
        if _kind(frame) != kind:
            raise FormatError(
                f"frame {number} is a {type(frame).__name__}, but frame 0 is of {kind}: give "
                "frames of one kind"
            )
        seen.extend((_ultralytics if kind == "ultralytics" else _supervision)(frame, number))
        if kind == "ultralytics":
            height, width = tuple(frame.orig_shape)[:2]
            sizes.add(check_image_size((width, height), f"orig_shape of frame {number}"))
        count += 1
    if len(sizes) > 1:
        raise FormatError(
            f"{kind} results: frames are of {len(sizes)} sizes, and keypoints are of one camera: "
            "give the frames of one video"
        )
    source = replace(source, where=f"results, {counted(count, 'frame')}").of(
        kind, usual=(COCO_17, HALPE_26), image_size=next(iter(sizes), None)
    )
    return assemble(seen, source, frames=range(count))


def _ultralytics(result: Any, frame: int) -> Iterator[Detection]:  # noqa: ANN401
    if result.keypoints is None:
        return
    xy, confidence = _array(result.keypoints.xy), _array(result.keypoints.conf)
    ids = _array(getattr(result.boxes, "id", None)) if result.boxes is not None else None
    yield from _people(xy, confidence, ids, frame)


def _supervision(result: Any, frame: int) -> Iterator[Detection]:  # noqa: ANN401
    # The old name warns in new versions, so the new one is asked for first.
    named = "keypoint_confidence" if hasattr(result, "keypoint_confidence") else "confidence"
    xy, confidence = _array(result.xy), _array(getattr(result, named, None))
    visible = _array(getattr(result, "visible", None))
    if xy is not None and visible is not None and visible.shape == xy.shape[:2]:
        shown = np.ones(xy.shape[:2]) if confidence is None else confidence
        confidence = np.where(visible.astype(bool), shown, 0)
    yield from _people(xy, confidence, None, frame)


def _people(
    xy: np.ndarray | None, confidence: np.ndarray | None, ids: np.ndarray | None, frame: int
) -> Iterator[Detection]:
    if xy is None or xy.size == 0:
        return
    c = np.ones(xy.shape[:2]) if confidence is None else confidence
    if xy.ndim != 3 or xy.shape[2] != 2 or c.shape != xy.shape[:2]:
        raise FormatError(
            f"frame {frame}: keypoints {xy.shape} with confidence {c.shape} should be (person, "
            "joint, 2) and (person, joint)"
        )
    for person, joints in enumerate(np.concatenate([xy, c[..., None]], axis=2)):
        known = ids is not None and len(ids) == len(xy)
        yield Detection(frame, joints, int(ids[person]) if known and ids is not None else None)


def _array(value: Any) -> np.ndarray | None:  # noqa: ANN401
    """Make an array of a tensor on any device, or of an array."""
    if value is None:
        return None
    value = value.detach() if hasattr(value, "detach") else value
    value = value.cpu() if hasattr(value, "cpu") else value
    value = value.numpy() if hasattr(value, "numpy") else value
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FormatError(f"keypoints should be numbers: {reason(error)}") from error
