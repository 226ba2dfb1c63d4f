"""What all requests of a server share: models, processes, jobs, a folder."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphlift.errors import ConfigError
from graphlift.files import scratch
from graphlift.lifting import Lifter
from graphlift.model_files import SHIPPED
from graphlift.processors import processors
from graphlift.serve.batching import Dispatcher
from graphlift.serve.jobs import Jobs
from graphlift.serve.metrics import Metrics
from graphlift.serve.options import LiftOptions
from graphlift.serve.refusals import Refusal
from graphlift.serve.settings import Settings
from graphlift.serve.stream import Streams
from graphlift.serve.workers import Workers
from graphlift.words import plain


@dataclass(eq=False)
class Shared:
    """What all requests of a server share.

    Args:
        settings: Its limits.
        metrics: What it counts.
        dispatchers: By the names of models, the default first.
        paths: What each worker loads of each name.
        lifts: Processes for requests.
        jobs: What is lifted in the background.
        folder: Where requests have folders of their own.
        streams: That are open.
    """

    settings: Settings
    metrics: Metrics
    dispatchers: dict[str, Dispatcher]
    paths: dict[str, str]
    lifts: Workers
    jobs: Jobs
    folder: Path
    streams: Streams

    def model(self, name: str | None) -> str:
        """Find a model by its name; the default for None.

        Raises:
            Refusal: If it is none of this server's.
        """
        if name is None:
            return next(iter(self.dispatchers))
        if name not in self.dispatchers:
            raise Refusal(
                422, f"model: {plain(name)!r} is none of this server's: {', '.join(self.paths)}"
            )
        return name

    def private_folder(self) -> Path:
        """Make a folder for a request, which no other user can read."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def task(
        self, options: LiftOptions, upload: str, folder: Path, form: str, **more: object
    ) -> dict[str, Any]:
        """Describe for a worker what to do with a file."""
        return {
            "folder": str(folder),
            "file": upload,
            "suffix": f".{form}",
            "model": self.paths[self.model(options.model)],
            "threads": max(processors() // self.settings.workers, 1),
            "reading": options.reading,
            "options": options.model_dump(),
            "frames": self.settings.frames,
            "memory": self.settings.memory_bytes,
            "video": False,
            **more,
        }


def load_models(models: Sequence[str]) -> tuple[dict[str, Lifter], dict[str, str]]:
    """Load the models that may be chosen, by the names by which requests choose them.

    Returns:
        The models, and what to load again in other processes: shipped names or whole paths.

    Raises:
        ConfigError: If two have the same name.
        FileNotFoundError, FormatError: As :meth:`graphlift.lifting.Lifter.load`.
    """
    lifters: dict[str, Lifter] = {}
    paths: dict[str, str] = {}
    for model in models:
        name = model if model in SHIPPED else Path(model).stem
        if name in lifters:
            raise ConfigError(f"--model {plain(model)}: a second {plain(name)}: rename the file")
        lifters[name] = Lifter.load(model, threads=max(processors() // 2, 1))
        paths[name] = model if model in SHIPPED else str(Path(model).resolve())
    return lifters, paths


@contextlib.asynccontextmanager
async def sharing(
    settings: Settings,
    metrics: Metrics,
    loaded: tuple[Mapping[str, Lifter], dict[str, str]],
    streams: Streams,
) -> AsyncIterator[Shared]:
    """Make what requests share; end and remove it afterwards."""
    lifters, paths = loaded
    waits = metrics.queue.labels
    lifts = Workers(settings.workers, settings.waiting, "clips", waits("clips").set)
    videos = Workers(settings.jobs, settings.waiting, "jobs", waits("jobs").set)
    dispatchers = {name: Dispatcher(lifter, metrics) for name, lifter in lifters.items()}
    with scratch(Path(tempfile.gettempdir()), "serve") as folder:
        jobs = Jobs(settings, videos, metrics)
        shared = Shared(settings, metrics, dispatchers, paths, lifts, jobs, folder, streams)
        try:
            yield shared
        finally:
            await jobs.close()
            for workers in (lifts, videos):
                await workers.close()
            for dispatcher in dispatchers.values():
                dispatcher.close()
