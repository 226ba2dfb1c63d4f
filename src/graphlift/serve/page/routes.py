"""What the page asks for beside the routes of the server: itself, scenes, and what is missing."""

import asyncio
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from graphlift.formats import read_poses
from graphlift.formats.example import example_keypoints_path
from graphlift.formats.recognise import READ, SUFFIXES
from graphlift.serve.page.entry import HOME, TICKET, Entry
from graphlift.serve.page.scenes import pack, scene_of
from graphlift.serve.page.wanted import wanted_commands
from graphlift.serve.page.webcam import Webcams
from graphlift.serve.refusals import Refusal
from graphlift.serve.results import finished
from graphlift.serve.shared import Shared
from graphlift.serve.worker import MOTION
from graphlift.video.frames import VIDEOS

_STATIC = files(__package__) / "static"
_KINDS = {
    "app.css": "text/css",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("app.js", "server.js", "figure.js", "film.js", "player.js", "webcam.js"),
        "text/javascript",
    ),
}
"""The files of the page, and their media types; nothing else can be asked for."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads its own files, plays films that are given to it, and runs nothing else."""
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",  # another version may answer at this address next time
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_CLOSED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>graphlift</title>
<h1>Open the newest address that graphlift printed</h1>
<p>Each address opens the page once. The next one is where you started
<code>graphlift app</code>.</p></html>"""

_OPENED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>graphlift</title>
<p><a href="/">graphlift</a></p></html>"""


def add_page(app: FastAPI, entry: Entry) -> None:
    """Add the routes of the page to a server.

    Args:
        app: The server.
        entry: How a browser gets in.
    """
    webcams = Webcams()

    async def home(request: Request) -> Response:
        ticket = request.query_params.get(TICKET)
        if ticket is not None and entry.redeem(ticket):
            # The address is not kept: neither in the history of the browser nor on its screen. A
            # redirect would do that, too, but who follows a link on another page, such as a
            # terminal in a browser, is redirected in its name, and without the cookie.
            more = {
                "Set-Cookie": entry.cookie(request.scope["server"][1]),
                "Refresh": f"0; url={HOME}",
            }
            return HTMLResponse(_OPENED, headers=_HEADERS | more)
        if not entry.knows(request.scope):
            return HTMLResponse(_CLOSED, 403, _HEADERS)
        return HTMLResponse((_STATIC / "index.html").read_bytes(), headers=_HEADERS)

    async def webcam(socket: WebSocket) -> None:
        await webcams.answer(socket, _shared(socket))

    hidden: dict[str, Any] = {"include_in_schema": False, "response_model": None}
    app.get(HOME, **hidden)(home)
    app.get("/page/about", **hidden)(_about)
    app.get("/page/sample", **hidden)(_sample)
    app.get("/page/{name}", **hidden)(_file)
    app.get("/jobs/{id}/scene", **hidden)(_scene)
    app.websocket("/webcam")(webcam)


def _shared(request: Request | WebSocket) -> Shared:
    shared: Shared = request.app.state.shared
    return shared


async def _file(name: str) -> Response:
    """Give a file of the page."""
    if name not in _KINDS:
        raise Refusal(404, "no such file of the page: reload it")
    content = (_STATIC / name).read_bytes()
    return Response(content, media_type=_KINDS[name], headers=_HEADERS)


async def _sample() -> Response:
    """Give the keypoints that come with the package."""
    return FileResponse(example_keypoints_path(), headers=_HEADERS)


async def _about() -> Response:
    """Say what can be dropped, and which commands get what is missing."""
    wanted = await asyncio.to_thread(wanted_commands)
    about = {
        "videos": list(VIDEOS),
        "keypoints": list(SUFFIXES),
        "read": list(READ),
        "wanted": wanted,
    }
    return JSONResponse(about, headers=_HEADERS)


async def _scene(request: Request, id: str) -> Response:  # noqa: A002
    """Give the motion of a job as the page draws it."""
    job = finished(_shared(request).jobs.find(id))
    if job.format != "npz":
        raise Refusal(409, f"this job wrote {job.format}: start it with format=npz")

    def make() -> bytes:
        return pack(*scene_of(read_poses(job.folder / f"{MOTION}.npz")))

    with job.kept():
        content = await asyncio.to_thread(make)
    return Response(content, media_type="application/octet-stream", headers=_HEADERS)
