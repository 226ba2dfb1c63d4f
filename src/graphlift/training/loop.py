"""A training run, from top to bottom: set up or resume, step, evaluate, save."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from graphlift.errors import ModelError
from graphlift.files import alone, append_line, naming, write_text
from graphlift.interrupts import deferred
from graphlift.samples import TrainingData
from graphlift.skeletons import BY_JOINTS
from graphlift.training import state
from graphlift.training.config import TrainConfig
from graphlift.training.devices import matmul_precision, open_device
from graphlift.training.distributed import ALONE, Group
from graphlift.training.evaluation import validate
from graphlift.training.losses import loss_of
from graphlift.training.progress import Progress
from graphlift.training.weak import annotate, train_critic, weak_loss

LOG = "log.jsonl"
SAVE_SECONDS = 60.0
"""Seconds between saves: a run that is killed loses at most this much work."""


def train(
    config: TrainConfig, data: TrainingData, out: Path, group: Group = ALONE
) -> Iterator[Progress]:
    """Train a network, or go on where an interrupted run stopped.

    Yields after every step. The run ends bitwise the same however often it was interrupted:
    batches are a function of seed and step, and the checkpoint holds everything else. SIGINT and
    SIGTERM save first; a kill loses what came after the last save. Leaves in ``out`` the kept
    weights (``model.safetensors``: by default those of the lowest validation error),
    ``log.jsonl``, and TensorBoard events if asked. A run that is finished is left as it is.

    One function on purpose, longer than others: it is the experiment.

    Args:
        config: Everything that decides the result.
        data: Subjects to train and validate on.
        out: Folder of the run.
        group: The processes that train it together, each in this function. The first alone
            writes; the others read its checkpoint, and so need the folder, too.

    Raises:
        BlockingIOError: If another process trains in ``out``.
        CheckpointError: If ``out`` holds another run, finished or not, or a damaged checkpoint.
        ConfigError: If the network takes other joints than the data has, or another key does not
            fit the data (:meth:`graphlift.samples.TrainingData.check`).
        DatasetNotFoundError: If a subject who is trained on or tested is not in the data.
        FormatError: If a detection that counts is not finite.
        ModelError: If the device is not available, or training diverges; no state that is not
            finite is saved.
        KeyboardInterrupt: After SIGINT or SIGTERM, once the state is saved.
    """
    finished = state.is_finished(config, data.digest, out)
    group.agree("whether it is finished", finished)
    if finished:
        if group.first:  # a process killed at the very end has left it
            state.remove_checkpoint(out)
        return
    data.check(config.selection)
    device = open_device(config.device)
    with _writing(out) if group.first else nullcontext():
        if group.size == 1 and state.is_finished(config, data.digest, out):
            return  # by another process, meanwhile
        torch.set_num_threads(config.threads)
        batches = data.batches(config.selection, lambda a: torch.from_numpy(a).to(device))
        unseen = data.samples("validation", config.selection).every(config.evaluate_stride)
        tested = None
        if config.evaluate_test:
            tested = data.samples("test", config.selection).every(config.evaluate_stride)
        steps = config.steps or config.epochs * batches.per_epoch
        every = config.evaluate_every or batches.per_epoch
        skeleton, asked = BY_JOINTS[config.model.joints], config.supervision

        run = state.begin(config, device)
        state.resume(run, config, data.digest, out)
        group.agree("configuration, data and step", (config, data.digest, run.step))
        group.spread(run.network)
        if group.first:
            write_text(out / LOG, "".join(json.dumps(line) + "\n" for line in run.curve))
        with naming(out), ExitStack() as open_until_the_end:
            events = None
            if config.tensorboard and group.first:
                from torch.utils.tensorboard import SummaryWriter

                events = open_until_the_end.enter_context(
                    SummaryWriter(str(out), purge_step=run.step)
                )
            interrupted = open_until_the_end.enter_context(deferred(ignored=True))
            saved = time.monotonic()
            while run.step < steps:
                began = time.perf_counter()
                x, y = batches[run.step]
                rate = learning_rate(config, run.step, steps, batches.per_epoch)
                run.optimizer.lr = rate
                labels, parts = None, dict[str, Tensor]()
                if asked.active:
                    given = batches.labelled(run.step), asked, skeleton, batches.order(run.step)
                    labels = annotate(y, *given)
                with matmul_precision(config.matmul_precision):
                    said = group.together(run.network(group.own(x)))
                    if labels is None:
                        loss = loss_of(config.loss, said, y)
                    else:
                        critic = run.opponent.critic if run.opponent else None
                        loss, parts = weak_loss(config.loss, said, x, labels, critic)
                batch_loss, *of_parts = torch.stack([loss.detach(), *parts.values()]).tolist()
                if not np.isfinite(batch_loss):
                    raise ModelError(
                        f"{out}: training diverged at step {run.step + 1}: the loss is not "
                        "finite: give this run a lower learning_rate, and another folder"
                    )
                run.network.zero_grad(set_to_none=True)
                with matmul_precision(config.matmul_precision):
                    loss.backward()  # type: ignore[no-untyped-call]
                group.add_gradients(run.network)
                if config.clip:
                    clip_gradients(run.network, config.clip)
                run.optimizer.step()
                if run.opponent and labels:
                    train_critic(run.opponent, said, labels)
                if config.ema:
                    move_average(run.average, run.network, config.ema)
                run.step += 1
                run.loss_sum, run.loss_count = run.loss_sum + batch_loss, run.loss_count + 1
                for name, value in zip(parts, of_parts, strict=True):
                    total, count = run.part_sums.get(name, (0.0, 0))
                    run.part_sums[name] = (total + value, count + 1)
                run.seconds += time.perf_counter() - began

                evaluated = run.step % every == 0 or run.step == steps
                if evaluated:
                    with weights(run.network, run.average if config.ema else None):
                        error = validate(run.network, unseen, out)
                        test = None if tested is None else validate(run.network, tested, out)
                        if error < run.best or config.keep == "last":
                            run.best, run.best_step = error, run.step
                            run.kept = state.weights_of(run.network)
                    line = {
                        "loss": run.loss_sum / run.loss_count,
                        "validation_mpjpe_mm": error,
                        "learning_rate": rate,
                    } | {
                        f"loss_{name}": total / count
                        for name, (total, count) in run.part_sums.items()
                    }
                    if test is not None:
                        line["test_mpjpe_mm"] = test
                    if events:
                        for name, value in line.items():
                            events.add_scalar(name, value, run.step)
                    seconds = round(run.seconds, 3)
                    run.curve.append({"step": run.step, **line, "seconds": seconds})
                    run.loss_sum, run.loss_count, run.part_sums = 0.0, 0, {}
                    if group.first:
                        append_line(out / LOG, json.dumps(run.curve[-1]))

                stop = group.any(interrupted())
                due = evaluated or stop or time.monotonic() - saved > SAVE_SECONDS
                if due and group.first:
                    state.save(run, config, data.digest, out)
                    saved = time.monotonic()
                if stop:
                    raise KeyboardInterrupt
                yield _progress(run, steps, config.batch_size)
        if group.first:
            state.finish(run, config, data, out, processes=group.size)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Make the folder of a run, and keep other processes from training in it."""
    out.mkdir(parents=True, exist_ok=True)
    with alone(out, "training"):
        yield


