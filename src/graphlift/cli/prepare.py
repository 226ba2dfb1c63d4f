"""``graphlift data prepare``: a folder of motion capture or of licensed data -> a pack."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from graphlift.cli.progress import with_bar
from graphlift.words import counted


class _DataSets(TyperGroup):
    """A group that answers a folder in place of a data set with the words to type."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  # Click's types
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise typer.BadParameter(
                f"{args[0]} is no data set: give mocap, h36m or 3dhp before the folder, such as "
                f"graphlift data prepare mocap {args[0]} --out ours.npz",
                ctx,
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_DataSets,
    help="Turn recordings or licensed data into a pack that networks are trained on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Units = Literal["auto", "m", "cm", "mm", "inch", "cmu"]
Copy = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of your copy.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="The pack to write, a folder.")]
Partial = Annotated[bool, typer.Option("--partial", help="Go on if something is missing.")]


@app.command()
def mocap(
    folder: Annotated[Path, typer.Argument(help="Holds .bvh, or .asf and .amc, files.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The pack to write, an .npz.")],
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
    map_: Annotated[
        Path | None,
        typer.Option("--map", help="TOML that says which of a BVH's joints are the 17."),
    ] = None,
    activity: Annotated[Path | None, typer.Option(help="CSV with clip,activity.")] = None,
    license_: Annotated[str, typer.Option("--license", help="Terms, kept in the pack.")] = "",
    source: Annotated[str, typer.Option(help="Where the data are from, kept in the pack.")] = "",
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on after a file that cannot be used.")
    ] = False,
) -> None:
    """Turn a folder of BVH, or of ASF and AMC, files into one pack of motion capture.

    \b
    graphlift data prepare mocap takes --out ours.npz
    graphlift data prepare mocap subjects --out cmu.npz --skip 1 --activity activities.csv

    The pack has 17 joints, metres, z up and the floor at 0 (docs/data.md).
    """  # noqa: D301  # \b is Click's, for lines that stay lines
    from graphlift.datasets.mocap.prepare import PrepareOptions, prepare_mocap, read_activity_table
    from graphlift.formats.kinematics import UNITS
    from graphlift.formats.rig_names import read_map

    if scale is not None and units != "auto":
        raise typer.BadParameter("give --units or --scale, not both")
    options = PrepareOptions(
        fps=fps,
        to_fps=to_fps,
        nearest=nearest,
        skip=skip,
        scale=scale if units == "auto" else UNITS[units],
        up=up,
        activities=read_activity_table(activity) if activity else None,
        names=read_map(map_) if map_ else None,
    )
    about = {"license": license_, "source": source}
    capture, refused = prepare_mocap(
        folder, out, options, **about, keep_going=keep_going, watch=with_bar
    )
    for reason in refused.values():
        typer.echo(f"graphlift: left out: {reason}", err=True)
    typer.echo(
        f"{counted(len(capture.clips), 'clip')}, {counted(len(capture), 'pose')} of "
        f"{counted(len(capture.subjects), 'subject')} -> {out}"
        + (f" ({counted(len(refused), 'file')} left out)" if refused else "")
    )


@app.command()
def h36m(
    folder: Copy,
    out: Out,
    joints: Annotated[
        int, typer.Option(min=16, max=17, help="With Neck/Nose (17) or without (16).")
    ] = 17,
    layout: Annotated[
        str | None,
        typer.Option(
            help="videopose3d, martinez, cdf or mmpose, if the folder has several.",
        ),
    ] = None,
    partial: Partial = False,
) -> None:
    """Turn your copy of Human3.6M into a pack of keypoints and poses.

    \b
    graphlift data prepare h36m data --out packs/h36m
    graphlift data prepare h36m data --out packs/h36m-16 --joints 16

    Each user asks for the licence of Human3.6M. The folder has it in any of the layouts that it is
    passed around in, with the 2D (gt, cpn, hg) beside the 3D. The pack is a folder that training
    maps: metres in camera axes, and px. If it would not hold the published 1,559,752 poses to
    train and 543,344 to test, what is missing is printed and nothing is written; --partial
    writes what is present (docs/human36m.md).
    """  # noqa: D301
    _prepare("h36m", folder, out, joints=joints, layout=layout, partial=partial)


@app.command("3dhp")
def mpi_inf_3dhp(
    folder: Copy,
    out: Out,
    annotation: Annotated[
        str | None, typer.Option(help="univ_annot3, which the literature scores, or annot3.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(help="original, p-stmo or mmpose, if the folder has several."),
    ] = None,
    partial: Partial = False,
) -> None:
    """Turn your copy of MPI-INF-3DHP into a pack of keypoints and poses.

    \b
    graphlift data prepare 3dhp mpi_inf_3dhp_test_set --out packs/3dhp
    graphlift data prepare 3dhp data --out packs/3dhp --annotation annot3

    The folder has the test part, the training part or both, in any of the layouts that they are
    passed around in. The pack is a folder that training maps: metres in camera axes, and px. If
    the test part would not hold the published 2,929 valid frames, what is missing is printed and
    nothing is written; --partial writes what is present (docs/mpi-inf-3dhp.md).
    """  # noqa: D301
    _prepare("3dhp", folder, out, annotation=annotation, layout=layout, partial=partial)


def _prepare(dataset: str, folder: Path, out: Path, **options: Any) -> None:  # noqa: ANN401
    from graphlift.datasets.licensed.prepare import prepare_licensed
    from graphlift.datasets.licensed.reading import ReadOptions

    scratch = out.parent if out.parent.is_dir() else None  # has room for the pack, so for it too
    pack = prepare_licensed(
        dataset, folder, out, ReadOptions(**options, scratch=scratch), watch=with_bar
    )
    for note in pack.index.notes:
        typer.echo(f"graphlift: {note}", err=True)
    typer.echo(
        f"{counted(len(pack), 'sequence')}, {counted(pack.frames, 'pose')} of "
        f"{counted(len(pack.index.counts), 'subject')}, 2D: {', '.join(pack.kinds)} -> {out}"
    )
