"""Text for messages: short and printable, whatever a file holds.

A file may hold a number of a million digits, a list that contains itself a billion times over, or
half of a character. What of it goes into a message is short, printable, and takes no time to make.
"""

import reprlib
from collections.abc import Iterable
from typing import Any

MAX_CHARACTERS = 80
"""Characters of one value in a message."""


class _Short(reprlib.Repr):
    """Two containers deep and four things wide; no number is written out that has many digits."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = 4
        self.maxdict = self.maxarray = 4
        self.maxstring = self.maxother = self.maxlong = MAX_CHARACTERS

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002
        """Write out 40 digits at most: more take long, and Python refuses 4,300."""
        return repr(x) if x.bit_length() < 130 else f"<a number of {x.bit_length()} bits>"

    def repr_bytes(self, x: bytes, level: int) -> str:  # noqa: ARG002
        """Cut before writing out."""
        return repr(x[:MAX_CHARACTERS])


_SHORT = _Short()


def shown(value: object) -> str:
    """Write a value as Python would, cut to a few words: for a message."""
    try:
        text = _SHORT.repr(value)
    except Exception:  # an object whose own repr fails
        text = f"<{type(value).__name__}>"
    return plain(text)


def plain(text: object, longest: int = MAX_CHARACTERS) -> str:
    """Put text on one line, cut it, and replace what cannot be printed: for a message."""
    cut = str(text)[: longest + 1]
    return one_line(cut if len(cut) <= longest else f"{cut[: longest - 3]}...")


def listed(names: Iterable[object], most: int = 8, longest: int = 40) -> str:
    """Join a few names by commas, each cut: for a message."""
    several = list(names)
    more = ["..."] if len(several) > most else []
    return ", ".join([*(plain(name, longest) for name in several[:most]), *more]) or "none"


def reason(error: BaseException) -> str:
    """Say in a few words what another library's error says; its kind if it says nothing."""
    return plain(error, 200) or type(error).__name__


def problems(error: Any, whole: str) -> str:  # noqa: ANN401  # pydantic's, which is not imported
    """Say what is wrong with a document by pydantic's check of it: the first three places.

    Args:
        error: A ``ValidationError``.
        whole: What to call the document where all of it is wrong.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    wrong = [
        f"{plain('.'.join(map(str, e['loc'])) or whole)}: {plain(e['msg'], 400)}"
        for e in found[:3]
    ]
    more = [f"and {len(found) - 3:,} more"] if len(found) > 3 else []
    return "; ".join([*wrong, *more])


def one_line(text: object) -> str:
    """Put text on one line, without the characters that steer a terminal or cannot be printed."""
    shown = "".join(c if c.isprintable() or c.isspace() else "?" for c in str(text))
    return " ".join(shown.split())
