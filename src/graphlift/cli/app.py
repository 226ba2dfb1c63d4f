"""``graphlift app``: the server with a page, in the browser of this machine."""

import webbrowser
from typing import Annotated

import typer

from graphlift.cli.options import MODELS, options_of

_option = options_of(None)
_HOURS = 3_600


def app(
    browser: Annotated[
        bool, _option("Open the page in a browser.", "--browser/--no-browser")
    ] = True,
    port: Annotated[int, _option("Port to listen on; 0 for any.", min=0, max=65535)] = 0,
    model: Annotated[
        list[str] | None,
        _option(
            "May be chosen, the first is the default: open-base, open-small, or an .onnx of "
            "graphlift's. Repeatable.",
            words=MODELS,
            show_default="open-base, open-small",
        ),
    ] = None,
) -> None:
    """Drop a video or keypoints on a page, look at the motion, download it (docs/app.md).

    graphlift app

    The page needs the extra serve, videos and the webcam also the extra video and a detector:

    pip install 'graphlift[serve,video]' && graphlift model get blazepose

    Everything stays on this machine, and nobody else can open the page. Each address that is
    printed opens it once; then the next one is printed. Ctrl-C ends it.
    """
    from graphlift.serve.page.entry import Entry
    from graphlift.serve.server import serve as run
    from graphlift.serve.settings import Settings
    from graphlift.view.scene import has_desktop

    served: list[str] = []
    entry = Entry(lambda path: typer.echo(f"to open it once more: {served[0]}{path}"))
    settings = Settings(
        port=port,
        key=entry.key,
        entry=entry,
        models=tuple(model or Settings.models),
        # One person's own machine, own films and own time.
        video_bytes=16_000_000_000,
        frames=400_000,
        seconds=_HOURS,
        job_seconds=24 * _HOURS,
        keep_seconds=24 * _HOURS,
        grace_seconds=1,
    )

    def announce(address: str) -> None:
        served.append(address)
        typer.echo(f"{address}{entry.address} (Ctrl-C ends it)")
        if browser and has_desktop():
            webbrowser.open(f"{address}{entry.address}")

    run(settings, announce)
