"""Numbers on the command line: the same digits as in files (:mod:`graphlift.numerals`).

Typer reads them with Python's ``int`` and ``float``, which also take ``1_0`` for 10 and digits of
every script.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import get_args

import typer

from graphlift.errors import ConfigError
from graphlift.numerals import decimal


def check_numbers(words: Sequence[str], app: typer.Typer) -> None:
    """Refuse the value of a numeric flag that only Python takes for a number.

    Args:
        words: The words of the command line.
        app: Whose flags they are.

    Raises:
        ConfigError: If a value is such a number; what is no number at all is left to Typer.
    """
    flags = set(numeric_flags(app))
    split = [part for word in words for part in word.split("=", 1)]
    for flag, value in pairwise(split):
        if flag in flags and _only_pythons(value):
            raise ConfigError(f"{flag} {value[:40]!r}: write the number in plain digits, as 10")


def _only_pythons(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    try:
        decimal(text)
    except ValueError:
        return True
    return False


def numeric_flags(app: typer.Typer) -> Iterator[str]:
    """Name the flags of all verbs whose type is a whole number or a number."""
    for verb in app.registered_commands:
        for name, hint in getattr(verb.callback, "__annotations__", {}).items():
            kind, *more = get_args(hint) or (hint,)
            if {int, float} & {kind, *get_args(kind)}:
                named = [flag for info in more for flag in getattr(info, "param_decls", ()) or ()]
                yield from named or [f"--{name.strip('_').replace('_', '-')}"]
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from numeric_flags(group.typer_instance)
