"""Labelled points, as TRC, C3D and tables hold them, become poses of a skeleton that we know."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from graphlift.formats.joint_names import recognise, unused
from graphlift.formats.keypoint_source import KeypointSource
from graphlift.sequences import Axes, Poses
from graphlift.skeletons import SKELETONS, Skeleton

STILL = 1e-6
"""m; a root that is never farther than this from the origin was moved to it."""


def plain_label(joint: str) -> str:
    """Write a joint's name as OpenSim takes it: ``_`` for any sign that it does not allow."""
    return re.sub(r"[^\w.-]", "_", joint)


def order_by_label(
    labels: Sequence[str], positions: Float[np.ndarray, "frame person label 3"], where: str
) -> tuple[Skeleton, Float[np.ndarray, "frame person joint 3"], tuple[str, ...]]:
    """Put labelled points into the order of the skeleton they are of.

    Labels that are a skeleton's joints, all of them and no other, are that skeleton; else as for
    keypoints (:func:`graphlift.formats.joint_names.recognise`), where a joint that is not labelled
    is missing.

    Returns:
        The skeleton, its joints' positions, and which labels were not used, in a sentence.

    Raises:
        FormatError: If too few labels are joints of one skeleton.
    """
    plain = [plain_label(label) for label in labels]
    for skeleton in SKELETONS.values():
        joints = [plain_label(joint) for joint in skeleton.joints]
        if sorted(joints) == sorted(plain):
            return skeleton, positions[:, :, [plain.index(joint) for joint in joints]], ()
    skeleton, places, unknown = recognise(labels, KeypointSource(where))
    ordered = np.full((*positions.shape[:2], len(skeleton), 3), np.nan)
    ordered[:, :, list(places)] = positions[:, :, list(places.values())]
    ignored = unused([name[:40] for name in unknown])
    named = f"Joints were found by their labels, as those of {skeleton.name}"
    return skeleton, ordered, (f"{named}; {ignored}." if ignored else f"{named}.",)


def labelled_poses(
    labels: Sequence[str],
    positions: Float[np.ndarray, "frame person label 3"],
    where: str,
    *,
    people: Sequence[str],
    fps: float | None,
    axes: Axes,
    notes: tuple[str, ...] = (),
) -> Poses:
    """Make poses of labelled points, m.

    Raises:
        FormatError: As :func:`order_by_label`.
    """
    skeleton, ordered, found = order_by_label(labels, positions, where)
    return Poses(
        ordered,
        skeleton,
        axes=axes,
        rooted=is_rooted(ordered[:, :, skeleton.root]),
        fps=fps,
        people=tuple(people),
        notes=(*notes, *found),
    )


def is_rooted(roots: Float[np.ndarray, "frame person 3"]) -> bool:
    """Say whether people's roots never leave the origin."""
    known = roots[np.isfinite(roots).all(axis=-1)]
    return bool(len(known)) and bool(np.abs(known).max() <= STILL)
