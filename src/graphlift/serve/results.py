"""Motion files as answers."""

import os
import shutil
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from graphlift.serve.jobs import Job
from graphlift.serve.options import MEDIA, ResultOptions
from graphlift.serve.refusals import Refusal
from graphlift.serve.shared import Shared
from graphlift.serve.worker import DETECTED, MOTION


class _File(FileResponse):
    """A file, whole or in parts; what cannot be sent is refused as everything else is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            Refusal: If the header Range asks for what is not there.
        """
        if scope["method"] != "GET":  # Range is for GET alone: RFC 9110, section 14.2
            others = [each for each in scope["headers"] if each[0] != b"range"]
            scope = {**scope, "headers": others}

        async def checked(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                size = Headers(raw=message["headers"]).get("content-range")
                raise Refusal(
                    message["status"],
                    "Range: asks for no part of this file: ask for bytes that it has, or for all",
                    # Starlette before 1.0 leaves out the unit.
                    {} if size is None else {"Content-Range": f"bytes {size.split()[-1]}"},
                )
            await send(message)

        await super().__call__(scope, receive, checked)


class Result(_File):
    """A motion file, read as it is sent; its folder is removed, however the answer ends.

    Args:
        folder: Where it lies.
        form: Its format.
    """

    def __init__(self, folder: Path, form: str) -> None:
        name = f"{MOTION}.{form}"
        super().__init__(folder / name, media_type=MEDIA[form], filename=name)
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


class Kept(_File):
    """A file of a job, which stays until it is sent.

    Args:
        job: Whose it is.
        name: Of the file.
    """

    def __init__(self, job: Job, name: str) -> None:
        media = MEDIA[name.rpartition(".")[2]]
        super().__init__(job.folder / name, media_type=media, filename=name)
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, unless the job was deleted before this began."""
        with self._job.kept():
            await super().__call__(scope, receive, send)


def finished(job: Job) -> Job:
    """Give a job back that is done.

    Raises:
        Refusal: If it is not, or it failed.
    """
    if job.state == "failed":
        raise Refusal(409, f"the job failed: {job.error}")
    if job.state != "done":
        raise Refusal(409, "the job is not done: ask for its state first (GET /jobs/ID)")
    return job


async def result_of(shared: Shared, job: Job, options: ResultOptions) -> FileResponse:
    """Give what came out of a job, converted if that is wished.

    Raises:
        Refusal: If it is not done, or cannot be converted.
    """
    form = options.format or finished(job).format
    if (form, options.person) == (finished(job).format, None):
        return Kept(job, f"{MOTION}.{form}")
    if job.format != "npz":
        raise Refusal(
            409, f"this job wrote {job.format}: start it with format=npz to get others from it"
        )
    leave, folder, kept = shared.lifts.take(), None, False
    try:
        folder = shared.private_folder()
        _link(job.folder / f"{MOTION}.npz", folder / f"{MOTION}.npz")
        task = {
            "convert": f"{MOTION}.npz",
            "file": f"{MOTION}.npz",
            "person": options.person,
            "folder": str(folder),
            "suffix": f".{form}",
            "memory": shared.settings.memory_bytes,
        }
        await shared.lifts.do(task)
        kept = True
        return Result(folder, form)
    finally:
        leave()
        if folder is not None and not kept:
            shutil.rmtree(folder, ignore_errors=True)


def _link(path: Path, second: Path) -> None:
    """Give a file a second name, under which it stays though its job be deleted meanwhile."""
    try:
        os.link(path, second)
    except OSError:  # a file system without links
        shutil.copyfile(path, second)


def keypoints_of(job: Job) -> FileResponse:
    """Give the keypoints that a job's detector found.

    Raises:
        Refusal: If the job is not done, failed, or detected nothing because it got keypoints.
    """
    if not (finished(job).folder / DETECTED).exists():
        raise Refusal(409, "this job was given keypoints, and detected none: use yours")
    return Kept(job, DETECTED)
