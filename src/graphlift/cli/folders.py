"""Folders of clips: find the clips in them, and write one file for each."""

import glob
import os
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from graphlift.errors import ConfigError, FormatError, GraphliftError
from graphlift.files import in_place_of, shortened
from graphlift.words import one_line, plain

LONGEST = 4096
"""Letters of a path in a list."""


@dataclass(frozen=True)
class FolderResult:
    """Names of a folder's clips, by how the work on them ended.

    Args:
        done: Their file was written.
        skipped: Their file existed before.
        failed: With the reason of each.
    """

    done: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        parts = [f"{len(self.done)} done"]
        parts += [f"{len(self.skipped)} skipped (already there)"] if self.skipped else []
        names = ", ".join(name for name, _ in self.failed)
        parts += [f"{len(self.failed)} failed: {names}"] if self.failed else []
        return ", ".join(parts)


def holds_one_clip(folder: Path) -> bool:
    """Say whether the files of a folder are the frames of one clip.

    A damaged folder counts as one clip; the reader of frames then says what is wrong with it.
    """
    from graphlift.formats import frame_files

    try:
        return frame_files.holds_one_clip(folder)
    except GraphliftError:
        return True


def keypoint_clips(folder: Path) -> list[Path]:
    """List a folder's clips of keypoints by name: files, and folders of one file a frame."""
    from graphlift.formats.recognise import SUFFIXES

    return sorted(
        each
        for each in folder.iterdir()
        if not each.name.startswith(".")
        and (holds_one_clip(each) if each.is_dir() else each.suffix.lower() in SUFFIXES)
    )


def other_files(folder: Path, clips: Collection[Path], made: str) -> list[str]:
    """Name what else lies in a folder: nothing hidden, nothing of suffix ``made``.

    Of folders, those that hold clips of keypoints or videos themselves: these are not lifted.
    """
    from graphlift.formats.recognise import SUFFIXES
    from graphlift.video.frames import VIDEOS

    def has_clips(inner: Path) -> bool:
        try:
            suffixes = {each.suffix.lower() for each in inner.iterdir() if each.name[0] != "."}
        except OSError:
            return True  # it may not be read, so it may hold clips
        return not suffixes.isdisjoint({*SUFFIXES, *VIDEOS} - {made.lower()})

    others = [
        each
        for each in folder.iterdir()
        if each not in clips
        and not each.name.startswith(".")
        and each.suffix.lower() != made.lower()
    ]
    names = [each.name for each in others if each.is_file()]
    return sorted(
        [*names, *(f"{each.name}/" for each in others if each.is_dir() and has_clips(each))]
    )


def listed_clips(file: Path) -> Iterator[Path]:
    """Read paths of clips from a text file, one a line; relative ones begin where the file lies.

    Raises:
        FormatError: If a line is no path of a file or folder that is there, or leaves the folder
            of the list by ``..``; or the list is empty.
    """
    some = False
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            name = line.decode("utf-8", errors="replace").rstrip("\r\n")
            if not name:
                continue
            some = True
            path = file.parent / name
            if len(name) > LONGEST or "\0" in name or ".." in Path(name).parts:
                way_out = "give a path below the folder of the list, or an absolute one"
                raise FormatError(f"{file}, line {number}: {plain(name)}: {way_out}")
            if not path.exists():
                raise FormatError(
                    f"{file}, line {number}: there is nothing at {plain(str(path), 200)}"
                )
            yield path
    if not some:
        raise FormatError(f"{file}: names no clip: write the path of one on each line")


def outputs_of(
    clips: Iterable[Path], out: Path, suffix: str, top: Path | None = None
) -> Iterator[tuple[Path, Path]]:
    """Give each clip with the file that it becomes.

    Args:
        clips: Files or folders.
        out: Folder for the files.
        suffix: Of the files, such as ``.bvh``; their names are the clips'.
        top: Folder whose folders ``out`` is to have, too; clips elsewhere go into ``out`` itself.
    """
    for clip in clips:
        inner = clip.parent.relative_to(top) if top and clip.is_relative_to(top) else Path()
        yield clip, out / inner / f"{clip.name if clip.is_dir() else clip.stem}{suffix}"


def through_folder(
    clips: Sequence[Path],
    out: Path,
    suffix: str,
    work: Callable[[Path, Path], None],
    *,
    again: bool = False,
    top: Path | None = None,
) -> FolderResult:
    """Write one file for every clip, and go on after one that fails.

    Args:
        clips: Files or folders.
        out: Folder for the files.
        suffix: Of the files, such as ``.bvh``; their names are the clips'.
        work: Reads the first path and writes the second.
        again: Whether to write files that exist already.
        top: As in :func:`outputs_of`.

    Raises:
        ConfigError: If two clips would become the same file, or one would replace a clip.
    """
    outputs: dict[Path, Path] = {}
    read = {clip.resolve() for clip in clips}
    for clip, output in outputs_of(clips, out, suffix, top):
        if output in outputs:
            raise ConfigError(
                f"{outputs[output]} and {clip} would both become {output}: rename or move one"
            )
        if output.resolve() in read:
            raise ConfigError(f"{output}: is what is read: give another folder with -o")
        outputs[output] = clip
    done, skipped, failed = [], [], []
    for output, clip in outputs.items():
        if not again and not is_unfinished(output) and _made(output, outputs):
            skipped.append(clip.name)
            continue
        try:
            with unfinished(output, outputs):
                work(clip, output)
        except (GraphliftError, OSError) as error:
            typer.echo(f"graphlift: {clip.name} left out: {one_line(error)}", err=True)
            failed.append((clip.name, one_line(error)))
        else:
            done.append(clip.name)
    return FolderResult(tuple(done), tuple(skipped), tuple(failed))


@contextmanager
def unfinished(output: Path, outputs: Collection[Path] = ()) -> Iterator[None]:
    """Mark a clip until all of its files are there; if none is after an error, it is unmarked.

    Of a clip of several people each file is whole, but a kill may come between two of them.

    Args:
        output: The file that the clip becomes.
        outputs: Those of all clips, if they are known.
    """
    mark = _mark(output)
    with in_place_of(output):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    try:
        yield
    except (GraphliftError, OSError):
        if not _made(output, outputs):
            mark.unlink(missing_ok=True)
        raise
    mark.unlink(missing_ok=True)


def is_unfinished(output: Path) -> bool:
    """Say whether the work on a clip was begun and broken off."""
    return _mark(output).exists()


def _mark(output: Path) -> Path:
    """Name the empty file that stands beside a clip's files until all of them are there."""
    digest = zlib.crc32(os.fsencode(output.name))
    return output.with_name(f".{shortened(output.name)}-{digest:08x}.unfinished")


def _made(output: Path, outputs: Collection[Path]) -> bool:
    """Say whether a clip's file exists, or its files of several people: ``x.NAME.bvh``."""
    named = output.parent.glob(f"{glob.escape(output.stem)}.*{output.suffix}")
    return output.exists() or any(path not in outputs for path in named)
