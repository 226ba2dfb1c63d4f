"""Frames of a video file, a folder of images or a webcam, upright, as RGB arrays.

OpenCV decodes. The header of a file is checked: an impossible frame rate counts as unknown, and a
video that ends long before the number of frames in its header is an error, not a shorter video.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from jaxtyping import UInt8

from graphlift.errors import FormatError
from graphlift.formats.keypoint_source import check_fps
from graphlift.numerals import is_whole
from graphlift.sequences import is_frame_rate

if TYPE_CHECKING:
    import cv2

Image = UInt8[np.ndarray, "row column 3"]

IMAGES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
VIDEOS = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm", ".wmv")
"""Suffixes of images and videos in a folder; a single file may have any suffix."""

_SILENT = 0
"""OpenCV's LOG_LEVEL_SILENT."""

SLACK = (2, 0.02)
"""Frames, and share of all, by which a header's count may be too high: some count by duration."""

LAST_WEBCAM = 99
"""OpenCV takes the hundreds of a number for the name of a backend, and raises beyond 32 bits."""

PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"[playlist]")


class Frames(Protocol):
    """What frames come from, one after another: a :class:`Video`, or a source of a caller's."""

    def timed_frames(self) -> Iterator[tuple[float | None, Image]]:
        """Yield frames in order of time, each with the time at which it is shown, s, if known."""


@dataclass(frozen=True)
class Video:
    """Where frames come from.

    Args:
        source: Video file, folder of images, image file, or number of a webcam.
        size: Width and height of every frame, px, after any rotation that the file asks for.
        fps: Frames per second, if known.
        count: Number of frames that the header states; None if it does not, as for a webcam.
        notes: What is missing or odd about it, one sentence each.
        fps_given: Whether the caller stated the frame rate, which then overrides frames' times.
    """

    source: Path | int
    size: tuple[int, int]
    fps: float | None
    count: int | None
    notes: tuple[str, ...] = ()
    fps_given: bool = False

    @property
    def name(self) -> str:
        """Name it for messages."""
        return f"webcam {self.source}" if isinstance(self.source, int) else str(self.source)

    def frames(self) -> Iterator[Image]:
        """Decode one frame after another; errors as :meth:`timed_frames`."""
        return (image for _, image in self.timed_frames())

    def timed_frames(self) -> Iterator[tuple[float | None, Image]]:
        """Decode one frame after another, each with the time at which it is shown.

        The time, s, is what the file says, as OpenCV has it; None for webcams and images.

        Raises:
            FormatError: If a frame cannot be read, has another size than the first, or the file
                breaks off.
        """
        number = 0
        for number, (time, image) in enumerate(_read(self.source), start=1):
            height, width = image.shape[:2]
            if (width, height) != self.size:
                raise FormatError(
                    f"{self.name}: frame {number - 1} is {width} × {height} px, the first was "
                    f"{self.size[0]} × {self.size[1]}: give frames of one size"
                )
            yield time, image
        if self.count is not None and number < self.count - max(SLACK[0], SLACK[1] * self.count):
            raise FormatError(
                f"{self.name}: breaks off after {number} of {self.count} frames: copy it again, "
                "or cut it there with a video editor to use what is left"
            )


def open_video(source: str | Path | int, *, fps: float | None = None) -> Video:
    """Read a video's first frame and its header.

    Args:
        source: Video file, folder of images (in the order of the numbers in their names), image
            file, or number of a webcam, as a number or in digits.
        fps: Frames per second, in place of what the file says.

    Raises:
        FileNotFoundError: If there is nothing at that path.
        FormatError: If it is empty, cut off or no video, the webcam gives no picture, or ``fps``
            cannot be.
        ModuleNotFoundError: If the extra ``video`` is not installed.
    """
    fps = None if fps is None else check_fps(fps, "fps")
    if isinstance(source, str) and is_whole(source) and not Path(source).exists():
        source = int(source)
    place = source if isinstance(source, int) else Path(source)
    if isinstance(place, Path) and (place.is_dir() or place.suffix.lower() in IMAGES):
        images = _images(place)
        height, width = _read_image(images[0]).shape[:2]
        notes = () if fps else ("images have no frame rate: it is unknown",)
        return Video(place, (width, height), fps, len(images), notes, fps is not None)
    import cv2

    with open_capture(place) as capture:
        read, image = capture.read()
        if not read:
            raise FormatError(_unreadable(place))
        height, width = image.shape[:2]
        stated = capture.get(cv2.CAP_PROP_FPS)
        promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    notes = ()
    if fps is None and not is_frame_rate(stated):
        notes = (f"the header's frame rate, {stated:g}, cannot be: it is unknown",)
    count = int(promised) if isinstance(place, Path) and 0 < promised < 2**31 else None
    rate = fps or (None if notes else stated)
    return Video(place, (width, height), rate, count, notes, fps is not None)


