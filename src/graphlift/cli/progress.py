"""Progress on stderr, drawn only on a terminal: one bar a run."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from graphlift.study.runner import Event
    from graphlift.training.progress import Progress


T = TypeVar("T")


def with_bar(files: Iterable[T], total: int | None = None) -> Iterable[T]:
    """Show how many of some files are read."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(files, "reading", total, console=console, disable=not console.is_terminal)


def _bars(*, hidden: bool = False) -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=hidden or not sys.stderr.isatty(),
    )


def _note(progress: "Progress") -> str:
    return (
        f"loss {progress.loss:.4f}  validation {progress.validation_mpjpe_mm:.1f} mm  "
        f"{progress.poses_per_second:,.0f} poses/s"
    )


@contextmanager
def training_bar(*, hidden: bool = False) -> Iterator[Callable[[str, "Progress"], None]]:
    """Show one run, unless another process shows it."""
    with _bars(hidden=hidden) as bars:
        task = bars.add_task("", total=None, note="")

        def show(name: str, progress: "Progress") -> None:
            bars.update(
                task,
                description=name,
                completed=progress.step,
                total=progress.steps,
                note=_note(progress),
            )

        yield show


@contextmanager
def study_bars(runs: int) -> Iterator[Callable[["Event"], None]]:
    """Show a study: how many runs are done, and those under way."""
    from graphlift.study.runner import Finished, Moved, Noted, Started

    with _bars() as bars:
        overall = bars.add_task("study", total=runs, note="")
        tasks: dict[str, int] = {}

        def show(event: "Event") -> None:
            match event:
                case Noted(text):
                    typer.echo(f"graphlift: {text}", err=True)
                case Started(name):
                    tasks[name] = bars.add_task(name, total=None, note="")
                case Moved(name, progress):
                    bars.update(
                        tasks[name],  # type: ignore[arg-type]  # rich's TaskID is an int
                        completed=progress.step,
                        total=progress.steps,
                        note=_note(progress),
                    )
                case Finished(name, result):
                    bars.remove_task(tasks.pop(name))  # type: ignore[arg-type]
                    bars.update(overall, advance=1, note=f"{name}: {result.mpjpe_mm:.1f} mm")

        yield show


@contextmanager
def frames_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show how many frames of a video are done."""
    with _bars() as bars:
        task = bars.add_task(name, total=None, note="frames")

        def show(done: int, of: int | None) -> None:
            bars.update(task, completed=done, total=of)

        yield show


@contextmanager
def bench_bar(*, every: float = 60.0) -> Iterator[Callable[[float, float, str], None]]:
    """Show what a benchmark measures, and how much of it is done, in seconds as expected.

    A long one is described by the minutes that it is expected to take in all.

    Args:
        every: s between lines that say the same where there is no terminal, such as in a file.
    """
    said = time.monotonic()
    with _bars() as bars:
        task = bars.add_task("", total=None, note="")

        def show(done: float, of: float, what: str) -> None:
            nonlocal said
            if bars.disable and what and time.monotonic() - said >= every:
                said = time.monotonic()
                minutes = f"{done / 60:.0f} of about {of / 60:.0f} min"
                typer.echo(f"graphlift: {minutes} are measured; next: {what}", err=True)
            bars.update(
                task,
                description=f"about {of / 60:.0f} min" if of >= 90 else "",
                completed=round(done),
                total=round(of) or None,
                note=f"s  {what}",
            )

        yield show
