"""The configuration of a run as a person would write it, who wants to do the run again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from graphlift.training.config import TrainConfig
from graphlift.training.unused_keys import unused_keys


def to_toml(config: TrainConfig) -> str:
    """Write a run's configuration in TOML: every key that the run uses, with its value.

    Keys without a value are left out, and so are those that are for other networks, cameras or
    schedules, which :func:`graphlift.training.config.read_config` refuses.
    """
    table = asdict(config)
    return "\n".join(_lines(table, unused_keys(table, config))).strip() + "\n"


def _lines(table: Mapping[str, Any], unused: Mapping[str, str], above: str = "") -> Iterator[str]:
    """Write the keys of a table, and then the tables in it."""
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    for key, value in table.items():
        if key not in tables and value is not None and above + key not in unused:
            yield f"{key} = {_value(value)}"
    for key, below in tables.items():
        if lines := [*_lines(below, unused, f"{above}{key}.")]:
            yield from ("", f"[{above}{key}]", *lines)


def _value(value: Any) -> str:  # noqa: ANN401
    """Write a string, a number, a truth value or a list of strings, alike in JSON and in TOML."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
