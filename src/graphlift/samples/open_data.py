"""The open protocols' people, or a random camera for each of their frames. See docs/protocol.md.

``open-16``: every third frame of each clip, four fixed cameras
(:func:`graphlift.virtual_cameras.open_rig`), 16 joints, screen-normalised 2D in, root-relative
metres out. ``cross-14``: another data set through other cameras
(:func:`graphlift.virtual_cameras.cross_rig`). How they are scored:
:data:`graphlift.protocols.named.PROTOCOLS`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from graphlift.cameras import NEAREST, Camera, world_to_camera
from graphlift.datasets import MotionCapture
from graphlift.datasets.mocap.pack import read_pack
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.datasets.mocap.turns import Motion, join, motion_of, read_motion
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.plain_json import parse_json
from graphlift.protocols import PROTOCOLS, STRIDE, share_out
from graphlift.samples.batches import Array, Batches, Place, Rows, drawn_by_weight
from graphlift.samples.body_views import BodyPeople, body_view_batches
from graphlift.samples.clip_views import (
    WINDOW_FRAMES,
    ClipPeople,
    unseen_windows,
    window_batches,
)
from graphlift.samples.ordinal_labels import (
    OrdinalLabels,
    Trained,
    View,
    read_ordinal_labels,
)
from graphlift.samples.random_views import (
    UNSEEN_RIG,
    exact_views,
    kept_frames,
    people_of,
    view_batches,
)
from graphlift.samples.rig_views import rig_batches, view_of
from graphlift.samples.samples import Samples, Selection, Split, activity_weights
from graphlift.samples.strata import strata_samples
from graphlift.samples.supervision import check_unlabelled, labelled_beside
from graphlift.simulated_detector import Detections, check_simulated, occluded
from graphlift.skeletons import BODY_28, H36M_16, Skeleton, joint_map
from graphlift.virtual_cameras import cross_rig, open_rig
from graphlift.words import shown

_SEEDS: Mapping[Split, int] = {"train": 0, "validation": 1, "test": 2, "cross": 3}
"""Seed of the simulated detector, and of the random cameras of validation subjects."""
CROSS = "hdm05.npz"
"""A pack of the data set that is never trained or chosen on."""
MORE = "more.npz"
"""A pack of people who are in no split and trained on alone."""
Part = Literal["train", "validation", "test"]
_PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, eq=False)
class OpenData:
    """Motion capture to train, validate and test on, and another data set for ``cross-14``.

    Args:
        name: What reports call it.
        train: Training subjects.
        validation: Subjects on whom everything is chosen.
        test: Subjects scored once; disjoint from the others.
        cross: Another data set, never trained or chosen on; None without one.
        stride: Which frames count: every ``stride``-th.
        folder: Where the files are; None for sampled people.
    """

    name: str
    train: MotionCapture
    validation: MotionCapture
    test: MotionCapture
    cross: MotionCapture | None
    stride: int
    folder: Path | None = None

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
        """What trained weights may be used for, as far as the data determine it."""
        return self.train.license

    @property
    def cross_name(self) -> str | None:
        """What reports call the other data set."""
        return self.cross.name if self.cross else None

    @property
    def cross_digest(self) -> str | None:
        """SHA-256 of the other data set."""
        return self.cross.digest if self.cross else None

    def check(self, chosen: Selection) -> tuple[str, ...]:
        """Refuse cameras of a pack, detections of a real detector, and other joints than 16."""
        if chosen.cameras == "own":
            raise ConfigError(
                f'cameras = "own", but the data ({self.name}) are motion capture: write '
                'cameras = "open" or "random"; "own" cameras go with prepared packs'
            )
        check_simulated(chosen.detections)
        check_unlabelled(chosen.unlabelled, self._kept(chosen.held_out), self.name)
        if chosen.cameras == "open":
            _check_joints(chosen)
        self._ordinal(chosen)
        turns = self.folder and self.folder / "cmu_turns.npz"
        if chosen.joints == len(BODY_28) and not (turns and turns.is_file()):
            note = (
                f"{self.name} has no turns of segments (cmu_turns.npz): they are estimated from "
                "the joints, heads and feet by assumption, which no score of them can show."
            )
            return (note,)
        return ()

    def describe(self, chosen: Selection) -> Mapping[str, str]:
        """Describe in a line each what ``open-16`` and ``cross-14`` are on these people."""
        _check_joints(chosen)
        tested = {"open-16": self.name} | ({"cross-14": self.cross.name} if self.cross else {})
        share_out(chosen.adaptations, tuple(tested))
        return {
            name: replace(
                PROTOCOLS[name], data=data, train_data=self.name, stride=self.stride
            ).describe()
            for name, data in tested.items()
        }

    def batches(self, chosen: Selection, place: Place) -> Batches:
        """Draw frames by weight, with replacement, or fresh views through random cameras."""
        if chosen.joints == len(BODY_28):
            motion = self.motion("train", held_out=chosen.held_out)
            if chosen.base:
                windows = ClipPeople(motion, WINDOW_FRAMES, chosen.anatomy.balance)
                return window_batches(windows, chosen, place)
            people = BodyPeople(motion, chosen.anatomy.balance)
            return body_view_batches(people, chosen, place)
        if chosen.cameras == "random":
            return view_batches(
                people_of(self.train.of(self._kept(chosen.held_out))), chosen, place
            )
        if chosen.vary:
            return rig_batches(self.train, open_rig(), chosen, place, stride=self.stride)
        samples = self.samples("train", chosen)
        inputs, targets = place(samples.inputs), place(samples.targets)

        def gather(rows: Rows) -> tuple[Array, Array]:
            at = place(rows)
            return inputs[at], targets[at]

        return drawn_by_weight(
            activity_weights(samples.activity),
            gather,
            size=chosen.size,
            seed=chosen.seed,
            mirror=place(samples.skeleton.mirror) if chosen.flip else None,
            unlabelled=self._unlabelled(samples, chosen.unlabelled),
            ordinal=self._ordinal(chosen),
        )

    def _ordinal(self, chosen: Selection) -> OrdinalLabels | None:
        """Read what people said of the training samples; cameras are numbered from 0."""
        if not chosen.ordinal_labels:
            return None
        samples, views = self.samples("train", chosen), dict[View, Trained]()
        order = np.lexsort((samples.frame, samples.clip, samples.camera))
        changes = np.diff(samples.clip[order]) | np.diff(samples.camera[order])
        for at in np.split(order, np.flatnonzero(changes) + 1):
            clip = self.train.clips[samples.clip[at[0]]]
            view = clip.subject, clip.name, str(samples.camera[at[0]])
            views[view] = Trained(len(clip.positions), samples.frame[at], at)
        return read_ordinal_labels(
            Path(chosen.ordinal_labels),
            samples.skeleton,
            views,
            count=len(samples),
            positions_of=labelled_beside(chosen.unlabelled, self.train.subjects),
        )

    def _unlabelled(self, samples: Samples, people: Sequence[str]) -> np.ndarray | None:
        """Mark the training samples of some people; None for nobody."""
        clips = [clip.subject in people for clip in self.train.clips]
        return np.array(clips)[samples.clip] if people else None

    def second_pack(self, joints: int) -> MotionCapture | None:
        """Give the second pack that networks of so many joints are trained on as well."""
        more = self.folder and self.folder / MORE
        if joints != len(BODY_28) or more is None or not more.exists():
            return None
        return read_pack(more)

    def _kept(self, held_out: Sequence[str]) -> tuple[str, ...]:
        """Name the training subjects who are trained on.

        Raises:
            ConfigError: If one who is held out is none of them, or nobody is left.
        """
        subjects = self.train.subjects
        if wrong := [name for name in held_out if name not in subjects]:
            raise ConfigError(
                f"held_out: {wrong[0]} is no training subject of {self.name}: choose from "
                f"{', '.join(subjects)}"
            )
        kept = tuple(name for name in subjects if name not in held_out)
        if not kept:
            raise ConfigError(f"held_out: all training subjects of {self.name}: leave one in")
        return kept

    def motion(self, part: Split, *, stride: int = 1, held_out: Sequence[str] = ()) -> Motion:
        """Read the turns of segments of a part's people, but for training people held out.

        Training people of networks of 28 joints are also those of a second pack, if it is there
        (:data:`MORE`).

        Where there is no file of turns, or none of a clip is known, they are estimated, as they
        are of sampled people.

        Raises:
            FormatError: If the file is damaged, or belongs to other motion capture.
        """
        people: MotionCapture = getattr(self, part)
        if self.folder and part == "cross":
            return read_motion(self.folder / CROSS, stride=stride)
        subjects = self._kept(held_out) if part == "train" else people.subjects
        if self.folder is None:
            return motion_of(people, None, subjects, stride=stride)
        motion = read_motion(self.folder / "cmu.npz", subjects, stride=stride)
        more = self.folder / MORE
        if part != "train" or not more.exists():
            return motion
        return join([motion, read_motion(more, stride=stride)])

    def samples(self, split: Split, chosen: Selection) -> Samples:
        """Project one split through its protocol's cameras; the last few results are cached.

        Validation subjects are seen by random cameras where those are chosen.

        Raises:
            ConfigError: If the network does not take 16 joints, as the protocols have.
            DatasetNotFoundError: If ``cross`` is asked for and there is none.
        """
        if chosen.base and split == "validation":
            return unseen_windows(self.motion("validation"), chosen.base)
        if chosen.joints == len(BODY_28) and split == "validation":
            return strata_samples(self.motion("validation", stride=self.stride))
        if chosen.cameras == "random" and split == "validation":
            people = people_of(self.validation, stride=self.stride)
            return exact_views(people, UNSEEN_RIG, seed=_SEEDS[split]).samples()
        _check_joints(chosen)
        return _observed(self, split, chosen.detections)


@lru_cache(maxsize=len(_SEEDS))
def _observed(data: OpenData, split: Split, detections: Detections) -> Samples:
    capture: MotionCapture | None = getattr(data, split)
    if capture is None:
        raise DatasetNotFoundError(f"{data.name} comes without a second data set (hdm05.npz)")
    return observe(
        capture,
        cross_rig() if split == "cross" else open_rig(),
        detections=detections,
        seed=_SEEDS[split],
        stride=data.stride,
        drop_fast=split == "train",
    )


def _check_joints(chosen: Selection) -> None:
    if chosen.joints != len(H36M_16):
        raise ConfigError(
            f"model.joints: the network takes {chosen.joints} joints, and these frames have "
            f"{len(H36M_16)} (the open protocol has 16): give it data of {chosen.joints} joints, "
            f"or set model.joints = {len(H36M_16)}"
        )


def observe(
    capture: MotionCapture,
    rig: Sequence[Camera],
    *,
    detections: Detections,
    seed: int,
    stride: int = STRIDE,
    drop_fast: bool = False,
    skeleton: Skeleton = H36M_16,
) -> Samples:
    """Project every ``stride``-th frame of each clip through each camera of a rig.

    Args:
        capture: The motion, world frame.
        rig: The cameras.
        detections: Which detector, ``gt`` for none.
        seed: Of the simulated detector.
        stride: 1 takes every frame.
        drop_fast: Leave out frames with a joint faster than 15 m/s (capture errors).
        skeleton: Joints to keep.

    Raises:
        FormatError: If a person walks behind a camera, or no frame is left.
    """
    kept = kept_frames(capture, stride=stride, drop_fast=drop_fast)
    chosen = [clip.positions[at] for at, clip in zip(kept, capture.clips, strict=True)]
    world = joint_map(capture.skeleton, skeleton)(np.concatenate(chosen).astype(np.float64))
    frame = np.concatenate(kept)
    clip = np.repeat(np.arange(len(kept)), [len(at) for at in kept])
    activity = np.array([clip.activity for clip in capture.clips])[clip]
    if not len(world):
        raise FormatError(f"{capture.name}: no frame is left: in all a joint exceeds 15 m/s")
    views = []
    for number, camera in enumerate(rig):
        positions = world_to_camera(world, camera)
        if not (depth := positions[..., 2].min(axis=-1)).min() > NEAREST:
            at = int(depth.argmin())
            raise FormatError(
                f"{capture.name}: in frame {frame[at]} of clip {capture.clips[clip[at]].name} a "
                f"joint is {depth[at]:.1f} m in front of a camera, which must see every joint: "
                "move the clip to the centre of the capture, or leave it out"
            )
        hidden = occluded(positions, skeleton)
        view = view_of(positions, hidden, camera, skeleton, detections, seed=[seed, number])
        views.append(view | {"hidden": hidden})
    return Samples(
        skeleton=skeleton,
        **{name: np.concatenate([view[name] for view in views]) for name in views[0]},
        activity=np.tile(activity, len(rig)),
        clip=np.tile(clip, len(rig)),
        frame=np.tile(frame, len(rig)),
        camera=np.repeat(np.arange(len(rig)), len(frame)),
        clips=tuple(clip.name for clip in capture.clips),
        fps=capture.clips[0].fps,
    )


def read_open_data(source: str) -> OpenData:
    """Read motion capture to train on.

    Args:
        source: ``prior`` for people sampled from the embedded model, or a folder with
            ``cmu.npz``, ``splits.json`` and, for ``cross-14``, ``hdm05.npz``.

    Raises:
        DatasetNotFoundError: If the folder or a file in it is missing.
        FormatError: If a file is damaged, or splits overlap or name unknown subjects.
    """
    if source == "prior":
        train, validation, test = (sample_prior(part) for part in _PARTS)
        return OpenData("prior", train, validation, test, sample_prior("test", seed=1), stride=1)
    folder = Path(source)
    splits = _read_splits(folder / "splits.json")
    capture = read_pack(folder / "cmu.npz")
    train, validation, test = (capture.of(splits[part]) for part in _PARTS)
    second = folder / CROSS
    other = read_pack(second) if second.exists() else None
    return OpenData(capture.name, train, validation, test, other, stride=STRIDE, folder=folder)


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
