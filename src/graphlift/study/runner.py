"""Trains what a plan lacks, several runs at once, and adds one line of JSON a finished run."""

import _thread
import contextlib
import json
import multiprocessing as mp
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import graphlift
from graphlift.errors import ConfigError, GraphliftError
from graphlift.files import alone
from graphlift.interrupts import deferred
from graphlift.samples import Selection, TrainingData
from graphlift.samples.data_sets import read_data
from graphlift.study.evaluation import evaluate_model
from graphlift.study.plan import Plan, PlannedRun, planned_runs
from graphlift.study.results import (
    RESULTS,
    Result,
    append_result,
    read_results,
    set_aside_cut_line,
)
from graphlift.training.own import check_labels, check_own, labels_now
from graphlift.training.progress import Progress
from graphlift.words import counted, plain

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

REPORT_SECONDS = 0.5
PATIENCE_SECONDS = 30.0
"""How long a worker may take to save its state and end."""

TELLING = (GraphliftError, OSError, ModuleNotFoundError)
"""Errors that say all a user needs to know; the trace of any other is shown."""


@dataclass(frozen=True)
class Noted:
    """Something that whoever starts the study should know."""

    text: str


@dataclass(frozen=True)
class Started:
    """A worker took a run up."""

    name: str


@dataclass(frozen=True)
class Moved:
    """A run is under way."""

    name: str
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """A run is finished and its line written."""

    name: str
    result: Result


@dataclass(frozen=True)
class _Failed:
    name: str
    error: Exception | None
    trace: str


Event = Noted | Started | Moved | Finished


def missing_runs(plan: Plan, folder: Path, *, data: str) -> tuple[list[PlannedRun], str | None]:
    """List the runs that have no line yet, and set a line aside that was cut short.

    Returns:
        The runs still to do, and what was cut off the end of the results, if anything.

    Raises:
        BlockingIOError: If another study runs in the folder.
        ConfigError: If a finished run was made with another configuration.
        FormatError: If a line of the results is damaged.
    """
    runs = planned_runs(plan, data=data)
    results = folder / RESULTS
    if not folder.exists():
        return list(runs), None
    with alone(folder, "study"):
        cut = set_aside_cut_line(results)
    finished = {r.name: r for r in read_results(results)} if results.exists() else {}
    for run in runs:
        if run.name in finished:
            _check_finished(run, finished[run.name], results)
    return [run for run in runs if run.name not in finished], cut


def other_results(plan: Plan, folder: Path, *, data: str) -> list[str]:
    """Say which finished runs a study has that are not of this plan, or of another version."""
    results = folder / RESULTS
    finished = read_results(results) if results.exists() else []
    planned = {run.name for run in planned_runs(plan, data=data)}
    notes = []
    if strange := [result.name for result in finished if result.name not in planned]:
        notes.append(
            f"{results}: {counted(len(strange), 'run is', 'runs are')} not in this plan "
            f"({_some(strange)}), and reported with its runs: if it was changed, delete their "
            "lines, or give it another folder (--out)"
        )
    others = [result for result in finished if result.version != graphlift.__version__]
    if others:
        versions = ", ".join(sorted({plain(result.version, 20) for result in others}))
        notes.append(
            f"{results}: {counted(len(others), 'run is', 'runs are')} of graphlift {versions}, "
            f"and this is {graphlift.__version__}, which may train otherwise: to have all of one "
            "version, give the plan another folder (--out), or delete their lines and folders in "
            "runs/"
        )
    return notes


