"""The routes of the server: each reads a request, has the work done, and answers."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response, Security, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect

import graphlift
from graphlift.errors import GraphliftError
from graphlift.files import is_full
from graphlift.serve import documents, single
from graphlift.serve import stream as streams
from graphlift.serve.batching import Dispatcher
from graphlift.serve.guard import Guard
from graphlift.serve.metrics import MEDIA_TYPE, make_metrics
from graphlift.serve.options import (
    MEDIA,
    JobOptions,
    LiftOptions,
    ResultOptions,
    check_once,
    chosen_format,
    with_fields,
)
from graphlift.serve.page.routes import add_page
from graphlift.serve.refusals import OWN_FAULT, Refusal, no_room
from graphlift.serve.results import Result, keypoints_of, result_of
from graphlift.serve.settings import Settings
from graphlift.serve.shared import Shared, load_models, sharing
from graphlift.serve.uploads import receive
from graphlift.words import one_line, plain, said


def make_app(settings: Settings) -> Guard:
    """Make the application, its models loaded.

    Raises:
        ConfigError, FileNotFoundError, FormatError: As :func:`load_models`.
    """
    loaded, metrics, open_streams = load_models(settings.models), make_metrics(), streams.Streams()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with sharing(settings, metrics, loaded, open_streams) as shared:
            app.state.shared = shared
            yield

    app = FastAPI(
        title="graphlift",
        version=graphlift.__version__,
        description=documents.DESCRIPTION,
        openapi_url="/openapi.json",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.exception_handler(Refusal)(_refused)
    app.exception_handler(GraphliftError)(_refused)
    app.exception_handler(RequestValidationError)(_refused)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(OSError)(_without_room)
    app.exception_handler(Exception)(_broken)
    _add_routes(app, keyed=settings.key is not None)
    app.websocket("/stream")(_stream)
    if settings.entry is not None:
        add_page(app, settings.entry)
    return Guard(app, settings, metrics, open_streams)


def _shared(request: Request | WebSocket) -> Shared:
    shared: Shared = request.app.state.shared
    return shared


def _add_routes(app: FastAPI, *, keyed: bool) -> None:
    """Add what answers requests; where a key is asked for, by the guard, OpenAPI says so."""
    app.get("/health", **documents.HEALTH)(_health)
    key = Security(HTTPBearer(scheme_name="key", description=documents.KEY, auto_error=False))
    rest = APIRouter(dependencies=[key] if keyed else [])
    rest.get("/metrics", **documents.METRICS)(_metrics)
    rest.post("/lift", **documents.LIFT)(_lift)
    rest.post("/jobs", **documents.JOBS)(_start_job)
    rest.get("/jobs/{id}", **documents.JOB)(_job)
    rest.get("/jobs/{id}/result", **documents.RESULT)(_result)
    rest.get("/jobs/{id}/keypoints", **documents.KEYPOINTS)(_keypoints)
    rest.delete("/jobs/{id}", **documents.DELETE)(_delete_job)
    app.include_router(rest)


async def _health(request: Request) -> dict[str, Any]:
    """Say that the server answers, and with which models."""
    shared = _shared(request)
    return {"status": "ok", "version": graphlift.__version__, "models": list(shared.dispatchers)}


async def _metrics(request: Request) -> Response:
    """List what was counted, as Prometheus reads it."""
    return Response(_shared(request).metrics.text(), media_type=MEDIA_TYPE)


async def _lift(request: Request, options: Annotated[LiftOptions, Query()]) -> Response:
    """Lift a clip of keypoints, and answer with the motion."""
    shared = _shared(request)
    check_once(request.query_params, "query")
    short = single.may_be_short(options, request.headers)
    if not short:
        shared.lifts.check()
    leave, folder, kept = None, None, False
    try:
        folder = shared.private_folder()
        upload = await receive(request, folder)
        options = with_fields(options, upload.form, request.query_params)
        form = chosen_format(options, request.headers.get("accept", ""))
        model = shared.model(options.model)
        if form == "json" and short:
            text = await single.lift_single(
                folder, upload.file, options, shared.dispatchers[model]
            )
            if text is not None:
                shared.metrics.frames.labels("request").inc()
                return Response(text, media_type=MEDIA[form])
        leave = shared.lifts.take()
        task = shared.task(options, upload.file, folder, form)
        frames = await _while_connected(request, shared.lifts.do(task))
        shared.metrics.frames.labels("request").inc(frames)
        kept = True
        return Result(folder, form)
    finally:
        if leave is not None:
            leave()
        if folder is not None and not kept:
            shutil.rmtree(folder, ignore_errors=True)


async def _start_job(request: Request, options: Annotated[JobOptions, Query()]) -> Response:
    """Lift a video, or a long clip of keypoints, while nobody waits on the line."""
    shared = _shared(request)
    check_once(request.query_params, "query")
    shared.jobs.check()
    leave, folder = None, None
    try:
        folder = shared.private_folder()
        upload = await receive(request, folder, videos=True)
        options = with_fields(options, upload.form, request.query_params)
        if upload.video:
            _check_video()
        form = chosen_format(options, "")
        more = {"video": upload.video, "detector": options.detector}
        leave = shared.jobs.take()
        task = shared.task(options, upload.file, folder, form, **more)
        job = shared.jobs.start(folder, form, task, leave)
    except BaseException:
        if leave is not None:
            leave()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return JSONResponse(job.describe(), 202, {"Location": f"/jobs/{job.id}"})


async def _job(request: Request, id: str) -> dict[str, Any]:  # noqa: A002
    """Say how far a job is."""
    return _shared(request).jobs.find(id).describe()


async def _result(
    request: Request,
    id: str,  # noqa: A002
    options: Annotated[ResultOptions, Query()],
) -> Response:
    """Give what came out of a job."""
    shared = _shared(request)
    check_once(request.query_params, "query")
    return await result_of(shared, shared.jobs.find(id), options)


async def _keypoints(request: Request, id: str) -> Response:  # noqa: A002
    """Give the keypoints that a job's detector found."""
    return keypoints_of(_shared(request).jobs.find(id))


