"""Checkpoints of other codes: read without running them, and stored as ours are.

A ``.pth`` is a pickle, and a pickle is a program. It is read by torch's loader for weights alone,
and before that every name it asks for is compared with the few that stand for tensors, so that an
error names what was asked for, and no other object is ever built.
"""

import hashlib
import math
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, cast, get_args

import torch
from torch import Tensor

import graphlift
from graphlift.errors import CheckpointError
from graphlift.formats.pickle_machine import PickleMachine
from graphlift.nn.build import build_network
from graphlift.nn.foreign import Family, map_state_dict
from graphlift.nn.foreign_others import Other, map_other
from graphlift.training.checkpoints import load_weights, write_checkpoint
from graphlift.training.config import ModelConfig
from graphlift.training.legacy_torch import PICKLES, respell
from graphlift.training.tables import parse_table
from graphlift.words import listed, plain, reason, shown

MAX_BYTES = 1 << 30
"""The largest of the published networks, Any-GCN's no-sharing, takes 400 MB with its optimiser."""

_MOST_OPCODES = 200_000
"""Steps of a pickle; a tensor takes about forty, and these networks have at most a few hundred."""

_ADMITTED = (
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    *(f"torch {kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int")),
)
_ARCHIVE = b"PK\x03\x04"
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)
_UNKNOWN = re.compile(r"Unsupported operand (\d+)")
"""The error of torch's loader for an opcode that it does not know."""
_RESAVE = (
    "in the environment of the code that made it, and only if you trust it, run "
    "`torch.save(torch.load(OLD)['state_dict'], NEW)` and import NEW (docs/checkpoints.md)"
)


@dataclass(frozen=True, eq=False)
class Foreign:
    """Contents of a checkpoint of another code.

    Args:
        tensors: Its state dict, in single precision, without the prefix of a parallel run.
        numbers: Numbers that were saved beside it, such as epoch and error.
    """

    tensors: dict[str, Tensor]
    numbers: dict[str, int | float]


