"""What a request may ask for: the options of ``graphlift lift``, by the same names."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.datastructures import ImmutableMultiDict

from graphlift.motion.bones import check_stature
from graphlift.numerals import decimal, is_whole
from graphlift.serve.refusals import Refusal
from graphlift.steps import size_in
from graphlift.words import plain, problems, shown


def _plain_number(value: object) -> object:
    """Read text by our own rules: no underscores, no digits of other scripts."""
    if not isinstance(value, str):
        return value
    return int(value) if is_whole(value) and len(value) < 20 else decimal(value)


def _metres(value: object) -> object:
    """Read a person's height; whoever gives cm is told what to write."""
    number = _plain_number(value)
    if isinstance(number, int | float):
        check_stature(number, f"{number:g}")
    return number


_Plain = BeforeValidator(_plain_number)
Number = Annotated[float, Field(allow_inf_nan=False), _Plain]
Format = Literal["json", "npz", "csv", "bvh", "glb", "trc", "c3d"]

MEDIA: Mapping[str, str] = {
    "json": "application/json",
    "npz": "application/x-npz",
    "csv": "text/csv",
    "bvh": "application/x-bvh",
    "glb": "model/gltf-binary",
    "trc": "application/x-trc",
    "c3d": "application/x-c3d",
}
"""The media type of each format, by which ``Accept`` asks for it."""


# Where None will do, too, bounds stand at the number itself: else OpenAPI would not have them.
class LiftOptions(BaseModel):
    """Options of a clip of keypoints; docs/lift.md says what each does."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    format: Format | None = Field(None, description="Of the answer; else as Accept says, or JSON.")
    model: str | None = Field(
        None, description="Of those that /health lists; else the first.", max_length=200
    )
    fps: Number | None = Field(None, description="Frames per second, if the file does not say.")
    image_size: str | None = Field(
        None,
        description="WIDTHxHEIGHT, px, if the file does not say.",
        pattern=r"^[0-9]{1,7}[xX][0-9]{1,7}$",
        examples=["1920x1080"],
    )
    field_of_view: Annotated[float, Field(ge=1, lt=180, allow_inf_nan=False), _Plain] | None = (
        Field(None, description="Degrees along the image's longer side.")
    )
    height: (
        Annotated[float, Field(ge=0.4, le=2.8, allow_inf_nan=False), BeforeValidator(_metres)]
        | None
    ) = Field(None, description="Of the person, m, such as 1.80 for 180 cm.")
    people: Annotated[int, Field(ge=1, le=1_000), _Plain] | None = Field(
        None, description="Keep so many."
    )
    person: str | None = Field(
        None, description="Keep one: largest, first, longest, centre, or an id.", max_length=100
    )
    sides: bool = Field(True, description="Put left and right back.")
    raw: bool = Field(
        False, description="The network's own output: camera axes, root at the origin."
    )
    flip: bool = Field(False, description="Lift the mirror image too.")
    hypotheses: bool = Field(False, description="Keep all poses that the model holds possible.")
    refine: bool = Field(True, description="Make poses agree with the keypoints.")
    gaps: Number = Field(0.5, description="Longest gap to fill, s.", ge=0, le=1_000)
    smooth: Literal["savgol", "one-euro", "none"] = Field(
        "savgol", description="How to smooth over time."
    )
    bones: bool = Field(True, description="Keep bone lengths over the clip.")
    trajectory: bool = Field(True, description="Move through space, or stay in place.")
    feet: bool = Field(True, description="Hold standing feet still.")
    skeleton: str | None = Field(
        None, description="Order of the joints, if the file does not say.", max_length=100
    )
    clip: str | None = Field(
        None, description="Which clip of a file with several.", max_length=200
    )

    @property
    def reading(self) -> dict[str, Any]:
        """For :func:`graphlift.formats.read_keypoints`."""
        names = ("fps", "skeleton", "clip", "people", "person")
        size = size_in(self.image_size, "image_size")
        return {"image_size": size, **{name: getattr(self, name) for name in names}}


class JobOptions(LiftOptions):
    """Options of a job."""

    detector: Literal["blazepose", "blazepose-lite", "blazepose-heavy", "movenet"] = Field(
        "blazepose", description="Of a video."
    )


class ResultOptions(BaseModel):
    """How what came out of a job is wanted."""

    model_config = ConfigDict(extra="forbid")

    format: Format | None = Field(
        None, description="Another than the job's, which then has to be npz."
    )
    person: str | None = Field(None, description="Of this name alone.", max_length=100)


Options = TypeVar("Options", bound=LiftOptions)


def check_once(given: ImmutableMultiDict[str, Any], where: str) -> None:
    """Refuse an option that is stated twice: one of the two would count without a word.

    Raises:
        Refusal: With its name.
    """
    # Counted in one pass: a query holds ten thousand names, and all other requests wait meanwhile.
    times = Counter(name for name, _ in given.multi_items())
    twice = min((name for name, count in times.items() if count > 1), default=None)
    if twice is not None:
        raise Refusal(422, f"{where}: {plain(twice)} is stated twice: leave one out")


def with_fields(options: Options, form: Mapping[str, str], query: Collection[str]) -> Options:
    """Add the fields of a form to the options of the query.

    Args:
        options: As the query states them.
        form: Its fields.
        query: Names of what the query states.

    Raises:
        Refusal: If one cannot be, is unknown, or is stated twice.
    """
    stated = {name: value for name, value in options.model_dump().items() if name in query}
    if twice := sorted(set(stated) & set(form)):
        raise Refusal(422, f"{twice[0]} is both in the query and in the form: leave one out")
    try:
        return type(options).model_validate({**stated, **form})
    except ValidationError as error:
        raise Refusal(422, f"form: {problems(error, 'form')}") from error


def chosen_format(options: LiftOptions, accept: str) -> str:
    """Choose the format of an answer: what the options say, else what ``Accept`` likes best.

    Raises:
        Refusal: If nothing that is accepted can be made.
    """
    if options.format is not None:
        return options.format
    wishes: list[tuple[float, str]] = []
    for part in accept.split(",")[:32]:
        media, *parameters = (word.strip().lower() for word in part.split(";"))
        weights = [word.removeprefix("q=") for word in parameters if word.startswith("q=")]
        try:
            weight = decimal(weights[0]) if weights else 1.0
        except ValueError:
            weight = 0.0
        wishes += [(-weight, media)] if media and weight > 0 else []
    for _, media in sorted(wishes, key=lambda wish: wish[0]):
        for name, own in MEDIA.items():
            if media in (own, "*/*", f"{own.partition('/')[0]}/*"):
                return name
    if wishes:
        raise Refusal(406, f"Accept: {shown(accept)}: ask for one of {', '.join(MEDIA.values())}")
    return "json"
