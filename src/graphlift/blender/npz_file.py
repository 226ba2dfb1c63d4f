"""graphlift's own .npz: arrays read one by one, each checked before its numbers are, no pickle.

Source: the ZIP format, numpy.lib.format, and graphlift's docs/formats-out.md.
"""

import json
import math
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from graphlift.blender.motion import (
    FARTHEST,
    FPS_ASSUMED,
    LARGEST_FILE,
    Z_UP,
    Motion,
    MotionError,
    brief,
    check_fps,
    check_frames,
    chosen,
    counted,
    reading,
    unit,
)
from graphlift.blender.solving import (
    RIG,
    RIG_PARENTS,
    SEVENTEEN,
    Shown,
    over_gaps,
    rigged,
)

NPZ_FORMAT = "graphlift-poses-1"
LONGEST_ABOUT = 1_000_000
"""Characters of what the file says about itself."""
MOST_ARRAYS = 1_000

SEGMENTS = {
    "Pelvis": "Hips",
    "Chest": "Spine2",
    "Head": "Head",
    "LUpperArm": "LeftArm",
    "RUpperArm": "RightArm",
    "LThigh": "LeftUpLeg",
    "RThigh": "RightUpLeg",
}
"""Segments whose front a file may state, and their bones."""
SUREST, SURE, FIT_SIGMA = np.radians(4), np.radians(10), np.radians(15)
"""rad; a front of a limb is taken to be no surer than the first, and counts as much as a right
angle of the next joint at the second; one of pelvis or chest counts half at the third."""
HEEL, TOES = 0.04, 0.02
"""m; heights of these points of a foot that stands flat."""
FIRST = 0.6
"""Weight of the nose against the eyes, and of the big toe against the small one."""


def read_npz_motions(path: str, person: str = "") -> list[Motion]:
    """Read people from an .npz of poses that graphlift wrote.

    Args:
        path: The file.
        person: Read only the one of this name.

    Raises:
        MotionError: Naming the file, the key and what is wrong with it.
        OSError: If the file cannot be opened.
    """
    file = Path(path).name
    with reading(file), zipfile.ZipFile(path) as archive:
        if len(archive.infolist()) > MOST_ARRAYS:
            raise MotionError(f"{file}: holds more than {MOST_ARRAYS:,} arrays")
        about = _about(archive, file)
        poses = _numbers(archive, "poses", file, 4)
        joints = _words(about["skeleton"], "joints", f"{file}: about: skeleton")
        people = _words(about, "people", f"{file}: about")
        expected = (len(people), len(joints), 3)
        if poses.shape[1:] != expected:
            whose = counted(len(people), "person", "people")
            raise MotionError(
                f"{file}: poses: is {poses.shape}, which does not fit {whose} of "
                f"{counted(len(joints), 'joint')}: (frames, {', '.join(map(str, expected))})"
            )
        who = chosen(people, person, file)
        check_frames(len(poses), len(who), file)
        fps, remarks = _npz_rate(about, file)
        fronts, sigma = _fronts(archive, about, file, poses.shape[:2])
        found = []
        for at in who:
            upright = y_upwards(poses[:, at], about["axes"])
            places = {joint: upright[:, i] for i, joint in enumerate(joints)}
            shown = Shown()
            _show_body(shown, places)
            if fronts is not None:
                own = None if sigma is None else sigma[:, at]
                _show_fronts(shown, y_upwards(fronts[:, at], about["axes"]), own)
            found.append(_npz_person(file, people[at], places, fps, remarks, shown))
    return found


def _npz_rate(about: dict[str, Any], file: str) -> tuple[float, tuple[str, ...]]:
    """Find the frame rate, and what is to be said of it and of the axes."""
    fps, remarks = check_fps(about.get("fps"), f"{file}: about: fps"), []
    if fps is None:
        fps, remarks = FPS_ASSUMED, [f"no frame rate is known: {FPS_ASSUMED:g} assumed"]
    if about["axes"] == "camera":
        remarks.append("as upright as the camera was: its axes are known, not the floor's")
    return fps, tuple(remarks)


