"""The stage in viser: served to a browser on this machine, or as one self-contained page."""

import contextlib
import html
import io
import json
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import write_text
from graphlift.sequences import Poses
from graphlift.view.palette import LEFT, NEUTRAL, RIGHT, own_colour
from graphlift.view.shapes import JOINT, WIDEST, Part, ball_mesh, parts, tube_mesh
from graphlift.view.stage import FOV, Stage, box, set_stage, viewpoint

if TYPE_CHECKING:
    import viser

PAGE_SIZE = 20_000_000
"""Bytes that a page may have; of longer motion every second, third, ... frame is shown."""
_LANDSCAPE, _PORTRAIT = 1.5, 0.5
"""Width over height of the windows that viewpoints are made for."""
_SPEEDS = ("0.1x", "0.25x", "0.5x", "1x", "2x", "4x")
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' data: blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; connect-src data: blob:; "
    "worker-src data: blob:"
)
"""What the page may do: run itself, and load nothing. The browser holds it to that."""
_STYLE = """
.graphlift { position: fixed; z-index: 2; top: 0; right: 0; margin: 0.7em; max-width: 24em;
  font: 13px/1.45 system-ui, sans-serif; color: #333 }
.graphlift b { font-size: 15px }
.graphlift summary { cursor: pointer }
@media (prefers-color-scheme: dark) { .graphlift { color: #ccc } }
"""

Show = Callable[[int], None]
"""Brings a frame on to the stage."""


