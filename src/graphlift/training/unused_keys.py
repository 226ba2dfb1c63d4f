"""Keys of a configuration that its run would ignore."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphlift.training.network_keys import ignored_keys, refused

if TYPE_CHECKING:
    from graphlift.training.config import TrainConfig

_OF_28 = {
    "size": "anatomy.size",
    "bones": "anatomy.bones",
    "recombine": "anatomy.recombine",
    "proxies": "anatomy.captured",
}
"""Keys of ``views`` that are for 17 joints, and what counts in their place for 28."""

_LOST_AT_ONCE = ("crop", "joints", "limbs")
"""Keys of ``views`` about what single frames lack; over time :mod:`graphlift.detector_noise` says
what is lost, and for how long."""


_OF_BODIES = ("size", "bones", "recombine", "mirror")
"""Keys of ``views`` about people, which count where people are varied for the open protocol."""


def unused_keys(
    table: Mapping[str, Any], config: "TrainConfig", *, planned: bool = False
) -> dict[str, str]:
    """Find the given keys that would be ignored, and say what counts in their place.

    Args:
        table: That a person wrote, or all keys of a run.
        config: The run.
        planned: Whether it is one of the runs of a plan, of which keys of ``model`` and of the
            schedule may be for others; the plan has checked those of ``model``.

    Returns:
        What to say of each, by its path.
    """
    cameras, joints, vary = config.cameras, config.model.joints, config.vary
    over_time = config.model.method == "over-time"
    found: dict[str, str] = {}
    if not planned:
        method = config.model.method
        found |= refused(ignored_keys(table.get("model"), {method}), method)
    if not planned and config.schedule == "cosine" and "decay" in table:
        found["decay"] = (
            "decay is for exponential and staircase, and cosine ends at 0: leave it out"
        )
    if not over_time and "base" in table:
        found["base"] = "base is for over-time alone: leave it out"
    if cameras == "random" and config.flip:
        found["flip"] = "flip is for other cameras than random, where views.mirror counts"
    for key in table.get("views", {}):
        path = f"views.{key}"
        if vary and key in _OF_BODIES:
            continue
        if vary:
            found[path] = f"{path} is not for vary, where detections counts: leave it out"
        elif cameras != "random":
            found[path] = f'{path} is for cameras = "random": leave it out'
        elif joints == 28 and key in _OF_28:
            found[path] = f"{path} is for 17 joints: with 28, {_OF_28[key]} counts"
        elif over_time and key in _LOST_AT_ONCE:
            found[path] = f"{path} is for single frames: leave it out for over-time"
    for key in table.get("anatomy", {}) if joints != 28 else ():
        counts = f"with {joints}, views.{key} counts" if joints == 17 else "leave it out"
        counts = counts if key in _OF_28 else "leave it out"
        found[f"anatomy.{key}"] = f"anatomy.{key} is for model.joints = 28: {counts}"
    return found


def recorded(
    table: Mapping[str, Any], default: Mapping[str, Any], above: str = ""
) -> Iterator[str]:
    """List the keys at their defaults in tables that state every key, by their paths.

    The record of a run states every key. Whoever copies it does not think that those of other
    runs change anything; whoever writes one such key does, also with the value of its default.
    """
    whole = all(key in table for key, value in default.items() if value is not None)
    for key, value in table.items():
        if isinstance(value, Mapping) and isinstance(default.get(key), Mapping):
            yield from recorded(value, default[key], f"{above}{key}.")
        elif whole and key in default and value == default[key]:
            yield above + key
