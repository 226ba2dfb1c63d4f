"""``graphlift data``: what a pack holds, and how to make one."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from graphlift.datasets.prepare import Recording

app = typer.Typer(
    name="data",
    help="Motion capture: what there is, and how to prepare more.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Units = Literal["auto", "m", "cm", "mm", "inch", "cmu"]


@app.command()
def info(
    pack: Annotated[
        str, typer.Argument(help="A pack (.npz), or 'prior' for the people made up for training.")
    ] = "prior",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what a data set holds: clips, poses, subjects, activities, licence, digest."""
    import json

    from graphlift.datasets.pack import read_pack
    from graphlift.datasets.prior import sample_prior

    capture = sample_prior("train") if pack == "prior" else read_pack(Path(pack))
    poses: dict[str, int] = {}
    for clip in capture.clips:
        poses[clip.activity] = poses.get(clip.activity, 0) + len(clip.positions)
    most_first = dict(sorted(poses.items(), key=lambda item: -item[1]))
    facts = {
        "name": capture.name,
        "clips": len(capture.clips),
        "poses": len(capture),
        "fps": sorted({clip.fps for clip in capture.clips}),
        "subjects": list(capture.subjects),
        "license": capture.license,
        "source": capture.source,
        "digest": capture.digest,
    }
    if as_json:
        typer.echo(json.dumps({**facts, "activities": most_first}, indent=2))
        return
    for key, value in facts.items():
        text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        typer.echo(f"{key:<9} {text or '-'}")
    typer.echo("poses of each activity")
    for activity, count in most_first.items():
        typer.echo(f"  {count:>9,} {activity}")


@app.command("prepare")
def prepare_(
    folder: Annotated[Path, typer.Argument(help="Folder with .bvh, or .asf and .amc, files.")],
    out: Annotated[Path, typer.Option(help="The pack to write (.npz).")],
    fps: Annotated[float, typer.Option(min=1, help="Frame rate of AMC files.")] = 120.0,
    to_fps: Annotated[float, typer.Option(min=1, help="Frame rate of the pack.")] = 30.0,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Take nearest frames if rates do not divide.")
    ] = False,
    skip: Annotated[int, typer.Option(min=0, help="Frames to drop at each start.")] = 0,
    units: Annotated[Units, typer.Option(help="Unit of the files; auto finds it out.")] = "auto",
    scale: Annotated[
        float | None, typer.Option(min=1e-6, help="Metres per unit, in place of --units.")
    ] = None,
    up: Annotated[Literal["y", "z"], typer.Option(help="Up axis of BVH files.")] = "y",
    activity: Annotated[Path | None, typer.Option(help="CSV with clip,activity.")] = None,
    license_: Annotated[str, typer.Option("--license", help="Terms, kept in the pack.")] = "",
    source: Annotated[str, typer.Option(help="Where the data are from, kept in the pack.")] = "",
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on after a file that cannot be used.")
    ] = False,
) -> None:
    """Turn BVH or ASF/AMC files into a pack: 17 joints, metres, z up, floor at 0."""
    from graphlift.datasets.kinematics import UNITS
    from graphlift.datasets.prepare import Choices, prepare, read_activities

    if scale is not None and units != "auto":
        raise typer.BadParameter("give --units or --scale, not both")
    choices = Choices(
        fps=fps,
        to_fps=to_fps,
        nearest=nearest,
        skip=skip,
        scale=scale if units == "auto" else UNITS[units],
        up=up,
        activities=read_activities(activity) if activity else None,
    )
    capture, refused = prepare(
        folder,
        out,
        choices,
        license=license_,
        source=source,
        keep_going=keep_going,
        watch=_with_bar,
    )
    for reason in refused.values():
        typer.echo(f"graphlift: left out: {reason}", err=True)
    typer.echo(
        f"{len(capture.clips):,} clips, {len(capture):,} poses of {len(capture.subjects):,} "
        f"subjects -> {out}" + (f" ({len(refused):,} files left out)" if refused else "")
    )


def _with_bar(recordings: "tuple[Recording, ...]") -> "Iterable[Recording]":
    """Show a progress bar on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(recordings, "reading", console=console, disable=not console.is_terminal)
