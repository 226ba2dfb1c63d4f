"""``graphlift data``: what a pack holds, and how to make one."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from graphlift.cli.paired import is_data_set, prepare_licensed, tell
from graphlift.cli.progress import with_bar

app = typer.Typer(
    name="data",
    help="Motion capture: what there is, and how to prepare more.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Units = Literal["auto", "m", "cm", "mm", "inch", "cmu"]

_OF_MOCAP = {
    *("fps", "to_fps", "nearest", "skip", "units", "scale", "up", "activity", "license_"),
    "map_",
    *("source", "keep_going"),
}
_OF_PAIRED = {"partial", "joints", "layout", "annotation"}


@app.command()
def info(
    pack: Annotated[
        str, typer.Argument(help="A pack (.npz or folder), or 'prior' for the made-up people.")
    ] = "prior",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what a data set holds: clips, poses, subjects, activities, licence, digest."""
    import json

    from graphlift.datasets.mocap.pack import read_pack
    from graphlift.datasets.mocap.prior import sample_prior

    if Path(pack).is_dir():
        tell(Path(pack), as_json)
        return
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
    ctx: typer.Context,
    words: Annotated[
        list[Path],
        typer.Argument(
            metavar="[DATASET] FOLDER",
            help="A folder with .bvh, or .asf and .amc, files; or h36m or 3dhp and the folder of "
            "your copy.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="The pack to write: .npz; of h36m and 3dhp a folder."),
    ],
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
    partial: Annotated[
        bool, typer.Option("--partial", help="h36m, 3dhp: go on if something is missing.")
    ] = False,
    joints: Annotated[
        int, typer.Option(min=16, max=17, help="h36m: with Neck/Nose (17) or without (16).")
    ] = 17,
    layout: Annotated[
        str | None,
        typer.Option(
            help="h36m: videopose3d, martinez, cdf or mmpose; 3dhp: original, p-stmo or mmpose. "
            "Found by names of files."
        ),
    ] = None,
    annotation: Annotated[
        str | None, typer.Option(help="3dhp: univ_annot3, which the literature scores, or annot3.")
    ] = None,
) -> None:
    """Turn BVH or ASF/AMC files into a pack, or Human3.6M into a pack of 3D and 2D.

    \b
    graphlift data prepare takes --out ours.npz
    graphlift data prepare h36m data --out packs/h36m
    graphlift data prepare 3dhp mpi_inf_3dhp_test_set --out packs/3dhp

    A folder of BVH, or of ASF and AMC, files becomes one .npz: 17 joints, metres, z up, floor at
    0 (docs/data.md).

    h36m is Human3.6M, whose licence each user asks for; then `data` is your copy, in any of the
    layouts that it is passed around in, with the 2D (gt, cpn, hg) beside the 3D. It becomes a
    folder that training maps: metres in camera axes, and px. Unless it holds the published
    1,559,752 poses to train and 543,344 to test, you are told what is missing and nothing is
    written; --partial writes what there is (docs/human36m.md). 3dhp is MPI-INF-3DHP likewise, with
    2,929 test frames (docs/mpi-inf-3dhp.md).
    """  # noqa: D301  # \b is Click's, for lines that stay lines
    from graphlift.datasets.mocap.prepare import Choices, prepare, read_activities
    from graphlift.formats.kinematics import UNITS
    from graphlift.formats.rig_names import read_map

    if len(words) != 1 or is_data_set(words[0]):
        _refuse_options(ctx, _OF_MOCAP, "a folder of BVH or AMC files")
        if str(words[0]) == "3dhp":
            _refuse_options(ctx, {"joints"}, "h36m")
        else:
            _refuse_options(ctx, {"annotation"}, "3dhp")
        prepare_licensed(
            *(words, out),
            partial=partial,
            joints=joints,
            layout=layout,
            annotation=annotation,
        )
        return
    _refuse_options(ctx, _OF_PAIRED, "a licensed data set")
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
        names=read_map(map_) if map_ else None,
    )
    capture, refused = prepare(
        words[0],
        out,
        choices,
        license=license_,
        source=source,
        keep_going=keep_going,
        watch=with_bar,
    )
    for reason in refused.values():
        typer.echo(f"graphlift: left out: {reason}", err=True)
    typer.echo(
        f"{len(capture.clips):,} clips, {len(capture):,} poses of {len(capture.subjects):,} "
        f"subjects -> {out}" + (f" ({len(refused):,} files left out)" if refused else "")
    )


def _refuse_options(ctx: typer.Context, names: set[str], of: str) -> None:
    """Refuse options that were given but mean nothing here."""
    for name in sorted(names):
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            flag = name.rstrip("_").replace("_", "-")
            raise typer.BadParameter(f"--{flag} is for {of}: leave it out")
