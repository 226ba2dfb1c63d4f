"""RTMPose and similar ONNX models of the user: one person's joints, as two rows of scores each.

Source: Jiang et al., "RTMPose: Real-time multi-person pose estimation based on MMPose", 2023, and
Li et al., "SimCC", ECCV 2022: a joint's x is where its row ``simcc_x`` is highest, its y where
``simcc_y`` is; the rows are finer than pixels. Mean and deviation of colours, and the margin
around a box, are those of MMPose's published configurations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.errors import ModelError
from graphlift.onnx_session import open_session
from graphlift.skeletons import COCO_17, HALPE_26, Skeleton
from graphlift.video.frames import Image
from graphlift.video.regions import DetectedPerson, Region, crop, uncrop
from graphlift.words import counted, reason

SKELETONS = {len(skeleton): skeleton for skeleton in (COCO_17, HALPE_26)}

COLOUR_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
COLOUR_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
"""Of red, green and blue in ImageNet, 0 to 255."""

BOX_MARGIN = 1.25
"""A region's sides, relative to those of the box around the person."""

JOINT_CONFIDENCE, MEAN_CONFIDENCE = 0.3, 0.3
"""Least confidence of a joint that the box is computed from; least mean over a person's joints."""


@dataclass(frozen=True, eq=False)
class RTMPose:
    """A model, loaded.

    Args:
        session: ONNX Runtime's.
        size: Width and height of its input, px.
        skeleton: The one with as many joints.
    """

    session: Any
    size: tuple[int, int]
    skeleton: Skeleton


def load_rtmpose(path: Path, *, threads: int = 0) -> RTMPose:
    """Load a model and run it on a black image.

    Args:
        path: ONNX with one image input of a fixed size and the outputs ``simcc_x`` and
            ``simcc_y``, of 17 joints (COCO) or 26 (Halpe).
        threads: How many to compute with; 0 for as many as there are processors.

    Raises:
        ModelError: If its inputs, outputs or number of joints are others.
        FormatError: If it is no ONNX model.
    """
    session = open_session(path.read_bytes(), path, threads=threads)
    shapes = [each.shape for each in session.get_inputs()]
    shape = shapes[0] if len(shapes) == 1 else []
    fixed = len(shape) == 4 and all(isinstance(side, int) and side > 0 for side in shape[1:])
    if not fixed or shape[1] != 3:
        raise ModelError(
            f"{path}: its inputs are {shapes}, not one image (batch, 3, height, width) of a "
            "fixed size: export RTMPose with a fixed input"
        )
    outputs = {each.name for each in session.get_outputs()}
    if not {"simcc_x", "simcc_y"} <= outputs:
        raise ModelError(
            f"{path}: its outputs are {', '.join(sorted(outputs))}, without simcc_x and simcc_y: "
            "give an RTMPose model as MMDeploy exports it"
        )
    height, width = shape[2:]
    rows = _run(session, np.zeros((height, width, 3), np.uint8), str(path))
    joints = rows[0].shape[0]
    if joints not in SKELETONS:
        raise ModelError(
            f"{path}: {counted(joints, 'joint')}: only 17 (coco-17) and 26 (halpe-26) are known; "
            "give a body model of one of them"
        )
    return RTMPose(session, (width, height), SKELETONS[joints])


def read_joints(model: RTMPose, image: Image, regions: Sequence[Region]) -> list[DetectedPerson]:
    """Read the joints of the people in regions; a region without a person is left out.

    Each person's next region is the box around the joints.
    """
    width, height = model.size
    people = []
    for region in regions:
        fitted = fit_region(region, width / height)
        rows = _run(model.session, crop(image, fitted, model.size), "the model")
        positions, confidence = decode_simcc(*rows, size=model.size)
        score = float(confidence.mean())
        if score <= MEAN_CONFIDENCE:
            continue
        positions = uncrop(positions, fitted, model.size)
        keypoints = np.column_stack([positions, confidence])
        people.append(DetectedPerson(keypoints, score, box_around(keypoints)))
    return people


def decode_simcc(
    across: Float[np.ndarray, "joint x"],
    down: Float[np.ndarray, "joint y"],
    *,
    size: tuple[int, int],
) -> tuple[Float[np.ndarray, "joint 2"], Float[np.ndarray, " joint"]]:
    """Find each joint where its rows of scores are highest.

    Args:
        across: Scores of positions along x.
        down: Scores of positions along y.
        size: Width and height of the input that they span, px.

    Returns:
        Positions, px of the input, and confidences: the lower of both highest scores.
    """
    places = np.column_stack([across.argmax(axis=1), down.argmax(axis=1)])
    finer = np.array([across.shape[1] / size[0], down.shape[1] / size[1]])
    confidence = np.minimum(across.max(axis=1), down.max(axis=1))
    return places / finer, np.clip(confidence.astype(float), 0, 1)


def fit_region(region: Region, aspect: float) -> Region:
    """Enlarge a box to the input's aspect (width over height), with a margin around it."""
    width, height = region.size
    width, height = max(width, height * aspect), max(height, width / aspect)
    return Region(region.centre, (width * BOX_MARGIN, height * BOX_MARGIN))


def box_around(keypoints: Float[np.ndarray, "joint 3"]) -> Region:
    """Compute the box around the joints that are seen, at least a pixel wide and high."""
    seen = keypoints[:, 2] > JOINT_CONFIDENCE
    positions = keypoints[seen if seen.any() else slice(None), :2]
    low, high = positions.min(axis=0), positions.max(axis=0)
    x, y = (low + high) / 2
    width, height = np.maximum(high - low, 1)
    return Region((float(x), float(y)), (float(width), float(height)))


def _run(session: Any, pixels: Image, name: str) -> list[np.ndarray]:  # noqa: ANN401
    """Run the model on one image; return scores (joint, x) and (joint, y)."""
    values = (pixels - COLOUR_MEAN) / COLOUR_DEVIATION
    image = {session.get_inputs()[0].name: values.transpose(2, 0, 1)[None]}
    try:
        rows = [np.asarray(each) for each in session.run(["simcc_x", "simcc_y"], image)]
    except Exception as error:  # ONNX Runtime's share no base class
        raise ModelError(f"{name} cannot be run on an image: {reason(error)}") from error
    if any(each.ndim != 3 or each.shape[0] != 1 for each in rows) or len(rows[0]) != len(rows[1]):
        shapes = ", ".join(str(each.shape) for each in rows)
        raise ModelError(f"{name} gives {shapes}, not two (1, joint, place): give RTMPose")
    return [each[0] for each in rows]