def read_foreign(path: Path, *, max_bytes: int = MAX_BYTES) -> Foreign:
    """Read a ``.pth`` or ``.pth.tar``: a state dict, or a dictionary with one in ``state_dict``.

    Files of every torch since 0.4 are read, those saved under Python 2 included.

    Args:
        path: The file.
        max_bytes: The most that it may take.

    Raises:
        OSError: If it cannot be opened.
        CheckpointError: If it is too large, damaged, holds anything but tensors of finite numbers
            and plain values, or asks for code; the message names what.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size > max_bytes:
            raise CheckpointError(
                f"{path}: takes {size / 1e9:.2f} GB, more than the {max_bytes / 1e9:.2f} GB that "
                f"a checkpoint may: save its weights alone: {_RESAVE}"
            )
        loaded, members = _load(file, path, size)
    state = _state_dict(loaded, path)
    _check_tensors(state, path, size, members)
    floats = {  # copies, so that the file is not held open
        name: tensor.detach().to(torch.float32 if tensor.is_floating_point() else None, copy=True)
        for name, tensor in state.items()
    }
    beside = loaded if loaded.get("state_dict") is not None else {}
    return Foreign(_without_prefix(floats), {k: v for k, v in beside.items() if _is_number(k, v)})


def import_checkpoint(
    source: Path,
    family: Family | Other,
    out: Path,
    *,
    sharing: str | None = None,
    joints: int | None = None,
) -> dict[str, Any]:
    """Convert a checkpoint of another code into a ``model.safetensors`` of ours.

    How it was trained is not known: its record has no curve, and its configuration is only that of
    the network; ``source`` states its origin, by name and SHA-256.

    Args:
        source: Their file.
        family: Whose code wrote it.
        out: Our file.
        sharing: As in :func:`graphlift.nn.foreign.map_state_dict`.
        joints: As in ``map_state_dict``.

    Returns:
        The record that was written.

    Raises:
        OSError: If a file cannot be read or written.
        CheckpointError: As :func:`read_foreign`, ``map_state_dict`` and
            :func:`graphlift.nn.foreign_others.map_other`; or if ``out`` is ``source``,
            ``source`` is in safetensors, or ``sharing`` is given for a network that has no such
            methods.
    """
    if out.exists() and out.samefile(source):
        raise CheckpointError(f"{out}: is the file to be imported: give the result another name")
    if source.suffix == ".safetensors" and source.exists():
        raise CheckpointError(
            f"{source}: is no checkpoint of torch: a model.safetensors of graphlift is taken as "
            "it is, and of others' weights the .pth or .pth.tar is imported"
        )
    foreign = read_foreign(source)
    if family in get_args(Other):
        if sharing:
            raise CheckpointError(
                f"{source}: {family} shares no weights by a method: drop --sharing"
            )
        mapped = map_other(foreign.tensors, cast("Other", family), str(source), joints=joints)
    else:
        own = cast("Family", family)
        mapped = map_state_dict(foreign.tensors, own, str(source), sharing=sharing, joints=joints)
    config = parse_table(ModelConfig, mapped.model, str(source))
    network = build_network(**asdict(config))
    load_weights(network, mapped.tensors, source)
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    origin = {"file": source.name, "sha256": digest, "kind": family, "said": foreign.numbers}
    record = {
        "version": graphlift.__version__,
        "config": {"model": asdict(config)},
        "source": origin | {"left_out": list(mapped.left_out)},
        "step": 0,
        "best_step": 0,
        "seconds": 0.0,
        "curve": [],
    }
    write_checkpoint(out, network.state_dict(), record)
    return record


def _load(file: IO[bytes], path: Path, size: int) -> tuple[Any, set[int] | None]:
    """Compare the names that a file asks for, and only then let torch load it.

    Returns:
        What was saved and, of an archive, the sizes of its members.
    """
    try:
        file.seek(0)
        for pickle in _pickles(file, path, size):
            _check_names(pickle, path)
        file.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of how old a file is
            archived = file.read(4) == _ARCHIVE
            file.seek(0)
            if not archived:  # from before torch 1.6
                return torch.load(respell(file), map_location="cpu", weights_only=True), None
            with zipfile.ZipFile(file) as archive:
                sizes = {member.file_size for member in archive.infolist()}
            # A storage may claim more than its member has. Mapped, it ends with the file at the
            # latest; some versions of torch would read past it in memory.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True), sizes
    except CheckpointError:
        raise
    except UnpicklingError as error:
        if not (unknown := _UNKNOWN.search(str(error))):
            raise _damaged(path, error) from error
        raise CheckpointError(
            f"{path}: its pickle has the opcode {_opcode(int(unknown[1]))}, which torch "
            f"{torch.__version__} does not read without running the file. If the file is whole, "
            f"{_RESAVE}"
        ) from error
    except Exception as error:  # made-up bytes can make torch raise anything
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path}: not a checkpoint of torch, cut short or damaged ({reason(error)}): get it again"
    )


def _opcode(byte: int) -> str:
    """Name an opcode of pickles."""
    return next((op.name for op in pickletools.opcodes if ord(op.code) == byte), str(byte))


def _pickles(file: IO[bytes], path: Path, size: int) -> Iterator[IO[bytes]]:
    """Give each pickle of a file in turn: one in an archive, or five in a row before torch 1.6."""
    if file.read(4) != _ARCHIVE:
        file.seek(0)
        for _ in range(PICKLES):
            yield file
        return
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        if any(name.endswith("/constants.pkl") for name in names):
            raise CheckpointError(
                f"{path}: is a TorchScript program, not weights: {_RESAVE.replace('OLD', '...')}"
            )
        packed = [m for m in members if m.compress_type != zipfile.ZIP_STORED]
        if packed or sum(member.file_size for member in members) > size:
            raise CheckpointError(
                f"{path}: is compressed, and torch's files never are: get it again, or unpack it"
            )
        pickles = [name for name in names if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CheckpointError(
                f"{path}: is an archive with {len(pickles)} data.pkl, and a checkpoint of torch "
                f"has one: it holds {listed(names)}"
            )
        with archive.open(pickles[0]) as member:
            yield member


class _StandIn(dict[Any, Any]):
    """Placeholder for a dictionary, a tensor or a storage while a pickle is checked."""

    def __init__(self, *_: object) -> None:
        """Ignore the arguments."""

    def build(self, *_: object) -> None:
        """Ignore the attributes."""


def _check_names(pickle: IO[bytes], path: Path) -> None:
    """Refuse a pickle that asks for anything but tensors."""

    def refuse(name: str) -> CheckpointError:
        return CheckpointError(
            f"{path}: holds pickled code: it asks for {plain(name)}, and only tensors, numbers, "
            f"strings and containers are read: {_RESAVE}"
        )

    admitted = dict.fromkeys(_ADMITTED, _StandIn)
    PickleMachine(admitted, refuse, outside=_StandIn, most=_MOST_OPCODES).run(pickle)


def _state_dict(loaded: Any, path: Path) -> Mapping[str, Any]:  # noqa: ANN401
    """Find the state dict in what was saved."""
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(state, dict) or not state or not all(isinstance(n, str) for n in state):
        holds = listed([shown(key) for key in loaded]) if isinstance(loaded, dict) else "no names"
        raise CheckpointError(
            f"{path}: holds no state dict, neither as a whole nor under 'state_dict' (it has "
            f"{holds}): {_RESAVE}"
        )
    odd = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if odd:
        raise CheckpointError(
            f"{path}: its state dict has {listed(odd)}, which are no tensors: {_RESAVE}"
        )
    return state


def _check_tensors(
    state: Mapping[str, Tensor], path: Path, size: int, members: set[int] | None
) -> None:
    """Refuse tensors that are larger than their file, of unsupported kinds, or not finite."""
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.dtype not in _DTYPES:
            raise CheckpointError(
                f"{path}: {name} is a {tensor.layout} tensor of {tensor.dtype}: save it dense, as "
                "floats"
            )
        held = tensor.untyped_storage().nbytes()
        if members is not None and held not in members | {0}:
            raise CheckpointError(
                f"{path}: {name} claims a storage of {held:,} bytes, and no member of the archive "
                "has that size: it is damaged or made up: get it again"
            )
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if claimed > size:
        raise CheckpointError(
            f"{path}: its tensors claim {claimed:,} bytes, and the file has {size:,}: it is made "
            "up, or tensors share their numbers: save a copy of each"
        )
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{path}: {name} is not finite: its training had diverged: take an earlier one"
            )


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop ``module.``, which torch.nn.DataParallel puts before every name."""
    if all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return state


def _is_number(key: object, value: object) -> bool:
    return (
        isinstance(key, str)
        and isinstance(value, (int, float))
        and abs(value) < 1e15  # a number for people to read, of limited length
        and math.isfinite(value)
    )
