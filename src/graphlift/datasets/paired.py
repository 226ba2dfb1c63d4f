"""2D and 3D that belong together: what readers of licensed data sets yield, one clip at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import Camera
from graphlift.skeletons import Skeleton


@dataclass(frozen=True, eq=False)
class PairedSequence:
    """One clip of one person by one camera: 3D and the 2D of it.

    Args:
        subject: As the data set names it, such as ``S1``.
        activity: Without the number of the take, such as ``Directions``.
        clip: With it, such as ``Directions 1``.
        camera: Its name in the data set.
        lens: Intrinsics and, where known, where it stands (m, world frame).
        positions: m, camera axes.
        keypoints: px, by kind of detection (``gt``, ``cpn``, ``hg``).
        valid: Whether a frame counts.
        fps: Frames per second.
        skeleton: Joint order of all arrays.
    """

    subject: str
    activity: str
    clip: str
    camera: str
    lens: Camera
    positions: Float[np.ndarray, "frame joint 3"]
    keypoints: Mapping[str, Float[np.ndarray, "frame joint 2"]]
    valid: Bool[np.ndarray, " frame"]
    fps: float
    skeleton: Skeleton
