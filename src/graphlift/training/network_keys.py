"""Keys of a configuration that its network does not have."""

from typing import TYPE_CHECKING

from graphlift.networks import ANY_FEATURES, LIFTERS, SAYS_MORE

if TYPE_CHECKING:
    from graphlift.training.config import ModelConfig


def not_of_network(model: "ModelConfig") -> str:
    """Say what is asked of a network that it does not have, and the way out; "" if nothing is."""
    method, affinity = model.method, model.affinity
    if model.learnt_mask and method != "lcn":
        return f"{method} has no mask: leave learnt_mask out"
    if method == "modulated" and affinity not in ("learnt", "row-normalised"):
        return f"modulated has no {affinity} affinity: write learnt, or row-normalised"
    if model.mirrored and model.inputs == "canonical":
        return "canonical inputs have no mirror image on the screen: leave mirrored out"
    if method not in LIFTERS:
        return ""
    if model.mirrored and method in SAYS_MORE:
        return f"{method} gives no mean with the mirror image: leave mirrored out"
    said = "" if method in ANY_FEATURES else _not_taken(model)
    if said:
        return said
    if model.non_local not in (None, "none"):
        return f"{method} has no non-local layers: leave non_local out"
    if affinity != "learnt" and method != "martinez":
        instead = ", but a mask (learnt_mask)" if method == "lcn" else ""
        return f"{method} has no {affinity} affinity{instead}: leave affinity out"
    return _out_of_range(model)


def _not_taken(model: "ModelConfig") -> str:
    """Say which joints, inputs or deviations a network of few kinds of inputs does not have."""
    method, joints = model.method, (16,) if model.method == "martinez" else (16, 17)
    lifting = method == "mixture" and (model.joints, model.inputs) == (17, "canonical")
    if model.joints in joints and (model.inputs == "screen" or lifting) and not model.sigma:
        return ""
    known = " or ".join(map(str, joints))
    also = ", or 17 canonical ones, and has spreads" if method == "mixture" else ""
    return (
        f"{method} takes {known} joints on the screen{also or ', and gives positions alone'}: "
        f"write joints = {joints[0]}, and leave inputs and sigma out"
    )


def _out_of_range(model: "ModelConfig") -> str:
    """Say which number a network does not work with."""
    method, joints = model.method, model.joints
    if method == "graph-hourglass" and joints != 16:
        return f"graph-hourglass pools 16 joints, not {joints}: write joints = 16"
    if method == "graph-hourglass" and model.blocks == 0:
        return "graph-hourglass has at least one hourglass: write blocks = 1 or more"
    if method == "graformer" and model.channels < 2:
        return "graformer normalises over channels: write channels = 2 or more"
    if method == "htnet" and model.dropout >= 1 / 3:
        return (
            "htnet leaves out branches for up to three times the share of dropout: write dropout "
            "below 1/3; 0.1 is published"
        )
    return ""
