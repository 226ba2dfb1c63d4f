"""JSON from other people's files, with a limit on depth and with finite numbers only.

Every way in which a text can be refused is a ValueError, so that readers of files have one kind of
error to translate.
"""

import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Kind = TypeVar("Kind")

MAX_DEPTH = 64
"""Limit on the nesting of lists and objects; a model card or the record of a run nests six."""


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401
    """Parse JSON.

    Raises:
        ValueError: If it is not JSON, nests deeper than :data:`MAX_DEPTH`, or holds a number that
            is not finite or text that is not Unicode.
    """
    try:
        value = json.loads(text, parse_constant=_not_finite)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    check_plain(value)
    return value


def json_as(kind: type[Kind], text: str | bytes) -> Kind:
    """Parse JSON and check it against a dataclass, nested ones included.

    Raises:
        ValidationError: Of pydantic, and a ValueError, if it is not JSON or does not fit.
    """
    adapter: TypeAdapter[Kind] = _adapter(kind)  # type: ignore[arg-type]  # classes are hashable
    return adapter.validate_json(text)


@cache
def _adapter(kind: type[Any]) -> "TypeAdapter[Any]":
    """What checks a dataclass: made once, because making it takes longer than many texts."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def check_plain(value: Any) -> None:  # noqa: ANN401
    """Refuse a value that :func:`parse_json` would not have returned.

    Raises:
        ValueError: As :func:`parse_json`.
    """
    level, depth = [value], 0
    while level:
        inner: list[Any] = []
        for each in level:
            match each:
                case dict():
                    inner += (*each, *each.values())
                case list() | tuple():
                    inner += each
                case float() if not math.isfinite(each):
                    _not_finite(str(each))
                case str():
                    each.encode()  # a lone surrogate is no text: UnicodeEncodeError, a ValueError
            if depth == MAX_DEPTH and isinstance(each, (dict, list, tuple)):
                raise ValueError(_TOO_DEEP)
        level, depth = inner, depth + 1


_TOO_DEEP = f"lists and objects are nested more than {MAX_DEPTH} deep"


def _not_finite(number: str) -> NoReturn:
    raise ValueError(f"{number} is not a finite number")
