"""Which points of a rig are the 17 joints: families of names that are known, and maps for others.

The families are data, in ``rig_names.toml`` beside this file. A map is a TOML file that a user
writes for a rig of no known family, with a line for each of the 17 joints.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.formats.kinematics import Recipe, missing_joints, recipe_weights
from graphlift.numerals import decimal
from graphlift.skeletons import H36M_17

_PREFIX = re.compile(r"^(cc_base_|bip\d+[ _]|def-)", re.IGNORECASE)
"""Of Reallusion, 3ds Max' Biped and Rigify's bones that deform."""

_LISTED = 100
"""So many of a file's joints are listed in a template."""

_LARGEST = 100_000
"""Bytes; a map has 17 lines."""


def plain_name(name: str) -> str:
    """Drop what tools add to a joint's name: a prefix (up to a colon, Bip01), case and signs."""
    own = name.rpartition(":")[2]
    return re.sub(r"[^a-z0-9]", "", _PREFIX.sub("", own, count=1).lower())


@cache
def families() -> Mapping[str, Recipe]:
    """Read the known families, in the order in which they are tried."""
    text = Path(__file__).with_name("rig_names.toml").read_text(encoding="utf-8")
    return {name: _recipe(table) for name, table in tomllib.loads(text).items()}


def _recipe(table: Mapping[str, Any]) -> Recipe:
    """Write out both sides of a family."""
    recipe = {joint: terms for joint, terms in table.items() if joint not in ("words", "sides")}
    for side, word in zip("LR", table["words"], strict=True):
        recipe |= {
            side + joint: terms.replace("@", word) for joint, terms in table["sides"].items()
        }
    return recipe


def find_joints(
    names: Sequence[str], where: str, mapped: tuple[str, Recipe] | None = None
) -> tuple[str, Float[np.ndarray, "joint point"]]:
    """Say how the 17 joints follow from a file's points.

    Args:
        names: As :func:`plain_name` gives them, and ``x.end`` for the End Site of x.
        where: The file, for the message.
        mapped: A map's name and its recipe, in place of the families.

    Returns:
        The family's or the map's name, and weights over the points.

    Raises:
        FormatError: If a point of the map is missing, or the names are of no known family;
            its note is then a map to fill in.
    """
    if mapped is not None:
        return mapped[0], _by_map(names, where, *mapped)
    tried = {family: recipe_weights(names, recipe) for family, recipe in families().items()}
    family = min(tried, key=lambda family: len(missing_joints(tried[family])))
    weights = tried[family]
    if not (missing := missing_joints(weights)):
        return family, weights
    error = FormatError(
        f"{where}: its joint names are of no known family: nearest is {family}, which lacks "
        f"{', '.join(missing)}; give --map FILE.toml with these lines, filled in (docs/data.md)"
    )
    error.add_note(_template(names, weights))
    raise error


def _template(names: Sequence[str], weights: np.ndarray) -> str:
    """Write a map with what the nearest family finds, and the names to choose from."""
    listed = [name[:40] for name in names[:_LISTED]]
    more = [] if len(names) <= _LISTED else [f"and {len(names) - _LISTED} more"]
    lines = [f"# joints of the file: {', '.join([*listed, *more])}"]
    for joint, row in zip(H36M_17.joints, weights, strict=True):
        used = np.flatnonzero(np.nan_to_num(row))
        points = [(row[at], names[at][:40]) for at in used.tolist()]
        terms = [name if weight == 1 else f"{weight:g}*{name}" for weight, name in points]
        key = f'"{joint}"' if "/" in joint else joint
        lines.append(f'{key} = "{" + ".join(terms)}"')
    return "\n".join(lines)


def _by_map(names: Sequence[str], where: str, title: str, recipe: Recipe) -> np.ndarray:
    weights = recipe_weights(names, recipe)
    if missing := missing_joints(weights):
        lacking = "; ".join(f"{joint} = {recipe[joint]!r}" for joint in missing[:3])
        known = ", ".join(name[:40] for name in names[:_LISTED])
        raise FormatError(
            f"{where}: has no such joints as {title} gives for {', '.join(missing)} ({lacking}): "
            f"its joints are {known}"
        )
    return weights


def read_map(path: Path) -> tuple[str, Recipe]:
    """Read which points are the 17 joints: lines ``LKnee = "0.5*kneeIn.L + 0.5*kneeOut.L"``.

    Returns:
        The file's name, and for each joint its points, as :func:`find_joints` takes them.

    Raises:
        DatasetNotFoundError: If there is no such file.
        ConfigError: If it is no TOML, a joint is missing or unknown, or its points make no sense.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"no map of joint names at {path}: give the path of a TOML")
    try:
        with path.open("rb") as file:
            table = tomllib.loads(file.read(_LARGEST).decode())
    except (ValueError, RecursionError) as error:  # also of a number of thousands of digits
        raise ConfigError(
            f'{path}: is no TOML ({error}): write lines such as LKnee = "shin.L"'
        ) from error
    joints = H36M_17.joints
    if unknown := sorted(set(table) - set(joints)):
        raise ConfigError(
            f"{path}: {', '.join(unknown)[:200]}: no joint of that name; known are "
            f"{', '.join(joints)}"
        )
    if missing := [joint for joint in joints if not table.get(joint)]:
        raise ConfigError(f"{path}: has no line for {', '.join(missing)}: add one for each")
    return path.name, {joint: _terms(table[joint], f"{path}: {joint}") for joint in joints}


def _terms(text: object, where: str) -> str:
    """Check a joint's points, and write them plainly."""
    wrong = ConfigError(
        f"{where} is {str(text)[:80]!r}: give the name of a joint of the file, or a mean such as "
        '"0.5*hip.L + 0.5*hip.R", whose weights add up to 1'
    )
    if not isinstance(text, str):
        raise wrong
    found = []
    total = 0.0
    for term in text.split("+"):
        factor, star, name = term.rpartition("*")
        whole, end = name.strip().removesuffix(".end"), name.strip().endswith(".end")
        try:
            total += (weight := decimal(factor) if star else 1.0)
        except ValueError:
            raise wrong from None
        if not plain_name(whole):
            raise wrong
        found.append(f"{weight!r}*{plain_name(whole)}{'.end' if end else ''}")
    if not abs(total - 1) < 1e-6:
        raise wrong
    return " + ".join(found)
