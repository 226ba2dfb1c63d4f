"""Who a request is for and where it comes from: what every server of graphlift checks first.

A server on the loopback interface is not private by itself. Any page that the same browser shows
may open a WebSocket to it or send it a form (browsers apply the same-origin policy to neither),
and a host name that an attacker controls may be made to point at 127.0.0.1 (DNS rebinding). So a
request must name this machine in ``Host``, and if it says which page it comes from (``Origin``),
that page must be this server's own.

Source: RFC 6455, section 10.2 (origin of a WebSocket request).
"""

from collections.abc import Collection, Sequence
from ipaddress import IPv6Address
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names that this machine has for itself. The port is not checked, so that a tunnel may change
it."""


def host_refusal(hosts: Sequence[str], names: Collection[str] = LOOPBACK) -> str | None:
    """Say why a request is for another server, or None for one that is for this.

    Args:
        hosts: Every value of the header ``Host``.
        names: That this server goes by, as :func:`plain_address` writes them, without ports.
    """
    if len(hosts) == 1 and host_name(hosts[0]) in names:
        return None
    known = "127.0.0.1 and localhost" if tuple(names) == LOOPBACK else ", ".join(names)
    return f"This server answers only to {known}."


def origin_refusal(
    hosts: Sequence[str], origins: Sequence[str], schemes: Collection[str] = ("http",)
) -> str | None:
    """Say why a request comes from a page of others, or None if from its own page, or from none.

    Args:
        hosts: Every value of the header ``Host``.
        origins: Every value of the header ``Origin``.
        schemes: Of its own pages.
    """
    own = [f"{scheme}://{host.lower()}" for scheme in schemes for host in hosts]
    if all(origin.lower() in own for origin in origins):
        return None
    return "This server answers only to its own page."


def host_name(host: str) -> str | None:
    """Take the port off a ``Host``, and write it as names are compared; None for what is none."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return None if name is None else plain_address(name)


def plain_address(name: str) -> str:
    """Write a name in lower case, and an address of IPv6 in the shortest of its many forms."""
    try:
        return str(IPv6Address(name))
    except ValueError:
        return name.lower()
