"""Live streams over a websocket: a message says what comes, then a pose for each frame, in order.

The client sends text of JSON. The first message is the opening: skeleton, the size of the image,
and so on (:class:`Opening`). The answer to it describes the poses to come, as the head of a JSON
file of poses does. Every further message is a frame: ``{"keypoints": ...}`` or the keypoints
alone, (joint, 2), (joint, 3), (person, joint, 2) or (person, joint, 3), px and confidence, with
``null`` for a missing number. The answer is that frame of a JSON file of poses. An error is a
message ``{"error": ...}`` after the answers to all frames before it, and the end of the stream.

At most :data:`INBOX` frames are under way. Beyond that nothing more is read of the socket, and so
the client is held up; and a client that does not read its answers holds up itself.
"""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from graphlift.cameras import Camera
from graphlift.errors import GraphliftError, ShapeError
from graphlift.formats.in_image import FARTHEST
from graphlift.formats.json_files import numbers
from graphlift.formats.to_json import describe_json
from graphlift.plain_json import parse_json
from graphlift.sequences import keypoints_from
from graphlift.serve.batching import Answer, Dispatcher, Question
from graphlift.serve.metrics import Metrics
from graphlift.serve.settings import Settings
from graphlift.stream import Stream
from graphlift.words import one_line, plain, problems, shown

INBOX = 32
"""Frames under way in one stream."""
LONGEST_MESSAGE = 1 << 18
"""Bytes; the server's websockets refuse more with code 1009."""
_LAST_FRAMES = 0.2
"""s; for frames on their way when the server is to end."""

BAD_DATA, UNSUPPORTED, POLICY, GOING_AWAY, OWN_ERROR, GONE = 1007, 1003, 1008, 1001, 1011, 1005
"""Codes of RFC 6455, section 7.4.1, with which streams are closed."""


_Focal = Annotated[float, Field(ge=1, le=1e7, allow_inf_nan=False)]
_Place = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]
_Coefficient = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]


class Lens(BaseModel):
    """Intrinsics of a camera, px; radial k1, k2, k3 and tangential p1, p2 as OpenCV has them."""

    model_config = ConfigDict(extra="forbid")

    focal: tuple[_Focal, _Focal]
    centre: tuple[_Place, _Place]
    radial: tuple[_Coefficient, _Coefficient, _Coefficient] = (0.0, 0.0, 0.0)
    tangential: tuple[_Coefficient, _Coefficient] = (0.0, 0.0)


class Opening(BaseModel):
    """The first message of a stream."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    skeleton: str = Field(max_length=100)
    image_size: tuple[int, int]
    fps: float | None = None
    model: str | None = Field(None, max_length=200)
    camera: Lens | None = None
    field_of_view: float | None = Field(None, ge=1, lt=180)
    smooth: bool = False


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
        stream: What the lifter keeps of it.
        dispatcher: Of its model.
        settings: The limits.
        metrics: Where frames are counted.
    """

    socket: WebSocket
    stream: Stream
    dispatcher: Dispatcher
    settings: Settings
    metrics: Metrics

    def __post_init__(self) -> None:
        self.under_way: asyncio.Queue[tuple[float, asyncio.Future[Answer]] | Ends]
        self.under_way = asyncio.Queue(INBOX)
        self.reader: asyncio.Task[None] | None = None
        self.ending = self._receiving = False
        self._deadline = 0.0
        self._people: int | None = None

    async def run(self) -> None:
        """Answer frames until the client, the server or an error ends the stream."""
        self.reader = asyncio.create_task(self._read())
        try:
            await self._write()
        finally:
            self.reader.cancel()

    def end(self) -> None:
        """Take what the client has sent already, answer it, and end."""
        self.ending = True
        self._deadline = asyncio.get_running_loop().time() + _LAST_FRAMES
        if self.reader is not None and self._receiving:
            self.reader.cancel()  # a frame that has come is not lost: it waits for the next call

    async def _read(self) -> None:
        number = 0
        try:
            while True:
                text = await self._receive()
                people = self._frame(text, number)
                future = self.dispatcher.ask(Question(self.stream, people, number))
                await self.under_way.put((time.perf_counter(), future))
                number += 1
        except Ends as end:
            await self.under_way.put(end)
        except WebSocketDisconnect:
            await self.under_way.put(Ends(GONE))

    async def _receive(self) -> str:
        """Wait for the next message; while the server ends, only for those on their way."""
        seconds = self.settings.idle_seconds
        until = self._deadline if self.ending else asyncio.get_running_loop().time() + seconds
        self._receiving = not self.ending
        try:
            async with asyncio.timeout_at(until):
                message = await self.socket.receive()
        except asyncio.CancelledError:
            if not self.ending:
                raise
            return await self._receive()
        except TimeoutError:
            if self.ending:
                raise Ends(GOING_AWAY, "this server is ending: connect again") from None
            raise Ends(POLICY, f"no frame for {seconds:g} s: connect again") from None
        finally:
            self._receiving = False
        return text_of(message)

    def _frame(self, text: str, number: int) -> Float[np.ndarray, "person joint 3"]:
        where = f"frame {number}"
        try:
            people = read_frame(text, self.stream, where)
        except (GraphliftError, ValueError) as error:
            raise Ends(BAD_DATA, one_line(error)) from error
        if len(people) > self.settings.people:
            raise Ends(
                POLICY,
                f"{where}: {len(people)} people, more than the {self.settings.people} that this "
                "server allows: send fewer",
            )
        self._people = len(people) if self._people is None else self._people
        if self.stream.smooth and len(people) != self._people:
            raise Ends(
                BAD_DATA,
                f"{where}: {len(people)} people after frames of {self._people}: smoothing needs "
                "the same people in every frame, null where one is away",
            )
        return people

    async def _write(self) -> None:
        latency = self.metrics.latency.labels("/stream")
        lifted = self.metrics.frames.labels("stream")
        while True:
            item = await self.under_way.get()
            if isinstance(item, Ends):
                raise item
            came, future = item
            answer = await future
            await self.socket.send({"type": "websocket.send", "text": answer.text})
            latency.observe(time.perf_counter() - came)
            lifted.inc()


