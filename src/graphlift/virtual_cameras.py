"""Virtual cameras around a capture: the fixed rigs of the protocols, and random ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from graphlift.cameras import H36M_DISTORTION, H36M_TANGENTIAL, Camera, look_at

IMAGE = (1000, 1000)
"""px, as Human3.6M's images (two of its cameras have 1002 rows)."""


def open_rig() -> tuple[Camera, ...]:
    """Four cameras at the corners of a square, as in Human3.6M: the rig of protocol ``open-16``.

    5.5 m from the centre of the capture, 1.55 m high, aimed at the centre 1 m above the floor;
    focal length 1145 px, Human3.6M-like distortion.
    """
    return tuple(
        aimed_camera(azimuth=azimuth, distance=5.5, height=1.55, focal=1145.0)
        for azimuth in np.deg2rad([45, 135, 225, 315])
    )


def cross_rig() -> tuple[Camera, ...]:
    """Four cameras unlike those of :func:`open_rig`: the rig of protocol ``cross-14``.

    Azimuths 10°, 100°, 190° and 280°; distances 4.2, 5.0, 6.0 and 7.0 m; heights 0.9, 1.3, 2.0
    and 2.6 m; focal lengths 1000, 1080, 1250 and 1400 px of a 1000 px image; no distortion.
    """
    rows = (
        (10, 4.2, 0.9, 1000.0),
        (100, 5.0, 1.3, 1080.0),
        (190, 6.0, 2.0, 1250.0),
        (280, 7.0, 2.6, 1400.0),
    )
    return tuple(
        aimed_camera(azimuth=np.deg2rad(azimuth), distance=d, height=h, focal=f, distorted=False)
        for azimuth, d, h, f in rows
    )


def aimed_camera(
    *,
    azimuth: float,
    distance: float,
    height: float,
    focal: float,
    target: tuple[float, float, float] = (0.0, 0.0, 1.0),
    roll: float = 0.0,
    distorted: bool = True,
) -> Camera:
    """Place a camera on a circle around the vertical through ``target``, aimed at ``target``.

    Args:
        azimuth: Position on the circle, radians from the world's x axis, counter-clockwise.
        distance: From ``target``, horizontally, m.
        height: Above the floor, m.
        focal: px of a 1000 px image.
        target: What the centre of the image shows, m, world frame.
        roll: Rotation about the viewing axis, radians.
        distorted: Whether to have Human3.6M-like distortion.
    """
    x, y, z = target
    position = np.array([x + distance * np.cos(azimuth), y + distance * np.sin(azimuth), height])
    return Camera(
        focal=(focal, focal),
        centre=(IMAGE[0] / 2, IMAGE[1] / 2),
        size=IMAGE,
        R=look_at(position, np.array([x, y, z]), roll=roll),
        position=position,
        radial=H36M_DISTORTION if distorted else (0.0, 0.0, 0.0),
        tangential=H36M_TANGENTIAL if distorted else (0.0, 0.0),
    )


@dataclass(frozen=True)
class RandomRig:
    """Ranges from which cameras are drawn, each uniformly; angles in degrees, lengths in m.

    Args:
        distance: From the point in the middle of the image, horizontally.
        height: Above the floor.
        roll: About the viewing axis; the tilt follows from height, distance and aim.
        field_of_view: Of the image's width; drawn uniformly, then turned into a focal length.
        aim_height: Height of the point in the middle of the image.
        off_centre: How far beside the subject the camera aims at most.
    """

    distance: tuple[float, float] = (2.5, 8.0)
    height: tuple[float, float] = (0.4, 2.8)
    roll: tuple[float, float] = (-5.0, 5.0)
    field_of_view: tuple[float, float] = (30.0, 90.0)
    aim_height: tuple[float, float] = (0.7, 1.2)
    off_centre: float = 0.5

    def draw_many(self, rng: np.random.Generator, count: int) -> "Placements":
        """Draw many cameras, each around a person who stands at the origin."""
        beside, bearing = rng.random(count), rng.uniform(0, 2 * np.pi, count)
        radius = self.off_centre * np.sqrt(beside)
        return Placements(
            azimuth=rng.uniform(0, 2 * np.pi, count),
            distance=rng.uniform(*self.distance, count),
            height=rng.uniform(*self.height, count),
            target=np.stack(
                [
                    radius * np.cos(bearing),
                    radius * np.sin(bearing),
                    rng.uniform(*self.aim_height, count),
                ],
                axis=-1,
            ),
            roll=np.deg2rad(rng.uniform(*self.roll, count)),
            field_of_view=np.deg2rad(rng.uniform(*self.field_of_view, count)),
        )


@dataclass(frozen=True, eq=False)
class Placements:
    """Positions and directions of many cameras around the origin; angles in radians, lengths in m.

    Args:
        azimuth: Position on a circle around ``target``, from the world's x axis,
            counter-clockwise.
        distance: From ``target``, horizontally.
        height: Above the floor.
        target: The point in the middle of the image.
        roll: About the viewing axis.
        field_of_view: Of the image's width.
    """

    azimuth: Float[np.ndarray, " camera"]
    distance: Float[np.ndarray, " camera"]
    height: Float[np.ndarray, " camera"]
    target: Float[np.ndarray, "camera 3"]
    roll: Float[np.ndarray, " camera"]
    field_of_view: Float[np.ndarray, " camera"]


def extrinsics(
    placements: Placements,
) -> tuple[Float[np.ndarray, "camera 3 3"], Float[np.ndarray, "camera 3"]]:
    """Compute rotations and positions of many cameras, as :func:`aimed_camera` does for one.

    Returns:
        R and position of each, with ``camera = R @ (world - position)``.
    """
    cos, sin = np.cos(placements.azimuth), np.sin(placements.azimuth)
    around = placements.target[:, :2] + placements.distance[:, None] * np.stack([cos, sin], -1)
    position = np.concatenate([around, placements.height[:, None]], axis=-1)
    forward = placements.target - position
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    down = np.cross(forward, right)
    cos, sin = np.cos(placements.roll)[:, None], np.sin(placements.roll)[:, None]
    return np.stack([cos * right + sin * down, cos * down - sin * right, forward], 1), position
