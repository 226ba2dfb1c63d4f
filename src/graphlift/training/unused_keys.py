"""Keys of a configuration that its run would ignore."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphlift.training.network_keys import ignored_keys

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
) -> list[str]:
    """Name the given keys that would be ignored, and what counts in their place.

    Args:
        table: That a person wrote; the stored configuration of a run has every key.
        config: The run.
        planned: Whether it is one of the runs of a plan, of which keys of ``model`` and of the
            schedule may be for others; the plan has checked those of ``model``.
    """
    cameras, joints, vary = config.cameras, config.model.joints, config.vary
    over_time = config.model.method == "over-time"
    found = []
    if not planned:
        found += ignored_keys(table.get("model"), {config.model.method})
    if not planned and config.schedule == "cosine" and "decay" in table:
        found.append("decay is for exponential and staircase, and cosine ends at 0: leave it out")
    if not over_time and "base" in table:
        found.append("base is for over-time alone: leave it out")
    if cameras == "random" and config.flip:
        found.append("flip is for other cameras than random, where views.mirror counts")
    for key in table.get("views", {}):
        if vary and key in _OF_BODIES:
            continue
        if vary:
            found.append(f"views.{key} is not for vary, where detections counts: leave it out")
        elif cameras != "random":
            found.append(f'views.{key} is for cameras = "random": leave it out')
        elif joints == 28 and key in _OF_28:
            found.append(f"views.{key} is for 17 joints: with 28, {_OF_28[key]} counts")
        elif over_time and key in _LOST_AT_ONCE:
            found.append(f"views.{key} is for single frames: leave it out for over-time")
    for key in table.get("anatomy", {}) if joints != 28 else ():
        counts = f"with {joints}, views.{key} counts" if joints == 17 else "leave it out"
        counts = counts if key in _OF_28 else "leave it out"
        found.append(f"anatomy.{key} is for model.joints = 28: {counts}")
    return found
