"""Gravity and floor: from a camera whose place is known, or else from how people move.

The world found from the motion has z up, the floor at z = 0, y along the camera's view and the
origin under where the first person is first seen.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.cameras import Camera
from graphlift.motion.feet import standing_feet
from graphlift.motion.requirements import blocks, check_axes, frame_rate, legs, middle, runs
from graphlift.sequences import Poses
from graphlift.skeletons import ANKLE_HEIGHT

CAMERA_UP = np.array([0.0, -1.0, 0.0])
"""Up in the axes of a camera that is held level."""

ROLL, PITCH = np.deg2rad(6.0), np.deg2rad(30.0)
"""How far people's cameras are usually turned about the viewing axis, and up or down."""
LEAN, POSTURE = np.deg2rad(5.0), np.deg2rad(12.0)
"""How far a standing person's axis is from vertical: on average over a clip, and in one frame."""
UNEVEN = 0.07
"""m; how far a foothold is from the plane of the floor, errors included."""
ANKLES, SIZES = 0.03, 0.05
"""How far footholds are off together, m, and a lifter's people's sizes, as a share of them."""
LEVEL = 0.2
"""m; a camera this near to the ankles' height sees feet at one height, however far away."""
LOWEST = 0.1
"""Share of the frames in which feet stand that lies below the floor's height, by error."""
SLOPE = np.deg2rad(20.0)
"""Footholds that would tilt people by more lie on stairs or a ladder, not on a floor."""
BELIEVED = np.deg2rad(45.0)
"""A body axis further from the camera's vertical is no standing person's."""
EXTENDED = 0.85
"""A standing leg is at least this share of thigh and shin, hip to ankle."""
FEWEST = 0.1
"""Share of a clip's frames in which somebody must stand for the bodies to be believed."""


@dataclass(frozen=True, eq=False)
class Footholds:
    """Places where a foot stood.

    Args:
        points: Mean place of the ankle, m.
        frames: For how many frames.
        person: Whose.
    """

    points: Float[np.ndarray, "foothold 3"]
    frames: Float[np.ndarray, " foothold"]
    person: Int[np.ndarray, " foothold"]


def stand(poses: Poses, camera: Camera | None = None) -> Poses:
    """Turn poses from camera to world axes and put them on the floor.

    With a camera whose place is known this is exact. Otherwise gravity is what agrees best with
    the axes of standing people, with cameras being held about level, and with one plane through
    the places where feet stand; the floor lies ANKLE_HEIGHT below the lowest of those. Where
    nobody stands (lying, only a face), the camera's own vertical is taken. All people share one
    gravity and one floor. Poses that are still rooted stay in place, a foot on the floor.

    Args:
        poses: Camera axes.
        camera: Where it stands and how it is turned; ``poses.camera`` when left out.

    Raises:
        ModelError: If poses are in world axes already, or the frame rate is not positive.
        SkeletonError: If the skeleton lacks hips, knees, ankles or shoulders.
    """
    check_axes(poses, "camera", "standing people upright")
    camera = poses.camera if camera is None else camera
    if camera is not None and camera.placed:
        return _by_camera(poses, camera)
    up, note = find_up(poses)
    R = _world_axes(up)
    if poses.rooted:
        return _in_place(poses, R, note)
    floor, origin = find_floor(poses, up), _first_root(poses)
    origin = origin + (floor - origin @ up) * up
    if camera is not None:
        camera = replace(camera, R=R.T, position=-R @ origin)
    return poses.noting(
        note, positions=_turned(poses.positions, R, origin), axes="world", camera=camera
    )


def scale_to_floor(poses: Poses, moving: Poses, camera: Camera) -> Poses:
    """Scale people so that their feet reach the floor of a camera whose place is known.

    A person taken for too large is put too far away, and seen from above stands below the floor:
    where feet stand tells the size. What they tell is weighed against the model's own scale.

    Args:
        poses: Rooted, camera axes.
        moving: The same poses where :func:`graphlift.motion.locate` put them.
        camera: Its height above the floor and its turn count.
    """
    places = footholds(moving, camera.R[:, 2])
    drop = camera.position[2] - ANKLE_HEIGHT
    scale = np.ones(len(poses.people))
    for person in np.unique(places.person):
        own = places.person == person
        depth = -_lowest(places.points[own] @ camera.R[:, 2], places.frames[own])
        if min(drop * depth, drop**2) < LEVEL**2:
            continue
        error = np.hypot(ANKLES, UNEVEN / np.sqrt(own.sum())) / abs(drop)
        told = drop / depth - 1
        scale[person] += np.clip(told, -3 * SIZES, 3 * SIZES) * SIZES**2 / (SIZES**2 + error**2)
    said = ", ".join(f"{name}: {s:.3f}" for name, s in zip(poses.people, scale, strict=True))
    return poses.noting(
        f"Scaled so that feet reach the given camera's floor ({said}).",
        positions=poses.positions * scale[:, None, None].astype(poses.positions.dtype),
        sigma=poses.sigma * scale[:, None].astype(poses.sigma.dtype),
    )


