"""Clips of one frame, of which the network's own output is asked: answered with the streams."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from graphlift.errors import GraphliftError
from graphlift.formats.arrays import from_plain, is_plain
from graphlift.formats.json_files import read_json
from graphlift.formats.keypoint_source import KeypointSource, skeleton_named
from graphlift.formats.to_json import json_lines
from graphlift.lifting import Lifter
from graphlift.motion.sizes import describe_sizes
from graphlift.numerals import is_whole
from graphlift.sequences import Keypoints
from graphlift.serve.batching import Answer, Dispatcher, Question
from graphlift.serve.options import LiftOptions
from graphlift.serve.refusals import Refusal
from graphlift.words import one_line

_SMALL = 1 << 16
"""Bytes of JSON that are read on the spot."""


def may_be_short(options: LiftOptions, headers: Mapping[str, str]) -> bool:
    """Whether a body may be JSON of one frame, to which nothing is done but lifting it."""
    alone = options.raw and not options.flip and not options.hypotheses
    length = headers.get("content-length", "")
    stated = is_whole(length) and "transfer-encoding" not in headers
    small = stated and len(length) < 9 and int(length) <= _SMALL
    return alone and small and headers.get("content-type", "").startswith("application/json")


async def lift_single(
    folder: Path, file: str, options: LiftOptions, dispatcher: Dispatcher
) -> str | None:
    """Lift a file of one frame; None if it has more, or is of another layout than our own.

    Returns:
        JSON, as ``graphlift lift --raw`` writes it.

    Raises:
        Refusal: If the file is refused.
    """
    path = folder / file
    if path.stat().st_size > _SMALL:
        return None
    try:
        data = read_json(path, _SMALL)
        # Others are not read while everybody waits: people have to be told apart, and a few
        # numbers of frames may stand for a hundred thousand frames.
        if not is_plain(data):
            return None
        reading = options.reading
        skeleton = reading.pop("skeleton")
        known = None if skeleton is None else skeleton_named(skeleton)
        keypoints = from_plain(data, KeypointSource(str(path), known, **reading))
        if len(keypoints) != 1:
            return None
        stream = dispatcher.lifter.stream(
            skeleton=keypoints.skeleton,
            image_size=keypoints.image_size,
            fps=keypoints.fps,
            field_of_view=options.field_of_view,
        )
        people = np.concatenate([keypoints.positions, keypoints.confidence[..., None]], axis=-1)
        question = Question(stream, people[0])
        answer = await dispatcher.ask(question)
        return await asyncio.to_thread(_write, dispatcher.lifter, keypoints, question, answer)
    except GraphliftError as error:
        raise Refusal(422, one_line(str(error).replace(f"{folder}/", ""))) from error


def _write(lifter: Lifter, keypoints: Keypoints, question: Question, answer: Answer) -> str:
    stream = question.stream
    lifted = {name: array[None] for name, array in answer.arrays.items()}
    lost = keypoints.seen[0].any(axis=-1) & np.isnan(answer.arrays["sigma"][:, 0])
    poses = lifter.poses_of(
        keypoints,
        stream.camera,
        lifted,
        answer.seen[None],
        few=int(lost.sum()),
        notes=stream.notes,
    ).without_absent()
    return "".join(json_lines(replace(poses, keypoints=None).noting(*describe_sizes(poses))))
