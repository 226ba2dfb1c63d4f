"""Sums over frames, by activity, group and joint, from which every mean is made."""

import numpy as np
from jaxtyping import Bool

from graphlift.scoring.frames import Frames
from graphlift.scoring.pose_errors import ALIGNMENTS, Errors
from graphlift.scoring.scores import Score


class Sums:
    """Running sums; a cell is an activity within a group of sequences.

    Args:
        frames: Labels of all frames.
        correct: Which of the protocol's joints PCK and AUC count.
    """

    def __init__(self, frames: Frames, correct: Bool[np.ndarray, " joint"]) -> None:
        self.labels = frames
        self.correct = correct
        shape = (frames.cells, len(correct))
        self.sums = {name: np.zeros(shape) for name in (*ALIGNMENTS, "mpjve", "pck", "auc")}
        self.counted, self.predicted, self.steps = (np.zeros(shape, dtype=int) for _ in range(3))
        self.frames = np.zeros(frames.cells, dtype=int)
        self.scored = 0
        self.first_missing: tuple[int, int] | None = None
        self._offset = np.full((1, len(correct), 3), np.nan)

    def add(self, errors: Errors, start: int) -> None:
        """Add the frames from ``start`` on; chunks come in order."""
        rows = slice(start, start + len(errors.scored))
        cell = self.labels.cell[rows]
        for name, values in errors.values.items():
            self.sums[name] += self._by_cell(cell, values)
        self.counted += self._by_cell(cell, errors.counted).astype(int)
        self.predicted += self._by_cell(cell, errors.predicted).astype(int)
        self.frames += np.bincount(cell[errors.scored], minlength=self.labels.cells)
        self.scored += int(errors.scored.sum())
        self._add_steps(errors.offset, cell, self.labels.follows[rows])
        missing = errors.counted & ~errors.predicted
        if self.first_missing is None and missing.any():
            frame, joint = np.argwhere(missing)[0]
            self.first_missing = start + int(frame), int(joint)

    def _add_steps(self, offset: np.ndarray, cell: np.ndarray, follows: np.ndarray) -> None:
        """Add errors of velocity: how the offset changes from a frame to the next."""
        step = np.linalg.norm(np.diff(np.concatenate([self._offset, offset]), axis=0), axis=-1)
        taken = np.isfinite(step) & follows[:, None]
        self.sums["mpjve"] += self._by_cell(cell, np.where(taken, step, 0))
        self.steps += self._by_cell(cell, taken).astype(int)
        self._offset = offset[-1:]

    def _by_cell(self, cell: np.ndarray, values: np.ndarray) -> np.ndarray:
        joints = values.shape[1]
        index = cell[:, None] * joints + np.arange(joints)
        sums = np.bincount(index.ravel(), values.ravel(), minlength=self.labels.cells * joints)
        return sums.reshape(-1, joints)

    def score(self, cells: int | slice | tuple[slice, int], joint: int | None = None) -> Score:
        """Average over some cells, and over all joints or one.

        Args:
            cells: Index into activities and groups; the group of number 0 is none.
            joint: Index of the joint; all when left out.
        """
        table = np.arange(self.labels.cells).reshape(-1, len(self.labels.groups) + 1)
        chosen = table[cells].ravel()
        at = slice(None) if joint is None else slice(joint, joint + 1)

        def mean(name: str, over: np.ndarray, where: np.ndarray, unit: float) -> float | None:
            total = int(over[chosen][:, at][:, where[at]].sum())
            summed = float(self.sums[name][chosen][:, at][:, where[at]].sum())
            return unit * summed / total if total else None

        every = np.ones_like(self.correct)
        frames = self.frames[chosen] if joint is None else self.counted[chosen, joint]
        return Score(
            frames=int(frames.sum()),
            **{f"{name}_mm": mean(name, self.predicted, every, 1000) for name in ALIGNMENTS},
            mpjve_mm=mean("mpjve", self.steps, every, 1000),
            pck=mean("pck", self.counted, self.correct, 100),
            auc=mean("auc", self.counted, self.correct, 100),
        )
