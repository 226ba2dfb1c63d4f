"""The process that looks at a webcam's pictures for the page.

Standard input holds pictures, each after its length; standard output the answers, each after its
kind, whether another one follows to the same picture, and its length.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from graphlift.errors import FormatError, GraphliftError, ShapeError
from graphlift.serve.page.scenes import scene_of
from graphlift.video.frames import Image, decode_image
from graphlift.words import one_line

LENGTH = 4
"""Bytes of a length, the least significant first."""
TEXT, ARRAYS = 0, 1
"""Kinds of answers."""
_RATE = 20.0
"""Frames per second that smoothing assumes: a webcam's rate is what the machine manages."""
_ROOM = 1.3
"""How many times farther than needed the viewer stands, because people will move."""

Say = Callable[[int, bytes, bool], None]


def watch(task: Mapping[str, Any]) -> None:
    """Answer pictures until standard input ends.

    Args:
        task: ``model`` to lift with, and whether to ``smooth``.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever else libraries may print

    def say(kind: int, content: bytes, more: bool = False) -> None:
        answers.write(bytes((kind, more)) + len(content).to_bytes(LENGTH, "little") + content)
        answers.flush()

    try:
        answer_pictures(sys.stdin.buffer, task, say)
    except (GraphliftError, OSError) as error:
        say(TEXT, json.dumps({"error": one_line(error)}).encode())


def answer_pictures(pictures: BinaryIO, task: Mapping[str, Any], say: Say) -> None:
    """Find and lift the person in one picture after another.

    Args:
        pictures: Each after its length.
        task: As of :func:`watch`.
        say: Takes a kind, the content, and whether more follows to the same picture.

    Raises:
        FormatError: If a picture cannot be read, or has another size than those before.
        ModelError: If the detector's weights cannot be had.
    """
    from graphlift.lifting import Lifter
    from graphlift.sequences import keypoints_from
    from graphlift.video import load_detector, stream_people

    lifter, detector = Lifter.load(task["model"]), load_detector("blazepose")
    nobody = np.full((1, len(detector.skeleton), 3), np.nan)
    stream, headed = None, False
    for seen in stream_people(_Pictures(pictures), detector):
        size = (seen.image.shape[1], seen.image.shape[0])
        stream = stream or lifter.stream(
            skeleton=detector.skeleton, image_size=size, fps=_RATE, smooth=task["smooth"]
        )
        found = seen.keypoints(detector.skeleton)
        frame = found if len(found) else nobody
        keypoints = keypoints_from(frame[None], detector.skeleton, image_size=size)
        try:
            head, arrays = scene_of(stream(frame).noting(keypoints=keypoints))
        except ShapeError:
            say(TEXT, b'{"nobody": true}', False)
            continue
        if not headed:
            head["room"] = _ROOM
            say(TEXT, json.dumps({"scene": head}).encode(), True)
            headed = True
        say(ARRAYS, arrays, False)


@dataclass(frozen=True)
class _Pictures:
    """A video whose frames come one by one."""

    source: BinaryIO

    def timed_frames(self) -> Iterator[tuple[None, Image]]:
        """Decode one picture after another.

        Raises:
            FormatError: If one cannot be, or has another size than those before.
        """
        first = None
        while head := self.source.read(LENGTH):
            image = decode_image(self.source.read(int.from_bytes(head, "little")))
            if image is None:
                raise FormatError("a picture of the webcam cannot be read: start it again")
            first = first or image.shape
            if image.shape != first:
                raise FormatError("the webcam's pictures changed their size: start it again")
            yield None, image
