"""``graphlift lift``: keypoints or a video in, upright 3D motion out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from graphlift.cli.options import (
    DETECTORS,
    MODELS,
    MOTION_FILES,
    SAMPLE,
    SKELETONS,
    OnRay,
    complete,
    options_of,
)
from graphlift.cli.outputs import (
    PAGE,
    check_outputs,
    check_place,
    check_suffix,
    take_parts,
    write_outputs,
    write_outputs_in_parts,
)
from graphlift.cli.sources import InputKind, check_options, find_sample, kind_of
from graphlift.errors import ConfigError
from graphlift.words import counted, listed, one_line

if TYPE_CHECKING:
    from graphlift.cameras import Camera
    from graphlift.cli.cluster import Counts
    from graphlift.cli.folders import FolderResult
    from graphlift.lifting import Lifter
    from graphlift.sequences import Keypoints, Poses
    from graphlift.steps import Steps
    from graphlift.video import Video

_first, _people, _motion = map(options_of, (None, "People", "Motion"))
_keypoints, _videos = map(options_of, ("Files of keypoints", "Videos"))
_folders = options_of("Folders of clips")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to do with every clip.

    Args:
        model: Of the lifter.
        detector: Of videos.
        reading: For :func:`graphlift.formats.read_keypoints`.
        steps: What to do with keypoints.
        keep: Where to write the keypoints.
        threads: Of the lifter; 0 for as many as there are processors.
    """

    model: str
    detector: str
    reading: Mapping[str, Any]
    steps: "Steps"
    keep: Path | None
    threads: int = 0


def lift(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            help="Keypoints (docs/formats.md), a video, a folder of images, of videos or of "
            "keypoint clips, a list of clips (.txt, one path a line), a webcam's number, or the "
            f"word {SAMPLE}.",
            autocompletion=complete(SAMPLE, empty=False),
        ),
    ],
    out: Annotated[
        list[Path],
        _first(
            f"File to write; its suffix chooses the kind: {' '.join(MOTION_FILES)} .html, "
            "or .openpose for a folder. Repeatable. For a folder of clips: a folder.",
            *("--out", "-o"),
            metavar="PATH",
        ),
    ],
    model: Annotated[
        str, _first("open-base, open-small, or an .onnx of graphlift's.", words=MODELS)
    ] = "open-base",
    fps: Annotated[float | None, _first("Frames per second, if the file does not say.")] = None,
    image_size: Annotated[
        str | None, _first("WIDTHxHEIGHT, px, if the file does not say, such as 1920x1080.")
    ] = None,
    camera: Annotated[
        str | None,
        _first(
            "Calibration, as FILE or FILE:NAME: .toml (Pose2Sim, Anipose), .qca.txt (Qualisys), "
            ".yaml (OpenCV, ROS; the lens only)."
        ),
    ] = None,
    field_of_view: Annotated[
        float | None,
        _first("Degrees along the image's longer side, without --camera.", show_default="55"),
    ] = None,
    height: Annotated[
        float | None,
        _first("Of the person, m, such as 1.80 for 180 cm: sets the scale of everything."),
    ] = None,
    people: Annotated[
        int | None,
        _people(
            "Keep so many: those seen longest and largest.",
            min=1,
            show_default="video: 1; keypoints: all",
        ),
    ] = None,
    person: Annotated[
        str | None,
        _people(
            "Keep one: largest, first, longest, centre, or an id that was printed.",
            words=("largest", "first", "longest", "centre"),
        ),
    ] = None,
    sides: Annotated[
        bool, _people("Put left and right back where a detector confused them.")
    ] = True,
    raw: Annotated[
        bool, _motion("The network's own output: camera axes, root at the origin.", "--raw")
    ] = False,
    flip: Annotated[
        bool, _motion("Lift the mirror image too: a bit better, half as fast.", "--flip")
    ] = False,
    hypotheses: Annotated[
        bool,
        _motion(
            "Keep all poses that the model holds possible (.npz, .json, .html).", "--hypotheses"
        ),
    ] = False,
    refine: Annotated[
        bool, _motion("Make poses agree with the keypoints and with one body.")
    ] = True,
    gaps: Annotated[float, _motion("Longest gap to fill, s.", min=0)] = 0.5,
    smooth: Annotated[
        Literal["savgol", "one-euro", "none"], _motion("How to smooth over time.")
    ] = "savgol",
    bones: Annotated[bool, _motion("Keep bone lengths over the clip.")] = True,
    trajectory: Annotated[bool, _motion("Move through space, or stay in place.")] = True,
    feet: Annotated[bool, _motion("Hold standing feet still.")] = True,
    skeleton: Annotated[
        str | None,
        _keypoints("Order of the joints, if the file does not say: coco-17, ...", words=SKELETONS),
    ] = None,
    clip: Annotated[str | None, _keypoints("Which clip of a file with several.")] = None,
    detector: Annotated[
        str,
        _videos("blazepose, -lite, -heavy, movenet, or an RTMPose .onnx.", words=DETECTORS),
    ] = "blazepose",
    keypoints: Annotated[
        Path | None, _videos("Keep the detector's keypoints, too (.npz).")
    ] = None,
    format_: Annotated[
        str,
        _folders("Suffix of each file to write.", "--format", words=(*MOTION_FILES, ".html")),
    ] = ".bvh",
    again: Annotated[bool, _folders("Lift clips whose file exists, too.", "--again")] = False,
    ray: OnRay = None,
) -> None:
    """Lift keypoints or a video to 3D: metres, z up, a person on a floor.

    graphlift lift sample -o sample.bvh

    graphlift lift clip.mp4 -o clip.bvh

    graphlift lift openpose_json/ --image-size 1920x1080 --fps 30 -o walk.npz -o walk.html

    graphlift lift videos/ -o motion/ --format .glb

    graphlift lift clips.txt -o motion/ --ray 10.0.0.1:6379

    Prints what was read, assumed and written. Frames out = frames in; joints that were not
    seen are filled in by the network, frames without people stay empty.
    """
    from graphlift.motion.bones import check_stature
    from graphlift.steps import size_in, steps_from

    if height is not None:  # before any work
        check_stature(height, f"--height {height:g}")
    source = find_sample(source)
    kind = kind_of(source)
    check_options(context, kind)
    request = Request(
        model=model,
        detector=detector,
        reading={
            "image_size": size_in(image_size),
            "fps": fps,
            "skeleton": skeleton,
            "clip": clip,
            "people": people,
            "person": person,
        },
        steps=steps_from(
            {
                "field_of_view": field_of_view,
                "flip": flip,
                "hypotheses": hypotheses,
                "sides": sides,
                "raw": raw,
                "height": height,
                "refine": refine,
                "gaps": gaps,
                "smooth": smooth,
                "bones": bones,
                "trajectory": trajectory,
                "feet": feet,
            },
            _camera(camera),
        ),
        keep=keypoints,
    )
    if kind not in ("videos", "clips", "list"):
        check_outputs(source, out, keypoints)
        lift_one(source, out, request)
        return
    _lift_all(Path(source), kind, out, format_, request, again=again, ray=ray)


