"""Several processes that train one network, each on its part of every batch.

Every process makes the same batches, a function of seed and step alone, and holds the same
network. It computes the network on its own part. What the network said of all parts is then put
together, so that every process computes the loss of the whole batch, whatever kind of mean that
loss is; and the gradients of the parts are added up. With the layers of
:mod:`graphlift.nn.whole_batch`, a step is then that of one process, but for rounding.

torch's ``DistributedDataParallel`` is not used: it averages the gradients of losses of parts, and
these are the loss of the whole only where that is a plain mean over samples.
"""

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from graphlift.errors import ConfigError, ModelError
from graphlift.nn.bidirectional import Attributed
from graphlift.nn.build import Said
from graphlift.nn.mixture import Mixture
from graphlift.nn.ordinal_depth import Ordered
from graphlift.nn.spread import spread
from graphlift.nn.whole_batch import Part
from graphlift.words import counted

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Group:
    """The processes that train one network.

    Args:
        part: Of each batch that is this process's.
        device: Where they exchange what is not on the network's device.
    """

    part: Part = field(default_factory=lambda: Part(0, 1))
    device: str = "cpu"

    @property
    def size(self) -> int:
        """How many there are."""
        return self.part.ranks

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files and speaks."""
        return self.part.rank == 0

    def spread(self, network: nn.Module) -> None:
        """Make a network train on parts of batches (:func:`graphlift.nn.spread.spread`)."""
        if self.size > 1:
            spread(network, self.part)

    def own(self, batch: Tensor) -> Tensor:
        """Take this process's samples of a batch, which is the one under way from now on."""
        self.part.whole = len(batch)
        return batch[self.part.rows]

    def together(self, said: Said) -> Said:
        """Put together what the network said of the parts of a batch, for its gradient, too."""
        if self.size == 1:
            return said
        if isinstance(said, Tensor):
            return self._tensor(said)
        if isinstance(said, Mixture):
            return Mixture(*(self._tensor(each) for each in said))
        if isinstance(said, Attributed):
            parts = self._tensor(said.pose), self._tensor(said.attributes)
            return Attributed(*parts, said.skeleton)
        return Ordered(self._tensor(said.pose), self._tensor(said.depths), said.skeleton)

    def add_gradients(self, network: nn.Module) -> None:
        """Add up the gradients of all processes; each then has the whole batch's."""
        learnt = [p for p in network.parameters() if p.grad is not None]
        if self.size == 1 or not learnt:
            return
        flat = torch.cat([p.grad.flatten() for p in learnt if p.grad is not None])
        distributed.all_reduce(flat)
        ends = np.cumsum([p.numel() for p in learnt[:-1]]).tolist()
        for parameter, grad in zip(learnt, flat.tensor_split(ends), strict=True):
            parameter.grad = grad.view_as(parameter)

    def any(self, one: bool) -> bool:
        """Tell whether a thing holds in any of the processes, in all of them alike."""
        if self.size == 1:
            return one
        held = torch.tensor(float(one), device=self.device)
        distributed.all_reduce(held)
        return bool(held.item())

    def agree(self, what: str, value: object) -> None:
        """Refuse to go on if the processes differ in a value.

        Args:
            what: It is, for the message.
            value: That is the same in all processes if its text is.

        Raises:
            ModelError: In all processes.
        """
        if self.size == 1:
            return
        digest = hashlib.sha256(str(value).encode()).digest()
        own = torch.tensor(list(digest), dtype=torch.float32, device=self.device)
        most, least = own.clone(), own
        distributed.all_reduce(most, distributed.ReduceOp.MAX)
        distributed.all_reduce(least, distributed.ReduceOp.MIN)
        if not torch.equal(most, least):
            raise ModelError(
                f"the {self.size} processes of this run do not agree on {what}: start them with "
                "the same configuration and data, on a folder that all of them can read"
            )

    def _tensor(self, own: Tensor) -> Tensor:
        whole: Tensor = _Together.apply(own, self.part)  # type: ignore[no-untyped-call]
        return whole


class _Together(torch.autograd.Function):
    """The rows of all processes in one tensor; the gradient of this one's are its rows."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, part: Part) -> Tensor:  # noqa: ANN401
        whole = own.new_zeros(part.whole, *own.shape[1:])
        whole[part.rows] = own
        distributed.all_reduce(whole)  # adding zeros, so that parts need not be equally long
        ctx.rows = part.rows
        return whole

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return gradient[ctx.rows], None


ALONE = Group()
"""One process."""


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """Join the processes that ``torchrun`` started, until the block ends; or be alone.

    Args:
        device: Of the run: ``cpu``, by gloo; or ``cuda``, by NCCL, one for each process of a
            machine.

    Raises:
        ConfigError: If the device has no such means, or there are more processes than devices.
        ChildProcessError: In the block, if another process is gone.
    """
    ranks = os.environ.get("WORLD_SIZE", "1")
    if ranks == "1" or "TORCHELASTIC_RUN_ID" not in os.environ:
        yield ALONE
        return
    local = int(os.environ["LOCAL_RANK"])
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"torchrun started process {local + 1} of this machine, which has "
                f"{counted(torch.cuda.device_count(), 'accelerator')}: write --nproc-per-node gpu"
            )
        torch.cuda.set_device(local)
    elif device != "cpu":
        raise ConfigError(
            f'device = "{device}" trains in one process: write device = "cuda" or "cpu", or leave '
            "torchrun out"
        )
    store, rank, ranks = next(rendezvous("env://"))
    store = PrefixStore(_of_this_start(store, rank, ranks), store)
    distributed.init_process_group(
        "nccl" if device == "cuda" else "gloo", store=store, rank=rank, world_size=ranks
    )
    try:
        yield Group(Part(rank, ranks), device)
        distributed.barrier()  # nobody leaves whom another is still in touch with
    except distributed.DistError as error:
        raise ChildProcessError(_GONE) from error
    except RuntimeError as error:
        if "gloo" not in str(error):
            raise
        raise ChildProcessError(_GONE) from error
    finally:
        distributed.destroy_process_group()


def _of_this_start(store: Store, rank: int, ranks: int) -> str:
    """Agree on a name that no earlier start of the processes has had.

    torchrun keeps its store when it starts processes again, and with it the addresses of those
    that are gone (torch 2.13). Those that are there now therefore write below a name of their own,
    which the first makes: each other one asks for it by a word that nobody has used before, and
    the first answers until the name has arrived.
    """
    own = uuid.uuid4().hex
    if rank == 0:
        for other in range(1, ranks):
            while _read(store, f"taken/{other}") != own:
                if asked := _read(store, f"asked/{other}"):
                    store.set(f"given/{other}", f"{asked} {own}")
                time.sleep(POLL_SECONDS)
        return own
    store.set(f"asked/{rank}", own)
    while True:
        asked, _, name = _read(store, f"given/{rank}").partition(" ")
        if asked == own:
            store.set(f"taken/{rank}", name)
            return name
        time.sleep(POLL_SECONDS)


def _read(store: Store, key: str) -> str:
    return store.get(key).decode() if store.check([key]) else ""


_GONE = (
    "another process of this run ended: torchrun --max-restarts starts all of them again, and so "
    "does the same command; they go on where the run was last saved"
)
