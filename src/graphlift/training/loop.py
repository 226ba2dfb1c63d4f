"""A training run, from top to bottom: set up or resume, step, evaluate, save."""

import dataclasses
import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import graphlift
from graphlift.errors import CheckpointError, ModelError
from graphlift.files import alone, append_line, write_text
from graphlift.nn.build import build_network
from graphlift.protocols import Examples, PairedData, TrainingData
from graphlift.training.batches import Batches, PackBatches, ViewBatches
from graphlift.training.checkpoints import (
    check_shapes,
    check_story,
    read_checkpoint,
    write_checkpoint,
)
from graphlift.training.config import TrainConfig, check_joints, differences
from graphlift.training.devices import open_device, random_state, set_random_state
from graphlift.training.evaluation import validate
from graphlift.training.fitting import check_fit
from graphlift.training.progress import Progress
from graphlift.training.schedule import learning_rate
from graphlift.views import UNSEEN_RIG, Lessons, exact_views, people_of

CHECKPOINT, MODEL, LOG = "checkpoint.safetensors", "model.safetensors", "log.jsonl"
SAVE_SECONDS = 60.0
"""A run that is killed loses at most this much work."""
SIGMA_WEIGHT = 0.01
"""m: how much a unit of log-likelihood counts beside a metre of error."""
VALIDATION_SEED = 1
"""Of the random cameras that validation subjects are seen through."""

AnyBatches = Batches | PackBatches | ViewBatches


STORY = (
    *("version", "config", "data_digest", "step", "best_step", "best_validation_mpjpe_mm"),
    *("loss_sum", "loss_count", "seconds", "curve"),
)
"""What both files of a run tell of it."""


def train(config: TrainConfig, data: TrainingData, out: Path) -> Iterator[Progress]:
    """Train a network, or go on where an interrupted run stopped.

    Yields after every step. The run ends bitwise the same however often it was interrupted:
    batches are a function of seed and step, and the checkpoint holds everything else. SIGINT and
    SIGTERM save first; a kill loses what came after the last save. Leaves in ``out`` the kept
    weights (``model.safetensors``: by default those of the lowest validation error),
    ``log.jsonl``, and TensorBoard events if asked. A run that is finished is left as it is.

    Args:
        config: Everything that decides the result.
        data: Whom to train and validate on.
        out: Folder of the run.

    Raises:
        BlockingIOError: If another process trains in ``out``.
        CheckpointError: If ``out`` holds another run, finished or not, or a damaged checkpoint.
        ConfigError: If the network takes other joints than the data has, or another key does not
            fit the data (:func:`graphlift.training.fitting.check_fit`).
        DatasetNotFoundError: If somebody who is trained on or tested is not in the data.
        FormatError: If a detection that is wanted is not finite.
        ModelError: If the device is not there, or training diverges; no state that is not finite
            is saved.
        KeyboardInterrupt: After SIGINT or SIGTERM, once the state is saved.
    """
    if is_finished(config, data.digest, out):
        return
    check_fit(config, data if isinstance(data, PairedData) else None)
    device = open_device(config.device)
    out.mkdir(parents=True, exist_ok=True)
    with alone(out, "training"):
        yield from _train(config, data, out, device)


def _train(
    config: TrainConfig, data: TrainingData, out: Path, device: torch.device
) -> Iterator[Progress]:
    torch.set_num_threads(config.threads)
    batches, unseen = _teaching(config, data, device)
    steps = config.steps or config.epochs * batches.per_epoch
    every = config.evaluate_every or batches.per_epoch
    run = _Run(config, data.digest, out, device)
    events = _events(out, run.step) if config.tensorboard else None

    with _deferred_interrupt() as interrupted, events or nullcontext():
        saved = time.monotonic()
        while run.step < steps:
            rate = learning_rate(config, run.step, steps, batches.per_epoch)
            run.take_step(batches, rate)
            if run.step % every == 0 or run.step == steps:
                run.evaluate(unseen, rate)
                if events:
                    _record(events, run.curve[-1])
                run.save()
                saved = time.monotonic()
            elif interrupted() or time.monotonic() - saved > SAVE_SECONDS:
                run.save()
                saved = time.monotonic()
            if interrupted():
                raise KeyboardInterrupt
            yield run.progress(steps)
    run.finish(data)


