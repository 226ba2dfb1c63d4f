"""Listens, answers until it is told to end, and ends when what it accepted is answered."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from graphlift.errors import ConfigError
from graphlift.origins import plain_address
from graphlift.serve.app import make_app
from graphlift.serve.connections import Bounds, Http, Websocket
from graphlift.serve.settings import Settings
from graphlift.serve.stream import LONGEST_MESSAGE
from graphlift.words import plain

_PING, _PONG = 20.0, 60.0
"""s; how often streams are asked whether they live, and how long they have to say so."""
_LAST_BYTES = 3.0
"""s; that clients have to read what they were sent when the server ends; uvicorn allows 5."""
_SWITCH_SECONDS = 0.0005
_IDLE_SOCKETS = 64
"""Connections without a request, beside those that have one."""


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; then answer what was accepted, and return.

    Args:
        settings: What is allowed.
        announce: Called with the address, once the server listens.

    Raises:
        ConfigError: If the port is taken, or an option cannot be.
        FileNotFoundError, FormatError: If a model is none.
    """
    server = _Server(settings)
    # The thread that lifts would keep the one that answers waiting for 5 ms again and again.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What is there now stays: to look through it for garbage, again and again, would hold up every
    # stream for some 50 ms.
    gc.collect()
    gc.freeze()
    with server.listening() as address:
        announce(address)
        server.run(sockets=[server.socket])


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Serve in a thread of this process meanwhile, as for a notebook or a test.

    Yields:
        The address.
    """
    server = _Server(settings)
    with server.listening() as address:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [server.socket]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield address
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """uvicorn's, but that it ends only when streams have been answered, too, and with status 0."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.guard = settings, make_app(settings)
        self.bounds = Bounds(settings.connection_seconds)
        config = uvicorn.Config(
            self.guard,
            http=type("_Http", (Http,), {"most": settings.connections + _IDLE_SOCKETS}),
            ws=Websocket,
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws_max_size=LONGEST_MESSAGE,
            ws_ping_interval=_PING,
            ws_ping_timeout=_PONG,
            ws_per_message_deflate=False,  # a kilobyte may unpack to a gigabyte, and costs time
            timeout_graceful_shutdown=5,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        """Listen; yield the address.

        Raises:
            ConfigError: If that cannot be.
        """
        host, port = self.settings.host, self.settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        both = plain_address(host) == "::" and socket.has_dualstack_ipv6()
        try:
            self.socket = socket.create_server(
                (host, port), family=family, backlog=128, dualstack_ipv6=both
            )
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "no such name"
            raise ConfigError(
                f"cannot listen on {plain(host)}, port {port} ({why}): give another --port, 0 "
                "for any that is free, or an address of this machine with --host"
            ) from error
        with self.socket:
            bracketed = f"[{host}]" if ":" in host else host
            yield f"http://{bracketed}:{self.socket.getsockname()[1]}"

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals for the wish to end; uvicorn's own raises them again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End; at the second interrupt at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Drop connections that are for nothing, ten times a second."""
        self.bounds.look(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, let what was accepted be answered and received, and end."""
        for server in self.servers:
            server.close()
        self.guard.end()
        await self._until(lambda: not self.guard.open, self.settings.grace_seconds)
        # Who was told that a stream ends says so, too; before that, a client that still sends
        # would lose what it has not read yet.
        open_still = self.server_state.connections
        await self._until(
            lambda: not any(getattr(each, "close_sent", False) for each in open_still), _LAST_BYTES
        )
        asyncio.get_running_loop().call_later(_LAST_BYTES, self._abort)
        await super().shutdown(sockets)

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait until something is done, at most so many seconds, and not at a second signal."""
        until = time.monotonic() + seconds
        while not done() and time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.02)

    def _abort(self) -> None:
        """Drop the connections of who does not take what they were sent."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
