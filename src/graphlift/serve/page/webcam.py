"""A webcam on the page: pictures come over a websocket, and scenes of one frame go back.

The page sends ``{"model": ..., "smooth": ...}`` and then pictures, JPEG, each as a binary message,
the next one once the one before is answered. The answer to a picture is binary, the arrays of a
scene (:mod:`graphlift.serve.page.scenes`), or the text ``{"nobody": true}``. Before the first
arrays comes their head, ``{"scene": ...}``. An error is ``{"error": ...}`` and the end.

Pictures are decoded, and people found in them, in a process of its own
(:mod:`graphlift.serve.page.watcher`), as videos are.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from graphlift.serve.page.wanted import wanted_commands
from graphlift.serve.page.watcher import LENGTH, TEXT
from graphlift.serve.refusals import Refusal
from graphlift.serve.shared import Shared
from graphlift.serve.stream import (
    BAD_DATA,
    GOING_AWAY,
    OWN_ERROR,
    POLICY,
    Ends,
    checked_text,
    close,
    content_of,
)
from graphlift.words import problems

_MOST = 2
"""Webcams at once: each takes a processor."""
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from graphlift.serve.page.watcher import watch; watch(json.loads(sys.argv[2]))"
)


class _Opening(BaseModel):
    """The first message."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: str | None = Field(None, max_length=200)
    smooth: bool = True


class Webcams:
    """All webcams of a server."""

    def __init__(self) -> None:
        self._open = 0

    async def answer(self, socket: WebSocket, shared: Shared) -> None:
        """Answer pictures until the page, the server or an error ends it."""
        await socket.accept()
        self._open += 1
        try:
            await _Webcam(socket, shared).run(room=self._open <= _MOST)
        except Ends as end:
            await close(socket, end)
        except WebSocketDisconnect:
            pass
        finally:
            self._open -= 1


class _Webcam:
    """One of them; the guard ends it with the streams."""

    def __init__(self, socket: WebSocket, shared: Shared) -> None:
        self.socket, self.shared = socket, shared
        self._ended = asyncio.Event()

    def end(self) -> None:
        """End before the next picture."""
        self._ended.set()

    def leave(self) -> None:
        """Leave no dispatcher: a webcam has a process of its own."""

    async def run(self, *, room: bool) -> None:
        """Answer one picture after another.

        Args:
            room: Whether another webcam may be open.

        Raises:
            Ends: With why nothing more is answered.
        """
        if not room:
            raise Ends(POLICY, f"{_MOST} webcams are open, as many as may: close one")
        with self.shared.streams.joined(self):
            process = await _start(await self._opened())
            try:
                while True:
                    picture = await self._picture()
                    for text, content in await _ask(process, picture):
                        await self._send(text, content)
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await asyncio.shield(process.wait())

    async def _opened(self) -> dict[str, Any]:
        """Read the first message; say what the process should do."""
        text = checked_text(content_of(await self._next()))
        try:
            opening = _Opening.model_validate_json(text)
            model = self.shared.paths[self.shared.model(opening.model)]
        except ValidationError as error:
            raise Ends(BAD_DATA, f"opening: {problems(error, 'opening')}") from error
        except Refusal as refusal:
            raise Ends(BAD_DATA, f"opening: {refusal.message}") from refusal
        wanted = await asyncio.to_thread(wanted_commands)
        if "one" in wanted:
            raise Ends(BAD_DATA, f"nothing here finds people in pictures yet: {wanted['one']}")
        return {"model": model, "smooth": opening.smooth}

    async def _picture(self) -> bytes:
        content = content_of(await self._next())
        if isinstance(content, str):
            raise Ends(BAD_DATA, "a message of text: send pictures, JPEG, as binary messages")
        return content

    async def _next(self) -> Any:  # noqa: ANN401  # ASGI's
        """Wait for a message, or for the end of the server."""
        message = asyncio.ensure_future(self.socket.receive())
        ended = asyncio.ensure_future(self._ended.wait())
        seconds = self.shared.settings.idle_seconds
        try:
            await asyncio.wait(
                (message, ended), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if ended.done():
                raise Ends(GOING_AWAY, "this server is ending: start it and the webcam again")
            if not message.done():
                raise Ends(POLICY, f"no picture for {seconds:g} s: start the webcam again")
            return message.result()
        finally:
            message.cancel()
            ended.cancel()

    async def _send(self, text: bool, content: bytes) -> None:
        if not text:
            await self.socket.send_bytes(content)
            return
        said = json.loads(content)
        if "error" in said:
            raise Ends(BAD_DATA, said["error"])
        await self.socket.send_text(content.decode())


async def _start(task: dict[str, Any]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _START, json.dumps(sys.path), json.dumps(task)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the server
        env=os.environ | {"OPENCV_IO_MAX_IMAGE_PIXELS": str(1 << 23)},
    )


async def _ask(process: asyncio.subprocess.Process, picture: bytes) -> list[tuple[bool, bytes]]:
    """Have a picture answered: whether each message is text, and its content.

    Raises:
        Ends: If the process breaks down.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    answers: list[tuple[bool, bytes]] = []
    try:
        process.stdin.write(len(picture).to_bytes(LENGTH, "little") + picture)
        await process.stdin.drain()
        more = 1
        while more:
            kind, more, *length = await process.stdout.readexactly(2 + LENGTH)
            size = int.from_bytes(bytes(length), "little")
            answers.append((kind == TEXT, await process.stdout.readexactly(size)))
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise Ends(
            OWN_ERROR, "the process that looks at the pictures broke down: start the webcam again"
        ) from error
    return answers
