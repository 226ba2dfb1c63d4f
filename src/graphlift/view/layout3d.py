"""Where a viewer shows what: people upright on a floor, their 2D keypoints beside them.

Plain geometry, without a viewer: metres, z up, floor at z = 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera
from graphlift.errors import ShapeError
from graphlift.sequences import Keypoints, Poses, frame_rate
from graphlift.skeletons import Skeleton

ROOTED_DISTANCE = 1.2
"""m between rooted people, who would otherwise all stand in one place."""
BOARD = (1.7, 1.7)
"""m; the greatest width and height of the board of keypoints."""
_FRUSTUM = 0.3
"""m from the camera to its image, as drawn."""
_GAP = 0.35
"""m between the board and the joints that come nearest to it."""
_FOV = 40.0
"""Degrees from the top to the bottom of the window."""
_ASIDE = 40.0
"""Degrees between the directions of the viewer and the camera, so that depth can be seen."""
_ABOVE = 12.0
"""Degrees that the viewer looks down."""

_FARTHER = 2.0
"""How many times farther the viewer may stand to see the camera as well."""
_SAMPLES = 500
"""Frames that a viewpoint is computed from, at most."""

# Camera axes to z up, for a camera that is level: a quarter turn about x.
_UP = np.array([0.0, 0, 1])
_LEVEL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@dataclass(frozen=True, eq=False)
class Board:
    """The keypoints on an upright board.

    Args:
        joints: m; NaN where a keypoint is missing or lies off the board.
        skeleton: Of the keypoints.
        corners: m; top left, top right, bottom right, bottom left, as the viewer sees it.
    """

    joints: Float[np.ndarray, "frame person joint 3"]
    skeleton: Skeleton
    corners: Float[np.ndarray, "4 3"]


@dataclass(frozen=True, eq=False)
class Layout3D:
    """What a viewer shows, m, z up, floor at z = 0.

    Args:
        joints: NaN where a joint is missing.
        skeleton: Of the joints.
        sigma: Standard deviation of each coordinate, m; None if no joint has one.
        people: A name for each person.
        fps: Frames per second, assumed if the motion does not say.
        forward: Unit vector, level: the way the viewer looks.
        board: The keypoints, if the poses have any.
        frustum: The camera's position and the corners of its image, if the camera is known.
        hypotheses: All poses that the model held possible, each person's with the root where the
            person's is; None where there are none, or the camera's axes are not known.
        notes: What was assumed, one sentence each.
    """

    joints: Float[np.ndarray, "frame person joint 3"]
    skeleton: Skeleton
    sigma: Float[np.ndarray, "frame person joint"] | None
    people: tuple[str, ...]
    fps: float
    forward: Float[np.ndarray, "3"]
    board: Board | None
    frustum: Float[np.ndarray, "5 3"] | None
    hypotheses: Float[np.ndarray, "frame person hypothesis joint 3"] | None
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.joints)


def lay_out(poses: Poses, *, name: str = "the motion") -> Layout3D:
    """Place people upright on the floor, their keypoints beside them, and their camera.

    Args:
        poses: In any axes, rooted or not.
        name: What to call the motion in an error.

    Raises:
        ShapeError: If there is no frame, or no person in any of them.
    """
    if not np.isfinite(poses.positions).all(axis=-1).any():
        what = "no person is in any of its frames" if len(poses) else "it has no frames"
        raise ShapeError(f"{name}: nothing to show: {what}; lift a video with people in it")
    joints, shift, notes = _place_people(poses)
    forward = _forward(poses)
    frustum = None
    if poses.camera is not None and not poses.rooted:
        frustum = _frustum(poses.camera, world=poses.axes == "world") + shift
    board = _make_board(poses.keypoints, joints, forward) if poses.keypoints is not None else None
    fps, assumed = frame_rate(poses)
    return Layout3D(
        joints=joints,
        skeleton=poses.skeleton,
        sigma=poses.sigma if np.isfinite(poses.sigma).any() else None,
        people=poses.people,
        fps=fps,
        forward=forward,
        board=board,
        frustum=frustum,
        hypotheses=_place_hypotheses(poses, joints),
        notes=tuple(dict.fromkeys((*poses.notes, *notes, *assumed))),
    )


def viewpoint(layout: Layout3D, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Find where to look from so that all of the motion and the board fit into the window.

    Args:
        layout: What is to be seen.
        aspect: Width of the window over its height.

    Returns:
        The viewer's position and target, m. The window spans :data:`FOV` radians from top to
        bottom.
    """
    every = max(1, len(layout) // _SAMPLES)
    joints = layout.joints[::every].reshape(-1, 3)
    points = joints[np.isfinite(joints).all(axis=-1)]
    if layout.board is not None:
        points = np.concatenate([points, layout.board.corners])
    distance, target, forward = _step_back(layout, points, aspect)
    if layout.frustum is not None:
        also = _step_back(layout, np.concatenate([points, layout.frustum]), aspect)
        if also[0] < _FARTHER * distance:
            distance, target, forward = also
    return target - distance * forward, target


def _step_back(
    layout: Layout3D, points: np.ndarray, aspect: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Find distance, target and direction of view for which all points are in the window."""
    right, down = np.cross(layout.forward, _UP), np.radians(_ABOVE)
    forward = np.cos(down) * layout.forward - np.sin(down) * _UP
    axes = np.stack([right, np.cross(right, forward), forward])
    seen = points @ axes.T
    middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
    seen = seen - middle
    half = np.tan(FOV / 2) * np.array([aspect, 1.0]) * 0.92
    distance = (np.abs(seen[:, :2]) / half - seen[:, 2:]).max()
    return float(distance), middle @ axes, forward


FOV = float(np.radians(_FOV))
"""Radians from the top to the bottom of the window that :func:`viewpoint` assumes."""


def _place_people(poses: Poses) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return positions with z up on the floor, their shift, and what was assumed."""
    joints = poses.positions
    notes: tuple[str, ...] = ()
    if poses.axes == "camera":
        joints = joints @ _LEVEL.T
        notes = ("Camera axes: turned upright as if the camera had been level.",)
    if poses.rooted:
        count = len(poses.people)
        aside = (np.arange(count) - (count - 1) / 2) * ROOTED_DISTANCE
        shift = np.stack([aside, *np.zeros((2, count))], axis=-1)
        joints = joints - joints[..., [poses.skeleton.root], :] + shift[:, None]
        joints = joints - _lowest(joints, axis=-2) * [0.0, 0, 1]
        notes += ("No path through space: all people stand on their lowest joint.",)
        return joints, np.zeros(3), notes
    if poses.axes == "world":
        return joints, np.zeros(3), notes
    lowest = _lowest(joints, axis=(-3, -2)).ravel()
    floor = np.quantile(lowest[np.isfinite(lowest)], 0.01)
    shift = np.array([0.0, 0, -floor])
    return joints + shift, shift, (*notes, "The floor is where the lowest joint is.")


def _place_hypotheses(poses: Poses, joints: np.ndarray) -> np.ndarray | None:
    """Turn hypotheses as the poses were turned, and put their roots where people's are."""
    if poses.hypotheses is None:
        return None
    axes = _LEVEL
    if poses.axes == "world":
        if poses.camera is None or not poses.camera.placed:
            return None
        axes = poses.camera.R.T
    roots = joints[:, :, None, [poses.skeleton.root]]
    return np.asarray(poses.hypotheses.positions @ axes.T + roots)


def _lowest(joints: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Return the least z of joints, NaN where all are missing; the axes are kept."""
    z = np.where(np.isfinite(joints[..., 2:]), joints[..., 2:], np.inf).min(axis, keepdims=True)
    return np.where(np.isfinite(z), z, np.nan)


def _forward(poses: Poses) -> np.ndarray:
    """Find the direction of view: nearly the camera's, or nearly against people's faces."""
    if poses.axes == "camera":
        level = np.array([0.0, 1, 0])
    elif poses.camera is not None:
        level = poses.camera.R[2] * [1, 1, 0]
    else:
        pairs = np.array(poses.skeleton.pairs, dtype=int).reshape(-1, 2)
        across = poses.positions[..., pairs[:, 0], :] - poses.positions[..., pairs[:, 1], :]
        across = across[np.isfinite(across).all(axis=-1)]
        level = -np.cross(across.sum(axis=0), _UP)
    length = np.linalg.norm(level)
    level = level / length if length > 1e-6 else np.array([0.0, 1, 0])
    cos, sin = np.cos(np.radians(_ASIDE)), np.sin(np.radians(_ASIDE))
    return np.array([cos * level[0] - sin * level[1], sin * level[0] + cos * level[1], 0.0])


def _frustum(camera: Camera, *, world: bool) -> np.ndarray:
    """Return the camera's position and the corners of its image, without distortion."""
    width, height = camera.size
    pixels = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    rays = np.ones((4, 3))
    rays[:, :2] = (pixels - camera.centre) / camera.focal
    points = np.concatenate([np.zeros((1, 3)), rays * _FRUSTUM])
    return np.asarray(points @ camera.R + camera.position if world else points @ _LEVEL.T)


def _make_board(keypoints: Keypoints, joints: np.ndarray, forward: np.ndarray) -> Board | None:
    """Put keypoints on a board to the left of all people, facing the viewer."""
    pixels = keypoints.positions
    known = pixels[keypoints.seen]
    if not len(known):
        return None
    # One keypoint far away must not shrink all others.
    low, high = np.quantile(known, [0.005, 0.995], axis=0)
    margin = 0.08 * (high - low).max() + 1
    low, size = low - margin, high - low + 2 * margin
    width, height = size * min(BOARD / size)
    right = np.cross(forward, _UP)
    across = box(joints) @ right
    depth = (box(joints) @ forward).mean()
    left = across.min() - _GAP - width
    sides = np.stack([right * width, [0, 0, -height]])
    origin = left * right + depth * forward + [0, 0, height + 0.05]
    share = (pixels - low) / size
    off = ((share < 0) | (share > 1)).any(axis=-1, keepdims=True)
    on_board = np.where(off, np.nan, share) @ sides + origin - 0.02 * forward
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) @ sides + origin
    return Board(on_board, keypoints.skeleton, corners)


def box(joints: np.ndarray) -> np.ndarray:
    """Return the corners of the box around all joints."""
    known = joints[np.isfinite(joints).all(axis=-1)]
    ends = np.stack([known.min(axis=0), known.max(axis=0)])
    return np.stack(np.meshgrid(*ends.T), axis=-1).reshape(-1, 3)
