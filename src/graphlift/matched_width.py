"""The width at which a network has a size, so that networks are compared at equal size."""

from dataclasses import dataclass

from graphlift.complexity import network_complexity
from graphlift.skeletons import H36M_16, Skeleton


@dataclass(frozen=True)
class Width:
    """A number of channels, and how near the network comes to the size asked for.

    Args:
        channels: Features of a joint (of a pose, for the fully connected network), as the
            network counts them.
        parameters: What the network then has.
        off: Relative difference to the target; 0.01 is one per cent too many.
    """

    channels: int
    parameters: int
    off: float


def channels_for(
    method: str,
    parameters: int,
    *,
    decouple_self: bool = False,
    blocks: int | None = None,
    skeleton: Skeleton = H36M_16,
) -> Width:
    """Find the width at which a network comes nearest to a number of parameters.

    Args:
        method: A weight-sharing method, ``semgcn``, ``modulated`` or one of
            :data:`graphlift.networks.LIFTERS`.
        parameters: The size aimed at; the paper compares at 4.2 million.
        decouple_self: As in :func:`graphlift.complexity.complexity`.
        blocks: Residual blocks; each network's own number when left out.
        skeleton: The body.

    Raises:
        ModelError: If there is no such method, or it has no decoupled variant.
    """

    def size(channels: int) -> int:
        return network_complexity(
            method,
            decouple_self=decouple_self,
            channels=channels,
            blocks=blocks,
            skeleton=skeleton,
        ).parameters

    high = 1
    while size(high) < parameters:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < parameters else (low, middle)
    best = min((width for width in (low, high) if width), key=lambda w: abs(size(w) - parameters))
    return Width(best, size(best), size(best) / parameters - 1)
