"""``graphlift data``: what a pack holds, and how to make one."""

from pathlib import Path
from typing import Annotated, Any

import typer

from graphlift.cli import prepare

app = typer.Typer(
    name="data",
    help="Data to train on: what a pack holds, and how to prepare one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(prepare.app, name="prepare")


@app.command()
def info(
    pack: Annotated[
        str, typer.Argument(help="A pack (.npz or folder), or 'prior' for the made-up people.")
    ] = "prior",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what a data set holds: clips, poses, subjects, activities, licence, digest.

    \b
    graphlift data info ours.npz
    graphlift data info packs/h36m --json
    """  # noqa: D301  # \b is Click's, for lines that stay lines
    import json

    facts, rest = _sequences(Path(pack)) if Path(pack).is_dir() else _capture(pack)
    if as_json:
        typer.echo(json.dumps(facts | rest, indent=2))
        return
    for key, value in facts.items():
        typer.echo(f"{key:<9} {_text(value)}")
    for note in rest.get("notes", ()):
        typer.echo(f"note      {note}")
    if "activities" in rest:
        typer.echo("poses of each activity")
        for activity, count in rest["activities"].items():
            typer.echo(f"  {count:>9,} {activity}")


def _capture(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe a pack of motion capture, or the prior."""
    from graphlift.datasets.mocap.pack import read_pack
    from graphlift.datasets.mocap.prior import sample_prior

    capture = sample_prior("train") if name == "prior" else read_pack(Path(name))
    poses: dict[str, int] = {}
    for clip in capture.clips:
        poses[clip.activity] = poses.get(clip.activity, 0) + len(clip.positions)
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
    return facts, {"activities": dict(sorted(poses.items(), key=lambda item: -item[1]))}


def _sequences(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe a pack of keypoints and poses, once its numbers are those that were written."""
    from graphlift.datasets.licensed.pack import open_sequences, verify_sequences

    pack = open_sequences(folder)
    verify_sequences(pack)
    facts = {
        "name": pack.index.name,
        "sequences": len(pack),
        "poses": pack.frames,
        "skeleton": pack.skeleton.name,
        "2D": list(pack.kinds),
        "fps": sorted({entry.fps for entry in pack.index.sequences}),
        "subjects": pack.index.counts,
        "options": pack.index.options,
        "sources": len(pack.index.sources),
        "digest": pack.digest,
    }
    return facts, {"notes": pack.index.notes}


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items()) or "-"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    whole = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if whole else str(value) or "-"
