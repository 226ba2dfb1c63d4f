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
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from graphlift.cameras import DISTORTIONS, Camera
from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.formats.npz_members import list_members, map_member, read_members
from graphlift.hypotheses import Hypotheses
from graphlift.mapped import in_blocks
from graphlift.plain_json import parse_json
from graphlift.sequences import FRONTS, Keypoints, Poses
from graphlift.skeletons import Skeleton
from graphlift.words import shown

FORMAT = "graphlift-poses-1"
LARGEST = 4 * 2**30
"""Bytes of arrays that are read whole; beyond that a file is broken or hostile."""
MAPPED = 2**28
"""Bytes of arrays from which they stay in their file, if they are stored as we do: two hours of
one person at 50 frames a second."""
MOST_JOINTS = 1_000
LONGEST_ABOUT = 10_000_000
_HYPOTHESES = ("hypotheses", "hypothesis_weights", "hypothesis_sigma")
_ARRAYS = (
    *("poses", "seen", "sigma", "about", "keypoints", "keypoints_confidence"),
    *("camera_R", "camera_position", "fronts", "front_sigma"),
    *_HYPOTHESES,
)
_ONCE = ("about", "camera_R", "camera_position")
"""Those that are not of frames."""
_COPIED = 1 << 20
"""Bytes that are copied at a time."""
_LENS = {"focal": 2, "centre": 2, "radial": 3, "tangential": 2, "size": 2}
"""Fields of a camera besides its place, and how many numbers each has."""


def write_npz(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write our own format; :func:`read_npz` gets the same poses back."""
    with replacing(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name, array in arrays_of(poses).items():
            _store(archive, name, array.dtype, array.shape, _chunks(array))
    return _remarks(poses)


@contextmanager
def npz_parts(path: Path) -> Iterator[Callable[[Poses], tuple[str, ...]]]:
    """Give a function that writes a part of a clip: :func:`write_npz` of the whole, to the byte.

    An archive holds one array after the other, and says of each first how long it is. So the
    parts of each array wait in a file without a name in the same folder until all are there, and
    the disk holds the numbers twice; no file is left if the process is killed.
    """
    with replacing(path) as beside, ExitStack() as files:
        spools: dict[str, IO[bytes]] = {}
        frames, last = 0, None

        def write(part: Poses) -> tuple[str, ...]:
            nonlocal frames, last
            for name, array in arrays_of(part).items():
                if name not in _ONCE:
                    if name not in spools:
                        spools[name] = files.enter_context(TemporaryFile(dir=path.parent))
                    spools[name].writelines(_chunks(array))
            frames, last = frames + len(part), part
            return _remarks(part)

        yield write
        if last is None:
            return
        with zipfile.ZipFile(beside, "w") as archive:
            for name, array in arrays_of(last).items():
                shape, chunks = array.shape, _chunks(array)
                if name in spools:
                    spools[name].seek(0)
                    shape = (frames, *shape[1:])
                    chunks = iter(partial(spools[name].read, _COPIED), b"")
                _store(archive, name, array.dtype, shape, chunks)


def _store(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype,
    shape: tuple[int, ...],
    chunks: Iterable[bytes],
) -> None:
    """Add an array to an archive, as NumPy's ``savez`` does."""
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        member.writelines(chunks)


def _chunks(array: np.ndarray) -> Iterator[bytes]:
    """Give an array's numbers, some frames at a time."""
    if not array.ndim:
        return iter((array.tobytes(),))
    return (array[part].tobytes() for part in in_blocks(array))


def _remarks(poses: Poses) -> tuple[str, ...]:
    return (f"Everything in m, {poses.axes} axes, as in Python.",)


def arrays_of(poses: Poses) -> dict[str, np.ndarray]:
    """Name the arrays that poses are stored as; all but those of _ONCE have an axis of frames."""
    arrays = {"poses": poses.positions, "seen": poses.seen, "sigma": poses.sigma}
    if poses.keypoints is not None:  # maybe of no frame
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
    return arrays


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
    if (keypoints := poses.keypoints) is not None:
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
    """Read poses from our own format; arrays of a large file stay there, mapped to be read.

    Raises:
        FormatError: If it is damaged or too large.
        ValueError: If it was changed, as :func:`compose`.
    """
    members = list_members(path)
    if "keypoints" in members and not {"poses", "about"} & set(members):
        raise FormatError("holds keypoints, not poses: lift them first (graphlift lift)")
    ours = {name: members[name] for name in _ARRAYS if name in members}
    arrays: dict[str, np.ndarray] = {}
    if sum(member.size for member in ours.values()) > MAPPED:
        mapped = {name: map_member(path, member) for name, member in ours.items()}
        arrays = {name: array for name, array in mapped.items() if array is not None}
    size = sum(member.size for name, member in ours.items() if name not in arrays)
    if size > LARGEST:
        raise FormatError(f"unpacks to {size:,} bytes, more than {LARGEST:,}: cut the clip")
    arrays |= read_members(path, members, ours.keys() - arrays.keys(), LARGEST)
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
