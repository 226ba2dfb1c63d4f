"""What ``graphlift lift`` was given: keypoints, a video, a folder of either, or something else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import typer

from graphlift.cli.folders import holds_one_clip, keypoint_clips
from graphlift.cli.options import SAMPLE
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.numerals import is_whole

InputKind = Literal["keypoints", "video", "videos", "clips", "list"]
"""A clip of keypoints, a video (or folder of images), a folder of videos, one of clips, a list."""

LIST = ".txt"
"""Suffix of a list of clips."""

_MOTION = ("height", "refine", "gaps", "smooth", "bones", "trajectory", "feet")
_IDLE_BESIDE = {**dict.fromkeys(_MOTION, "raw"), "field_of_view": "camera"}
"""Options that do nothing beside another one."""

_IDLE_FOR: Mapping[str, tuple[tuple[InputKind, ...], str]] = {
    "detector": (("keypoints", "clips"), "is for videos, and keypoints are detected already"),
    "image_size": (("video", "videos"), "is for keypoints; a video has its own"),
    "skeleton": (("video", "videos"), "is for keypoints; a detector has its own"),
    "clip": (
        ("video", "videos", "clips", "list"),
        "is for one file of keypoints that holds several",
    ),
    "keypoints": (("videos", "clips", "list"), "is for one video, and these are several clips"),
    "format": (("keypoints", "video"), "is for a folder of clips"),
    "again": (("keypoints", "video"), "is for a folder of clips"),
    "ray": (("keypoints", "video"), "is for a folder of clips, or a list"),
}
"""Options that do nothing for some kinds of input: which kinds, and why."""

_NOT_LIFTED: Mapping[str, str] = {
    **dict.fromkeys((".html", ".htm"), "a page: open it in a browser"),
    **dict.fromkeys((".toml", ".yaml", ".yml"), "no keypoints: give a calibration to --camera"),
    **dict.fromkeys(
        (".onnx", ".safetensors", ".pth", ".pt"), "a model: give it to --model or --detector"
    ),
    **dict.fromkeys(
        (".fbx", ".gltf", ".usd", ".usda", ".usdc", ".usdz", ".blend", ".dae"),
        "a scene or motion in 3D of a kind that is not read: export .bvh or .glb",
    ),
    **dict.fromkeys(
        (".asf", ".amc"), "motion capture: prepare it with graphlift data prepare mocap"
    ),
}
"""What files are that are neither keypoints nor videos, by suffix, and where they belong."""


def check_options(context: typer.Context, kind: InputKind) -> None:
    """Refuse options that would do nothing, beside others or for this kind of input.

    Raises:
        ConfigError: Naming the options.
    """
    given = {
        parameter.name: parameter.opts[0]
        for parameter in context.command.params
        if getattr(context.get_parameter_source(parameter.name or ""), "name", "") == "COMMANDLINE"
    }
    for name, flag in given.items():
        kinds, why = _IDLE_FOR.get(name.removesuffix("_"), ((), ""))
        if kind in kinds:
            raise ConfigError(f"{flag} {why}: leave it out")
        if (other := given.get(_IDLE_BESIDE.get(name, ""))) is not None:
            raise ConfigError(f"{flag} does nothing beside {other}: leave one of them out")


def find_sample(source: str) -> str:
    """Replace the word ``sample`` by the path of the example that comes with graphlift.

    A file or folder of that name in the working folder comes first, and a line on stderr says so.
    """
    from graphlift.formats.example import example_keypoints_path

    if source != SAMPLE:
        return source
    example = str(example_keypoints_path())
    if not Path(source).exists():
        return example
    typer.echo(f"graphlift: {SAMPLE}: reads the one here, not {example}", err=True)
    return source


def kind_of(source: str) -> InputKind:
    """Tell what a source is by its suffix or, for a folder, by what lies in it.

    Raises:
        DatasetNotFoundError: If there is nothing at that path.
        FormatError: If it is a file of another kind; the message says which verb takes it.
    """
    from graphlift.formats.recognise import READ
    from graphlift.video.frames import IMAGES, VIDEOS

    path = Path(source)
    if not source or not path.exists():
        if is_whole(source):
            return "video"  # a webcam
        raise DatasetNotFoundError(
            f"nothing at {source or repr(source)}: give keypoints ({', '.join(READ)}, or a "
            "folder of one file a frame), a video, a folder of images, of videos or of keypoints, "
            f"a webcam's number, or {SAMPLE} for the example of graphlift"
        )
    if not path.is_dir():
        return _kind_of_file(path)
    found = {each.suffix.lower() for each in path.iterdir()}
    if found & set(VIDEOS):
        return "videos"
    if found & set(IMAGES):
        return "video"
    return "clips" if not holds_one_clip(path) and keypoint_clips(path) else "keypoints"


def _kind_of_file(path: Path) -> InputKind:
    from graphlift.formats.motion_files import ALWAYS_POSES, holds_poses
    from graphlift.formats.recognise import PICKLES, SUFFIXES
    from graphlift.video.frames import IMAGES, VIDEOS

    suffix = path.suffix.lower()
    if suffix in ALWAYS_POSES or (suffix in SUFFIXES and holds_poses(path)):
        kind = ALWAYS_POSES.get(suffix, suffix)
        raise FormatError(
            f"{path}: holds motion in 3D ({kind}), which is lifted already: look at it with "
            "graphlift view, turn it into another kind of file with graphlift convert"
        )
    if suffix in _NOT_LIFTED:
        raise FormatError(f"{path}: is {_NOT_LIFTED[suffix]}")
    if suffix in (*SUFFIXES, *PICKLES):
        return "keypoints"
    if suffix == LIST:
        return "list"
    if suffix not in (*VIDEOS, *IMAGES):
        _check_video(path)
    return "video"


def _check_video(path: Path) -> None:
    """Let a file of any name pass that is a video.

    Raises:
        FormatError: If it is none; it may as well be meant as keypoints.
    """
    from graphlift.formats.recognise import READ

    try:
        from graphlift.video.frames import open_video

        open_video(path)
    except (FormatError, ModuleNotFoundError) as error:
        missing = isinstance(error, ModuleNotFoundError)
        tried = "videos need pip install 'graphlift[video]'" if missing else "nor a video"
        raise FormatError(
            f"{path}: {path.suffix[:20] or 'a name without suffix'} is no kind of keypoints that "
            f"is known ({', '.join(READ)}), {tried}: give one of those, or a video"
        ) from error
