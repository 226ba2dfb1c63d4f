"""``graphlift view`` and ``graphlift render``: poses to look at."""

from pathlib import Path
from typing import Annotated

import typer

from graphlift.cli.options import PosesFile
from graphlift.words import counted, one_line


def view(
    motion: PosesFile,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Page to write (.html) instead.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port to serve on.", min=1, max=65535)] = 8080,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
) -> None:
    """Show poses in the browser until Ctrl-C, or write them as one page that needs no network."""
    from graphlift.formats import read_poses
    from graphlift.view.page import write_page
    from graphlift.view.scene import serve

    poses = read_poses(motion)
    if out is None:
        serve(poses, name=motion.name, port=port, open_browser=open_browser, announce=typer.echo)
        return
    for note in write_page(out, poses, name=motion.name):
        typer.echo(f"graphlift: {one_line(note)}", err=True)
    typer.echo(f"{counted(len(poses), 'frame')}, {out.stat().st_size / 1e6:.1f} MB -> {out}")


def render(
    video: Annotated[Path, typer.Argument(help="The video that the poses were lifted from.")],
    motion: PosesFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.mp4).")],
    sigma: Annotated[
        bool, typer.Option("--sigma", help="Ring each joint by one standard deviation.")
    ] = False,
) -> None:
    """Draw poses over the video they came from: the 2D thick, the 3D thin; without the sound."""
    from graphlift.cli.progress import frames_bar
    from graphlift.formats import read_poses
    from graphlift.view.render import render as draw

    poses = read_poses(motion)
    with frames_bar(video.name) as show:
        codec = draw(video, poses, out, sigma=sigma, progress=show)
    typer.echo(f"{counted(len(poses), 'frame')}, {codec} -> {out}")
