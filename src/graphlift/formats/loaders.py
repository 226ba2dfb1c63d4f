"""Read keypoints: :func:`read_keypoints` recognises the tool, and each tool has a loader.

The loaders are :func:`read_keypoints` for a tool that the caller knows: a file of another tool is
a ``FormatError``, and so is whatever :func:`read_keypoints` refuses. They return keypoints in px,
x right and y down from the image's top left corner, a row for every frame from the first to the
last, NaN where a joint is missing. How each tool lays out its files, and where that is documented,
stands at the top of the module that is named.
"""

from pathlib import Path
from typing import Any, TypedDict, Unpack

from graphlift.formats.keypoint_source import MAX_BYTES, KeypointSource, skeleton_named
from graphlift.formats.recognise import recognise_and_read
from graphlift.sequences import Keypoints

Size = tuple[int, int] | None
"""Width and height of the image, px, if known."""
Rate = float | None
"""Frames per second, if known."""


class Options(TypedDict, total=False):
    """What every loader takes besides: as :func:`read_keypoints`."""

    skeleton: str | None
    """Joint order by name, where the file does not state it."""
    people: int | None
    """Keep the so many people who are seen longest and largest; all when left out."""
    person: str | None
    """Keep one person: ``largest``, ``first``, ``longest``, ``centre``, or an id."""
    max_bytes: int
    """The most that is read whole."""


def read_keypoints(
    source: Path | str | object,
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    people: int | None = None,
    clip: str | None = None,
    max_bytes: int = MAX_BYTES,
    person: str | None = None,
    max_frames: int | None = None,
) -> Keypoints:
    """Read keypoints of any kind that is known; the kind is recognised by what is in it.

    What the file states (names, image size, fps, ids) is used, unless the caller states it too.
    ``source`` of the result is a line of what was read and what was assumed.

    Args:
        source: Path of a file or folder, an array, or results of a detector, alone or in an
            iterable with one a frame; see ``docs/formats.md``.
        skeleton: Joint order by name, where the file does not state it.
        image_size: Width and height, px.
        fps: Frames per second.
        people: Keep the so many people who are seen longest and largest (frames times size);
            all when left out.
        clip: Which clip, of a file that holds several.
        max_bytes: The most that is read whole.
        person: Keep one person: ``largest`` in the image, ``first`` seen, seen for the
            ``longest`` time, nearest to the ``centre`` of the image, or an id.
        max_frames: The most from the first to the last, of kinds whose people have to be told
            apart, which takes time by their number; any when left out.

    Raises:
        DatasetNotFoundError: If there is no such file, or a folder has no keypoints.
        FormatError: If it is of no kind that is known, damaged, too large, shows no person, or
            does not state something that must be known; the message names how to give it.
        ConfigError: If what the caller states cannot be.
        ModuleNotFoundError: If h5py is not installed, for .h5 (extra ``formats``).
    """
    return _read(
        source,
        (),
        skeleton=skeleton,
        image_size=image_size,
        fps=fps,
        people=people,
        clip=clip,
        max_bytes=max_bytes,
        person=person,
        max_frames=max_frames,
    )


def read_openpose(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read OpenPose's JSON: a folder of one file a frame, or a single frame.

    The number of joints tells the skeleton. Layout and source: :mod:`graphlift.formats.openpose`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("OpenPose",), fps=fps, image_size=image_size, **options)


