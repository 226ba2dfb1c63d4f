"""The one gate for pickles of others: their steps are followed, and nothing in them is run.

A pickle is a program, and unpickling runs it. The machine here can make nothing but dicts, lists,
tuples, strings, bytes and numbers, and call nothing but the functions that its caller admits by
name; any other name that a pickle asks for is refused by that name.

A pickle can still be made to run without end. So its steps have a limit, no more is read than
there is, and a key is a name, a number or one tuple of a few of these: the hash of a tuple is that
of all its parts, over and over where they are shared, and 64 pairs of the same pair take 2^64
steps in a loop that no signal ends.

Source: the opcodes as in Python's ``pickletools``.
"""

import pickletools
from collections.abc import Callable, Mapping
from pickle import UnpicklingError
from typing import IO, Any, cast

from graphlift.words import shown

MOST_STEPS = 3_000_000
"""Of a pickle. One byte can make an object of sixty-four; arrays take a dozen steps each."""

_LONGEST_KEY = 16
"""Parts of a tuple that is a key."""

_MOST_BITS = 64
"""Of a number that is a key. Larger ones can be made to have one hash, and take time for it."""

_PIECE = 1 << 20
"""Bytes that are read at once."""

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = frozenset(
    each.name
    for each in pickletools.opcodes
    if each.arg is not None
    and not each.stack_before
    and len(each.stack_after) == 1
    and not each.name.startswith(("GET", "BINGET", "LONG_BINGET", "GLOBAL", "PERSID", "EXT"))
)
"""Opcodes whose argument is the value that they put on the stack."""


class PickleMachine:
    """Follows a pickle's steps, and makes plain values.

    ``written`` is how many bytes and characters were written out in it so far.

    Args:
        admitted: Functions that it may call, by module and name with a space between; each gets
            the machine, then the pickle's arguments. What they return may have a method
            ``build(machine, state)``.
        refuse: Makes the error about a name that is not admitted.
        outside: Makes the value of a reference to something outside the pickle; refused if None.
        most: Steps that it may take.
    """

    def __init__(
        self,
        admitted: Mapping[str, Callable[..., Any]],
        refuse: Callable[[str], Exception],
        *,
        outside: Callable[[object], Any] | None = None,
        most: int = MOST_STEPS,
    ) -> None:
        self._admitted, self._refuse, self._outside = admitted, refuse, outside
        self._most = most
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self.written = 0

    def run(self, stream: IO[bytes]) -> Any:  # noqa: ANN401
        """Run a pickle to its end, and give what it made.

        Raises:
            Exception: Of any kind if it is damaged or made up; what ``refuse`` makes if it asks
                for a name that is not admitted.
        """
        steps = pickletools.genops(cast("IO[bytes]", _Pieces(stream)))
        for count, (opcode, argument, _) in enumerate(steps):
            if count > self._most:
                raise ValueError(f"more than {self._most:,} steps")
            name = opcode.name
            if name in _LITERALS:
                if isinstance(argument, (str, bytes, bytearray)):
                    self.written += len(argument)
                self._stack.append(argument)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name not in ("PROTO", "FRAME", "STOP"):
                self._step(name, argument, opcode.code)
        return self._stack.pop()

    def _step(self, name: str, argument: Any, code: str) -> None:  # noqa: ANN401
        stack = self._stack
        match name:
            case "MARK":
                self._marks.append(len(stack))
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "DUP":
                stack.append(stack[-1])
            case "POP" if self._marks and self._marks[-1] == len(stack):
                self._marks.pop()
            case "POP":
                stack.pop()
            case "POP_MARK":
                self._above_mark()
            case "GLOBAL" | "INST":
                stack.append(self._find(argument))
            case "STACK_GLOBAL":
                function, module = stack.pop(), stack.pop()
                stack.append(self._find(f"{module} {function}"))
            case "EXT1" | "EXT2" | "EXT4":
                raise self._refuse(f"something by {name}")
            case "PERSID" | "BINPERSID":
                stack.append(self._from_outside(stack.pop() if argument is None else argument))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                if not callable(function) or not isinstance(arguments, tuple):
                    raise ValueError(f"it calls {shown(function)}")  # noqa: TRY004
                stack.append(function(self, *arguments))
            case "BUILD":
                state = stack.pop()
                if isinstance(stack[-1], type) or not hasattr(stack[-1], "build"):
                    raise ValueError(f"it changes {shown(stack[-1])}")
                stack[-1].build(self, state)
            case _:
                self._container(name, code)

    def _container(self, name: str, code: str) -> None:
        """Make a list, a tuple or a dictionary, or put something into one."""
        stack = self._stack
        match name:
            case "EMPTY_LIST":
                stack.append([])
            case "LIST":
                stack.append(self._above_mark())
            case "APPEND" | "APPENDS":
                values = [stack.pop()] if name == "APPEND" else self._above_mark()
                stack[-1].extend(values)
            case "TUPLE":
                stack.append(tuple(self._above_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack[-int(name[-1]) :] = [tuple(stack[-int(name[-1]) :])]
            case "EMPTY_DICT":
                stack.append({})
            case "DICT":
                stack.append(_put({}, self._above_mark()))
            case "SETITEM":
                pairs = [stack.pop(-2), stack.pop()]
                _put(stack[-1], pairs)
            case "SETITEMS":
                pairs = self._above_mark()
                _put(stack[-1], pairs)
            case "EMPTY_SET" | "FROZENSET" | "ADDITEMS":
                raise ValueError("a set")
            case _:
                raise UnpicklingError(f"Unsupported operand {ord(code)}")

    def _above_mark(self) -> list[Any]:
        start = self._marks.pop()
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def _find(self, name: str) -> Callable[..., Any]:
        if name not in self._admitted:
            raise self._refuse(name.replace(" ", "."))
        return self._admitted[name]

    def _from_outside(self, reference: object) -> Any:  # noqa: ANN401
        if self._outside is None:
            raise ValueError(f"it refers to {shown(reference)} outside the file")
        return self._outside(reference)


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


def _put(target: dict[Any, Any], pairs: list[Any]) -> dict[Any, Any]:
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not _is_key(key):
            raise ValueError(
                "a key that is neither a name, a number nor a tuple of a few of these"
            )
        target[key] = value
    return target


def _is_key(key: object) -> bool:
    """Say whether a dictionary may be kept under it: a name, a number, or a tuple of these."""
    parts = key if isinstance(key, tuple) else (key,)
    return len(parts) <= _LONGEST_KEY and all(
        isinstance(part, (str, bytes, float))
        or (isinstance(part, int) and part.bit_length() <= _MOST_BITS)
        for part in parts
    )
