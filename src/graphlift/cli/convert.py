"""``graphlift convert``: poses from one kind of file into another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphlift.cli.options import PosesFile
from graphlift.cli.outputs import (
    check_outputs,
    take_parts,
    write_outputs,
    write_outputs_in_parts,
)
from graphlift.words import counted, one_line

if TYPE_CHECKING:
    from graphlift.sequences import Poses


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
    from graphlift.formats.motion_files import is_long_table, read_poses, read_poses_in_parts
    from graphlift.formats.write import only_person

    def chosen(poses: "Poses") -> "Poses":
        return poses if person is None else only_person(source, poses, person)

    check_outputs(str(source), out)
    if is_long_table(source) and take_parts(out):
        parts = map(chosen, read_poses_in_parts(source))
        frames, poses, remarks = write_outputs_in_parts(out, parts)
    else:
        poses = chosen(read_poses(source))
        frames, remarks = len(poses), write_outputs(out, poses)
    for note in (*poses.notes, *remarks):
        typer.echo(f"graphlift: {one_line(note)}", err=True)
    who = counted(len(poses.people), "person", "people")
    rate = f"{poses.fps:.6g} fps" if poses.fps else "frame rate unknown"
    typer.echo(
        f"{one_line(source)}: {counted(frames, 'frame')}, {rate}, {who}, {poses.skeleton.name} -> "
        f"{' '.join(map(str, out))}"
    )