def learning_rate(config: TrainConfig, step: int, steps: int, per_epoch: int) -> float:
    """The learning rate of a step, counted from 0: a pure function of the step."""
    if config.schedule == "cosine":
        return config.learning_rate * (1 + float(np.cos(np.pi * step / steps))) / 2
    if config.schedule == "staircase":
        stair = config.decay_steps or per_epoch
        # Published codes set the rate at the first step, by its fraction of a stair, and then only
        # where the count of steps from 1 is a multiple of the stair.
        power = (step + 1) // stair or 1 / stair
        return float(config.learning_rate * config.decay**power)
    return float(config.learning_rate * config.decay ** (step // per_epoch))


def clip_gradients(network: nn.Module, longest: float) -> None:
    """Shorten all gradients together to a norm.

    As ``clip_grad_norm_``, to the bit; but gradients that are short enough, as nearly all are, are
    not written again: at 4 M parameters a twentieth of the step.
    """
    parameters = [p for p in network.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if not norm + 1e-6 <= longest:  # false where it is NaN, too
        nn.utils.clip_grads_with_norm_(parameters, longest, norm)


def move_average(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    """Move the exponential average of the weights by a step; counts are copied."""
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            average[name].lerp_(tensor, 1 - decay)
        else:
            average[name].copy_(tensor)


@contextmanager
def weights(network: nn.Module, other: dict[str, Tensor] | None) -> Iterator[None]:
    """Use other weights, if given, in a network until the block ends, however it ends."""
    if other is None:
        yield
        return
    current = state.weights_of(network)
    try:
        network.load_state_dict(other)
        yield
    finally:
        network.load_state_dict(current)


def _progress(run: state.State, steps: int, batch_size: int) -> Progress:
    last = run.curve[-1] if run.curve else {"loss": float("nan")}
    loss = run.loss_sum / run.loss_count if run.loss_count else last["loss"]
    error = last.get("validation_mpjpe_mm", float("nan"))
    return Progress(run.step, steps, loss, error, run.step * batch_size / run.seconds)