def write_page(
    path: Path, poses: Poses, *, name: str = "motion", most: int = PAGE_SIZE
) -> tuple[str, ...]:
    """Write a motion as one page that any browser plays, offline, at the motion's pace.

    Args:
        path: Ends in ``.html``; written whole or not at all.
        poses: What to show.
        name: What to call the motion: the title of the page, and its name in errors.
        most: Bytes that the page may have. Of a motion that needs more, only every second,
            third, ... frame is shown, and a note says so.

    Returns:
        What was assumed and done, one sentence each.

    Raises:
        FormatError: If ``path`` does not end in ``.html``, or not even one frame fits.
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


def serve(
    poses: Poses,
    *,
    name: str = "motion",
    port: int = 8080,
    open_browser: bool = True,
    announce: Callable[[str], None] = lambda _: None,
) -> None:
    """Show a motion to browsers on this machine, and to no other, until Ctrl-C.

    Args:
        poses: What to show.
        name: What to call the motion: the title of the panel, and its name in errors.
        port: The first to try; the next free one is taken.
        open_browser: Whether to open the page.
        announce: Is told the page's address.

    Raises:
        ShapeError: If there is no frame, or nobody in any of them.
        ModuleNotFoundError: Without viser.
    """
    stage = set_stage(poses, name=name)
    with _server(port) as server, contextlib.suppress(KeyboardInterrupt):
        show = _build(server, stage)
        player = _panel(server, stage, name)
        server.on_client_connect(lambda client: _aim(client, stage))
        address = f"http://127.0.0.1:{server.get_port()}"
        announce(address)
        if open_browser:
            webbrowser.open(address)
        player(show)


def _page(stage: Stage, name: str, step: int) -> str:
    """The page with every ``step``-th frame, in ASCII."""
    with _server(0) as server:
        show = _build(server, stage)
        recording = server.get_scene_serializer()
        for frame in range(0, len(stage), step):
            with server.atomic():
                show(frame)
            recording.insert_sleep(step / stage.fps if len(stage) > 1 else 0.0)
        page = recording.as_html()
    head, rest = page.split("<head>", 1)
    before, after = rest.split("</head>", 1)
    title = html.escape(name).encode("ascii", "xmlcharrefreplace").decode()
    before = before.replace("<title>Viser</title>", f"<title>{title}</title>")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    legend = _legend(stage, name, _thinned(step))
    return (
        f"{head}<head>{policy}{before}<style>{_STYLE}</style>"
        f"<script>{_script(stage)}</script></head>"
        f"{after.replace('</body>', legend + '</body>')}"
    )


def _thinned(step: int) -> tuple[str, ...]:
    return (f"Shown is one frame in {step}, so that the page stays small.",) if step > 1 else ()


def _script(stage: Stage) -> str:
    """Follow the reader's light or dark mode; step back where the window is a phone's."""
    eye, target = viewpoint(stage, _PORTRAIT)
    place = {
        "initialCameraPosition": ",".join(f"{x:.3f}" for x in eye),
        "initialCameraLookAt": ",".join(f"{x:.3f}" for x in target),
    }
    return (
        "__VISER_EMBED_CONFIG__.darkMode=matchMedia('(prefers-color-scheme: dark)').matches;"
        "if(innerHeight>innerWidth)try{"
        f"const place=new URLSearchParams({json.dumps(place)});"
        "history.replaceState(null,'','?'+place)}catch{}"
    )


def _legend(stage: Stage, name: str, more: tuple[str, ...] = ()) -> str:
    """What is shown, in which colours, and what was assumed; as HTML."""
    def swatch(colour: tuple[int, int, int], text: str) -> str:
        return f'<span style="color:rgb{colour}">&#9632;</span> {html.escape(text)}'

    keys = [swatch(LEFT, "left"), swatch(RIGHT, "right")]
    if len(stage.people) > 1:
        keys += [swatch(own_colour(p), who) for p, who in enumerate(stage.people)]
    lines = [f"<b>{html.escape(name)}</b>", " &ensp;".join(keys)]
    if stage.sigma is not None:
        lines.append("A pale ball&#8217;s radius is one standard deviation.")
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in (*stage.notes, *more))
    if notes:
        lines.append(f"<details><summary>Notes</summary><ul>{notes}</ul></details>")
    text = "".join(f"<div>{line}</div>" for line in lines)
    return f'<div class="graphlift">{text}</div>'.encode("ascii", "xmlcharrefreplace").decode()


@contextmanager
def _server(port: int) -> Iterator["viser.ViserServer"]:
    """A viser server that only this machine reaches, and that prints nothing."""
    import viser

    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet:
        server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
    # Any client may ask for a public address; none gets one.
    server.request_share_url = lambda verbose=True: None  # type: ignore[method-assign]
    try:
        yield server
    finally:
        with quiet:
            server.stop()


def _build(server: "viser.ViserServer", stage: Stage) -> Show:
    """Put everything on the stage, and return what brings a frame on to it."""
    scene = server.scene
    scene.configure_environment_map(None)
    scene.add_light_ambient("light", intensity=2.0)
    everything = box(stage.joints)
    low, high = everything.min(axis=0), everything.max(axis=0)
    middle = np.rint((low + high) / 2)
    wide = 2 * float(np.ceil((high - low)[:2].max() / 2 + 2))
    scene.add_grid(
        "floor",
        wide,
        wide,
        position=(middle[0], middle[1], 0.0),
        cell_color=(190, 190, 190),
        section_color=NEUTRAL,
        shadow_opacity=0.25,
    )
    moving = [(part, _add(scene, part)) for part in parts(stage)]
    moving = [(part, handle) for part, handle in moving if not part.still]
    labels = _label(scene, stage)
    if (board := stage.board) is not None:
        scene.add_mesh_simple(
            "board/sheet",
            board.corners,
            np.array([[0, 1, 2], [0, 2, 3]]),
            color=NEUTRAL,
            opacity=0.12,
            side="double",
            cast_shadow=False,
            receive_shadow=False,
        )
    start = server.initial_camera
    start.up, start.fov = (0.0, 0.0, 1.0), FOV
    start.position, start.look_at = map(tuple, viewpoint(stage, _LANDSCAPE))

    def show(frame: int) -> None:
        for part, handle in moving:
            placed = part.place(frame)
            handle.batched_positions = placed.centres
            handle.batched_scales = placed.scales
            handle.batched_wxyzs = placed.turns
        labels(frame)

    return show


def _add(scene: "viser.SceneApi", part: Part) -> Any:
    placed = part.place(0)
    vertices, faces = ball_mesh() if part.ball else tube_mesh()
    return scene.add_batched_meshes_simple(
        part.name,
        vertices,
        faces,
        placed.turns,
        placed.centres,
        batched_scales=placed.scales,
        batched_colors=_linear(part.colours),
        opacity=part.opacity if part.opacity < 1 else None,
        lod="off",
        cast_shadow=part.name.startswith("people") and part.opacity == 1,
        receive_shadow=False,
    )


def _linear(colours: np.ndarray) -> np.ndarray:
    """sRGB to linear light, for which viser takes the colours of batched meshes."""
    c = colours / 255
    return np.rint(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) * 255).astype(
        np.uint8
    )


def _label(scene: "viser.SceneApi", stage: Stage) -> Show:
    """Names over heads, where there is more than one."""
    if len(stage.people) == 1:
        return lambda _: None
    names = [scene.add_label(f"people/{p}", who, anchor="bottom-center") for p, who in enumerate(stage.people)]

    def show(frame: int) -> None:
        for label, joints in zip(names, stage.joints[frame], strict=True):
            known = joints[np.isfinite(joints).all(axis=-1)]
            label.visible = len(known) > 0
            if len(known):
                x, y, _ = known.mean(axis=0)
                label.position = (x, y, known[:, 2].max() + 0.15)

    return show


def _aim(client: "viser.ClientHandle", stage: Stage) -> None:
    """Step back where the window is a phone's."""
    if client.camera.aspect < 1:
        eye, target = viewpoint(stage, client.camera.aspect)
        client.camera.position, client.camera.look_at = eye, target


def _panel(server: "viser.ViserServer", stage: Stage, name: str) -> Callable[[Show], None]:
    """A slider, play and speed; returns what plays until it is interrupted."""
    gui = server.gui
    gui.configure_theme(show_logo=False, show_share_button=False)
    gui.set_panel_label("graphlift")
    gui.add_html(_legend(stage, name))
    last = len(stage) - 1
    slider = gui.add_slider("Frame", 0, max(last, 1), 1, 0, disabled=last == 0)
    playing = gui.add_checkbox("Play", last > 0, disabled=last == 0)
    speed = gui.add_dropdown("Speed", _SPEEDS, "1x")

    def play(show: Show) -> None:
        at, shown, clock = 0.0, -1, time.perf_counter()
        while True:
            time.sleep(1 / 60)
            now = time.perf_counter()
            if slider.value != max(shown, 0):  # moved by hand
                at, playing.value = float(slider.value), False
            elif playing.value:
                at = (at + (now - clock) * stage.fps * float(speed.value[:-1])) % len(stage)
            clock = now
            if int(at) != shown:
                shown = min(int(at), last)
                slider.value = shown
                with server.atomic():
                    show(shown)

    return play
