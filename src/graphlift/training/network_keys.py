"""Keys of a configuration that its network does not have."""

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from graphlift.networks import ANY_FEATURES, LIFTERS, OTHERS, SAYS_MORE
from graphlift.weight_sharing import DECOUPLED, METHODS

if TYPE_CHECKING:
    from graphlift.training.config import ModelConfig

NETWORKS = (*METHODS, *OTHERS, "over-time")
"""What ``model.method`` may be."""
_GRAPH_CONVOLUTIONS = (*METHODS, "semgcn", "modulated")
_SINGLE_FRAMES = (*METHODS, *OTHERS)
USED_BY: Mapping[str, tuple[str, ...]] = {
    "decouple_self": DECOUPLED,
    "blocks": _SINGLE_FRAMES,
    "affinity": _GRAPH_CONVOLUTIONS,
    "init": (*_GRAPH_CONVOLUTIONS, *ANY_FEATURES),
    "non_local": _GRAPH_CONVOLUTIONS,
    "centre": ("convolution-style",),
    "learnt_mask": ("lcn",),
    "mirrored": tuple(name for name in _SINGLE_FRAMES if name not in SAYS_MORE),
}
"""Keys of ``model`` that some networks lack, and the networks that have them. Every network has
``channels`` and ``dropout``, and says which ``joints``, ``inputs`` and ``sigma`` it takes."""
_LACKS: Mapping[str, Any] = {
    "decouple_self": False,
    "non_local": "none",
    "learnt_mask": False,
    "mirrored": False,
}
"""Values that say of a network that it lacks what the key is about, which anybody may say."""
_OF_PARTS = ("affinity", "non_local", "centre", "learnt_mask")
"""Keys about parts that only some networks have. ``init`` is none of them: where a plan has it for
all runs, results of networks that lack it hold it, too."""


def ignored_keys(model: object, methods: Set[str]) -> dict[str, tuple[str, ...]]:
    """Find the given keys that none of some networks would use, and the networks that do.

    Args:
        model: The table ``model`` that a person wrote.
        methods: The networks that it is for.
    """
    return {
        key: users
        for key, value in (model.items() if isinstance(model, Mapping) else ())
        if not methods & {*(users := USED_BY.get(key, NETWORKS))}
        and not (key in _LACKS and value == _LACKS[key])
    }


def refused(ignored: Mapping[str, Sequence[str]], method: str) -> dict[str, str]:
    """Say of each key that a network would ignore which networks it is for, by its path."""
    return {
        f"model.{key}": f"model.{key} is for {', '.join(users)}, and {method} would ignore it: "
        "leave it out"
        for key, users in ignored.items()
    }


def of_network(model: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Leave out the keys about parts that a network lacks: they are for other runs of a plan."""
    return {
        key: value
        for key, value in model.items()
        if key not in _OF_PARTS or method in USED_BY[key]
    }


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