def find_ground(poses: Poses) -> tuple[Float[np.ndarray, "3"], float]:
    """Find which way is up and how high the floor is along it, m, as :func:`stand` does.

    Args:
        poses: Camera axes, moving through space.
    """
    camera = poses.camera
    if camera is not None and camera.placed:
        return camera.R[:, 2], -float(camera.position[2])
    up, _ = find_up(poses)
    return up, find_floor(poses, up)


def find_up(poses: Poses) -> tuple[Float[np.ndarray, "3"], str]:
    """Estimate which way is up from the motion, in camera axes.

    Returns:
        A unit vector, and a note that says what it rests on.

    Raises:
        As :func:`stand`.
    """
    fps, assumed = frame_rate(poses)
    axes, which = body_axes(poses)
    if not len(axes):
        return CAMERA_UP, (
            "Nobody stands or sits upright for long: the camera's own vertical is taken for "
            f"gravity's{assumed}."
        )
    body = _robust_mean(axes)
    # Frames within half a second show one posture; seconds average over many.
    spread = np.hypot(LEAN, POSTURE / np.sqrt(max(1.0, len(axes) / fps / 0.5)))
    spread *= 1 if which == "standing" else 2
    places = None if poses.rooted or which != "standing" else footholds(poses, body)
    up = _agree(body, spread, places)
    if up @ body < np.cos(SLOPE):
        places, up = None, _agree(body, spread, None)
    turned = np.degrees(np.arccos(np.clip(up @ CAMERA_UP, -1, 1)))
    points = 0 if places is None else len(places.points)
    return up, (
        f"Gravity follows from {len(axes)} poses of {which} people and {points} footholds: "
        f"{turned:.0f}° off the camera's vertical{assumed}."
    )


def find_floor(poses: Poses, up: Float[np.ndarray, "3"]) -> float:
    """Find how high the floor is along ``up``, m, in camera axes: negative, as cameras look down.

    It lies below the lowest places where feet stand (stairs and errors are above it, and below it
    only errors), or else below the lowest ankles there are.
    """
    places = footholds(poses, up)
    if len(places.points):
        return _lowest(places.points @ up, places.frames) - ANKLE_HEIGHT
    height = _ankles(poses) @ up
    lower = height[np.isfinite(height)]
    return float(np.quantile(lower, 0.05, method="lower")) - ANKLE_HEIGHT if lower.size else 0.0


def footholds(poses: Poses, up: Float[np.ndarray, "3"]) -> Footholds:
    """Find the places where feet stand, given roughly which way is up."""
    fps, _ = frame_rate(poses)
    feet = _ankles(poses)
    flags = standing_feet(feet, up, fps)
    found = [
        (person, end - start, *feet[start:end, person, side].mean(axis=0))
        for person, side in np.ndindex(flags.shape[1:])
        for start, end in runs(flags[:, person, side])
    ]
    table = np.array(found).reshape(-1, 5)
    return Footholds(points=table[:, 2:], frames=table[:, 1], person=table[:, 0].astype(int))


def body_axes(poses: Poses) -> tuple[Float[np.ndarray, "pose 3"], str]:
    """Find the directions from feet to shoulders of standing people, or else of upright trunks.

    Returns:
        Unit vectors in camera axes, and which they are; none if nobody is upright in a tenth of
        the frames in which somebody is there.
    """
    found = [_block_axes(poses, part) for part in blocks(len(poses))]
    whole, trunk, extended = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    choices = {"standing": (whole, extended), "sitting": (trunk, np.ones_like(extended))}
    for which, (axes, fit) in choices.items():
        chosen = axes[fit & (axes @ CAMERA_UP > np.cos(BELIEVED))]
        if len(chosen) > FEWEST * len(axes):
            return chosen, which
    return np.zeros((0, 3)), "no"


def _block_axes(
    poses: Poses, part: slice
) -> tuple[Float[np.ndarray, "pose 3"], Float[np.ndarray, "pose 3"], Bool[np.ndarray, " pose"]]:
    """Find where bodies and trunks point in some frames, and whether a leg is straight."""
    skeleton, positions = poses.skeleton, poses.positions[part].astype(np.float64)
    valid = np.isfinite(positions).all(axis=(-2, -1))
    positions, seen = positions[valid], poses.seen[part][valid][:, legs(skeleton)[:, 2]]
    chains = positions[:, legs(skeleton)]
    length = np.linalg.norm(np.diff(chains, axis=2), axis=-1).sum(axis=-1)
    reach = np.linalg.norm(chains[:, :, 2] - chains[:, :, 0], axis=-1)
    extended = (reach > EXTENDED * length).any(axis=1) & seen.any(axis=1)
    shoulders = middle(positions, skeleton, "Shoulder")
    whole = _unit(shoulders - chains[:, :, 2].mean(axis=1))
    trunk = _unit(shoulders - chains[:, :, 0].mean(axis=1))
    return whole, trunk, extended