def _teaching(
    config: TrainConfig, data: TrainingData, device: torch.device
) -> tuple[AnyBatches, Examples | Lessons]:
    """What a run learns from, and what it is validated on."""
    size, seed = config.batch_size, config.seed
    if isinstance(data, PairedData):
        asked = (config.detections, config.model.joints, config.held_out)
        rows = data.training(*asked)
        return (
            PackBatches(
                rows,
                size=size,
                seed=seed,
                flip=config.flip,
                drop_last=config.drop_last,
                device=device,
            ),
            data.validation(*asked),
        )
    if config.cameras == "random":
        people = people_of(data.train)
        unseen = exact_views(
            people_of(data.validation, stride=data.stride), UNSEEN_RIG, seed=VALIDATION_SEED
        )
        batches = ViewBatches(people, config.views, size=size, seed=seed, device=device)
        return batches, unseen.lessons()
    frames = data.examples("train", config.detections)
    check_joints(config.model, len(frames.skeleton), "model.joints")
    return (
        Batches(frames, size=size, seed=seed, flip=config.flip, device=device),
        data.examples("validation", config.detections),
    )


def is_finished(config: TrainConfig, data_digest: str, out: Path) -> bool:
    """Tell whether a folder holds the end of this run.

    Raises:
        CheckpointError: If it holds the end of another one, or a damaged file.
    """
    if not (out / MODEL).exists():
        return False
    story = read_checkpoint(out / MODEL)[1]
    _check_own(out / MODEL, story, config, data_digest)
    return True


