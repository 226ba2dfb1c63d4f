"""Single frames of many clients, put through the network together.

Nothing waits for company: while the network answers some frames, those that arrive meanwhile
gather, and go next. An idle server answers a lone frame at once.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from graphlift.given import given_rays
from graphlift.lifted import Lifted
from graphlift.lifting import Lifter
from graphlift.sequences import keypoints_from
from graphlift.serve.frames import Encoding, as_floats, as_json, list_answers
from graphlift.serve.metrics import Metrics
from graphlift.stream import Stream
from graphlift.threaded import BATCH

Message = str | bytes
"""Of a stream: text, or bytes."""


@dataclass(frozen=True, eq=False)
class Question:
    """A frame to lift.

    Args:
        stream: Whose it is: its skeleton, its camera, and what it remembers.
        people: x, y, px, and confidence; NaN where a joint is missing.
        number: Of the frame, to get it as a message; None for arrays alone.
        encoding: Of the message.
    """

    stream: Stream
    people: Float[np.ndarray, "person joint 3"]
    number: int | None = None
    encoding: Encoding = "json"


@dataclass(frozen=True, eq=False)
class Answer:
    """What became of a frame.

    Args:
        arrays: Of :class:`graphlift.lifted.Lifted`, by name, people first; smoothed if the stream
            says so.
        seen: Which joints were.
        message: As the question wants it, if it has a number.
    """

    arrays: dict[str, np.ndarray]
    seen: Bool[np.ndarray, "person joint"]
    message: Message = ""


def answer_together(lifter: Lifter, questions: Sequence[Question]) -> list[Answer]:
    """Lift frames of different streams by one call of the network.

    The answers are those of :class:`graphlift.stream.Stream`, one by one, but for the rounding of
    single precision, in which a network depends on how many frames it is given.
    """
    ends = np.cumsum([0, *(len(each.people) for each in questions)])
    places = [slice(*pair) for pair in pairwise(ends)]
    joints = len(lifter.skeleton)
    rays = np.zeros((ends[-1], joints, 2))
    confidence, seen = np.zeros((ends[-1], joints)), np.zeros((ends[-1], joints), dtype=bool)
    for alike in _alike(questions):
        first = questions[alike[0]].stream
        # Each person as a frame, as though one camera had seen them one after another.
        people = np.concatenate([questions[at].people for at in alike])[:, None]
        known = given_rays(keypoints_from(people, first.skeleton), first.camera, lifter.skeleton)
        rows = np.concatenate([np.arange(ends[-1])[places[at]] for at in alike])
        for whole, part in zip((rays, confidence, seen), known, strict=True):
            whole[rows] = part[:, 0]
    lifted = lifter.lift_rays(rays, confidence)
    said = {each.name: getattr(lifted, each.name) for each in fields(Lifted)}
    arrays = {name: array for name, array in said.items() if array is not None}
    parts = [{name: array[at] for name, array in arrays.items()} for at in places]
    for question, own in zip(questions, parts, strict=True):
        positions, fronts = question.stream.smoothed(own["positions"], own.get("fronts"))
        own["positions"][...] = positions
        if fronts is not None:
            own["fronts"][...] = fronts
    written = _messages(questions, arrays, seen, places)
    return [
        Answer(own, seen[at], message)
        for own, at, message in zip(parts, places, written, strict=True)
    ]


def _alike(questions: Sequence[Question]) -> Iterator[list[int]]:
    """Group questions by what their keypoints are: skeleton and lens."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for at, question in enumerate(questions):
        lens = question.stream.camera
        key = (lens.focal, lens.centre, lens.radial, lens.tangential, lens.distortion)
        groups.setdefault((id(question.stream.skeleton), *key), []).append(at)
    yield from groups.values()


def _messages(
    questions: Sequence[Question],
    arrays: dict[str, np.ndarray],
    seen: np.ndarray,
    places: Sequence[slice],
) -> Iterator[Message]:
    """Write the answers; all of JSON are listed together, which costs a third of one by one."""
    as_text = [each.number is not None and each.encoding == "json" for each in questions]
    people = list_answers(arrays, seen) if any(as_text) else []
    for question, text, at in zip(questions, as_text, places, strict=True):
        if question.number is None:
            yield ""
        elif text:
            yield as_json(question.number, people[at])
        else:
            own = {name: array[at] for name, array in arrays.items()}
            yield as_floats(question.number, own, seen[at])


class Dispatcher:
    """Asks one model, from one event loop.

    Args:
        lifter: The model.
        metrics: Where it counts.
    """

    def __init__(self, lifter: Lifter, metrics: Metrics) -> None:
        self.lifter = lifter
        self._waits = metrics.queue.labels("frames")
        self._batches = metrics.batches.labels(lifter.card.name)
        self._thread = ThreadPoolExecutor(1, "lifting")
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None

    def ask(self, question: Question) -> "asyncio.Future[Answer]":
        """Lift a frame; frames of one stream are answered in the order in which they came."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        self._waits.inc()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = list(self._next())
            self._waits.dec(len(batch))
            questions = [question for question, _ in batch]
            self._batches.observe(sum(len(each.people) for each in questions))
            try:
                answers: Sequence[Answer | Exception] = await loop.run_in_executor(
                    self._thread, answer_together, self.lifter, questions
                )
            except Exception as error:  # of our own: each of them is told
                answers = [error] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():  # its client has gone
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    def _next(self) -> Iterator[tuple[Question, "asyncio.Future[Answer]"]]:
        """Take what waits, as many people as the network takes at once; a frame stays whole."""
        people = 0
        while self._waiting:
            people += len(self._waiting[0][0].people)
            if people > BATCH and people > len(self._waiting[0][0].people):
                return
            yield self._waiting.popleft()

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)
