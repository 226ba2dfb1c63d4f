"""What is drawn in a frame: straight tubes for bones and edges, balls for joints."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from graphlift.skeletons import Skeleton
from graphlift.view.layout3d import Stage
from graphlift.view.palette import NEUTRAL, bone_colours, own_colour

BONE, JOINT = 0.022, 0.032
"""Radii in space, m."""
LINE, DOT, EDGE = 0.012, 0.018, 0.006
"""Radii on the board, and of what stands still, m."""
HEAD = 2.4
"""Times the radius of another joint."""
WIDEST = 0.5
"""m; a standard deviation beyond is drawn as this."""

_GRAIN = 2.0**-11
"""m; places are rounded to half a millimetre, so that pages compress to half."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Copies of a shape in one frame, float32; a missing copy has scale 0.

    Args:
        centres: m.
        turns: Unit quaternions w, x, y, z.
        scales: Along the shape's own x, y and z.
    """

    centres: Float[np.ndarray, "copy 3"]
    turns: Float[np.ndarray, "copy 4"]
    scales: Float[np.ndarray, "copy 3"]


@dataclass(frozen=True, eq=False)
class Part:
    """Copies of one shape, in a colour each.

    Args:
        name: In the viewer's tree.
        ball: Balls, or else tubes.
        colours: RGB.
        place: Where they are, by frame.
        opacity: From 0 to 1.
        still: Whether they are in the same place in every frame.
        shadow: Whether they cast one on the floor.
    """

    name: str
    ball: bool
    colours: UInt8[np.ndarray, "copy 3"]
    place: Callable[[int], Placed]
    opacity: float = 1.0
    still: bool = False
    shadow: bool = False


def parts(stage: Stage) -> tuple[Part, ...]:
    """List everything on a stage but the floor and the labels."""
    people = len(stage.people)
    drawn = [*_figure("people", stage.joints, stage.skeleton, BONE, JOINT)]
    if (sigma := stage.sigma) is not None:
        own = np.array([own_colour(p) for p in range(people)], dtype=np.uint8)
        drawn.append(
            Part(
                "people/sigma",
                ball=True,
                colours=np.repeat(own, len(stage.skeleton), axis=0),
                place=lambda t: balls(stage.joints[t], np.minimum(sigma[t], WIDEST)),
                opacity=0.3,
            )
        )
    if (board := stage.board) is not None:
        drawn += _figure("board", board.joints, board.skeleton, LINE, DOT)
        drawn.append(_edges("board/frame", board.corners, np.roll(board.corners, -1, axis=0)))
    if (frustum := stage.frustum) is not None:
        eye, corners = np.repeat(frustum[:1], 4, axis=0), frustum[1:]
        start = np.concatenate([eye, corners])
        drawn.append(
            _edges("camera", start, np.concatenate([corners, np.roll(corners, -1, axis=0)]))
        )
    return tuple(part for part in drawn if len(part.colours))


def tubes(
    start: Float[np.ndarray, "*copy 3"], end: Float[np.ndarray, "*copy 3"], radius: float
) -> Placed:
    """Place unit tubes (radius 1, from z = -0.5 to 0.5) from start to end."""
    start, end = start.reshape(-1, 3), end.reshape(-1, 3)
    along = end - start
    length = np.linalg.norm(along, axis=-1)
    there = np.isfinite(length) & (length > 0)
    along = np.where(there[:, None], along, [0.0, 0, 1]) / np.where(there, length, 1)[:, None]
    # Half the way from z to d twice is the turn from z to d: (1 + z·d, z × d).
    x, y, z = along.T
    turns = np.stack([1 + z, -y, x, 0 * x], axis=-1)
    turns = np.where(turns[:, :1] > 1e-6, turns, [0.0, 1, 0, 0])
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    scales = np.stack([np.full_like(length, radius), np.full_like(length, radius), length], -1)
    return _placed(np.where(there[:, None], (start + end) / 2, np.nan), turns, scales)


def balls(
    centres: Float[np.ndarray, "*copy 3"], radii: Float[np.ndarray, "*copy"] | float
) -> Placed:
    """Place unit balls; one without a centre or a radius is missing."""
    radii = np.broadcast_to(np.asarray(radii, float), centres.shape[:-1]).reshape(-1, 1)
    centres = np.where(np.isfinite(radii), centres.reshape(-1, 3), np.nan)
    turns = np.broadcast_to([1.0, 0, 0, 0], (len(radii), 4))
    return _placed(centres, turns, np.repeat(radii, 3, axis=1))


def tube_mesh(around: int = 12) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Vertices and faces of the unit tube, open at both ends."""
    angle = np.arange(around) * 2 * np.pi / around
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    vertices = np.concatenate([np.insert(ring, 2, z, axis=1) for z in (-0.5, 0.5)])
    return vertices, _strip(around, 1)


def ball_mesh(
    around: int = 14, rings: int = 9
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Vertices and faces of the unit ball, by longitude and latitude from the south pole up."""
    polar, angle = np.meshgrid(
        np.linspace(np.pi, 0, rings + 1), np.arange(around) * 2 * np.pi / around, indexing="ij"
    )
    level = np.sin(polar)
    vertices = np.stack([level * np.cos(angle), level * np.sin(angle), np.cos(polar)], axis=-1)
    return vertices.reshape(-1, 3), _strip(around, rings)


def _strip(around: int, rings: int) -> np.ndarray:
    """Triangles between rings of vertices, from the lowest up, seen from outside."""
    ring, here = np.meshgrid(np.arange(rings), np.arange(around), indexing="ij")
    a, b = ring * around + here, ring * around + (here + 1) % around
    low = np.stack([a, b, b + around], axis=-1).reshape(-1, 3)
    high = np.stack([a, b + around, a + around], axis=-1).reshape(-1, 3)
    return np.concatenate([low, high])


def _figure(
    name: str,
    joints: Float[np.ndarray, "frame person joint 3"],
    skeleton: Skeleton,
    bone: float,
    radius: float,
) -> tuple[Part, Part]:
    """Bones and joints of all people."""
    people, shadow = range(joints.shape[1]), name == "people"
    parent, child = np.array(skeleton.bones, dtype=int).reshape(-1, 2).T
    own = np.array([own_colour(person) for person in people], dtype=np.uint8)
    size = np.array([HEAD if joint == "Head" else 1.0 for joint in skeleton.joints])
    return (
        Part(
            f"{name}/bones",
            ball=False,
            colours=np.concatenate([bone_colours(skeleton, person) for person in people]),
            place=lambda t: tubes(joints[t][:, parent], joints[t][:, child], bone),
            shadow=shadow,
        ),
        Part(
            f"{name}/joints",
            ball=True,
            colours=np.repeat(own, len(skeleton), axis=0),
            place=lambda t: balls(joints[t], radius * size),
            shadow=shadow,
        ),
    )


def _edges(name: str, start: np.ndarray, end: np.ndarray) -> Part:
    """Lines that stand still."""
    placed = tubes(start, end, EDGE)
    colours = np.tile(np.array(NEUTRAL, dtype=np.uint8), (len(start), 1))
    return Part(name, ball=False, colours=colours, place=lambda _: placed, still=True)


def _placed(centres: np.ndarray, turns: np.ndarray, scales: np.ndarray) -> Placed:
    there = np.isfinite(centres).all(axis=-1, keepdims=True)
    grained = (
        (np.rint(values / _GRAIN) * _GRAIN).astype(np.float32)
        for values in (np.where(there, centres, 0), turns, np.where(there, scales, 0))
    )
    return Placed(*grained)
