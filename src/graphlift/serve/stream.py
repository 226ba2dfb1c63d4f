"""Live streams over a websocket: a message says what comes, then a pose for each frame, in order.

The first message is the opening, JSON as text (:class:`graphlift.serve.openings.Opening`). The
answer to it, JSON as well, describes the poses to come, as the head of a JSON file of poses does.
Every further message is a frame, and so is its answer (:mod:`graphlift.serve.frames`), as text of
JSON or as float32 numbers. An error is always text, ``{"error": ...}``, after the answers to all
frames before it, and the end of the stream.

At most :data:`INBOX` frames are under way. Beyond that nothing more is read of the socket, and so
the client is held up; and a client that does not read its answers holds up itself.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from starlette.websockets import WebSocket, WebSocketDisconnect

from graphlift.errors import GraphliftError
from graphlift.serve.batching import Answer, Dispatcher, Message, Question
from graphlift.serve.frames import read_frame
from graphlift.serve.metrics import Metrics
from graphlift.serve.openings import Opening, describe_stream, open_stream, read_opening
from graphlift.serve.refusals import Refusal
from graphlift.serve.settings import Settings
from graphlift.stream import Stream
from graphlift.words import counted, one_line

INBOX = 32
"""Frames under way in one stream."""
LONGEST_MESSAGE = 1 << 18
"""Bytes; the server's websockets refuse more with code 1009."""
_LAST_FRAMES = 0.2
"""s; for frames on their way when the server is to end."""
_LOOK = 0.05
"""s; between looks at whether a message is late."""
_LAST_READ = 1.0
"""s; for those of a client that sends on and on."""

BAD_DATA, UNSUPPORTED, POLICY, GOING_AWAY, OWN_ERROR, GONE = 1007, 1003, 1008, 1001, 1011, 1005
TOO_BIG = 1009
"""Codes of RFC 6455, section 7.4.1, with which streams are closed."""