def text_of(message: Any) -> str:  # noqa: ANN401  # ASGI's
    """Take the text out of a message.

    Raises:
        Ends: If it is binary, or the client has gone.
    """
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if not isinstance(text, str):
        raise Ends(UNSUPPORTED, "a binary message: send JSON as text")
    return text


def read_frame(text: str, stream: Stream, where: str) -> Float[np.ndarray, "person joint 3"]:
    """Read a frame.

    Raises:
        GraphliftError, ValueError: If it is none; the message says why.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ShapeError(f"{where}: is no JSON ({plain(error)}): send keypoints") from error
    if isinstance(data, dict):
        if set(data) != {"keypoints"}:
            raise ShapeError(
                f"{where}: has {shown(sorted(data))}, but should have keypoints and nothing else"
            )
        data = data["keypoints"]
    if not isinstance(data, list):
        raise ShapeError(f"{where}: is {shown(data)}: send a list of x, y of every joint")
    if not data:
        return np.empty((0, len(stream.skeleton), 3))
    people = numbers(data, f"{where}: keypoints")
    joints = len(stream.skeleton)
    if people.ndim not in (2, 3) or people.shape[-2] != joints or people.shape[-1] not in (2, 3):
        raise ShapeError(
            f"{where}: keypoints {people.shape} should be ({joints}, 2) or ({joints}, 3), or a "
            f"list of these, for {stream.skeleton.name}"
        )
    people = people.reshape(-1, *people.shape[-2:])
    farthest = np.nanmax(np.abs(people[..., :2]), initial=0)
    if farthest > FARTHEST:
        raise ShapeError(f"{where}: a joint lies {farthest:.3g} px away: these are no px")
    if people.shape[-1] == 3:
        return people
    return np.concatenate([people, np.ones((*people.shape[:2], 1))], axis=-1)


def read_opening(text: str) -> Opening:
    """Read the first message.

    Raises:
        Ends: If it is none.
    """
    try:
        parse_json(text)
        return Opening.model_validate_json(text)
    except ValidationError as error:
        raise Ends(BAD_DATA, f"opening: {problems(error, 'opening')}") from error
    except ValueError as error:
        raise Ends(BAD_DATA, f"opening: is no JSON ({plain(error)})") from error


def open_stream(opening: Opening, dispatcher: Dispatcher) -> Stream:
    """Make what the lifter keeps of a stream.

    Raises:
        Ends: If the opening says what cannot be.
    """
    size, lens = opening.image_size, opening.camera
    try:
        camera = None if lens is None else _camera(lens, size)
        return dispatcher.lifter.stream(
            skeleton=opening.skeleton,
            camera=camera,
            image_size=size,
            fps=opening.fps,
            field_of_view=opening.field_of_view,
            smooth=opening.smooth,
        )
    except GraphliftError as error:
        raise Ends(BAD_DATA, f"opening: {one_line(error)}") from error


def _camera(lens: Lens, size: tuple[int, int]) -> Camera:
    return Camera(
        focal=lens.focal,
        centre=lens.centre,
        size=size,
        R=np.eye(3),
        position=np.zeros(3),
        radial=lens.radial,
        tangential=lens.tangential,
        distortion="opencv",
    )


def describe_stream(stream: Stream) -> str:
    """Describe the poses to come, as the head of a JSON file does."""
    nobody = keypoints_from(np.full((1, 1, len(stream.skeleton), 2), np.nan), stream.skeleton)
    poses = stream.lifter(nobody, camera=stream.camera)
    head = describe_json(poses) | {"fps": stream.fps, "notes": list(stream.notes)}
    head.pop("people")
    return json.dumps(head, allow_nan=False)


async def close(socket: WebSocket, end: Ends) -> None:
    """Tell a client why its stream ends, and end it."""
    if end.code == GONE:
        return
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        if end.message:
            await socket.send_text(json.dumps({"error": end.message}))
        await socket.close(end.code, end.message.encode()[:120].decode(errors="ignore"))
