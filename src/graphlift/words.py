"""Text for messages: short and printable, whatever a file holds.

A file may hold a number of a million digits, lists that share their elements a billion times, or a
lone surrogate. What a message quotes of it is short, printable and made quickly.
"""

import reprlib
from collections.abc import Iterable
from typing import Any

MAX_CHARACTERS = 80
"""Most characters of one value in a message."""


class _Short(reprlib.Repr):
    """A ``repr`` of two levels of containers, four elements each, and no number of many digits."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = 4
        self.maxdict = self.maxarray = 4
        self.maxstring = self.maxother = self.maxlong = MAX_CHARACTERS

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002
        """Write out 40 digits at most: more take long, and Python refuses more than 4,300."""
        return repr(x) if x.bit_length() < 130 else f"<a number of {x.bit_length()} bits>"

    def repr_bytes(self, x: bytes, level: int) -> str:  # noqa: ARG002
        """Cut the bytes before they are written out."""
        return repr(x[:MAX_CHARACTERS])


_SHORT = _Short()


def shown(value: object) -> str:
    """Shorten the ``repr`` of a value for a message."""
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


def counted(number: int, one: str, many: str = "") -> str:
    """Count things: 1 frame, 1,000 frames; ``many`` names several, where ``one`` takes no s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def reason(error: BaseException) -> str:
    """Shorten the message of another library's error; the name of its class if it has none."""
    return plain(error, 200) or type(error).__name__


def problems(error: Any, whole: str = "") -> str:  # noqa: ANN401  # pydantic's, which is not imported
    """Describe the first three errors that pydantic found in a document.

    Args:
        error: A ``ValidationError``.
        whole: Name of the document, for an error that concerns all of it; it may be left out.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    wrong = []
    for each in found[:3]:
        place = plain(".".join(map(str, each["loc"])) or whole)
        wrong.append(f"{place}: " * bool(place) + plain(said(each), 400))
    more = [f"and {len(found) - 3:,} more"] if len(found) > 3 else []
    return "; ".join([*wrong, *more])


def said(problem: Any) -> str:  # noqa: ANN401
    """Say what is wrong in our words where pydantic's speak of Python."""
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return "there is no such key"
    return str(problem["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")


def one_line(text: object) -> str:
    """Put text on one line, without control characters and what cannot be printed."""
    shown = "".join(c if c.isprintable() or c.isspace() else "?" for c in str(text))
    return " ".join(shown.split())
