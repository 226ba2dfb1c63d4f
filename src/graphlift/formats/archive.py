"""Our own ``.npz``: every field of poses, read back exactly, without pickle.

Arrays ``poses`` (frame, person, joint, 3), m, ``seen`` and ``sigma``; with keypoints also
``keypoints`` (px) and ``keypoints_confidence``; with a camera ``camera_R`` and
``camera_position``. What is no array is JSON in ``about``. Nothing is compressed: coordinates
hardly shrink, and a long clip is written and read at the speed of the disk.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.cameras import DISTORTIONS, Camera
from graphlift.errors import DatasetNotFoundError, FormatError, GraphliftError
from graphlift.files import replacing
from graphlift.formats.npz_members import list_members, read_members
from graphlift.plain_json import parse_json
from graphlift.sequences import Keypoints, Poses
from graphlift.skeletons import Skeleton
from graphlift.words import reason, shown

FORMAT = "graphlift-poses-1"
LARGEST = 4 * 2**30
"""Bytes of arrays in a file; beyond that it is broken or hostile."""
MOST_JOINTS = 1_000
LONGEST_ABOUT = 10_000_000
_ARRAYS = (
    *("poses", "seen", "sigma", "about", "keypoints", "keypoints_confidence"),
    *("camera_R", "camera_position"),
)


def write_npz(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write our own format; :func:`read_npz` gets the same poses back."""
    arrays: dict[str, np.ndarray] = {
        "poses": poses.positions,
        "seen": poses.seen,
        "sigma": poses.sigma,
    }
    if poses.keypoints:
        arrays["keypoints"] = poses.keypoints.positions
        arrays["keypoints_confidence"] = poses.keypoints.confidence
    if poses.camera:
        arrays["camera_R"], arrays["camera_position"] = poses.camera.R, poses.camera.position
    arrays["about"] = np.array(json.dumps(describe(poses)))
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return (f"Everything in m, {poses.axes} axes, as in Python.",)


def describe(poses: Poses) -> dict[str, Any]:
    """Say in JSON's words what is no array."""
    about: dict[str, Any] = {
        "format": FORMAT,
        "units": poses.units,
        "axes": poses.axes,
        "rooted": poses.rooted,
        "fps": poses.fps,
        "people": list(poses.people),
        "skeleton": _skeleton(poses.skeleton),
        "model": poses.model,
        "notes": list(poses.notes),
    }
    if camera := poses.camera:
        about["camera"] = {
            name: [float(number) for number in getattr(camera, name)]
            for name in ("focal", "centre", "radial", "tangential")
        }
        about["camera"]["size"] = [int(number) for number in camera.size]
        about["camera"]["distortion"] = camera.distortion
    if keypoints := poses.keypoints:
        about["keypoints"] = {
            "skeleton": _skeleton(keypoints.skeleton),
            "image_size": list(map(int, keypoints.image_size)) if keypoints.image_size else None,
            "fps": keypoints.fps,
            "people": list(keypoints.people),
            "source": keypoints.source,
        }
    return about


def describe_alone(poses: Poses) -> dict[str, Any]:
    """Say the same where no array stands beside it: with the camera's place, no keypoints."""
    about = describe(poses)
    about.pop("keypoints", None)
    if camera := poses.camera:
        about["camera"] |= {"R": camera.R.tolist(), "position": camera.position.tolist()}
    return about


def compose_alone(arrays: Mapping[str, np.ndarray], about: Any) -> Poses:  # noqa: ANN401
    """Make poses of their arrays and of what :func:`describe_alone` says of them."""
    about = {name: value for name, value in about.items() if name != "keypoints"}
    if about["format"] != FORMAT:
        raise ValueError(f"its format is {str(about['format'])[:40]!r}, not {FORMAT!r}")
    if "camera" in about:
        place = {f"camera_{key}": _array(about["camera"][key]) for key in ("R", "position")}
        arrays = {**arrays, **place}
    return compose(arrays, about)


def _array(numbers: Any) -> np.ndarray:  # noqa: ANN401
    return np.asarray(numbers, dtype=np.float64)


def _skeleton(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "name": skeleton.name,
        "joints": list(skeleton.joints),
        "parents": list(skeleton.parents),
        "centre": skeleton.centre,
    }


