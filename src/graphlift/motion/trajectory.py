"""The root's path: the translations of single frames, joined as people move.

It follows from the keypoints, the intrinsics and the poses, before gravity and floor are known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import (
    FIELD_OF_VIEW,
    Camera,
    assumed_camera,
    check_same_image,
)
from graphlift.errors import ModelError
from graphlift.geometry import every
from graphlift.motion.chain import solve_chain
from graphlift.motion.placing import (
    MIN_SEEN,
    PIXELS,
    Translations,
    find_translations,
    sightings,
    unplaced,
)
from graphlift.motion.requirements import blocks, check_axes, runs
from graphlift.motion.surface import surface_offsets
from graphlift.sequences import Keypoints, Poses, frame_rate
from graphlift.words import counted

TRUSTED = 0.03
"""m; joints with a larger sigma weigh less, by the square."""

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
    placed: Translations,
    fps: float,
    *,
    restless: float = RESTLESS,
    still: tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step 3"]] | None = None,
) -> Float[np.ndarray, "frame 3"]:
    """Find the path that agrees best with single frames and with how people move.

    The acceleration is white noise. A state is a position p and a velocity v. Over the time dt
    between frames, exactly: v changes by sqrt(``restless`` dt), and p by dt times the mean of both
    velocities, with an error of sqrt(``restless`` dt³ / 12). The translations of single frames
    count by their own information (precise across the view, less so in depth); at either end
    people move at a person's speed (:data:`SPEED`). Frames without a translation are bridged by
    the same principle; if only one frame has one, the person stays there. The whitened rows of
    all this are solved by orthogonal factorisation (:func:`graphlift.motion.chain.solve_chain`).

    Args:
        placed: From :func:`find_translations`, frames in order of time.
        fps: Frames per second.
        restless: Spectral density of the acceleration, m²/s³.
        still: Weights, 1/m², and values, m, of what else is known of the steps from each frame
            to the next.

    Returns:
        m, in the axes of ``placed``; NaN if no frame has a translation.

    Source: Rauch, Tung and Striebel, "Maximum likelihood estimates of linear dynamic systems",
    AIAA J. 1965, which gives the same path frame by frame; the model as of Bar-Shalom, Li and
    Kirubarajan, "Estimation with applications to tracking and navigation", 2001, section 6.2.2.
    """
    if len(placed.known) < 2 or not placed.known.any():
        return placed.translation.copy()
    # From the mean of the known translations, so that what all frames agree on is kept exactly.
    middle = placed.translation[placed.known].mean(axis=0)
    count = len(placed.known)

    def own(frames: slice | np.ndarray) -> np.ndarray:
        away = np.where(placed.known[frames, None], placed.translation[frames] - middle, 0.0)
        information = placed.information[frames] / (PIXELS**2 * max(1, 2 * MEMORY * fps))
        root = _root(information)
        return np.concatenate([root, np.zeros_like(root), root @ away[..., None]], axis=-1)

    def links(steps: slice) -> np.ndarray:
        return _links(*_steps(steps, count - 1, fps, still), fps, restless)

    return np.asarray(solve_chain(count, own, links)[:, :3] + middle)


def _root(information: Float[np.ndarray, "frame 3 3"]) -> Float[np.ndarray, "frame 3 3"]:
    """Factorise symmetric matrices into RᵀR (Cholesky); a row of 0 where nothing is known."""
    R, rest = np.zeros_like(information), information.copy()
    for row in range(3):
        pivot = np.maximum(rest[:, row, row], 0.0)
        R[:, row] = rest[:, row] / np.sqrt(np.where(pivot > 0, pivot, np.inf))[:, None]
        rest -= R[:, row, :, None] * R[:, row, None]
        rest[:, row] = rest[:, :, row] = 0  # and not what rounding leaves
    return R


def _steps(
    part: slice, count: int, fps: float, still: tuple[np.ndarray, np.ndarray] | None
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step 3"]]:
    """Whiten what feet, and speed at both ends, say of some of the steps: weight and value."""
    number = np.arange(part.start, part.stop)
    if still is None:
        weights, goal = np.zeros(len(number)), np.zeros((len(number), 3))
    else:
        weights, goal = still[0][part], still[0][part, None] * still[1][part]
    ends = (number == 0).astype(float) + (number == count - 1)
    root = np.sqrt(weights + ends * (fps / SPEED) ** 2)
    return root, np.divide(goal, root[:, None], out=np.zeros_like(goal), where=root[:, None] > 0)


def _links(
    weights: Float[np.ndarray, " step"],
    goal: Float[np.ndarray, "step 3"],
    fps: float,
    restless: float,
) -> Float[np.ndarray, "step 9 13"]:
    """Write the whitened rows of steps: positions with velocities, positions, velocities.

    Unknowns are position and velocity of the one frame, then of the next.
    """
    links = np.zeros((len(weights), 9, 13))
    axis = np.arange(3)
    position, velocity = np.sqrt(12 * fps**3 / restless), np.sqrt(fps / restless)
    for row, column, size in ((0, 0, position), (3, 0, weights[:, None]), (6, 3, velocity)):
        links[:, row + axis, column + axis] = -size
        links[:, row + axis, column + 6 + axis] = size
    links[:, axis, 3 + axis] = links[:, axis, 9 + axis] = -position / (2 * fps)
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
    """Move root-relative poses to where their keypoints show them, in camera axes.

    Frames that do not determine it (fewer than four joints seen, joints on top of each other, a
    pose too uncertain to say how large these are, as of a face alone) get their position from
    those around them and are not ``seen``.

    Args:
        poses: Rooted, camera axes, with the keypoints that they were lifted from.
        camera: Its lens counts; ``poses.camera`` when left out, or else an assumed one.
        field_of_view: Of the image's longer side, degrees, where no camera is given.
        smooth: Whether to smooth the path (:func:`smooth_path`) or join frames by straight lines.
        contacts: Joints that stand still, which steadies a smoothed path.

    Raises:
        ModelError: If poses are in world axes, move through space already or have no keypoints,
            no frame determines where a person is, or as :func:`choose_camera`.
    """
    placed = place(poses, camera, field_of_view=field_of_view)
    return move(poses, placed, smooth=smooth, contacts=contacts)


@dataclass(frozen=True, eq=False)
class Placed:
    """Where the single frames of a clip say that people are.

    Args:
        people: Translations of each person.
        camera: Whose lens counts.
        lens: Which that is, in words.
    """

    people: Sequence[Translations]
    camera: Camera
    lens: str


def place(
    poses: Poses, camera: Camera | None = None, *, field_of_view: float | None = None
) -> Placed:
    """Find where each frame by itself says that people are: what :func:`locate` does first."""
    check_axes(poses, "camera", "finding the root's path")
    camera, lens = choose_camera(poses, camera, field_of_view)
    return Placed(_translations(poses, camera), camera, lens)


def move(
    poses: Poses,
    placed: Placed,
    *,
    smooth: bool = True,
    contacts: Bool[np.ndarray, "frame person joint"] | None = None,
) -> Poses:
    """Move root-relative poses along a path: what :func:`locate` does once they are placed."""
    fps, assumed = frame_rate(poses)
    paths, known = _paths(poses, placed.people, fps, contacts=contacts, smooth=smooth)
    camera, lens = placed.camera, placed.lens
    del placed  # before as much again is taken for positions
    return poses.noting(
        *assumed,
        _note(poses, lens, known, np.isfinite(paths[..., 0])),
        positions=np.add(poses.positions, paths[:, :, None], out=np.empty_like(poses.positions)),
        rooted=False,
        seen=poses.seen & known[..., None],
        camera=camera,
    )


def _paths(
    poses: Poses,
    people: Sequence[Translations],
    fps: float,
    *,
    contacts: np.ndarray | None,
    smooth: bool,
) -> tuple[Float[np.ndarray, "frame person 3"], Bool[np.ndarray, "frame person"]]:
    """Find each person's path, and which frames determine it by themselves."""
    known = np.zeros(poses.positions.shape[:2], dtype=bool)
    paths = np.full((*known.shape, 3), np.nan)
    for person, one in enumerate(people):
        known[:, person] = one.known
        feet = None if contacts is None else contacts[:, person]
        here = poses.positions[:, person]
        paths[:, person] = find_path(one, here, fps, feet=feet, smooth=smooth)
    return paths, known


