"""Requests that are refused: a sentence as JSON, and the status that fits."""

import json
from collections.abc import Mapping

SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""What browsers are told of every answer."""
OWN_FAULT = "an error of the server's own: tell who runs it"


class Refusal(Exception):  # noqa: N818  # no error of the server's
    """A request that is not answered as it wishes.

    Args:
        status: Of HTTP.
        message: Names the thing, the place and the way out.
        headers: More of the answer's.
    """

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})

    @property
    def body(self) -> bytes:
        """What the client gets."""
        return json.dumps({"error": self.message}).encode()

    @property
    def head(self) -> list[tuple[bytes, bytes]]:
        """The headers of the answer, but for :data:`SAFE`."""
        named = {"Content-Type": "application/json", **self.headers}
        length = str(len(self.body)).encode()
        pairs = [(name.lower().encode(), value.encode()) for name, value in named.items()]
        return [*pairs, (b"content-length", length)]


def too_busy(what: str) -> Refusal:
    """Refuse more than may wait."""
    return Refusal(429, f"{what}: ask again in a few seconds", {"Retry-After": "5"})


def no_room() -> Refusal:
    """Refuse what there is no room for on the server's disk."""
    return Refusal(
        507,
        "the disk of this server is full: who runs it has to free some space in its folder of "
        "temporary files (TMPDIR); then send it again",
    )


def ending() -> Refusal:
    """Refuse what comes after the server was told to end."""
    return Refusal(
        503,
        "this server is ending: ask again once it has started anew",
        {"Retry-After": "10", "Connection": "close"},
    )
