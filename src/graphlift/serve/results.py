"""Motion files as answers."""

import shutil
from pathlib import Path

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from graphlift.serve.options import MEDIA
from graphlift.serve.worker import MOTION


class Result(FileResponse):
    """A motion file, read as it is sent.

    Args:
        folder: Where it lies.
        form: Its format.
        remove: Whether to remove the folder, however the answer ends.
    """

    def __init__(self, folder: Path, form: str, *, remove: bool = False) -> None:
        name = f"{MOTION}.{form}"
        super().__init__(folder / name, media_type=MEDIA[form], filename=name)
        self._folder = folder if remove else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
