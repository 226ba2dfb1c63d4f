"""The first message of a stream: what will come, of which lens, for which model."""

import json
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graphlift.cameras import Camera
from graphlift.errors import FormatError
from graphlift.formats.to_json import describe_json
from graphlift.lifting import Lifter
from graphlift.plain_json import parse_json
from graphlift.sequences import keypoints_from
from graphlift.serve.frames import Encoding, columns
from graphlift.stream import Stream
from graphlift.words import plain, problems

_Focal = Annotated[float, Field(ge=1, le=1e7, allow_inf_nan=False)]
_Place = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]
_Coefficient = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
_LONGEST = 1 << 13
"""Characters; it is read while everybody else waits."""


class Lens(BaseModel):
    """Intrinsics of a camera, px; radial k1, k2, k3 and tangential p1, p2 as OpenCV has them."""

    model_config = ConfigDict(extra="forbid")

    focal: tuple[_Focal, _Focal]
    centre: tuple[_Place, _Place]
    radial: tuple[_Coefficient, _Coefficient, _Coefficient] = (0.0, 0.0, 0.0)
    tangential: tuple[_Coefficient, _Coefficient] = (0.0, 0.0)


class Opening(BaseModel):
    """The first message of a stream."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    skeleton: str = Field(max_length=100)
    image_size: tuple[int, int]
    fps: float | None = None
    model: str | None = Field(None, max_length=200)
    camera: Lens | None = None
    field_of_view: float | None = Field(None, ge=1, lt=180)
    smooth: bool = False
    encoding: Encoding = "json"


def read_opening(text: str) -> Opening:
    """Read the first message.

    Raises:
        FormatError: If it is none.
    """
    if len(text) > _LONGEST:
        raise FormatError(f"has {len(text):,} characters, more than {_LONGEST:,}: send it alone")
    try:
        parse_json(text)
        return Opening.model_validate_json(text)
    except ValidationError as error:
        raise FormatError(problems(error, "opening")) from error
    except ValueError as error:
        raise FormatError(f"is no JSON ({plain(error)})") from error


def open_stream(opening: Opening, lifter: Lifter) -> Stream:
    """Make what the lifter keeps of a stream.

    Raises:
        FormatError, ShapeError: If the opening says what cannot be.
    """
    size, lens = opening.image_size, opening.camera
    return lifter.stream(
        skeleton=opening.skeleton,
        camera=None if lens is None else _camera(lens, size),
        image_size=size,
        fps=opening.fps,
        field_of_view=opening.field_of_view,
        smooth=opening.smooth,
    )


def _camera(lens: Lens, size: tuple[int, int]) -> Camera:
    return Camera(
        focal=lens.focal,
        centre=lens.centre,
        size=size,
        R=np.eye(3),
        position=np.zeros(3),
        radial=lens.radial,
        tangential=lens.tangential,
        distortion="opencv",
    )


def describe_stream(stream: Stream, encoding: Encoding) -> str:
    """Describe the poses to come, as the head of a JSON file does, and how they are encoded."""
    nobody = keypoints_from(np.full((1, 1, len(stream.skeleton), 2), np.nan), stream.skeleton)
    poses = stream.lifter(nobody, camera=stream.camera)
    head: dict[str, Any] = describe_json(poses)
    head |= {"fps": stream.fps, "notes": list(stream.notes), "encoding": encoding}
    if encoding == "float32":
        head["columns"] = columns(stream.lifter)
    head.pop("people")
    return json.dumps(head, allow_nan=False)
