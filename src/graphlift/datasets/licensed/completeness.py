"""Which subjects, activities, cameras and frames a copy of a data set has, and which it lacks."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from graphlift.datasets.licensed.reading import CameraSequence
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.words import listed

Unit = Literal["takes", "frames"]


@dataclass(frozen=True)
class Published:
    """What a data set should hold, as published.

    Args:
        name: Of the data set.
        unit: What ``counts`` counts: ``takes`` of an activity, or valid ``frames`` of a clip.
        counts: By subject, activity (clip, if frames are counted) and camera.
        parts: For each part of the data set its subjects and their valid frames by all cameras.
    """

    name: str
    unit: Unit
    counts: Mapping[tuple[str, str, str], int]
    parts: Mapping[str, tuple[Collection[str], int]]


def check_complete(
    sequences: Iterator[CameraSequence],
    published: Published,
    notes: list[str],
    *,
    where: str,
    partial: bool,
) -> Iterator[CameraSequence]:
    """Count sequences while they are read; compare with the published counts after the last.

    Args:
        sequences: All of the data set, one at a time.
        published: What there should be.
        notes: Gets a sentence on each part, and on each subject that is not complete.
        where: The folder, for messages.
        partial: Whether to go on if something is missing.

    Raises:
        FormatError: After the last sequence, if something is missing and ``partial`` is off.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    frames: Counter[str] = Counter()
    for sequence in sequences:
        valid = int(sequence.valid.sum())
        what, count = (
            (sequence.activity, 1) if published.unit == "takes" else (sequence.clip, valid)
        )
        found[sequence.subject, what, sequence.camera] += count
        frames[sequence.subject] += valid
        yield sequence
    lacking = missing(published, found)
    for part, (subjects, total) in published.parts.items():
        count = sum(frames[subject] for subject in subjects)
        line = f"the {part} part has {count:,} of {total:,} valid frames"
        notes.append(line)
        lacking += [line] if count != total else []
    if lacking and not partial:
        raise FormatError(
            f"{where}: {published.name} is not complete: {'; '.join(lacking)}: add what is "
            "missing, or give --partial for a pack of what is present, whose scores compare with "
            "no published ones"
        )
    notes.extend(f"not complete: {line}" for line in lacking if line not in notes)


def missing(published: Published, found: Mapping[tuple[str, str, str], int]) -> list[str]:
    """Name what differs from the published counts, in one phrase for each subject.

    Returns:
        Such as ``S5 has no takes of Eating, of Posing and 1 of 2 takes of Photo by camera 0``.
    """
    lines = []
    for subject in dict.fromkeys(who for who, _, _ in published.counts):
        counts = {key: count for key, count in published.counts.items() if key[0] == subject}
        cameras = {camera for _, _, camera in counts}
        differing: dict[tuple[str, str], list[str]] = {}
        for (_, what, camera), count in counts.items():
            if (n := found.get((subject, what, camera), 0)) != count:
                amount = f"{n:,} of {count:,}" if n else "no"
                differing.setdefault((amount, what), []).append(camera)
        phrases: dict[tuple[str, str], list[str]] = {}
        for (amount, what), those in differing.items():
            by = f" by camera {', '.join(those)}" if len(those) < len(cameras) else ""
            of = "" if what == subject else f" of {what}"
            phrases.setdefault((amount, by), []).append(of)
        if not any(map(found.get, counts)):
            lines.append(f"{subject} has nothing")
        elif phrases:
            named = (
                f"{amount} {published.unit}{','.join(whats)}{by}"
                for (amount, by), whats in phrases.items()
            )
            lines.append(f"{subject} has {' and '.join(named)}")
    return lines


def present(
    expected: Sequence[str], available: Collection[str], where: str, *, partial: bool
) -> list[str]:
    """Keep the expected sequences that are available, before anything is read.

    Args:
        expected: Names of sequences.
        available: Names that a folder or a file has.
        where: The folder or file, for the message.
        partial: Whether to go on without some of them.

    Raises:
        DatasetNotFoundError: If one is missing and ``partial`` is off, or all are.
    """
    found = [name for name in expected if name in available]
    if len(found) == len(expected) or (partial and found):
        return found
    lacking = [name for name in expected if name not in available]
    raise DatasetNotFoundError(
        f"{where}: {', '.join(lacking)} missing: get the files again, name the sequences to read "
        f"({listed(available)} are present), or go on without (--partial)"
    )
