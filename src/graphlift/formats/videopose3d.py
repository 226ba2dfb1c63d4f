"""VideoPose3D's npz files: 2D keypoints of many clips, and Detectron's results for one video.

*Keypoints*: ``positions_2d`` {subject: {action: [a (frame, joint, 2) array a camera]}}, px, and
``metadata`` {``layout_name``, ``num_joints``, ``keypoints_symmetry``, ``video_metadata``?:
{subject: {``w``, ``h``, ``fps``?}}}. A clip is named ``subject/action/camera``, such as
``S9/Walking 1/2`` or ``walk.mp4/custom/0``. There are no confidences and no missing joints: its
preparation fills gaps by interpolation.

*Detectron*, as VideoPose3D's inference leaves it: ``keypoints``, objects (frame, 2): an empty list
(the class *background*), then the people of the frame as an array (person, 4, joint) of x, y, a
logit (0 from Detectron2) and a score, or an empty list for no person; ``boxes`` and ``segments``
likewise; ``metadata`` ``{"w", "h"}``, the image's size. Seventeen joints are COCO's. There are no
ids.

All of it is pickled, and read by :mod:`graphlift.formats.plain_pickle`.

Source: VideoPose3D's ``data/prepare_data_2d_custom.py``, ``prepare_data_h36m.py``,
``inference/infer_video_d2.py`` and ``infer_video.py``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.errors import FormatError
from graphlift.formats.assembly import Detection, assemble, finish
from graphlift.formats.keypoint_source import KeypointSource, skeleton_of
from graphlift.formats.plain_pickle import read_object_arrays
from graphlift.sequences import Keypoints
from graphlift.skeletons import COCO_17, H36M_16, H36M_17, Skeleton
from graphlift.words import listed, plain, shown

_LAYOUTS: dict[object, tuple[Skeleton, ...]] = {"coco": (COCO_17,), "h36m": (H36M_17, H36M_16)}

_CLASSES = 2
"""Of Detectron: background, and people."""


def read_clip(path: Path, source: KeypointSource) -> Keypoints:
    """Read one clip of a file of keypoints.

    Raises:
        FormatError: If the file is not as above, or holds several clips and none of them is
            chosen.
    """
    arrays = read_object_arrays(path, ("positions_2d", "metadata"), max_bytes=source.max_bytes)
    metadata = _table(arrays.get("metadata"))
    clip, positions = _choose(_clips(arrays["positions_2d"], path), path, source.clip)
    if positions.ndim != 3 or positions.shape[2] < 2 or positions.dtype.kind not in "iuf":
        raise FormatError(
            f"{path}: {clip} is {positions.shape} of {positions.dtype}, but should be (frame, "
            "joint, 2) numbers"
        )
    layout = metadata.get("layout_name")
    video = _table(_table(metadata.get("video_metadata")).get(clip.split("/")[0]))
    source = source.of(
        "VideoPose3D npz",
        usual=_LAYOUTS.get(layout, ()) if isinstance(layout, str) else (),
        image_size=(video.get("w"), video.get("h")),
        fps=video.get("fps"),
    ).noting(f"clip {plain(clip)}")
    skeleton = skeleton_of(positions.shape[1], source)
    joints = positions[:, None, : len(skeleton), :2]
    return finish(joints, None, skeleton, source, people=["0"])


def _table(value: Any) -> dict[Any, Any]:  # noqa: ANN401
    return value if isinstance(value, dict) else {}


def _clips(positions: Any, path: Path) -> dict[str, np.ndarray]:  # noqa: ANN401
    """List the arrays of all subjects, actions and cameras by name."""
    clips = {
        f"{subject}/{action}/{camera}": array
        for subject, actions in _table(positions).items()
        for action, cameras in _table(actions).items()
        for camera, array in enumerate(cameras if isinstance(cameras, list) else ())
        if isinstance(array, np.ndarray)
    }
    if not clips:
        raise FormatError(
            f"{path}: positions_2d should be {{subject: {{action: [array of a camera, ...]}}}}, "
            "but holds no array so: it is damaged or of another kind"
        )
    return clips


def _choose(clips: dict[str, np.ndarray], path: Path, clip: str | None) -> tuple[str, np.ndarray]:
    names = list(clips)
    known = listed((shown(each) for each in names), 6)
    if clip is None and len(names) > 1:
        raise FormatError(
            f"{path}: holds {len(names)} clips: choose one, clip={shown(names[0])} or "
            f"another of {known}"
        )
    name = names[0] if clip is None else clip
    if name not in clips:
        raise FormatError(f"{path}: has no clip {shown(name)}: it holds {known}")
    return name, clips[name]


def read_detectron(path: Path, source: KeypointSource) -> Keypoints:
    """Read Detectron's results for one video.

    Raises:
        FormatError: If the file is not as above.
    """
    arrays = read_object_arrays(path, ("keypoints", "metadata"), max_bytes=source.max_bytes)
    frames = _frames(arrays["keypoints"], path)
    seen = [person for frame, found in enumerate(frames) for person in _people(found, frame, path)]
    metadata = _table(arrays.get("metadata"))
    size = (metadata.get("w"), metadata.get("h"))
    source = source.of("Detectron npz", usual=(COCO_17,), image_size=size)
    return assemble(seen, source, frames=range(len(frames)))


def _frames(found: Any, path: Path) -> list[Any]:  # noqa: ANN401
    """List the people of each frame; NumPy kept the two classes as an axis or as lists."""
    if isinstance(found, np.ndarray):  # no person in any frame
        return [[] for _ in range(len(found))]
    if isinstance(found, list) and all(isinstance(each, list) and each for each in found):
        if all(len(each) == _CLASSES for each in found):
            return [each[-1] for each in found]
    elif isinstance(found, list) and len(found) % _CLASSES == 0:
        return found[1::_CLASSES]
    raise FormatError(
        f"{path}: keypoints should be two for each frame, the background's, which is empty, and "
        "the people's: it is damaged or of another kind"
    )


def _people(found: Any, frame: int, path: Path) -> Iterator[Detection]:  # noqa: ANN401
    for person, array in enumerate(found if isinstance(found, (list, np.ndarray)) else [found]):
        if (
            not isinstance(array, np.ndarray)
            or array.ndim != 2
            or len(array) != 4
            or array.dtype.kind not in "iuf"
        ):
            raise FormatError(
                f"{path}: person {person} of frame {frame} should be an array (4, joint) of x, y, "
                "logit and score: it is damaged or of another kind"
            )
        yield Detection(frame, array[[0, 1, 3]].T.astype(np.float64))
