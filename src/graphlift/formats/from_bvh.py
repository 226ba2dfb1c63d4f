"""Read BVH (Biovision hierarchy): bone offsets and Euler angles become the 17 joints.

A BVH states neither its unit nor its up axis, and every tool names joints in its own way. So the
unit is inferred from the length of the legs, y is taken as up, and joints are found by name in one
of the known families, or by a map (:mod:`graphlift.formats.rig_names`); all else is refused with
the line at fault. Children nest in braces, one frame is one line, and angles are degrees that
multiply in the order of the channels.

Source: Biovision's format as in Meredith and Maddock, "Motion capture file formats explained",
University of Sheffield, 2001.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
from jaxtyping import Float

from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.kinematics import (
    UNITS,
    Recipe,
    euler_to_matrix,
    forward_kinematics,
    guess_unit,
    leg_length,
)
from graphlift.formats.rig_names import find_joints, plain_name
from graphlift.geometry import y_up_to_z_up
from graphlift.numerals import decimal
from graphlift.sequences import is_frame_rate
from graphlift.words import counted, shown

LARGEST_FILE = 2**30
LONGEST_LINE = 1_000_000
MOST_JOINTS = 1_000
LARGEST_NUMBER = 1e9
"""A file beyond these is broken or hostile: bytes, characters, joints, size of a number."""

MOST_FRAMES = 500_000
"""In a file: 70 minutes at 120 frames a second. Each takes half a kilobyte or more."""

SHORTEST_LEG, LONGEST_LEG = 0.2, 1.6
"""m, of people, small children among them, in the files that we write ourselves in cm."""

CHUNK = 2048
"""Frames whose rotations are held at once."""

_CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "xyz")


class Lines:
    """Lines of a text file, counted, and the errors and numbers that come from them."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path = path
        self.number = 0
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == LONGEST_LINE:
            raise self.error(f"is longer than {LONGEST_LINE:,} characters: this is no text file")
        return line

    def error(self, problem: str, number: int | None = None) -> FormatError:
        """Compose an error that names file and line (the last one read unless given)."""
        return FormatError(f"{self.path}, line {number or self.number}: {problem}")

    def numbers(self, words: Sequence[str], number: int | None = None) -> list[float]:
        """Read finite numbers.

        Raises:
            FormatError: If a word is no number, not finite or absurdly large.
        """
        values: list[float] = []
        for word in words:
            try:
                values.append(decimal(word))
            except ValueError:
                raise self.error(f"{shown(word)} is not a number", number) from None
            if not abs(values[-1]) < LARGEST_NUMBER:
                raise self.error(
                    f"{shown(word)} is not finite, or absurdly large: export the file again "
                    "without gaps",
                    number,
                )
        return values