def choose_camera(
    poses: Poses, camera: Camera | None, field_of_view: float | None
) -> tuple[Camera, str]:
    """Take the given camera, the poses' own, or one of a field of view; and say which.

    Raises:
        ModelError: If neither it nor the image's size is known.
        ShapeError: If its image has another size than the keypoints', or the field of view is not
            from 1 to below 180 degrees.
    """
    size = None if poses.keypoints is None else poses.keypoints.image_size
    own = poses.camera if camera is None else camera
    if own is not None:
        check_same_image(own, size, poses.keypoints.source if poses.keypoints else "")
    if camera is not None:
        return camera, "the given camera's lens"
    if field_of_view is None and own is not None:
        return own, "the poses' own camera's lens"
    seen = own.size if own else size
    if seen is None:
        raise ModelError(
            "how far away people are follows from the lens, and neither a camera nor the image "
            "size is known: give camera= or the keypoints' image_size=, or trajectory=False"
        )
    degrees = FIELD_OF_VIEW if field_of_view is None else field_of_view
    made = assumed_camera(seen, field_of_view=degrees)
    if own is not None:
        made = replace(made, R=own.R, position=own.position)
    word = "an assumed" if field_of_view is None else "the given"
    return made, f"{word} field of view of {degrees:g}°"


def _stretches(flags: np.ndarray, longest: float) -> list[tuple[int, int]]:
    """Find the stretches of flags, gaps of at most ``longest`` frames included."""
    found: list[tuple[int, int]] = []
    for start, end in runs(flags).tolist():
        if found and start - found[-1][1] <= longest:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _translations(poses: Poses, camera: Camera) -> list[Translations]:
    """Find each person's translations, and refuse poses that determine none."""
    if not poses.rooted or poses.keypoints is None:
        why = "have no keypoints" if poses.rooted else "move through space already"
        raise ModelError(
            f"the root's path is found for root-relative poses with keypoints, but these {why}: "
            "give what the lifter returned, or trajectory=False"
        )
    placed = [unplaced(len(poses)) for _ in poses.people]
    for part in blocks(len(poses), people=len(poses.people)):
        found = _translations_in_block(poses, poses.keypoints, camera, part)
        for whole, here in zip(placed, found, strict=True):
            whole.put(part, here)
    if poses.valid.any() and not any(one.known.any() for one in placed):
        raise ModelError(
            f"no person can be placed: no frame shows {MIN_SEEN} joints of one person far enough "
            "apart, and surely enough, to give the distance; give trajectory=False "
            "(--no-trajectory) to leave people in place"
        )
    return placed


