"""What a server allows: who may ask, how much, and for how long."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from graphlift.errors import ConfigError
from graphlift.model_files import SHIPPED
from graphlift.origins import LOOPBACK, host_name, plain_address
from graphlift.serve.page.entry import Entry
from graphlift.words import plain, shown

KEY = "GRAPHLIFT_API_KEY"
"""The environment variable that may hold the key."""
SHORTEST_KEY = 16
"""Characters; fewer can be guessed."""
_ANY = ("0.0.0.0", "::", "")
"""Addresses that stand for all of a machine's, and are none that a client asks for."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of one server.

    Args:
        host: Address to listen on.
        port: 0 for any that is free.
        names: Under which clients may ask, beside ``host`` and this machine's own.
        key: That clients must show; None for none, on the loopback interface alone.
        entry: How a browser gets at the page, and shows the key; None for no page.
        models: That may be chosen, the first of them the default: shipped ones, or paths.
        body_bytes: The most that a request may have.
        video_bytes: The same of a request for a job.
        memory_bytes: The most that a process may have that lifts a clip or a video.
        frames: The most of a clip or a video.
        people: The most in a frame of a stream.
        connections: The most at once, requests and streams together.
        waiting: The most clips, or jobs, that wait until those before them are done.
        seconds: That a request may take, from its first byte to the last of its answer.
        job_seconds: That a job may take.
        idle_seconds: That a stream may be silent.
        connection_seconds: That a connection may take until the head of its first or next request
            has come, and for what it was sent last to be taken.
        upload_seconds: That a body may be waited for, beside a second for each 10 kB.
        keep_seconds: For which what came out of a job is kept.
        workers: Processes that lift clips.
        jobs: Jobs at once, each in a process of its own.
        grace_seconds: That what was accepted has, once the server is to end.

    Raises:
        ConfigError: If a server that others reach has no key, or not a good one, or no name.
    """

    host: str = "127.0.0.1"
    port: int = 8321
    names: tuple[str, ...] = ()
    key: str | None = field(default=None, repr=False)
    entry: Entry | None = field(default=None, repr=False)
    models: tuple[str, ...] = SHIPPED
    body_bytes: int = 32_000_000
    video_bytes: int = 512_000_000
    memory_bytes: int = 2_000_000_000
    frames: int = 20_000
    people: int = 20
    connections: int = 128
    waiting: int = 16
    seconds: float = 60
    job_seconds: float = 3_600
    idle_seconds: float = 300
    connection_seconds: float = 10
    upload_seconds: float = 10
    keep_seconds: float = 600
    workers: int = 1
    jobs: int = 1
    grace_seconds: float = 20

    def __post_init__(self) -> None:
        if self.key is not None and not _is_key(self.key):
            raise ConfigError(
                f"the API key should be {SHORTEST_KEY} or more printable ASCII characters without "
                "spaces: make one with python -c 'import secrets; print(secrets.token_urlsafe())'"
            )
        if self.local:
            return
        if self.key is None:
            reached = f"--host {plain(self.host)}"
            if plain_address(self.host) in LOOPBACK:
                reached = f"--name {plain(self.names[0])}"
            raise ConfigError(
                f"{reached}: others reach this address, so clients need an API "
                f"key: put one into the environment variable {KEY}, or into a file for --key-file"
            )
        if plain_address(self.host) in _ANY and not self.names:
            raise ConfigError(
                f"--host {shown(self.host)} is every address of this machine: give with --name "
                "under which of its names or addresses clients ask"
            )

    @property
    def local(self) -> bool:
        """Whether only this machine reaches the server: nobody by a proxy in front, either."""
        return all(plain_address(name) in LOOPBACK for name in (self.host, *self.names))

    @property
    def known_names(self) -> tuple[str, ...]:
        """Names under which clients may ask, in lower case."""
        if self.local and not self.names:
            return LOOPBACK
        given = [plain_address(name) for name in (self.host, *self.names)]
        given = [name for name in given if name not in _ANY]
        return tuple(dict.fromkeys((*LOOPBACK, *given)))


def check_name(name: str) -> str:
    """Check a name that clients ask for, such as lift.example.org or 192.0.2.7.

    Raises:
        ConfigError: If it has a port, a scheme, or is no name.
    """
    bracketed = f"[{name}]" if name.count(":") > 1 else name
    if host_name(bracketed) != plain_address(name):
        raise ConfigError(
            f"--name {plain(name)}: give a name or an address alone, such as lift.example.org"
        )
    return name


def read_key(file: Path | None) -> str | None:
    """Read the API key from a file, or else from the environment; None if neither has one.

    Raises:
        ConfigError: If other users may read the file.
        OSError: If it cannot be read.
    """
    if file is None:
        return os.environ.get(KEY) or None
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise ConfigError(f"{file}: other users may read this API key: chmod 600 {file}")
    return file.read_text(encoding="utf-8", errors="replace").strip()


def _is_key(key: str) -> bool:
    visible = key.isascii() and key.isprintable() and " " not in key
    return len(key) >= SHORTEST_KEY and visible
