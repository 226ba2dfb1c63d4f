"""From a file's arrays to a :class:`CameraSequence`, with the checks that all layouts need."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from graphlift.cameras import Camera
from graphlift.datasets.licensed.pack import CameraSequence
from graphlift.datasets.mpi_inf_3dhp.facts import (
    SCENES,
    SKELETON,
    TEST_FPS,
    TRAIN,
    Intrinsics,
)
from graphlift.errors import FormatError

_FARTHEST = 1e7
_LEG = (0.5, 1.2)
"""m, hip to knee to ankle: where the median over a sequence lies, or the unit is another."""

_LIMBS = ((8, 9), (9, 10), (11, 12), (12, 13))


@dataclass(frozen=True)
class Source:
    """Which sequence is being read, from where.

    Args:
        where: File and what in it, for messages.
        name: ``TS1``, or subject and sequence as in ``S1 Seq1``.
        camera: Its number; the test set has one, 0.
    """

    where: str
    name: str
    camera: int = 0

    @property
    def fps(self) -> float:
        """Frames per second, as published."""
        return TRAIN[self.name][1] if self.name in TRAIN else TEST_FPS


@dataclass(frozen=True)
class Choice:
    """What is to be read.

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


def paired(
    source: Source,
    keypoints: np.ndarray,
    positions: np.ndarray,
    valid: Bool[np.ndarray, " frame"],
    lens: Camera,
) -> CameraSequence:
    """Check a sequence and name it.

    Args:
        source: What it is.
        keypoints: px, (frame, 17, 2), the official order.
        positions: m, camera axes, (frame, 17, 3).
        valid: Whether a frame counts.
        lens: Intrinsics and, where known, place.

    Returns:
        The sequence. A test sequence's activity is its scene (``GS``, ``noGS``, ``Outdoor``): what
        people do changes within it (:func:`read_activities`).

    Raises:
        FormatError: If the arrays are of different length, a frame that counts lacks a number,
            or the person has no human size.
    """
    check_lengths(source.where, keypoints=keypoints, positions=positions, valid=valid)
    lacking = ~(np.isfinite(keypoints).all((1, 2)) & np.isfinite(positions).all((1, 2)))
    if (lacking & valid).any():
        raise FormatError(
            f"{source.where}: frame {int(np.argmax(lacking & valid))} is to count, but has a "
            "joint that is no number: copy the file again"
        )
    if valid.any():
        bones = [positions[valid, a] - positions[valid, b] for a, b in _LIMBS]
        leg = float(np.median(sum(np.linalg.norm(bone, axis=-1) for bone in bones)) / 2)
        if not _LEG[0] <= leg <= _LEG[1]:
            raise FormatError(
                f"{source.where}: a leg is {leg:.3g} m long, and {_LEG[0]} to {_LEG[1]} m is "
                "expected: the file is in another unit, or its joints are in another order"
            )
    subject, _, clip = source.name.partition(" ")
    return CameraSequence(
        subject=subject,
        activity=SCENES.get(source.name, clip),
        clip=clip or subject,
        camera=str(source.camera),
        lens=lens,
        positions=positions,
        keypoints={"gt": keypoints},
        valid=valid,
        fps=source.fps,
        skeleton=SKELETON,
    )


def check_lengths(where: str, **arrays: np.ndarray) -> None:
    """Refuse arrays of different length, by the name of the sequence."""
    if len({len(array) for array in arrays.values()}) > 1:
        counts = ", ".join(f"{name} {len(array):,}" for name, array in arrays.items())
        raise FormatError(
            f"{where}: arrays of different length ({counts} frames): frames are never guessed to "
            "belong together; get the file again"
        )


def check_shape(array: object, joints: int, numbers: int, where: str) -> np.ndarray:
    """Say whether something is (frame, joint, 2 or 3) of numbers.

    Raises:
        FormatError: If it is not.
    """
    if (
        not isinstance(array, np.ndarray)
        or array.dtype.kind not in "iuf"
        or array.shape[1:] != (joints, numbers)
    ):
        found = f"{array.shape} of {array.dtype}" if isinstance(array, np.ndarray) else type(array)
        raise FormatError(
            f"{where} is {found}, but should be (frame, {joints} joints, {numbers}) of numbers: "
            "the file is damaged, or of another joint set"
        )
    if not (np.abs(array[np.isfinite(array)]) < _FARTHEST).all():
        raise FormatError(f"{where} holds numbers that are no px, m or mm: get the file again")
    return array


def check_valid(array: object, where: str) -> Bool[np.ndarray, " frame"]:
    """Read which frames count.

    Raises:
        FormatError: If it is not a 0 or 1 for each frame.
    """
    flags = np.asarray(array).reshape(-1) if isinstance(array, np.ndarray) else np.zeros(0)
    if not flags.size or flags.dtype.kind not in "biuf" or not np.isin(flags, (0, 1)).all():
        raise FormatError(
            f"{where} should hold 0 or 1 for each frame, whether it counts: without it the test "
            "set cannot be scored; get the file again"
        )
    return np.asarray(flags == 1)


def lens_of(intrinsics: Intrinsics, size: tuple[int, int]) -> Camera:
    """Make a camera of which only the lens is known."""
    focal, centre = intrinsics
    return Camera(focal, centre, size, np.eye(3), np.zeros(3))
