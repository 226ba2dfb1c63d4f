"""Frames of prepared packs, as a network sees them: gathered a batch at a time, or collected."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from graphlift.cameras import image_to_screen
from graphlift.datasets.licensed.pack import CameraSequence, SequencePack
from graphlift.errors import ConfigError, FormatError
from graphlift.protocols.examples import Examples
from graphlift.simulated_detector import occluded
from graphlift.skeletons import H36M_16, H36M_17, Skeleton


@dataclass(frozen=True, eq=False)
class Rows:
    """Frames of a pack to train on; gathered when they are wanted, so that memory stays flat.

    Args:
        pack: Whose arrays.
        kind: Of detection.
        skeleton: Joint order of what is gathered.
        sequences: Which sequences of the pack.
    """

    pack: SequencePack
    kind: str
    skeleton: Skeleton
    sequences: Sequence[int]

    @cached_property
    def _frames(self) -> tuple[Int[np.ndarray, " frame"], Float[np.ndarray, "frame 2"]]:
        """Row of each frame that counts, and the size of its image, px."""
        entries = [self.pack.index.sequences[n] for n in self.sequences]
        frames = [np.arange(entry.first, entry.first + entry.frames) for entry in entries]
        rows = np.concatenate([np.zeros(0, dtype=int), *frames])
        sizes = np.repeat([entry.lens.size for entry in entries], [len(f) for f in frames], axis=0)
        valid = self.pack.valid[rows]
        if not valid.any():
            raise ConfigError(
                f"{self.pack.folder}: no frame is left to train on: hold fewer subjects out"
            )
        return rows[valid], sizes[valid].astype(np.float32)

    def __len__(self) -> int:
        return len(self._frames[0])

    def gather(
        self, chosen: Int[np.ndarray, " frame"]
    ) -> tuple[Float[np.ndarray, "frame joint 2"], Float[np.ndarray, "frame joint 3"]]:
        """Give screen coordinates and root-relative positions, m, of some frames.

        Raises:
            FormatError: If a detection is not finite.
        """
        rows, sizes = (array[chosen] for array in self._frames)
        joints = joints_of(self.pack.skeleton, self.skeleton)
        keypoints = self.pack.keypoints[self.kind][rows[:, None], joints]
        positions = self.pack.positions[rows[:, None], joints]
        if not np.isfinite(keypoints).all():
            at = int(rows[~np.isfinite(keypoints).all(axis=(1, 2))][0])
            raise FormatError(
                f"{self.pack.folder}: row {at} of keypoints-{self.kind}.npy is not finite: "
                "detections of this kind lack a joint; train on another"
            )
        screen = keypoints / sizes[:, None, :1] * 2 - (sizes / sizes[:, :1])[:, None]
        return screen, positions - positions[:, [self.skeleton.root]]


def observe_pairs(
    sequences: Iterable[CameraSequence],
    kind: str,
    skeleton: Skeleton,
    *,
    activity: Callable[[CameraSequence], str],
    stride: int = 1,
) -> Examples:
    """Collect the frames that count of some sequences, as a network sees them.

    Args:
        sequences: Read once.
        kind: Of detection.
        skeleton: Joints to keep.
        activity: What to call what a person does.
        stride: Every so many frames, from each sequence's first.

    Raises:
        FormatError: If a detection is not finite, or no frame counts.
    """
    parts: list[tuple[np.ndarray, ...]] = []
    names: dict[str, int] = {}
    cameras: dict[str, int] = {}
    fps = 0.0
    for sequence in sequences:
        frame = np.flatnonzero(sequence.valid[::stride]) * stride
        if not len(frame):
            continue
        clip = names.setdefault(f"{sequence.subject} {sequence.clip}", len(names))
        camera = cameras.setdefault(sequence.camera, len(cameras))
        labels = (np.full(len(frame), activity(sequence)), np.full(len(frame), clip))
        place = (frame, np.full(len(frame), camera))
        parts.append((*_look(sequence, frame, kind, skeleton), *labels, *place))
        fps = sequence.fps
    if not parts:
        raise FormatError("no frame counts in the sequences that are to be scored")
    columns = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    keypoints, inputs, targets, noise, hidden, activities, clips, frames, seen_by = columns
    return Examples(
        skeleton=skeleton,
        keypoints=keypoints,
        inputs=inputs,
        targets=targets,
        noise=noise,
        hidden=hidden,
        activity=activities,
        clip=clips,
        frame=frames,
        camera=seen_by,
        clips=tuple(names),
        fps=fps,
    )


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
        kind: Of detection.
        skeleton: Joints that are wanted.
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
        lacking = (
            ~np.isfinite(sequence.keypoints[kind][:, joints]).all(axis=2)
            & (sequence.valid[:, None])
        )
        if lacking.any():
            frame, joint = np.argwhere(lacking)[0]
            raise FormatError(
                f"{pack.folder}: {sequence.subject} {sequence.clip} by camera {sequence.camera}: "
                f"{kind} lacks {skeleton.joints[joint]} in frame {frame}: use another kind of "
                f"detections, or a network of joints that {kind} has (model.joints)"
            )
    if not counted:
        raise FormatError(f"{pack.folder}: no frame counts in what is to be scored")


def _look(
    sequence: CameraSequence, frame: np.ndarray, kind: str, skeleton: Skeleton
) -> tuple[np.ndarray, ...]:
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
    off = np.zeros(keypoints.shape[:2])
    if truth is not None and kind != "gt":
        off = np.linalg.norm(keypoints - truth[frame[:, None], joints], axis=-1)
    screen = image_to_screen(keypoints, sequence.lens.size)
    targets = positions - positions[:, [skeleton.root]]
    floats = (keypoints, screen, targets, off)
    hidden = occluded(positions, skeleton)
    return (*(array.astype(np.float32) for array in floats), hidden)


def skeleton_of(joints: int) -> Skeleton:
    """Human3.6M's skeleton of 16 or 17 joints."""
    return {16: H36M_16, 17: H36M_17}[joints]


def joints_of(source: Skeleton, target: Skeleton) -> Int[np.ndarray, " joint"]:
    """Say where each joint of one of Human3.6M's skeletons is in the other.

    Raises:
        ConfigError: If it is not in it.
    """
    if missing := [joint for joint in target.joints if joint not in source.joints]:
        raise ConfigError(
            f"the pack has {source.name} and no {', '.join(missing)}: prepare it with "
            f"--joints {len(target)}, or train on {len(source)} joints"
        )
    return source.index(*target.joints)
