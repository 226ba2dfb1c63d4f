"""Gravity and floor: from a camera whose place is known, or else from how people move.

The world found from the motion has z up, the floor at z = 0, y along the camera's view and the
origin under where the first person is first seen.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import Camera
from graphlift.geometry import unit_vectors
from graphlift.motion.bones import expected_sizes
from graphlift.motion.requirements import blocks, check_axes, legs, middle
from graphlift.motion.supports import (
    UNEVEN,
    Footholds,
    Level,
    clearances,
    find_level,
    find_levels,
    footholds,
    lowest_parts,
    parts_of,
)
from graphlift.sequences import Poses, frame_rate
from graphlift.words import counted

CAMERA_UP = np.array([0.0, -1.0, 0.0])
"""Up in the axes of a camera that is held level."""

ROLL, PITCH = np.deg2rad(6.0), np.deg2rad(30.0)
"""How far people's cameras are usually turned about the viewing axis, and up or down."""
LEAN, POSTURE = np.deg2rad(5.0), np.deg2rad(12.0)
"""How far a standing person's axis is from vertical: on average over a clip, and in one frame."""
SLOPE = np.deg2rad(20.0)
"""Footholds that would tilt people by more lie on stairs or a ladder, not on a floor."""
MAX_TILT = np.deg2rad(45.0)
"""A body axis further from the camera's vertical is not that of a standing person."""
EXTENDED = 0.85
"""A standing leg is at least this share of thigh and shin, hip to ankle."""
MIN_STANDING = 0.1
"""Share of a clip's frames in which a person must stand for the bodies to be used."""
NAMED_DISTANCE = 0.15
"""m; people whose feet are further from the floor than this are named in the note."""
NAMED_SHARE = 0.5
"""People who are on the floor for a smaller share of the time in which they rest are named."""


@dataclass(frozen=True, eq=False)
class Gravity:
    """Which way is up.

    Args:
        up: Unit vector in camera axes.
        note: How it was found.
        assumed: A note if the frame rate was assumed.
        sigma: Standard deviation of up, rad, about a level axis.
    """

    up: Float[np.ndarray, "3"]
    note: str
    assumed: tuple[str, ...]
    sigma: float = PITCH


def stand(poses: Poses, camera: Camera | None = None, gravity: Gravity | None = None) -> Poses:
    """Turn poses from camera to world axes and put them on the floor.

    With a camera whose place is known this is exact. Otherwise gravity is what agrees best with
    the axes of standing people, with cameras being held about level, and with one plane through
    the places where feet stand; the floor lies under the lowest parts of bodies, feet or others,
    while they rest (:func:`graphlift.motion.supports.find_level`). Where no person stands (lying,
    only a face), the camera's own vertical is taken. All people share one gravity and one floor;
    a note says how far from it they stand. Poses that are still rooted stay in place, their
    lowest part on the floor.

    Args:
        poses: Camera axes.
        camera: Where it stands and how it is turned; ``poses.camera`` when left out.
        gravity: What :func:`find_up` found earlier; it is asked when left out.

    Raises:
        ModelError: If poses are in world axes already.
        SkeletonError: If the skeleton lacks hips, knees, ankles or shoulders.
    """
    check_axes(poses, "camera", "standing people upright")
    camera = poses.camera if camera is None else camera
    if camera is not None and camera.placed:
        return _by_camera(poses, camera)
    gravity = find_up(poses) if gravity is None else gravity
    up, R = gravity.up, _world_axes(gravity.up)
    if poses.rooted:
        return _in_place(poses, R, gravity.note)
    floor, origin = find_floor(poses, up), _first_root(poses)
    origin = origin + (floor - origin @ up) * up
    if camera is not None:
        camera = replace(camera, R=R.T, position=-R @ origin)
    return poses.noting(
        *gravity.assumed,
        f"{gravity.note} {describe_floor(poses, up, floor)}",
        positions=_turned(poses.positions, R, origin),
        fronts=_turned_fronts(poses, R),
        axes="world",
        camera=camera,
    )


def find_ground(
    poses: Poses, gravity: Gravity | None = None
) -> tuple[Float[np.ndarray, "3"], float]:
    """Find which way is up and how high the floor is along it, m, as :func:`stand` does.

    Args:
        poses: Camera axes, moving through space.
        gravity: As for :func:`stand`.
    """
    camera = poses.camera
    if camera is not None and camera.placed:
        return camera.R[:, 2], -float(camera.position[2])
    up = (find_up(poses) if gravity is None else gravity).up
    return up, find_floor(poses, up)