def videos_in(folder: Path) -> list[Path]:
    """List a folder's videos by name.

    Raises:
        FormatError: If there are none.
    """
    found = sorted(each for each in folder.iterdir() if each.suffix.lower() in VIDEOS)
    if not found:
        raise FormatError(f"{folder}: no video in it: give one with {', '.join(VIDEOS)} files")
    return found


def _read(source: Path | int) -> Iterator[tuple[float | None, Image]]:
    import cv2

    if isinstance(source, Path) and (source.is_dir() or source.suffix.lower() in IMAGES):
        yield from ((None, _read_image(path)) for path in _images(source))
        return
    with open_capture(source) as capture:
        while True:
            read, image = capture.read()
            if not read:
                return
            time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            live = isinstance(source, int)
            yield None if live else time, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


@contextlib.contextmanager
def open_capture(source: Path | int) -> Iterator["cv2.VideoCapture"]:
    """Open OpenCV's reader of a video file or a webcam.

    Raises:
        FileNotFoundError: If there is no such file.
        FormatError: If OpenCV cannot open it, or it is empty or a playlist.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            start = file.read(16)
        if not start:
            raise FormatError(f"{source}: an empty file, no video: copy or record it again")
        if start.startswith(PLAYLISTS):
            raise FormatError(
                f"{source}: a playlist, which names other files: give the video itself"
            )
    elif source > LAST_WEBCAM:
        raise FormatError(_unreadable(source))
    with quiet() as cv2:
        if isinstance(source, int):
            capture = cv2.VideoCapture(source)
        else:
            # Without FFmpeg's name, OpenCV would go on to try files as numbered images.
            backend = cv2.CAP_FFMPEG
            if backend not in cv2.videoio_registry.getStreamBackends():
                backend = cv2.CAP_ANY
            # An absolute path cannot be taken for an address.
            capture = cv2.VideoCapture(str(source.resolve()), backend)
    try:
        if not capture.isOpened():
            raise FormatError(_unreadable(source))
        yield capture
    finally:
        capture.release()


def _unreadable(source: Path | int) -> str:
    if isinstance(source, int):
        return (
            f"webcam {source} gives no picture: plug it in, close what else uses it, or give "
            "another number"
        )
    return (
        f"{source}: no video that can be decoded, or one that was cut off: play it in a video "
        "player; if it plays, convert it to H.264 in an .mp4"
    )


@contextlib.contextmanager
def quiet() -> Iterator[ModuleType]:
    """Import OpenCV without what it and FFmpeg would print: our own errors state it."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when OpenCV first opens a video
    import cv2

    # OpenCV 4 has it in one place, OpenCV 5 in another.
    logging: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    before = logging.setLogLevel(_SILENT)
    try:
        yield cv2
    finally:
        logging.setLogLevel(before)


def _images(place: Path) -> list[Path]:
    """List a folder's images by the numbers in their names: 9 before 10; or the one image."""
    if not place.is_dir():
        return [place]

    def order(path: Path) -> list[tuple[int, str]]:
        words = re.split(r"([0-9]+)", path.name)
        return [(int(word), "") if is_whole(word) else (-1, word) for word in words]

    found = [each for each in place.iterdir() if each.suffix.lower() in IMAGES]
    if not found:
        raise FormatError(f"{place}: no image in it: give one with {', '.join(IMAGES)} files")
    return sorted(found, key=order)


def _read_image(path: Path) -> Image:
    # Read here, so that a missing file is an OSError and any name does on any system.
    image = decode_image(path.read_bytes())
    if image is None:
        raise FormatError(f"{path}: no image that can be read: take it out, or save it again")
    return image


def decode_image(content: bytes) -> Image | None:
    """Decode an image file's content; None if it is no image that OpenCV reads."""
    data = np.frombuffer(content, np.uint8)
    with quiet() as cv2:
        try:
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        except cv2.error:
            image = None
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
