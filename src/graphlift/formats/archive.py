"""Our own ``.npz``: every field of poses, read back exactly, without pickle.

Arrays ``poses`` (frame, person, joint, 3), m, ``seen`` and ``sigma``; with keypoints also
``keypoints`` (px) and ``keypoints_confidence``; with a camera ``camera_R`` and
``camera_position``; if known ``fronts`` (frame, person, segment, 3) and ``front_sigma``, rad;
with several answers ``hypotheses`` (frame, person, hypothesis, joint, 3), m, root-relative in the
camera's axes, ``hypothesis_weights`` and ``hypothesis_sigma``, m.
What is no array of frames is JSON in ``about``. Nothing is compressed: coordinates hardly shrink,
and a long clip is written and read at the speed of the disk.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from graphlift.cameras import DISTORTIONS, Camera
from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.formats.npz_members import list_members, read_members
from graphlift.hypotheses import Hypotheses
from graphlift.plain_json import parse_json
from graphlift.sequences import FRONTS, Keypoints, Poses
from graphlift.skeletons import Skeleton
from graphlift.words import shown

FORMAT = "graphlift-poses-1"
LARGEST = 4 * 2**30
"""Bytes of arrays in a file; beyond that it is broken or hostile."""
MOST_JOINTS = 1_000
LONGEST_ABOUT = 10_000_000
_HYPOTHESES = ("hypotheses", "hypothesis_weights", "hypothesis_sigma")
_ARRAYS = (
    *("poses", "seen", "sigma", "about", "keypoints", "keypoints_confidence"),
    *("camera_R", "camera_position", "fronts", "front_sigma"),
    *_HYPOTHESES,
)
_LENS = {"focal": 2, "centre": 2, "radial": 3, "tangential": 2, "size": 2}
"""Fields of a camera besides its place, and how many numbers each has."""


def write_npz(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write our own format; :func:`read_npz` gets the same poses back."""
    arrays = {"poses": poses.positions, "seen": poses.seen, "sigma": poses.sigma}
    if poses.keypoints:
        arrays["keypoints"] = poses.keypoints.positions
        arrays["keypoints_confidence"] = poses.keypoints.confidence
    if poses.camera:
        arrays["camera_R"], arrays["camera_position"] = poses.camera.R, poses.camera.position
    for name in ("fronts", "front_sigma"):
        if getattr(poses, name) is not None:
            arrays[name] = getattr(poses, name)
    if given := poses.hypotheses:
        parts = (given.positions, given.weights, given.sigma)
        arrays |= dict(zip(_HYPOTHESES, parts, strict=True))
    arrays["about"] = np.array(json.dumps(describe(poses)))
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return (f"Everything in m, {poses.axes} axes, as in Python.",)


def describe(poses: Poses) -> dict[str, Any]:
    """Describe, for JSON, all that is no array."""
    about: dict[str, Any] = {
        "format": FORMAT,
        "units": poses.units,
        "axes": poses.axes,
        "rooted": poses.rooted,
        "fps": poses.fps,
        "people": list(poses.people),
        "skeleton": asdict(poses.skeleton),
        "model": poses.model,
        "notes": list(poses.notes),
    }
    if poses.fronts is not None:
        about["fronts"] = list(FRONTS)
    if poses.size_sigma is not None:  # a share, by person; null where unknown
        shares = poses.size_sigma.tolist()
        about["size_sigma"] = [None if math.isnan(share) else share for share in shares]
    if camera := poses.camera:
        about["camera"] = {
            name: [int(n) if name == "size" else float(n) for n in getattr(camera, name)]
            for name in _LENS
        } | {"distortion": camera.distortion}
    if keypoints := poses.keypoints:
        about["keypoints"] = {
            "skeleton": asdict(keypoints.skeleton),
            "image_size": list(map(int, keypoints.image_size)) if keypoints.image_size else None,
            "fps": keypoints.fps,
            "people": list(keypoints.people),
            "source": keypoints.source,
        }
    return about


def describe_alone(poses: Poses) -> dict[str, Any]:
    """Describe the same for a file without arrays: with the camera's place, without keypoints."""
    about = describe(poses)
    about.pop("keypoints", None)
    if camera := poses.camera:
        about["camera"] |= {"R": camera.R.tolist(), "position": camera.position.tolist()}
    return about


def read_npz(path: Path) -> Poses:
    """Read poses from our own format.

    Raises:
        FormatError: If it is damaged or too large.
        ValueError: If it was changed, as :func:`compose`.
    """
    members = list_members(path)
    if "keypoints" in members and not {"poses", "about"} & set(members):
        raise FormatError("holds keypoints, not poses: lift them first (graphlift lift)")
    size = sum(members[name].size for name in _ARRAYS if name in members)
    if size > LARGEST:
        raise FormatError(f"unpacks to {size:,} bytes, more than {LARGEST:,}: cut the clip")
    arrays = read_members(path, members, _ARRAYS, LARGEST)
    text = arrays.pop("about")
    if text.dtype.kind != "U" or text.ndim or text.nbytes > 4 * LONGEST_ABOUT:
        raise ValueError("about is not text of a sensible length")
    return compose(arrays, parse_json(str(text)))


