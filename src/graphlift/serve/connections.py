"""Connections that neither silence nor a client that stops reading can hold.

uvicorn bounds only how long a connection is idle between two requests. Here it also has to say
within a time what it is for, and once it is closing, to take within a time what it was sent.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.server import ServerProtocol

from graphlift.serve.refusals import OWN_FAULT, SAFE, Refusal
from graphlift.serve.stream import BAD_DATA, LONGEST_MESSAGE, POLICY, TOO_BIG
from graphlift.words import plain

_READ = 1 << 15
"""Bytes that are read at once. asyncio takes eight times as many: in them there is room for 40,000
of the smallest chunks or messages, during which all other clients wait for most of a second."""
_MOST_PIECES = 1_000
"""That a message may come in; empty ones count for nothing in its length."""
_UNREAD_MESSAGES = 8
"""After which a stream is not read on until the application has taken them."""
_THROWN_AWAY = 32 * LONGEST_MESSAGE
"""Bytes that are read on and thrown away after what cannot be read; a client that sends still more
does not look at what it is sent."""
_UNREAD_PONGS = 1 << 20
"""Bytes that may wait to be sent when a client asks whether the server lives."""


class Http(H11Protocol):
    """HTTP on a connection of which there are no more than ``most``."""

    most = 0
    dropped = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Drop who has waited longest for nothing, if there are more connections than allowed.

        Not the new one: it may be of a monitor, for which the server would be broken.
        """
        super().connection_made(transport)
        selector: Any = transport  # what the types of asyncio do not know
        selector.max_size = _READ
        self.quiet_since = self.loop.time()
        there: list[Any] = [each for each in self.connections if not each.dropped]  # type: ignore[union-attr]
        if len(there) > self.most:
            spare = [each for each in there if each is not self and each.spare_since is not None]
            first = min(spare, key=lambda each: (each.held, each.spare_since), default=self)
            first.drop()

    def on_response_complete(self) -> None:
        """Wait for the next request; what is left of this one is read, but not for ever."""
        self.quiet_since = self.loop.time()
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand over what came in one packet with the handshake, too, which uvicorn loses."""
        super().handle_websocket_upgrade(event)
        early, _ = self.conn.trailing_data
        if early and not self.transport.is_closing():
            stream: Any = self.transport.get_protocol()
            stream.data_received(early)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP as everything else is refused, unless an answer has begun."""
        if self._answering:
            self.cycle.disconnected = True  # what the application has to say comes too late
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        refusal = _bad_request(msg)
        head = h11.Response(status_code=400, headers=[*refusal.head, *SAFE], reason=b"Bad Request")
        body = b"" if self._answering and self.scope["method"] == "HEAD" else refusal.body
        for each in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(each))
        self.transport.close()

    @property
    def waits_since(self) -> float | None:
        """When it began to wait for the client; None while it answers."""
        return None if self._answering else self.quiet_since

    @property
    def spare_since(self) -> float | None:
        """When it was last of use; None while it is. Who does not read may be dropped, too."""
        return self.quiet_since if self.held else self.waits_since

    @property
    def held(self) -> bool:
        """Whether an answer waits until the client has taken some of it."""
        return self._answering and self.flow.write_paused

    @property
    def _answering(self) -> bool:
        cycle: Any = self.cycle  # None at first, which uvicorn's annotation does not say
        return cycle is not None and not cycle.response_complete

    def give_up(self, _: float) -> None:
        """Drop the connection."""
        self.drop()

    def drop(self) -> None:
        """End the connection at once."""
        self.dropped = True
        self.transport.abort()


def _bad_request(why: str) -> Refusal:
    return Refusal(400, f"{why.rstrip('.')}: send HTTP/1.1", {"Connection": "close"})


class _Handshake(ServerProtocol):
    """A websocket whose handshake is refused as everything else is refused."""

    def process_request(self, request: Any) -> Any:  # noqa: ANN401  # websockets' own
        """Read a handshake; websockets takes a key that is not ASCII for an error of its own.

        Raises:
            InvalidHandshake: If it is none.
        """
        try:
            return super().process_request(request)
        except UnicodeError:
            raise InvalidHandshake("a header is not ASCII") from None

    def reject(self, status: Any, text: str) -> Response:  # noqa: ANN401  # numbers and HTTPStatus
        """Make the answer to a handshake that is none, or of no route, or that breaks down."""
        why = plain(text.partition("\n")[0].rstrip("."), 200)
        said = {403: "no stream is here: open /stream", 500: OWN_FAULT}
        message = said.get(int(status), f"{why}: send the handshake of RFC 6455")
        refusal = Refusal(int(status), message)
        response = super().reject(status, refusal.body.decode())
        del response.headers["Content-Type"], response.headers["Content-Length"]
        for name, value in (*refusal.head, *SAFE):
            response.headers[name.decode()] = value.decode()
        return response