def _npz_person(
    file: str,
    name: str,
    places: dict[str, np.ndarray],
    fps: float,
    remarks: tuple[str, ...],
    shown: Shown,
) -> Motion:
    """Make a motion of named joints, (frame, 3) each, y up."""
    if missing := [joint for joint in SEVENTEEN if joint not in places]:
        raise MotionError(
            f"{file}: about: skeleton: has no {', '.join(missing)}: make a GLB of it first, "
            "which derives them: graphlift convert FILE.npz -o FILE.glb"
        )
    joints = np.stack([places[joint] for joint in SEVENTEEN], axis=1)
    present = np.isfinite(joints).all(axis=(1, 2))
    if not present.any():
        raise MotionError(
            f"{file}: poses: no frame has the whole body of {brief(name, 40)}: make a GLB of it "
            "first, which fills in joints, or import another person"
        )
    joints[~present] = np.nan
    known = Shown(
        {bone: front for bone, front in shown.fronts.items() if np.isfinite(front).any()},
        {bone: side for bone, side in shown.sides.items() if np.isfinite(side).any()},
        shown.weights,
        shown.ends,
    )
    rig = rigged(over_gaps(joints), present, fps, known)
    return Motion(
        name, fps, RIG, RIG_PARENTS, rig.rest_heads @ Z_UP.T, Z_UP @ rig.rest_axes, rig.lengths,
        rig.heads @ Z_UP.T, Z_UP @ rig.axes, present, remarks,
    )  # fmt: skip


def y_upwards(vectors: np.ndarray, axes: str) -> np.ndarray:
    """Turn vectors (..., 3) of a camera's or of world axes to y up, as doubles."""
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=float), -1, 0)
    return np.stack([x, -y, -z] if axes == "camera" else [x, z, -y], axis=-1)


def _about(archive: zipfile.ZipFile, file: str) -> dict[str, Any]:
    """Read and check what the file says about itself."""
    names = {info.filename for info in archive.infolist()}
    if not {"poses.npy", "about.npy"} <= names:
        kept = ", ".join(brief(name, 30) for name in sorted(names)[:6])
        raise MotionError(
            f"{file}: has no arrays poses and about (but {kept or 'none'}): choose a file of "
            "poses that graphlift wrote (graphlift lift ... -o FILE.npz)"
        )
    kind, shape, raw = _array(archive, "about", file, 4 * LONGEST_ABOUT)
    if kind.kind != "U" or shape:
        raise MotionError(f"{file}: about: is {kind} of shape {shape}, and no text")
    text = raw.decode("utf-32-be" if kind.byteorder == ">" else "utf-32-le").rstrip("\0")
    about = json.loads(text, parse_constant=_not_finite)
    if not isinstance(about, dict) or about.get("format") != NPZ_FORMAT:
        said = about.get("format") if isinstance(about, dict) else about
        raise MotionError(f"{file}: about: format is {brief(said)}, not {NPZ_FORMAT}")
    if about.get("axes") not in ("camera", "world") or about.get("units") != "m":
        raise MotionError(f"{file}: about: axes or units are not camera or world, and m")
    if not isinstance(about.get("skeleton"), dict):
        raise MotionError(f"{file}: about: skeleton is missing")
    return about