def compose(arrays: Mapping[str, np.ndarray], about: Any) -> Poses:  # noqa: ANN401
    """Make poses of their arrays and of what :func:`describe` states of them.

    Raises:
        ValueError: If they do not fit each other; or, of a file that was changed by hand,
            KeyError, TypeError, IndexError, AttributeError or OverflowError.
    """
    if about["format"] != FORMAT:
        raise ValueError(f"its format is {shown(about['format'])}, not {shown(FORMAT)}")
    for name, values in arrays.items():
        if values.dtype.kind != ("b" if name == "seen" else "f"):
            expected = "booleans" if name == "seen" else "floating-point numbers"
            raise TypeError(f"{name} is of {values.dtype}, not of {expected}")
    if about.get("fronts", list(FRONTS)) != list(FRONTS):
        raise ValueError(f"fronts are of {shown(about['fronts'])}, not of {', '.join(FRONTS)}")
    if about["axes"] not in ("camera", "world") or about["units"] != Poses.units:
        raise ValueError(
            f"axes {shown(about['axes'])} or units {shown(about['units'])} are unknown"
        )
    keypoints = None
    if stored := about.get("keypoints"):
        keypoints = Keypoints(
            positions=arrays["keypoints"],
            confidence=arrays["keypoints_confidence"],
            skeleton=_skeleton(stored["skeleton"]),
            image_size=stored["image_size"] and tuple(map(int, stored["image_size"])),
            fps=stored["fps"],
            people=_texts(stored["people"]),
            source=str(stored["source"]),
        )
    return Poses(
        positions=arrays["poses"],
        skeleton=_skeleton(about["skeleton"]),
        axes=about["axes"],
        rooted=bool(about["rooted"]),
        seen=arrays["seen"],
        sigma=arrays["sigma"],
        fps=about["fps"],
        people=_texts(about["people"]),
        keypoints=keypoints,
        camera=_camera(arrays, about["camera"]) if "camera" in about else None,
        model=str(about["model"]),
        notes=_texts(about["notes"]),
        fronts=arrays.get("fronts"),
        front_sigma=arrays.get("front_sigma"),
        size_sigma=_shares(about["size_sigma"]) if "size_sigma" in about else None,
        hypotheses=Hypotheses(*(arrays[name] for name in _HYPOTHESES))
        if "hypotheses" in arrays
        else None,
    )


def _camera(arrays: Mapping[str, np.ndarray], about: Any) -> Camera:  # noqa: ANN401
    """Make a camera, whose place is among the arrays, or else described with its lens."""
    R, position = (
        arrays[f"camera_{name}"]
        if f"camera_{name}" in arrays
        else np.asarray(about[name], dtype=np.float64)
        for name in ("R", "position")
    )
    lens: dict[str, Any] = {
        name: tuple(map(int if name == "size" else float, about[name])) for name in _LENS
    }
    shapes = {"R": R.shape, "position": position.shape} | {n: (len(v),) for n, v in lens.items()}
    if shapes != {"R": (3, 3), "position": (3,)} | {n: (count,) for n, count in _LENS.items()}:
        raise ValueError(f"shapes {shapes} are no camera's")
    distortion = about.get("distortion", "human36m")  # older files do not state it
    if distortion not in DISTORTIONS:
        raise ValueError(f"distortion {shown(distortion)} is unknown")
    return Camera(R=R, position=position, distortion=distortion, **lens)


def _shares(values: Any) -> np.ndarray:  # noqa: ANN401
    """Make an array of numbers; null is NaN."""
    if not isinstance(values, list) or any(isinstance(share, (bool, str)) for share in values):
        raise TypeError("size_sigma is not a list of numbers")
    return np.array(values, dtype=np.float64)


def _texts(values: Any) -> tuple[str, ...]:  # noqa: ANN401
    if not isinstance(values, list):
        raise TypeError(f"{type(values).__name__} where a list of texts should be")
    return tuple(map(str, values))


def _skeleton(about: Any) -> Skeleton:  # noqa: ANN401
    joints = _texts(about["joints"])
    if len(joints) > MOST_JOINTS:
        raise ValueError(f"{len(joints)} joints: a skeleton has {MOST_JOINTS:,} at most")
    return Skeleton(
        str(about["name"]), joints, tuple(map(int, about["parents"])), str(about["centre"])
    )
