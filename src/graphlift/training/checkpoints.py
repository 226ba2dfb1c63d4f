"""Checkpoints: tensors and the story of a run in one safetensors file, whole or not at all."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphlift.errors import CheckpointError
from graphlift.files import replacing

_KEY = "graphlift"


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], story: Mapping[str, Any]) -> None:
    """Write tensors with their story (config, seed, data digest, metrics) as JSON in the header.

    Raises:
        OSError: If the disk is full or the folder cannot be written; what was there stays.
    """
    from safetensors.torch import save

    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    card = json.dumps({**story, "sha256": _digest(contiguous)}, allow_nan=False)
    data = save(contiguous, metadata={_KEY: card})
    with replacing(path) as beside:
        beside.write_bytes(data)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_checkpoint` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is cut short, changed since it was written, or not ours.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = path.read_bytes()
    try:
        tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        story = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_KEY])
        intact = story.pop("sha256") == _digest(tensors)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: not a checkpoint of graphlift, or cut short ({error!r}): delete it to start "
            "the run again"
        ) from error
    if not intact:
        raise CheckpointError(
            f"{path}: damaged: its tensors are not those that were written; delete it to start "
            "the run again"
        )
    return tensors, story


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put tensors into a network.

    Raises:
        CheckpointError: If names or shapes are not the network's: another architecture.
    """
    own = network.state_dict()
    missing, unknown = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or unknown:
        raise CheckpointError(
            f"{path}: weights of another network: it lacks {_some(missing)} and has "
            f"{_some(unknown)}"
        )
    for name, tensor in own.items():
        if tensor.shape != tensors[name].shape:
            raise CheckpointError(
                f"{path}: weights of another network: {name} is {tuple(tensors[name].shape)}, "
                f"the configuration asks for {tuple(tensor.shape)}"
            )
    network.load_state_dict(dict(tensors))


def _some(names: list[str]) -> str:
    return (
        ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"
    )


def _digest(tensors: Mapping[str, Tensor]) -> str:
    state = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        state.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return state.hexdigest()
