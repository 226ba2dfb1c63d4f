"""The state of a run: what its checkpoint holds, and how a run resumes from one."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import graphlift
from graphlift.errors import CheckpointError
from graphlift.nn.build import build_network
from graphlift.samples import TrainingData
from graphlift.skeletons import BY_JOINTS
from graphlift.training.checkpoints import (
    check_record,
    check_shapes,
    read_checkpoint,
    write_checkpoint,
)
from graphlift.training.config import TrainConfig
from graphlift.training.devices import random_state, set_random_state
from graphlift.training.muon import heads_of, matrices_of
from graphlift.training.optimizer import Optimizer
from graphlift.training.own import check_labels, check_own, labels_now
from graphlift.training.weak import Opponent, find_opponent

CHECKPOINT, MODEL = "checkpoint.safetensors", "model.safetensors"


@dataclass(eq=False)
class State:
    """The state of a run.

    Args:
        network: As trained so far.
        optimizer: With its moments.
        average: The moving average of the weights; the first ones where none is kept.
        kept: The weights that the run will leave.
        step: Steps done.
        best_step: Of the kept weights.
        best: Validation error of the kept weights, mm.
        loss_sum: Of the steps since the last evaluation.
        loss_count: How many those are.
        part_sums: Of each part of the loss under weak supervision, the same two numbers.
        seconds: Duration of the steps.
        curve: A line for each evaluation.
        opponent: The critic, where one has a weight.
        labels_digest: SHA-256 of the ordinal labels that people gave, if they did.
    """

    network: nn.Module
    optimizer: Optimizer
    average: dict[str, Tensor]
    kept: dict[str, Tensor]
    step: int = 0
    best_step: int = 0
    best: float = float("inf")
    loss_sum: float = 0.0
    loss_count: int = 0
    part_sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    opponent: Opponent | None = None
    labels_digest: str | None = None

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return next(self.network.parameters()).device


def begin(config: TrainConfig, device: torch.device) -> State:
    """Set up the network, drawn from the seed, the optimiser, and the critic if one is asked."""
    torch.manual_seed(config.seed)
    network = build_network(**dataclasses.asdict(config.model)).to(device)
    by_muon = config.optimizer == "muon"
    optimizer = Optimizer(
        list(network.parameters()),
        config.learning_rate,
        config.weight_decay,
        matrices_of(network) if by_muon else {},
        heads_of(network) if by_muon else set(),
    )
    opponent = None
    if config.supervision.critic:
        opponent = find_opponent(BY_JOINTS[config.model.joints], device)
    average, kept = weights_of(network), weights_of(network)
    return State(
        network,
        optimizer,
        average=average,
        kept=kept,
        opponent=opponent,
        labels_digest=labels_now([config]).get(config.supervision.ordinal_labels),
    )


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Copy the weights of a network."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def save(state: State, config: TrainConfig, digest: str, out: Path) -> None:
    """Write all that a run needs to resume."""
    tensors = _tensors(state, config)
    for index, moments in state.optimizer.moments.items():
        tensors |= {f"adam.{index}.{name}": tensor for name, tensor in moments.items()}
    if state.opponent:
        for index, moments in state.opponent.optimizer.moments.items():
            tensors |= {f"critic-adam.{index}.{name}": t for name, t in moments.items()}
    write_checkpoint(out / CHECKPOINT, tensors, _record(state, config, digest))


def resume(state: State, config: TrainConfig, digest: str, out: Path) -> None:
    """Resume from a checkpoint, if there is one.

    Raises:
        CheckpointError: If it is damaged, or of another run.
    """
    path = out / CHECKPOINT
    if not path.exists():
        return
    tensors, record = read_checkpoint(path, way_out="delete it to start the run again")
    record = {"part_sums": {}} | record  # earlier ones did not keep them
    check_record(record, _record(state, config, digest), path)
    check_own(str(path), config, record["config"], {"trained on": (record["data_digest"], digest)})
    check_labels(str(path), record["config"], record.get("labels_digest"), labels_now([config]))
    _check_heads(state.optimizer, tensors, path)
    check_shapes(_shapes(state, config, tensors), tensors, path)
    parts = _parted(tensors)
    state.network.load_state_dict(parts["network"])
    state.kept = {name: tensor.to(state.device) for name, tensor in parts["kept"].items()}
    if config.ema:
        state.average = {n: tensor.to(state.device) for n, tensor in parts["average"].items()}
    state.optimizer.put(_moments(parts["adam"]))
    if state.opponent:
        state.opponent.critic.load_state_dict(parts["critic"])
        state.opponent.optimizer.put(_moments(parts.get("critic-adam", {})))
    set_random_state(tensors, state.device)
    for name in ("step", "best_step", "loss_sum", "loss_count", "part_sums", "seconds", "curve"):
        setattr(state, name, record[name])
    best = record["best_validation_mpjpe_mm"]
    state.best = float("inf") if best is None else best


def _check_heads(optimizer: Optimizer, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse a run that an earlier version began, by which Muon trained the heads, too."""
    for index, parameter in enumerate(optimizer.parameters):
        of_muon = f"adam.{index}.exp_avg" in tensors and f"adam.{index}.exp_avg_sq" not in tensors
        if of_muon and parameter in optimizer.heads:
            raise CheckpointError(
                f"{path}: its version of graphlift trained the heads of the mixture by Muon, and "
                "this one does by Adam: delete it to start the run again"
            )


