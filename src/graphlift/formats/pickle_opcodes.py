"""What a pickle would do, looked through before it is done.

A pickle that is within the language can still bring Python down: by a memo of billions of places,
by steps without end, or by a key. A dictionary computes the hash of a key, of a tuple that of all
its parts, over and over where they are shared: 64 pairs of the same pair take 2^64 steps, in a
loop that no signal ends, and 100,000 tuples within tuples overflow the stack of the interpreter
itself. So a key is a name, a number, or one tuple of a few of these.

Source: the opcodes and what they take from and leave on the stack, as in Python's ``pickletools``.
"""

import pickletools
from collections.abc import Iterator
from typing import IO, Any, cast

LONGEST_KEY = 16
"""Parts of a tuple that is a key."""

MOST_STEPS = 3_000_000
"""Of a pickle. One byte can make an object of sixty-four; arrays take a dozen steps each."""

_MOST_BITS = 64
"""Of a number that is a key. Larger ones can be made to have one hash, and take time for it."""

_PIECE = 1 << 20
"""Bytes that are read at once."""

_LEAF, _FLAT, _UNFIT = range(3)
"""What on the stack may be a key: a name or number; a tuple of these; anything else."""

_MEMO = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET")
_PUTS, _GETS = frozenset(_MEMO[:4]), frozenset(_MEMO[4:])
_PUSHES = frozenset(
    each.name
    for each in pickletools.opcodes
    if not each.stack_before
    and len(each.stack_after) == 1
    and each.name not in ("MARK", "EMPTY_TUPLE", "EMPTY_SET", *_GETS)
)
_SETS = ("EMPTY_SET", "FROZENSET", "ADDITEMS")
_CONTAINERS = frozenset(
    ("EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS")
)


def checked_opcodes(data: IO[bytes], *, most: int = MOST_STEPS) -> Iterator[tuple[str, Any]]:
    """Go through a pickle's steps: the name of each and its argument.

    Raises:
        ValueError: And others of ``pickletools``, if it is cut, takes more than ``most`` steps,
            has a memo larger than what it has made or a frame longer than itself, makes a set, or
            a key of anything but names and numbers.
    """
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[int, int] = {}
    framed = 0
    for count, (opcode, argument, at) in enumerate(
        pickletools.genops(cast("IO[bytes]", _Pieces(data)))
    ):
        if count > most:
            raise ValueError(f"more than {most:,} steps")
        name = opcode.name
        if name == "FRAME":
            framed = max(framed, (at or 0) + 9 + int(argument or 0))
        elif name == "STOP" and framed > (at or 0) + 1:
            raise ValueError("a frame that is longer than the pickle")
        if name in _PUSHES:
            long = isinstance(argument, int) and argument.bit_length() > _MOST_BITS
            stack.append(_UNFIT if long or name in _CONTAINERS else _LEAF)
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "POP" and marks and marks[-1] == len(stack):
            marks.pop()
        elif name in _PUTS:
            place = len(memo) if argument is None else argument
            if place > count:
                raise ValueError("a memo larger than what it has made")
            memo[place] = stack[-1]
        elif name in _GETS:
            stack.append(memo[int(argument or 0)])
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            taken = _take(opcode, stack, marks)
            _check_keys(name, taken)
            stack.extend([_left(name, taken)] * len(opcode.stack_after))
        yield name, argument


class _Pieces:
    """A stream of which no more is asked than it has, whatever a pickle promises."""

    def __init__(self, data: IO[bytes]) -> None:
        self.tell, self.readline, self._read = data.tell, data.readline, data.read

    def read(self, size: int) -> bytes:
        """Read so many bytes, or as many as there are: piece by piece."""
        if size <= _PIECE:
            return self._read(size)
        parts: list[bytes] = []
        while size > 0 and (part := self._read(min(size, _PIECE))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def check_opcodes(data: IO[bytes]) -> int:
    """Look through a pickle: :func:`checked_opcodes`.

    Returns:
        How many bytes and characters are written out in it: its arrays have no more in all.
    """
    written = 0
    for name, argument in checked_opcodes(data):
        if isinstance(argument, (str, bytes, bytearray)) and name not in ("GLOBAL", "INST"):
            written += len(argument)
    return written


def _left(name: str, taken: list[int]) -> int:
    """Say what an opcode leaves on the stack."""
    if "TUPLE" in name:
        fits = len(taken) <= LONGEST_KEY and not any(taken)
        return _FLAT if fits else _UNFIT
    return _UNFIT if name in _CONTAINERS else _LEAF


def _check_keys(name: str, taken: list[int]) -> None:
    """Refuse a key whose hash takes time, and sets, whose every element is one."""
    if name in _SETS:
        raise ValueError("a set")
    keys = taken[1:2] if name == "SETITEM" else []
    if name == "SETITEMS":
        keys = taken[1::2]
    elif name == "DICT":
        keys = taken[::2]
    if _UNFIT in keys:
        raise ValueError("a key that is neither a name, a number nor a tuple of a few of these")


def _take(opcode: pickletools.OpcodeInfo, stack: list[int], marks: list[int]) -> list[int]:
    """Take what an opcode takes off the stack: some objects, or all above the last mark too."""
    before = opcode.stack_before
    below, start = len(before), len(stack)
    if pickletools.markobject in before:
        below, start = before.index(pickletools.markobject), marks.pop()
    start -= below
    if start < 0:
        raise ValueError(f"{opcode.name} without anything to work on")
    taken = stack[start:]
    del stack[start:]
    return taken
