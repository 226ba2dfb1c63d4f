"""The meshes of a scene: tubes for bones and edges, balls for joints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from graphlift.skeletons import Skeleton
from graphlift.view.layout3d import Layout3D
from graphlift.view.palette import NEUTRAL, bone_colours, own_colour

BONE, JOINT = 0.022, 0.032
"""Radii in space, m."""
LINE, DOT, EDGE = 0.012, 0.018, 0.006
"""Radii on the board, and of edges, m."""
HEAD = 2.4
"""The head's radius over that of other joints."""
SMALL = 0.5
"""The radius of points of the face and the feet over that of other joints."""
_POINTS = ("Nose", "Eye", "Ear", "BigToe", "SmallToe", "Heel")
PALE = 0.3
"""Opacity of what is not the pose itself: its deviations, other hypotheses."""
WIDEST = 0.5
"""m; larger standard deviations are drawn as this."""

_RESOLUTION = 2.0**-11
"""m; positions are rounded to half a millimetre, so that pages compress to half the size."""


@dataclass(frozen=True, eq=False)
class Transforms:
    """Where the copies of a mesh are in one frame, float32; a missing copy has scale 0.

    Args:
        centres: m.
        turns: Unit quaternions w, x, y, z.
        scales: Along the mesh's own x, y and z.
    """

    centres: Float[np.ndarray, "copy 3"]
    turns: Float[np.ndarray, "copy 4"]
    scales: Float[np.ndarray, "copy 3"]


@dataclass(frozen=True, eq=False)
class MeshBatch:
    """Copies of one mesh, each with a colour.

    Args:
        name: In the viewer's tree.
        ball: Whether they are balls; else tubes.
        colours: RGB.
        transforms: Where they are in a frame.
        opacity: From 0 to 1.
        still: Whether they are in the same place in every frame.
        shadow: Whether they cast shadows on the floor.
    """

    name: str
    ball: bool
    colours: UInt8[np.ndarray, "copy 3"]
    transforms: Callable[[int], Transforms]
    opacity: float = 1.0
    still: bool = False
    shadow: bool = False


def mesh_batches(layout: Layout3D) -> tuple[MeshBatch, ...]:
    """List all meshes of a layout except the floor."""
    people = len(layout.people)
    drawn = [*_figure("people", layout.joints, layout.skeleton, BONE, JOINT)]
    if (sigma := layout.sigma) is not None:
        own = np.array([own_colour(p) for p in range(people)], dtype=np.uint8)
        drawn.append(
            MeshBatch(
                "people/sigma",
                ball=True,
                colours=np.repeat(own, len(layout.skeleton), axis=0),
                transforms=lambda t: balls(layout.joints[t], np.minimum(sigma[t], WIDEST)),
                opacity=PALE,
            )
        )
    if (several := layout.hypotheses) is not None:
        count = several.shape[2]
        each = several.reshape(len(several), people * count, *several.shape[3:])
        bones, _ = _figure(
            *("people/hypotheses", each, layout.skeleton, BONE / 2, JOINT),
            owners=[person for person in range(people) for _ in range(count)],
        )
        drawn.append(replace(bones, opacity=PALE))
    if (board := layout.board) is not None:
        drawn += _figure("board", board.joints, board.skeleton, LINE, DOT)
        drawn.append(_edges("board/frame", board.corners, np.roll(board.corners, -1, axis=0)))
    if (frustum := layout.frustum) is not None:
        camera, corners = np.repeat(frustum[:1], 4, axis=0), frustum[1:]
        start = np.concatenate([camera, corners])
        drawn.append(
            _edges("camera", start, np.concatenate([corners, np.roll(corners, -1, axis=0)]))
        )
    return tuple(batch for batch in drawn if len(batch.colours))


