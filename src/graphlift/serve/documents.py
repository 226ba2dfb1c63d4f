"""What OpenAPI says of each route."""

from typing import Any

from pydantic import BaseModel, Field

from graphlift.serve.forms import FILE
from graphlift.serve.options import MEDIA

DESCRIPTION = """2D human keypoints or a video in, 3D motion out.

Every error is `{"error": "..."}`: what is wrong, where, and what to do. A live stream is a
websocket at `/stream`, which OpenAPI has no words for: docs/serve.md describes its messages.
"""


class Problem(BaseModel):
    """Why a request is refused."""

    error: str


class Health(BaseModel):
    """That the server answers."""

    status: str
    version: str
    models: list[str] = Field(description="That may be chosen, the default first.")


class JobState(BaseModel):
    """How far a job is."""

    id: str
    state: str = Field(pattern="^(waiting|running|done|failed)$")
    frames: int = Field(description="That are done.")
    of: int | None = Field(description="How many there are, if known.")
    error: str | None = Field(description="Why it failed.")
    forgotten_in: int | None = Field(description="Seconds, once it has ended.")


KEY = "The API key of the server, where it has one: Authorization: Bearer KEY."
_WHY = {
    400: "The header Range is none.",
    401: "The API key is absent or another.",
    403: "Host or Origin is of another server or page.",
    404: "No such job.",
    406: "Nothing that is accepted can be made.",
    408: "The body did not arrive in time, or came too slowly.",
    409: "The job is not done, or it failed.",
    413: "The body is too large.",
    415: "The file is of no kind that is read.",
    416: "The file has no such part (Range).",
    422: "An option or the file cannot be.",
    429: "As many wait as may.",
    503: "The server is ending, or as many connections are open, or bodies on their way, as may.",
    504: "Not done in time.",
    507: "The disk of the server is full.",
}
_ALWAYS = (401, 403, 413, 503)
_BINARY = {"type": "string", "format": "binary"}
_POINT = {
    "type": "array",
    "items": {"type": ["number", "null"]},
    "minItems": 2,
    "maxItems": 3,
}
_PERSON = {"type": "array", "items": _POINT}
_PLAIN = {
    "type": "object",
    "required": ["keypoints"],
    "properties": {
        "keypoints": {
            "type": "array",
            "items": {"type": "array", "items": {"anyOf": [_POINT, _PERSON]}},
            "description": "(frame, joint, 2) or (frame, person, joint, 2), px; with 3 numbers a "
            "joint the last is the confidence; null where a joint is missing.",
        },
        "skeleton": {"type": "string"},
        "joints": {"type": "array", "items": {"type": "string"}},
        "image_size": {"type": "array", "items": {"type": "integer"}},
        "fps": {"type": "number"},
        "people": {"type": "array", "items": {"type": "string"}},
    },
}
_FORM = {
    "schema": {
        "type": "object",
        "required": [FILE],
        "properties": {FILE: _BINARY},
        "description": "The file, under a name whose ending says its kind; options may be fields.",
    }
}
_KEYPOINTS = {
    "application/json": {
        "schema": {
            "description": "Of any tool that docs/formats.md lists, or plain.",
            "anyOf": [_PLAIN, {"type": "object"}, {"type": "array"}],
        },
        "example": {
            "keypoints": [[[320, 80, 0.9]] * 17],
            "skeleton": "coco-17",
            "image_size": [640, 480],
            "fps": 30,
        },
    },
    "text/csv": {"schema": {"type": "string"}},
    "text/tab-separated-values": {"schema": {"type": "string"}},
    "multipart/form-data": _FORM,
}
_VIDEO = {"video/mp4": {"schema": _BINARY}, "application/octet-stream": {"schema": _BINARY}}
_MOTION = {
    "description": "The motion.",
    "content": {
        media: {"schema": {"type": "object"} if name == "json" else _BINARY}
        for name, media in MEDIA.items()
    },
}
_DETECTED = {"description": "As .npz.", "content": {MEDIA["npz"]: {"schema": _BINARY}}}


def _route(summary: str, *statuses: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    own = more.pop("responses", {})
    why = {
        status: {"model": Problem, "description": _WHY[status]}
        for status in sorted({*_ALWAYS, *statuses})
    }
    return {"summary": summary, "responses": {**why, **own}, **more}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


HEALTH = _route("Whether the server answers", response_model=Health)
METRICS = _route(
    "Counters for Prometheus",
    responses={200: {"description": "Counters.", "content": {"text/plain": {}}}},
)
LIFT = _route(
    "Lift a clip of keypoints",
    *(406, 408, 415, 422, 429, 504, 507),
    openapi_extra=_body(_KEYPOINTS),
    responses={200: _MOTION},
)
JOBS = _route(
    "Start to lift a video or a long clip",
    *(408, 415, 422, 429, 504, 507),
    openapi_extra=_body({**_VIDEO, **_KEYPOINTS}),
    status_code=202,
    response_model=JobState,
)
JOB = _route("How far a job is", 404, response_model=JobState)
RESULT = _route(
    "What came out of a job",
    *(400, 404, 409, 416, 422, 429, 507),
    responses={200: _MOTION, 206: {**_MOTION, "description": "A part of it (Range)."}},
)
KEYPOINTS = _route(
    "The keypoints that a job's detector found",
    *(400, 404, 409, 416),
    responses={200: _DETECTED, 206: {**_DETECTED, "description": "A part of it (Range)."}},
)
DELETE = _route("End and forget a job", 404, status_code=204)
