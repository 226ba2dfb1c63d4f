"""BlazePose: a person detector and a network that reads 33 landmarks of one person.

Source: Bazarevsky et al., "BlazePose: On-device real-time body pose tracking", CVPR workshops
2020; the settings are those of MediaPipe's published graphs (``pose_detection``,
``pose_landmark``, ``pose_landmarks_to_roi``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from graphlift.detector_weights.get import get_weights
from graphlift.onnx_session import open_session
from graphlift.video.frames import Image
from graphlift.video.regions import DetectedPerson, Region, crop, turn_back, uncrop

Variant = Literal["lite", "full", "heavy"]

LANDMARKS = 33
SEARCH_SIDE, READ_SIDE = 224, 256
"""px; sides of the input images of the detector and of the landmark network."""

STRIDES = (8, 16, 32, 32, 32)
"""px between cells of the detector's layers of anchors, with two anchors in each cell."""

DETECTION_SCORE, SAME_OVERLAP, PRESENCE = 0.5, 0.3, 0.5
"""Least score of a detection, least overlap of two of one person, least score of a person."""

CIRCLE_MARGIN = 1.25
"""A region's side, relative to the diameter of the circle around the body."""


@dataclass(frozen=True, eq=False)
class BlazePose:
    """Its two networks, loaded."""

    detector: Any
    landmarks: Any


def load_blazepose(variant: Variant = "full", *, threads: int = 0) -> BlazePose:
    """Load BlazePose, fetching its weights if they are not in the cache.

    Args:
        variant: How large the landmark network is.
        threads: How many to compute with; 0 for as many as there are processors.

    Raises:
        ModelError: If the weights cannot be fetched
            (:func:`graphlift.detector_weights.get.get_weights`).
    """
    name = "blazepose" if variant == "full" else f"blazepose-{variant}"
    return BlazePose(
        *(open_session(path.read_bytes(), path, threads=threads) for path in get_weights(name))
    )


def find_regions(model: BlazePose, image: Image) -> list[Region]:
    """Find people in an image, those with the highest scores first."""
    height, width = image.shape[:2]
    side = float(max(width, height))
    whole, size = Region((width / 2, height / 2), (side, side)), (SEARCH_SIDE, SEARCH_SIDE)
    pixels = crop(image, whole, size).transpose(2, 0, 1)[None] / np.float32(127.5) - 1
    boxes, scores = model.detector.run(["boxes", "scores"], {"image": pixels})
    found = decode_detections(boxes[0], scores[0, :, 0])
    return [
        region_around(*uncrop(points[:2] * SEARCH_SIDE, whole, size))
        for points in suppress_overlaps(*found)
    ]


def read_landmarks(
    model: BlazePose, image: Image, regions: Sequence[Region]
) -> list[DetectedPerson]:
    """Read the landmarks of the people in regions; a region without a person is left out.

    Confidence is BlazePose's *visibility*: that the joint is in the image and not hidden.
    """
    size = (READ_SIDE, READ_SIDE)
    crops = np.stack([crop(image, region, size) for region in regions])
    pixels = crops.transpose(0, 3, 1, 2) / np.float32(255)
    outputs = model.landmarks.run(["landmarks", "presence", "world"], {"image": pixels})
    return [
        _person(region, landmarks.reshape(-1, 5), float(presence[0]), world.reshape(-1, 3))
        for region, landmarks, presence, world in zip(regions, *outputs, strict=True)
        if presence[0] > PRESENCE
    ]


