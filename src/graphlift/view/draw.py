"""Skeletons drawn on an image, with OpenCV.

The keypoints are thick and coloured. The poses, projected through their camera, are drawn thin and
pale on top of them: where the two agree, the poses explain the image.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from graphlift.cameras import NEAREST, camera_to_image, world_to_camera
from graphlift.errors import ShapeError
from graphlift.sequences import Keypoints, Poses
from graphlift.skeletons import Skeleton
from graphlift.view.palette import RGB, bone_colours, own_colour

Image = UInt8[np.ndarray, "height width 3"]

_BITS = 4
"""Bits of the fraction of a pixel that OpenCV draws with; without them, thin lines jitter."""
_LARGEST = 1 << 14
"""px; OpenCV cannot draw to joints beyond."""
_STRETCH = 0.02
"""Relative difference of two aspect ratios that rounding explains."""
_DARK: RGB = (24, 24, 24)
_PALE = 0.6
"""Share of white in what is drawn pale."""


@dataclass(frozen=True, eq=False)
class _Layer:
    """People of one frame in the image, px, NaN where missing; sigma in px, if it is known."""

    joints: Float[np.ndarray, "person joint 2"]
    skeleton: Skeleton
    sigma: Float[np.ndarray, "person joint"] | None = None

    @property
    def drawable(self) -> Bool[np.ndarray, "person joint"]:
        return np.asarray((np.abs(self.joints) < _LARGEST).all(axis=-1))


def draw_frame(
    image: Image, motion: Poses | Keypoints, frame: int, *, sigma: bool = False
) -> Image:
    """Draw one frame's people on an image.

    Args:
        image: Blue, green, red, as OpenCV has it; drawn on in place.
        motion: Keypoints, or poses with keypoints, a camera or both. Missing joints are left out.
        frame: Its number, from 0.
        sigma: Whether to draw a circle of one standard deviation around each joint of the poses.

    Returns:
        The same image.

    Raises:
        ShapeError: If there is no such frame, the motion has nothing that can be drawn, the image
            has another shape or type, or another aspect ratio than the motion's images.
        ModuleNotFoundError: Without OpenCV.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ShapeError(
            f"an image {image.shape}, {image.dtype}, should be (height, width, 3) uint8"
        )
    if not 0 <= frame < len(motion):
        raise ShapeError(f"no frame {frame}: the motion has {len(motion)}, counted from 0")
    layers = _layers(motion, frame, (image.shape[1], image.shape[0]))
    if not layers:
        raise ShapeError(
            "nothing to draw: the motion has neither keypoints nor a camera and a path through "
            "space; give the keypoints that it was lifted from"
        )
    thick = max(2, round(float(np.hypot(*image.shape[:2])) / 400))
    for pale, layer in enumerate(layers):
        _draw(image, layer, max(1, thick // 3) if pale else thick, pale=bool(pale))
        if sigma and layer.sigma is not None:
            _ring(image, layer, max(1, thick // 3))
    if len(motion.people) > 1:
        _name(image, layers[0], motion.people, thick)
    return image


def project(poses: Poses, frame: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Project one frame's poses through their camera.

    Returns:
        Joints (person, joint, 2) and standard deviations (person, joint), px of the camera's own
        image; NaN where a joint is missing or behind the camera. None if the poses have no
        camera or no path through space.
    """
    camera = poses.camera
    if camera is None or poses.rooted:
        return None
    positions = poses.positions[frame]
    if poses.axes == "world":
        positions = world_to_camera(positions, camera)
    depth = positions[..., 2]
    before = np.isfinite(positions).all(axis=-1) & (depth > NEAREST)
    joints = np.full((*depth.shape, 2), np.nan)
    joints[before] = camera_to_image(positions[before], camera)
    sigma = np.full(depth.shape, np.nan)
    sigma[before] = poses.sigma[frame][before] * np.mean(camera.focal) / depth[before]
    return joints, sigma


def _layers(motion: Poses | Keypoints, frame: int, size: tuple[int, int]) -> list[_Layer]:
    """List what can be drawn, in order."""
    layers = []
    keypoints = motion.keypoints if isinstance(motion, Poses) else motion
    if keypoints is not None:
        scale = _scale(keypoints.image_size, size)
        layers.append(_Layer(keypoints.positions[frame] * scale, keypoints.skeleton))
    if isinstance(motion, Poses) and motion.camera and (seen := project(motion, frame)):
        scale = _scale(motion.camera.size, size)
        layers.append(_Layer(seen[0] * scale, motion.skeleton, seen[1] * scale))
    return layers


def _scale(given: tuple[int, int] | None, size: tuple[int, int]) -> float:
    """Find the factor from px of the images that a motion was made from to px of this one."""
    if given is None:
        return 1.0
    scale = size[0] / given[0]
    if abs(given[1] * scale / size[1] - 1) > _STRETCH:
        raise ShapeError(
            f"the motion is of images {given[0]}x{given[1]}, which do not fit into one of "
            f"{size[0]}x{size[1]}: give the video that it was made from"
        )
    return scale


def _draw(image: Image, layer: _Layer, thick: int, *, pale: bool) -> None:
    """Draw bones, with a dark rim unless they are pale, and joints."""
    import cv2

    points, drawable = _fixed(layer.joints), layer.drawable
    people = range(len(drawable))
    colours = [[_bgr(c, pale=pale) for c in bone_colours(layer.skeleton, p)] for p in people]
    own = [_bgr(own_colour(person), pale=pale) for person in people]
    radius = round(0.8 * thick * 2**_BITS)
    lines = []
    for person, present in enumerate(drawable):
        for (parent, child), colour in zip(layer.skeleton.bones, colours[person], strict=True):
            if present[parent] and present[child]:
                lines.append((points[person][parent], points[person][child], colour))
    if not pale:
        for start, end, _ in lines:
            cv2.line(image, start, end, _DARK, thick + max(2, thick // 2), cv2.LINE_AA, _BITS)
    for start, end, colour in lines:
        cv2.line(image, start, end, colour, thick, cv2.LINE_AA, _BITS)
    for person, joint in zip(*np.nonzero(drawable), strict=True):
        at = points[person][joint]
        cv2.circle(image, at, radius, own[person], cv2.FILLED, cv2.LINE_AA, _BITS)


def _ring(image: Image, layer: _Layer, thick: int) -> None:
    """Draw a circle of one standard deviation around each joint."""
    import cv2

    assert layer.sigma is not None
    points = _fixed(layer.joints)
    for person, joint in zip(*np.nonzero(layer.drawable & (layer.sigma < _LARGEST)), strict=True):
        radius = round(float(layer.sigma[person, joint]) * 2**_BITS)
        colour = _bgr(own_colour(person), pale=True)
        cv2.circle(image, points[person][joint], radius, colour, thick, cv2.LINE_AA, _BITS)


def _name(image: Image, layer: _Layer, people: tuple[str, ...], thick: int) -> None:
    """Write each person's name over their highest joint."""
    import cv2

    for person, present in enumerate(layer.drawable):
        if present.any():
            x, y = layer.joints[person][present].min(axis=0)
            place = round(float(x)), round(float(y)) - 3 * thick
            for colour, extra in ((_DARK, 2), (_bgr(own_colour(person), pale=True), 0)):
                cv2.putText(
                    image,
                    people[person],
                    place,
                    cv2.FONT_HERSHEY_SIMPLEX,
                    thick / 5,
                    colour,
                    max(1, thick // 3) + extra * max(1, thick // 3),
                    cv2.LINE_AA,
                )


def _fixed(joints: np.ndarray) -> list[list[tuple[int, int]]]:
    """Convert px to OpenCV's fixed-point numbers; joints that cannot be drawn become 0."""
    near = np.where(np.abs(joints) < _LARGEST, joints, 0)
    return [
        [(x, y) for x, y in person] for person in np.rint(near * 2**_BITS).astype(int).tolist()
    ]


def _bgr(colour: RGB | np.ndarray, *, pale: bool) -> RGB:
    share = _PALE if pale else 0.0
    red, green, blue = (round((1 - share) * int(c) + share * 255) for c in colour)
    return blue, green, red
