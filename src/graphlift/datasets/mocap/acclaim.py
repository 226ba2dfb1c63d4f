"""Acclaim: a skeleton (ASF) and its motion (AMC) in, a clip of the 17 joints out.

An ASF lists bones: at rest each points along ``direction`` (world axes) for ``length``; ``axis``
turns the world's axes into those in which its angles are given. With C that turn and M the turn
of a frame's angles, a bone turns by C M C^-1 against its parent, and ends where its parent ends
plus its turned vector. Letters are listed in the order in which they are applied, about fixed
axes: ``rx ry rz`` is M = Rz Ry Rx.

An AMC says neither its frame rate nor how many frames it should have: a file cut between two
frames cannot be distinguished from a whole one.

Source: Acclaim's format as in Meredith and Maddock, "Motion capture file formats explained",
University of Sheffield, 2001, and the files of mocap.cs.cmu.edu.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from graphlift.datasets.mocap.clips import Clip
from graphlift.datasets.mocap.person import check_person, put_on_floor
from graphlift.errors import FormatError
from graphlift.formats.from_bvh import CHUNK, MOST_FRAMES, MOST_JOINTS, Lines, open_lines
from graphlift.formats.kinematics import (
    Recipe,
    euler_to_matrix,
    forward_kinematics,
    missing_joints,
    recipe_weights,
)
from graphlift.geometry import y_up_to_z_up
from graphlift.numerals import is_whole
from graphlift.words import counted, shown

FPS = 120.0
"""Of nearly all of the CMU database; the format itself does not say."""

RECIPE: Recipe = {
    "Hip": "0.5*lhipjoint + 0.5*rhipjoint",
    "Spine": "lowerback",
    "Thorax": "thorax",
    "Neck/Nose": "upperneck",
    "Head": "head",
} | {
    f"{side.upper()}{joint}": terms.replace("@", side)
    for side in "lr"
    for joint, terms in {
        "Hip": "@hipjoint",
        "Knee": "@femur",
        "Foot": "@tibia",
        "Shoulder": "@clavicle",
        "Elbow": "@humerus",
        # The hand flexes at the end of the wrist, half as long as the radius and in line with it.
        "Wrist": "@wrist | 1.5*@radius + -0.5*@humerus",
    }.items()
}
"""Where the 17 joints are, as ends of bones."""

_Section = list[tuple[int, list[str]]]
"""Lines of a section: number and words."""

_ROOT = "root"


@dataclass(frozen=True, eq=False)
class Acclaim:
    """A skeleton as an ASF gives it; joints are the ends of bones, the root first.

    Args:
        path: The file.
        names: Of root and bones, parents before children.
        parents: Of each; the root's is -1.
        vectors: From the parent's end to the bone's, at rest, world axes, file units.
        axes: C of each bone.
        freedoms: Channels of each bone in the order of its line in an AMC: ``tx``, ``rz``, ...
        radians: Whether angles are in radians rather than degrees.
        scale: Metres per unit by the file's own word.
    """

    path: Path
    names: tuple[str, ...]
    parents: tuple[int, ...]
    vectors: Float[np.ndarray, "joint 3"]
    axes: Float[np.ndarray, "joint 3 3"]
    freedoms: tuple[tuple[str, ...], ...]
    radians: bool
    scale: float


def read_asf(path: Path) -> Acclaim:
    """Read a skeleton.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If the file is cut short or broken, a bone lacks something, hangs on two
            parents or on none, or bones hang on each other in a circle.
    """
    with open_lines(path) as lines:
        sections = _read_sections(lines)
        for name in ("units", "root", "bonedata", "hierarchy"):
            if name not in sections:
                raise lines.error(f"there is no section :{name}: this is no ASF, or cut short")
        units = {words[0].lower(): words[1:] for _, words in sections["units"]}
        length, radians = _read_units(lines, units)
        bones = _read_bones(lines, sections["bonedata"])
        names, parents = _read_tree(lines, sections["hierarchy"], bones)
        root = _read_root(lines, sections["root"])
        turn = 1.0 if radians else np.pi / 180
        made = [_make_bone(lines, name, bones[name], turn) for name in names[1:]]
    return Acclaim(
        path,
        names,
        parents,
        vectors=np.array([np.zeros(3), *(vector for vector, _, _ in made)]),
        axes=np.array([np.eye(3), *(C for _, C, _ in made)]),
        freedoms=(root, *(freedoms for _, _, freedoms in made)),
        radians=radians,
        scale=0.0254 / length,
    )


def read_amc(
    asf: Acclaim,
    path: Path,
    *,
    fps: float = FPS,
    scale: float | None = None,
    subject: str = "",
    activity: str = "unlabelled",
) -> Clip:
    """Read a motion of a skeleton.

    Args:
        asf: The skeleton of the same person.
        path: The file.
        fps: Frames per second, which the file does not say.
        scale: Metres per unit, if the ASF's ``length`` is not to be believed.
        subject: Who moves; the ASF's stem if empty.
        activity: What they do.

    Returns:
        A clip, floor at z = 0, x and y from the file's own origin.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If the file is cut short or broken, is of another skeleton, or what it holds
            is no person.
    """
    weights = recipe_weights(asf.names, RECIPE)
    if missing := missing_joints(weights):
        raise FormatError(
            f"{asf.path}: no bones for {', '.join(missing)}: the reader knows bones named as in "
            "the CMU database (lhipjoint, lfemur, ...; see docs/data.md)"
        )
    with open_lines(path) as lines:
        values, radians = _read_frames(lines, asf)
    turn = 1.0 if radians else np.pi / 180
    parts = [
        np.einsum("jp,fpd->fjd", weights, _positions(asf, values[start : start + CHUNK], turn))
        for start in range(0, len(values), CHUNK)
    ]
    metres = asf.scale if scale is None else scale
    joints = y_up_to_z_up(np.concatenate(parts)) * metres
    check_person(joints, fps, scale=metres, where=str(path))
    return Clip(
        name=path.stem,
        subject=subject or asf.path.stem,
        activity=activity,
        fps=fps,
        positions=put_on_floor(joints),
        provenance="amc",
    )


def _read_sections(lines: Lines) -> Mapping[str, _Section]:
    sections: dict[str, _Section] = {}
    section: _Section = []
    for line in lines:
        words = line.partition("#")[0].split()
        if words and words[0].startswith(":"):
            section = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            section.append((lines.number, words))
    return sections


def _read_units(lines: Lines, units: Mapping[str, list[str]]) -> tuple[float, bool]:
    angle = (units.get("angle") or ["deg"])[0].lower()
    if angle not in {"deg", "rad"}:
        raise lines.error(f":units: angle is {shown(angle)}, but should be deg or rad", 1)
    length = lines.numbers((units.get("length") or ["1"])[:1], 1)[0]
    if not length > 0:
        raise lines.error(f":units: length is {length:g}, but should be above 0", 1)
    return length, angle == "rad"


def _read_root(lines: Lines, section: _Section) -> tuple[str, ...]:
    """Read the root's channels in order."""
    known = {words[0].lower(): (number, words[1:]) for number, words in section}
    number, order = known.get("order", (lines.number, []))
    if sorted(map(str.lower, order)) != ["rx", "ry", "rz", "tx", "ty", "tz"]:
        raise lines.error(
            f"the root's order is {' '.join(order)[:60] or 'missing'}: it should hold TX TY TZ RX "
            "RY RZ, each once",
            number,
        )
    for key in ("position", "orientation"):
        number, words = known.get(key, (0, []))
        if any(lines.numbers(words, number)):
            raise lines.error(
                f"the root's {key} is not 0 0 0, which this reader does not support: set it to "
                "0 0 0 and add it to the root's values in the AMC",
                number,
            )
    return tuple(map(str.lower, order))