def find_up(poses: Poses, *, elsewhere: Collection[str] = ()) -> Gravity:
    """Estimate which way is up from the motion, in camera axes.

    Args:
        poses: Camera axes.
        elsewhere: Names of people who do not stand on the others' floor.

    Raises:
        As :func:`stand`.
    """
    fps, assumed = frame_rate(poses)
    axes, which = body_axes(poses)
    if not len(axes):
        note = "Nobody stands or sits upright for long: the camera's own vertical is taken for "
        return Gravity(CAMERA_UP, f"{note}gravity's.", assumed)
    body = _robust_mean(axes)
    # Frames within half a second show one posture; seconds average over many.
    spread = np.hypot(LEAN, POSTURE / np.sqrt(max(1.0, len(axes) / fps / 0.5)))
    spread *= 1 if which == "standing" else 2
    places, levels, sizes = None, [], expected_sizes(poses)
    if which == "standing" and not poses.rooted:
        places = footholds(poses, body)
        # One level alone says nothing of what is level.
        found = find_levels(poses, body) if len(poses.people) > 1 else {}
        levels = [(level, sizes[name]) for name, level in found.items() if name not in elsewhere]
    up, sigma = _agree(body, spread, places, levels)
    if up @ body < np.cos(SLOPE):
        places, (up, sigma) = None, _agree(body, spread, None, [])
    turned = np.degrees(np.arccos(np.clip(up @ CAMERA_UP, -1, 1)))
    points = 0 if places is None else len(places.points)
    return Gravity(
        up,
        f"Gravity follows from {counted(len(axes), 'pose')} of {which} people and "
        f"{counted(points, 'foothold')}: {turned:.0f}° off the camera's vertical.",
        assumed,
        sigma,
    )


def find_floor(poses: Poses, up: Float[np.ndarray, "3"]) -> float:
    """Find how high the floor is along ``up``, m, in camera axes: negative, as cameras look down.

    It is where the lowest parts of all bodies rest: 0 if there are no people.
    """
    level = find_level(lowest_parts(poses, up), frame_rate(poses)[0])
    return 0.0 if level is None else level.height


def describe_floor(poses: Poses, up: Float[np.ndarray, "3"], floor: float) -> str:
    """Describe how far from the floor people stand, and who does not stand on it at all."""
    levels = find_levels(poses, up)
    if not levels:
        return "Nobody is there to stand on the floor."
    above = {name: level.height - floor for name, level in levels.items()}
    off = {name: height for name, height in above.items() if abs(height) > NAMED_DISTANCE}
    rest = [np.hypot(above[name], levels[name].spread) for name in levels if name not in off]
    words = [f"they stand on it to within {100 * max(rest):.0f} cm"] if rest else []
    words += [
        f"person {name} stays {abs(height):.2f} m {'above' if height > 0 else 'below'} it"
        for name, height in off.items()
    ]
    words += [
        f"person {name} rests on it for {level.share:.0%} of their time only"
        for name, level in levels.items()
        if name not in off and level.share < NAMED_SHARE
    ]
    return f"The floor lies under people's lowest parts: {'; '.join(words)}."


def body_axes(poses: Poses) -> tuple[Float[np.ndarray, "pose 3"], str]:
    """Find the directions from feet to shoulders of standing people, or else of upright trunks.

    Returns:
        Unit vectors in camera axes, and which they are; none if no person is upright in a tenth of
        the frames in which a person is present.
    """
    found = [_block_axes(poses, part) for part in blocks(len(poses), people=len(poses.people))]
    *axes, counts = zip(*found, strict=True)
    for which, parts in zip(("standing", "sitting"), axes, strict=True):
        if sum(map(len, parts)) > MIN_STANDING * sum(counts):
            return np.concatenate(parts), which
    return np.zeros((0, 3)), "no"


def _block_axes(
    poses: Poses, part: slice
) -> tuple[Float[np.ndarray, "pose 3"], Float[np.ndarray, "pose 3"], int]:
    """Find where standing bodies and upright trunks point in some frames, and count all poses."""
    skeleton, positions = poses.skeleton, poses.positions[part].astype(np.float64)
    valid = np.isfinite(positions).all(axis=(-2, -1))
    positions, seen = positions[valid], poses.seen[part][valid][:, legs(skeleton)[:, 2]]
    chains = positions[:, legs(skeleton)]
    length = np.linalg.norm(np.diff(chains, axis=2), axis=-1).sum(axis=-1)
    reach = np.linalg.norm(chains[:, :, 2] - chains[:, :, 0], axis=-1)
    extended = (reach > EXTENDED * length).any(axis=1) & seen.any(axis=1)
    shoulders = middle(positions, skeleton, "Shoulder")
    whole = unit_vectors(shoulders - chains[:, :, 2].mean(axis=1))
    trunk = unit_vectors(shoulders - chains[:, :, 0].mean(axis=1))
    return whole[extended & _upright(whole)], trunk[_upright(trunk)], len(positions)


def _upright(axes: Float[np.ndarray, "pose 3"]) -> Bool[np.ndarray, " pose"]:
    return np.asarray(axes @ CAMERA_UP > np.cos(MAX_TILT))


