"""Bodies of requests, as files in a folder of their own and under names of ours.

Of the name that a client gives a file nothing is used but whether it ends in a suffix of our list.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from starlette.requests import ClientDisconnect, Request

from graphlift.formats.recognise import READ, SUFFIXES
from graphlift.serve.forms import FILE, read_form, write
from graphlift.serve.options import check_once
from graphlift.serve.refusals import Refusal
from graphlift.video.frames import VIDEOS
from graphlift.words import plain

_TYPES = {
    "application/json": ".json",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
}
"""Suffixes of bodies that are one file, by their media type."""
_VIDEO_TYPES = ("video/", "application/octet-stream")


@dataclass(frozen=True)
class Upload:
    """What came.

    Args:
        file: Its name in the folder.
        video: Whether it is a video.
        form: Fields of the form that it came in.
    """

    file: str
    video: bool = False
    form: dict[str, str] = field(default_factory=dict)


async def receive(request: Request, folder: Path, *, videos: bool = False) -> Upload:
    """Write the body of a request, or the file of its form, into a folder.

    Args:
        request: How much it may have is counted before, by :mod:`graphlift.serve.guard`.
        folder: Empty, and readable by nobody else.
        videos: Whether a video will do, too.

    Raises:
        Refusal: If the media type is none of ours, there is no file, or it is empty; or if the
            client goes away before all has come.
    """
    try:
        return await _receive(request, folder, videos)
    except ClientDisconnect as error:
        raise Refusal(499, "the client has gone") from error


async def _receive(request: Request, folder: Path, videos: bool) -> Upload:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    packed = request.headers.get("content-encoding", "").strip().lower()
    if packed not in ("", "identity"):
        raise Refusal(
            415,
            f"Content-Encoding: {plain(packed)}: nothing is unpacked here: send the body as it is",
        )
    if media == "multipart/form-data":
        return await _from_form(request, folder, videos)
    if media in _TYPES:
        upload = Upload(f"keypoints{_TYPES[media]}")
    elif videos and media.startswith(_VIDEO_TYPES):
        upload = Upload("video.mp4", video=True)
    else:
        more = ", video/mp4" if videos else ""
        raise Refusal(
            415,
            f"Content-Type: {plain(media) or 'none'}: send {', '.join(_TYPES)}{more}, or a form "
            f"(multipart/form-data) whose part {FILE!r} is a file with its name",
        )
    with (folder / upload.file).open("wb") as file:
        async for piece in request.stream():
            await write(file, piece)
    return _checked(upload, folder)


async def _from_form(request: Request, folder: Path, videos: bool) -> Upload:
    named = Upload("")

    def place(name: str) -> Path:
        nonlocal named
        named = _named(name, videos)
        return folder / named.file

    fields = await read_form(request.stream(), request.headers["content-type"], place)
    check_once(fields, "form")
    return _checked(replace(named, form=dict(fields)), folder)


def _named(name: str, videos: bool) -> Upload:
    """Choose our name for a file by the one that the client gives it.

    Raises:
        Refusal: If its ending is none of ours.
    """
    suffix = suffix_of(name, SUFFIXES)
    video = suffix is None and videos
    suffix = suffix or (suffix_of(name, VIDEOS) if videos else None)
    if suffix is None:
        known = ", ".join((*READ, *VIDEOS) if videos else READ)
        raise Refusal(
            415,
            f"{plain(Path(name).name) or 'a file without name'}: its ending is none of a kind "
            f"that is read: {known}",
        )
    return Upload(f"video{suffix}" if video else f"keypoints{suffix}", video)


def suffix_of(name: str, known: Collection[str]) -> str | None:
    """Choose the suffix of our list in which a client's name for a file ends, if any."""
    lower = name[-64:].lower()
    return next((suffix for suffix in known if lower.endswith(suffix)), None)


_CONTAINERS: tuple[dict[int, bytes], ...] = (
    {0: b"\x1aE\xdf\xa3"},  # Matroska, WebM
    {0: b"RIFF", 8: b"AVI "},
    {0: b"GIF8"},
    {0: b"\x00\x00\x01\xba"},  # MPEG program stream
    {0: b"\x00\x00\x01\xb3"},
    {0: b"G", 188: b"G"},  # MPEG transport stream
    {4: b"G", 196: b"G"},  # that of cameras, with times between its packets
    {0: b"0&\xb2u\x8ef\xcf\x11"},  # Windows Media
    *({4: box} for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),  # MP4, MOV
)
"""How containers of videos begin: what is where. Anything else is not given to FFmpeg, which also
reads lists of other files and of addresses to get a video from."""


def _checked(upload: Upload, folder: Path) -> Upload:
    """Refuse an empty file, and a video in no container that is known."""
    if not (folder / upload.file).stat().st_size:
        raise Refusal(422, f"{upload.file}: is empty (0 bytes): send it again")
    if upload.video:
        with (folder / upload.file).open("rb") as file:
            start = file.read(256)
        known = (
            all(start[at:].startswith(mark) for at, mark in marks.items()) for marks in _CONTAINERS
        )
        if not any(known):
            raise Refusal(
                422, f"{upload.file}: no video: send one of {', '.join(VIDEOS)}, or keypoints"
            )
    return upload
