"""A motion drawn over the video it came from, as a video."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.sequences import ASSUMED_FPS, Keypoints, Poses, is_frame_rate
from graphlift.video.frames import quiet
from graphlift.video.times import even_times
from graphlift.view.draw import Image, draw_frame

if TYPE_CHECKING:
    import cv2

CODECS = ("avc1", "mp4v")
"""H.264, which browsers play, where OpenCV can write it; or else MPEG-4 part 2."""


def render(
    video: Path,
    motion: Poses | Keypoints,
    path: Path,
    *,
    sigma: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> str:
    """Draw a motion over the video it came from: as many frames as it has, without the sound.

    Args:
        video: Anything that OpenCV reads.
        motion: As for :func:`graphlift.view.draw.draw_frame`, with a frame for each of the
            video's, or at even times (:func:`graphlift.video.times.even_times`).
        path: Ends in ``.mp4``; written whole or not at all.
        sigma: Whether to ring each joint of the 3D by one standard deviation.
        progress: Is told how many frames are done, and of how many, after each.

    Returns:
        Which of :data:`CODECS` the new video has.

    Raises:
        FormatError: If ``video`` is none or has another number of frames than the motion, or
            ``path`` is no ``.mp4`` or is the video itself.
        ShapeError: As for :func:`graphlift.view.draw.draw_frame`.
        ModuleNotFoundError: Without OpenCV.
        OSError: If a file cannot be read, or the new one not be written.
    """
    if path.suffix.lower() != ".mp4":
        raise FormatError(f"{path}: the drawn video is an .mp4 file: give it that ending")
    if path.exists() and path.samefile(video):
        raise FormatError(f"{path}: is the video itself: give the drawn one another name")
    fps, order = _plan(video, motion)
    with replacing(path) as beside:
        done, codec = _draw_all(video, motion, beside, fps, order, sigma=sigma, progress=progress)
        _check_count(video, done, len(motion))
        _check_whole(path, beside, len(motion))
    return codec


def _plan(video: Path, motion: Poses | Keypoints) -> tuple[float, np.ndarray]:
    """Find the frame rate to write, and which of the video's frames to draw each pose on.

    Poses of a video with uneven steps are at even times, so the nearest frame is drawn on.
    """
    times = _times(video)
    even = even_times(times)
    if even and len(even.times) == len(motion) and motion.fps and _near(motion.fps, even.fps):
        return even.fps, even.nearest(times)
    _check_count(video, len(times), len(motion))
    return _describe(video)[0], np.arange(len(times))


def _near(one: float, other: float) -> bool:
    return abs(one - other) < 1e-3 * other


def _draw_all(
    video: Path,
    motion: Poses | Keypoints,
    path: Path,
    fps: float,
    order: np.ndarray,
    *,
    sigma: bool,
    progress: Callable[[int, int], None],
) -> tuple[int, str]:
    """Draw frame by frame; say how many were drawn, and in which codec."""
    done, codec = 0, ""
    with contextlib.ExitStack() as stack:
        for number, image in enumerate(_frames(video)):
            if number == 0:
                writer, codec = stack.enter_context(_writer(path, image, fps))
            for frame in range(*np.searchsorted(order, [number, number + 1])):
                writer.write(draw_frame(image, motion, frame, sigma=sigma))
                done += 1
                progress(done, len(motion))
    return done, codec


def _check_count(video: Path, frames: int, motion: int) -> None:
    if frames == 0:
        raise FormatError(f"{video}: not a single frame can be read: copy the video again")
    if frames != motion:
        raise FormatError(
            f"{video}: has {frames} frames, but the motion has {motion}: give the video that the "
            "motion was lifted from, whole"
        )


def _describe(video: Path) -> tuple[float, int]:
    """Frames per second and number of frames, as the header has them."""
    import cv2

    with _opened(video) as capture:
        fps, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return (fps if is_frame_rate(fps) else ASSUMED_FPS), int(frames)


def _times(video: Path) -> np.ndarray:
    """When the frames are shown that are really there, s."""
    import cv2

    times = []
    with _opened(video) as capture:
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    return np.array(times)


def _frames(video: Path) -> Iterator[Image]:
    with _opened(video) as capture:
        while True:
            there, image = capture.read()
            if not there:
                return
            yield np.asarray(image, dtype=np.uint8)


def _check_whole(path: Path, written: Path, count: int) -> None:
    """OpenCV does not say whether what it wrote has reached the disk: read it back."""
    with contextlib.suppress(FormatError):
        if _describe(written)[1] == count:
            return
    raise OSError(f"{path}: could not be written whole: is the disk full?")


@contextmanager
def _opened(video: Path) -> Iterator["cv2.VideoCapture"]:
    """Open a video, as an absolute path: OpenCV takes other strings for addresses or cameras."""
    import cv2

    with video.open("rb"), quiet():  # a missing file is the system's own error
        capture = cv2.VideoCapture(str(video.resolve()))
    try:
        if not capture.isOpened():
            raise FormatError(f"{video}: is no video that OpenCV can read: convert it to .mp4")
        yield capture
    finally:
        capture.release()


@contextmanager
def _writer(path: Path, image: Image, fps: float) -> Iterator[tuple["cv2.VideoWriter", str]]:
    """Open a video to write images like ``image`` to, in the first codec there is."""
    import cv2

    height, width = image.shape[:2]
    for codec in CODECS:
        with quiet():
            fourcc = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(str(path.resolve()), fourcc, fps, (width, height))
        if writer.isOpened():
            break
    else:
        raise OSError(f"{path}: OpenCV has no encoder for .mp4: install opencv-python-headless")
    try:
        yield writer, codec
    finally:
        writer.release()