def read_npz(path: Path) -> Poses:
    """Read poses from our own format.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is damaged, too large, or not one of ours.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"no poses at {path}: give an .npz that graphlift wrote")
    members = list_members(path)
    if "keypoints" in members and not {"poses", "about"} & set(members):
        raise FormatError(f"{path}: holds keypoints, not poses: lift them first (graphlift lift)")
    _check_size(path, sum(members[name].size for name in _ARRAYS if name in members))
    arrays = read_members(path, members, _ARRAYS, LARGEST)
    with naming_faults(path):
        return compose(arrays, _about(arrays))


@contextmanager
def naming_faults(path: Path) -> Iterator[None]:
    """Turn whatever :func:`compose` meets in a file that was changed into an error of ours.

    Raises:
        FormatError: With the file's name.
    """
    try:
        yield
    except GraphliftError as error:
        raise FormatError(f"{path}: {error}; write it again with graphlift") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise FormatError(
            f"{path}: is no {path.suffix} of poses from graphlift, or was changed "
            f"({type(error).__name__}: {reason(error)}): write it again with graphlift"
        ) from error


def _check_size(path: Path, size: int) -> None:
    if size > LARGEST:
        raise FormatError(
            f"{path}: unpacks to {size:,} bytes, more than {LARGEST:,}: cut the clip"
        )


def _about(arrays: Mapping[str, np.ndarray]) -> Any:  # noqa: ANN401
    text = arrays["about"]
    if text.dtype.kind != "U" or text.ndim or text.nbytes > 4 * LONGEST_ABOUT:
        raise ValueError("about is not text of a sensible length")
    about = parse_json(str(text))
    if about["format"] != FORMAT:
        raise ValueError(f"its format is {shown(about['format'])}, not {shown(FORMAT)}")
    return about


def compose(arrays: Mapping[str, np.ndarray], about: Any) -> Poses:  # noqa: ANN401
    """Make poses of their arrays and of what :func:`describe` says of them."""
    keypoints = None
    if "keypoints" in about:
        kept = about["keypoints"]
        keypoints = Keypoints(
            positions=_numbers(arrays, "keypoints"),
            confidence=_numbers(arrays, "keypoints_confidence"),
            skeleton=_read_skeleton(kept["skeleton"]),
            image_size=_pair(kept["image_size"], int) if kept["image_size"] else None,
            fps=kept["fps"],
            people=_texts(kept["people"]),
            source=str(kept["source"]),
        )
    if arrays["seen"].dtype != bool:
        raise TypeError("seen is not of booleans")
    if about["axes"] not in ("camera", "world") or about["units"] != Poses.units:
        raise ValueError(
            f"axes {shown(about['axes'])} or units {shown(about['units'])} are unknown"
        )
    return Poses(
        positions=_numbers(arrays, "poses"),
        skeleton=_read_skeleton(about["skeleton"]),
        axes=about["axes"],
        rooted=bool(about["rooted"]),
        seen=arrays["seen"],
        sigma=_numbers(arrays, "sigma"),
        fps=about["fps"],
        people=_texts(about["people"]),
        keypoints=keypoints,
        camera=_camera(arrays, about["camera"]) if "camera" in about else None,
        model=str(about["model"]),
        notes=_texts(about["notes"]),
    )


def _numbers(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if arrays[name].dtype.kind != "f":
        raise TypeError(f"{name} is of {arrays[name].dtype}, not of floating-point numbers")
    return arrays[name]


def _camera(arrays: Mapping[str, np.ndarray], about: Any) -> Camera:  # noqa: ANN401
    R, position = _numbers(arrays, "camera_R"), _numbers(arrays, "camera_position")
    if R.shape != (3, 3) or position.shape != (3,):
        raise ValueError(f"camera_R {R.shape} or camera_position {position.shape} is no camera's")
    k1, k2, k3 = map(float, about["radial"])
    distortion = about.get("distortion", "human36m")  # older files do not say
    if distortion not in DISTORTIONS:
        raise ValueError(f"distortion {str(distortion)[:40]!r} is unknown")
    return Camera(
        focal=_pair(about["focal"], float),
        centre=_pair(about["centre"], float),
        size=_pair(about["size"], int),
        R=R,
        position=position,
        radial=(k1, k2, k3),
        tangential=_pair(about["tangential"], float),
        distortion=distortion,
    )


def _pair(values: Any, kind: Any) -> Any:  # noqa: ANN401
    first, second = values
    return kind(first), kind(second)


def _texts(values: Any) -> tuple[str, ...]:  # noqa: ANN401
    if not isinstance(values, list):
        raise TypeError(f"{type(values).__name__} where a list of texts should be")
    return tuple(map(str, values))


def _read_skeleton(about: Any) -> Skeleton:  # noqa: ANN401
    joints = _texts(about["joints"])
    if len(joints) > MOST_JOINTS:
        raise ValueError(f"{len(joints)} joints: a skeleton has {MOST_JOINTS:,} at most")
    return Skeleton(
        str(about["name"]), joints, tuple(map(int, about["parents"])), str(about["centre"])
    )
