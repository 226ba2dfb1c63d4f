"""Stands before every route: who asks, how much, how long; and counts what was answered.

It is plain ASGI, because it has to see streams as well as requests, and bodies piece by piece.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from graphlift.origins import host_refusal, origin_refusal
from graphlift.serve.metrics import Metrics
from graphlift.serve.refusals import SAFE, Refusal, ending
from graphlift.serve.settings import Settings
from graphlift.serve.stream import Streams
from graphlift.words import counted

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = "/health"
"""The one route that needs no key."""
WATCHED = (OPEN, "/metrics")
"""Routes that are answered however busy the server is, so that nobody takes it for broken."""
LEAST_RATE = 10_000
"""Bytes a second at which a body has to come, once its grace is over."""
VIDEOS = "/jobs"
_NOT_FOUND = "(none)"


class Guard:
    """An application within limits.

    Args:
        app: What answers.
        settings: The limits.
        metrics: Where answers are counted.
        streams: That are open.
    """

    def __init__(self, app: App, settings: Settings, metrics: Metrics, streams: Streams) -> None:
        self.app, self.settings, self.metrics, self.streams = app, settings, metrics, streams
        self.open = 0
        self.clips = _Bodies(settings.body_bytes, settings.workers + settings.waiting)
        self.jobs = _Bodies(settings.video_bytes, settings.jobs + settings.waiting)
        self.ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a stream, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        kind = "streams" if scope["type"] == "websocket" else "requests"
        started, answer = time.perf_counter(), _Answer(send)
        self.open += 1
        self.metrics.connections.labels(kind).inc()
        try:
            await self._answer(scope, receive, answer)
        finally:
            self.open -= 1
            self.metrics.connections.labels(kind).dec()
            route = getattr(scope.get("route"), "path", _NOT_FOUND)
            self.metrics.requests.labels(route, str(answer.status)).inc()
            if kind == "requests":
                self.metrics.latency.labels(route).observe(time.perf_counter() - started)

    def end(self) -> None:
        """Refuse what comes from now on; streams answer what they have got, and end."""
        self.ending = True
        self.streams.end()

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        body = _Counted(receive, answer, self._bodies(scope), self.settings.upload_seconds)
        try:
            self._check(scope)
            if scope["type"] == "websocket":
                await self.app(scope, receive, answer)
                return
            async with asyncio.timeout(self.settings.seconds):
                await self.app(scope, body, answer)
        except Refusal as refusal:
            await answer.refuse(scope, refusal)
        except TimeoutError:
            limit = f"{self.settings.seconds:g} s"
            late = (
                Refusal(408, f"the body did not arrive within {limit}: send less at once")
                if not body.whole
                else Refusal(
                    504,
                    f"not done within {limit}: send fewer frames, or make it a job (POST /jobs)",
                )
            )
            await answer.refuse(scope, late)
        finally:
            body.bodies.size -= body.size

    def _check(self, scope: Scope) -> None:
        """Refuse a request by its head.

        Raises:
            Refusal: With what to do about it.
        """
        hosts, origins, keys, lengths = (
            [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
            for wanted in (b"host", b"origin", b"authorization", b"content-length")
        )
        schemes = ("http",) if self.settings.local else ("http", "https")
        why = host_refusal(hosts, self.settings.known_names)
        why = why or origin_refusal(hosts, origins, schemes)
        if why is not None:
            raise Refusal(403, why)
        entry = self.settings.entry
        known = scope["path"] == OPEN or (entry is not None and entry.admits(scope))
        if self.settings.key is not None and not known:
            check_key(keys, self.settings.key)
        if self.ending and scope["path"] != OPEN:
            raise ending()
        if self.open > (most := self.settings.connections) and scope["path"] not in WATCHED:
            taken = counted(most, "request or stream is", "requests and streams are")
            raise Refusal(
                503,
                f"{taken} open, as many as this server allows: ask again in a few seconds",
                {"Retry-After": "5"},
            )
        most = self._bodies(scope).longest
        if any(length.isdecimal() and int(length[:20]) > most for length in lengths):
            raise _too_large(most)

    def _bodies(self, scope: Scope) -> "_Bodies":
        return self.jobs if scope["path"].startswith(VIDEOS) else self.clips


def check_key(given: list[str], key: str) -> None:
    """Compare the API key, in a time that does not depend on where it differs.

    Raises:
        Refusal: If it is another, or absent.
    """
    scheme, _, said = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    right = hmac.compare_digest(said.strip().encode("latin-1"), key.encode())
    if scheme.lower() == "bearer" and right:
        return
    raise Refusal(
        401,
        "this server needs its API key: send the header Authorization: Bearer KEY",
        {"WWW-Authenticate": "Bearer"},
    )


def _too_large(most: int) -> Refusal:
    return Refusal(
        413,
        f"the body has more than the {most / 1e6:g} MB that are allowed: send fewer frames at "
        "once, or .npz in place of text",
        {"Connection": "close"},
    )


@dataclass
class _Bodies:
    """Bodies of requests that are under way: together no more than so many of the longest.

    A place in the queue is taken only by who has sent all; the disk is kept from filling here.

    Args:
        longest: Bytes that one may have.
        places: As many may be as long as that.
        size: Bytes that have come of all of them.
    """

    longest: int
    places: int
    size: int = 0

    def add(self, size: int) -> None:
        """Count what has come.

        Raises:
            Refusal: If it is too much.
        """
        self.size += size
        if self.size > (most := self.longest * self.places):
            raise Refusal(
                503,
                f"{most / 1e6:g} MB of requests are under way, as many as this server allows: "
                "send it again in a few seconds",
                {"Retry-After": "5", "Connection": "close"},
            )


class _Counted:
    """Receives a body, and refuses it beyond so many bytes, or if it comes too slowly.

    What counts is how long it waits for the client, not how long the server takes to write.
    """

    def __init__(
        self, receive: Receive, answer: "_Answer", bodies: _Bodies, seconds: float
    ) -> None:
        self.receive, self.bodies, self.size, self.whole = receive, bodies, 0, False
        self._answer, self._seconds, self._waited = answer, seconds, 0.0

    async def __call__(self) -> Message:
        message = await self._next()
        if message["type"] == "http.request":
            self.whole = not message.get("more_body", False)
            if not self._answer.begun:  # else it is thrown away
                piece = len(message.get("body", b""))
                self.size += piece
                self.bodies.add(piece)
                if self.size > self.bodies.longest:
                    raise _too_large(self.bodies.longest)
        elif message["type"] == "http.disconnect":
            self.whole = True
        return message

    async def _next(self) -> Message:
        if self.whole or self._answer.begun:  # only the end of the connection is waited for
            return await self.receive()
        allowed = self._seconds + self.size / LEAST_RATE
        began = time.perf_counter()
        try:
            async with asyncio.timeout(allowed - self._waited):
                return await self.receive()
        except TimeoutError:
            self._check_late()
        finally:
            self._waited += time.perf_counter() - began
        return await self.receive()

    def _check_late(self) -> None:
        """Refuse a body that is late, unless the answer has begun without it."""
        if not self._answer.begun:
            raise Refusal(
                408,
                f"the body came too slowly: {self._seconds:g} s, and a second more for each "
                f"{LEAST_RATE / 1e3:g} kB, are allowed: send less at once",
                {"Connection": "close"},
            )


class _Answer:
    """Sends an answer, and remembers its status."""

    def __init__(self, send: Send) -> None:
        self.send, self.status, self.begun = send, 0, False

    async def __call__(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
                message["headers"] = [*message.get("headers", []), *SAFE]
            case "websocket.accept":
                self.status = 101
            case "websocket.close":
                self.status = message.get("code", 1000)
        await self.send(message)
        self.begun = True  # not before: who does not read may hold up even the first message

    async def refuse(self, scope: Scope, refusal: Refusal) -> None:
        """Send a refusal in place of an answer that has not begun."""
        if self.begun:
            return  # it has begun: the server breaks it off, which the client notices
        start = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        await self({"type": f"{start}.start", "status": refusal.status, "headers": refusal.head})
        await self.send({"type": f"{start}.body", "body": refusal.body})
