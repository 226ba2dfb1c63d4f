"""A motion as one page that needs neither a server nor the Internet."""

import html
import json
import math
from pathlib import Path

from graphlift.errors import FormatError
from graphlift.files import write_text
from graphlift.sequences import Poses
from graphlift.view.layout3d import Layout3D, lay_out, viewpoint
from graphlift.view.local_server import local_server
from graphlift.view.scene import LANDSCAPE, build, legend

PAGE_SIZE = 20_000_000
"""Bytes that a page may have; of longer motion every second, third, ... frame is shown."""
_SAMPLE = 500
"""Frames by which the size of a longer page is estimated."""
_NARROW = (0.45, 0.7, 1.0, 1.3)
"""Widths over heights of windows, from a phone's up, that have a first view of their own."""
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; connect-src data: blob:; "
    "worker-src data: blob:"
)
"""The page runs itself and loads nothing; the browser holds it to that."""
_STYLE = """
.graphlift { position: fixed; z-index: 2; top: 0.7em; right: 3.5em; max-width: 24em;
  line-height: 1.45; font-family: system-ui, sans-serif; color: #333 }
.graphlift summary { cursor: pointer }
@media (prefers-color-scheme: dark) { .graphlift { color: #ccc } }
"""


def write_page(
    path: Path, poses: Poses, *, name: str = "motion", most: int = PAGE_SIZE
) -> tuple[str, ...]:
    """Write a motion as one page that any browser plays, offline, at the motion's pace.

    Args:
        path: Ends in ``.html``; written whole or not at all.
        poses: What to show.
        name: What to call the motion: a title, and its name in errors.
        most: Bytes that the page may have. Of a motion that needs more, only every second,
            third, ... frame is shown, and a note says so; one frame is shown in any case.

    Returns:
        What was assumed and done, one sentence each.

    Raises:
        FormatError: If ``path`` does not end in ``.html``.
        ShapeError: If there is no frame, or no person in any of them.
        ModuleNotFoundError: Without viser.
        OSError: If the page cannot be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise FormatError(f"{path}: a page is an .html file: give it that ending")
    layout = lay_out(poses, name=name)
    step = _step(layout, name, most)
    page = _page(layout, name, step)
    while len(page) > most and step < len(layout):
        step += 1
        page = _page(layout, name, step)
    write_text(path, page)
    return (*layout.notes, *_thinned(step))


def _step(layout: Layout3D, name: str, most: int) -> int:
    """Estimate the least step between frames for which the page is small enough."""
    sparse = len(layout) // _SAMPLE
    if sparse < 2:
        return 1
    frames = len(range(0, len(layout), sparse))
    bare, sample = (len(_page(layout, name, step)) for step in (len(layout), sparse))
    all_frames = (sample - bare) / (frames - 1) * len(layout)
    return min(len(layout), max(1, math.ceil(all_frames / max(most - bare, 1))))


def _page(layout: Layout3D, name: str, step: int) -> str:
    """Make the page with every ``step``-th frame, in ASCII."""
    with local_server(0) as (server, _):
        show = build(server, layout)
        recording = server.get_scene_serializer()
        for frame in range(0, len(layout), step):
            with server.atomic():
                show(frame)
            # One frame has no duration, and so no player.
            recording.insert_sleep(step / layout.fps if len(layout) > 1 else 0.0)
        page = recording.as_html()
    head, rest = page.split("<head>", 1)
    inside, body = rest.split("</head>", 1)
    title = html.escape(name).encode("ascii", "xmlcharrefreplace").decode()
    inside = inside.replace("<title>Viser</title>", f"<title>{title}</title>")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    extra = f"<style>{_STYLE}</style><script>{_script(layout)}</script>"
    body = body.replace("</body>", f"{legend(layout, name, _thinned(step))}</body>")
    return f"{head}<head>{policy}{inside}{extra}</head>{body}"


def _thinned(step: int) -> tuple[str, ...]:
    return (f"Shown is one frame in {step}, so that the page stays small.",) if step > 1 else ()


def _script(layout: Layout3D) -> str:
    """Follow the reader's light or dark mode; step back where the window is narrow."""
    views = []
    for aspect in _NARROW:
        position, target = (",".join(f"{x:.3f}" for x in at) for at in viewpoint(layout, aspect))
        views.append([aspect, {"initialCameraPosition": position, "initialCameraLookAt": target}])
    return (
        "__VISER_EMBED_CONFIG__.darkMode=matchMedia('(prefers-color-scheme: dark)').matches;"
        f"const aspect=innerWidth/innerHeight,views={json.dumps(views)};"
        f"if(aspect<{LANDSCAPE})try{{history.replaceState(null,'','?'+new URLSearchParams("
        "(views.filter(view=>view[0]<=aspect).pop()||views[0])[1]))}catch{}"
    )
