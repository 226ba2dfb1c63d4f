"""Processes that lift clips and videos, and can be ended in the midst of it."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from graphlift.serve.refusals import Refusal, no_room, too_busy

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from graphlift.serve.worker import serve; serve()"
)
_LONGEST_LINE = 1 << 20
Progress = Callable[[int, int | None], None]


class Workers:
    """So many processes at most, started when they are needed, and a queue before them.

    Args:
        count: How many at once.
        waiting: How many tasks may wait beside those under way.
        what: What they do, for the error that it is too much.
        waits: Told how many tasks wait.
    """

    def __init__(
        self, count: int, waiting: int, what: str, waits: Callable[[float], None]
    ) -> None:
        self.count, self.waiting, self.what, self._waits = count, waiting, what, waits
        self._seats = asyncio.Semaphore(count)
        self._taken = 0
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()

    @property
    def places(self) -> int:
        """How many tasks may be under way or wait."""
        return self.count + self.waiting

    def check(self) -> None:
        """Refuse before an upload what would find no place after it.

        Raises:
            Refusal: If as many wait as may.
        """
        if self._taken >= self.places:
            raise too_busy(f"{self._taken} {self.what} are under way or wait, as many as may")

    def take(self) -> Callable[[], None]:
        """Take a place in the queue, once all has come; call what is returned to leave.

        Not before: then a few clients that send slowly would hold all of them.

        Raises:
            Refusal: If as many wait as may.
        """
        self.check()
        held = [True]

        def leave() -> None:
            self._count(-1 if held else 0)
            held.clear()

        self._count(1)
        return leave

    def _count(self, more: int) -> None:
        self._taken += more
        self._waits(max(self._taken - self.count, 0))

    async def do(
        self,
        task: Mapping[str, Any],
        progress: Progress = lambda *_: None,
        *,
        seconds: float | None = None,
    ) -> int:
        """Do a task in a process of its own; if this is cancelled, the process is ended.

        Args:
            task: For :mod:`graphlift.serve.worker`.
            progress: Called with how many frames are done, and how many there are if known.
            seconds: That it may take, once it is its turn.

        Returns:
            How many frames were lifted.

        Raises:
            Refusal: If the process refuses the file or an option, breaks down, or has no room.
            TimeoutError: If it takes longer.
        """
        async with self._seats:
            process = await self._living()
            healthy = False
            try:
                async with asyncio.timeout(seconds):
                    answer = await _ask(process, task, progress)
                healthy = bool(answer) and not answer.get("tired")
            finally:
                if healthy:
                    self._idle.append(process)
                else:
                    await self._end(process)
        if not answer:
            raise Refusal(
                422, "the process that read the file broke down, and so may the file: check it"
            )
        if "full" in answer:
            raise no_room()
        if "refused" in answer:
            raise Refusal(422, answer["refused"])
        if "broken" in answer:
            raise RuntimeError(answer["broken"])
        return int(answer["frames"])

    async def _living(self) -> asyncio.subprocess.Process:
        """Take a process that waits, unless the system has ended it meanwhile, or start one."""
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._all.discard(process)
        return await self._start()

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", _START, json.dumps(sys.path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            start_new_session=True,  # Ctrl-C is for the server, which answers first
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._all.add(process)
        return process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._all.discard(process)
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())

    async def close(self) -> None:
        """End all processes."""
        for process in list(self._all):
            await self._end(process)


async def _ask(
    process: asyncio.subprocess.Process, task: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Get the last answer of a process; nothing if it ended meanwhile."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(task).encode() + b"\n")
        await process.stdin.drain()
        while line := await process.stdout.readline():
            answer: dict[str, Any] = json.loads(line)
            if "done" not in answer:
                return answer
            progress(answer["done"], answer["of"])
    except (ConnectionError, ValueError):
        pass
    return {}
