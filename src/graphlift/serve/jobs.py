"""Jobs: videos and long clips, lifted while nobody waits on the line, and kept for a while."""

import asyncio
import contextlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from graphlift.serve.metrics import Metrics
from graphlift.serve.refusals import OWN_FAULT, Refusal, too_busy
from graphlift.serve.settings import Settings
from graphlift.serve.workers import Workers

State = Literal["waiting", "running", "done", "failed"]
_KEPT = 4
"""As many finished jobs are kept, for each that may be under way or wait."""


@dataclass(eq=False)
class Job:
    """One of them.

    Args:
        id: By which its owner, who alone was told, asks for it.
        folder: Where what came and what comes out lies.
        format: Of what comes out.
        state: How far it is.
        frames: How many are done.
        of: How many there are, if known.
        error: Why it failed.
        ends: By :func:`time.monotonic`, when it will be forgotten.
        work: What lifts it.
        readers: How many read in its folder.
        forgotten: Whether nobody can ask for it any more.
    """

    id: str
    folder: Path
    format: str
    state: State = "waiting"
    frames: int = 0
    of: int | None = None
    error: str | None = None
    ends: float | None = None
    work: "asyncio.Task[None] | None" = None
    readers: int = 0
    forgotten: bool = False

    @contextlib.contextmanager
    def kept(self) -> Iterator[Path]:
        """Keep the folder meanwhile, though the job be deleted.

        Raises:
            Refusal: If it was deleted since it was found.
        """
        if self.forgotten:
            raise _not_found()
        self.readers += 1
        try:
            yield self.folder
        finally:
            self.readers -= 1
            self._remove()

    def forget(self) -> None:
        """Remove the folder, once nobody reads in it."""
        self.forgotten = True
        self._remove()

    def _remove(self) -> None:
        if self.forgotten and not self.readers:
            shutil.rmtree(self.folder, ignore_errors=True)

    def describe(self) -> dict[str, Any]:
        """Say how far it is, as JSON."""
        left = None if self.ends is None else max(round(self.ends - time.monotonic()), 0)
        return {
            "id": self.id,
            "state": self.state,
            "frames": self.frames,
            "of": self.of,
            "error": self.error,
            "forgotten_in": left,
        }


class Jobs:
    """All jobs of a server.

    Args:
        settings: How many, how long, and for how long they are kept.
        workers: Processes of their own, so that clips do not wait for videos.
        metrics: Where frames are counted.
    """

    def __init__(self, settings: Settings, workers: Workers, metrics: Metrics) -> None:
        self.settings, self.workers = settings, workers
        self._lifted = metrics.frames.labels("job")
        self._jobs: dict[str, Job] = {}

    def check(self) -> None:
        """Refuse before an upload what would find no place after it.

        Raises:
            Refusal: If there is none.
        """
        most = _KEPT * self.workers.places
        if len(self._jobs) >= most:
            raise too_busy(
                f"{most} jobs are kept, as many as may: get yours, and delete them (DELETE "
                "/jobs/ID)"
            )
        self.workers.check()

    def take(self) -> Callable[[], None]:
        """Take a place for one more, once all has come; call what is returned to leave.

        Raises:
            Refusal: If there is none.
        """
        self.check()
        return self.workers.take()

    def start(
        self, folder: Path, form: str, task: Mapping[str, Any], leave: Callable[[], None]
    ) -> Job:
        """Let a job wait until it is its turn.

        Args:
            folder: Its own, which is removed with it.
            form: Format of what comes out.
            task: For :mod:`graphlift.serve.worker`.
            leave: Of :meth:`take`; called when it has ended.
        """
        job = Job(secrets.token_urlsafe(24), folder, form)
        self._jobs[job.id] = job
        job.work = asyncio.create_task(self._run(job, task))
        job.work.add_done_callback(lambda _: leave())
        return job

    async def _run(self, job: Job, task: Mapping[str, Any]) -> None:
        def progress(done: int, of: int | None) -> None:
            job.state, job.frames, job.of = "running", done, of

        limit = self.settings.job_seconds
        try:
            job.frames = job.of = await self.workers.do(task, progress, seconds=limit)
            job.state = "done"
            self._lifted.inc(job.frames)
        except Refusal as refusal:
            job.state, job.error = "failed", refusal.message
        except TimeoutError:
            job.state, job.error = "failed", f"not done within {limit:g} s: cut the video"
        except Exception:
            job.state, job.error = "failed", OWN_FAULT
            logging.getLogger(__name__).exception("job failed")
        (job.folder / task["file"]).unlink(missing_ok=True)
        keep = self.settings.keep_seconds
        job.ends = time.monotonic() + keep
        asyncio.get_running_loop().call_later(keep, self._forget, job.id)

    def find(self, id: str) -> Job:  # noqa: A002  # as clients call it
        """Find a job.

        Raises:
            Refusal: If there is none of this id, or no more.
        """
        if id not in self._jobs:
            raise _not_found()
        return self._jobs[id]

    async def delete(self, id: str) -> None:  # noqa: A002
        """End a job if it is not done, and forget it."""
        job = self.find(id)
        if job.work is not None:
            job.work.cancel()
            await asyncio.wait([job.work])
        self._forget(id)

    def _forget(self, id: str) -> None:  # noqa: A002
        job = self._jobs.pop(id, None)
        if job is not None:
            job.forget()

    async def close(self) -> None:
        """End and forget all of them."""
        while self._jobs:  # one may be forgotten while another ends
            await self.delete(next(iter(self._jobs)))


def _not_found() -> Refusal:
    return Refusal(404, "no such job: its id is another, or it was deleted or forgotten")
