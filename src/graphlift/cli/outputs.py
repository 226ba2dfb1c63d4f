"""What verbs write of poses: refused before the work if it cannot be written, then written."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from graphlift.errors import ConfigError
from graphlift.files import check_not_read

if TYPE_CHECKING:
    from graphlift.sequences import Poses

PAGE = ".html"
"""The one suffix that :mod:`graphlift.view` writes, not :mod:`graphlift.formats`."""

_NEEDS = {".parquet": "pyarrow", PAGE: "viser"}


def check_outputs(source: str, outputs: Sequence[Path], keep: Path | None = None) -> None:
    """Refuse what could not be written, or would replace what is read.

    Args:
        source: What is read.
        outputs: Of motion.
        keep: Where the keypoints go, too.

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
        check_not_read(path, Path(source))
        check_place(path)


def check_place(path: Path) -> None:
    """Refuse what lies in a folder that cannot be written to.

    Raises:
        ConfigError: Naming both.
    """
    folder = next(each for each in path.absolute().parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{path}: {folder} is no folder that can be written to: give another place"
        )


def check_suffix(suffix: str, path: Path) -> None:
    """Refuse a suffix that nothing writes; a folder that exists needs none.

    Raises:
        ConfigError: With the suffixes that can be written.
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


def take_parts(outputs: Sequence[Path]) -> bool:
    """Say whether all files can be written part by part."""
    from graphlift.formats.write import PART_WRITERS

    return all(path.suffix.lower() in PART_WRITERS and not path.is_dir() for path in outputs)


def write_outputs_in_parts(
    outputs: Sequence[Path], parts: Iterable["Poses"]
) -> tuple[int, "Poses", list[str]]:
    """Write a clip to files, part by part.

    Returns:
        The number of frames, the last part, whose notes are those of the clip, and the remarks
        of :func:`write_outputs`.
    """
    from graphlift.formats import write_parts

    frames, last = 0, None
    remarks: dict[str, list[str]] = {}
    with ExitStack() as files:
        writers = [(path, files.enter_context(write_parts(path))) for path in outputs]
        for last in parts:
            frames += len(last)
            remarks = {}
            for path, write in writers:
                for remark in write(last):
                    remarks.setdefault(remark, []).append(path.name)
    assert last is not None  # a clip without frames has one part
    return frames, last, _named(remarks, last)


def write_outputs(outputs: Sequence[Path], poses: "Poses") -> list[str]:
    """Write poses to files; return each remark once, with the names of the files it is about."""
    from graphlift.formats import write_poses

    names: dict[str, list[str]] = {}
    for path in outputs:
        if path.suffix.lower() == PAGE:
            from graphlift.view.page import write_page

            remarks = write_page(path, poses, name=path.stem)
        else:
            remarks = write_poses(path, poses)
        for remark in remarks:
            names.setdefault(remark, []).append(path.name)
    return _named(names, poses)


def _named(names: Mapping[str, Sequence[str]], poses: "Poses") -> list[str]:
    return [
        f"{', '.join(n)}: {remark}" for remark, n in names.items() if remark not in poses.notes
    ]
