"""Clips by the million on a Ray cluster: each becomes one file, whichever machine is lost.

Clips and outputs stand in a file, a line each, and tasks get places in it: what the command holds
in memory is 16 bytes a clip. An output is renamed to its name once it is whole, so a clip whose
task is done again becomes the same file.
"""

import contextlib
import json
import logging
import shutil
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from os import getpid
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

import graphlift
from graphlift.cli.folders import is_unfinished, unfinished
from graphlift.cluster import connected
from graphlift.errors import ConfigError, GraphliftError, ModelError
from graphlift.files import alone, check_not_read, naming
from graphlift.words import counted, listed, one_line

if TYPE_CHECKING:
    from graphlift.cli.lift import Request

CLIPS = ".clips.jsonl"
"""Name of the file of clips and outputs, in the folder of outputs."""
MOST_CLIPS, MOST_TASKS = 32, 20_000
"""Clips a task, and tasks: more clips each only where there would be more tasks."""
BEGUN = ".begun"
"""Name of the folder, in that of outputs, of which clip each task under way has begun."""
TRIES, RETRIES = 3, 20
"""How often a clip, and a task, is begun although its process or machine is lost each time. A
task has more, so that clips that end their process do not keep others from being lifted."""


@dataclass
class Counts:
    """How the work on clips ended.

    Args:
        done: Their file was written.
        skipped: Their file was there.
        failed: With the reason of each of the first.
        failures: How many those are in all.
    """

    done: int = 0
    skipped: int = 0
    failures: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"{self.done:,} done"]
        parts += [f"{self.skipped:,} skipped (already there)"] if self.skipped else []
        names = listed(name for name, _ in self.failed)
        parts += [f"{self.failures:,} failed: {names}"] if self.failures else []
        return ", ".join(parts)


def through_cluster(
    clips: Iterable[tuple[Path, Path]],
    out: Path,
    request: "Request",
    *,
    address: str,
    again: bool = False,
) -> Counts:
    """Lift every clip on a cluster, one file each, and go on after one that fails.

    Args:
        clips: With the output of each; they are taken one by one.
        out: Folder that outputs are in or below, where all machines see it.
        request: What to do with each.
        address: Of the cluster (:func:`graphlift.cluster.connected`).
        again: Whether to write files that exist already.

    Raises:
        BlockingIOError: If another such command works on the folder.
        ChildProcessError: If clips were lost more often than they are taken up again.
        ConfigError: If two clips would become one file, or there is no cluster.
        ModelError: If a machine has another version of graphlift.
    """
    out.mkdir(parents=True, exist_ok=True)
    with alone(out, "lift --ray"), connected(address) as ray:
        file, begun = out.absolute() / CLIPS, out.absolute() / BEGUN
        shutil.rmtree(begun, ignore_errors=True)  # of a command that was killed
        try:
            processors = int(ray.cluster_resources().get("CPU", 1))
            places, total = write_clips(clips, file, processors)
            work = partial(
                lift_some, file=file, request=request, again=again, version=graphlift.__version__
            )
            counts = _count(_rows(ray, work, places, begun), total)
        finally:
            file.unlink(missing_ok=True)
            shutil.rmtree(begun, ignore_errors=True)
    return counts