def _translations_in_block(
    poses: Poses, keypoints: Keypoints, camera: Camera, part: slice
) -> list[Translations]:
    """Find each person's translations in some frames."""
    here = replace(
        keypoints, positions=keypoints.positions[part], confidence=keypoints.confidence[part]
    )
    rays, weights = sightings(here, poses.skeleton, camera)
    sigma = poses.sigma[part].astype(np.float64)
    weights = weights / np.maximum(np.nan_to_num(sigma) / TRUSTED, 1.0) ** 2
    shown = poses.positions[part]
    shown = shown + surface_offsets(shown, poses.skeleton, keypoints.skeleton)
    return [
        find_translations(
            shown[:, person],
            rays[:, person],
            weights[:, person],
            camera.focal,
            sigma=sigma[:, person],
        )
        for person in range(len(poses.people))
    ]


def find_path(
    placed: Translations,
    positions: Float[np.ndarray, "frame joint 3"],
    fps: float,
    *,
    feet: Bool[np.ndarray, "frame joint"] | None = None,
    smooth: bool = True,
) -> Float[np.ndarray, "frame 3"]:
    """Find one person's path: smoothed where frames determine it, straight lines between.

    It is constant before the first and after the last of them; NaN where a person is present but
    no frame determines it.

    Args:
        placed: From :func:`find_translations`, frames in order of time.
        positions: Root-relative, m; NaN where the person is away.
        fps: Frames per second.
        feet: Joints that stand still.
        smooth: As for :func:`locate`.

    Returns:
        m, in the axes of ``placed``.
    """
    path = placed.translation.copy()
    for start, end in _stretches(placed.known, BRIDGE * fps) if smooth else []:
        part = slice(start, end)
        still = None if feet is None else _still(positions[part], feet[part], fps)
        path[part] = smooth_path(placed.part(part), fps, still=still)
    whole = np.full(path.shape, np.nan)
    for start, end in _stretches(np.isfinite(positions).all(axis=(-2, -1)), BRIDGE * fps):
        at = start + np.flatnonzero(np.isfinite(path[start:end, 0]))
        if at.size:
            visit = np.arange(start, end)
            whole[start:end] = np.stack([np.interp(visit, at, x) for x in path[at].T], axis=-1)
    return whole


def _still(
    positions: np.ndarray, feet: np.ndarray, fps: float
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step 3"]]:
    """Find how the root must move for the joints in contact to stay where they are."""
    ever = np.flatnonzero(feet.any(axis=0))
    weights, moves = np.zeros(len(feet) - 1), np.zeros((len(feet) - 1, 3))
    for part in blocks(len(moves)):
        frames = slice(part.start, part.stop + 1)
        steps = np.diff(positions[frames, ever].astype(np.float64), axis=0)
        both = feet[frames, ever]
        both = both[1:] & both[:-1] & every(np.isfinite(steps))
        count = both.sum(axis=1)
        weights[part] = count * (fps / STEADY) ** 2 / max(1.0, 2 * MEMORY * fps)
        total = np.where(both[..., None], steps, 0.0).sum(axis=1)
        moves[part] = -total / np.maximum(count, 1)[:, None]
    return weights, moves


def _note(poses: Poses, lens: str, known: np.ndarray, placed: np.ndarray) -> str:
    bridged = (poses.valid & placed & ~known).sum()
    lost = (poses.valid & ~placed).sum(axis=0)
    words = [f"The root's path follows from the keypoints and {lens}"]
    if bridged:
        words.append(f"in {counted(bridged, 'frame')} from those around them")
    words += [
        f"person {name} cannot be placed in {counted(count, 'frame')}: left empty"
        for name, count in zip(poses.people, lost, strict=True)
        if count
    ]
    return f"{'; '.join(words)}. The camera is taken to stand still."
