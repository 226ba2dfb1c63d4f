"""What a method's name means: the one place that says how the baselines are built."""

from dataclasses import dataclass

from graphlift.errors import ModelError
from graphlift.graph import METHODS, Sharing


@dataclass(frozen=True)
class Layout:
    """A network, but for its width and its body.

    Args:
        sharing: Weight-sharing method of its graph convolutions; None for the fully connected
            network, which has no graph.
        decouple_self: Give self-connections their own weights.
        non_local: Add non-local layers.
        blocks: Residual blocks.
    """

    sharing: Sharing | None
    decouple_self: bool
    non_local: bool
    blocks: int


def layout(method: str, *, decouple_self: bool = False, blocks: int | None = None) -> Layout:
    """Say which network a name means.

    Args:
        method: A weight-sharing method; ``semgcn``, which is decoupled full-sharing with non-local
            layers; or ``martinez``, fully connected.
        decouple_self: The decoupled variant of a method.
        blocks: Residual blocks; 4, of martinez 2, when left out.

    Raises:
        ModelError: If there is no such method.

    Source: Zhao et al., CVPR 2019 (semgcn); Martinez et al., ICCV 2017 (martinez).
    """
    if method == "martinez":
        return Layout(None, False, False, 2 if blocks is None else blocks)
    count = 4 if blocks is None else blocks
    if method == "semgcn":
        return Layout("full-sharing", True, True, count)
    for sharing in METHODS:
        if sharing == method:
            return Layout(sharing, decouple_self, False, count)
    known = ", ".join((*METHODS, "semgcn", "martinez"))
    raise ModelError(f"no network is named {method!r}: use one of {known}")