async def _delete_job(request: Request, id: str) -> Response:  # noqa: A002
    """End a job if it is not done, and forget it."""
    await _shared(request).jobs.delete(id)
    return Response(status_code=204)


async def _stream(socket: WebSocket) -> None:
    shared = _shared(socket)

    def choose(model: str | None) -> Dispatcher:
        return shared.dispatchers[shared.model(model)]

    live = streams.Live(socket, shared.settings, shared.metrics, choose)
    with shared.streams.joined(live):
        await socket.accept()
        try:
            await live.run()
        except streams.Ends as end:
            await streams.close(socket, end)
        except WebSocketDisconnect:
            pass
        except Exception:
            await streams.close(socket, streams.Ends(streams.OWN_ERROR, OWN_FAULT))
            raise


async def _while_connected(request: Request, work: Any) -> int:  # noqa: ANN401
    """Do some work, unless the client goes away meanwhile: then it is cancelled."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refusal(499, "the client has gone")
        return int(task.result())
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.wait((task, gone))


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_video() -> None:
    """Refuse videos where they cannot be decoded.

    Raises:
        Refusal: Saying what is missing.
    """
    try:
        import cv2  # noqa: F401
    except ModuleNotFoundError as error:
        raise Refusal(
            415, "this server takes no videos: who runs it has to pip install 'graphlift[video]'"
        ) from error


async def _refused(_: Request, error: Exception) -> Response:
    """Answer an error that is the client's."""
    match error:
        case Refusal():
            return JSONResponse({"error": error.message}, error.status, error.headers)
        case HTTPException():
            what = {404: "no such route: see /openapi.json", 405: "no such method here"}
            message = what.get(error.status_code, plain(error.detail, 200))
            return JSONResponse({"error": message}, error.status_code, error.headers)
        case RequestValidationError():
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            unknown = first["type"] == "extra_forbidden"
            why = "no such option: see /openapi.json" if unknown else plain(said(first), 300)
            return JSONResponse({"error": f"{plain(place)}: {why}"}, 422)
    return JSONResponse({"error": one_line(error)}, 422)


async def _without_room(request: Request, error: Exception) -> Response:
    """Answer what there is no room for; other errors of the system are the server's own."""
    if not (isinstance(error, OSError) and is_full(error)):
        raise error
    return await _refused(request, no_room())


async def _broken(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": OWN_FAULT}, 500)