def read_alphapose(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read AlphaPose's JSON: its list of results, ``cmu`` or ``open``, or PoseFlow's.

    Layout and source: :mod:`graphlift.formats.alphapose`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(
        path, ("AlphaPose", "PoseFlow", "COCO results"), fps=fps, image_size=image_size, **options
    )


def read_coco(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read COCO's keypoint JSON: annotations, or results.

    A hidden joint (v = 1) has confidence 0.5. Layout and source: :mod:`graphlift.formats.coco`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("COCO",), fps=fps, image_size=image_size, **options)


def read_mmpose(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read MMPose's JSON: of its inferencer, for a video or a folder of images, or of its demos.

    Layout and source: :mod:`graphlift.formats.mmpose`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("MMPose",), fps=fps, image_size=image_size, **options)


def read_mediapipe(
    source: Path | str | object,
    *,
    fps: Rate = None,
    image_size: Size = None,
    **options: Unpack[Options],
) -> Keypoints:
    """Read MediaPipe's pose landmarks: JSON, a csv, or its results in memory, one a frame.

    They are fractions of the image, so ``image_size`` is needed where the file does not state it.
    Layout and source: :mod:`graphlift.formats.mediapipe`.
    ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(source, ("MediaPipe", "csv"), fps=fps, image_size=image_size, **options)


def read_ultralytics(
    source: Path | str | object,
    *,
    fps: Rate = None,
    image_size: Size = None,
    **options: Unpack[Options],
) -> Keypoints:
    """Read ultralytics' ``to_json`` or ``save_txt``, a folder of these, or its results in memory.

    ``save_txt`` has fractions of the image, so ``image_size`` is needed. Layout and source:
    :mod:`graphlift.formats.ultralytics`.
    ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(source, ("ultralytics",), fps=fps, image_size=image_size, **options)


def read_deeplabcut(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read DeepLabCut's csv or h5 (extra ``formats``), of one individual or of several.

    Body parts are recognised by their names. Layout and source:
    :mod:`graphlift.formats.deeplabcut`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("DeepLabCut",), fps=fps, image_size=image_size, **options)


def read_sleap(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read SLEAP's analysis file: h5 (extra ``formats``) or csv.

    Nodes are recognised by their names. Layout and source: :mod:`graphlift.formats.sleap` and
    :mod:`graphlift.formats.tables`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("SLEAP", "csv"), fps=fps, image_size=image_size, **options)


def read_videopose3d(
    path: Path | str,
    *,
    fps: Rate = None,
    image_size: Size = None,
    clip: str | None = None,
    **options: Unpack[Options],
) -> Keypoints:
    """Read one clip of VideoPose3D's ``data_2d_*.npz``: one person, no confidences.

    A clip is named ``subject/action/camera``. Layout and source:
    :mod:`graphlift.formats.videopose3d`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("VideoPose3D",), fps=fps, image_size=image_size, clip=clip, **options)


def read_detectron2(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read the npz of a video that VideoPose3D's inference makes with Detectron or Detectron2.

    Layout and source: :mod:`graphlift.formats.videopose3d`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("Detectron",), fps=fps, image_size=image_size, **options)


def read_pose_format(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read a ``.pose`` file of pose-format, version 0.1 or 0.2.

    Layout and source: :mod:`graphlift.formats.pose_file`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("pose file",), fps=fps, image_size=image_size, **options)


def read_table(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Read a csv table, long (one row a joint) or wide (one row a frame or person).

    Layout: :mod:`graphlift.formats.tables`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("csv",), fps=fps, image_size=image_size, **options)


def open_keypoints_npz(
    path: Path | str, *, fps: Rate = None, image_size: Size = None, **options: Unpack[Options]
) -> Keypoints:
    """Open graphlift's own ``.npz``; numbers that are stored plainly stay in the file.

    They stay if they are not compressed and obey the rules of :class:`Keypoints` already, as
    :func:`graphlift.formats.arrays.write_keypoints` leaves them: then ``positions`` and
    ``confidence`` are read-only maps of the file, and going through them frame by frame takes no
    memory. Layout: :mod:`graphlift.formats.arrays`.
    ``path``, ``options`` and errors are as in :func:`read_keypoints`.
    """
    return _read(path, ("npz", "array"), fps=fps, image_size=image_size, **options)


def _read(
    source: object,
    tools: tuple[str, ...],
    *,
    skeleton: str | None = None,
    **stated: Any,  # noqa: ANN401
) -> Keypoints:
    known = None if skeleton is None else skeleton_named(skeleton)
    return recognise_and_read(source, KeypointSource("", known, tools=tools, **stated))