@contextmanager
def open_lines(path: Path) -> Iterator[Lines]:
    """Open a text file of motion capture.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is larger than LARGEST_FILE.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"no motion capture at {path}: give the path of a file")
    if path.stat().st_size > LARGEST_FILE:
        raise FormatError(f"{path}: is larger than {LARGEST_FILE:,} bytes: cut it into clips")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        yield Lines(path, file)


@dataclass
class _BvhJoint:
    """A joint or an End Site while its block is read."""

    name: str
    parent: int
    end: bool
    offset: list[float] = field(default_factory=list)
    channels: list[str] | None = None


def read_joints(
    path: Path,
    *,
    scale: float | Literal["auto"] = "auto",
    up: Literal["y", "z"] = "y",
    names: tuple[str, Recipe] | None = None,
) -> tuple[Float[np.ndarray, "frame joint 3"], float, str, float]:
    """Read the 17 joints of a BVH, whether a person can move like that or not.

    Args:
        path: The file.
        scale: Metres per unit of the file; ``auto`` infers it from the length of the legs.
        up: Axis that points up in the file, which is right-handed.
        names: From :func:`graphlift.formats.rig_names.read_map`, where the file's joints are of
            no known family.

    Returns:
        Positions, m, z up, from the file's own origin; frames per second; the family of its joint
        names; metres per unit.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If the file is cut short or broken, its joints are named in no known way, or
            its unit cannot be inferred.
    """
    with open_lines(path) as lines:
        nodes = _read_hierarchy(lines)
        values, fps = _read_motion(lines, nodes)
    family, weights = find_joints([node.name for node in nodes], str(path), names)
    joints = _joints(nodes, values, weights)
    if up == "y":
        joints = y_up_to_z_up(joints)
    own = family == "graphlift" and SHORTEST_LEG < leg_length(joints) * UNITS["cm"] < LONGEST_LEG
    if scale == "auto":
        scale = UNITS["cm"] if own else guess_unit(joints, str(path))
    return joints * scale, fps, family, scale


def _read_hierarchy(lines: Lines) -> list[_BvhJoint]:
    """Read up to and including the line MOTION."""
    words = (word for line in lines for word in re.findall(r"[{}]|[^\s{}]+", line))
    if (first := next(words, "")).upper() != "HIERARCHY":
        raise lines.error(f"starts with {shown(first)}, not with HIERARCHY: this is no BVH")
    nodes: list[_BvhJoint] = []
    blocks: list[int] = []
    for word in words:
        key = word.upper()
        if key == "MOTION" and nodes and not blocks:
            return nodes
        if key == "ROOT" or (blocks and key in ("JOINT", "END")):
            _open_block(lines, words, nodes, blocks, key)
        elif not blocks or key not in ("OFFSET", "CHANNELS", "}"):
            inside = f"inside {nodes[blocks[-1]].name}" if blocks else "outside the root's braces"
            raise lines.error(
                f"{shown(word)} cannot stand {inside}: braces do not match, or this is no BVH"
            )
        elif key == "OFFSET":
            _read_offset(lines, words, nodes[blocks[-1]])
        elif key == "CHANNELS":
            _read_channels(lines, words, nodes[blocks[-1]])
        else:
            node = nodes[blocks.pop()]
            if not node.offset or (node.channels is None and not node.end):
                raise lines.error(f"{node.name} lacks its OFFSET or CHANNELS")
    raise lines.error("the file ends before MOTION: it is cut short")


def _open_block(
    lines: Lines, words: Iterator[str], nodes: list[_BvhJoint], blocks: list[int], key: str
) -> None:
    given: list[str] = []
    while (word := next(words, "")) != "{":
        given.append(word)
        if not word or word == "}" or len(given) > 8:
            raise lines.error(f"{key} should have a name and then an opening brace")
    parent = blocks[-1] if blocks else -1
    if key == "ROOT" and nodes:
        raise lines.error("a second ROOT: one file is one person; export each on their own")
    if parent >= 0 and nodes[parent].end:
        raise lines.error(f"{key} inside an End Site, which can have no children")
    name = f"{nodes[parent].name}.end" if key == "END" else plain_name(" ".join(given))
    if not name or any(node.name == name for node in nodes):
        raise lines.error(f"the name {shown(' '.join(given))} is empty or used before")
    if len(nodes) == MOST_JOINTS:
        raise lines.error(f"more than {MOST_JOINTS:,} joints: this is no person")
    blocks.append(len(nodes))
    nodes.append(_BvhJoint(name, parent, end=key == "END"))


def _read_offset(lines: Lines, words: Iterator[str], node: _BvhJoint) -> None:
    if node.offset:
        raise lines.error(f"a second OFFSET for {node.name}")
    node.offset = lines.numbers([next(words, "end of file") for _ in range(3)])


def _read_channels(lines: Lines, words: Iterator[str], node: _BvhJoint) -> None:
    count = next(words, "end of file")
    if node.end or node.channels is not None or count not in set("0123456"):
        raise lines.error(
            f"CHANNELS {count[:40]} for {node.name}: a joint has them once, 0 to 6 of them, and "
            "an End Site none"
        )
    node.channels = [next(words, "end of file").lower() for _ in range(int(count))]
    if len(set(node.channels)) < int(count) or not set(node.channels) <= set(_CHANNELS):
        raise lines.error(
            f"channels {' '.join(node.channels)[:80]} of {node.name}: each should be one of "
            f"{', '.join(name.capitalize() for name in _CHANNELS)}, and none twice"
        )


def _read_motion(lines: Lines, nodes: list[_BvhJoint]) -> tuple[np.ndarray, float]:
    """Read numbers (frame, channel) as they stand in the file, and frames per second."""
    filled = (line for line in lines if line.strip())
    declared = lines.numbers([_header(lines, next(filled, ""), "Frames")])[0]
    duration = lines.numbers([_header(lines, next(filled, ""), "Frame Time")])[0]
    possible = duration > 0 and is_frame_rate(1 / duration)
    if declared < 1 or declared != int(declared) or not possible:
        raise lines.error(
            f"Frames: {declared:g} of {duration:g} s: there should be a whole number of them, at "
            "least one, of 0.0001 to 1000 s each"
        )
    expected = sum(len(node.channels or ()) for node in nodes)
    rows: list[np.ndarray] = []
    for line in filled:
        words = line.split()
        if len(words) != expected or len(rows) == declared:
            raise lines.error(
                f"{counted(len(words), 'number')} in frame {len(rows) + 1} of {declared:.0f}: "
                f"each frame is one line of {expected}, one for each channel; the file is cut "
                "short or damaged"
            )
        if len(rows) == MOST_FRAMES:
            raise lines.error(f"more than {MOST_FRAMES:,} frames: cut it into clips")
        rows.append(np.array(lines.numbers(words)))
    if len(rows) != declared or not expected:
        raise lines.error(
            f"{counted(int(declared), 'frame is', 'frames are')} declared, but the file has "
            f"{len(rows)} of {counted(expected, 'number')}: it is cut short"
        )
    return np.array(rows), _whole(1 / duration)


def _header(lines: Lines, line: str, key: str) -> str:
    pattern = key.replace(" ", r"\s+")
    found = re.fullmatch(rf"\s*{pattern}\s*:\s*(\S+)\s*", line, re.IGNORECASE)
    if not found:
        raise lines.error(f"found {shown(line.strip())} where '{key}: <number>' should be")
    return found[1]


def _whole(fps: float) -> float:
    """Undo the rounding of frame times: 1 / 0.0083333 is 120. NTSC's 29.97 stays."""
    return float(round(fps)) if abs(fps - round(fps)) < 5e-4 * fps else fps