def _not_finite(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a finite number")


def _words(table: dict[str, Any], key: str, where: str) -> list[str]:
    """Read a list of texts that differ."""
    words = table.get(key)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise MotionError(f"{where}: {key} is no list of names")
    if len(set(words)) < len(words):
        raise MotionError(f"{where}: {key}: a name is there twice")
    return words


def _array(
    archive: zipfile.ZipFile, key: str, file: str, most: int
) -> tuple[np.dtype[Any], tuple[int, ...], bytes]:
    """Read an array's type, shape and bytes; its header is compared with its size before."""
    info = archive.getinfo(f"{key}.npy")
    with reading(f"{file}: {key}"), archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            shape, fortran, kind = np.lib.format.read_array_header_1_0(member)
        else:
            shape, fortran, kind = np.lib.format.read_array_header_2_0(member)
        size = math.prod(shape) * kind.itemsize
        if kind.hasobject or fortran or kind.kind not in "fU":
            raise MotionError(f"{file}: {key}: is of {brief(kind)}, not of plain numbers in rows")
        if size > most:
            raise MotionError(
                f"{file}: {key}: has {size:,} bytes, and {most:,} is the most: cut it"
            )
        if size != info.file_size - member.tell():
            raise MotionError(f"{file}: {key}: its shape {brief(shape)} does not fit its bytes")
        raw = member.read(size + 1)
        if len(raw) != size:
            raise MotionError(f"{file}: {key}: is cut short")
    return kind, shape, raw


def _numbers(archive: zipfile.ZipFile, key: str, file: str, axes: int) -> np.ndarray:
    """Read floats; NaN is what is missing, and nothing is infinite or beyond any place."""
    kind, shape, raw = _array(archive, key, file, LARGEST_FILE)
    if kind.kind != "f" or len(shape) != axes or kind.itemsize > 8:
        raise MotionError(f"{file}: {key}: is {kind} of shape {shape}, not floats of {axes} axes")
    values = np.frombuffer(raw, kind).reshape(shape)
    if kind.itemsize < 4:  # which cannot hold the limit
        values = values.astype(np.float32)
    with np.errstate(invalid="ignore"):  # NaN of a kind that the processor complains of
        beyond = np.abs(values) > FARTHEST
    if beyond.any():
        raise MotionError(f"{file}: {key}: a number is infinite or larger than {FARTHEST:g}")
    return values


def _fronts(
    archive: zipfile.ZipFile, about: dict[str, Any], file: str, frames: tuple[int, ...]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Read the fronts of segments and their deviations, if there are any."""
    names = archive.namelist()
    if "fronts.npy" not in names:
        return None, None
    if about.get("fronts", list(SEGMENTS)) != list(SEGMENTS):
        raise MotionError(f"{file}: about: fronts are of other segments than {list(SEGMENTS)}")
    fronts = _numbers(archive, "fronts", file, 4)
    sigma = _numbers(archive, "front_sigma", file, 3) if "front_sigma.npy" in names else None
    expected = (*frames, len(SEGMENTS))
    if fronts.shape != (*expected, 3) or (sigma is not None and sigma.shape != expected):
        raise MotionError(
            f"{file}: fronts: does not fit poses, whose frames and people are {frames}"
        )
    return fronts, sigma


def _show_fronts(shown: Shown, fronts: np.ndarray, sigma: np.ndarray | None) -> None:
    """Enter stated fronts (frame, segment, 3), and how much each counts."""
    for at, bone in enumerate(SEGMENTS.values()):
        front = fronts[:, at]
        known = np.isfinite(front).all(axis=-1)
        if not known.any():
            continue
        off = np.zeros(len(front)) if sigma is None else np.nan_to_num(sigma[:, at].astype(float))
        shown.fronts[bone] = np.where(known[:, None], unit(front), np.nan)
        if bone in ("Hips", "Spine2"):
            shown.weights[bone] = 1 / (1 + (off / FIT_SIGMA) ** 2)
        else:
            shown.weights[bone] = np.where(known, (SURE / np.maximum(off, SUREST)) ** 2, 0)


def _show_body(shown: Shown, at: dict[str, np.ndarray]) -> None:
    """Enter what face, heels and toes show of head and feet, if the skeleton has them."""
    if {"Nose", "LEye", "REye", "LEar", "REar"} <= set(at):
        eyes, ears = (at["LEye"] + at["REye"]) / 2, (at["LEar"] + at["REar"]) / 2
        front = (1 - FIRST) * eyes + FIRST * at["Nose"] - ears
        shown.fronts["Head"] = _unit_or_nan(front)
        shown.sides["Head"] = at["LEar"] - at["REar"]
    for bone, side, left in (("LeftFoot", "L", 1), ("RightFoot", "R", -1)):
        if {f"{side}{part}" for part in ("Heel", "BigToe", "SmallToe")} <= set(at):
            big, small, heel = (at[f"{side}{part}"] for part in ("BigToe", "SmallToe", "Heel"))
            toes, ankle = FIRST * big + (1 - FIRST) * small, at[f"{side}Foot"]
            along = _unit_or_nan(toes - heel)
            up = _unit_or_nan(_beside(ankle - heel, along))
            length = np.linalg.norm(toes - heel, axis=-1, keepdims=True)
            sine = np.clip((HEEL - TOES) / np.maximum(length, 1e-9), -1, 1)
            front = np.sqrt(1 - sine**2) * along + sine * up  # level on a foot that stands flat
            above = _beside(ankle - heel, front) + np.cross(front, left * (small - big))
            shown.fronts[bone] = front
            shown.sides[bone] = np.cross(above, front)
            shown.ends[bone] = toes - ankle


def _unit_or_nan(vectors: np.ndarray) -> np.ndarray:
    made = unit(vectors)
    return np.where(made.any(axis=-1, keepdims=True), made, np.nan)


def _beside(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The part of vectors across an axis."""
    return np.asarray(vectors - (vectors * axis).sum(axis=-1, keepdims=True) * axis)
