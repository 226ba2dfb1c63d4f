"""What ``graphlift lift`` can refuse before an hour of video is worked through."""

import os
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

import typer

from graphlift.errors import ConfigError

PAGE = ".html"
"""The one suffix that :mod:`graphlift.view` writes, not :mod:`graphlift.formats`."""

Kind = Literal["keypoints", "video", "videos", "clips"]
"""Of what comes in: a clip, a video (or folder of images), a folder of videos, one of clips."""

_NEEDS = {".parquet": "pyarrow", PAGE: "viser"}
_FLAGS = {"suffix": "--format"}
_AFTER = ("height", "gaps", "smooth", "bones", "trajectory", "feet")
_ELSEWHERE = {
    "keypoints": {
        "detector": "is for videos, and keypoints are detected already",
        **dict.fromkeys(("suffix", "again"), "is for a folder of clips"),
    },
    "video": {
        **dict.fromkeys(
            ("image_size", "skeleton", "clip"), "is for keypoints; a video says its own"
        ),
        **dict.fromkeys(("suffix", "again"), "is for a folder of clips"),
    },
    "videos": {
        **dict.fromkeys(
            ("image_size", "skeleton", "clip"), "is for keypoints; a video says its own"
        ),
        "keypoints": "is for one video, and this is a folder of them",
    },
    "clips": {
        "detector": "is for videos, and keypoints are detected already",
        "keypoints": "is for one video, and this is a folder of keypoints",
        "clip": "is for one file that holds several",
    },
}
"""Options that do nothing for a kind of input, and why."""


def check_flags(context: typer.Context, kind: Kind) -> None:
    """Refuse options that would do nothing, beside others or for this kind of input.

    Raises:
        ConfigError: Naming the options.
    """
    said = [
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    for name in said:
        if why := _ELSEWHERE[kind].get(name):
            raise ConfigError(f"{_flag(name)} {why}: leave it out")
    _check_pair(said, "raw", _AFTER)
    _check_pair(said, "camera", ("field_of_view",))


def _check_pair(said: Collection[str], one: str, others: Sequence[str]) -> None:
    for other in others:
        if one in said and other in said:
            raise ConfigError(
                f"{_flag(other)} does nothing beside {_flag(one)}: leave one of them out"
            )


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def check_outputs(source: str, outputs: Sequence[Path], keep: Path | None = None) -> None:
    """Refuse what could not be written, or would replace what is read.

    Args:
        source: What is read.
        outputs: Of motion.
        keep: Of keypoints.

    Raises:
        ConfigError: Naming the output.
        ModuleNotFoundError: If a suffix needs an extra that is not installed.
    """
    for path in outputs:
        check_suffix(path.suffix, path)
        if path.is_dir() and (path.suffix.lower() == PAGE or any(path.iterdir())):
            raise ConfigError(
                f"{path}: is a folder, and not an empty one for OpenPose JSON: give another name"
            )
    if keep is not None and keep.suffix != ".npz":
        raise ConfigError(f"--keypoints {keep}: keypoints are written as .npz: give that ending")
    paths = [*outputs, *([keep] if keep is not None else [])]
    for number, path in enumerate(paths):
        if path.absolute() in [each.absolute() for each in paths[:number]]:
            raise ConfigError(f"{path}: would be written twice: give two names")
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise ConfigError(f"{path}: is what is read: give what is written another name")
        _check_folder(path)


def check_suffix(suffix: str, path: Path) -> None:
    """Refuse a suffix that nothing writes here; a folder that exists needs none.

    Raises:
        ConfigError: With those that something writes.
        ModuleNotFoundError: If it needs an extra that is not installed.
    """
    from graphlift.formats.write import WRITERS

    known = (*WRITERS, PAGE)
    if suffix.lower() not in known and not path.is_dir():
        raise ConfigError(
            f"{path}: {suffix or 'no suffix'} is no kind of motion file: give one of "
            f"{', '.join(known)}"
        )
    if needed := _NEEDS.get(suffix.lower()):
        import_module(needed)


def _check_folder(path: Path) -> None:
    folder = next(each for each in path.absolute().parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{path}: {folder} is no folder that can be written to: give another place"
        )
