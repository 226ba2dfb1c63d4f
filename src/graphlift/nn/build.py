"""A network from its name: every method and baseline of the study."""

from torch import nn

from graphlift.errors import ModelError
from graphlift.graph import METHODS, AffinityKind
from graphlift.nn.baselines import Martinez
from graphlift.nn.gcn import PoseGCN
from graphlift.nn.graph_conv import Init
from graphlift.skeletons import H36M_16, Skeleton

BLOCKS = {"martinez": 2}
"""Residual blocks where it is not the four of the graph networks."""


def build_network(
    method: str,
    *,
    decouple_self: bool = False,
    channels: int = 128,
    blocks: int | None = None,
    dropout: float = 0.0,
    affinity: AffinityKind = "learnt",
    init: Init = "glorot",
    skeleton: Skeleton = H36M_16,
) -> nn.Module:
    """Build a network with fresh weights from torch's global generator.

    Args:
        method: A weight-sharing method, ``semgcn`` or ``martinez``.
        decouple_self: As in :class:`graphlift.nn.gcn.PoseGCN`; semgcn always does.
        channels: Width.
        blocks: Residual blocks; the network's own number when left out.
        dropout: Share of features dropped in training.
        affinity: As in :class:`graphlift.nn.graph_conv.GraphConv`.
        init: As there.
        skeleton: The body.

    Raises:
        ModelError: If the method is unknown or has no decoupled variant.
    """
    count = BLOCKS.get(method, 4) if blocks is None else blocks
    if method == "martinez":
        return Martinez(skeleton, channels=channels, blocks=count, dropout=dropout)
    if method not in (*METHODS, "semgcn"):
        known = ", ".join((*METHODS, "semgcn", "martinez"))
        raise ModelError(f"no network is named {method!r}: use one of {known}")
    semgcn = method == "semgcn"
    return PoseGCN(
        skeleton,
        sharing="full-sharing" if semgcn else method,  # type: ignore[arg-type]  # checked above
        decouple_self=decouple_self or semgcn,
        channels=channels,
        blocks=count,
        dropout=dropout,
        non_local=semgcn,
        affinity=affinity,
        init=init,
    )