class Websocket(WebSocketsSansIOProtocol):
    """A websocket that answers all it was sent before what it cannot read.

    uvicorn closes it at once, so that answers under way are lost. Here the application gets a
    message ``{"refused": (code, why)}`` in its turn, goes on sending, and closes it. What comes
    before the handshake is answered, which no client may send and some do, waits until it is.
    """

    broken = dropped = False
    _thrown = 0
    _early = b""

    def __init__(self, config: uvicorn.Config, *more: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(config, *more, **named)
        self.conn = _Handshake(max_size=config.ws_max_size, logger=self.logger)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake."""
        super().connection_made(transport)
        self.quiet_since = self.loop.time()

    @property
    def waits_since(self) -> float | None:
        """When it began to wait for the handshake; pings and the stream do the rest."""
        return None if self.handshake_initiated else self.quiet_since

    @property
    def spare_since(self) -> float | None:
        """When it began, if the handshake has not come, or the end has been said already."""
        return self.quiet_since if self.close_sent or not self.handshake_initiated else None

    @property
    def held(self) -> bool:
        """Whether answers wait until the client has read some."""
        return self.handshake_initiated and not self.writable.is_set()

    def give_up(self, seconds: float) -> None:
        """End a stream that has waited so long; what it was sent is there to be read meanwhile."""
        if not self.handshake_initiated or self.transport.is_closing():
            self.drop()
            return
        self._break(POLICY, f"no answer was read for {seconds:g} s: connect again, and read on")
        self.writable.set()

    def drop(self) -> None:
        """End the connection at once."""
        self.dropped = True
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read messages up to the first that cannot be; what follows it is thrown away."""
        if self.broken:
            self._thrown += len(data)
            if self._thrown > _THROWN_AWAY:
                self.drop()
            return
        if self.handshake_initiated and not self.handshake_complete:
            self._early += data
            return
        self.conn.receive_data(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            cause = self.conn.handshake_exc.__cause__ or self.conn.handshake_exc
            self.transport.write(self.conn.reject(400, str(cause)).serialize())
            self.transport.close()
            return
        fault = self.conn.parser_exc
        if fault is not None:
            self.conn.data_to_send()  # a closing, for which it is too early
        self.handle_events()
        if fault is not None and self.conn.close_sent is not None:
            code = self.conn.close_sent.code
            longest = f"a message above {LONGEST_MESSAGE >> 10} kB: send fewer people at once"
            self._break(code, longest if code == TOO_BIG else f"no websocket: {plain(fault)}")

    def send_receive_event_to_app(self) -> None:
        """Hand over a message, unless it is after the end of what can be read.

        uvicorn stops to read after each message, which costs more than to read one.
        """
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.broken or self.close_sent:
            return
        message: Any = {"type": "websocket.receive", "bytes": data}
        if self.curr_msg_data_type == "text":
            try:
                message = {"type": "websocket.receive", "text": data.decode()}
            except UnicodeDecodeError:
                self._break(BAD_DATA, "a message of text that is not UTF-8: send JSON")
                return
        self.queue.put_nowait(message)
        if not self.read_paused and self.queue.qsize() >= _UNREAD_MESSAGES:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_cont(self, event: Frame) -> None:
        """Add a piece to a message."""
        if len(self.frames) < _MOST_PIECES:
            super().handle_cont(event)
            return
        self.frames = []
        self._break(TOO_BIG, f"a message in more than {_MOST_PIECES:,} pieces: send it in one")

    def _break(self, code: int, why: str) -> None:
        if not self.broken:
            self.broken = True
            refused: Any = {"type": "websocket.receive", "refused": (code, why)}
            self.queue.put_nowait(refused)

    def handle_ping(self) -> None:
        """Drop a client that asks and asks and reads no answer."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > _UNREAD_PONGS:
            self.drop()

    async def send(self, message: Any) -> None:  # noqa: ANN401  # ASGI's
        """Send a message, also after one came that cannot be read."""
        if not self.broken or message["type"] not in ("websocket.send", "websocket.close"):
            await super().send(message)
            if message["type"] == "websocket.accept" and self._early:
                early, self._early = self._early, b""
                self.data_received(early)
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent:
            raise ClientDisconnected
        if message["type"] == "websocket.send":
            text, data = message.get("text"), message.get("bytes")
            kind, content = (Opcode.BINARY, data) if text is None else (Opcode.TEXT, text.encode())
            self.transport.write(Frame(kind, content).serialize(mask=False))
            return
        close = Close(message.get("code", 1000), message.get("reason") or "")
        self.transport.write(Frame(Opcode.CLOSE, close.serialize()).serialize(mask=False))
        self.close_sent = True
        # Its own closing is not read any more. It sees the end, and ends the connection; to end it
        # here, with input unread, would take from it what it was sent.
        with contextlib.suppress(OSError):
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)


class Bounds:
    """Drops connections that are for nothing.

    Args:
        seconds: That a connection may take to say what it is for, to take some of an answer, and,
            once it is closing, to take the rest.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._closing: dict[Any, float] = {}
        self._held: dict[Any, tuple[int, float]] = {}

    def look(self, connections: Iterable[Any]) -> None:
        """Look at all connections that are open; to be called again and again."""
        now, closing, held = asyncio.get_running_loop().time(), self._closing, self._held
        self._closing, self._held = {}, {}
        for each in list(connections):
            since = each.waits_since
            if each.transport.is_closing():
                since = self._closing[each] = closing.get(each, now)
            elif each.held:
                left = each.transport.get_write_buffer_size()
                before, since = held.get(each, (left, now))
                since = now if left < before else since  # some of it was taken
                self._held[each] = left, since
            if since is not None and now - since > self.seconds:
                each.give_up(self.seconds)
