"""Human3.6M and MPI-INF-3DHP by their published protocols, from prepared packs.

``h36m-16`` or ``h36m-17``: trained on every frame of S1, S5, S6, S7, S8 by four cameras, tested
on every frame of S9 and S11. ``3dhp-14``: the same network on MPI-INF-3DHP's test set. Nothing is
ever chosen on test subjects: a run keeps its last weights, or the best on training subjects held
out.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera, reproject
from graphlift.datasets.licensed.index import INDEX
from graphlift.datasets.licensed.pack import (
    CameraSequence,
    SequencePack,
    open_sequences,
    verify_sequences,
)
from graphlift.datasets.mpi_inf_3dhp import to_h36m
from graphlift.errors import ConfigError, DatasetNotFoundError
from graphlift.protocols import PROTOCOLS, Protocol, share_out
from graphlift.protocols.adaptations import OWN_WIDTH
from graphlift.samples.batches import Array, Batches, Place, Rows, each_once
from graphlift.samples.ordinal_labels import (
    OrdinalLabels,
    Trained,
    View,
    read_ordinal_labels,
)
from graphlift.samples.pack_frames import check_detections, collect, gather_frames, valid_frames
from graphlift.samples.samples import Samples, Selection, Split
from graphlift.samples.supervision import check_unlabelled, labelled_beside
from graphlift.skeletons import BY_JOINTS, MPI_INF_3DHP_17, Skeleton
from graphlift.words import shown

CURVE_STRIDE = 64
"""During training, every 64th frame of the validation subjects is evaluated."""

H36M_LENS = Camera(
    focal=(1145.0, 1145.0),
    centre=(500.0, 500.0),
    size=(1000, 1000),
    R=np.eye(3),
    position=np.zeros(3),
)
"""The lens through which MPI-INF-3DHP's keypoints are projected, so that people are as large as in
training: the focal length of Human3.6M's four cameras to half a per cent."""


