"""Cameras: from the world to the camera, the image and the screen.

Frames of reference. *World*: right-handed, z up, m. *Camera*: x right, y down, z forward, m.
*Image*: px, x right, y down, the origin at the top left corner. *Screen*: the image scaled so that
its width spans [-1, 1], aspect kept, as VideoPose3D does.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from graphlift.errors import ShapeError
from graphlift.words import plain

NEAREST = 0.1
"""m; a joint nearer to the camera's plane than this has no meaningful image."""

SKEW = 1e-2
"""How far R Rᵀ of a camera may be from the identity: calibrations are printed with few digits."""

H36M_DISTORTION = (-0.20, 0.24, -0.0026)
H36M_TANGENTIAL = (-0.0009, -0.0016)
"""Typical of Human3.6M's four cameras, whose k1, k2, k3 and p1, p2 are of this size.

Source: the calibration published with Human3.6M (Ionescu et al., TPAMI 2014).
"""


Distortion = Literal["human36m", "opencv"]
"""Whose form of the tangential terms p1 and p2 belong to: see :func:`distort`."""

DISTORTIONS: tuple[Distortion, ...] = get_args(Distortion)


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera with radial and tangential distortion.

    Args:
        focal: Focal length along x and y, px.
        centre: Principal point, px.
        size: Image width and height, px.
        R: Rotation from world to camera axes: ``camera = R @ (world - position)``.
        position: Of the camera, m, world frame.
        radial: k1, k2, k3.
        tangential: p1, p2.
        distortion: Whose form of the tangential terms p1 and p2 belong to, see :func:`distort`.

    Raises:
        ShapeError: If R is no rotation, such as that of a left-handed frame of reference.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    size: tuple[int, int]
    R: Float[np.ndarray, "3 3"]
    position: Float[np.ndarray, "3"]
    radial: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tangential: tuple[float, float] = (0.0, 0.0)
    distortion: Distortion = "human36m"

    def __post_init__(self) -> None:
        if not (np.abs(self.R @ self.R.T - np.eye(3)).max() < SKEW and np.linalg.det(self.R) > 0):
            raise ShapeError(
                f"the camera's R {self.R.tolist()} is no rotation: its rows should be x right, y "
                "down and z forward, perpendicular, of length 1 and right-handed"
            )

    @property
    def placed(self) -> bool:
        """Whether its place in the world is known.

        A camera of which only the lens is known is its own world: R the identity, position 0. As
        a place that would be on the floor, looking straight up.
        """
        return not (np.array_equal(self.R, np.eye(3)) and not np.any(self.position))


FIELD_OF_VIEW = 55.0
"""Degrees, across the longer side of the image, where nothing is known of a camera.

Source: the default of MeTRAbs (Sarandi et al., "MeTRAbs: metric-scale truncation-robust heatmaps
for absolute 3D human pose estimation", 2021); phones and webcams are near it.
"""


def assumed_camera(size: tuple[int, int], *, field_of_view: float = FIELD_OF_VIEW) -> Camera:
    """Make up intrinsics for an image of which nothing else is known.

    The principal point is the image's middle and there is no distortion. Where it stands is not
    known (:attr:`Camera.placed`).

    Args:
        size: Width and height, px.
        field_of_view: Degrees, across the longer side.

    Raises:
        ShapeError: If the size or the angle makes no sense.
    """
    if min(size) < 1:
        raise ShapeError(f"image size {size[0]}x{size[1]}: give a positive width and height, px")
    if not 1 <= field_of_view < 180:
        raise ShapeError(f"field of view {field_of_view}: give degrees from 1 to below 180")
    focal = max(size) / 2 / np.tan(np.deg2rad(field_of_view) / 2)
    return Camera(
        focal=(focal, focal),
        centre=(size[0] / 2, size[1] / 2),
        size=size,
        R=np.eye(3),
        position=np.zeros(3),
    )


PADDING = 16
"""px; codecs pad images to multiples of it."""


def check_same_image(camera: Camera, size: tuple[int, int] | None, source: str = "") -> None:
    """Refuse a camera of an image of another size than keypoints are of, if that is known.

    A codec's padding is let pass: 1088 px recorded, 1080 px shown.

    Args:
        camera: The camera.
        size: Width and height of the keypoints' image, px.
        source: What the keypoints are from, for the error; empty if it is not known.

    Raises:
        ShapeError: With both sizes.
    """
    if size is None or all(abs(a - b) < PADDING for a, b in zip(camera.size, size, strict=True)):
        return
    of = f"{plain(source, 200)}: " if source else ""
    raise ShapeError(
        f"{of}the camera's image is {camera.size[0]} x {camera.size[1]} px, but the keypoints' "
        f"{size[0]} x {size[1]}: scale one to the other, its focal length and centre included"
    )