def _joints(
    nodes: list[_BvhJoint],
    values: Float[np.ndarray, "frame channel"],
    weights: Float[np.ndarray, "joint node"],
) -> Float[np.ndarray, "frame joint 3"]:
    """Follow the hierarchy to the 17 joints, in the file's unit and axes.

    A joint that none of them needs (a finger, hair) is not followed.
    """
    used = np.asarray(weights.any(axis=0))
    for number in reversed(range(1, len(nodes))):  # parents stand before their children
        used[nodes[number].parent] |= used[number]
    needed = np.flatnonzero(used).tolist()
    parents = tuple(needed.index(nodes[n].parent) if nodes[n].parent >= 0 else -1 for n in needed)
    offsets = np.array([nodes[n].offset for n in needed])
    first = np.cumsum([0, *(len(node.channels or ()) for node in nodes)])
    moved: list[tuple[int, list[int], np.ndarray]] = []
    turns: list[tuple[list[int], str]] = []
    for joint, n in enumerate(needed):
        channels = list(enumerate(nodes[n].channels or [], start=first[n]))
        moves = [column for column, name in channels if name.endswith("position")]
        axes = ["xyz".index(name[0]) for _, name in channels if name.endswith("position")]
        if moves:
            places = _place(values[:, moves], offsets[joint, axes], nodes[n])
            moved.append((joint, axes, places))
        spun = [(column, name[0]) for column, name in channels if name.endswith("rotation")]
        turns.append(([column for column, _ in spun], "".join(axis.upper() for _, axis in spun)))
    parts = []
    for start in range(0, len(values), CHUNK):
        angles = np.radians(values[start : start + CHUNK])
        vectors = np.tile(offsets, (len(angles), 1, 1))
        for joint, axes, places in moved:
            vectors[:, joint, axes] = places[start : start + CHUNK]
        R = np.stack([euler_to_matrix(angles[:, at], order) for at, order in turns], axis=1)
        positions = forward_kinematics(vectors, R, parents)
        parts.append(np.einsum("jp,fpd->fjd", weights[:, needed], positions))
    return np.concatenate(parts)


def _place(moved: np.ndarray, offset: np.ndarray, node: _BvhJoint) -> np.ndarray:
    """Read position channels: they replace the offset, as most tools write them.

    Some tools write what is to be added to it; below the root that shows, because replacing would
    pull the joint onto its parent: the channels are nearer to zero than to the offset.
    """
    usual = np.median(moved, axis=0)
    added = node.parent >= 0 and np.linalg.norm(usual) < np.linalg.norm(usual - offset)
    return moved + offset if added else moved
