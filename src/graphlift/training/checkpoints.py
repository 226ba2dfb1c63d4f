"""Checkpoints: tensors and the record of a run in one safetensors file, whole or not at all."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import graphlift
from graphlift.errors import CheckpointError, ConfigError
from graphlift.files import replacing
from graphlift.nn.build import build_network
from graphlift.plain_json import parse_json
from graphlift.training.config import TrainConfig
from graphlift.training.tables import parse_table
from graphlift.words import plain, shown

_KEY = "graphlift"
_OTHERS = {
    ".onnx": "is a model without what training needs: give the model.safetensors of its run",
    **dict.fromkeys(
        (".pth", ".pt", ".tar"),
        "is a checkpoint of torch: make a model.safetensors of it by graphlift model import",
    ),
}
"""Other files that people take for a checkpoint, by their suffix, and the way out."""


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write tensors with their record (config, seed, data digest, metrics) as JSON in the header.

    Raises:
        OSError: If the disk is full or the folder cannot be written; an old file stays.
    """
    from safetensors.torch import save

    contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    card = json.dumps({**record, "sha256": _digest(contiguous, record)}, allow_nan=False)
    data = save(contiguous, metadata={_KEY: card})
    with replacing(path) as beside:
        beside.write_bytes(data)


def read_checkpoint(
    path: Path, *, way_out: str = "copy it again, or train the network again"
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_checkpoint` wrote.

    Args:
        path: The file.
        way_out: What the user may do about a damaged one.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is cut short, changed since it was written, or not ours; or
            it is a folder, such as that of a run.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder: give the model.safetensors of a run")
    if path.suffix in _OTHERS and path.exists():
        raise CheckpointError(f"{path}: {_OTHERS[path.suffix]}")
    data = path.read_bytes()
    try:
        tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        record = parse_json(parse_json(data[8 : 8 + size])["__metadata__"][_KEY])
        intact = record.pop("sha256") == _digest(tensors, record)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: not a checkpoint of graphlift, or cut short ({shown(error)}): {way_out}"
        ) from error
    if not intact:
        raise CheckpointError(
            f"{path}: damaged: it does not hold what was written to it; {way_out}"
        )
    return tensors, record


def load_run(
    path: Path, keys: Iterable[str] = ()
) -> tuple[nn.Module, TrainConfig, dict[str, Any]]:
    """Read a finished run: the network with the kept weights, its configuration and its record.

    Args:
        path: Its ``model.safetensors``.
        keys: What the record must hold besides the configuration.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is damaged, lacks a key, is the checkpoint of a run under way,
            or holds another network than its configuration describes.
        ConfigError: If the configuration is not of this version.
    """
    tensors, record = read_checkpoint(path)
    check_record(record, ("config", *keys), path)
    if "random" in tensors:
        raise CheckpointError(
            f"{path}: is the checkpoint of a run under way: finish the run by the command that "
            "started it, and take its model.safetensors"
        )
    config = _config(record, path)
    network = build_network(**asdict(config.model))
    load_weights(network, tensors, path)
    return network, config, record


def config_of(path: Path) -> tuple[TrainConfig, dict[str, Any]]:
    """Read the configuration of a run, finished or under way, and its record.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is damaged, or has no configuration.
        ConfigError: If the configuration is not of this version.
    """
    record = read_checkpoint(path)[1]
    check_record(record, ("config",), path)
    return _config(record, path), record


def _config(record: Mapping[str, Any], path: Path) -> TrainConfig:
    """Check the configuration in a record; where it is not understood, say who wrote it."""
    try:
        return parse_table(TrainConfig, record["config"], str(path))
    except ConfigError as error:
        version, own = record.get("version", graphlift.__version__), graphlift.__version__
        if version == own:
            raise
        raise ConfigError(
            f"{error}: it is of graphlift {plain(str(version), 20)}, and this is {own}: use that "
            "one"
        ) from error


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put tensors into a network.

    Raises:
        CheckpointError: If names or shapes are not the network's: another architecture.
    """
    check_shapes({name: t.shape for name, t in network.state_dict().items()}, tensors, path)
    network.load_state_dict(dict(tensors))


def check_shapes(own: Mapping[str, torch.Size], tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors whose names or shapes are not those of a network, or of its training.

    Raises:
        CheckpointError: If one is missing, unknown, or of another shape.
    """
    missing, unknown = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or unknown:
        raise CheckpointError(
            f"{path}: weights of another network: it lacks {_some(missing)} and has "
            f"{_some(unknown)}"
        )
    for name, shape in own.items():
        if shape != tensors[name].shape:
            raise CheckpointError(
                f"{path}: weights of another network: {name} is {tuple(tensors[name].shape)}, "
                f"the configuration asks for {tuple(shape)}"
            )


def check_record(record: Mapping[str, Any], keys: Iterable[str], path: Path) -> None:
    """Refuse a file whose record lacks keys that are needed.

    Raises:
        CheckpointError: If a key is missing, or the configuration is no table.
    """
    lacking = set(keys) - {k for k, v in record.items() if k != "config" or isinstance(v, dict)}
    if lacking:
        raise CheckpointError(
            f"{path}: lacks {', '.join(sorted(lacking))}: it was not left by a run of this version"
        )


def _some(names: list[str]) -> str:
    return (
        ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"
    )


def _digest(tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> str:
    """SHA-256 over the record, in an order that does not depend on the writer, and the tensors."""
    state = hashlib.sha256(json.dumps(record, sort_keys=True, allow_nan=False).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        state.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return state.hexdigest()