def _lift_all(
    source: Path,
    kind: InputKind,
    out: list[Path],
    suffix: str,
    request: Request,
    *,
    again: bool,
    ray: str | None,
) -> None:
    """Lift every video, or every clip of keypoints, of a folder, or of a list.

    Exit status 1 if one failed.
    """
    from graphlift.cli.folders import listed_clips, outputs_of, through_folder
    from graphlift.lifting import Lifter

    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    check_suffix(suffix, Path(f"--format {suffix}"))
    what = "list" if kind == "list" else "folder"
    if len(out) > 1 or (out[0].exists() and not out[0].is_dir()):
        raise ConfigError(f"{source}: a {what} of clips: give one folder with -o")
    if out[0].suffix.lower() in (*MOTION_FILES, PAGE) and not out[0].exists():
        raise ConfigError(
            f"{out[0]}: reads like a file, but {source} is a {what} of clips, which become a file "
            f"each: give a folder with -o, and --format {out[0].suffix.lower()}"
        )
    check_place(out[0] / "clip")
    Lifter.load(request.model)  # a wrong name is one error, not one for each clip
    clips = listed_clips(source) if kind == "list" else _clips_in(source, kind, suffix)
    top = source.parent if kind == "list" else None
    passed: FolderResult | Counts
    if ray is not None:
        from graphlift.cli.cluster import through_cluster

        pairs = outputs_of(clips, out[0], suffix, top)
        each = replace(request, threads=1)
        passed = through_cluster(pairs, out[0], each, address=ray, again=again)
    else:
        passed = through_folder(
            list(clips),
            out[0],
            suffix,
            lambda clip, output: lift_one(str(clip), [output], request),
            again=again,
            top=top,
        )
    typer.echo(f"{source}: {passed}")
    for name, why in passed.failed:
        typer.echo(f"graphlift: failed: {name}: {why}", err=True)
    if passed.failed:
        raise typer.Exit(1)


