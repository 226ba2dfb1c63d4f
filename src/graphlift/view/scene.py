"""The stage in viser, served to browsers on this machine."""

import contextlib
import html
import os
import sys
import time
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.sequences import Poses
from graphlift.view.layout3d import FOV, Stage, box, set_stage, viewpoint
from graphlift.view.local_server import local_server
from graphlift.view.palette import LEFT, NEUTRAL, RGB, RIGHT, own_colour
from graphlift.view.shapes import Part, ball_mesh, parts, tube_mesh

if TYPE_CHECKING:
    import viser

LANDSCAPE = 1.6
"""Width over height of the windows that the first view is made for."""
_SPEEDS = ("0.1x", "0.25x", "0.5x", "1x", "2x", "4x")

Show = Callable[[int], None]
"""Brings a frame on to the stage."""


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
        name: What to call the motion: a title, and its name in errors.
        port: The first to try; the next free one is taken.
        open_browser: Whether to open the page, where there is a desktop to open it on.
        announce: Is told the page's address.

    Raises:
        ShapeError: If there is no frame, or nobody in any of them.
        ModuleNotFoundError: Without viser.
    """
    stage = set_stage(poses, name=name)
    with local_server(port) as (server, address), contextlib.suppress(KeyboardInterrupt):
        show = build(server, stage)
        play = _panel(server, stage, name)
        server.on_client_connect(lambda client: _aim(client, stage))
        announce(address)
        if open_browser and _has_desktop():
            webbrowser.open(address)
        play(show)


def build(server: "viser.ViserServer", stage: Stage) -> Show:
    """Put everything on the stage, and return what brings a frame on to it."""
    scene, start = server.scene, server.initial_camera
    # The environment map that viser starts with would wash the colours out.
    scene.configure_environment_map(None)
    scene.add_light_ambient("light", intensity=2.0)
    _add_floor(scene, stage)
    if stage.board is not None:
        scene.add_mesh_simple(
            "board/sheet",
            stage.board.corners,
            np.array([[0, 1, 2], [0, 2, 3]]),
            color=NEUTRAL,
            opacity=0.12,
            side="double",
            cast_shadow=False,
            receive_shadow=False,
        )
    handles = [(part, _add(scene, part)) for part in parts(stage)]
    moving = [(part, handle) for part, handle in handles if not part.still]
    label = _add_labels(scene, stage)
    eye, target = viewpoint(stage, LANDSCAPE)
    start.up, start.fov, start.position, start.look_at = (0.0, 0.0, 1.0), FOV, eye, target

    def show(frame: int) -> None:
        for part, handle in moving:
            placed = part.place(frame)
            handle.batched_positions = placed.centres
            handle.batched_wxyzs = placed.turns
            handle.batched_scales = placed.scales
        label(frame)

    return show


def legend(stage: Stage, name: str, more: tuple[str, ...] = ()) -> str:
    """Say as HTML what is shown, in which colours, and what was assumed."""

    def swatch(colour: RGB, text: str) -> str:
        return f'<span style="color: rgb{colour}">&#9632;</span>&nbsp;{html.escape(text)}'

    keys = [swatch(LEFT, "left"), swatch(RIGHT, "right")]
    if len(stage.people) > 1:
        keys += [swatch(own_colour(p), who) for p, who in enumerate(stage.people)]
    lines = [f"<b>{html.escape(name)}</b>", " &ensp;".join(keys)]
    if stage.board is not None:
        lines.append("On the board: the 2D keypoints.")
    if stage.sigma is not None:
        lines.append("Radius of a pale ball: one standard deviation.")
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in (*stage.notes, *more))
    if notes:
        lines.append(f"<details><summary>Notes</summary><ul>{notes}</ul></details>")
    text = "".join(f"<div>{line}</div>" for line in lines)
    text = f'<div class="graphlift" style="padding: 0 0.7em; font-size: 13px">{text}</div>'
    return text.encode("ascii", "xmlcharrefreplace").decode()


def _has_desktop() -> bool:
    """Whether a browser would be a window, and not text over this terminal."""
    graphical = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(graphical) or sys.platform in ("darwin", "win32")


def _add_floor(scene: "viser.SceneApi", stage: Stage) -> None:
    """A grid of whole and half metres under everybody."""
    corners = box(stage.joints)
    x, y, _ = np.rint(corners.mean(axis=0))
    wide = 2 * float(np.ceil(np.ptp(corners[:, :2], axis=0).max() / 2 + 2))
    scene.add_grid(
        "floor",
        wide,
        wide,
        position=(x, y, 0.0),
        cell_color=(160, 160, 160),
        section_color=NEUTRAL,
        shadow_opacity=0.25,
    )


def _add(scene: "viser.SceneApi", part: Part) -> Any:  # noqa: ANN401
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
        cast_shadow=part.shadow,
        receive_shadow=False,
    )


def _linear(colours: np.ndarray) -> np.ndarray:
    """From sRGB to linear light, for which viser takes the colours of batched meshes."""
    c = colours / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.rint(linear * 255), dtype=np.uint8)


def _add_labels(scene: "viser.SceneApi", stage: Stage) -> Show:
    """Names over heads, where there is more than one person."""
    if len(stage.people) == 1:
        return lambda _: None
    labels = [
        scene.add_label(f"people/{person}", name, anchor="bottom-center")
        for person, name in enumerate(stage.people)
    ]

    def show(frame: int) -> None:
        for label, joints in zip(labels, stage.joints[frame], strict=True):
            known = joints[np.isfinite(joints).all(axis=-1)]
            label.visible = len(known) > 0
            if len(known):
                x, y, _ = known.mean(axis=0)
                label.position = (x, y, known[:, 2].max() + 0.15)

    show(0)
    return show


def _aim(client: "viser.ClientHandle", stage: Stage) -> None:
    """Step back where the window is narrow."""
    if client.camera.aspect < LANDSCAPE:
        eye, target = viewpoint(stage, client.camera.aspect)
        client.camera.position, client.camera.look_at = eye, target


def _panel(server: "viser.ViserServer", stage: Stage, name: str) -> Callable[[Show], None]:
    """A slider, play and speed; returns what plays until it is interrupted."""
    gui, last = server.gui, len(stage) - 1
    gui.configure_theme(show_logo=False, show_share_button=False)
    gui.set_panel_label("graphlift")
    gui.add_html(legend(stage, name))
    alone = last == 0
    slider: Any = gui.add_slider(
        "Frame", min=0, max=max(last, 1), step=1, initial_value=0, disabled=alone
    )
    playing: Any = gui.add_checkbox("Play", initial_value=not alone, disabled=alone)
    speed = gui.add_dropdown("Speed", _SPEEDS, initial_value="1x")

    def play(show: Show) -> None:
        at, shown, clock = 0.0, 0, time.perf_counter()
        while True:
            time.sleep(1 / 60)
            before, clock = clock, time.perf_counter()
            if slider.value != shown:  # somebody has moved it
                at, playing.value = float(slider.value), False
            elif playing.value:
                passed = (clock - before) * float(speed.value.removesuffix("x"))
                at = (at + passed * stage.fps) % len(stage)
            if (frame := min(int(at), last)) != shown:
                shown = slider.value = frame
                with server.atomic():
                    show(frame)

    return play
