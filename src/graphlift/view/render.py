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
from graphlift.video.frames import open_capture, open_video, quiet
from graphlift.video.times import even_times
from graphlift.view.draw import Image, draw_frame
from graphlift.words import counted

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
        progress: Called after each frame with how many are done, and of how many.

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
    """Find the frame rate to write, and the frame of the video to draw each pose on.

    Poses of a video with uneven steps are at even times: each is drawn on the nearest frame.
    """
    import cv2

    times = []
    with open_capture(video) as capture:
        stated = capture.get(cv2.CAP_PROP_FPS)
        while capture.grab():  # frames that can be read, however many the header states
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    even = even_times(np.array(times))
    same_rate = even and motion.fps and abs(motion.fps - even.fps) < 1e-3 * even.fps
    if even and same_rate and len(even.times) == len(motion):
        return even.fps, even.nearest(np.array(times))
    _check_count(video, len(times), len(motion))
    return (stated if is_frame_rate(stated) else ASSUMED_FPS), np.arange(len(times))


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
    """Draw frame by frame; return how many were drawn, and the codec."""
    done, number, codec = 0, 0, ""
    with contextlib.ExitStack() as stack:
        capture = stack.enter_context(open_capture(video))
        while (read := capture.read())[0]:
            image = np.asarray(read[1], dtype=np.uint8)
            if number == 0:
                writer, codec = stack.enter_context(_writer(path, image, fps))
            for frame in range(*np.searchsorted(order, [number, number + 1])):
                writer.write(draw_frame(image, motion, frame, sigma=sigma))
                done += 1
                progress(done, len(motion))
            number += 1
    return done, codec


def _check_count(video: Path, frames: int, motion: int) -> None:
    if frames != motion:
        raise FormatError(
            f"{video}: has {counted(frames, 'frame')}, but the motion has {motion}: give the "
            "video that the motion was lifted from, whole"
        )


def _check_whole(path: Path, written: Path, count: int) -> None:
    """Read the file back: OpenCV does not say whether all of it has reached the disk."""
    with contextlib.suppress(FormatError):
        if open_video(written).count == count:
            return
    raise OSError(
        f"{path}: could not be written whole: is the disk full? Free some space and run the same "
        "command again"
    )


@contextmanager
def _writer(path: Path, image: Image, fps: float) -> Iterator[tuple["cv2.VideoWriter", str]]:
    """Open a video to write images like ``image`` to, in the first codec that is available."""
    import cv2

    height, width = image.shape[:2]
    for codec in CODECS:
        with quiet():
            fourcc = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(str(path.resolve()), fourcc, fps, (width, height))
        if writer.isOpened():
            break
    else:
        with path.open("wb", buffering=0) as file:
            file.write(bytes(1 << 16))  # so that a full disk is not taken for a missing encoder
        raise OSError("OpenCV has no encoder for .mp4: install opencv-python-headless")
    try:
        yield writer, codec
    finally:
        writer.release()
