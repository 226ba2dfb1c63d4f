"""Frames of prepared packs as samples: gathered from mapped arrays, or collected."""

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int

from graphlift.cameras import image_to_screen
from graphlift.datasets.licensed.pack import CameraSequence, SequencePack
from graphlift.errors import ConfigError, FormatError
from graphlift.mapped import in_blocks
from graphlift.samples.batches import Rows, number_type
from graphlift.samples.samples import Samples
from graphlift.simulated_detector import occluded
from graphlift.skeletons import Skeleton


def valid_frames(pack: SequencePack, sequences: Sequence[int]) -> Int[np.ndarray, " frame"]:
    """Give the row in a pack of each frame that counts: four bytes a frame.

    Raises:
        ConfigError: If there is none.
    """
    entries = [pack.index.sequences[n] for n in sequences]
    counted = np.zeros(pack.frames, dtype=bool)
    for entry in entries:
        here = slice(entry.first, entry.first + entry.frames)
        counted[here] = pack.valid[here]
    rows = np.empty(np.count_nonzero(counted), dtype=number_type(pack.frames))
    if not len(rows):
        raise ConfigError(f"{pack.folder}: no frame is left to train on: hold fewer subjects out")
    end = 0
    for part in in_blocks(counted):
        found = part.start + np.flatnonzero(counted[part])
        rows[end : end + len(found)] = found
        end += len(found)
    return rows


def gather_frames(
    pack: SequencePack,
    rows: Rows,
    *,
    kind: str,
    skeleton: Skeleton,
) -> tuple[Float[np.ndarray, "frame joint 2"], Float[np.ndarray, "frame joint 3"]]:
    """Read screen coordinates and root-relative positions, m, of some frames of a mapped pack.

    Args:
        pack: The pack.
        rows: Rows of the frames.
        kind: Which detections.
        skeleton: Joints to keep.

    Raises:
        FormatError: If a detection is not finite.
    """
    joints = joints_of(pack.skeleton, skeleton)
    keypoints = pack.keypoints[kind][rows[:, None], joints]
    positions = pack.positions[rows[:, None], joints]
    if not np.isfinite(keypoints).all():
        at = int(rows[~np.isfinite(keypoints).all(axis=(1, 2))][0])
        raise FormatError(
            f"{pack.folder}: row {at} of keypoints-{kind}.npy is not finite: "
            "detections of this kind lack a joint; train on another"
        )
    screen = image_to_screen(keypoints, pack.image_sizes(rows)[:, None])
    return screen, positions - positions[:, [skeleton.root]]


def collect(
    sequences: Iterable[CameraSequence],
    kind: str,
    skeleton: Skeleton,
    *,
    activity: Callable[[CameraSequence], str],
    stride: int = 1,
) -> Samples:
    """Collect the frames that count of some sequences.

    Args:
        sequences: Read once.
        kind: Which detections.
        skeleton: Joints to keep.
        activity: Name of what the person does, for each sequence.
        stride: Takes every ``stride``-th frame, from each sequence's first.

    Raises:
        FormatError: If a detection is not finite, or no frame counts.
    """
    parts: list[tuple[np.ndarray, ...]] = []
    clips: dict[str, int] = {}
    cameras: dict[str, int] = {}
    fps = 0.0
    for sequence in sequences:
        frame = np.flatnonzero(sequence.valid[::stride]) * stride
        if not len(frame):
            continue
        clip = clips.setdefault(f"{sequence.subject} {sequence.clip}", len(clips))
        camera = cameras.setdefault(sequence.camera, len(cameras))
        labels = (np.full(len(frame), name) for name in (activity(sequence), clip, camera))
        parts.append((*_look(sequence, frame, kind, skeleton), *labels, frame))
        fps = sequence.fps
    if not parts:
        raise FormatError("no frame counts in the sequences that are to be scored")
    names = ("keypoints", "inputs", "targets", "noise", "hidden", "activity", "clip", "camera")
    columns = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    arrays = dict(zip((*names, "frame"), columns, strict=True))
    return Samples(skeleton=skeleton, clips=tuple(clips), fps=fps, **arrays)


def _look(
    sequence: CameraSequence, frame: np.ndarray, kind: str, skeleton: Skeleton
) -> tuple[np.ndarray, ...]:
    """Give keypoints, inputs, targets, noise and hidden joints of some frames."""
    joints = joints_of(sequence.skeleton, skeleton)
    positions = sequence.positions[frame[:, None], joints].astype(np.float64)
    keypoints = sequence.keypoints[kind][frame[:, None], joints].astype(np.float64)
    if not np.isfinite(keypoints).all():
        at = int(frame[~np.isfinite(keypoints).all(axis=(1, 2))][0])
        raise FormatError(
            f"{sequence.subject} {sequence.clip} by camera {sequence.camera}: {kind} lacks a "
            f"joint in frame {at}: score another kind of detections"
        )
    truth = sequence.keypoints.get("gt")
    noise = np.zeros(keypoints.shape[:2])
    if truth is not None and kind != "gt":
        noise = np.linalg.norm(keypoints - truth[frame[:, None], joints], axis=-1)
    screen = image_to_screen(keypoints, sequence.lens.size)
    targets = positions - positions[:, [skeleton.root]]
    floats = (keypoints, screen, targets, noise)
    return (*(array.astype(np.float32) for array in floats), occluded(positions, skeleton))


def check_detections(
    pack: SequencePack,
    sequences: Sequence[int],
    kind: str,
    skeleton: Skeleton,
    excluded: Collection[str] = (),
) -> None:
    """Refuse a pack in which a frame that counts lacks a joint of a kind of detection.

    Args:
        pack: Which; read one sequence at a time.
        sequences: Which of it.
        kind: Which detections.
        skeleton: Joints that must be present.
        excluded: Clips that do not count, as ``S11 Directions``.

    Raises:
        ConfigError: If the pack lacks a joint.
        FormatError: If it has no such kind, a detection is not finite, or no frame counts.
    """
    joints = joints_of(pack.skeleton, skeleton)
    if kind not in pack.kinds:
        raise FormatError(
            f"{pack.folder}: has no keypoints of kind {kind}: it was not made by graphlift data "
            "prepare; make it again"
        )
    counted = 0
    for sequence in map(pack.sequence, sequences):
        if f"{sequence.subject} {sequence.clip}" in excluded:
            continue
        counted += int(sequence.valid.sum())
        keypoints = sequence.keypoints[kind]
        for part in in_blocks(keypoints):
            finite = np.isfinite(keypoints[part][:, joints]).all(axis=2)
            lacking = ~finite & sequence.valid[part, None]
            if lacking.any():
                frame, joint = np.argwhere(lacking)[0]
                raise FormatError(
                    f"{pack.folder}: {sequence.subject} {sequence.clip} by camera "
                    f"{sequence.camera}: {kind} lacks {skeleton.joints[joint]} in frame "
                    f"{part.start + frame}: use another kind of detections, or a network of "
                    f"joints that {kind} has (model.joints)"
                )
    if not counted:
        raise FormatError(f"{pack.folder}: no frame counts in what is to be scored")


def joints_of(source: Skeleton, target: Skeleton) -> Int[np.ndarray, " joint"]:
    """Find where each joint of one of Human3.6M's skeletons is in the other.

    Raises:
        ConfigError: If it is not in it.
    """
    if missing := [joint for joint in target.joints if joint not in source.joints]:
        raise ConfigError(
            f"the pack has {source.name} and no {', '.join(missing)}: prepare it with "
            f"--joints {len(target)}, or train on {len(source)} joints"
        )
    return source.index(*target.joints)
