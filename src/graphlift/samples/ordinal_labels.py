"""Ordinal labels that people gave: which of two joints is nearer to the camera, from a table.

A csv file with the columns of :data:`COLUMNS` in any order, separated by commas, semicolons or
tabs; a row says of two joints of a person, in one frame of a clip by one camera, which is nearer:
``1`` where ``joint`` is, ``-1`` where ``other`` is, ``0`` where they are equally far. Clips,
cameras and frames are those of the data that the labels are for, frames counted from 0 in the
clip. What nobody said is left out.

A row of joints, each nearer than the next, that comes back to where it began is a contradiction,
and so are two labels of a pair that differ. "Equally far" has no exact meaning to a person, and is
not followed from joint to joint.
"""

import hashlib
from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from jaxtyping import Bool, Int, Int8

from graphlift.errors import FormatError
from graphlift.formats.tables import Rows, check_length, rows_of, separator_in
from graphlift.numerals import decimal, is_whole
from graphlift.skeletons import Skeleton
from graphlift.words import listed, shown

COLUMNS = ("subject", "clip", "camera", "frame", "joint", "other", "nearer")
UNSAID = 2
"""In place of a relation, of which nobody said anything."""
LARGEST = 2**31
"""Bytes of a table; a row takes about 50, so 40 million labels."""
_BLOCK = 4096
"""Frames whose labels are compared at once: a few MB."""
_LONGEST = 20
"""Digits of a frame's number."""
_WAY_OUT = "correct or leave out one of these labels"

View = tuple[str, str, str]
"""Names of a subject, a clip and a camera."""


class Trained(NamedTuple):
    """Which frames of a clip by a camera are trained on.

    Args:
        length: Frames of the clip.
        frames: Numbers in the clip of those that are trained on, ascending.
        samples: Their numbers among the samples.
    """

    length: int
    frames: Int[np.ndarray, " frame"]
    samples: Int[np.ndarray, " frame"]


@dataclass(frozen=True, eq=False)
class OrdinalLabels:
    """What people said of samples; the pairs of joints are all i < j, row by row.

    Args:
        relations: 1 where i is nearer to the camera, -1 where j is, 0 where they are equally far,
            and :data:`UNSAID`; of each labelled frame.
        row: The row in ``relations`` of each sample; -1 of one without labels.
        mirror: The joint that each exchanges places with in a mirrored sample.
    """

    relations: Int8[np.ndarray, "labelled pair"]
    row: Int[np.ndarray, " sample"]
    mirror: Int[np.ndarray, " joint"]

    def of(
        self, samples: Int[np.ndarray, " sample"], mirrored: Bool[np.ndarray, " sample"]
    ) -> Int8[np.ndarray, "sample pair"]:
        """The relations of some samples, some of them mirrored."""
        row = self.row[samples]
        found = np.where(row[:, None] < 0, np.int8(UNSAID), self.relations[row])
        i, j = self.mirror[_pairs(len(self.mirror))]
        columns = _columns(np.minimum(i, j), np.maximum(i, j), len(self.mirror))
        swapped = found[:, columns]
        swapped = np.where((i > j) & (swapped != UNSAID), -swapped, swapped)
        return np.where(mirrored[:, None], swapped, found)


class _Said(NamedTuple):
    """Labels by line, each with its frame and its pair i < j as numbers, and the frames."""

    table: Int[np.ndarray, "label 5"]
    samples: Int[np.ndarray, " labelled"]


def read_ordinal_labels(
    path: Path,
    skeleton: Skeleton,
    views: Mapping[View, Trained],
    *,
    count: int,
    positions_of: Collection[str] = (),
) -> OrdinalLabels:
    """Read a table of ordinal labels for training samples.

    Args:
        path: The table.
        skeleton: Of the samples.
        views: What is trained on.
        count: Number of samples.
        positions_of: People of whom order would count for nothing, since others alone are
            unlabelled.

    Raises:
        FormatError: If the table is damaged, a column is missing or unknown, or a label is of no
            two joints of the skeleton, no such relation, or of a person, clip, camera or frame
            that is not trained on; the line is named. Or if labels contradict one another; all
            their lines are named, with the joints.
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
    """
    _check_there(path)
    rows = rows_of(path, LARGEST, separator_in(path))
    said = _read(rows, path, skeleton, views, positions_of)
    relations = _agreed(said, path, skeleton)
    row = np.full(count, -1)
    row[said.samples] = np.arange(len(said.samples))
    return OrdinalLabels(relations, row, np.asarray(skeleton.mirror))


