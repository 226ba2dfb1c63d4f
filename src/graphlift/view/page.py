"""The stage as one page that needs neither a server nor the Internet."""

import html
import json
import math
from pathlib import Path

from graphlift.errors import FormatError
from graphlift.files import write_text
from graphlift.sequences import Poses
from graphlift.view.layout3d import Stage, set_stage, viewpoint
from graphlift.view.local_server import local_server
from graphlift.view.scene import LANDSCAPE, build, legend

PAGE_SIZE = 20_000_000
"""Bytes that a page may have; of longer motion every second, third, ... frame is shown."""
_SAMPLE = 500
"""Frames that tell how many bytes the others need."""
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
        ShapeError: If there is no frame, or nobody in any of them.
        ModuleNotFoundError: Without viser.
        OSError: If the page cannot be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise FormatError(f"{path}: a page is an .html file: give it that ending")
    stage = set_stage(poses, name=name)
    step = _step(stage, name, most)
    page = _page(stage, name, step)
    while len(page) > most and step < len(stage):
        step += 1
        page = _page(stage, name, step)
    write_text(path, page)
    return (*stage.notes, *_thinned(step))


def _step(stage: Stage, name: str, most: int) -> int:
    """Every which frame to show so that the page has at most so many bytes, by a sample."""
    sparse = len(stage) // _SAMPLE
    if sparse < 2:
        return 1
    frames = len(range(0, len(stage), sparse))
    bare, sample = (len(_page(stage, name, step)) for step in (len(stage), sparse))
    all_frames = (sample - bare) / (frames - 1) * len(stage)
    return min(len(stage), max(1, math.ceil(all_frames / max(most - bare, 1))))


def _page(stage: Stage, name: str, step: int) -> str:
    """The page with every ``step``-th frame, in ASCII."""
    with local_server(0) as (server, _):
        show = build(server, stage)
        recording = server.get_scene_serializer()
        for frame in range(0, len(stage), step):
            with server.atomic():
                show(frame)
            # A still has no duration, and so no player.
            recording.insert_sleep(step / stage.fps if len(stage) > 1 else 0.0)
        page = recording.as_html()
    head, rest = page.split("<head>", 1)
    inside, body = rest.split("</head>", 1)
    title = html.escape(name).encode("ascii", "xmlcharrefreplace").decode()
    inside = inside.replace("<title>Viser</title>", f"<title>{title}</title>")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    extra = f"<style>{_STYLE}</style><script>{_script(stage)}</script>"
    body = body.replace("</body>", f"{legend(stage, name, _thinned(step))}</body>")
    return f"{head}<head>{policy}{inside}{extra}</head>{body}"


def _thinned(step: int) -> tuple[str, ...]:
    return (f"Shown is one frame in {step}, so that the page stays small.",) if step > 1 else ()


def _script(stage: Stage) -> str:
    """Follow the reader's light or dark mode; step back where the window is narrow."""
    views = []
    for aspect in _NARROW:
        eye, target = (",".join(f"{x:.3f}" for x in at) for at in viewpoint(stage, aspect))
        views.append([aspect, {"initialCameraPosition": eye, "initialCameraLookAt": target}])
    return (
        "__VISER_EMBED_CONFIG__.darkMode=matchMedia('(prefers-color-scheme: dark)').matches;"
        f"const aspect=innerWidth/innerHeight,views={json.dumps(views)};"
        f"if(aspect<{LANDSCAPE})try{{history.replaceState(null,'','?'+new URLSearchParams("
        "(views.filter(view=>view[0]<=aspect).pop()||views[0])[1]))}catch{}"
    )