class Ends(Exception):  # noqa: N818  # no error of the server's
    """A stream is at its end.

    Args:
        code: Of the close frame.
        message: Why, for the client; empty if nothing is wrong.
    """

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(eq=False)
class Live:
    """A stream that is open.

    Args:
        socket: Of the client.
        settings: The limits.
        metrics: Where frames are counted.
        choose: Finds a model by the name that the opening has for it, or None.
    """

    socket: WebSocket
    settings: Settings
    metrics: Metrics
    choose: Callable[[str | None], Dispatcher]

    def __post_init__(self) -> None:
        self.under_way: asyncio.Queue[str | tuple[float, asyncio.Future[Answer]] | Ends]
        self.under_way = asyncio.Queue(INBOX)
        self.reader: asyncio.Task[None] | None = None
        self.ending = self._receiving = self._late = False
        self._until = self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._people: int | None = None

    async def run(self) -> None:
        """Answer the opening and frames until the client, the server or an error ends it."""
        self.reader = asyncio.create_task(self._read())
        # A task of its own: each answer would go through a dozen callers of this one else.
        await asyncio.create_task(self._write())

    def leave(self) -> None:
        """Stop to read, and the clock."""
        for each in (self.reader, self._timer):
            if each is not None:
                each.cancel()

    def end(self) -> None:
        """Take what the client has sent already, answer it, and end."""
        self.ending = True
        now = asyncio.get_running_loop().time()
        self._until, self._last = now + _LAST_FRAMES, now + _LAST_READ
        self._look()

    def _look(self) -> None:
        """End the wait for a message if it has lasted too long, or look again when it may have.

        One clock for all messages of a stream: one for each would cost more than to read it.
        """
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        if self._receiving and loop.time() >= self._until and self.reader is not None:
            self._late = True
            self.reader.cancel()
        else:
            again = max(self._until, loop.time() + _LOOK)
            self._timer = loop.call_at(again, self._look)

    async def _read(self) -> None:
        try:
            message = await self._receive(self.settings.seconds, "no opening came: send it first")
            opening, stream, dispatcher = self._open(message)
            await self.under_way.put(describe_stream(stream, opening.encoding))
            number, seconds = 0, self.settings.idle_seconds
            silent = f"no frame for {seconds:g} s: connect again"
            while True:
                message = await self._receive(seconds, silent)
                people = self._frame(message, opening, stream, number)
                question = Question(stream, people, number, opening.encoding)
                await self.under_way.put((time.perf_counter(), dispatcher.ask(question)))
                number += 1
        except Ends as end:
            await self.under_way.put(end)
        except WebSocketDisconnect:
            await self.under_way.put(Ends(GONE))

    async def _receive(self, seconds: float, silent: str) -> Message:
        """Wait for the next message; while the server ends, only for those on their way."""
        now = asyncio.get_running_loop().time()
        if not self.ending:
            self._until = now + seconds
        elif now > self._last:
            raise _server_ends()
        if self._timer is None or self._timer.when() > self._until:
            self._look()
        self._receiving = True
        try:
            message = await self.socket.receive()
        except asyncio.CancelledError:
            if not self._late:
                raise
            raise (_server_ends() if self.ending else Ends(POLICY, silent)) from None
        finally:
            self._receiving = False
        return content_of(message)

    def _open(self, message: Message) -> tuple[Opening, Stream, Dispatcher]:
        try:
            opening = read_opening(checked_text(message))
            dispatcher = self.choose(opening.model)
            return opening, open_stream(opening, dispatcher.lifter), dispatcher
        except (GraphliftError, Refusal) as error:
            raise Ends(BAD_DATA, f"opening: {one_line(error)}") from error

    def _frame(
        self, message: Message, opening: Opening, stream: Stream, number: int
    ) -> Float[np.ndarray, "person joint 3"]:
        where = f"frame {number}"
        if isinstance(message, str) != (opening.encoding == "json"):
            checked_text(message)
            raise Ends(UNSUPPORTED, f"{where}: is text: the opening promised {opening.encoding}")
        try:
            people = read_frame(message, stream.skeleton, where)
        except (GraphliftError, ValueError) as error:
            raise Ends(BAD_DATA, one_line(error)) from error
        if len(people) > self.settings.people:
            raise Ends(
                POLICY,
                f"{where}: {len(people)} people, more than the {self.settings.people} that this "
                "server allows: send fewer",
            )
        self._people = len(people) if self._people is None else self._people
        if stream.smooth and len(people) != self._people:
            raise Ends(
                BAD_DATA,
                f"{where}: {counted(len(people), 'person', 'people')} after frames of "
                f"{self._people}: smoothing needs the same people in every frame, null where one "
                "is away",
            )
        return people

    async def _write(self) -> None:
        latency = self.metrics.latency.labels("/stream")
        lifted = self.metrics.frames.labels("stream")
        while True:
            item = await self.under_way.get()
            if isinstance(item, Ends):
                raise item
            if isinstance(item, str):
                await self.socket.send_text(item)
                continue
            came, future = item
            message = (await future).message
            kind = "text" if isinstance(message, str) else "bytes"
            await self.socket.send({"type": "websocket.send", kind: message})
            latency.observe(time.perf_counter() - came)
            lifted.inc()


def _server_ends() -> Ends:
    return Ends(GOING_AWAY, "this server is ending: connect again")


class Endable(Protocol):
    """A stream, or a webcam, that the end of the server is told to."""

    def end(self) -> None:
        """Answer what has come, and end."""

    def leave(self) -> None:
        """Give back what was taken from others."""


class Streams:
    """All streams that are open, whether their opening has come or not."""

    def __init__(self) -> None:
        self.open: set[Endable] = set()
        self.ending = False

    @contextlib.contextmanager
    def joined(self, live: Endable) -> Iterator[None]:
        """Count a stream in meanwhile."""
        self.open.add(live)
        if self.ending:
            live.end()
        try:
            yield
        finally:
            self.open.discard(live)
            live.leave()

    def end(self) -> None:
        """Let all of them answer what they have got, and end."""
        self.ending = True
        for live in list(self.open):
            live.end()


def content_of(message: Any) -> Message:  # noqa: ANN401  # ASGI's
    """Take the text or the bytes out of a message.

    Raises:
        Ends: If it cannot be read.
        WebSocketDisconnect: If the client has gone.
    """
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", GONE))
    if "refused" in message:  # by graphlift.serve.connections
        raise Ends(*message["refused"])
    text = message.get("text")
    content: Message = message.get("bytes", b"") if text is None else text
    return content


def checked_text(message: Message) -> str:
    """Refuse a message of bytes.

    Raises:
        Ends: If it is one.
    """
    if not isinstance(message, str):
        raise Ends(UNSUPPORTED, "a binary message: send JSON as text")
    return message


async def close(socket: WebSocket, end: Ends) -> None:
    """Tell a client why its stream ends, and end it."""
    if end.code == GONE:
        return
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        if end.message:
            await socket.send_text(json.dumps({"error": end.message}))
        await socket.close(end.code, end.message.encode()[:120].decode(errors="ignore"))
