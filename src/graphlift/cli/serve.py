"""``graphlift serve``: keypoints in and motion out over HTTP and websockets."""

from pathlib import Path
from typing import Annotated

import typer

from graphlift.cli.options import MODELS, options_of

_first, _others = map(options_of, (None, "Others who may ask"))
_sizes, _times = map(options_of, ("Limits of size and number", "Limits of time"))


def serve(
    port: Annotated[int, _first("Port to listen on; 0 for any.", min=0, max=65535)] = 8321,
    model: Annotated[
        list[str] | None,
        _first(
            "May be chosen, the first is the default: open-base, open-small, or an .onnx of "
            "graphlift's. Repeatable.",
            words=MODELS,
            show_default="open-base, open-small",
        ),
    ] = None,
    workers: Annotated[int, _first("Processes that lift clips.", min=1, max=256)] = 1,
    jobs: Annotated[int, _first("Jobs (videos) at once.", min=1, max=64)] = 1,
    host: Annotated[
        str, _others("Address to listen on; others reach any but the loopback's.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        _others("Name or address under which clients ask, without port. Repeatable."),
    ] = None,
    key_file: Annotated[
        Path | None,
        _others("File with the API key; else the environment variable GRAPHLIFT_API_KEY."),
    ] = None,
    body_mb: Annotated[float, _sizes("MB of a request.", min=0.001, max=10_000)] = 32,
    video_mb: Annotated[float, _sizes("MB of a job.", min=0.001, max=100_000)] = 512,
    memory_mb: Annotated[
        float, _sizes("MB of memory for each clip or job (Linux).", min=300, max=1_000_000)
    ] = 2_000,
    frames: Annotated[int, _sizes("Frames of a clip or a video.", min=1)] = 20_000,
    people: Annotated[int, _sizes("People in a frame of a stream.", min=1, max=256)] = 20,
    connections: Annotated[int, _sizes("Requests and streams at once.", min=1, max=100_000)] = 128,
    waiting: Annotated[int, _sizes("Clips, or jobs, that wait.", min=0, max=10_000)] = 16,
    seconds: Annotated[float, _times("s of a request.", min=0.1)] = 60,
    job_seconds: Annotated[float, _times("s of a job.", min=1)] = 3_600,
    idle_seconds: Annotated[float, _times("s of silence in a stream.", min=1)] = 300,
    keep_seconds: Annotated[float, _times("s that a job's result is kept.", min=1)] = 600,
    grace_seconds: Annotated[
        float, _times("s for what was accepted, when the server is to end.", min=0)
    ] = 20,
) -> None:
    """Lift over HTTP: POST /lift, /jobs for videos, a websocket at /stream (docs/serve.md).

    graphlift serve

    curl -F file=@walk.json 'http://127.0.0.1:8321/lift?format=bvh' -o walk.bvh

    Only this machine is answered, unless --host says otherwise; then clients need an API key.
    SIGTERM and Ctrl-C end it once it has answered what it accepted.
    """
    from graphlift.serve.server import serve as run
    from graphlift.serve.settings import Settings, check_name, read_key

    defaults = Settings()
    settings = Settings(
        host=host,
        port=port,
        names=tuple(map(check_name, name or ())),
        key=read_key(key_file),
        models=tuple(model or defaults.models),
        body_bytes=round(body_mb * 1e6),
        video_bytes=round(video_mb * 1e6),
        memory_bytes=round(memory_mb * 1e6),
        frames=frames,
        people=people,
        connections=connections,
        waiting=waiting,
        seconds=seconds,
        job_seconds=job_seconds,
        idle_seconds=idle_seconds,
        keep_seconds=keep_seconds,
        workers=workers,
        jobs=jobs,
        grace_seconds=grace_seconds,
    )
    run(settings, lambda address: typer.echo(f"{address} (Ctrl-C ends it)"))
