"""Files that torch before 1.6 wrote under Python 2, rewritten so that torch's loader reads them.

Such a file is a sequence of five pickles (a magic number, the version of the layout, the machine,
what was saved, the names of its storages) and then the storages themselves, raw. Python 2 wrote an
int beyond 32 bits, such as the ``id()`` by which an optimiser named its parameters, as decimal
text (opcode INT), and a string of more than 255 bytes by an opcode of its own (BINSTRING). torch's
loader for weights alone knows neither. Here each is written again by an opcode that it knows, with
the same value; nothing is built and nothing is run.

Source: the layout is that of ``torch.serialization._legacy_load``; the opcodes, Python's
``pickletools``.
"""

import io
import pickle
import pickletools
from collections.abc import Iterator
from itertools import pairwise
from typing import IO

PICKLES = 5
"""Pickles at the start of the file, before the storages."""

_NUMBERS = {"INT", "LONG"}
_STRING = b"T"
_LONGEST = 255
"""Most bytes of a number: torch's loader counts them in one byte."""


def respell(file: IO[bytes]) -> IO[bytes]:
    """Write the opcodes of Python 2 that torch's loader lacks by those that it has.

    Args:
        file: The whole file, to be read from its start.

    Returns:
        The same file where there is nothing to change, at its start; else a copy in memory.

    Raises:
        ValueError: If a pickle is cut short, or a number takes more than 255 bytes.
    """
    file.seek(0)
    plain, changed = io.BytesIO(), False
    for _ in range(PICKLES):
        for raw, new in _opcodes(file):
            plain.write(new)
            changed |= new is not raw
    if not changed:
        file.seek(0)
        return file
    plain.write(file.read())
    plain.seek(0)
    return plain


def _opcodes(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each opcode of one pickle with its bytes, and with the bytes to replace them."""
    start = file.tell()
    steps = list(pickletools.genops(file))
    places = [at or 0 for _, _, at in steps] + [file.tell()]
    file.seek(start)
    for (opcode, argument, _), (at, end) in zip(steps, pairwise(places), strict=True):
        raw = file.read(end - at)
        if opcode.name in _NUMBERS and isinstance(argument, int):
            yield raw, _number(argument)
        elif raw[:1] == _STRING:
            yield raw, pickle.BINUNICODE + raw[1:]
        else:
            yield raw, raw


def _number(value: int) -> bytes:
    if isinstance(value, bool):
        return pickle.NEWTRUE if value else pickle.NEWFALSE
    digits = pickle.encode_long(value)
    if len(digits) > _LONGEST:
        raise ValueError(f"a number takes {len(digits):,} bytes, more than {_LONGEST}")
    return pickle.LONG1 + bytes([len(digits)]) + digits