def write_clips(
    clips: Iterable[tuple[Path, Path]], file: Path, processors: int
) -> tuple[np.ndarray, int]:
    """Write clips and outputs, a line each, and choose where tasks begin.

    Returns:
        (task, 2): where in the file the lines of a task begin and end, in bytes; and how many
        clips there are.

    Raises:
        ConfigError: If two clips would become one file.
    """
    begins, names = array("q"), array("Q")
    with naming(file), file.open("wb") as lines:
        for clip, output in clips:
            line = json.dumps([str(clip.absolute()), str(output.absolute())])
            names.append(int.from_bytes(blake2b(str(output).encode(), digest_size=8).digest()))
            begins.append(lines.tell())
            lines.write(f"{line}\n".encode())
        ends = lines.tell()
    total = len(begins)
    _check_names(file, np.frombuffer(names, dtype=np.uint64), total)
    each = min(MOST_CLIPS, -(-total // (4 * processors)))
    each = max(each, -(-total // MOST_TASKS), 1)
    first = np.frombuffer(begins, dtype=np.int64)[::each]
    return np.column_stack([first, [*first[1:], ends][: len(first)]]), total


def _check_names(file: Path, names: np.ndarray, total: int) -> None:
    found, count = np.unique(names, return_counts=True)
    if len(found) == total:
        return
    twice = set(found[count > 1].tolist())
    seen: dict[str, str] = {}
    with file.open("rb") as lines:
        for number, line in enumerate(lines):
            if int(names[number]) not in twice:
                continue
            clip, output = json.loads(line)
            if output in seen:
                raise ConfigError(
                    f"{seen[output]} and {clip} would both become {output}: rename or move one"
                )
            seen[output] = clip


def _rows(
    ray: Any,  # noqa: ANN401
    work: Any,  # noqa: ANN401
    places: np.ndarray,
    begun: Path,
) -> Iterator[dict[str, Any]]:
    """What became of each clip, as tasks end.

    Raises:
        ChildProcessError: If a task was lost too often.
        ModelError: If a machine has another version of graphlift.
    """
    import ray.data as data

    if not len(places):
        return
    data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    tasks = data.range(len(places), override_num_blocks=len(places)).map_batches(
        work, batch_size=None, fn_kwargs={"places": places}, num_cpus=1, max_retries=RETRIES
    )
    try:
        yield from tasks.iter_rows()
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, GraphliftError | OSError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        clips = sorted({_read_begun(file)[0] for file in begun.glob("*")} - {""})
        raise ChildProcessError(
            f"the process or machine that lifted clips was lost {RETRIES} times (killed, or out "
            f"of memory?); begun and not ended: {listed(clips) or 'none'}: run the same command "
            "again to go on, or leave these out: move them, or take their lines from the list"
        ) from error


def _count(rows: Iterator[dict[str, Any]], total: int) -> Counts:
    """Count how clips ended, and say of each that failed why.

    Raises:
        ChildProcessError: If not every clip came back.
    """
    counts = Counts()
    for row in rows:
        if row["how"] == "failed":
            counts.failures += 1
            typer.echo(f"graphlift: {row['clip']} left out: {row['why']}", err=True)
            if len(counts.failed) < 10:
                counts.failed.append((row["clip"], row["why"]))
        elif row["how"] == "skipped":
            counts.skipped += 1
        else:
            counts.done += 1
    if counts.done + counts.skipped + counts.failures != total:
        raise ChildProcessError(
            f"{counts}, of {counted(total, 'clip')}: run the same command again to go on"
        )
    return counts


def lift_some(
    batch: Mapping[str, Any],
    places: np.ndarray,
    *,
    file: Path,
    request: "Request",
    again: bool,
    version: str,
) -> dict[str, list[str]]:
    """Lift the clips of some tasks, on whichever machine.

    Args:
        batch: The numbers of the tasks, under ``id``.
        places: As of :func:`write_clips`.
        file: Of clips and outputs.
        request: What to do with each.
        again: Whether to write files that exist already.
        version: Of graphlift, where the command was given.

    Returns:
        Clips, how the work on each ended, and why where it failed.

    Raises:
        ModelError: If this machine has another version.
    """
    if version != graphlift.__version__:
        raise ModelError(
            f"the command was given to graphlift {version}, and a machine of the cluster has "
            f"{graphlift.__version__}: install the same everywhere"
        )
    rows: dict[str, list[str]] = {"clip": [], "how": [], "why": []}
    for task in batch["id"].tolist():
        begin, end = places[task].tolist()
        with file.open("rb") as lines:
            lines.seek(begin)
            chosen = lines.read(end - begin).splitlines()
        begun = file.with_name(BEGUN) / str(task)
        begun.parent.mkdir(exist_ok=True)
        for line in chosen:
            clip, output = map(Path, json.loads(line))
            how, why = _lift_to(clip, output, request, begun, again=again)
            for name, value in (("clip", clip.name), ("how", how), ("why", why)):
                rows[name].append(value)
        begun.unlink(missing_ok=True)
    return rows


def _read_begun(file: Path) -> tuple[str, int]:
    """Read which clip a task has begun, and how often; none if the machine was lost meanwhile."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        said = json.loads(file.read_text(encoding="utf-8"))
        return said["clip"], said["times"]
    return "", 0


def _lift_to(
    clip: Path, output: Path, request: "Request", begun: Path, *, again: bool
) -> tuple[str, str]:
    """Lift a clip unless its files are there, or it has ended its process too often.

    Where a format has a file for each person, an empty hidden file says that all are there.
    """
    from graphlift.cli.lift import lift_one

    several = output.with_name(f".{output.name}.several")
    there = output.exists() or several.exists()
    if there and not again and not is_unfinished(output):
        return "skipped", ""
    last, times = _read_begun(begun)
    times = times if last == str(clip) else 0
    if times >= TRIES:
        return "failed", (
            f"the process or machine that lifted it was lost {times} times (out of memory?): "
            "split it into shorter clips, or leave it out"
        )
    try:
        check_not_read(output, clip)
        said = {"clip": str(clip), "times": times + 1, "host": gethostname(), "process": getpid()}
        begun.write_text(json.dumps(said), encoding="utf-8")
        with unfinished(output):
            lift_one(str(clip), [output], request)
            if not output.exists():
                several.touch()
    except (GraphliftError, OSError) as error:
        return "failed", one_line(error)
    return "done", ""
