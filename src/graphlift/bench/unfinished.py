"""What an unfinished benchmark has measured: a line each, from which the same command goes on."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from graphlift.bench.machine import Machine, MemoryRates
from graphlift.bench.results import ProductRate, Row
from graphlift.errors import ConfigError, FormatError
from graphlift.files import alone, append_line
from graphlift.plain_json import json_as, parse_json
from graphlift.study.results import set_aside_cut_line
from graphlift.words import plain, problems

UNFINISHED = "unfinished.jsonl"


@dataclass(frozen=True)
class Start:
    """The first line: what the rates of networks are held against.

    Args:
        conditions: What decides a time and is not in :class:`Measured`, by name.
        machine: Where the benchmark began.
        memory: As in :class:`graphlift.bench.results.Result`.
        square: As there.
        seconds: That these took.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    conditions: Mapping[str, str]
    machine: Machine
    memory: MemoryRates
    square: ProductRate
    seconds: float


@dataclass(frozen=True)
class Measured:
    """Every other line: a network or model at a batch, in one mode.

    Args:
        what: Which.
        rows: Times by each engine.
        products: Rates of its products, timed in turns with it.
        seconds: That all of this took.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    what: str
    rows: tuple[Row, ...]
    products: tuple[ProductRate, ...]
    seconds: float


@contextmanager
def kept_in(folder: Path | None) -> Iterator[Path | None]:
    """Lock a folder, and give its file without a line that was cut short; None without a folder.

    Raises:
        BlockingIOError: If another benchmark runs there.
        OSError: If the folder cannot be made.
    """
    if folder is None:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, "benchmark"):
        set_aside_cut_line(folder / UNFINISHED)
        yield folder / UNFINISHED


def keep(line: Start | Measured, path: Path | None) -> None:
    """Add a line, whole or not at all; nothing without a path.

    Raises:
        OSError: If it cannot be written.
    """
    if path is not None:
        append_line(path, json.dumps(asdict(line), separators=(",", ":"), allow_nan=False))


def read_unfinished(
    path: Path | None, conditions: Mapping[str, str]
) -> tuple[Start | None, dict[str, Measured]]:
    """Read what was kept; nothing where there is no file, or no path.

    Returns:
        The first line, and the others by what they are of.

    Raises:
        ConfigError: If it was measured under other conditions.
        FormatError: If a line is damaged.
        OSError: If the file cannot be read.
    """
    if path is None or not path.exists():
        return None, {}
    from pydantic import ValidationError

    start: Start | None = None
    measured: dict[str, Measured] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            parse_json(line)
            if start is None:
                start = json_as(Start, line)
            else:
                found = json_as(Measured, line)
                measured[found.what] = found
        except ValueError as error:
            told = problems(error, "line") if isinstance(error, ValidationError) else error
            raise FormatError(
                f"{path}, line {number}: no measurement of a benchmark ({told}): delete the file "
                "to begin anew"
            ) from error
    if start is not None:
        _check_conditions(start.conditions, conditions, path)
    return start, measured


def _check_conditions(there: Mapping[str, str], here: Mapping[str, str], path: Path) -> None:
    """Refuse to mix what was measured otherwise."""
    other = [
        f"{plain(name)} (there {plain(there.get(name, 'none'))}, here {here.get(name, 'none')})"
        for name in dict.fromkeys((*here, *there))
        if there.get(name) != here.get(name)
    ]
    if other:
        raise ConfigError(
            f"{path}: is of a benchmark with other {', '.join(other)}: finish that one, give this "
            "one another folder (-o), or delete the file"
        )