def look_at(
    position: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"], *, roll: float = 0.0
) -> Float[np.ndarray, "3 3"]:
    """Turn a camera at ``position`` towards ``target``, its x axis level (then rolled).

    Args:
        position: m, world frame.
        target: m, world frame; not straight above or below ``position``.
        roll: Turn about the viewing axis, radians; positive turns the camera clockwise and so
            the image counter-clockwise.

    Returns:
        R with ``camera = R @ (world - position)``.
    """
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.stack([cos * right + sin * down, cos * down - sin * right, forward])


def world_to_camera(
    positions: Float[np.ndarray, "*batch 3"], camera: Camera
) -> Float[np.ndarray, "*batch 3"]:
    """Express world positions in the camera's axes, m."""
    return np.asarray((positions - camera.position) @ camera.R.T)


def camera_to_image(
    positions: Float[np.ndarray, "*batch 3"], camera: Camera
) -> Float[np.ndarray, "*batch 2"]:
    """Project camera-frame positions, m, into the image, px. Points outside the image are kept.

    Raises:
        ShapeError: If a point lies behind the camera or within 10 cm of its plane.

    See :func:`distort` for the model.
    """
    depth = positions[..., 2:]
    if depth.size and not depth.min() > NEAREST:
        raise ShapeError(
            f"a point is {depth.min():.2f} m in front of the camera: only points more than "
            f"{NEAREST} m in front have an image; move the camera or leave the frame out"
        )
    xy = positions[..., :2] / depth
    return np.asarray(distort(xy, camera) * camera.focal + camera.centre)


def distort(xy: Float[np.ndarray, "*batch 2"], camera: Camera) -> Float[np.ndarray, "*batch 2"]:
    """Apply the camera's distortion to rays at unit depth.

    With r² = x² + y²: radial = 1 + k1 r² + k2 r⁴ + k3 r⁶, tangential = c (p1 y + p2 x), and the
    ray becomes (x, y) · (radial + tangential) + r² · (p2, p1). c is 1 in Human3.6M's form and 2 in
    OpenCV's, where it is Brown's model: x + 2 p1 x y + p2 (r² + 2 x²) and so on.

    Source: the projection published with Human3.6M (Ionescu et al., TPAMI 2014), whose figures go
    with c = 1; OpenCV's documentation of ``projectPoints``, for calibrations made with OpenCV.
    """
    k1, k2, k3 = camera.radial
    p1, p2 = camera.tangential
    c = 2 if camera.distortion == "opencv" else 1
    r2 = (xy**2).sum(axis=-1, keepdims=True)
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    tangential = c * (p1 * xy[..., 1:] + p2 * xy[..., :1])
    return np.asarray(xy * (radial + tangential) + r2 * np.array([p2, p1]))


def image_to_rays(
    keypoints: Float[np.ndarray, "*batch 2"], camera: Camera, *, iterations: int = 20
) -> Float[np.ndarray, "*batch 2"]:
    """Undo projection up to depth: px to x, y at unit depth, by fixed-point iteration.

    Accurate to better than 1e-6 within a 1000 px image of Human3.6M-like intrinsics. Far outside
    the image the distortion polynomial turns back and there is no such ray: what the iteration
    does not bring to within a px gets the ray of a lens without distortion, which is finite.
    """
    focal = np.asarray(camera.focal)
    distorted = np.asarray((keypoints - camera.centre) / focal)
    if not any((*camera.radial, *camera.tangential)):
        return distorted
    xy = distorted
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(iterations):
            xy = xy + (distorted - distort(xy, camera))
        error = np.abs((distort(xy, camera) - distorted) * focal)
    return np.where((error < 1).all(axis=-1, keepdims=True), xy, distorted)


def reproject(
    keypoints: Float[np.ndarray, "*batch joint 2"], old: Camera, new: Camera
) -> Float[np.ndarray, "*batch joint 2"]:
    """Move keypoints to where another lens at the same place would have seen them.

    u' = (u − c) / f · f' + c', without distortion. The rays stay the same, so a person is as large
    as in the other camera's pictures. A network that was trained with one lens needs this: that
    of Human3.6M has 2f/w = 2.29, those of MPI-INF-3DHP's test set 1.46 and 1.75.

    Args:
        keypoints: px of ``old``.
        old: The camera that saw them.
        new: Such as the camera of the training set.

    Returns:
        px of ``new``.

    Source: the pinhole model.
    """
    rays = (keypoints - np.array(old.centre)) / np.array(old.focal)
    return np.asarray(rays * np.array(new.focal) + np.array(new.centre))


def image_to_screen(
    keypoints: Float[np.ndarray, "*batch 2"],
    size: tuple[int, int] | Float[np.ndarray, "*image 2"],
) -> Float[np.ndarray, "*batch 2"]:
    """Scale px so that the image's width spans [-1, 1], aspect kept.

    Args:
        keypoints: px.
        size: Width and height of the image, px, or of the image of each frame.

    Source: Pavllo et al., "3D human pose estimation in video with temporal convolutions and
    semi-supervised training", CVPR 2019: X / w · 2 − (1, h / w).
    """
    size = np.asarray(size)
    width = size[..., :1]
    return np.asarray(keypoints / width * 2 - size / width)
