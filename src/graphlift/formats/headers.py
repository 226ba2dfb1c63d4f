"""What the columns of a table hold, by their names; every column is understood or reported.

If the column of people were not understood, several people would become one. So every column must
be understood: as the frame, the person, a joint's number, a time, or a number of the whole person
such as a score or a box. Other columns are left out only if they never change.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from graphlift.errors import FormatError
from graphlift.words import listed, plain, shown

Number = Literal["x", "y", "c"]

NUMBERS: Mapping[str, Number] = {
    "x": "x",
    "y": "y",
    **dict.fromkeys(
        ("c", "conf", "confidence", "score", "likelihood", "visibility", "v", "p"), "c"
    ),
}
"""How tables call a joint's position and its confidence."""

_FRAME = (
    *("frame", "frameid", "frameidx", "frameindex", "framenumber", "frameno", "framenum", "fnum"),
    *("frames", "framecount", "imageid", "imageindex", "image", "imagename", "img", "imgname"),
    *("filename", "file"),
)
_INDEX = ("index", "", "unnamed0")
"""Of rows; of frames only where each row is another frame."""
_PERSON = (
    *("person", "personid", "personidx", "personindex", "track", "trackid", "trackidx"),
    *("trackname", "individual", "individuals", "individualid", "instance", "instanceid"),
    *("instanceidx", "identity", "animal", "animalid", "subject", "subjectid", "objectid", "pid"),
    *("id", "people", "who"),
)
_JOINT = (
    *("joint", "keypoint", "bodypart", "landmark", "node", "marker", "jointname", "keypointname"),
    *("bodypartname", "landmarkname", "nodename", "name"),
)
_TIME = (
    *("t", "time", "times", "timestamp", "timestamps", "seconds", "sec", "s", "ms", "msec"),
    *("datetime", "timesec", "timeseconds", "timems", "timestampms", "timestampus", "timeus"),
)
_OF_PERSON = re.compile(
    r"(instance|tracking|track|person|pose|b?box|det|detection|mean|class)?"
    r"(score|conf|confidence)|presence|area|b?box.*|[xy][12]|[xywh]|width|height"
    r"|(joint|keypoint|landmark|bodypart|node)(id|idx|index)"
)
_NOBODY = ("", "nan", "none", "null", "na", "n/a")


def letters(name: str) -> str:
    """Reduce a column's name to its letters and digits, in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@dataclass(frozen=True)
class Header:
    """What each column of a table is, by place.

    Args:
        names: As in the file.
        frame: Which column counts frames.
        person: Which names people.
        joint: Of a long table, which names joints.
        numbers: Of a long table, which hold a joint's numbers.
        points: Of a wide table, which hold which number of which joint.
        depth: Which hold a joint's z.
        time: Which hold a time.
        understood: Which hold something else of the row that is known, and not used.
        strange: Which are not understood.
    """

    names: tuple[str, ...]
    frame: int | None
    person: int | None
    joint: int | None
    numbers: dict[int, Number]
    points: dict[int, tuple[str, Number]]
    depth: tuple[int, ...]
    time: tuple[int, ...]
    understood: tuple[int, ...]
    strange: tuple[int, ...]

    @property
    def unused(self) -> list[str]:
        """Names of the columns that are left out, a joint's z apart."""
        return [
            self.names[place] for place in sorted((*self.time, *self.understood, *self.strange))
            if self.names[place]
        ]  # fmt: skip


