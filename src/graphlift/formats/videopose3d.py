"""VideoPose3D's 2D keypoints (npz).

Layout: ``positions_2d`` {subject: {action: [a (frame, joint, 2) array a camera]}}, px, and
``metadata`` {``layout_name``, ``num_joints``, ``keypoints_symmetry``, ``video_metadata``?:
{subject: {``w``, ``h``, ``fps``?}}}, both pickled; read by
:mod:`graphlift.formats.foreign_npz`. A clip is named ``subject/action/camera``, such as
``S9/Walking 1/2`` or ``walk.mp4/custom/0``. There are no confidences and no missing joints: its
preparation fills gaps by interpolation.

Source: VideoPose3D's ``data/prepare_data_2d_custom.py`` and ``prepare_data_h36m.py``.
"""

from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Origin, finish
from graphlift.formats.foreign_npz import read_object_arrays
from graphlift.formats.request import Request, check_fps, check_image_size, skeleton_of
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, H36M_16, H36M_17, Skeleton
from graphlift.words import listed, plain, shown

_LAYOUTS = {"coco": (COCO_17,), "h36m": (H36M_17, H36M_16)}


def read_npz(path: Path, request: Request) -> Keypoints:
    """Read one clip of a file.

    Raises:
        FormatError: If the file is not as above, or holds several clips and the request names none
            of them.
    """
    names = ("positions_2d", "metadata")
    arrays = read_object_arrays(path, names, max_bytes=request.max_bytes)
    metadata = arrays.get("metadata", {})
    metadata = metadata if isinstance(metadata, dict) else {}
    clip, positions = _choose(_clips(arrays["positions_2d"], path), path, request)
    if positions.ndim != 3 or positions.shape[2] < 2 or positions.dtype.kind not in "iuf":
        raise FormatError(
            f"{path}: {clip} is {positions.shape} of {positions.dtype}, but should be (frame, "
            "joint, 2) numbers"
        )
    layout = metadata.get("layout_name")
    usual: tuple[Skeleton, ...] = _LAYOUTS.get(layout, ()) if isinstance(layout, str) else ()
    skeleton = skeleton_of(positions.shape[1], str(path), request, usual=usual)
    video = metadata.get("video_metadata")
    video = video.get(clip.split("/")[0]) if isinstance(video, dict) else None
    video = video if isinstance(video, dict) else {}
    size = (video.get("w"), video.get("h"))
    fps = video.get("fps")
    origin = Origin(
        "VideoPose3D npz",
        str(path),
        image_size=None if size == (None, None) else check_image_size(size, f"{path}: w and h"),
        fps=None if fps is None else check_fps(fps, f"{path}: fps"),
        notes=(f"clip {plain(clip)}",),
    )
    joints = positions[:, None, : len(skeleton), :2]
    return finish(joints, None, skeleton, origin, request, people=["0"])


def _clips(positions: Any, path: Path) -> dict[str, np.ndarray]:  # noqa: ANN401
    """List the arrays of all subjects, actions and cameras by name."""
    clips: dict[str, np.ndarray] = {}
    actions = positions.items() if isinstance(positions, dict) else ()
    for subject, of_subject in actions:
        for action, cameras in of_subject.items() if isinstance(of_subject, dict) else ():
            for camera, array in enumerate(cameras if isinstance(cameras, list) else ()):
                if isinstance(array, np.ndarray):
                    clips[f"{subject}/{action}/{camera}"] = array
    if not clips:
        raise FormatError(
            f"{path}: positions_2d should be {{subject: {{action: [array of a camera, ...]}}}}, "
            "but holds no array so: it is damaged or of another kind"
        )
    return clips


def _choose(clips: dict[str, np.ndarray], path: Path, request: Request) -> tuple[str, np.ndarray]:
    names = list(clips)
    known = listed((shown(each) for each in names), 6)
    if request.clip is None and len(names) > 1:
        raise FormatError(
            f"{path}: holds {len(names)} clips: say which, clip={shown(names[0])} or "
            f"another of {known}"
        )
    name = names[0] if request.clip is None else request.clip
    if name not in clips:
        raise FormatError(f"{path}: has no clip {shown(name)}: it holds {known}")
    return name, clips[name]
