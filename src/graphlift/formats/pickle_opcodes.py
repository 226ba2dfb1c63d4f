"""What a pickle would do, looked through before it is done.

A pickle that is within the language can still bring Python down: by a memo of billions of places,
by steps without end, or by a key of tuples within tuples, whose hash overflows the stack of the
interpreter itself (CPython 3.11 and others).

Source: the opcodes and what they take from and leave on the stack, as in Python's ``pickletools``.
"""

import pickletools
from typing import IO

DEEPEST = 100
"""Containers within containers; VideoPose3D's files have four."""

_MOST_OPCODES = 10_000_000
"""Steps of a pickle. One byte can make an object of sixty-four; arrays take a dozen steps each."""


def check_opcodes(data: IO[bytes]) -> None:
    """Refuse a pickle that is cut, too long, with a memo larger than what it has made, or deep.

    Raises:
        ValueError: And others of ``pickletools``, with what is wrong.
    """
    depths: list[int] = []
    marks: list[int] = []
    memo: dict[int, int] = {}
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if count > _MOST_OPCODES:
            raise ValueError(f"more than {_MOST_OPCODES:,} steps")
        name, number = opcode.name, argument if isinstance(argument, int) else 0
        if name == "MARK":
            marks.append(len(depths))
        elif name == "POP" and marks and marks[-1] == len(depths):
            marks.pop()
        elif "PUT" in name or name == "MEMOIZE":
            place = number if "PUT" in name else len(memo)
            if place > count:
                raise ValueError(f"number {place} in a memo of {count}")
            memo[place] = depths[-1]
        elif "GET" in name:
            depths.append(memo[number])
        elif name == "DUP":
            depths.append(depths[-1])
        else:
            deepest = max(_take(opcode, depths, marks), default=0)
            if name.startswith("TUPLE") and deepest >= DEEPEST:
                raise ValueError(f"more than {DEEPEST} containers within containers")
            left = deepest + 1 if "TUPLE" in name else 0  # nothing else may be part of a key
            depths.extend([left] * len(opcode.stack_after))


def _take(opcode: pickletools.OpcodeInfo, depths: list[int], marks: list[int]) -> list[int]:
    """Take what an opcode takes off the stack: some objects, or all above the last mark too."""
    before = opcode.stack_before
    below, start = len(before), len(depths)
    if pickletools.markobject in before:
        below, start = before.index(pickletools.markobject), marks.pop()
    start -= below
    if start < 0:
        raise ValueError(f"{opcode.name} without anything to work on")
    taken = depths[start:]
    del depths[start:]
    return taken
