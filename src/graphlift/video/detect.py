"""People in a video -> keypoints: as many frames as the video has, NaN where no person is."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
from jaxtyping import Float

from graphlift.errors import ModelError
from graphlift.sequences import Keypoints, keypoints_from
from graphlift.skeletons import COCO_17, MEDIAPIPE_33, Skeleton
from graphlift.tracking import (
    PATIENCE,
    Tracker,
    appearances,
    body_size,
    choose,
    clean,
    gather,
    left_out,
    track,
)
from graphlift.video import blazepose, movenet, rtmpose
from graphlift.video.frames import Frames, Image, Video, open_video
from graphlift.video.regions import DetectedPerson, Find, Read, Region, follow
from graphlift.video.times import at_even_times

Finder = Literal["blazepose", "movenet", "frame"]

DETECTORS = ("blazepose", "blazepose-lite", "blazepose-heavy", "movenet")
Watch = Callable[[Iterable[Image]], Iterator[tuple[Image, list[DetectedPerson]]]]
"""Takes frames in order of time and yields each with the people in it."""


@dataclass(frozen=True, eq=False)
class Detector:
    """A loaded detector.

    Args:
        name: As given to :func:`load_detector`.
        skeleton: Its joints.
        people: How many to keep; some more may be followed, to choose among them.
        watch: Finds and follows people in frames.
    """

    name: str
    skeleton: Skeleton
    people: int
    watch: Watch


@dataclass(frozen=True, eq=False)
class DetectedFrame:
    """The people in one frame.

    Args:
        frame: Its number, from 0.
        image: RGB.
        people: May be empty.
        ids: A name for each of them that stays the same from frame to frame.
        time: s, when the frame is shown, if the file states it.
    """

    frame: int
    image: Image
    people: tuple[DetectedPerson, ...]
    ids: tuple[str, ...]
    time: float | None = None

    def keypoints(self, skeleton: Skeleton) -> Float[np.ndarray, "person joint 3"]:
        """Stack all people's x, y, px, and confidence; (0, joint, 3) if no person is in it."""
        joints = [person.keypoints for person in self.people]
        return np.array(joints).reshape(-1, len(skeleton), 3)


def load_detector(
    name: str | Path = "blazepose",
    *,
    people: int = 1,
    finder: Finder | None = None,
    threads: int = 0,
) -> Detector:
    """Load a detector; its weights are fetched if they are not in the cache.

    Args:
        name: One of :data:`DETECTORS`, or the path of an RTMPose-like ``.onnx``.
        people: How many to keep; some more may be followed, to choose among them.
        finder: What finds the people whose joints are read: BlazePose's own detector (the
            default for one person), MoveNet (the default for several), or the whole frame,
            which is for RTMPose on clips of one person.
        threads: How many to compute with; 0 for as many as there are processors.

    Raises:
        ModelError: If there is no such detector, it cannot see so many people, or its weights
            cannot be had.
        FormatError: If the file is no ONNX model.
    """
    _check_request(name, people, finder)
    if name == "movenet":
        return Detector("movenet", COCO_17, people, _watch_all(people, threads))
    finder = finder or ("blazepose" if people == 1 else "movenet")
    read: Read
    if name in DETECTORS:
        variant = cast("blazepose.Variant", str(name).partition("-")[2] or "full")
        pose = blazepose.load_blazepose(variant, threads=threads)
        read, skeleton = partial(blazepose.read_landmarks, pose), MEDIAPIPE_33
        find = _load_finder(finder, pose, threads)
    else:
        model = rtmpose.load_rtmpose(Path(name), threads=threads)
        read, skeleton = partial(rtmpose.read_joints, model), model.skeleton
        find = _load_finder(finder, None, threads)
    watch = partial(follow, read=read, find=find, people=people)
    return Detector(Path(name).name, skeleton, people, watch)


def stream_people(video: Frames, detector: Detector) -> Iterator[DetectedFrame]:
    """Detect frame by frame, as frames come: for webcams, and for drawing.

    People keep their names by the similarity of their keypoints to those of past frames
    (:class:`graphlift.tracking.Tracker`). At most as many are yielded as the detector keeps: those
    of the frames before stay, and the largest others replace those who are away for longer than
    the tracker remembers.

    Raises:
        FormatError: As :meth:`graphlift.video.frames.Video.frames`.
    """
    tracker, seats = Tracker(), Seats(detector.people)
    for detected in _watched(video, detector):
        joints = detected.keypoints(detector.skeleton)
        ids = tracker.update(joints)
        kept = seats.update(ids, body_size(joints))
        people = tuple(detected.people[place] for place in kept)
        yield replace(detected, people=people, ids=tuple(str(ids[place]) for place in kept))


def _watched(video: Frames, detector: Detector) -> Iterator[DetectedFrame]:
    """Yield every frame with all people who are found in it, without names."""
    times: list[float | None] = []

    def images() -> Iterator[Image]:
        for shown, image in video.timed_frames():
            times.append(shown)
            yield image

    for frame, (image, people) in enumerate(detector.watch(images())):
        yield DetectedFrame(frame, image, tuple(people), ("",) * len(people), times[frame])