@dataclass(frozen=True, eq=False)
class LicensedData:
    """Prepared packs to train and test on.

    Args:
        pack: Human3.6M.
        other: MPI-INF-3DHP's test set, or None.
    """

    pack: SequencePack
    other: SequencePack | None = None
    name = "Human3.6M"
    licence = "for academic use only, by the terms of the data set"

    @property
    def digest(self) -> str:
        """SHA-256 of the pack."""
        return self.pack.digest

    @property
    def cross_name(self) -> str | None:
        """What reports call the other data set."""
        return "MPI-INF-3DHP" if self.other else None

    @property
    def cross_digest(self) -> str | None:
        """SHA-256 of the other pack."""
        return self.other.digest if self.other else None

    @property
    def protocol(self) -> Protocol:
        """Protocol of training and test subjects, for the network's number of joints."""
        return PROTOCOLS[f"h36m-{len(self.pack.skeleton)}"]

    def check(self, chosen: Selection) -> tuple[str, ...]:
        """Refuse what does not fit the packs; reads all detections of one kind.

        Returns:
            A sentence about activities of the protocol that no test sequence has, if any.
        """
        if chosen.cameras != "own":
            raise ConfigError(
                f"cameras = {chosen.cameras!r}, but the data ({self.pack.folder}) are packs: "
                'write cameras = "own"; "open" and "random" cameras go with motion capture'
            )
        protocol, kind = self.protocol, self._kind(chosen)
        valid_frames(self.pack, self._sequences("train", chosen))
        check_unlabelled(chosen.unlabelled, self._trained_on(chosen), str(self.pack.folder))
        self._ordinal(chosen)
        everyone = self._of((*protocol.train, *protocol.test))
        skeleton = BY_JOINTS[chosen.joints]
        check_detections(self.pack, everyone, kind, skeleton, protocol.excluded)
        if self.other:
            check_detections(self.other, self._official(self.other), "gt", self.other.skeleton)
        tested = {e.activity for e in self.pack.index.sequences if e.subject in protocol.test}
        if missing := [name for name in protocol.activities if name not in tested]:
            lacking = f"{self.pack.folder}: no test sequence of {', '.join(missing)}"
            return (f"{lacking}: the scores compare with no published ones",)
        return ()

    def describe(self, chosen: Selection) -> Mapping[str, str]:
        """Describe in a line each what ``h36m-16`` or ``h36m-17`` is, and ``3dhp-14``."""
        names = (f"h36m-{chosen.joints}", *(("3dhp-14",) if self.other else ()))
        taken = share_out(chosen.adaptations, names)
        return {name: PROTOCOLS[name].describe(of) for name, of in taken.items()}

    def batches(self, chosen: Selection, place: Place) -> Batches:
        """Draw every frame once an epoch, gathered from the mapped arrays."""
        kind, skeleton = self._kind(chosen), BY_JOINTS[chosen.joints]
        frames = valid_frames(self.pack, self._sequences("train", chosen))

        def gather(rows: Rows) -> tuple[Array, Array]:
            arrays = gather_frames(self.pack, frames[rows], kind=kind, skeleton=skeleton)
            return place(arrays[0]), place(arrays[1])

        return each_once(
            len(frames),
            gather,
            size=chosen.size,
            seed=chosen.seed,
            drop_last=chosen.drop_last,
            mirror=place(skeleton.mirror) if chosen.flip else None,
            unlabelled=self._unlabelled(frames, chosen.unlabelled),
            ordinal=self._ordinal(chosen),
        )

    def _ordinal(self, chosen: Selection) -> OrdinalLabels | None:
        """Read what people said of the training frames."""
        if not chosen.ordinal_labels:
            return None
        numbers, views = self._sequences("train", chosen), dict[View, Trained]()
        rows = valid_frames(self.pack, numbers)
        for entry in (self.pack.index.sequences[number] for number in numbers):
            first, last = np.searchsorted(rows, (entry.first, entry.first + entry.frames))
            view = entry.subject, entry.clip, entry.camera
            frames = rows[first:last] - entry.first
            views[view] = Trained(entry.frames, frames, np.arange(first, last))
        return read_ordinal_labels(
            Path(chosen.ordinal_labels),
            BY_JOINTS[chosen.joints],
            views,
            count=len(rows),
            positions_of=labelled_beside(chosen.unlabelled, self._trained_on(chosen)),
        )

    def _unlabelled(self, rows: Rows, people: Collection[str]) -> np.ndarray | None:
        """Mark the rows of some people; None for nobody."""
        of_them = np.zeros(len(self.pack.valid), dtype=bool)
        for entry in self.pack.index.sequences:
            of_them[entry.first : entry.first + entry.frames] = entry.subject in people
        return of_them[rows] if people else None

    def samples(self, split: Split, chosen: Selection) -> Samples:
        """Collect every frame of a split, of the subjects that are validated on every 64th.

        The other data set is MPI-INF-3DHP's test set, annotated 2D, with Human3.6M's joints; its
        ``activity`` is the sequence, such as ``TS1``. Its keypoints are moved to where
        :data:`H36M_LENS` would have seen them, unless ``own-width`` is among the adaptations.

        Raises:
            DatasetNotFoundError: If there is no such pack, or it has nothing of a subject.
        """
        skeleton = BY_JOINTS[chosen.joints]
        if split == "cross":
            return collect(self._cross(chosen), "gt", skeleton, activity=lambda one: one.subject)
        sequences = (
            sequence
            for sequence in map(self.pack.sequence, self._sequences(split, chosen))
            if f"{sequence.subject} {sequence.clip}" not in self.protocol.excluded
        )
        stride = CURVE_STRIDE if split == "validation" else 1
        kind = self._kind(chosen)
        return collect(sequences, kind, skeleton, stride=stride, activity=lambda one: one.activity)

    def _cross(self, chosen: Selection) -> Iterator[CameraSequence]:
        if self.other is None:
            raise DatasetNotFoundError(
                "no MPI-INF-3DHP beside this pack: put what `graphlift data prepare 3dhp` writes "
                "into a folder with it, as h36m/ and 3dhp/, and give that folder as data"
            )
        for number in self._official(self.other):
            sequence = to_h36m(self.other.sequence(number))
            yield sequence if OWN_WIDTH in chosen.adaptations else seen_as_h36m(sequence)

    @staticmethod
    def _official(other: SequencePack) -> list[int]:
        """Number the sequences of MPI-INF-3DHP's test set."""
        subjects = PROTOCOLS["3dhp-14"].test
        found = [n for n, e in enumerate(other.index.sequences) if e.subject in subjects]
        if not found:
            raise DatasetNotFoundError(
                f"{other.folder}: has nothing of {', '.join(subjects)}: prepare MPI-INF-3DHP's "
                "test set"
            )
        return found

    def _kind(self, chosen: Selection) -> str:
        if chosen.detections not in self.pack.kinds:
            raise ConfigError(
                f"{self.pack.folder}: has no detections {shown(chosen.detections)}, only "
                f"{', '.join(self.pack.kinds)}: name one of them, or prepare the pack from a "
                "folder that holds their file too"
            )
        return chosen.detections

    def _sequences(self, split: Split, chosen: Selection) -> list[int]:
        """Number the sequences of a split; validation is of test subjects if none is held out."""
        train, test = self.protocol.train, self.protocol.test
        if wrong := [subject for subject in chosen.held_out if subject not in train]:
            raise ConfigError(
                f"held_out: {wrong[0]} is no training subject: choose from {', '.join(train)}"
            )
        people = {"train": self._trained_on(chosen), "validation": chosen.held_out or test}
        return self._of(people.get(split, test))

    def _trained_on(self, chosen: Selection) -> tuple[str, ...]:
        return tuple(name for name in self.protocol.train if name not in chosen.held_out)

    def _of(self, subjects: Collection[str]) -> list[int]:
        entries = self.pack.index.sequences
        present = {entry.subject for entry in entries}
        if missing := [subject for subject in subjects if subject not in present]:
            raise DatasetNotFoundError(
                f"{self.pack.folder}: has nothing of {', '.join(missing)}: prepare the whole of "
                "Human3.6M"
            )
        return [n for n, entry in enumerate(entries) if entry.subject in subjects]


