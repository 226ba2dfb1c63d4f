"""What a model says of poses, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Lifted:
    """What a model says of poses, camera axes.

    Args:
        positions: Root-relative, m.
        sigma: Standard deviation of each coordinate of a joint, m.
        fronts: Unit vectors along the front of :data:`graphlift.sequences.FRONTS`; None from
            models of 17 joints.
        front_sigma: Standard deviation of their direction, rad.
        hypotheses: All poses that the model holds possible, root-relative, m; None if they were
            not asked for.
        hypothesis_weights: How likely each is.
        hypothesis_sigma: Standard deviation of each coordinate of a hypothesis, m.
    """

    positions: Float[np.ndarray, "frame joint 3"]
    sigma: Float[np.ndarray, "frame joint"]
    fronts: Float[np.ndarray, "frame front 3"] | None = None
    front_sigma: Float[np.ndarray, "frame front"] | None = None
    hypotheses: Float[np.ndarray, "frame hypothesis joint 3"] | None = None
    hypothesis_weights: Float[np.ndarray, "frame hypothesis"] | None = None
    hypothesis_sigma: Float[np.ndarray, "frame hypothesis"] | None = None


SEVERAL = ("hypotheses", "hypothesis_weights", "hypothesis_sigma")
"""Fields of :class:`Lifted` about hypotheses."""