def read_header(names: Sequence[str], path: Path) -> Header:
    """Say what the columns are.

    Raises:
        FormatError: If two are one thing, or they are of a table that has no keypoints to read.
    """
    plains = [letters(name) for name in names]
    _check_cells(plains, path)
    joint = _first(plains, _JOINT)
    joint = joint if joint is not None and {"x", "y"} <= set(plains) else None
    numbers = {
        place: NUMBERS[name]
        for place, name in enumerate(plains)
        if joint is not None and name in NUMBERS
    }
    if len(set(numbers.values())) < len(numbers):
        raise FormatError(
            f"{path}: two columns are one number, among "
            f"{listed(names[place] for place in numbers)}: keep one of them"
        )
    person = _first(plains, _PERSON)
    frame = _first(plains, _FRAME if person is not None else (*_FRAME, *_INDEX))
    taken = {place for place in (frame, person, joint) if place is not None} | set(numbers)
    split = {} if joint is not None else {n: _split(name) for n, name in enumerate(names)}
    kinds: dict[str, list[int]] = {"depth": [], "time": [], "understood": [], "strange": []}
    points: dict[int, tuple[str, Number]] = {}
    for place, name in enumerate(plains):
        if place not in taken:
            kind = _kind(name, split.get(place))
            kinds.setdefault(kind, []).append(place)
            if kind == "point" and (point := split[place]):
                points[place] = point[0], NUMBERS[point[1]]
    placed = {point for point, number in points.values() if number != "c"}
    points, scores = (
        {n: point for n, point in points.items() if (point[0] in placed) is has_position}
        for has_position in (True, False)
    )
    kinds["strange"] += scores  # a confidence of something that has no position
    return Header(
        tuple(names), frame, person, joint, numbers, points, *map(tuple, (
            kinds["depth"], kinds["time"], kinds["understood"], kinds["strange"]
        )),
    )  # fmt: skip


def _check_cells(plains: Sequence[str], path: Path) -> None:
    if {"keypoints", "keypointsx"} & set(plains):
        raise FormatError(
            f"{path}: is ultralytics' table of one result, whose keypoints are lists in a cell: "
            "keep every frame's to_json in a list or a folder, or save_txt, and give that"
        )


def _kind(name: str, split: tuple[str, str] | None) -> str:
    """Say what a column is that is neither frame, person nor joint."""
    if name in _TIME:
        return "time"
    if name in (*_FRAME, *_INDEX) or _OF_PERSON.fullmatch(name):
        return "understood"
    if name == "z" or (split and split[1] == "z"):
        return "depth"
    return "point" if split else "strange"


@dataclass
class Watch:
    """Checks the columns that are not used, row by row.

    Args:
        header: Of the table.
        path: Of the table.
        depth: Whether a joint's z is anything but constant.
    """

    header: Header
    path: Path
    depth: bool = False
    _first: dict[int, str] = field(default_factory=dict)
    _times: set[str] = field(default_factory=set)

    def see(self, row: Sequence[str], line: int) -> None:
        """Check a row.

        Raises:
            FormatError: If a column that is not understood changes, or a time comes twice where
                no other column counts frames; column and line are named.
        """
        header = self.header
        for place in header.strange:
            first = self._first.setdefault(place, row[place])
            if row[place] != first:
                raise self._changing(place, line, first, row[place])
        for place in () if self.depth else header.depth:
            text = row[place].strip().lower()
            if text not in _NOBODY and self._first.setdefault(place, text) != text:
                self.depth = True
        if header.frame is None and header.time:
            text = row[header.time[0]]
            if text in self._times:
                raise FormatError(
                    f"{self.path}, line {line}: {plain(header.names[header.time[0]])} "
                    f"{shown(text)} "
                    "comes twice, so rows are not frames: add the columns frame and person, or "
                    "take the time out if it is only rounded"
                )
            self._times.add(text)

    def _changing(self, place: int, line: int, first: str, then: str) -> FormatError:
        names = self.header.names
        if letters(names[place]) in _PERSON and self.header.person is not None:
            return FormatError(
                f"{self.path}: both {plain(names[self.header.person])} and {plain(names[place])} "
                "say who a row is of: keep one of them"
            )
        return FormatError(
            f"{self.path}, line {line}: the column {shown(names[place])} changes, from "
            f"{shown(first)} to {shown(then)}, and is not understood: call it person if it says "
            "who, frame if it counts frames, and take it out if neither"
        )


def person_in(cell: str) -> str | None:
    """Read the person of a row; None where the cell is empty."""
    name = cell.strip()
    return None if name.lower() in _NOBODY else name


def _first(plains: Sequence[str], names: Collection[str]) -> int | None:
    """Find the column that is called by the earliest of some names."""
    return next((plains.index(name) for name in names if name in plains), None)


def _split(name: str) -> tuple[str, str] | None:
    """Split ``Nose_x`` into the joint and x, y, z or a name of the confidence."""
    for separator in "_. ":
        joint, _, number = name.rpartition(separator)
        if joint and number.lower() in (*NUMBERS, "z"):
            return joint, number.lower()
    return None
