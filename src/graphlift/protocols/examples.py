"""The frames of the open protocols: who, through which cameras. See docs/protocol.md.

``open-16``: every third frame of each clip, four fixed cameras
(:func:`graphlift.virtual_cameras.open_rig`), 16 joints, screen-normalised 2D in, root-relative
metres out. ``cross-14``: another data set through other cameras
(:func:`graphlift.virtual_cameras.cross_rig`). How they are scored:
:data:`graphlift.protocols.named.PROTOCOLS`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.cameras import (
    NEAREST,
    Camera,
    camera_to_image,
    image_to_screen,
    world_to_camera,
)
from graphlift.datasets import MotionCapture
from graphlift.datasets.mocap.pack import read_pack
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.plain_json import parse_json
from graphlift.protocols.named import PROTOCOLS, STRIDE
from graphlift.simulated_detector import Detections, detect, occluded
from graphlift.skeletons import H36M_16, Skeleton, joint_map
from graphlift.virtual_cameras import cross_rig, open_rig
from graphlift.words import shown

Split = Literal["train", "validation", "test", "cross"]
_SEEDS: Mapping[Split, int] = {"train": 0, "validation": 1, "test": 2, "cross": 3}
Part = Literal["train", "validation", "test"]
_PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, eq=False)
class Examples:
    """Frames seen by cameras, ready for a network: what goes in, what should come out.

    Args:
        skeleton: Joint order of all arrays.
        keypoints: Detected 2D positions, px of the 1000 px image, float32.
        inputs: The same on the screen, in [-1, 1] where inside the image, float32.
        targets: Root-relative positions, m, camera axes, float32.
        noise: Distance of each detection from the truth, px.
        hidden: Whether another limb hides the joint.
        activity: Name of what the person does, per frame.
        clip: Index into ``clips``, per frame.
        frame: Frame number in its clip.
        camera: Index into the rig.
        clips: Names of the clips.
        fps: Frames per second of the clips.
    """

    skeleton: Skeleton
    keypoints: Float[np.ndarray, "frame joint 2"]
    inputs: Float[np.ndarray, "frame joint 2"]
    targets: Float[np.ndarray, "frame joint 3"]
    noise: Float[np.ndarray, "frame joint"]
    hidden: Bool[np.ndarray, "frame joint"]
    activity: np.ndarray
    clip: Int[np.ndarray, " frame"]
    frame: Int[np.ndarray, " frame"]
    camera: Int[np.ndarray, " frame"]
    clips: tuple[str, ...]
    fps: float

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def weights(self) -> Float[np.ndarray, " frame"]:
        """Chance of each frame to be drawn in training; they sum to 1.

        An activity is drawn in proportion to the square root of its number of frames: halfway
        between as recorded (salsa would be 40 %) and all activities alike.
        """
        _, index, count = np.unique(self.activity, return_inverse=True, return_counts=True)
        weights = 1 / np.sqrt(count[index])
        return np.asarray(weights / weights.sum())


def observe(
    capture: MotionCapture,
    rig: Sequence[Camera],
    *,
    detections: Detections,
    seed: int,
    stride: int = STRIDE,
    drop_fast: bool = False,
    skeleton: Skeleton = H36M_16,
) -> Examples:
    """Look at every ``stride``-th frame of each clip through each camera of a rig.

    Args:
        capture: Who moves, world frame.
        rig: The cameras.
        detections: Which detector, ``gt`` for none.
        seed: Of the simulated detector.
        stride: 1 takes every frame.
        drop_fast: Leave out frames with a joint faster than 15 m/s (capture errors).
        skeleton: Joints to keep.

    Raises:
        FormatError: If somebody walks behind a camera, or no frame is left.
    """
    kept = [np.arange(0, len(clip.positions), stride) for clip in capture.clips]
    if drop_fast:
        kept = [at[~clip.fast()[at]] for at, clip in zip(kept, capture.clips, strict=True)]
    counts = [len(at) for at in kept]
    chosen = [clip.positions[at] for at, clip in zip(kept, capture.clips, strict=True)]
    world = joint_map(capture.skeleton, skeleton)(np.concatenate(chosen).astype(np.float64))
    frame = np.concatenate(kept)
    clip = np.repeat(np.arange(len(kept)), counts)
    activity = np.repeat([clip.activity for clip in capture.clips], counts)
    _check_in_front(
        world,
        rig,
        capture.name,
        lambda at: f"frame {frame[at]} of clip {capture.clips[clip[at]].name}",
    )

    views = [_view(world, camera, skeleton, detections, [seed, c]) for c, camera in enumerate(rig)]
    keypoints, inputs, targets, noise, hidden = (
        np.concatenate(arrays) for arrays in zip(*views, strict=True)
    )
    return Examples(
        skeleton=skeleton,
        keypoints=keypoints,
        inputs=inputs,
        targets=targets,
        noise=noise,
        hidden=hidden,
        activity=np.tile(activity, len(rig)),
        clip=np.tile(clip, len(rig)),
        frame=np.tile(frame, len(rig)),
        camera=np.repeat(np.arange(len(rig)), len(frame)),
        clips=tuple(clip.name for clip in capture.clips),
        fps=capture.clips[0].fps,
    )


def _check_in_front(
    world: np.ndarray, rig: Sequence[Camera], capture: str, place: Callable[[int], str]
) -> None:
    if not len(world):
        raise FormatError(f"{capture}: no frame is left: in all of them a joint exceeds 15 m/s")
    for camera in rig:
        depth = world_to_camera(world, camera)[..., 2].min(axis=-1)
        if not (depth > NEAREST).all():
            at = int(depth.argmin())
            raise FormatError(
                f"{capture}: in {place(at)} a joint is {depth[at]:.1f} m in front of a camera, "
                "which must see everybody: move the clip to the centre of the capture, or leave "
                "it out"
            )


def _view(
    world: np.ndarray,
    camera: Camera,
    skeleton: Skeleton,
    detections: Detections,
    seed: list[int],
) -> tuple[np.ndarray, ...]:
    positions = world_to_camera(world, camera)
    hidden = occluded(positions, skeleton)
    truth = camera_to_image(positions, camera)
    seen = detect(truth, hidden, skeleton, detections=detections, seed=seed)
    targets = positions - positions[:, [skeleton.root]]
    screen = image_to_screen(seen.keypoints, camera.size)
    floats = (seen.keypoints, screen, targets, seen.error)
    return (*(array.astype(np.float32) for array in floats), hidden)


@dataclass(frozen=True, eq=False)
class StudyData:
    """People to train, validate and test on, and another data set to cross over to.

    Args:
        name: What the reports call it.
        train: Training subjects.
        validation: Subjects on whom everything is chosen.
        test: Subjects scored once; disjoint from the others.
        cross: Another data set, never trained or chosen on; None without one.
        stride: Which frames count: every ``stride``-th.
    """

    name: str
    train: MotionCapture
    validation: MotionCapture
    test: MotionCapture
    cross: MotionCapture | None
    stride: int
    _seen: dict[tuple[Split, Detections], Examples] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        parts = {part: set(getattr(self, part).subjects) for part in _PARTS}
        for one, other in combinations(_PARTS, 2):
            if both := parts[one] & parts[other]:
                raise FormatError(
                    f"{self.name}: {', '.join(sorted(both))} in both {one} and {other} subjects: "
                    "a person belongs to one split"
                )

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the digests of the three splits."""
        digests = [getattr(self, part).digest for part in _PARTS]
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()

    @property
    def licence(self) -> str:
        """What trained weights may be used for, as far as the data say."""
        return self.train.license

    @property
    def cross_name(self) -> str | None:
        """What the reports call the other data set."""
        return self.cross.name if self.cross else None

    @property
    def cross_digest(self) -> str | None:
        """SHA-256 of the other data set."""
        return self.cross.digest if self.cross else None

    def describe(self) -> Mapping[str, str]:
        """Say in a line each what the protocols are on these people, by their names."""
        tested = {"open-16": self.name} | ({"cross-14": self.cross.name} if self.cross else {})
        return {
            name: replace(
                PROTOCOLS[name], data=data, train_data=self.name, stride=self.stride
            ).describe()
            for name, data in tested.items()
        }

    def examples(self, split: Split, detections: Detections) -> Examples:
        """Look at one split through its protocol's cameras; the last few looks are kept.

        Raises:
            DatasetNotFoundError: If ``cross`` is asked for and there is none.
        """
        if (split, detections) not in self._seen:
            while len(self._seen) >= len(_SEEDS):
                self._seen.pop(next(iter(self._seen)))
            self._seen[split, detections] = self._look(split, detections)
        return self._seen[split, detections]

    def _look(self, split: Split, detections: Detections) -> Examples:
        capture: MotionCapture | None = getattr(self, split)
        if capture is None:
            raise DatasetNotFoundError(f"{self.name} comes without a second data set (hdm05.npz)")
        return observe(
            capture,
            cross_rig() if split == "cross" else open_rig(),
            detections=detections,
            seed=_SEEDS[split],
            stride=self.stride,
            drop_fast=split == "train",
        )