def _person(
    region: Region, landmarks: np.ndarray, score: float, world: np.ndarray
) -> DetectedPerson:
    """Convert the network's output for a region to positions in the image.

    Args:
        region: The one that the network was given.
        landmarks: (39, 5): x, y, z, px of its square, and visibility and presence before the
            logistic function; after the joints come the centre and the rim of the circle around
            the body, then points of the hands.
        score: That there is a person.
        world: (39, 3), m, in the region's axes.
    """
    positions = uncrop(landmarks[:, :2].astype(float), region, (READ_SIDE, READ_SIDE))
    visibility = _logistic(landmarks[:LANDMARKS, 3:4].astype(float))
    return DetectedPerson(
        keypoints=np.column_stack([positions[:LANDMARKS], visibility]),
        score=score,
        region=region_around(positions[LANDMARKS], positions[LANDMARKS + 1]),
        world=turn_back(world[:LANDMARKS].astype(float), region),
    )


def region_around(centre: Float[np.ndarray, "2"], rim: Float[np.ndarray, "2"]) -> Region:
    """Put a square around the circle that holds the body.

    Args:
        centre: Middle of the hips, px.
        rim: The point of the circle towards which the body is upright, px.
    """
    x, y = rim - centre
    side = float(2 * np.hypot(x, y) * CIRCLE_MARGIN)
    return Region((float(centre[0]), float(centre[1])), (side, side), float(np.arctan2(x, -y)))


@cache
def anchors() -> Float[np.ndarray, "anchor 2"]:
    """Return the centres of the detector's anchors, x and y, as shares of its square.

    Cells follow row by row; layers of one stride share a grid, cell by cell.
    """
    layers = []
    for stride in sorted(set(STRIDES)):
        cells = SEARCH_SIDE // stride
        rows, columns = (np.mgrid[:cells, :cells] + 0.5) / cells
        centres = np.stack([columns, rows], axis=-1).reshape(-1, 2)
        layers.append(np.repeat(centres, 2 * STRIDES.count(stride), axis=0))
    return np.concatenate(layers)


def decode_detections(
    boxes: Float[np.ndarray, "anchor 12"], scores: Float[np.ndarray, " anchor"]
) -> tuple[Float[np.ndarray, "box 6 2"], Float[np.ndarray, " box"]]:
    """Decode the detector's outputs.

    Args:
        boxes: Six pairs for each anchor, px of the detector's square: centre of the box relative
            to the anchor, its size, then four points relative to the anchor: middle of the hips,
            rim of the circle around the body, and the same two for the upper body.
        scores: Before the logistic function.

    Returns:
        The two corners of every likely box and its four points, as shares of the square; and its
        score. The likeliest come first.
    """
    likely = np.flatnonzero(_logistic(scores.astype(float)) > DETECTION_SCORE)
    likely = likely[np.argsort(-scores[likely], kind="stable")]
    pairs = boxes[likely].reshape(-1, 6, 2).astype(float) / SEARCH_SIDE
    centre, half = pairs[:, 0] + anchors()[likely], pairs[:, 1] / 2
    points = pairs[:, 2:] + anchors()[likely, None]
    corners = np.stack([centre - half, centre + half], axis=1)
    return np.concatenate([corners, points], axis=1), _logistic(scores[likely].astype(float))


def suppress_overlaps(
    boxes: Float[np.ndarray, "box 6 2"], scores: Float[np.ndarray, " box"]
) -> list[Float[np.ndarray, "4 2"]]:
    """Merge boxes that overlap the likeliest one, and average their points weighted by score.

    Source: "weighted" non-maximum suppression of Bazarevsky et al., "BlazeFace", CVPR workshops
    2019.
    """
    people = []
    low, high = boxes[:, 0], boxes[:, 1]
    area = np.prod(np.clip(high - low, 0, None), axis=1)
    left = np.arange(len(boxes))
    while left.size:
        first = left[0]
        shared = np.minimum(high[first], high[left]) - np.maximum(low[first], low[left])
        overlap = np.prod(np.clip(shared, 0, None), axis=1)
        union = area[first] + area[left] - overlap
        same = (overlap > SAME_OVERLAP * union) | (left == first)
        group = left[same]
        people.append(np.average(boxes[group, 2:], axis=0, weights=scores[group]))
        left = left[~same]
    return people


def _logistic(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -100, 100))))
