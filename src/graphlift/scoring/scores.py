"""Scores of predictions, with their protocol: values to be printed or written as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from graphlift.protocols.named import Average, Protocol


@dataclass(frozen=True)
class Score:
    """Errors over some frames or joints; None where nothing is known.

    Args:
        frames: How many; for one joint, those in which it counts.
        mpjpe_mm: Protocol 1, root-aligned.
        p_mpjpe_mm: Protocol 2, after the best similarity of each frame.
        n_mpjpe_mm: After the best scale of each frame.
        mpjve_mm: Velocity error, mm a frame; only where sequences are named.
        pck: Share of joints nearer than 150 mm, per cent.
        auc: Mean of that share over 0, 5, ..., 150 mm, per cent.
    """

    frames: int
    mpjpe_mm: float | None
    p_mpjpe_mm: float | None
    n_mpjpe_mm: float | None
    mpjve_mm: float | None
    pck: float | None
    auc: float | None


@dataclass(frozen=True)
class Counts:
    """What was scored and what was not.

    Args:
        frames: In the files.
        frames_scored: Of them.
        frames_excluded: In sequences that the protocol leaves out.
        frames_not_valid: Without truth for the root or for three joints.
        joints_not_valid: Joints without truth in frames that were scored.
        joints_missing: Joints that count and were not predicted; they are in no MPJPE, and wrong
            for PCK and AUC.
    """

    frames: int
    frames_scored: int
    frames_excluded: int
    frames_not_valid: int
    joints_not_valid: int
    joints_missing: int


@dataclass(frozen=True)
class Scores:
    """All scores of a set of predictions, with their protocol.

    Args:
        protocol: The protocol, with its joints, root and averages.
        adaptations: Deviations that were asked for.
        average: What ``overall`` averages over: the protocol's choice, or frames if no activities
            were given.
        overall: The numbers to quote.
        per_activity: By name, in the protocol's order or by name.
        per_group: By name of the protocol's groups of sequences.
        per_joint: By name; averaged as ``overall`` is.
        counts: What was scored.
        notes: What matters in a comparison with other numbers, one sentence each.
    """

    protocol: Protocol
    adaptations: tuple[str, ...]
    average: Average
    overall: Score
    per_activity: Mapping[str, Score]
    per_group: Mapping[str, Score]
    per_joint: Mapping[str, Score]
    counts: Counts
    notes: tuple[str, ...]

    def describe(self) -> str:
        """Name in one line the protocol, and the deviations from it."""
        return self.protocol.describe(self.adaptations, average=self.average)

    def as_json(self) -> dict[str, Any]:
        """Convert to plain data: the overall numbers at the top, nothing rounded."""
        parts = {
            name: {key: asdict(score) for key, score in getattr(self, name).items()}
            for name in ("per_activity", "per_group", "per_joint")
        }
        return {
            "protocol": self.protocol.name,
            "description": self.describe(),
            "adaptations": list(self.adaptations),
            "average": self.average,
            **asdict(self.overall),
            "counts": asdict(self.counts),
            "notes": list(self.notes),
            **parts,
        }


def mean_of(scores: Sequence[Score]) -> Score:
    """Average the scores that have frames, with equal weights; None where one of them is None."""
    scores = [score for score in scores if score.frames]

    def mean(name: str) -> float | None:
        values = [getattr(score, name) for score in scores]
        return None if None in values or not values else sum(values) / len(values)

    names = [each.name for each in fields(Score) if each.name != "frames"]
    return Score(sum(score.frames for score in scores), *map(mean, names))