def tubes(
    start: Float[np.ndarray, "*copy 3"],
    end: Float[np.ndarray, "*copy 3"],
    radius: Float[np.ndarray, " copy"] | float,
) -> Transforms:
    """Place unit tubes (radius 1, from z = -0.5 to 0.5) from start to end."""
    start, end = start.reshape(-1, 3), end.reshape(-1, 3)
    along = end - start
    length = np.linalg.norm(along, axis=-1)
    present = np.isfinite(length) & (length > 0)
    along = np.where(present[:, None], along, [0.0, 0, 1]) / np.where(present, length, 1)[:, None]
    # Half the way from z to d twice is the turn from z to d: (1 + z·d, z × d).
    x, y, z = along.T
    turns = np.stack([1 + z, -y, x, 0 * x], axis=-1)
    turns = np.where(turns[:, :1] > 1e-6, turns, [0.0, 1, 0, 0])
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    scales = np.stack([np.full_like(length, radius), np.full_like(length, radius), length], -1)
    return _transforms(np.where(present[:, None], (start + end) / 2, np.nan), turns, scales)


def balls(
    centres: Float[np.ndarray, "*copy 3"], radii: Float[np.ndarray, "*copy"] | float
) -> Transforms:
    """Place unit balls; one without a centre or a radius is missing."""
    radii = np.broadcast_to(np.asarray(radii, float), centres.shape[:-1]).reshape(-1, 1)
    centres = np.where(np.isfinite(radii), centres.reshape(-1, 3), np.nan)
    turns = np.broadcast_to([1.0, 0, 0, 0], (len(radii), 4))
    return _transforms(centres, turns, np.repeat(radii, 3, axis=1))


def radii(
    skeleton: Skeleton, bone: float = BONE, joint: float = JOINT
) -> tuple[Float[np.ndarray, " bone"], Float[np.ndarray, " joint"]]:
    """Choose how thick the bones and joints of a skeleton are drawn.

    Args:
        skeleton: Whose.
        bone: Radius of a bone of the body, m.
        joint: Radius of a joint of the body, m.

    Returns:
        The radius of each bone and of each joint, m.
    """
    size = np.array([_size(name, skeleton) for name in skeleton.joints])
    child = np.array(skeleton.bones, dtype=int).reshape(-1, 2)[:, 1]
    return bone * np.minimum(size[child], 1), joint * size


def _figure(
    name: str,
    joints: Float[np.ndarray, "frame person joint 3"],
    skeleton: Skeleton,
    bone: float,
    radius: float,
    owners: Sequence[int] | None = None,
) -> tuple[MeshBatch, MeshBatch]:
    """Make the bones and joints of all people, in the colours of people or of ``owners``."""
    people = range(joints.shape[1]) if owners is None else owners
    shadow = name == "people"
    parent, child = np.array(skeleton.bones, dtype=int).reshape(-1, 2).T
    own = np.array([own_colour(person) for person in people], dtype=np.uint8)
    bone_radii, joint_radii = radii(skeleton, bone, radius)
    thick = np.tile(bone_radii, len(people))
    return (
        MeshBatch(
            f"{name}/bones",
            ball=False,
            colours=np.concatenate([bone_colours(skeleton, person) for person in people]),
            transforms=lambda t: tubes(joints[t][:, parent], joints[t][:, child], thick),
            shadow=shadow,
        ),
        MeshBatch(
            f"{name}/joints",
            ball=True,
            colours=np.repeat(own, len(skeleton), axis=0),
            transforms=lambda t: balls(joints[t], joint_radii),
            shadow=shadow,
        ),
    )


def _size(joint: str, skeleton: Skeleton) -> float:
    """Choose a joint's radius, of 1; points of the face are small where there is a head."""
    if joint == "Head":
        return HEAD
    on_head = "Head" in skeleton.joints and (joint in _POINTS or joint[1:] in _POINTS)
    return SMALL if on_head else 1.0


def _edges(name: str, start: np.ndarray, end: np.ndarray) -> MeshBatch:
    """Make thin tubes that do not move."""
    transforms = tubes(start, end, EDGE)
    colours = np.tile(np.array(NEUTRAL, dtype=np.uint8), (len(start), 1))
    return MeshBatch(
        name, ball=False, colours=colours, transforms=lambda _: transforms, still=True
    )


def _transforms(centres: np.ndarray, turns: np.ndarray, scales: np.ndarray) -> Transforms:
    present = np.isfinite(centres).all(axis=-1, keepdims=True)
    rounded = (
        (np.rint(values / _RESOLUTION) * _RESOLUTION).astype(np.float32)
        for values in (np.where(present, centres, 0), turns, np.where(present, scales, 0))
    )
    return Transforms(*rounded)
