"""Trains what a plan lacks, several runs at once, and adds one line of JSON a finished run."""

import contextlib
import json
import multiprocessing as mp
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from graphlift.detections import Detections
from graphlift.errors import CheckpointError, GraphliftError
from graphlift.protocols import StudyData, read_study_data
from graphlift.study.plan import Plan, PlannedRun, check_same, planned_runs
from graphlift.study.results import (
    RESULTS,
    Result,
    append_result,
    read_results,
    set_aside_cut_line,
)
from graphlift.training.config import TrainConfig, parse_table
from graphlift.training.loop import Progress

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

TELL_SECONDS = 0.5


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
    error: Exception
    trace: str


Event = Started | Moved | Finished


def missing_runs(plan: Plan, folder: Path, *, data: str) -> tuple[list[PlannedRun], str | None]:
    """List the runs that have no line yet, and set a line aside that was cut short.

    Returns:
        The runs still to do, and what was cut off the end of the results, if anything.

    Raises:
        ConfigError: If a finished run was made with another configuration.
        FormatError: If a line of the results is damaged.
    """
    runs = planned_runs(plan, data=data)
    results = folder / RESULTS
    cut = set_aside_cut_line(results)
    finished = {r.name: r.config for r in read_results(results)} if results.exists() else {}
    check_same(runs, {name: json.loads(json.dumps(config)) for name, config in finished.items()})
    return [run for run in runs if run.name not in finished], cut


def run_study(runs: list[PlannedRun], folder: Path, *, at_once: int) -> Iterator[Event]:
    """Train and score runs in ``at_once`` processes; an interrupted run goes on where it was.

    Closing the iterator, or an interrupt, lets every worker save its state first.

    Args:
        runs: What is to be done, in order.
        folder: Of the study: ``results.jsonl``, and ``runs/NAME`` for each run.
        at_once: Processes.

    Raises:
        GraphliftError: What a worker met; the other runs are saved.
        RuntimeError: If a worker died.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = mp.get_context("spawn")
    tasks, events = context.Queue(), context.Queue()
    for run in runs:
        tasks.put(run)
    count = min(at_once, len(runs))
    workers = [
        context.Process(target=_work, args=(tasks, events, folder, count)) for _ in range(count)
    ]
    for worker in workers:
        tasks.put(None)
        worker.start()
    try:
        left = len(runs)
        while left:
            event = _next_event(events, workers)
            if isinstance(event, _Failed):
                raise _translated(event)
            if isinstance(event, Finished):
                append_result(folder / RESULTS, event.result)
                left -= 1
            yield event
    finally:
        _stop(workers, tasks, events)


def _next_event(
    events: "Queue[Event | _Failed]", workers: Sequence[BaseProcess]
) -> Event | _Failed:
    while True:
        with contextlib.suppress(Empty):
            return events.get(timeout=1)
        if dead := [w for w in workers if w.exitcode not in (None, 0)]:
            with contextlib.suppress(Empty):
                return events.get(timeout=1)
            raise RuntimeError(
                f"a training process ended with status {dead[0].exitcode} (killed, or out of "
                "memory?): run the study again to go on where it was"
            )


def _translated(failed: _Failed) -> Exception:
    if isinstance(failed.error, (GraphliftError, OSError)):
        return failed.error
    return RuntimeError(f"{failed.name}: {failed.trace}")


def _stop(
    workers: Sequence[BaseProcess], tasks: "Queue[PlannedRun | None]", events: "Queue[Event]"
) -> None:
    """Ask the workers to save and end; a worker that does not is killed after a while."""
    for worker in workers:
        if worker.is_alive():
            worker.terminate()  # SIGTERM: the loop saves at the end of its step
    patience = time.monotonic() + 30
    while any(worker.is_alive() for worker in workers) and time.monotonic() < patience:
        with contextlib.suppress(Empty):  # a full pipe would keep a worker from ending
            events.get(timeout=0.1)
    for worker in workers:
        if worker.is_alive():
            worker.kill()
        worker.join()
    for queue in (tasks, events):
        queue.cancel_join_thread()
        queue.close()


def _work(
    tasks: "Queue[PlannedRun | None]",
    events: "Queue[Event | _Failed]",
    folder: Path,
    runs_at_once: int,
) -> None:
    """Take runs from the queue until there are no more: the life of a worker."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    data: dict[str, StudyData] = {}
    name = "before its first run"
    try:
        while (run := tasks.get()) is not None:
            name = run.name
            events.put(Started(name))
            if run.config.data not in data:
                data = {run.config.data: read_study_data(run.config.data)}
            _run_one(run, data[run.config.data], folder, runs_at_once, events.put)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing is left to be saved
    except KeyboardInterrupt:
        events.cancel_join_thread()
    except Exception as error:  # whatever it is, the parent tells the user
        events.put(_Failed(name, error, traceback.format_exc()))


def _run_one(
    run: PlannedRun,
    data: StudyData,
    folder: Path,
    runs_at_once: int,
    tell: Callable[[Event], None],
) -> None:
    """Train, score and tell; leaves the kept weights in ``runs/NAME``."""
    from graphlift.training.loop import MODEL, train

    out, told = folder / "runs" / run.name, 0.0
    if not (out / MODEL).exists():
        for progress in train(run.config, data, out):
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                tell(Moved(run.name, progress))
                _check_parent()
    result = evaluate_model(out / MODEL, data, name=run.name, runs_at_once=runs_at_once)
    tell(Finished(run.name, result))


def evaluate_model(
    model: Path,
    data: StudyData,
    *,
    name: str,
    detections: Detections | None = None,
    runs_at_once: int = 1,
) -> Result:
    """Score trained weights on the test subjects and on the other data set.

    Args:
        model: ``model.safetensors`` of a run.
        data: With the test subjects.
        name: What to call the result.
        detections: What the network is to see; what it was trained on when left out.
        runs_at_once: How many runs shared the machine while it was trained.

    Raises:
        CheckpointError: If the file is damaged or holds another network than it says.
    """
    import torch

    from graphlift.nn.build import build_network
    from graphlift.study.scoring import score_run
    from graphlift.training.checkpoints import load_weights, read_checkpoint
    from graphlift.training.evaluation import predict

    tensors, story = read_checkpoint(model)
    if lacking := {"config", "curve", "best_step", "seconds"} - set(story):
        raise CheckpointError(
            f"{model}: lacks {', '.join(sorted(lacking))}: it was not left by a finished run"
        )
    config = parse_table(TrainConfig, story["config"], str(model))
    torch.set_num_threads(config.threads)
    network = build_network(**asdict(config.model))
    load_weights(network, tensors, model)
    return score_run(
        name,
        replace(config, detections=detections or config.detections),
        data,
        lambda examples: predict(network, examples),
        curve=story["curve"],
        best_step=story["best_step"],
        seconds=story["seconds"],
        runs_at_once=runs_at_once,
    )


def _check_parent() -> None:
    """Interrupt oneself if the study that started this worker is gone."""
    parent = mp.parent_process()
    if parent is not None and not parent.is_alive():
        os.kill(os.getpid(), signal.SIGTERM)
