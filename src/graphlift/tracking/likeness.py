"""How alike two detections of people are, in units of the person's own size.

Source: COCO's object keypoint similarity (OKS), with one width for all joints.
"""

import numpy as np
from jaxtyping import Float

from graphlift.errors import ShapeError
from graphlift.sequences import joints_seen

DUPLICATE = 0.5
"""Likeness from which two detections of one frame are one person, reported twice."""

CLOSE = 0.1
"""Width of the likeness of duplicates, in sizes of the person: if every joint is 0.12 sizes away
(20 cm of a standing adult), the likeness of two detections is :data:`DUPLICATE`."""

_FEW = 3
"""Joints that two detections must share to be compared in full; fewer count in proportion."""


def clean(people: np.ndarray) -> Float[np.ndarray, "person joint 3"]:
    """Put NaN where a joint is missing, as :func:`graphlift.sequences.joints_seen` says.

    Raises:
        ShapeError: If the array has other axes.
    """
    people = np.asarray(people, dtype=float)
    if people.ndim != 3 or people.shape[2] != 3:
        raise ShapeError(
            f"people {people.shape} should be (person, joint, 3): x, y and confidence of each "
            "joint; no people are (0, joint, 3)"
        )
    seen = joints_seen(people[..., :2], people[..., 2])
    return np.where(seen[..., None], people, np.nan)


def body_size(joints: Float[np.ndarray, "*batch joint _"]) -> Float[np.ndarray, "*batch"]:
    """Diagonal of the box around the joints that are seen, px, at least 1."""
    xy = joints[..., :2]
    missing = ~np.isfinite(xy)
    low = np.where(missing, np.inf, xy).min(axis=-2, initial=np.inf)
    high = np.where(missing, -np.inf, xy).max(axis=-2, initial=-np.inf)
    return np.asarray(np.maximum(np.linalg.norm(np.maximum(high - low, 0), axis=-1), 1.0))


def likeness(
    ours: Float[np.ndarray, "one joint 3"],
    theirs: Float[np.ndarray, "other joint 3"],
    reach: Float[np.ndarray, "one other"],
    *,
    scraps: bool = False,
) -> Float[np.ndarray, "one other"]:
    """Mean over joints of exp(-d² / 2 reach²), each weighted by the lesser confidence.

    Args:
        ours: x and y, px, and confidence; NaN where missing.
        theirs: The others.
        reach: Width for each pair, px.
        scraps: Compare detections that share fewer than three joints in full, too.
    """
    distance2 = ((ours[:, None, :, :2] - theirs[None, :, :, :2]) ** 2).sum(axis=-1)
    weight = np.nan_to_num(np.minimum(ours[:, None, :, 2], theirs[None, :, :, 2]))
    close = np.nan_to_num(np.exp(-distance2 / (2 * reach[..., None] ** 2))) * weight
    alike = close.sum(axis=-1) / np.maximum(weight.sum(axis=-1), 1e-9)
    shared = (weight > 0).sum(axis=-1)
    return np.asarray(alike if scraps else alike * np.minimum(shared / _FEW, 1))


def same_person(
    ours: Float[np.ndarray, "one joint 3"], theirs: Float[np.ndarray, "other joint 3"]
) -> Float[np.ndarray, "one other"]:
    """How alike detections of one frame are, from 0 to 1; see :data:`DUPLICATE`."""
    size = np.maximum(body_size(ours)[:, None], body_size(theirs)[None])
    return likeness(ours, theirs, CLOSE * size, scraps=True)
