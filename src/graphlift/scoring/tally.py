"""Sums over frames, by activity, group and joint, from which every mean is made."""

import numpy as np
from jaxtyping import Bool, Int

from graphlift.scoring.frames import Frames
from graphlift.scoring.judge import ALIGNMENTS, Judged
from graphlift.scoring.scores import Score


class Tally:
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
        self.counts, self.predicted, self.steps = (np.zeros(shape, dtype=int) for _ in range(3))
        self.frames = np.zeros(frames.cells, dtype=int)
        self.placed = 0
        self.first_missing: tuple[int, int] | None = None
        self._offset = np.full((1, len(correct), 3), np.nan)

    def add(self, judged: Judged, start: int) -> None:
        """Add the frames from ``start`` on; chunks come in order."""
        rows = slice(start, start + len(judged.placed))
        cell = self.labels.cell[rows]
        for name, values in judged.values.items():
            self.sums[name] += self._by_cell(cell, values)
        self.counts += self._by_cell(cell, judged.counts).astype(int)
        self.predicted += self._by_cell(cell, judged.predicted).astype(int)
        self.frames += np.bincount(cell[judged.placed], minlength=self.labels.cells)
        self.placed += int(judged.placed.sum())
        self._add_steps(judged.offset, cell, self.labels.follows[rows])
        missing = judged.counts & ~judged.predicted
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
        place = cell[:, None] * joints + np.arange(joints)
        sums = np.bincount(place.ravel(), values.ravel(), minlength=self.labels.cells * joints)
        return sums.reshape(-1, joints)

    def cells_of(
        self, *, activity: int | None = None, group: int | None = None
    ) -> Int[np.ndarray, " cell"]:
        """List the cells of an activity, or of a group, counted from 1."""
        cells = np.arange(self.labels.cells).reshape(-1, len(self.labels.groups) + 1)
        rows = slice(None) if activity is None else slice(activity, activity + 1)
        columns = slice(None) if group is None else slice(group, group + 1)
        return cells[rows, columns].ravel()

    def score(self, cells: Int[np.ndarray, " cell"], joint: int | None = None) -> Score:
        """Average over some cells, and over all joints or one."""
        at = slice(None) if joint is None else slice(joint, joint + 1)

        def mean(name: str, over: np.ndarray, where: np.ndarray, unit: float) -> float | None:
            total = int(over[cells][:, at][:, where[at]].sum())
            summed = float(self.sums[name][cells][:, at][:, where[at]].sum())
            return unit * summed / total if total else None

        every = np.ones_like(self.correct)
        return Score(
            frames=int((self.frames[cells] if joint is None else self.counts[cells, joint]).sum()),
            mpjpe_mm=mean("mpjpe", self.predicted, every, 1000),
            p_mpjpe_mm=mean("p_mpjpe", self.predicted, every, 1000),
            n_mpjpe_mm=mean("n_mpjpe", self.predicted, every, 1000),
            mpjve_mm=mean("mpjve", self.steps, every, 1000),
            pck=mean("pck", self.counts, self.correct, 100),
            auc=mean("auc", self.counts, self.correct, 100),
        )