def digest_of(path: Path) -> str:
    """SHA-256 of a table.

    Raises:
        FileNotFoundError: If there is none.
        OSError: If the file cannot be read.
    """
    _check_there(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_there(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(
            f"supervision.ordinal_labels: there is no {path}: give the path of a csv table, seen "
            "from the folder in which the command is run"
        )


def _pairs(joints: int) -> Int[np.ndarray, "2 pair"]:
    return np.stack(np.triu_indices(joints, k=1))


def _columns(i: np.ndarray, j: np.ndarray, joints: int) -> np.ndarray:
    """The numbers of pairs i < j."""
    return np.asarray(i * joints - i * (i + 1) // 2 + j - i - 1)


def _read(
    rows: Rows,
    path: Path,
    skeleton: Skeleton,
    views: Mapping[View, Trained],
    positions_of: Collection[str],
) -> _Said:
    line, header = next(rows, (1, [""]))
    names = [name.strip() for name in header]
    if sorted(names) != sorted(COLUMNS):
        raise FormatError(
            f"{path}, line {line}: has the columns {listed(names)}: ordinal labels have "
            f"{', '.join(COLUMNS)}, each once"
        )
    at = [names.index(name) for name in COLUMNS]
    numbers, samples, labels = dict[tuple[str, ...], int](), dict[int, int](), array("q")
    for line, row in rows:
        check_length(row, len(COLUMNS), path, line)
        *frame, joint, other, nearer = (row[column].strip() for column in at)
        place = f"{path}, line {line}"
        if (number := numbers.get(tuple(frame))) is None:
            sample = _sample(frame, views, positions_of, place)
            number = numbers[tuple(frame)] = samples.setdefault(sample, len(samples))  # 3 is 03
        i, j = (_joint(name, skeleton, place) for name in (joint, other))
        if i == j:
            raise FormatError(f"{place}: {joint} is compared with itself: give two joints")
        r = _relation(nearer, place)
        labels.extend((number, min(i, j), max(i, j), r if i < j else -r, line))
    if not labels:
        raise FormatError(f"{path}: has no labels below its header: add some, or leave it out")
    return _Said(np.frombuffer(labels, dtype=np.int64).reshape(-1, 5), np.array([*samples]))


def _sample(
    frame: list[str], views: Mapping[View, Trained], positions_of: Collection[str], place: str
) -> int:
    """Find the sample that a row is about."""
    subject, clip, camera, number = frame
    if (trained := views.get((subject, clip, camera))) is None:
        _refuse_view((subject, clip, camera), views, place)
    if subject in positions_of:
        raise FormatError(
            f"{place}: {subject} is labelled in 3D, and objectives count for the unlabelled: add "
            "it to supervision.unlabelled, or leave its labels out"
        )
    if not is_whole(number) or len(number) > _LONGEST or int(number) >= trained.length:
        raise FormatError(
            f"{place}: {clip} has no frame {shown(number)}: give one from 0 to "
            f"{trained.length - 1}"
        )
    at = int(np.searchsorted(trained.frames, int(number)))
    if at == len(trained.frames) or trained.frames[at] != int(number):
        raise FormatError(
            f"{place}: frame {number} of {clip} is not trained on, but such as "
            f"{listed(trained.frames[:3].tolist())}: leave its labels out"
        )
    return int(trained.samples[at])


def _refuse_view(view: View, views: Collection[View], place: str) -> NoReturn:
    """Raise an error that names what of a view is not trained on, and what is in its place."""
    what = "subject", f"clip of {view[0]}", f"camera of {view[1]}"
    for end, kind in enumerate(what, start=1):
        known = dict.fromkeys(
            other[end - 1] for other in views if other[: end - 1] == view[: end - 1]
        )
        if view[end - 1] not in known:
            raise FormatError(
                f"{place}: {shown(view[end - 1])} is no {kind} that is trained on: give one of "
                f"{listed(sorted(known))}, or leave the label out"
            )
    raise AssertionError(view)


def _joint(name: str, skeleton: Skeleton, place: str) -> int:
    if name not in skeleton.joints:
        raise FormatError(
            f"{place}: {shown(name)} is no joint of {skeleton.name}: give one of "
            f"{', '.join(skeleton.joints)}"
        )
    return skeleton.joints.index(name)


def _relation(text: str, place: str) -> int:
    try:
        relation = decimal(text)
    except ValueError:
        relation = np.nan
    if relation not in (-1, 0, 1):
        raise FormatError(
            f"{place}: nearer is {shown(text)}: give 1 where joint is nearer, -1 where other is, "
            "0 where neither is"
        )
    return int(relation)


def _agreed(said: _Said, path: Path, skeleton: Skeleton) -> Int8[np.ndarray, "labelled pair"]:
    """Put labels in the place of their frame and pair, unless some contradict others."""
    frame, i, j, r, _ = said.table.T
    joints = len(skeleton)
    relations = np.full((len(said.samples), joints * (joints - 1) // 2), UNSAID, dtype=np.int8)
    column = _columns(i, j, joints)
    relations[frame, column] = r
    for at in np.flatnonzero(relations[frame, column] != r)[:1]:  # it was said again, otherwise
        _refuse(said, path, skeleton, frame[at], [(i[at], j[at])])
    for first in range(0, len(relations), _BLOCK):
        block = relations[first : first + _BLOCK]
        nearer = np.zeros((len(block), joints, joints), dtype=bool)
        one, other = _pairs(joints)
        nearer[:, one, other], nearer[:, other, one] = block == 1, block == -1
        reached = nearer.copy()
        for _ in range(joints.bit_length()):  # twice as far each time
            reached |= reached @ reached
        for at in np.flatnonzero(reached[:, range(joints), range(joints)].any(axis=1))[:1]:
            ring = _shortest_ring(nearer[at])
            pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
            _refuse(said, path, skeleton, first + at, pairs)
    return relations


def _refuse(
    said: _Said,
    path: Path,
    skeleton: Skeleton,
    frame: int,
    pairs: Sequence[tuple[int, int]],
) -> NoReturn:
    """Raise an error with every label of a frame that says something of one of some pairs."""
    lines, words = [], []
    of_frame = said.table[said.table[:, 0] == frame]
    for pair in pairs:
        one, other = sorted(map(int, pair))
        labels = of_frame[(of_frame[:, 1] == one) & (of_frame[:, 2] == other)]
        for r, line in dict(labels[:, 3:].tolist()).items():
            near, far = (one, other) if r >= 0 else (other, one)
            than = "is as far as" if r == 0 else "is nearer than"
            words.append(f"{skeleton.joints[near]} {than} {skeleton.joints[far]}")
            lines.append(str(line))
    raise FormatError(
        f"{path}, lines {', '.join(lines[:-1])} and {lines[-1]}: ordinal labels contradict: "
        f"{', '.join(words)}: {_WAY_OUT}"
    )


def _shortest_ring(nearer: Bool[np.ndarray, "joint joint"]) -> list[int]:
    """A shortest row of joints, each nearer than the next, and the last than the first."""
    rings = []
    for start in range(len(nearer)):
        rows, seen = [[start]], {start}
        while rows:
            row = rows.pop(0)
            if nearer[row[-1], start]:
                rings.append(row)
                break
            further = [int(n) for n in np.flatnonzero(nearer[row[-1]]) if n not in seen]
            seen |= set(further)
            rows += [[*row, n] for n in further]
    return min(rings, key=len)
