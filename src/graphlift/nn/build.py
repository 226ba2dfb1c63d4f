"""A network from its name: every method and baseline of the study."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from graphlift.errors import ModelError
from graphlift.graph import AffinityKind
from graphlift.networks import ANY_FEATURES, SAYS_MORE, Centre, NonLocalKind, layout
from graphlift.nn.baselines import Martinez
from graphlift.nn.bidirectional import Attributed, Bidirectional
from graphlift.nn.gcn import PoseGCN
from graphlift.nn.graformer import GraFormer
from graphlift.nn.graph_conv import Init
from graphlift.nn.high_order import HighOrderGCN
from graphlift.nn.hourglass import GraphHourglass
from graphlift.nn.htnet import HTNet
from graphlift.nn.locally_connected import LocallyConnected
from graphlift.nn.mixture import Mixture, MixtureDensity
from graphlift.nn.ordinal_depth import Ordered, OrdinalDepth
from graphlift.nn.over_time import PoseOverTime
from graphlift.nn.views import Viewed
from graphlift.skeletons import BODY_28, BY_JOINTS, Skeleton

LIFTERS: Mapping[str, Callable[..., nn.Module]] = {
    "martinez": Martinez,
    "lcn": LocallyConnected,
    "mixture": MixtureDensity,
    "bidirectional": Bidirectional,
    "ordinal-depth": OrdinalDepth,
    "high-order": HighOrderGCN,
    "graph-hourglass": GraphHourglass,
    "graformer": GraFormer,
    "htnet": HTNet,
}
"""The networks of :data:`graphlift.networks.LIFTERS`."""

Said = Tensor | Attributed | Mixture | Ordered
"""What a network says of a batch: poses, or poses with more; of over-time, several poses."""


def build_network(
    method: str,
    *,
    decouple_self: bool = False,
    channels: int = 128,
    blocks: int | None = None,
    dropout: float = 0.0,
    affinity: AffinityKind = "learnt",
    init: Init = "glorot",
    skeleton: Skeleton | None = None,
    joints: int = 16,
    inputs: str = "screen",
    sigma: bool = False,
    non_local: NonLocalKind | None = None,
    centre: Centre = "spine",
    learnt_mask: bool = False,
    mirrored: bool = False,
) -> nn.Module:
    """Build a network with fresh weights from torch's global generator.

    Args:
        method: A weight-sharing method, ``semgcn``, ``modulated`` or one of :data:`LIFTERS`; or
            ``over-time``, which has no keys but ``channels`` and ``dropout``.
        decouple_self: As in :class:`graphlift.nn.gcn.PoseGCN`; semgcn and modulated always are.
        channels: Width, as the network counts it.
        blocks: Residual blocks; the network's own number when left out.
        dropout: Share of features dropped in training.
        affinity: As in :class:`graphlift.nn.graph_conv.GraphConv`; of modulated, as in
            :class:`graphlift.nn.modulated.ModulatedConv`.
        init: As in :class:`graphlift.nn.graph_conv.GraphConv`.
        skeleton: The body; Human3.6M's of ``joints`` joints when left out.
        joints: 16, 17 or 28.
        inputs: ``screen``; ``centred``, as in :class:`graphlift.nn.views.Viewed`; or
            ``canonical`` with confidence as a third number.
        sigma: Whether the network also returns a standard deviation per position; one of 28
            joints always does, and the fronts of segments (:mod:`graphlift.samples.body_views`).
        non_local: As in :class:`graphlift.nn.gcn.PoseGCN`; the network's own when left out.
        centre: Joint from which convolution-style counts bones: the skeleton's centre, or its
            root.
        learnt_mask: As in :class:`graphlift.nn.locally_connected.LocallyConnected`.
        mirrored: As in :class:`graphlift.nn.views.Viewed`; of networks that give positions alone.

    Raises:
        ModelError: If the method is unknown or has no decoupled variant, or no such layers, or
            takes no such inputs, or gives no deviations.
    """
    if method == "over-time":
        return PoseOverTime(channels=channels, dropout=dropout)
    which = layout(method, decouple_self=decouple_self, blocks=blocks, non_local=non_local)
    if learnt_mask and method != "lcn":
        raise ModelError(f"{method} has no mask: leave learnt_mask out")
    body = skeleton or BY_JOINTS[joints]
    if centre == "root":
        body = replace(body, centre=body.joints[body.root])
    if which.sharing is None:
        sizes = {"channels": channels, "blocks": which.blocks, "dropout": dropout}
        options: dict[str, Any] = {"learnt_mask": True} if learnt_mask else {}
        if method in ANY_FEATURES:
            options |= {"init": init, "features": _features(joints, inputs, sigma)}
        elif inputs == "canonical" and method == "mixture":
            options |= {"features": 3}
        elif inputs != "screen" or sigma:
            raise ModelError(
                f"{method} takes keypoints on the screen and gives positions alone: leave inputs "
                "and sigma out"
            )
        network = LIFTERS[method](body, **sizes, **options)
    else:
        network = PoseGCN(
            body,
            sharing=which.sharing,
            decouple_self=which.decouple_self,
            channels=channels,
            blocks=which.blocks,
            dropout=dropout,
            non_local=which.non_local,
            modulated=which.modulated,
            affinity=affinity,
            init=init,
            features=_features(joints, inputs, sigma),
        )
    if mirrored and (method in SAYS_MORE or inputs == "canonical" or len(body) == len(BODY_28)):
        raise ModelError(
            f"{method} of {len(body)} joints and {inputs} inputs gives no mean with the mirror "
            "image, which is of positions on the screen alone: leave mirrored out"
        )
    centred = inputs == "centred"
    if not (centred or mirrored):
        return network
    return Viewed(network, body, centred=centred, mirrored=mirrored)


def _features(joints: int, inputs: str, sigma: bool) -> tuple[int, int]:
    """Numbers a joint of the input and of the output."""
    if joints == len(BODY_28):  # a flag beside the confidence; a front and its sigma
        return 4, 8
    return {"screen": 2, "canonical": 3, "centred": 4}[inputs], 4 if sigma else 3