def _agree(
    body: np.ndarray, spread: float, places: Footholds | None, *, iterations: int = 4
) -> Float[np.ndarray, "3"]:
    """Find the up that agrees best with the body, the footholds and a camera held level.

    Gauss-Newton over the two angles by which it can turn; a foothold far off the plane weighs
    less (Huber).
    """
    up = body
    for _ in range(iterations):
        tangent = np.linalg.svd(up[None])[2][1:]
        rows = [tangent.T / spread, tangent[:, :1].T / ROLL, tangent[:, 2:].T / PITCH]
        errors = [(up - body) / spread, up[:1] / ROLL, up[2:] / PITCH]
        if places is not None and len(places.points) > 1:
            heights = places.points @ up
            off = np.abs(heights - np.median(heights))
            weights = np.minimum(1, 2 * UNEVEN / np.maximum(off, 1e-9))
            centred = places.points - np.average(places.points, axis=0, weights=weights)
            centred = centred * (np.sqrt(weights) / UNEVEN)[:, None]
            rows.append(centred @ tangent.T)
            errors.append(centred @ up)
        step = np.linalg.lstsq(np.concatenate(rows), -np.concatenate(errors), rcond=None)[0]
        up = _unit(up + step @ tangent)
    return up


def _by_camera(poses: Poses, camera: Camera) -> Poses:
    if poses.rooted:
        return _in_place(poses, camera.R.T, "Gravity is the given camera's.")
    return poses.noting(
        "Gravity and floor are the given camera's.",
        positions=_turned(poses.positions, camera.R.T, -camera.R @ camera.position),
        axes="world",
        camera=camera,
    )


def _in_place(poses: Poses, axes: np.ndarray, note: str) -> Poses:
    """Turn rooted poses upright and put the lower ankle on the floor in every frame."""
    positions = _turned(poses.positions, axes, np.zeros(3))
    ankles = positions[..., legs(poses.skeleton)[:, 2], 2]
    positions[..., 2] += ANKLE_HEIGHT - ankles.min(axis=-1, keepdims=True)
    return poses.noting(
        f"{note} People stay in place, their lower foot on the floor.",
        positions=positions,
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
    for part in blocks(len(positions)):
        turned[part] = (positions[part] - origin) @ axes.T
    return turned


def _world_axes(up: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """World axes as rows, in camera axes: z up, y along the view, x to the right."""
    view = np.array([0.0, 0.0, 1.0])
    level = view - (view @ up) * up
    y = _unit(level) if np.linalg.norm(level) > 1e-6 else _unit(CAMERA_UP - (CAMERA_UP @ up) * up)
    return np.stack([np.cross(y, up), y, up])


def _first_root(poses: Poses) -> Float[np.ndarray, "3"]:
    """Where the first person is first seen; the camera if nobody ever is."""
    frames, people = np.nonzero(poses.valid)
    if not len(frames):
        return np.zeros(3)
    first = np.lexsort((frames, people))[0]
    root = poses.positions[frames[first], people[first], poses.skeleton.root]
    return np.asarray(root)


def _ankles(poses: Poses) -> Float[np.ndarray, "frame person side 3"]:
    """Where the ankles are; those not seen are left out, unless none of a person's ever is."""
    ankles = legs(poses.skeleton)[:, 2]
    seen: Bool[np.ndarray, "frame person side"] = poses.seen[..., ankles]
    never = np.logical_not(seen.any(axis=2).any(axis=0))
    use = seen | never[:, None]
    return np.where(use[..., None], poses.positions[..., ankles, :], np.nan)


def _lowest(heights: np.ndarray, frames: np.ndarray) -> float:
    """The height below which a tenth of the frames lies."""
    order = np.argsort(heights)
    share = frames[order].cumsum() / frames.sum()
    return float(heights[order][np.searchsorted(share, LOWEST)])


def _robust_mean(axes: Float[np.ndarray, "pose 3"]) -> Float[np.ndarray, "3"]:
    """Mean direction; one further off than POSTURE weighs less (Huber)."""
    mean = _unit(axes.mean(axis=0))
    for _ in range(5):
        angle = np.arccos(np.clip(axes @ mean, -1, 1))
        weights = np.minimum(1, POSTURE / np.maximum(angle, 1e-9))
        mean = _unit((weights[:, None] * axes).sum(axis=0))
    return mean


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
