"""Keys of a configuration that its run would ignore, or that its network cannot have."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphlift.networks import LIFTERS

if TYPE_CHECKING:
    from graphlift.training.config import ModelConfig

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


def unused_keys(table: Mapping[str, Any], cameras: str, joints: int, over_time: bool) -> list[str]:
    """Name the given keys that would be ignored, and what counts in their place.

    Args:
        table: That a person wrote; the stored configuration of a run has every key.
        cameras: Of the run, as in :class:`graphlift.training.config.TrainConfig`.
        joints: Of its network.
        over_time: Whether the network is one over time.
    """
    found = []
    for key in table.get("views", {}):
        if cameras != "random":
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


def not_of_network(model: "ModelConfig") -> str:
    """Say what is asked of a network that it does not have, and the way out; "" if nothing is."""
    method, joints = model.method, (16,) if model.method == "martinez" else (16, 17)
    if model.learnt_mask and method != "lcn":
        return f"{method} has no mask: leave learnt_mask out"
    if method not in LIFTERS:
        return ""
    lifting = method == "mixture" and (model.joints, model.inputs) == (17, "canonical")
    if model.joints not in joints or (model.inputs != "screen" and not lifting) or model.sigma:
        known = " or ".join(map(str, joints))
        also = ", or 17 canonical ones, and has spreads" if method == "mixture" else ""
        return (
            f"{method} takes {known} joints on the screen{also or ', and gives positions alone'}: "
            f"write joints = {joints[0]}, and leave inputs and sigma out"
        )
    if model.non_local not in (None, "none"):
        return f"{method} has no non-local layers: leave non_local out"
    if model.affinity != "learnt" and method != "martinez":
        instead = ", but a mask (learnt_mask)" if method == "lcn" else ""
        return f"{method} has no affinities{instead}: leave affinity out"
    return ""
