"""Whether what lies in a folder belongs to the run that is to go on there."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from graphlift.errors import CheckpointError
from graphlift.samples.ordinal_labels import digest_of
from graphlift.training.config import TrainConfig
from graphlift.training.tables import merge
from graphlift.words import plain

OTHER_FOLDER = "give this run another folder"
MOST = 6
"""Differences that a message lists."""


def differences(config: TrainConfig, other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Find the keys in which a stored configuration differs from this one, by their paths.

    A key that the stored one lacks has its default there. ``data`` is left out: it is a path, and
    the digest identifies the data that it leads to.

    Returns:
        The value there and the value here of each.
    """
    ours, default = (json.loads(json.dumps(asdict(c))) for c in (config, TrainConfig()))
    here = dict(_flat(ours, ""))
    there = dict(_flat(merge([default, other]), ""))
    return {
        key: (there.get(key), value)
        for key, value in here.items()
        if key != "data" and there.get(key) != value
    }


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def check_own(
    where: str,
    config: TrainConfig,
    stored: Mapping[str, Any] | None,
    digests: Mapping[str, tuple[str | None, str | None]],
    *,
    way_out: str = f"{OTHER_FOLDER}, or delete the old one",
) -> None:
    """Refuse files of another run, or files made with other data.

    Args:
        where: The file, and perhaps which run in it; the message begins with it.
        config: The run that is to go on from it.
        stored: The configuration in the file; None where only the data are compared.
        digests: By what was done with the data, such as ``"trained on"``: the SHA-256 in the file,
            and that of the data now.
        way_out: What to do about another configuration.

    Raises:
        CheckpointError: Naming the keys, with their values, or the data, that differ.
    """
    if stored is not None and (other := differences(config, stored)):
        keys = [
            f"{key} (there {_text(was)}, here {_text(now)})" for key, (was, now) in other.items()
        ]
        more = f" and {len(keys) - MOST} more" if len(keys) > MOST else ""
        raise CheckpointError(
            f"{where}: belongs to a run with another {', '.join(keys[:MOST])}{more}: {way_out}"
        )
    for done, (before, now) in digests.items():
        if before != now:
            was, is_now = (digest[:12] if digest else "none" for digest in (before, now))
            raise CheckpointError(
                f"{where}: was {done} other data (digest {was}) than {config.data!r} now holds "
                f"({is_now}): {OTHER_FOLDER}"
            )


def labels_now(configs: Iterable[TrainConfig]) -> dict[str, str]:
    """SHA-256 of the tables of ordinal labels that runs are given, by their paths.

    Raises:
        OSError: If one cannot be read.
    """
    paths = {config.supervision.ordinal_labels for config in configs} - {""}
    return {path: digest_of(Path(path)) for path in paths}


def check_labels(
    where: str, stored: Mapping[str, Any], before: str | None, now: Mapping[str, str]
) -> None:
    """Refuse what was trained on other ordinal labels than its table now holds.

    Args:
        where: As of :func:`check_own`.
        stored: The configuration.
        before: SHA-256 of the table that it was trained on, if it was on any.
        now: As of :func:`labels_now`; other tables are not compared.

    Raises:
        CheckpointError: Naming the table.
    """
    supervision = stored.get("supervision")
    given = str(supervision.get("ordinal_labels")) if isinstance(supervision, Mapping) else ""
    if given in now and before != now[given]:
        raise CheckpointError(
            f"{where}: was trained on other ordinal labels than {given} now holds: {OTHER_FOLDER}"
        )


def _text(value: Any) -> str:  # noqa: ANN401
    """Write a value as TOML does, where it has one."""
    return "none" if value is None else plain(json.dumps(value, ensure_ascii=False), 40)
