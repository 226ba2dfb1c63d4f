"""The root's path: the places of single frames, joined as people move.

Everything follows from the keypoints, the intrinsics and the poses; gravity and floor are not
known here.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import FIELD_OF_VIEW, Camera, assumed_camera, image_to_rays
from graphlift.errors import ModelError
from graphlift.motion.chain import solve_chain
from graphlift.motion.placing import FEWEST, PIXELS, Placed, place
from graphlift.motion.requirements import blocks, check_axes, runs
from graphlift.sequences import Keypoints, Poses, frame_rate
from graphlift.skeletons import Skeleton, joint_map

DERIVED = 0.3
"""Weight of a keypoint that is a mean or a neighbour of the joint, against the joint itself."""
TRUSTED = 0.03
"""m; joints with a larger sigma weigh less, by the square."""

PADDING = 16
"""px; video is coded in blocks of this size, and what is padded is not shown."""

MEMORY = 0.3
"""s; for how long a pose's errors last: frames closer together are not independent."""
RESTLESS = 2.0
"""m²/s³; spectral density of the root's acceleration: how quickly people change their velocity."""
BRIDGE = 1.0
"""s; a person who is gone for longer comes back on another path."""
SPEED = 10.0
"""m/s; how fast people may be moving when a path begins and ends: no one runs faster."""
STEADY = 0.1
"""m/s; how well a standing foot is known to stand still, pose errors included."""


def smooth_path(
    placed: Placed,
    fps: float,
    *,
    restless: float = RESTLESS,
    still: tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step 3"]] | None = None,
) -> Float[np.ndarray, "frame 3"]:
    """Find the path that agrees best with single frames and with how people move.

    The motion is one of white acceleration. A state is a place p and a velocity v, and over the
    time dt between frames, exactly: v changes by sqrt(``restless`` dt), and p by dt times the mean
    of both velocities, give or take sqrt(``restless`` dt³ / 12). The single frames' places count
    by their own information (sharp across, blunt in depth); at either end people move at a
    person's speed (:data:`SPEED`). Frames that tell nothing are bridged by the same principle,
    and where one frame alone tells, the person stays there. The whitened rows of all this are
    solved by orthogonal factorisation (:func:`graphlift.motion.chain.solve_chain`).

    Args:
        placed: From :func:`place`, frames in order of time.
        fps: Frames per second.
        restless: Spectral density of the acceleration, m²/s³.
        still: Weights, 1/m², and values, m, of what else is known of the steps from each frame
            to the next.

    Returns:
        m, in the axes of ``placed``; NaN where no frame tells anything.

    Source: Rauch, Tung and Striebel, "Maximum likelihood estimates of linear dynamic systems",
    AIAA J. 1965, which gives the same path frame by frame; the model as of Bar-Shalom, Li and
    Kirubarajan, "Estimation with applications to tracking and navigation", 2001, section 6.2.2.
    """
    if len(placed.told) < 2 or not placed.told.any():
        return placed.translation.copy()
    # Seen from the mean of the known places: what all frames agree on is kept exactly.
    middle = placed.translation[placed.told].mean(axis=0)
    away = np.where(placed.told[:, None], placed.translation - middle, 0.0)
    values, vectors = np.linalg.eigh(placed.information / (PIXELS**2 * max(1, 2 * MEMORY * fps)))
    root = np.sqrt(np.maximum(values, 0.0))[..., None] * vectors.swapaxes(-1, -2)
    own = np.concatenate([root, np.zeros_like(root), root @ away[..., None]], axis=-1)
    weights, goal = _steps(len(own) - 1, fps, still)
    states = solve_chain(own, lambda part: _links(weights[part], goal[part], fps, restless))
    return np.asarray(states[:, :3] + middle)