def read_study_data(source: str) -> StudyData:
    """Read motion capture for a study.

    Args:
        source: ``prior`` for people sampled from the embedded model, or a folder with
            ``cmu.npz``, ``splits.json`` and, for ``cross-14``, ``hdm05.npz``.

    Raises:
        DatasetNotFoundError: If the folder or a file in it is missing.
        FormatError: If a file is damaged, or splits overlap or name unknown subjects.
    """
    if source == "prior":
        train, validation, test = (sample_prior(part) for part in _PARTS)
        other = sample_prior("test", seed=1)
        return StudyData("prior", train, validation, test, cross=other, stride=1)
    folder = Path(source)
    splits = _read_splits(folder / "splits.json")
    capture = read_pack(folder / "cmu.npz")
    train, validation, test = (capture.of(splits[part]) for part in _PARTS)
    second = folder / "hdm05.npz"
    return StudyData(
        capture.name,
        train,
        validation,
        test,
        cross=read_pack(second) if second.exists() else None,
        stride=STRIDE,
    )


def _read_splits(path: Path) -> dict[Part, list[str]]:
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no splits at {path}: --data takes `prior`, or a folder with cmu.npz and splits.json"
        )
    try:
        splits = parse_json(path.read_bytes())["cmu"]
        subjects = {part: splits[part] for part in _PARTS}
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{path}: should hold {{'cmu': {{'train': [...], 'validation': [...], "
            f"'test': [...]}}}} with lists of subjects ({shown(error)})"
        ) from error
    for part, names in subjects.items():
        if not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
            raise FormatError(
                f"{path}: cmu.{part} is {shown(names)}: give a list of at least one subject's name"
            )
    return subjects