def read_packs(source: str) -> LicensedData | None:
    """Open a pack of Human3.6M, or a folder with ``h36m`` and perhaps ``3dhp``, if that is it.

    Raises:
        FormatError: If a file is damaged.
    """
    folder = Path(source)
    if source != "prior" and (folder / INDEX).is_file():
        return LicensedData(_verified(folder))
    if source == "prior" or not (folder / "h36m" / INDEX).is_file():
        return None
    other = folder / "3dhp"
    return LicensedData(_verified(folder / "h36m"), _verified(other) if other.is_dir() else None)


def _verified(folder: Path) -> SequencePack:
    """Open a pack whose numbers are those that were written; a second for each GB."""
    pack = open_sequences(folder)
    verify_sequences(pack)
    return pack


def seen_as_h36m(sequence: CameraSequence) -> CameraSequence:
    """Move keypoints to where :data:`H36M_LENS` would have seen them."""
    moved = {
        kind: reproject(keypoints.astype(np.float64), sequence.lens, H36M_LENS)
        for kind, keypoints in sequence.keypoints.items()
    }
    return replace(sequence, keypoints=moved, lens=H36M_LENS)


def official_joints(
    poses: Float[np.ndarray, "frame joint 3"], skeleton: Skeleton
) -> Float[np.ndarray, "frame 17 3"]:
    """Put Human3.6M's joints in the places of MPI-INF-3DHP's 17; NaN where there is none.

    The way back from :func:`graphlift.datasets.mpi_inf_3dhp.to_h36m`.
    """
    names = {"HeadTop": "Head", "Neck": "Thorax", "Head": "Neck/Nose"}
    names |= {f"{side}Ankle": f"{side}Foot" for side in "LR"}
    placed = np.full((len(poses), len(MPI_INF_3DHP_17), 3), np.nan)
    for joint, name in enumerate(MPI_INF_3DHP_17.joints):
        own = names.get(name, name)
        if own in skeleton.joints:
            placed[:, joint] = poses[:, skeleton.joints.index(own)]
    return placed
