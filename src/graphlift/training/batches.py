"""Batches: which frames a step sees, as a function of seed and step alone."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from graphlift.protocols import Examples
from graphlift.protocols.paired_examples import Rows
from graphlift.views import Lessons, People, Variety, training_views


class Batches:
    """Training frames in memory, drawn by weight with replacement, an epoch at a time.

    Args:
        examples: The training frames.
        size: Frames a batch.
        seed: Same seed, same batches, whatever step one starts from.
        flip: Mirror half of the frames.
        device: Where the frames lie; which ones are drawn does not depend on it.
    """

    def __init__(
        self,
        examples: Examples,
        *,
        size: int,
        seed: int,
        flip: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.size, self.seed, self.flip, self.device = size, seed, flip, device
        self.inputs = torch.from_numpy(examples.inputs).to(device)
        self.targets = torch.from_numpy(examples.targets).to(device)
        self.mirror = torch.from_numpy(examples.skeleton.mirror).to(device)
        self._chances = examples.weights
        self._order = lru_cache(maxsize=1)(self._draw)

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch; the last batch of an epoch is as large as any other."""
        return max(len(self.inputs) // self.size, 1)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """The inputs and targets of a step, counted from 0 over all epochs."""
        epoch, place = divmod(step, self.per_epoch)
        drawn = self._order(epoch)[place * self.size : (place + 1) * self.size]
        chosen = torch.from_numpy(drawn).to(self.device)
        x, y = self.inputs[chosen], self.targets[chosen]
        return flipped(x, y, self.mirror, seed=(self.seed, step)) if self.flip else (x, y)

    def _draw(self, epoch: int) -> Int[np.ndarray, " frame"]:
        rng = np.random.default_rng([self.seed, epoch])
        count = self.per_epoch * self.size
        return rng.choice(len(self._chances), size=count, p=self._chances)


def flipped(
    x: Tensor, y: Tensor, mirror: Tensor, *, seed: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Mirror half of the frames: x changes sign, left and right change places."""
    coin = np.random.default_rng([*seed, 1]).random(len(x)) < 0.5
    heads = torch.from_numpy(coin).to(x.device)[:, None, None]
    other = [t[:, mirror] * t.new_tensor([-1.0, *[1.0] * (t.shape[-1] - 1)]) for t in (x, y)]
    return torch.where(heads, other[0], x), torch.where(heads, other[1], y)


class PackBatches:
    """Frames of a mapped pack, every one once an epoch, in an order of its own.

    Args:
        rows: The training frames.
        size: Frames a batch.
        seed: Same seed, same batches, whatever step one starts from.
        flip: Mirror half of the frames.
        drop_last: Drop what an epoch has left after its last whole batch; else it is a smaller
            batch, unless it is a single frame.
        device: Where batches lie.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        size: int,
        seed: int,
        flip: bool = False,
        drop_last: bool = True,
        device: torch.device | None = None,
    ) -> None:
        self.rows, self.size, self.seed, self.flip, self.device = rows, size, seed, flip, device
        self.drop_last = drop_last
        self.mirror = torch.from_numpy(rows.skeleton.mirror).to(device)
        self._order = lru_cache(maxsize=1)(self._shuffle)

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch."""
        whole, left = divmod(len(self.rows), self.size)
        return max(whole + (left > 1 and not self.drop_last), 1)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """The inputs and targets of a step, counted from 0 over all epochs."""
        epoch, place = divmod(step, self.per_epoch)
        chosen = self._order(epoch)[place * self.size : (place + 1) * self.size]
        x, y = (torch.from_numpy(a).to(self.device) for a in self.rows.gather(chosen))
        return flipped(x, y, self.mirror, seed=(self.seed, step)) if self.flip else (x, y)

    def _shuffle(self, epoch: int) -> Int[np.ndarray, " frame"]:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.rows))


class ViewBatches:
    """Fresh views of people through random cameras, a few batches drawn at a time.

    Args:
        people: The training frames.
        variety: How views vary.
        size: Frames a batch.
        seed: Same seed, same batches, whatever step one starts from.
        device: Where batches lie.
    """

    together = 32
    """Batches drawn at once: enough for NumPy to be quick, few enough to be small."""

    def __init__(
        self,
        people: People,
        variety: Variety,
        *,
        size: int,
        seed: int,
        device: torch.device | None = None,
    ) -> None:
        self.people, self.variety = people, variety
        self.size, self.seed, self.device = size, seed, device
        self._lessons = lru_cache(maxsize=1)(self._draw)

    @property
    def per_epoch(self) -> int:
        """Steps in which as many views are seen as there are training frames."""
        return max(len(self.people.positions) // self.size, 1)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """The inputs and targets of a step."""
        drawing, place = divmod(step, self.together)
        lessons = self._lessons(drawing)
        at = slice(place * self.size, (place + 1) * self.size)
        x, y = (torch.from_numpy(a[at]).to(self.device) for a in (lessons.inputs, lessons.targets))
        return x, y

    def _draw(self, drawing: int) -> Lessons:
        count = self.together * self.size
        seed = (self.seed, drawing)
        return training_views(self.people, self.variety, count=count, seed=seed).lessons()
