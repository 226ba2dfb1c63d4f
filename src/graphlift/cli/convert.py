"""``graphlift convert``: poses from one kind of file into another."""

from pathlib import Path
from typing import Annotated

import typer

from graphlift.cli.options import PosesFile
from graphlift.cli.outputs import check_outputs, write_outputs
from graphlift.words import one_line


def convert(
    source: PosesFile,
    out: Annotated[
        list[Path],
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="File to write; its suffix chooses the kind: the same, .html, or .openpose for a "
            "folder. Repeatable.",
        ),
    ],
    person: Annotated[str | None, typer.Option(help="Keep one: the person of this name.")] = None,
) -> None:
    """Turn poses in 3D from one kind of file into another; they stay where they are.

    graphlift convert walk.npz -o walk.bvh -o walk.trc

    Prints what was assumed of the file that was read, and what was done so that the new one could
    hold it. Nothing is smoothed or put on a floor. What each kind holds: docs/formats-out.md.
    """
    from graphlift.formats import read_poses
    from graphlift.formats.write import only_person

    check_outputs(str(source), out)
    poses = read_poses(source)
    if person is not None:
        poses = only_person(source, poses, person)
    for note in (*poses.notes, *write_outputs(out, poses)):
        typer.echo(f"graphlift: {one_line(note)}", err=True)
    who = "1 person" if len(poses.people) == 1 else f"{len(poses.people)} people"
    rate = f"{poses.fps:.6g} fps" if poses.fps else "frame rate unknown"
    typer.echo(
        f"{one_line(source)}: {len(poses):,} frames, {rate}, {who}, {poses.skeleton.name} -> "
        f"{' '.join(map(str, out))}"
    )
