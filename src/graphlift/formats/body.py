"""A body for the rig: one capsule around each bone of the T-pose, so that a skin has a mesh.

Every vertex belongs to one bone and follows it rigidly. The figure is neutral: its widths are
shares of the bones' lengths, roughly an adult's, and nothing of it is measured.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt

from graphlift.formats import armature

SIDES = 8
"""Corners of a capsule's cross-section."""

_LATITUDES = np.radians([-45, 0, 0, 45])
"""Of its rings: two about its start, two about its end; beyond them is a pole at each end."""

_RADII = {
    "Spine": 0.42,
    "Spine1": 0.42,
    "Neck": 0.25,
    "Head": 0.45,
    "LHipJoint": 0.75,
    "RHipJoint": 0.75,
    "UpLeg": 0.16,
    "Leg": 0.115,
    "Foot": 0.2,
    "Shoulder": 0.3,
    "Arm": 0.155,
    "ForeArm": 0.14,
    "Hand": 0.4,
}
"""Radius of the capsule around a bone, left or right, as a share of its length; hubs have none.

The head's is a share of the neck: where the top of the head is derived, its bone is short.
"""


@dataclass(frozen=True, eq=False)
class Body:
    """A mesh in the T-pose, y up, m.

    Args:
        places: Where the vertices are.
        normals: Outwards, of length 1.
        nodes: The node of the rig that each vertex follows.
        triangles: Three vertices each, counter-clockwise seen from outside.
    """

    places: Float[np.ndarray, "vertex 3"]
    normals: Float[np.ndarray, "vertex 3"]
    nodes: UInt[np.ndarray, " vertex"]
    triangles: UInt[np.ndarray, "triangle 3"]


def make_body(lengths: Float[np.ndarray, " node"], ends: armature.Ends | None = None) -> Body:
    """Put capsules around the bones of the T-pose about the root.

    Args:
        lengths: Of the bones, from :func:`graphlift.formats.armature.bone_lengths`; also around a
            bone without length there are vertices, so that every mesh has the same triangles.
        ends: Where bones end, if it was measured.
    """
    places = armature.rest_places(lengths, ends)
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    nodes: list[int] = []
    triangles: list[np.ndarray] = []
    for node, name in enumerate(n.name for n in armature.NODES):
        share = _RADII.get(name.removeprefix("Left").removeprefix("Right"))
        if share is not None:
            end = armature.end_offset(node, lengths, ends)
            thick = armature.PARENTS[node] if name == "Head" else node
            radius = share * float(np.linalg.norm(armature.end_offset(thick, lengths)))
            parts.append(_capsule(places[node], end, radius))
            triangles.append(_TRIANGLES + len(nodes) * len(parts[0][0]))
            nodes.append(node)
    vertices, normals = (np.concatenate(part) for part in zip(*parts, strict=True))
    follows = np.repeat(np.array(nodes, dtype=np.uint8), len(parts[0][0]))
    return Body(vertices, normals, follows, np.concatenate(triangles).astype(np.uint16))


def _capsule(start: np.ndarray, bone: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and normals: a pole, rings from start to end, a pole."""
    length = np.linalg.norm(bone)
    along = bone / length if length > 0 else np.array([0.0, 1.0, 0.0])
    side = np.array([0.0, 0.0, 1.0]) if abs(along[2]) < 0.5 else np.array([1.0, 0.0, 0.0])
    side -= (side @ along) * along
    side /= np.linalg.norm(side)
    around = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
    ring = np.outer(np.cos(around), side) + np.outer(np.sin(around), np.cross(along, side))
    rings = np.cos(_LATITUDES)[:, None, None] * ring + np.outer(np.sin(_LATITUDES), along)[:, None]
    normals = np.concatenate([[-along], rings.reshape(-1, 3), [along]])
    centres = np.repeat([start, start + bone], len(normals) // 2, axis=0)
    return centres + radius * normals, normals


def _capsule_triangles() -> np.ndarray:
    rings = 1 + np.arange(len(_LATITUDES) * SIDES).reshape(-1, SIDES)
    after = np.roll(rings, -1, axis=1)
    low, low_after, high, high_after = rings[:-1], after[:-1], rings[1:], after[1:]
    first, last = np.zeros(SIDES, int), np.full(SIDES, rings.max() + 1)
    corners = [
        np.stack([first, after[0], rings[0]], axis=-1),
        np.stack([low, low_after, high], axis=-1).reshape(-1, 3),
        np.stack([low_after, high_after, high], axis=-1).reshape(-1, 3),
        np.stack([rings[-1], after[-1], last], axis=-1),
    ]
    return np.concatenate(corners)


_TRIANGLES = _capsule_triangles()
