"""A viser server for one person on one machine: it checks who asks before it answers.

Every request must name this machine in ``Host``, come from the page itself (``Origin``), for the
reasons that :mod:`graphlift.origins` gives, and carry a secret that is in the address we print,
and later in a cookie.
"""

import contextlib
import hmac
import http
import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from graphlift.errors import ModelError
from graphlift.origins import host_refusal, origin_refusal

if TYPE_CHECKING:
    import viser


@contextmanager
def local_server(port: int) -> Iterator[tuple["viser.ViserServer", str]]:
    """Run a viser server that only this machine reaches, and that prints nothing.

    Args:
        port: The first to try; the next free one is taken. 0 takes any.

    Yields:
        The server, and the address of its page with the secret in it.

    Raises:
        ModelError: If this version of viser starts its server in another way, so that requests
            could not be checked.
        ModuleNotFoundError: Without viser.
    """
    import viser

    token = secrets.token_urlsafe(24)
    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet, _checking_requests(token) as checked:
        server: Any = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
    # Any page may ask viser to go public, through a relay on the Internet; ours never does.
    server.request_share_url = lambda *_, **__: None
    try:
        if not checked:
            raise ModelError(
                f"viser {viser.__version__} starts its server in a way that graphlift cannot "
                "guard: install the version that constraints.txt names, or write a page instead "
                "(graphlift view MOTION -o page.html)"
            )
        yield server, f"http://127.0.0.1:{server.get_port()}/?token={token}"
    finally:
        with quiet:
            server.stop()


def refusal(path: str, headers: Any, token: str) -> str | None:  # noqa: ANN401
    """Say why a request is not answered, or None for one that is.

    Args:
        path: Of the request, with its query.
        headers: Of the request: ``get_all(name)`` lists every value of a header.
        token: What the query's ``token`` or the cookie must hold.
    """
    hosts = headers.get_all("Host")
    why = host_refusal(hosts) or origin_refusal(hosts, headers.get_all("Origin"))
    if why is not None:
        return why
    if not any(hmac.compare_digest(given, token.encode()) for given in _tokens(path, headers)):
        return "Open the whole address that graphlift printed, with the token in it."
    return None


def _tokens(path: str, headers: Any) -> list[bytes]:  # noqa: ANN401
    """Find what may be the token: in the query, and in cookies."""
    given: list[str] = []
    with contextlib.suppress(ValueError):
        given = parse_qs(urlsplit(path).query, max_num_fields=20).get("token", [])
    for line in headers.get_all("Cookie"):
        with contextlib.suppress(CookieError):
            given += [each.value for each in SimpleCookie(line).values()]
    return [each.encode("utf-8", "replace") for each in given]


@contextmanager
def _checking_requests(token: str) -> Iterator[list[bool]]:
    """Put :func:`refusal` before a server that viser starts inside the block.

    viser has no option for it, so the function that starts its server is wrapped meanwhile. The
    list that is given is empty if nothing was started by that function.
    """
    import importlib

    from websockets.datastructures import Headers
    from websockets.http11 import Response

    sockets: Any = importlib.import_module("websockets.asyncio.server")
    plain = sockets.serve
    started: list[bool] = []

    def serve(*args: Any, process_request: Callable[..., Any], **options: Any) -> Any:  # noqa: ANN401
        def checked(connection: Any, request: Any) -> Any:  # noqa: ANN401
            why = refusal(request.path, request.headers, token)
            if why is not None:
                length = {"Content-Type": "text/plain", "Content-Length": str(len(why))}
                forbidden = http.HTTPStatus.FORBIDDEN
                return Response(forbidden, forbidden.phrase, Headers(**length), why.encode())
            answer = process_request(connection, request)
            if answer is not None:
                # Cookies do not tell ports apart: the name does, so that two servers get along.
                port = connection.local_address[1]
                answer.headers["Set-Cookie"] = (
                    f"graphlift-{port}={token}; HttpOnly; SameSite=Strict; Path=/"
                )
                answer.headers["Referrer-Policy"] = "no-referrer"
            return answer

        started.append(True)
        return plain(*args, process_request=checked, **options)

    sockets.serve = serve
    try:
        yield started
    finally:
        sockets.serve = plain