class Seats:
    """Chooses people frame by frame: at most ``count``, and the same for as long as possible."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._away: dict[int, int] = {}

    def update(self, ids: Sequence[int], sizes: Float[np.ndarray, " person"]) -> list[int]:
        """Choose among a frame's people; return their places.

        Args:
            ids: Of the people; negative if the tracker gave none.
            sizes: Of the people, px.
        """
        self._away = {name: gap + 1 for name, gap in self._away.items() if gap < PATIENCE}
        for place in np.argsort(-sizes, kind="stable"):
            if ids[place] in self._away or (ids[place] >= 0 and len(self._away) < self.count):
                self._away[ids[place]] = 0
        return [place for place, name in enumerate(ids) if name in self._away]


def detect_people(
    source: str | Path | int | Video,
    *,
    detector: str | Path | Detector = "blazepose",
    people: int = 1,
    person: str | None = None,
    fps: float | None = None,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> Keypoints:
    """Detect people in every frame of a video.

    Who is who is decided over the whole clip (:func:`graphlift.tracking.track`); ``notes`` state
    who was left out, and where a new person begins because no person moves so far.

    Args:
        source: As :func:`graphlift.video.frames.open_video`; a webcam ends with Ctrl-C, and its
            frame rate is the measured one.
        detector: Its name or path, or one that is loaded (whose ``people`` then counts).
        people: How many to keep at most: those who are seen longest and largest.
        person: Keep one of all who were found instead, or of those ``people`` if they are
            several: see :func:`graphlift.tracking.choose`.
        fps: Frames per second, in place of the file's.
        progress: Called after every frame with how many are done, and how many the header states.

    Returns:
        One frame for each of the video's; of a video whose frames come at uneven times, frames at
        even times (:func:`graphlift.video.times.at_even_times`) unless ``fps`` is given. People in
        the order in which they first appear. Positions may lie outside the image, where the
        detector guesses them. NaN where a person is not in the frame.

    Raises:
        ModelError: As :func:`load_detector`.
        FormatError: If the video cannot be read to its end.
        ConfigError: If no person is called ``person``.
    """
    video = source if isinstance(source, Video) else open_video(source, fps=fps)
    if not isinstance(detector, Detector):
        detector = load_detector(detector, people=people)
    frames: list[np.ndarray] = []
    times: list[float | None] = []
    live, began = isinstance(video.source, int), time.monotonic()
    try:
        for seen in _watched(video, detector):
            frames.append(clean(seen.keypoints(detector.skeleton)))
            times.append(seen.time)
            progress(len(frames), video.count)
    except KeyboardInterrupt:
        if not (live and frames):
            raise
    rate = len(frames) / (time.monotonic() - began) if live else video.fps
    keypoints = _assign_people(frames, detector, person, video, rate)
    return keypoints if video.fps_given else at_even_times(keypoints, times)


def _assign_people(
    frames: Sequence[Float[np.ndarray, "person joint 3"]],
    detector: Detector,
    person: str | None,
    video: Video,
    fps: float | None,
) -> Keypoints:
    """Assign a clip's detections to people, and keep those that the caller asked for."""
    found = track(frames, fps=fps)
    seen = appearances(frames, found.ids)
    most = None if person is not None and detector.people == 1 else detector.people
    names = choose(seen, people=most, person=person, image_size=video.size, where=video.name)
    others = left_out(seen, names, len(frames))
    joints = np.full((len(frames), 1, len(detector.skeleton), 3), np.nan)
    return keypoints_from(
        gather(frames, found.ids, names) if names else joints,
        detector.skeleton,
        image_size=video.size,
        fps=fps,
        people=tuple(map(str, names)),
        source=f"{video.name} by {detector.name}",
        notes=(*found.notes, *([others] if others else [])),
    )


def _check_request(name: str | Path, people: int, finder: Finder | None) -> None:
    if people < 1:
        raise ModelError(f"{people} people: ask for one or more")
    if str(name) not in DETECTORS and Path(name).suffix != ".onnx":
        raise ModelError(
            f"no detector is called {str(name)!r}: there are {', '.join(DETECTORS)}, or give the "
            "path of an RTMPose .onnx"
        )
    if people > movenet.MOST_PEOPLE and (name == "movenet" or finder in (None, "movenet")):
        raise ModelError(
            f"{people} people: MoveNet, which finds them, sees {movenet.MOST_PEOPLE} at most; ask "
            "for fewer, or for finder blazepose"
        )
    if finder == "frame" and (people > 1 or name in DETECTORS):
        raise ModelError("finder frame is for one person and an RTMPose .onnx: leave it out")


def _watch_all(people: int, threads: int) -> Watch:
    """Run MoveNet on every whole frame, without following people."""
    session = movenet.load_movenet(threads=threads)

    def watch(images: Iterable[Image]) -> Iterator[tuple[Image, list[DetectedPerson]]]:
        for image in images:
            yield image, movenet.find_people(session, image)[:people]

    return watch


def _load_finder(finder: Finder, pose: blazepose.BlazePose | None, threads: int) -> Find:
    """Return what finds regions: squares for ``pose``, or upright boxes around people."""
    if finder == "frame":
        return lambda image: [_whole(image)]
    if finder == "movenet":
        session = movenet.load_movenet(threads=threads)
        people = partial(movenet.find_people, session)
        if pose is None:
            return lambda image: [person.region for person in people(image)]
        return lambda image: [movenet.body_region(person) for person in people(image)]
    if pose is not None:
        return partial(blazepose.find_regions, pose)
    find = partial(blazepose.find_regions, blazepose.load_blazepose(threads=threads))
    return lambda image: [
        Region(region.centre, (region.size[0] / blazepose.CIRCLE_MARGIN,) * 2)
        for region in find(image)
    ]


def _whole(image: Image) -> Region:
    height, width = image.shape[:2]
    return Region((width / 2, height / 2), (float(width), float(height)))
