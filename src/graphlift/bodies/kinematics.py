"""Forward kinematics: from the turns of segments and a body to its joints and to what is seen.

The body's joints are Human3.6M's 17, by the definition of the motion capture that the open models
are trained on (``docs/data.md``); the points are :data:`graphlift.bodies.segments.POINTS`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.bodies.segments import CARRIERS, POINT_JOINTS, POINT_SEGMENTS, SEGMENTS
from graphlift.geometry import chain_bones
from graphlift.skeletons import H36M_17


@dataclass(frozen=True, eq=False)
class Body:
    """Bodies, one a frame.

    Args:
        lengths: m, of the bone that ends in each of the 17 joints; 0 for the root.
        points: m, from its joint to each point, in the T-pose's axes of its segment.
    """

    lengths: Float[np.ndarray, "frame joint"]
    points: Float[np.ndarray, "frame point 3"]


def place_joints(
    turns: Float[np.ndarray, "frame segment 3 3"],
    directions: Float[np.ndarray, "frame joint 3"],
    body: Body,
) -> Float[np.ndarray, "frame joint 3"]:
    """Follow the bones from the root, which is at the origin.

    Args:
        turns: From the T-pose to the frame, world axes.
        directions: Of the bone that ends in each joint: unit vectors in the T-pose's axes of the
            segment that carries it (:data:`graphlift.bodies.segments.CARRIERS`).
        body: Whose bones.
    """
    vectors = np.einsum("fjab,fjb->fja", turns[:, CARRIERS], directions)
    vectors *= body.lengths[..., None]
    vectors[:, H36M_17.root] = 0
    return chain_bones(vectors, H36M_17.parents, H36M_17.order)


def place_points(
    turns: Float[np.ndarray, "frame segment 3 3"],
    joints: Float[np.ndarray, "frame joint 3"],
    body: Body,
) -> Float[np.ndarray, "frame point 3"]:
    """Find where the points of the surface are, in the axes of the joints.

    Args:
        turns: As in :func:`place_joints`.
        joints: Of the same frames.
        body: Whose surface.
    """
    offsets = np.einsum("fpab,fpb->fpa", turns[:, POINT_SEGMENTS], body.points)
    return np.asarray(joints[:, POINT_JOINTS] + offsets)


def fronts(
    turns: Float[np.ndarray, "frame segment 3 3"], *segments: str
) -> Float[np.ndarray, "frame chosen 3"]:
    """Give the directions that segments face, world axes: the T-pose's -y, turned."""
    chosen = turns[:, [SEGMENTS.index(name) for name in segments]]
    return np.asarray(-chosen[..., 1])
