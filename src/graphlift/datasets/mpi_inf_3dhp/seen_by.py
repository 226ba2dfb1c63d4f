"""Keypoints as another lens at the same place would have seen them.

A model trained on Human3.6M knows one lens, 2f/w = 2.29; this test set has 1.46 and 1.75. Divided
by the width of its own image, as PoseAug and P-STMO do, a person looks smaller, or farther, than
in training; through the other lens as large.
"""

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera


def through_lens(
    keypoints: Float[np.ndarray, "*batch joint 2"], lens: Camera, other: Camera
) -> Float[np.ndarray, "*batch joint 2"]:
    """Say where another lens at the same place would have seen the keypoints.

    u' = (u − c) / f · f' + c', without distortion: the same rays, so a person is as large as in
    the other camera's pictures.

    Args:
        keypoints: px of ``lens``.
        lens: What saw them.
        other: Such as the camera of the training set.

    Returns:
        px of ``other``.

    Source: the pinhole model.
    """
    rays = (keypoints - np.array(lens.centre)) / np.array(lens.focal)
    return np.asarray(rays * np.array(other.focal) + np.array(other.centre))
