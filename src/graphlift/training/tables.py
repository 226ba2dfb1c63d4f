"""Tables as people write them: TOML files, overrides of their keys, and the check of both."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from graphlift.errors import ConfigError
from graphlift.plain_json import json_as
from graphlift.words import problems, reason, shown

Settings = Mapping[tuple[str, ...], Any]
"""Values by the path of their key; an empty table stands for a table that is emptied."""


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        ConfigError: If it is not TOML, or a folder.
        OSError: If it cannot be read.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder: give a TOML file, such as those in recipes/")
    text = path.read_bytes()
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):  # what PowerShell's > writes
        text = text.decode("utf-16", errors="replace").encode()
    return _parse_toml(str(path), text.removeprefix(b"\xef\xbb\xbf"))


def read_overrides(overrides: Iterable[str]) -> Settings:
    """Parse overrides, each ``key = value`` in TOML; in which order they come does not matter.

    Raises:
        ConfigError: If one is not TOML or sets nothing, or two set the same key to other values.
    """
    found: dict[tuple[str, ...], tuple[str, Any]] = {}
    for text in overrides:
        name = f"--set {shown(text)}"
        table = _parse_toml(name, text.encode())
        if not table:
            raise ConfigError(f"{name}: sets nothing: write key = value, or leave it out")
        for key, value in _leaves(table, ()):
            for other, (before, given) in found.items():
                if _conflict(key, value, other, given):
                    twice = ".".join(key if len(key) < len(other) else other)
                    raise ConfigError(f"{before} and {name}: {twice} is set twice: leave one out")
            found[key] = name, value
    return {key: value for key, (_, value) in found.items()}


def _parse_toml(name: str, text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: not TOML: {reason(error)}") from error


def _leaves(
    table: Mapping[str, Any], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of a table and of those in it; of an empty table, the table."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _conflict(key: tuple[str, ...], value: Any, other: tuple[str, ...], given: Any) -> bool:  # noqa: ANN401
    """Whether two settings cannot both hold; a table may be emptied and have a key set anew."""
    if key == other:
        return json.dumps(value, default=str) != json.dumps(given, default=str)
    shorter, whole = (key, value) if len(key) < len(other) else (other, given)
    return key[: len(shorter)] == other[: len(shorter)] and whole != {}


def override(table: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Set keys of a table, all at once: tables that are emptied lose what the table has there."""
    changed: Mapping[str, Any] = table
    for key, value in settings.items():
        changed = without(changed, key) if value == {} else changed
    return merge([changed, *(_nested(key, value) for key, value in settings.items())])


def _nested(key: Sequence[str], value: Any) -> dict[str, Any]:  # noqa: ANN401
    for name in reversed(key):
        value = {name: value}
    return dict(value)


def without(table: Mapping[str, Any], key: Sequence[str]) -> Mapping[str, Any]:
    """Leave a key, given by its path, out of a table."""
    first, *rest = key
    if first not in table:
        return table
    if not rest:
        return {name: value for name, value in table.items() if name != first}
    below = table[first]
    return {**table, first: without(below, rest)} if isinstance(below, Mapping) else table


def merge(tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge tables, nested tables included; later values replace earlier ones."""
    merged: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            below = merged.get(key, {})
            nested = isinstance(value, dict) and isinstance(below, dict)
            merged[key] = merge([below, value]) if nested else value
    return merged


Config = TypeVar("Config")


def parse_table(kind: type[Config], table: Mapping[str, Any], where: str) -> Config:
    """Check a table against a dataclass.

    Raises:
        ConfigError: If a key is unknown, or a value has the wrong type or makes no sense; the
            message begins with ``where`` and lists every such key by its path.
    """
    from pydantic import ValidationError

    try:
        return json_as(kind, json.dumps(table, default=str))
    except ValidationError as error:
        raise ConfigError(f"{where}: {problems(error)}") from error
