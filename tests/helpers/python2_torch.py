"""What ``torch.save`` wrote under Python 2 before torch 1.6, byte by byte.

The layout is that of torch's own reader of such files: five pickles of protocol 2 in a row, then
each storage as its length (int64) and its numbers, in the order of the sorted keys. The opcodes
are those of Python 2's C pickler: text as SHORT_BINSTRING or BINSTRING, an int beyond 32 bits as
decimal text (INT), an ordered dictionary as a call with a list of [key, value] lists. Nothing
here knows of the library under test.
"""

import io
import pickle
import struct
from collections import OrderedDict
from typing import ClassVar

import torch

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001


class Storage:
    """The numbers of one tensor, under the address at which they lay."""

    def __init__(self, tensor, key):
        self.tensor, self.key = tensor, key


class Python2Pickler(pickle._Pickler):
    """Protocol 2 as Python 2 wrote it; storages stand outside the pickle."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        kind = {torch.float32: torch.FloatStorage, torch.int64: torch.LongStorage}
        return ("storage", kind[obj.tensor.dtype], obj.key, "cuda:0", obj.tensor.numel(), None)

    def save_text(self, obj):
        text = obj.encode()
        short = len(text) < 256
        self.write(b"U" + bytes([len(text)]) if short else b"T" + struct.pack("<i", len(text)))
        self.write(text)
        self.memoize(obj)

    def save_whole_number(self, obj):
        if -(2**31) <= obj < 2**31:
            pickle._Pickler.save_long(self, obj)
        elif abs(obj) < 2**63:
            self.write(b"I%d\n" % obj)
        else:  # Python 2's long
            digits = pickle.encode_long(obj)
            self.write(pickle.LONG1 + bytes([len(digits)]) + digits)

    def save_ordered(self, obj):
        items = [[key, value] for key, value in obj.items()]
        self.save_reduce(OrderedDict, (items,), vars(obj) or None, obj=obj)

    dispatch[str] = save_text
    dispatch[int] = save_whole_number
    dispatch[OrderedDict] = save_ordered


class Tensor:
    """A tensor as torch 1.1 reduced it."""

    def __init__(self, tensor, key):
        self.tensor, self.storage = tensor, Storage(tensor, key)

    def __reduce_ex__(self, protocol):
        size, stride = tuple(self.tensor.shape), self.tensor.stride()
        return torch._utils._rebuild_tensor_v2, (
            *(self.storage, 0, size, stride, False, OrderedDict()),
        )


def dump(obj):
    file = io.BytesIO()
    Python2Pickler(file, 2).dump(obj)
    return file.getvalue()


def save(path, state, **beside):
    """Write a checkpoint as SemGCN's code did: weights, Adam's state by ``id()``, and numbers."""
    stored = {}

    def kept(tensor):
        key = str(94_000_000_000_000 + 64 * len(stored))
        stored[key] = tensor.contiguous()
        return Tensor(stored[key], key)

    weights = OrderedDict((name, kept(tensor)) for name, tensor in state.items())
    weights._metadata = OrderedDict([("", {"version": 1})])
    ids = [140_234_881_000_000 + 72 * n for n in range(len(state))]
    adam = {
        "state": {
            number: {"step": 1_218_600, "exp_avg": kept(torch.zeros_like(tensor))}
            for number, tensor in zip(ids, state.values(), strict=True)
        },
        "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "amsgrad": False, "params": ids}],
    }
    machine = {
        "protocol_version": VERSION,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    whole = {"state_dict": weights, "optimizer": adam, **beside}
    with path.open("wb") as file:
        for part in (MAGIC, VERSION, machine, whole, sorted(stored)):
            file.write(dump(part))
        for key in sorted(stored):
            file.write(struct.pack("<q", stored[key].numel()))
            file.write(stored[key].numpy().tobytes())
    return path