def _some(names: Sequence[str]) -> str:
    return ", ".join(plain(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")


def _check_finished(run: PlannedRun, result: Result, results: Path) -> None:
    """Refuse to put results of other configurations or adaptations into one study."""
    where, folder = f"{results}: {run.name}", results.parent / "runs" / run.name
    check_own(
        *(where, run.config, json.loads(json.dumps(result.config)), {}),
        way_out="if the plan was changed, give it another folder (--out); or, to do this run "
        f"again, delete its line and {folder}",
    )
    if set(run.adaptations) != set(result.adaptations):
        before, now = (", ".join(each.adaptations) or "none" for each in (result, run))
        raise ConfigError(
            f"{where} is finished and was scored with adaptations: {before}; this plan asks for "
            f"{now}: give it another folder (--out)"
        )


def run_study(runs: list[PlannedRun], folder: Path, *, at_once: int) -> Generator[Event]:
    """Train and score runs in ``at_once`` processes; an interrupted run goes on where it was.

    Every run is checked against the data before the first is trained.

    Closing the iterator, or an interrupt, lets every worker save its state first.

    Args:
        runs: What is to be done, in order.
        folder: Of the study: ``results.jsonl``, and ``runs/NAME`` for each run.
        at_once: Processes.

    Raises:
        GraphliftError: If a run and the data do not fit each other, or finished runs had other
            data, before anything is trained; or what a worker met, and then the other runs are
            saved.
        BlockingIOError: If another study runs in the folder.
        ChildProcessError: If a worker was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, "study"):
        for note in check_runs(runs, folder / RESULTS):
            yield Noted(note)
        yield from _run_study(runs, folder, at_once)


def check_runs(runs: Sequence[PlannedRun], results: Path) -> Iterator[str]:
    """Refuse a study of which a run could not be trained or scored; say what scores will lack."""
    finished = read_results(results) if results.exists() else []
    sources = {run.config.data: run.config for run in runs}
    data = {source: read_data(source) for source in sources}
    tables = labels_now(run.config for run in runs)
    for source, config in sources.items():
        now = data[source]
        for each in finished:
            digests = {
                "trained on": (each.data_digest, now.digest),
                "scored on": (each.cross_digest, now.cross_digest),
            }
            check_own(f"{results}: {each.name}", config, None, digests)
            check_labels(f"{results}: {each.name}", each.config, each.labels_digest, tables)
    notes: dict[str, None] = {}
    for source, chosen in dict.fromkeys((run.config.data, _selection(run)) for run in runs):
        notes |= dict.fromkeys(data[source].check(chosen))
        data[source].describe(chosen)
    yield from notes


def _selection(run: PlannedRun) -> Selection:
    """Which samples a run sees, whatever its seed."""
    return replace(run.config.selection, adaptations=run.adaptations, seed=0)


def _run_study(runs: list[PlannedRun], folder: Path, at_once: int) -> Generator[Event]:
    context = mp.get_context("spawn")
    workers: list[BaseProcess] = []
    pipes: dict[Connection, BaseProcess] = {}
    try:
        with _undisturbed():
            taken, count = context.Value("i", 0), min(at_once, len(runs))
            for _ in range(count):
                ours, theirs = context.Pipe(duplex=False)
                worker = context.Process(target=_work, args=(runs, taken, theirs, folder, count))
                worker.start()
                theirs.close()  # the worker has the only one, and the pipe ends with it
                workers.append(worker)
                pipes[ours] = worker
        left = len(runs)
        while left:
            event = _next_event(pipes)
            if isinstance(event, _Failed):
                raise event.error or RuntimeError(f"{event.name}: {event.trace}")
            if isinstance(event, Finished):
                append_result(folder / RESULTS, event.result)
                left -= 1
            yield event
    finally:
        _stop(workers, pipes)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put an interrupt off until the block ends; processes started in it never receive Ctrl-C.

    The study receives it, and asks each worker once to end.
    """
    if threading.current_thread() is not threading.main_thread() or os.name != "posix":
        yield  # signals go to another thread; on Windows Ctrl-C reaches the workers in any case
        return
    with deferred() as interrupted:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        late = interrupted()
    if late:
        raise KeyboardInterrupt


def _next_event(pipes: dict[Connection, BaseProcess]) -> Event | _Failed:
    """Wait for an event of any worker; workers that have ended are taken out.

    Each has a pipe of its own. One that is killed in the midst of an event cuts that event short
    and no other, and holds no lock that others, or this process, would wait for.
    """
    while pipes:
        ready = wait([*pipes, *(worker.sentinel for worker in pipes.values())])
        pipe, worker = next(
            (pipe, worker)
            for pipe, worker in pipes.items()
            if pipe in ready or worker.sentinel in ready
        )
        event: Event | _Failed | None = None
        with contextlib.suppress(EOFError, OSError):  # the latter in the midst of an event
            # On Windows a worker that ends as it starts leaves its end of the pipe open, here.
            if pipe.poll():
                event = pipe.recv()
        if event is not None:
            return event
        del pipes[pipe]
        pipe.close()
        worker.join()
        if worker.exitcode:
            raise _lost(worker.exitcode)
    raise _lost(0)


def _lost(status: int) -> ChildProcessError:
    return ChildProcessError(
        f"a training process ended with status {status} (killed, or out of memory?): run the "
        "study again to go on where it was"
    )


def _stop(workers: Sequence[BaseProcess], pipes: dict[Connection, BaseProcess]) -> None:
    """Ask the workers to save and end; a worker that does not is killed after a while."""
    for worker in workers:
        worker.terminate()  # SIGTERM: the loop saves at the end of its step
    for pipe in pipes:
        pipe.close()  # a full one would keep its worker from ending
    patience = time.monotonic() + PATIENCE_SECONDS
    for worker in workers:
        worker.join(max(patience - time.monotonic(), 0))
        worker.kill()
        worker.join()


def _work(
    runs: Sequence[PlannedRun],
    taken: "Synchronized[int]",
    pipe: Connection,
    folder: Path,
    runs_at_once: int,
) -> None:
    """Take runs until there are no more: the life of a worker."""
    data: dict[str, TrainingData] = {}
    name = "before its first run"
    with _sender(pipe) as send:
        try:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            threading.Thread(target=_end_with_parent, daemon=True).start()
            while (at := _take(taken)) < len(runs):
                run, name = runs[at], runs[at].name
                send(Started(name))
                if run.config.data not in data:
                    data = {run.config.data: read_data(run.config.data)}
                train_and_score(run, data[run.config.data], folder, runs_at_once, send)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing is left to be saved
        except KeyboardInterrupt:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise SystemExit(130) from None
        except Exception as error:  # whatever it is, the parent tells the user
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            telling = error if isinstance(error, TELLING) else None
            send(_Failed(name, telling, traceback.format_exc()))


@contextlib.contextmanager
def _sender(pipe: Connection) -> Iterator[Callable[[Event | _Failed], None]]:
    """Send events from a thread of their own; the block ends when the last is sent.

    An interrupt is raised in the main thread alone, and so never cuts an event in two. A study
    that is held up, such as by a terminal that takes no more output, holds up no training.
    """
    events = SimpleQueue[Event | _Failed | None]()

    def send() -> None:
        while (event := events.get()) is not None:
            with contextlib.suppress(OSError):  # nobody listens: the study stops, or is gone
                pipe.send(event)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield events.put
    finally:
        events.put(None)
        thread.join()


def _take(taken: "Synchronized[int]") -> int:
    with taken.get_lock():
        taken.value += 1
        return taken.value - 1


def _end_with_parent() -> None:
    """Interrupt this worker once the study that started it is gone; then end it for good."""
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        _thread.interrupt_main(signal.SIGTERM)
        time.sleep(PATIENCE_SECONDS)
        os._exit(1)


def train_and_score(
    run: PlannedRun,
    data: TrainingData,
    folder: Path,
    runs_at_once: int,
    report: Callable[[Event], None],
) -> None:
    """Train, score and report; leaves the kept weights in ``runs/NAME``."""
    from graphlift.training.loop import train
    from graphlift.training.state import MODEL

    out, reported = folder / "runs" / run.name, 0.0
    for progress in train(run.config, data, out):  # none where the weights are left already
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            report(Moved(run.name, progress))
    result = evaluate_model(
        out / MODEL,
        data,
        name=run.name,
        runs_at_once=runs_at_once,
        adaptations=run.adaptations,
    )
    report(Finished(run.name, result))
