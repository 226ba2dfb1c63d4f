"""Runs of a study as tasks of a Ray cluster, on as many machines as it has.

All machines have graphlift in the same version, and see the study's folder and the data at the
same paths: a run that was on a machine which is gone goes on elsewhere from its checkpoint there.
"""

import time
from collections.abc import Generator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import graphlift
from graphlift.cluster import connected
from graphlift.errors import ModelError
from graphlift.files import alone
from graphlift.samples import TrainingData
from graphlift.samples.data_sets import read_data
from graphlift.study.plan import PlannedRun
from graphlift.study.results import RESULTS, Result, append_result
from graphlift.study.runner import (
    PATIENCE_SECONDS,
    TELLING,
    Event,
    Finished,
    Noted,
    Started,
    check_runs,
    train_and_score,
)

RETRIES = 20
"""How often a run is taken up again after its machine, or its process, was lost."""

LOCK_SECONDS = 60.0
"""How long a run waits for a process that still trains in its folder: one whose machine the
cluster has given up may last a little longer."""


def run_study_on_cluster(
    runs: Sequence[PlannedRun], folder: Path, *, address: str
) -> Generator[Event]:
    """Train and score runs on a cluster, as :func:`graphlift.study.runner.run_study` does here.

    Each run takes as many processors as it has threads and, on ``cuda``, one accelerator. Closing
    the iterator, or an interrupt, lets every run save its state first. Results are written by this
    process alone, and their scores are those of one machine.

    Args:
        runs: What is to be done, in order.
        folder: Of the study, where all machines see it.
        address: Of the cluster (:func:`graphlift.cluster.connected`).

    Raises:
        GraphliftError: As ``run_study``; or if there is no cluster, or a machine has another
            version of graphlift.
        BlockingIOError: If another study runs in the folder.
        ChildProcessError: If a run was lost more often than it is taken up again.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, "study"):
        for note in check_runs(runs, folder / RESULTS):
            yield Noted(note)
        if runs:
            with connected(address) as ray:
                yield from _run(ray, runs, folder)


def _run(ray: Any, runs: Sequence[PlannedRun], folder: Path) -> Generator[Event]:  # noqa: ANN401
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for note in dict.fromkeys(_lacking(run, nodes) for run in runs):
        if note:
            yield Noted(note)
    most = max(int(sum(node.get("CPU", 0) for node in nodes)), 1)
    tasks = {}
    for run in runs:
        task = ray.remote(_work).options(max_retries=RETRIES, name=run.name, **_resources(run))
        at_once = min(len(runs), max(most // run.config.threads, 1))
        here = graphlift.__version__
        tasks[task.remote(run, _anywhere(run.config.data), folder, at_once, here)] = run
    try:
        while tasks:
            done, _ = ray.wait(list(tasks), timeout=1.0)
            for task in done:
                run = tasks.pop(task)
                result = _result(ray, task, run.name)
                append_result(folder / RESULTS, result)
                yield Started(run.name)
                yield Finished(run.name, result)
    finally:
        for task in tasks:
            ray.cancel(task)  # as Ctrl-C: the loop saves at the end of its step
        if tasks:
            ray.wait(list(tasks), num_returns=len(tasks), timeout=PATIENCE_SECONDS)


def _resources(run: PlannedRun) -> dict[str, int]:
    """What a run takes of a machine."""
    gpus = {"num_gpus": 1} if run.config.device == "cuda" else {}
    return {"num_cpus": run.config.threads, **gpus}


def _lacking(run: PlannedRun, nodes: Sequence[dict[str, float]]) -> str:
    """Say what no machine has now; one that is added later may."""
    needed = _resources(run)
    names = {"num_cpus": "CPU", "num_gpus": "GPU"}
    if any(all(node.get(names[k], 0) >= n for k, n in needed.items()) for node in nodes):
        return ""
    asked = " and ".join(f"{n} {names[key]}" for key, n in needed.items())
    return f"no machine of the cluster has {asked}: runs wait until one joins"


def _anywhere(source: str) -> str:
    """Name data so that processes with another working folder find them."""
    return str(Path(source).absolute()) if Path(source).exists() else source


def _result(ray: Any, task: object, name: str) -> Result:  # noqa: ANN401
    """What a run has scored.

    Raises:
        GraphliftError, OSError, ModuleNotFoundError: What the run met.
        RuntimeError: Any other error of it, with its trace.
        ChildProcessError: If it was lost too often.
    """
    try:
        result: Result = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, TELLING):
            raise error.cause from None
        raise RuntimeError(f"{name}: {error}") from error
    except ray.exceptions.RayError as error:
        raise ChildProcessError(
            f"{name} was lost {RETRIES} times with the process or machine that trained it "
            "(killed, or out of memory?): run the study again to go on where it was"
        ) from error
    return result


def _work(run: PlannedRun, source: str, folder: Path, at_once: int, version: str) -> Result:
    """Train and score one run, on whichever machine."""
    if version != graphlift.__version__:
        raise ModelError(
            f"the study was started by graphlift {version}, and a machine of the cluster has "
            f"{graphlift.__version__}: install the same everywhere"
        )
    patience = time.monotonic() + LOCK_SECONDS
    while True:
        events: list[Event] = []
        try:
            train_and_score(run, _data(source), folder, at_once, events.append)
        except BlockingIOError:
            if time.monotonic() > patience:
                raise
            time.sleep(1)
            continue
        return next(event.result for event in events if isinstance(event, Finished))


@lru_cache(maxsize=1)
def _data(source: str) -> TrainingData:
    """Read data once in a process, which does one run after another."""
    return read_data(source)
