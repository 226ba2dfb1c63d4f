"""Keys of a configuration that its network does not have."""

from collections.abc import Mapping
from typing import Any

from graphlift.networks import OTHERS


def misfit(model: Mapping[str, Any]) -> str:
    """Say in a sentence which key does not fit a network, and the way out; empty if all do.

    Args:
        model: The fields of :class:`graphlift.training.config.ModelConfig`.
    """
    method, joints, affinity = model["method"], model["joints"], model["affinity"]
    if method in OTHERS and model["non_local"] not in (None, "none"):
        return f"{method} has no non-local layers: leave non_local out"
    if method in OTHERS and method != "martinez" and affinity != "learnt":
        return f"{method} has no {affinity} affinity: leave affinity out"
    if method == "martinez" and (joints, model["inputs"], model["sigma"]) != (16, "screen", False):
        return "martinez takes 16 joints on the screen, and gives positions alone"
    if method == "modulated" and affinity not in ("learnt", "row-normalised"):
        return f"modulated has no {affinity} affinity: write learnt, or row-normalised"
    if method == "graph-hourglass" and joints != 16:
        return f"graph-hourglass pools 16 joints, not {joints}: write joints = 16"
    if method == "graph-hourglass" and model["blocks"] == 0:
        return "graph-hourglass has at least one hourglass: write blocks = 1 or more"
    if method == "graformer" and model["channels"] < 2:
        return "graformer normalises over channels: write channels = 2 or more"
    if method == "htnet" and model["dropout"] >= 1 / 3:
        return (
            "htnet leaves out branches for up to three times the share of dropout: write dropout "
            "below 1/3; 0.1 is published"
        )
    return ""