def _steps(
    count: int, fps: float, still: tuple[np.ndarray, np.ndarray] | None
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step 3"]]:
    """Whiten what is known of each step, by feet and by speed at the ends: weight and value."""
    weights, steps = (np.zeros(count), np.zeros((count, 3))) if still is None else still
    goal = weights[:, None] * steps
    weights = weights.copy()
    np.add.at(weights, [0, -1], (fps / SPEED) ** 2)
    root = np.sqrt(weights)
    return root, np.divide(goal, root[:, None], out=np.zeros_like(goal), where=root[:, None] > 0)


def _links(
    weights: Float[np.ndarray, " step"],
    goal: Float[np.ndarray, "step 3"],
    fps: float,
    restless: float,
) -> Float[np.ndarray, "step 9 13"]:
    """Write the whitened rows of steps: of places with velocities, of places, of velocities.

    Unknowns are place and velocity of the one frame, then of the next.
    """
    links = np.zeros((len(weights), 9, 13))
    axis = np.arange(3)
    place, velocity = np.sqrt(12 * fps**3 / restless), np.sqrt(fps / restless)
    for row, column, size in ((0, 0, place), (3, 0, weights[:, None]), (6, 3, velocity)):
        links[:, row + axis, column + axis] = -size
        links[:, row + axis, column + 6 + axis] = size
    links[:, axis, 3 + axis] = links[:, axis, 9 + axis] = -place / (2 * fps)
    links[:, 3 + axis, 12] = goal
    return links


def locate(
    poses: Poses,
    camera: Camera | None = None,
    *,
    field_of_view: float | None = None,
    smooth: bool = True,
    contacts: Bool[np.ndarray, "frame person joint"] | None = None,
) -> Poses:
    """Move root-relative poses to where their keypoints say that they stand, in camera axes.

    Frames that tell nothing (fewer than four joints seen, joints on top of each other) get their
    place from those around them and are not ``seen``.

    Args:
        poses: Rooted, camera axes, with the keypoints that they were lifted from.
        camera: Its lens counts; ``poses.camera`` when left out, or else an assumed one.
        field_of_view: Of the image's longer side, degrees, where no camera is given.
        smooth: Whether to smooth the path (:func:`smooth_path`) or join frames by straight lines.
        contacts: Joints that stand still, which steadies a smoothed path.

    Raises:
        ModelError: If poses are in world axes, move through space already or have no keypoints,
            no frame tells where anybody is, or as :func:`choose_camera`.
    """
    check_axes(poses, "camera", "finding the root's path")
    fps, assumed = frame_rate(poses)
    camera, lens = choose_camera(poses, camera, field_of_view)
    placed = _place_everybody(poses, camera)
    told = np.zeros(poses.valid.shape, dtype=bool)
    paths = np.full((*told.shape, 3), np.nan)
    for person, one in enumerate(placed):
        told[:, person] = one.told
        feet = None if contacts is None else contacts[:, person]
        paths[:, person] = _path(one, poses.positions[:, person], fps, feet=feet, smooth=smooth)
    return poses.noting(
        *assumed,
        _note(poses, lens, told, np.isfinite(paths[..., 0])),
        positions=np.add(poses.positions, paths[:, :, None], out=np.empty_like(poses.positions)),
        rooted=False,
        seen=poses.seen & told[..., None],
        camera=camera,
    )


def choose_camera(
    poses: Poses, camera: Camera | None, field_of_view: float | None
) -> tuple[Camera, str]:
    """Take the given camera, the poses' own, or one of a field of view; and say which.

    Raises:
        ModelError: If its image has another size than the keypoints', or neither it nor the
            image's size is known.
        ShapeError: If the field of view is not from 1 to below 180 degrees.
    """
    size = None if poses.keypoints is None else poses.keypoints.image_size
    known = poses.camera if camera is None else camera
    if known is not None and size is not None and not _same_image(known.size, size):
        raise ModelError(
            f"the camera's image is {known.size[0]} x {known.size[1]} px, but the keypoints' "
            f"{size[0]} x {size[1]}: scale one to the other, its focal length and centre included"
        )
    if camera is not None:
        return camera, "the given camera's lens"
    if field_of_view is None and known is not None:
        return known, "the poses' own camera's lens"
    seen = known.size if known else size
    if seen is None:
        raise ModelError(
            "how far away people are follows from the lens, and neither a camera nor the image "
            "size is known: give camera= or the keypoints' image_size=, or trajectory=False"
        )
    degrees = FIELD_OF_VIEW if field_of_view is None else field_of_view
    made = assumed_camera(seen, field_of_view=degrees)
    if known is not None:
        made = replace(made, R=known.R, position=known.position)
    word = "an assumed" if field_of_view is None else "the given"
    return made, f"{word} field of view of {degrees:g}°"


def _same_image(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether sizes differ by a codec's padding at most: 1088 px recorded, 1080 px shown."""
    return all(abs(a - b) < PADDING for a, b in zip(one, other, strict=True))


def sightings(
    keypoints: Keypoints, skeleton: Skeleton, camera: Camera
) -> tuple[Float[np.ndarray, "frame person joint 2"], Float[np.ndarray, "frame person joint"]]:
    """Turn keypoints into rays of a skeleton's joints, and say how much each of them weighs.

    Returns:
        Rays, x and y at unit depth; weights, the confidence (less where the joint is derived
        from others), 0 where there is nothing.
    """
    mapping = joint_map(keypoints.skeleton, skeleton)
    bent = any((*camera.radial, *camera.tangential))
    with np.errstate(over="ignore", invalid="ignore"):  # far outside a distorted image
        rays = image_to_rays(mapping(keypoints.positions), camera, iterations=20 if bent else 0)
    confidence = mapping(keypoints.confidence[..., None])[..., 0]
    kind = np.array([{"exact": 1.0, "derived": DERIVED, "missing": 0.0}[k] for k in mapping.kinds])
    seen = np.isfinite(rays).all(axis=-1) & (np.abs(rays) < 10).all(axis=-1)
    return rays, np.where(seen, np.nan_to_num(confidence) * kind, 0.0)


def _stretches(flags: np.ndarray, longest: float) -> list[tuple[int, int]]:
    """Find the stretches of flags, gaps of at most ``longest`` frames included."""
    found: list[tuple[int, int]] = []
    for start, end in runs(flags).tolist():
        if found and start - found[-1][1] <= longest:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _place_everybody(poses: Poses, camera: Camera) -> list[Placed]:
    """Place each person frame by frame, and refuse poses that tell nothing."""
    if not poses.rooted or poses.keypoints is None:
        why = "have no keypoints" if poses.rooted else "move through space already"
        raise ModelError(
            f"the root's path is found for root-relative poses with keypoints, but these {why}: "
            "give what the lifter returned, or trajectory=False"
        )
    found = [_place_block(poses, poses.keypoints, camera, part) for part in blocks(len(poses))]
    placed = [
        Placed(
            translation=np.concatenate([one.translation for one in person]),
            information=np.concatenate([one.information for one in person]),
            told=np.concatenate([one.told for one in person]),
        )
        for person in zip(*found, strict=True)
    ]
    if poses.valid.any() and not any(one.told.any() for one in placed):
        raise ModelError(
            f"nobody can be placed: no frame shows {FEWEST} joints of one person far enough apart "
            "to tell the distance; give trajectory=False to leave people in place"
        )
    return placed


def _place_block(poses: Poses, keypoints: Keypoints, camera: Camera, part: slice) -> list[Placed]:
    """Place each person in some frames."""
    here = replace(
        keypoints, positions=keypoints.positions[part], confidence=keypoints.confidence[part]
    )
    rays, weights = sightings(here, poses.skeleton, camera)
    weights = weights / np.maximum(np.nan_to_num(poses.sigma[part]) / TRUSTED, 1.0) ** 2
    return [
        place(poses.positions[part, person], rays[:, person], weights[:, person], camera.focal)
        for person in range(len(poses.people))
    ]


def _path(
    placed: Placed,
    positions: np.ndarray,
    fps: float,
    *,
    feet: np.ndarray | None,
    smooth: bool,
) -> Float[np.ndarray, "frame 3"]:
    """One person's path: smoothed where frames tell it, then straight between them.

    It is held before the first and after the last of them; NaN on visits that tell nothing.
    """
    path = placed.translation.copy()
    for start, end in _stretches(placed.told, BRIDGE * fps) if smooth else []:
        part = slice(start, end)
        still = None if feet is None else _still(positions[part], feet[part], fps)
        path[part] = smooth_path(_part(placed, part), fps, still=still)
    whole = np.full(path.shape, np.nan)
    for start, end in _stretches(np.isfinite(positions).all(axis=(-2, -1)), BRIDGE * fps):
        at = start + np.flatnonzero(np.isfinite(path[start:end, 0]))
        if at.size:
            visit = np.arange(start, end)
            whole[start:end] = np.stack([np.interp(visit, at, x) for x in path[at].T], axis=-1)
    return whole


def _part(placed: Placed, part: slice) -> Placed:
    return Placed(placed.translation[part], placed.information[part], placed.told[part])


def _still(
    positions: np.ndarray, feet: np.ndarray, fps: float
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step 3"]]:
    """Say how the root must move for the joints in contact to stay where they are."""
    ever = np.flatnonzero(feet.any(axis=0))
    feet = feet[:, ever]
    steps = np.diff(positions[:, ever].astype(np.float64), axis=0)
    both = feet[1:] & feet[:-1] & np.isfinite(steps).all(axis=-1)
    count = both.sum(axis=1)
    mean = np.where(both[..., None], steps, 0.0).sum(axis=1) / np.maximum(count, 1)[:, None]
    return count * (fps / STEADY) ** 2 / max(1.0, 2 * MEMORY * fps), -mean


def _note(poses: Poses, lens: str, told: np.ndarray, placed: np.ndarray) -> str:
    bridged = (poses.valid & placed & ~told).sum()
    lost = (poses.valid & ~placed).sum(axis=0)
    words = [f"The root's path follows from the keypoints and {lens}"]
    if bridged:
        words.append(f"in {bridged} frames from those around them")
    words += [
        f"person {name} cannot be placed in {count} frames, which are left empty"
        for name, count in zip(poses.people, lost, strict=True)
        if count
    ]
    return f"{'; '.join(words)}. The camera is taken to stand still."