def _read_bones(
    lines: Lines, section: _Section
) -> Mapping[str, Mapping[str, tuple[int, list[str]]]]:
    bones: dict[str, Mapping[str, tuple[int, list[str]]]] = {}
    bone: dict[str, tuple[int, list[str]]] | None = None
    for number, words in section:
        key = words[0].lower()
        if (key == "begin") != (bone is None):
            raise lines.error(f"{shown(key)} where begin and end should enclose a bone", number)
        if key == "begin":
            bone = {}
        elif bone is not None and key == "end":
            name = " ".join(bone.get("name", (0, []))[1]).lower()
            if not name or name == _ROOT or name in bones or len(bones) == MOST_JOINTS:
                raise lines.error(
                    f"a bone's name is {shown(name)}: it should be given, not be root, and not "
                    f"appear twice; and there can be {MOST_JOINTS:,} bones",
                    number,
                )
            bones[name], bone = bone, None
        elif bone is not None:
            bone[key] = number, words[1:]
    if bone is not None or not bones:
        raise lines.error("the last bone has no end: the file is cut short")
    return bones


def _read_tree(
    lines: Lines, section: _Section, bones: Mapping[str, object]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Put the bones in an order in which parents come first."""
    if [words[0].lower() for _, words in section[:1] + section[-1:]] != ["begin", "end"]:
        raise lines.error(":hierarchy should be between begin and end: the file is cut short")
    children: dict[str, list[str]] = {}
    parent_of: dict[str, str] = {}
    for number, words in section[1:-1]:
        parent, *offspring = map(str.lower, words)
        for name in (parent, *offspring):
            if name not in bones and name != _ROOT:
                raise lines.error(f":hierarchy names {shown(name)}, which is no bone", number)
        for name in offspring:
            if name in parent_of or name == _ROOT:
                raise lines.error(
                    f"{name} hangs on {parent} and on {parent_of.get(name, 'nothing')}: a bone "
                    "has one parent, the root none",
                    number,
                )
            parent_of[name] = parent
            children.setdefault(parent, []).append(name)
    names = [_ROOT]
    for name in names:  # grows while we walk
        names.extend(children.get(name, ()))
    if lost := sorted(set(bones) - set(names)):
        raise lines.error(
            f":hierarchy never leads from the root to {', '.join(lost[:5])}: these bones hang on "
            "each other in a circle, or on nothing",
            section[0][0],
        )
    return tuple(names), (-1, *(names.index(parent_of[name]) for name in names[1:]))


def _make_bone(
    lines: Lines, name: str, bone: Mapping[str, tuple[int, list[str]]], turn: float
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read a bone's vector, its C and its degrees of freedom."""

    def numbers(key: str, count: int) -> list[float]:
        number, words = bone.get(key, (bone["name"][0], []))
        if len(words) < count:
            raise lines.error(f"bone {name}: {key} should have {counted(count, 'number')}", number)
        return lines.numbers(words[:count], number)

    direction, length = np.array(numbers("direction", 3)), numbers("length", 1)[0]
    if length < 0 or not 0.5 < np.linalg.norm(direction) < 2:
        raise lines.error(
            f"bone {name}: length {length:g} along {direction}: the direction should be a unit "
            "vector and the length not negative",
            bone["name"][0],
        )
    angles = np.array(numbers("axis", 3)) * turn
    number, words = bone["axis"]
    order = "".join(words[3:]).lower() or "xyz"
    freedom_number, freedoms = bone.get("dof", (0, []))
    if sorted(order) != ["x", "y", "z"]:
        raise lines.error(f"bone {name}: axis order {shown(order)} should be like XYZ", number)
    turns = tuple(map(str.lower, freedoms))
    if len(set(turns)) < len(turns) or not set(turns) <= {"rx", "ry", "rz"}:
        raise lines.error(
            f"bone {name}: dof {' '.join(turns)[:40]}: only rx, ry and rz, each once, can be read",
            freedom_number,
        )
    unit = direction / np.linalg.norm(direction)
    return unit * length, euler_to_matrix(angles, order), turns


def _read_frames(lines: Lines, asf: Acclaim) -> tuple[np.ndarray, bool]:
    """Read numbers (frame, channel) in the order of ``asf.freedoms``, and whether in radians."""
    widths = {name: len(free) for name, free in zip(asf.names, asf.freedoms, strict=True) if free}
    radians = asf.radians
    rows: list[np.ndarray] = []
    frame: dict[str, list[float]] = {}
    last = None
    for line in lines:
        words = line.partition("#")[0].split()
        key = words[0].lower() if words else ":"
        if key.startswith(":"):
            radians = {":degrees": False, ":radians": True}.get(key, radians)
        elif len(words) == 1 and is_whole(key):
            if last is not None:
                rows.append(_whole_frame(lines, frame, widths, last))
            number = int(key[:18])
            if last not in (None, number - 1):
                raise lines.error(f"frame {number} follows frame {last}: frames are missing")
            if len(rows) == MOST_FRAMES:
                raise lines.error(f"more than {MOST_FRAMES:,} frames: cut it into clips")
            last, frame = number, {}
        elif last is None:
            raise lines.error(f"{shown(key)} before the first frame number: this is no AMC")
        else:
            frame[key] = _angles(lines, frame, widths, words)
    if last is None:
        raise lines.error("there is no frame: this is no AMC, or cut short")
    rows.append(_whole_frame(lines, frame, widths, last))
    return np.array(rows), radians


def _whole_frame(
    lines: Lines, frame: Mapping[str, list[float]], widths: Mapping[str, int], number: int
) -> np.ndarray:
    if len(frame) < len(widths):
        missing = [name for name in widths if name not in frame]
        raise lines.error(
            f"frame {number} ends without {', '.join(missing[:3])}: the file is cut short, or of "
            "another skeleton"
        )
    return np.array([value for name in widths for value in frame[name]])


def _angles(
    lines: Lines, frame: Mapping[str, object], widths: Mapping[str, int], words: list[str]
) -> list[float]:
    name, *numbers = words
    if (name := name.lower()) not in widths:
        raise lines.error(
            f"{shown(name)} is no moving bone of the skeleton: the file is cut short, or needs "
            "its own ASF"
        )
    if len(numbers) != widths[name] or name in frame:
        raise lines.error(
            f"{name} has {counted(len(numbers), 'number')}, or is twice in its frame; the "
            f"skeleton gives it {widths[name]}, once: the file is cut short or of another skeleton"
        )
    return lines.numbers(numbers)


def _positions(
    asf: Acclaim, values: Float[np.ndarray, "frame channel"], turn: float
) -> Float[np.ndarray, "frame joint 3"]:
    """Find where bones end, in the file's unit and axes; ``turn`` makes angles radians."""
    vectors = np.tile(asf.vectors, (len(values), 1, 1))
    rotations = []
    columns: Iterator[int] = iter(range(values.shape[1]))
    for joint, freedoms in enumerate(asf.freedoms):
        at = {name: next(columns) for name in freedoms}
        for axis, name in enumerate(("tx", "ty", "tz")):
            if name in at:
                vectors[:, joint, axis] = values[:, at[name]]
        spun = [name for name in freedoms if name[0] == "r"]
        M = euler_to_matrix(
            values[:, [at[name] for name in spun]] * turn, "".join(n[1] for n in spun)
        )
        rotations.append(asf.axes[joint] @ M @ asf.axes[joint].T)
    return forward_kinematics(vectors, np.stack(rotations, axis=1), asf.parents, own_turn=True)