def _agree(
    body: np.ndarray,
    spread: float,
    places: Footholds | None,
    levels: Sequence[tuple[Level, float]],
    *,
    iterations: int = 4,
) -> tuple[Float[np.ndarray, "3"], float]:
    """Find the up that agrees best with bodies, footholds, people and a camera held level.

    Gauss-Newton over the two angles by which it can turn. Each person's footholds lie in a level
    plane; and so do the people's levels, as far as their unknown sizes allow: a person who is
    larger by some share is further away, and further below the camera, by the same share; how
    large that may be stands beside each level.

    Returns:
        Up, and its standard deviation about a level axis, rad: the mean of two.
    """
    up = body
    for _ in range(iterations):
        tangent = np.linalg.svd(up[None])[2][1:]
        rows = [tangent.T / spread, tangent[:, :1].T / ROLL, tangent[:, 2:].T / PITCH]
        errors = [(up - body) / spread, up[:1] / ROLL, up[2:] / PITCH]
        planes = [
            (level.point, np.hypot(level.error, size * level.height)) for level, size in levels
        ]
        groups = [(np.array([p for p, _ in planes]), np.array([sd for _, sd in planes]))]
        if places is not None:
            own = [places.points[places.person == person] for person in np.unique(places.person)]
            groups += [(points, np.full(len(points), UNEVEN)) for points in own]
        for points, sd in groups:
            if len(points) > 1:
                centred = _centred(points, sd, up)
                rows.append(centred @ tangent.T)
                errors.append(centred @ up)
        step = np.linalg.lstsq(np.concatenate(rows), -np.concatenate(errors), rcond=None)[0]
        up = unit_vectors(up + step @ tangent)
    information = np.linalg.svd(np.concatenate(rows), compute_uv=False)  # never 0: ROLL and PITCH
    return up, float(np.sqrt((1 / information**2).mean()))


def _centred(
    points: Float[np.ndarray, "point 3"], sd: Float[np.ndarray, " point"], up: np.ndarray
) -> Float[np.ndarray, "point 3"]:
    """Centre places and divide them by their errors; one far off the plane weighs less (Huber)."""
    heights = points @ up
    off = np.abs(heights - np.median(heights))
    weights = np.minimum(1, 2 * sd / np.maximum(off, 1e-9)) / sd**2
    middle_point = np.average(points, axis=0, weights=weights)
    return np.asarray((points - middle_point) * np.sqrt(weights)[:, None])


def _by_camera(poses: Poses, camera: Camera) -> Poses:
    if poses.rooted:
        return _in_place(poses, camera.R.T, "Gravity is the given camera's.")
    note = describe_floor(poses, camera.R[:, 2], -float(camera.position[2]))
    return poses.noting(
        f"Gravity and floor are the given camera's. {note}",
        positions=_turned(poses.positions, camera.R.T, -camera.R @ camera.position),
        fronts=_turned_fronts(poses, camera.R.T),
        axes="world",
        camera=camera,
    )


def _in_place(poses: Poses, axes: np.ndarray, note: str) -> Poses:
    """Turn rooted poses upright, the lowest part of the body on the floor in every frame."""
    positions = _turned(poses.positions, axes, np.zeros(3))
    parts, clearance = clearances(poses.skeleton)
    lowest = (parts_of(positions, parts)[..., 2] - clearance).min(axis=-1, keepdims=True)
    positions[..., 2] -= lowest
    return poses.noting(
        f"{note} People stay in place, the lowest part of their bodies on the floor.",
        positions=positions,
        fronts=_turned_fronts(poses, axes),
        axes="world",
        rooted=False,
        camera=None,
    )


def _turned(
    positions: Float[np.ndarray, "frame person joint 3"],
    axes: Float[np.ndarray, "3 3"],
    origin: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "frame person joint 3"]:
    """Express positions in other axes (rows) from another origin."""
    turned = np.empty_like(positions)
    for part in blocks(len(positions), people=positions.shape[1]):
        turned[part] = (positions[part] - origin) @ axes.T
    return turned


def _turned_fronts(
    poses: Poses, axes: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "frame person segment 3"] | None:
    """Express the fronts of segments in other axes (rows)."""
    return None if poses.fronts is None else _turned(poses.fronts, axes, np.zeros(3))


def _world_axes(up: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """World axes as rows, in camera axes: z up, y along the view, x to the right."""
    view = np.array([0.0, 0.0, 1.0])
    level = view - (view @ up) * up
    if np.linalg.norm(level) <= 1e-6:
        level = CAMERA_UP - (CAMERA_UP @ up) * up
    y = unit_vectors(level)
    return np.stack([np.cross(y, up), y, up])


def _first_root(poses: Poses) -> Float[np.ndarray, "3"]:
    """Where the first person is first seen; the camera if no person ever is."""
    frames, people = np.nonzero(poses.valid)
    if not len(frames):
        return np.zeros(3)
    first = np.lexsort((frames, people))[0]
    root = poses.positions[frames[first], people[first], poses.skeleton.root]
    return np.asarray(root)


def _robust_mean(axes: Float[np.ndarray, "pose 3"]) -> Float[np.ndarray, "3"]:
    """Mean direction; one further off than POSTURE weighs less (Huber)."""
    mean = unit_vectors(axes.mean(axis=0))
    for _ in range(5):
        angle = np.arccos(np.clip(axes @ mean, -1, 1))
        weights = np.minimum(1, POSTURE / np.maximum(angle, 1e-9))
        mean = unit_vectors((weights[:, None] * axes).sum(axis=0))
    return mean