def loss_of(kind: str, predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, m², or mean distance of joints, m; with sigma, its likelihood too.

    A standard deviation σ = exp(s) is learnt as that of the isotropic density ∝ exp(−2d/σ) / σ³ of
    the distance d (each coordinate's variance is then σ²): 2d/σ + 3s, which leaves d alone.
    """
    position = predicted[..., :3]
    distance: Tensor = torch.linalg.vector_norm(position - target, dim=-1)
    loss = nn.functional.mse_loss(position, target) if kind == "mse" else distance.mean()
    if predicted.shape[-1] == 3:
        return loss
    log_sigma = predicted[..., 3]
    likelihood = 2 * distance.detach() * torch.exp(-log_sigma) + 3 * log_sigma
    return loss + SIGMA_WEIGHT * likelihood.mean()


def clip_gradients(network: nn.Module, longest: float) -> None:
    """Shorten all gradients together to a norm.

    As ``clip_grad_norm_``, to the bit; but gradients that are short enough, as nearly all are, are
    not written again: at 4 M parameters a twentieth of the step.
    """
    parameters = [p for p in network.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if not norm + 1e-6 <= longest:  # nor where it is NaN
        nn.utils.clip_grads_with_norm_(parameters, longest, norm)


class _Run:
    """The state of a run: what a checkpoint must hold, and how it moves on."""

    def __init__(self, config: TrainConfig, digest: str, out: Path, device: torch.device) -> None:
        self.config, self.digest, self.out, self.device = config, digest, out, device
        torch.manual_seed(config.seed)
        self.network = build_network(**dataclasses.asdict(config.model)).to(device)
        adam = torch.optim.AdamW if config.weight_decay else torch.optim.Adam
        self.optimizer = adam(
            self.network.parameters(),
            config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.average = {n: t.clone() for n, t in self.network.state_dict().items()}
        self.kept = {n: t.clone() for n, t in self.average.items()}
        self.step, self.best_step, self.best = 0, 0, float("inf")
        self.loss_sum, self.loss_count, self.seconds = 0.0, 0, 0.0
        self.curve: list[dict[str, Any]] = []
        if (out / CHECKPOINT).exists():
            self._resume(out / CHECKPOINT)
        write_text(out / LOG, "".join(json.dumps(line) + "\n" for line in self.curve))

    def take_step(self, batches: AnyBatches, rate: float) -> None:
        began = time.perf_counter()
        x, y = batches[self.step]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(self.config.loss, self.network(x), y)
        if not np.isfinite(value := loss.item()):
            raise ModelError(
                f"training diverged at step {self.step + 1}: the loss is not finite: give this "
                "run a lower learning_rate, and another folder"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.clip:
            clip_gradients(self.network, self.config.clip)
        self.optimizer.step()
        self.loss_sum, self.loss_count = self.loss_sum + value, self.loss_count + 1
        self.step += 1
        if self.config.ema:
            self._move_average()
        self.seconds += time.perf_counter() - began

    def evaluate(self, unseen: Examples | Lessons, rate: float) -> None:
        with self._averaged():
            error = validate(self.network, unseen)
            if error < self.best or self.config.keep == "last":
                self.best, self.best_step = error, self.step
                self.kept = {n: t.clone() for n, t in self.network.state_dict().items()}
        line = {
            "step": self.step,
            "loss": self.loss_sum / self.loss_count,
            "validation_mpjpe_mm": error,
            "learning_rate": rate,
            "seconds": round(self.seconds, 3),
        }
        self.loss_sum, self.loss_count = 0.0, 0
        self.curve.append(line)
        append_line(self.out / LOG, json.dumps(line))

    def progress(self, steps: int) -> Progress:
        last = self.curve[-1] if self.curve else {"loss": float("nan")}
        loss = self.loss_sum / self.loss_count if self.loss_count else last["loss"]
        error = last.get("validation_mpjpe_mm", float("nan"))
        speed = self.step * self.config.batch_size / self.seconds
        return Progress(self.step, steps, loss, error, speed)

    def story(self) -> dict[str, Any]:
        return {
            "version": graphlift.__version__,
            "config": dataclasses.asdict(self.config),
            "data_digest": self.digest,
            "step": self.step,
            "best_step": self.best_step,
            "best_validation_mpjpe_mm": self.best if self.curve else None,
            "loss_sum": self.loss_sum,
            "loss_count": self.loss_count,
            "seconds": self.seconds,
            "curve": self.curve,
        }

    def save(self) -> None:
        tensors = self._tensors()
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{n}": t for n, t in state.items()}
        write_checkpoint(self.out / CHECKPOINT, tensors, self.story())

    def _tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint must hold but for the optimiser's, which a first step makes."""
        tensors = {f"network.{n}": t for n, t in self.network.state_dict().items()}
        tensors |= {f"kept.{n}": t for n, t in self.kept.items()}
        if self.config.ema:
            tensors |= {f"average.{n}": t for n, t in self.average.items()}
        return tensors | random_state(self.device)

    def _shapes(self, tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
        """Shapes that a checkpoint must hold; Adam has a state where there was a gradient."""
        shapes = {name: tensor.shape for name, tensor in self._tensors().items()}
        moved = {name.split(".")[1] for name in tensors if name.startswith("adam.")}
        for index, parameter in enumerate(self.network.parameters()):
            if moved and str(index) not in moved:
                continue
            shapes |= {f"adam.{index}.{n}": parameter.shape for n in ("exp_avg", "exp_avg_sq")}
            shapes[f"adam.{index}.step"] = torch.Size()
        return shapes

    def finish(self, data: TrainingData) -> None:
        """Write the kept weights; the checkpoint has served."""
        story = self.story() | {"data": data.name, "licence": data.licence}
        write_checkpoint(self.out / MODEL, self.kept, story)
        (self.out / CHECKPOINT).unlink(missing_ok=True)

    def _resume(self, path: Path) -> None:
        tensors, story = read_checkpoint(path, way_out="delete it to start the run again")
        _check_own(path, story, self.config, self.digest)
        check_shapes(self._shapes(tensors), tensors, path)
        parts: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor
        self.network.load_state_dict(parts["network"])
        self.kept, self.average = (
            {n: t.to(self.device) for n, t in part.items()}
            for part in (parts["kept"], parts.get("average", self.average))
        )
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["adam"].items():
            index, _, rest = name.partition(".")
            state.setdefault(int(index), {})[rest] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        set_random_state(tensors, self.device)
        self.step, self.best_step = story["step"], story["best_step"]
        best = story["best_validation_mpjpe_mm"]
        self.best = float("inf") if best is None else best
        self.loss_sum, self.loss_count = story["loss_sum"], story["loss_count"]
        self.seconds = story["seconds"]
        self.curve = story["curve"]

    def _move_average(self) -> None:
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - self.config.ema)
            else:
                self.average[name].copy_(tensor)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Evaluate the moving average in the network's place, if one is kept."""
        if not self.config.ema:
            yield
            return
        current = {n: t.clone() for n, t in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        yield
        self.network.load_state_dict(current)


def _check_own(
    path: Path, story: Mapping[str, Any], config: TrainConfig, data_digest: str
) -> None:
    """Refuse what another run left."""
    check_story(story, STORY, path)
    if other := differences(config, story["config"]):
        raise CheckpointError(
            f"{path}: belongs to a run with another {', '.join(other)}: give this run another "
            "folder, or delete the old one"
        )
    if story["data_digest"] != data_digest:
        raise CheckpointError(
            f"{path}: was trained on other data than {config.data!r} now holds: give this run "
            "another folder"
        )


@contextmanager
def _deferred_interrupt() -> Iterator[Any]:
    """Hold SIGINT and SIGTERM back until the step is done; gives a function that tells."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    try:
        before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: signals are somebody else's
        before = {}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _events(out: Path, step: int) -> Any:  # noqa: ANN401  # tensorboard has no types
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(out), purge_step=step)


def _record(events: Any, line: dict[str, Any]) -> None:  # noqa: ANN401
    for name in ("loss", "validation_mpjpe_mm", "learning_rate"):
        events.add_scalar(name, line[name], line["step"])
