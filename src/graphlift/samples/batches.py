"""Batches: which samples a step sees, as a function of seed and step alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from graphlift.samples.ordinal_labels import OrdinalLabels

Array = Any
"""A NumPy array, or torch's on the device of a run."""
Place = Callable[[np.ndarray], Array]
"""Moves an array to the network's device."""
Rows = Int[np.ndarray, " frame"]
Draw = Callable[[int], Rows]
"""From an epoch to its samples, by number, in the order in which they are seen."""
Gather = Callable[[Rows], tuple[Array, Array]]
"""From samples, by number, to their inputs and targets; new arrays."""

TOGETHER = 32
"""Batches of samples made at once: enough for NumPy to be fast, few enough to need little
memory."""


@dataclass(frozen=True, eq=False)
class Batches:
    """The inputs and targets of each step.

    Args:
        size: Samples a batch.
        per_epoch: Steps in an epoch.
        draw: Which samples an epoch sees.
        gather: Inputs and targets of samples.
        seed: Of the random choice of the samples that are mirrored.
        mirror: The joint that each exchanges places with in a mirrored sample, where the network
            is; None to mirror none.
        unlabelled: Of each sample, whether training must not see its 3D positions; None where it
            may see all.
        ordinal: What people said of the order in depth of its joints, if they did.
    """

    size: int
    per_epoch: int
    draw: Draw
    gather: Gather
    seed: int = 0
    mirror: Array | None = None
    unlabelled: Bool[np.ndarray, " frame"] | None = None
    ordinal: OrdinalLabels | None = None

    def __getitem__(self, step: int) -> tuple[Array, Array]:
        """The inputs and targets of a step, counted from 0 over all epochs."""
        x, y = self.gather(self._rows(step))
        if self.mirror is not None:
            mirrored = np.flatnonzero(self._mirrored(step, len(x)))
            for array in (x, y):
                _flip(array, mirrored, self.mirror)
        return x, y

    def labelled(self, step: int) -> Bool[np.ndarray, " sample"] | None:
        """Which samples of a step training may see in 3D; None where it may see all."""
        return None if self.unlabelled is None else ~self.unlabelled[self._rows(step)]

    def order(self, step: int) -> Int8[np.ndarray, "sample pair"] | None:
        """What people said of the samples of a step, mirrored as these are."""
        if self.ordinal is None:
            return None
        rows = self._rows(step)
        return self.ordinal.of(rows, self._mirrored(step, len(rows)))

    def _mirrored(self, step: int, count: int) -> Bool[np.ndarray, " sample"]:
        """Which samples of a step are mirrored."""
        if self.mirror is None:
            return np.zeros(count, dtype=bool)
        return np.random.default_rng([self.seed, step, 1]).random(count) < 0.5

    def _rows(self, step: int) -> Rows:
        epoch, place = divmod(step, self.per_epoch)
        return self.draw(epoch)[place * self.size : (place + 1) * self.size]


def _flip(array: Array, rows: Rows, mirror: Array) -> None:
    """Mirror some samples: x changes sign, left and right change places."""
    array[rows] = array[rows][:, mirror]
    array[rows, :, 0] *= -1


def drawn_by_weight(
    weights: Float[np.ndarray, " frame"],
    gather: Gather,
    *,
    size: int,
    seed: int,
    mirror: Array | None = None,
    unlabelled: Bool[np.ndarray, " frame"] | None = None,
    ordinal: OrdinalLabels | None = None,
) -> Batches:
    """Draw samples by their weights, with replacement; every batch of an epoch is whole."""
    per_epoch = max(len(weights) // size, 1)

    @lru_cache(maxsize=1)
    def draw(epoch: int) -> Rows:
        rng = np.random.default_rng([seed, epoch])
        return rng.choice(len(weights), size=per_epoch * size, p=weights)

    return Batches(size, per_epoch, draw, gather, seed, mirror, unlabelled, ordinal)


def each_once(
    count: int,
    gather: Gather,
    *,
    size: int,
    seed: int,
    drop_last: bool,
    mirror: Array | None = None,
    unlabelled: Bool[np.ndarray, " frame"] | None = None,
    ordinal: OrdinalLabels | None = None,
) -> Batches:
    """Draw each of ``count`` samples once an epoch, in an order of its own.

    The samples left after the last whole batch are a smaller one unless they are dropped; a
    single one always is, because a batch of one cannot be normalised.
    """
    whole, left = divmod(count, size)
    per_epoch = max(whole + (left > 1 and not drop_last), 1)

    @lru_cache(maxsize=1)
    def draw(epoch: int) -> Rows:
        # Of four bytes each: an epoch's order is what training holds of every sample.
        numbers = np.arange(count, dtype=number_type(count))
        np.random.default_rng([seed, epoch]).shuffle(numbers)
        return numbers

    return Batches(size, per_epoch, draw, gather, seed, mirror, unlabelled, ordinal)


def number_type(count: int) -> np.dtype:
    """Find the smallest type of whole numbers, of four bytes or eight, for so many samples."""
    return np.dtype(np.int32 if count <= np.iinfo(np.int32).max else np.int64)


def always_new(
    count: int,
    make: Callable[[tuple[int, int], int], tuple[np.ndarray, np.ndarray]],
    place: Place,
    *,
    size: int,
    seed: int,
    together: int = TOGETHER,
) -> Batches:
    """Make samples as training goes, a few batches at a time.

    Args:
        count: About how many are an epoch.
        make: From a seed and a number, so many inputs and targets.
        place: Moves an array to the network's device.
        size: Samples a batch.
        seed: Of the run; a block of batches has the seed (seed, number of the block).
        together: Batches of a block.
    """
    per_epoch, block = max(count // size, 1), together * size

    @lru_cache(maxsize=1)
    def made(number: int) -> tuple[np.ndarray, np.ndarray]:
        return make((seed, number), block)

    def draw(epoch: int) -> Rows:
        return np.arange(epoch * per_epoch * size, (epoch + 1) * per_epoch * size)

    def gather(rows: Rows) -> tuple[Array, Array]:
        number = int(rows[0]) // block
        inputs, targets = made(number)
        at = rows - number * block
        return place(inputs[at]), place(targets[at])

    return Batches(size, per_epoch, draw, gather)
