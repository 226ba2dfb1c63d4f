"""From a file's arrays to a sequence of a pack, with the checks of all layouts."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from graphlift.cameras import Camera
from graphlift.datasets.licensed.checks import (
    check_legs,
    check_lengths,
    check_numbers,
    check_shape,
)
from graphlift.datasets.licensed.reading import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.facts import (
    SCENES,
    SKELETON,
    TEST_FPS,
    TO_H36M_17,
    TRAIN,
    Intrinsics,
)
from graphlift.errors import FormatError, ShapeError
from graphlift.skeletons import H36M_17

_LARGEST_NUMBER = 1e7
"""mm or px; what is larger is no coordinate, not even of a frame that is not valid."""

_LEG = (0.5, 1.2)
"""m, hip to knee to ankle: where the median over a sequence lies, or the unit is another."""

_LEGS = [tuple(SKELETON.index(f"{side}Hip", f"{side}Knee", f"{side}Ankle")) for side in "LR"]


@dataclass(frozen=True)
class Selection:
    """Which sequences to read.

    Args:
        sequences: Names, in the order of the data set.
        cameras: Numbers of training cameras, ascending.
        partial: Whether to go on where sequences are missing.
        max_bytes: The most that one array or pickle may take.
    """

    sequences: tuple[str, ...]
    cameras: tuple[int, ...]
    partial: bool
    max_bytes: int


def make_sequence(
    name: str,
    camera: int,
    keypoints: np.ndarray,
    positions: np.ndarray,
    valid: Bool[np.ndarray, " frame"] | None,
    lens: Camera,
    *,
    where: str,
) -> CameraSequence:
    """Check a sequence and name it.

    Args:
        name: ``TS1``, or subject and sequence as in ``S1 Seq1``.
        camera: Its number; the test set has one, 0.
        keypoints: px, (frame, 17, 2), the official order.
        positions: m, camera axes, (frame, 17, 3).
        valid: Whether a frame is valid; None if all are.
        lens: Intrinsics and, where known, place.
        where: The file and the place in it, for messages.

    Returns:
        The sequence. A test sequence's activity is its scene (``GS``, ``noGS``, ``Outdoor``).

    Raises:
        FormatError: If the arrays are of different length, a valid frame lacks a number, or the
            person has no human size.
    """
    valid = np.ones(len(positions), dtype=bool) if valid is None else valid
    check_lengths(where, keypoints=keypoints, positions=positions, valid=valid)
    lacking = ~(np.isfinite(keypoints).all((1, 2)) & np.isfinite(positions).all((1, 2))) & valid
    if lacking.any():
        raise FormatError(
            f"{where}: frame {int(np.argmax(lacking))} is valid, but has a joint that is no "
            "number: copy the file again"
        )
    if valid.any():
        check_legs(positions[valid], _LEGS, _LEG, where)
    subject, _, clip = name.partition(" ")
    return CameraSequence(
        subject=subject,
        activity=SCENES.get(name, clip),
        clip=clip or subject,
        camera=str(camera),
        lens=lens,
        positions=positions.astype(np.float32),
        keypoints={"gt": keypoints.astype(np.float32)},
        valid=valid,
        fps=TRAIN[name][1] if name in TRAIN else TEST_FPS,
        skeleton=SKELETON,
    )


def check_joints(array: object, joints: int, axes: int, where: str) -> np.ndarray:
    """Check keypoints or positions, of which frames that are not valid may lack numbers.

    Raises:
        FormatError: If it is no array (frame, joint, axis) of numbers, or one is absurdly large.
    """
    checked: np.ndarray = check_shape(array, (None, joints, axes), where)
    check_numbers(np.nan_to_num(checked, posinf=0, neginf=0), where, largest=_LARGEST_NUMBER)
    return checked


def lens_alone(intrinsics: Intrinsics, size: tuple[int, int]) -> Camera:
    """Make a camera whose place is not known."""
    focal, centre = intrinsics
    return Camera(focal, centre, size, np.eye(3), np.zeros(3))


def to_h36m(sequence: CameraSequence) -> CameraSequence:
    """Give a sequence Human3.6M's 17 joints, by the selection that the literature uses.

    Neck/Nose is 3DHP's head and Head its top of the head; see
    :data:`graphlift.datasets.mpi_inf_3dhp.facts.TO_H36M_17`.

    Raises:
        ShapeError: If it does not have the official 17 joints.
    """
    if sequence.skeleton != SKELETON:
        raise ShapeError(
            f"{sequence.subject} {sequence.clip} has the joints of {sequence.skeleton.name}, and "
            f"those of {SKELETON.name} are expected"
        )
    order = np.array(TO_H36M_17)
    return replace(
        sequence,
        positions=sequence.positions[:, order],
        keypoints={kind: xy[:, order] for kind, xy in sequence.keypoints.items()},
        skeleton=H36M_17,
    )
