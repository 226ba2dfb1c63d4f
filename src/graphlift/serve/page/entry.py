"""How a browser gets in: by an address that works once, and from then on by a cookie.

A page cannot send the header ``Authorization`` with a websocket, so the key is in a cookie, which
scripts cannot read and which no other site's page makes the browser send. The address is shown to
whoever started the server; while a browser is started, other users of the machine may see it in
the list of processes. So it works once: whoever is first has it, and the next address is announced
where only the server's user reads it.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

TICKET = "ticket"
"""The parameter of the address."""
HOME = "/"
"""Where the page is. It is answered without a key, because it is where the key is given."""


class Entry:
    """Of one server.

    Args:
        announce: Called with the parameters of the next address, once one has been used.
    """

    def __init__(self, announce: Callable[[str], None] = lambda _: None) -> None:
        self.key = secrets.token_urlsafe(32)
        self._announce = announce
        self._ticket = secrets.token_urlsafe(32)

    @property
    def address(self) -> str:
        """What follows the server's address, until it is used."""
        return f"{HOME}?{TICKET}={self._ticket}"

    def redeem(self, ticket: str) -> bool:
        """Take a ticket, once; say whether it was the right one."""
        if not _same(ticket, self._ticket):
            return False
        self._ticket = secrets.token_urlsafe(32)
        self._announce(self.address)
        return True

    def cookie(self, port: int) -> str:
        """Make the header ``Set-Cookie``.

        Cookies do not tell ports apart. The name does, so that two servers get along.
        """
        return f"{_name(port)}={self.key}; HttpOnly; SameSite=Strict; Path=/"

    def admits(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether a request needs no key in its head: it has the cookie, or is to get it."""
        return bool(scope["path"] == HOME) or self.knows(scope)

    def knows(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether a request has the cookie."""
        headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        name = _name(scope["server"][1])
        lines = [value.decode("latin-1") for header, value in headers if header == b"cookie"]
        # Cookies of other servers on this machine come along, as cookies do not tell ports apart.
        # One that is odd, JSON for instance, makes http.cookies drop all of them.
        pairs = [pair.strip().partition("=") for line in lines for pair in line.split(";")]
        return any(_same(value, self.key) for given, _, value in pairs if given == name)


def _name(port: int) -> str:
    return f"graphlift-{port}"


def _same(given: str, right: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())