def _clips_in(folder: Path, kind: InputKind, suffix: str) -> list[Path]:
    """List the clips in a folder, and say what else is there."""
    from graphlift.cli.folders import keypoint_clips, other_files
    from graphlift.video.frames import videos_in

    clips = videos_in(folder) if kind == "videos" else keypoint_clips(folder)
    if others := other_files(folder, clips, suffix):
        typer.echo(f"graphlift: {folder}: not {kind}, left alone: {listed(others)}", err=True)
    return clips


@lru_cache(maxsize=1)
def _kept_lifter(model: str, threads: int) -> "Lifter":
    """Load a model once for all clips that a process of a cluster lifts."""
    from graphlift.lifting import Lifter

    return Lifter.load(model, threads=threads)


def lift_one(source: str, outputs: list[Path], request: Request) -> None:
    """Read or detect keypoints, lift them, move the poses to the world, and write them."""
    from graphlift.lifting import Lifter
    from graphlift.steps import motion_of, raw_parts

    load = partial(_kept_lifter, threads=request.threads) if request.threads else Lifter.load
    video = None if kind_of(source) == "keypoints" else _opened(source, request)
    lifter = [load(request.model)]  # first, so that a wrong name is an error at once

    def read() -> "Keypoints":
        return _keypoints_of(source, video, request)

    if request.steps.motion is None and take_parts(outputs):
        parts = raw_parts(read, lifter.pop(), request.steps)
        frames, poses, remarks = write_outputs_in_parts(outputs, parts)
    else:
        poses = motion_of(read, lifter.pop, request.steps)
        frames, remarks = len(poses), write_outputs(outputs, poses)
    for note in (*poses.notes, *remarks):
        typer.echo(f"graphlift: {one_line(note)}", err=True)
    assert poses.keypoints is not None
    origin = one_line(poses.keypoints.source)
    typer.echo(f"{origin}: {_summary(poses, frames)} -> {' '.join(map(str, outputs))}")


def _keypoints_of(source: str, video: "Video | None", request: Request) -> "Keypoints":
    """Read or detect keypoints, and keep them if that was asked for."""
    from graphlift.formats import read_keypoints, write_keypoints

    if video is None:
        keypoints = read_keypoints(source, **request.reading)
    else:
        keypoints = _detected(video, request)
        for note in video.notes:
            typer.echo(f"graphlift: {one_line(f'{video.name}: {note}')}.", err=True)
    if request.keep is not None:
        write_keypoints(request.keep, keypoints)
    return keypoints


def _opened(source: str, request: Request) -> "Video":
    """Open a video, and check that a given camera is of its size."""
    from graphlift.cameras import check_same_image
    from graphlift.video import open_video

    video = open_video(source, fps=request.reading["fps"])
    if camera := request.steps.lifting["camera"]:
        check_same_image(camera, video.size, video.name)
    return video


def _detected(video: "Video", request: Request) -> "Keypoints":
    from graphlift.cli.progress import frames_bar
    from graphlift.video import detect_people

    people = request.reading["people"]
    with frames_bar(Path(video.name).name) as show:
        return detect_people(
            video,
            detector=request.detector,
            people=1 if people is None else people,
            person=request.reading["person"],
            progress=show,
        )


def _summary(poses: "Poses", frames: int) -> str:
    """Count frames and people; name the frame rate and the model."""
    from graphlift.sequences import frame_rate

    fps, assumed = frame_rate(poses)
    rate = f"{fps:.4g} fps{' (assumed)' if assumed else ''}"
    who = counted(len(poses.people), "person", "people")
    return f"{counted(frames, 'frame')} at {rate}, {who}, {poses.model}"


def _camera(text: str | None) -> "Camera | None":
    if text is None:
        return None
    from graphlift.formats.calibration import SUFFIXES, read_camera

    # A Windows drive is a colon, too: the name is what follows the suffix.
    for suffix in SUFFIXES:
        path, found, name = text.partition(f"{suffix}:")
        if found:
            return read_camera(Path(f"{path}{suffix}"), name)
    return read_camera(Path(text))
