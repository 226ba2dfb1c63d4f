"""A motion as a scene in viser, served to browsers on this machine."""

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
from graphlift.view.layout3d import FOV, Layout3D, box, lay_out, viewpoint
from graphlift.view.local_server import local_server
from graphlift.view.palette import LEFT, NEUTRAL, RGB, RIGHT, own_colour
from graphlift.view.shapes import MeshBatch, mesh_batches

if TYPE_CHECKING:
    import viser

LANDSCAPE = 1.6
"""Width over height of the windows that the first view is made for."""
_SPEEDS = ("0.1x", "0.25x", "0.5x", "1x", "2x", "4x")

Show = Callable[[int], None]
"""Changes the scene to a frame."""


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
        announce: Called with the page's address.

    Raises:
        ShapeError: If there is no frame, or no person in any of them.
        ModuleNotFoundError: Without viser.
    """
    layout = lay_out(poses, name=name)
    with local_server(port) as (server, address), contextlib.suppress(KeyboardInterrupt):
        show = build(server, layout)
        play = _panel(server, layout, name)
        server.on_client_connect(lambda client: _aim(client, layout))
        announce(address)
        if open_browser and has_desktop():
            webbrowser.open(address)
        play(show)


def build(server: "viser.ViserServer", layout: Layout3D) -> Show:
    """Add everything to the scene, and return the function that changes it to a frame."""
    scene, start = server.scene, server.initial_camera
    # The environment map that viser starts with would wash the colours out.
    scene.configure_environment_map(None)
    scene.add_light_ambient("light", intensity=2.0)
    _add_floor(scene, layout)
    if layout.board is not None:
        scene.add_mesh_simple(
            "board/sheet",
            layout.board.corners,
            np.array([[0, 1, 2], [0, 2, 3]]),
            color=NEUTRAL,
            opacity=0.12,
            side="double",
            cast_shadow=False,
            receive_shadow=False,
        )
    handles = [(batch, _add(scene, batch)) for batch in mesh_batches(layout)]
    moving = [(batch, handle) for batch, handle in handles if not batch.still]
    label = _add_labels(scene, layout)
    position, target = viewpoint(layout, LANDSCAPE)
    start.up, start.fov, start.position, start.look_at = (0.0, 0.0, 1.0), FOV, position, target

    def show(frame: int) -> None:
        for batch, handle in moving:
            transforms = batch.transforms(frame)
            handle.batched_positions = transforms.centres
            handle.batched_wxyzs = transforms.turns
            handle.batched_scales = transforms.scales
        label(frame)

    return show


def legend(layout: Layout3D, name: str, more: tuple[str, ...] = ()) -> str:
    """Describe as HTML what is shown, in which colours, and what was assumed."""

    def swatch(colour: RGB, text: str) -> str:
        return f'<span style="color: rgb{colour}">&#9632;</span>&nbsp;{html.escape(text)}'

    keys = [swatch(LEFT, "left"), swatch(RIGHT, "right")]
    if len(layout.people) > 1:
        keys += [swatch(own_colour(p), who) for p, who in enumerate(layout.people)]
    lines = [f"<b>{html.escape(name)}</b>", " &ensp;".join(keys)]
    if layout.board is not None:
        lines.append("On the board: the 2D keypoints.")
    if layout.sigma is not None:
        lines.append("Radius of a pale ball: one standard deviation.")
    if layout.hypotheses is not None:
        lines.append("Pale people: the poses that the model held possible, one beside another.")
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in (*layout.notes, *more))
    if notes:
        lines.append(f"<details><summary>Notes</summary><ul>{notes}</ul></details>")
    text = "".join(f"<div>{line}</div>" for line in lines)
    text = f'<div class="graphlift" style="padding: 0 0.7em; font-size: 13px">{text}</div>'
    return text.encode("ascii", "xmlcharrefreplace").decode()


def has_desktop() -> bool:
    """Whether a browser would be a window, and not text over this terminal."""
    graphical = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(graphical) or sys.platform in ("darwin", "win32")


def _add_floor(scene: "viser.SceneApi", layout: Layout3D) -> None:
    """Add a grid of whole and half metres under all people."""
    corners = box(layout.joints)
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


def _add(scene: "viser.SceneApi", batch: MeshBatch) -> Any:  # noqa: ANN401
    transforms = batch.transforms(0)
    mesh = unit_ball() if batch.ball else unit_tube()
    return scene.add_batched_meshes_simple(
        batch.name,
        mesh.vertices,
        mesh.faces,
        transforms.turns,
        transforms.centres,
        batched_scales=transforms.scales,
        batched_colors=_linear(batch.colours),
        opacity=batch.opacity if batch.opacity < 1 else None,
        lod="off",
        cast_shadow=batch.shadow,
        receive_shadow=False,
    )


def unit_ball() -> Any:  # noqa: ANN401
    """Make the mesh of a ball of radius 1."""
    import trimesh

    return trimesh.creation.icosphere(subdivisions=2)


def unit_tube() -> Any:  # noqa: ANN401
    """Make the mesh of a tube of radius 1 from z = -0.5 to 0.5, open at both ends."""
    import trimesh

    return trimesh.creation.revolve([[1.0, -0.5], [1.0, 0.5]], sections=12)


def _linear(colours: np.ndarray) -> np.ndarray:
    """Convert sRGB to linear light, in which viser takes the colours of batched meshes."""
    c = colours / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.rint(linear * 255), dtype=np.uint8)


def _add_labels(scene: "viser.SceneApi", layout: Layout3D) -> Show:
    """Write names over heads if there are several people."""
    if len(layout.people) == 1:
        return lambda _: None
    labels = [
        scene.add_label(f"people/{person}", name, anchor="bottom-center")
        for person, name in enumerate(layout.people)
    ]

    def show(frame: int) -> None:
        for label, joints in zip(labels, layout.joints[frame], strict=True):
            known = joints[np.isfinite(joints).all(axis=-1)]
            label.visible = len(known) > 0
            if len(known):
                x, y, _ = known.mean(axis=0)
                label.position = (x, y, known[:, 2].max() + 0.15)

    show(0)
    return show


def _aim(client: "viser.ClientHandle", layout: Layout3D) -> None:
    """Move a client's camera back if its window is narrow."""
    if client.camera.aspect < LANDSCAPE:
        position, target = viewpoint(layout, client.camera.aspect)
        client.camera.position, client.camera.look_at = position, target


def _panel(server: "viser.ViserServer", layout: Layout3D, name: str) -> Callable[[Show], None]:
    """A slider, play and speed; returns what plays until it is interrupted."""
    gui, last = server.gui, len(layout) - 1
    gui.configure_theme(show_logo=False, show_share_button=False)
    gui.set_panel_label("graphlift")
    gui.add_html(legend(layout, name))
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
            if slider.value != shown:  # a user has moved it
                at, playing.value = float(slider.value), False
            elif playing.value:
                passed = (clock - before) * float(speed.value.removesuffix("x"))
                at = (at + passed * layout.fps) % len(layout)
            if (frame := min(int(at), last)) != shown:
                shown = slider.value = frame
                with server.atomic():
                    show(frame)

    return play