def _moments(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Sort the moments of an optimiser, whose names begin with their parameter's number."""
    return {int(index): each for index, each in _parted(tensors).items()}


def is_finished(config: TrainConfig, digest: str, out: Path) -> bool:
    """Return whether a folder holds the result of this run.

    Raises:
        CheckpointError: If it holds the result of another one, or a damaged file.
    """
    path = out / MODEL
    if not path.exists():
        return False
    record = read_checkpoint(path, way_out="delete it, and its run is done again")[1]
    check_record(record, ("config", "data_digest"), path)
    check_own(str(path), config, record["config"], {"trained on": (record["data_digest"], digest)})
    check_labels(str(path), record["config"], record.get("labels_digest"), labels_now([config]))
    return True


def finish(
    state: State, config: TrainConfig, data: TrainingData, out: Path, *, processes: int = 1
) -> None:
    """Write the kept weights, and remove the checkpoint.

    Args:
        state: Of the run, after its last step.
        config: Of the run.
        data: That it was trained on.
        out: Folder of the run.
        processes: That trained it in the end: rounding depends on how many there were.
    """
    about: dict[str, Any] = {"data": data.name, "licence": data.licence}
    if processes > 1:
        about["processes"] = processes
    write_checkpoint(out / MODEL, state.kept, _record(state, config, data.digest) | about)
    remove_checkpoint(out)


def remove_checkpoint(out: Path) -> None:
    """Remove the checkpoint of a finished run, if there is one; such a folder may be read-only."""
    if (out / CHECKPOINT).exists():
        (out / CHECKPOINT).unlink(missing_ok=True)


def _record(state: State, config: TrainConfig, digest: str) -> dict[str, Any]:
    """The record that both files of a run hold."""
    return {
        "version": graphlift.__version__,
        "config": dataclasses.asdict(config),
        "data_digest": digest,
        "step": state.step,
        "best_step": state.best_step,
        "best_validation_mpjpe_mm": state.best if state.curve else None,
        "loss_sum": state.loss_sum,
        "loss_count": state.loss_count,
        "part_sums": state.part_sums,
        "seconds": state.seconds,
        "curve": state.curve,
    } | ({"labels_digest": state.labels_digest} if state.labels_digest else {})


def _parted(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Sort tensors by the first word of their names."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    return parts


def _tensors(state: State, config: TrainConfig) -> dict[str, Tensor]:
    """All that a checkpoint holds but for the optimiser's moments, which a first step makes."""
    parts = {"network": state.network.state_dict(), "kept": state.kept}
    if config.ema:
        parts["average"] = state.average
    if state.opponent:
        parts["critic"] = state.opponent.critic.state_dict()
    tensors = {f"{part}.{n}": t for part, weights in parts.items() for n, t in weights.items()}
    return tensors | random_state(state.device)


def _shapes(
    state: State, config: TrainConfig, tensors: Mapping[str, Tensor]
) -> dict[str, torch.Size]:
    """Shapes that a checkpoint must hold; there are moments where there was a gradient."""
    shapes = {name: tensor.shape for name, tensor in _tensors(state, config).items()}
    matrices = state.optimizer.matrices
    moved = {name.split(".")[1] for name in tensors if name.startswith("adam.")}
    for index, parameter in enumerate(state.network.parameters()):
        if moved and str(index) not in moved:
            continue
        moments = ("exp_avg",) if parameter in matrices else ("exp_avg", "exp_avg_sq")
        shapes |= {f"adam.{index}.{name}": parameter.shape for name in moments}
        shapes[f"adam.{index}.step"] = torch.Size()
    taught = any(name.startswith("critic-adam.") for name in tensors)
    if state.opponent and taught:  # no batch may have had both labelled and other people
        for index, parameter in enumerate(state.opponent.critic.parameters()):
            shapes |= {
                f"critic-adam.{index}.{name}": parameter.shape
                for name in ("exp_avg", "exp_avg_sq")
            }
            shapes[f"critic-adam.{index}.step"] = torch.Size()
    return shapes
