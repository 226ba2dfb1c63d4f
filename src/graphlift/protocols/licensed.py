"""Human3.6M and MPI-INF-3DHP by their published protocols, from prepared packs.

``h36m-16`` or ``h36m-17``: trained on every frame of S1, S5, S6, S7, S8 by four cameras, tested
on every frame of S9 and S11. ``3dhp-14``: the same network on MPI-INF-3DHP's test set. No test
subject is ever chosen on: a run keeps its last weights, or the best on training subjects held out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera, reproject
from graphlift.datasets.licensed.index import INDEX
from graphlift.datasets.licensed.pack import CameraSequence, SequencePack, open_sequences
from graphlift.datasets.mpi_inf_3dhp import to_h36m
from graphlift.errors import ConfigError, DatasetNotFoundError
from graphlift.protocols.adaptations import OWN_WIDTH
from graphlift.protocols.examples import Examples, StudyData, read_study_data
from graphlift.protocols.named import PROTOCOLS, Protocol, share_out
from graphlift.protocols.paired_examples import (
    Rows,
    check_detections,
    observe_pairs,
    skeleton_of,
)
from graphlift.simulated_detector import Detections
from graphlift.skeletons import MPI_INF_3DHP_17, Skeleton
from graphlift.words import shown

CURVE_STRIDE = 64
"""A curve of training is drawn from every 64th frame of who is validated on."""

H36M_LENS = Camera(
    focal=(1145.0, 1145.0),
    centre=(500.0, 500.0),
    size=(1000, 1000),
    R=np.eye(3),
    position=np.zeros(3),
)
"""What MPI-INF-3DHP's people are seen through, so that they are as large as in training: the focal
length of Human3.6M's four cameras to half a per cent."""

LICENCE = "for academic use only, by the terms of the data set"


@dataclass(frozen=True, eq=False)
class PairedData:
    """Prepared packs to train and test on.

    Args:
        pack: Human3.6M.
        other: MPI-INF-3DHP's test set, or None.
    """

    pack: SequencePack
    other: SequencePack | None = None

    @property
    def name(self) -> str:
        """What the reports call it."""
        return "Human3.6M"

    @property
    def digest(self) -> str:
        """SHA-256 of the pack."""
        return self.pack.digest

    @property
    def cross_name(self) -> str | None:
        """What the reports call the other data set."""
        return "MPI-INF-3DHP" if self.other else None

    @property
    def cross_digest(self) -> str | None:
        """SHA-256 of the other pack."""
        return self.other.digest if self.other else None

    @property
    def licence(self) -> str:
        """What trained weights may be used for."""
        return LICENCE

    @property
    def protocol(self) -> Protocol:
        """Who is trained on and tested; joints are those of the network."""
        return PROTOCOLS[f"h36m-{len(self.pack.skeleton)}"]

    def describe(self, joints: int, adaptations: Sequence[str] = ()) -> Mapping[str, str]:
        """Say in a line each what the protocols are, by their names.

        Raises:
            ConfigError: If none of them takes an adaptation.
        """
        taken = share_out(adaptations, self.scored_by(joints))
        return {name: PROTOCOLS[name].describe(of) for name, of in taken.items()}

    def scored_by(self, joints: int) -> tuple[str, ...]:
        """Name the protocols that a network of so many joints is scored by."""
        return (f"h36m-{joints}", *(("3dhp-14",) if self.other else ()))

    def training(self, detections: Detections, joints: int, held_out: Collection[str]) -> "Rows":
        """List the frames that are trained on, to be gathered from the mapped arrays.

        Raises:
            ConfigError: If the pack has no such detections, or a held-out subject is none of the
                training subjects, or nobody is left.
        """
        train = self.protocol.train
        if wrong := [subject for subject in held_out if subject not in train]:
            raise ConfigError(
                f"held_out: {wrong[0]} is no training subject: choose from {', '.join(train)}"
            )
        chosen = [subject for subject in train if subject not in held_out]
        return Rows(self.pack, self._kind(detections), skeleton_of(joints), self._of(chosen))

    def validation(
        self, detections: Detections, joints: int, held_out: Collection[str]
    ) -> Examples:
        """Look at every 64th frame of the subjects held out; of the test subjects if nobody is."""
        subjects = held_out or self.protocol.test
        return self._examples(detections, joints, self._of(subjects), stride=CURVE_STRIDE)

    def test(self, detections: Detections, joints: int) -> Examples:
        """Look at every frame of the test subjects."""
        return self._examples(detections, joints, self._of(self.protocol.test), stride=1)

    def cross(self, joints: int, adaptations: Collection[str] = ()) -> Examples:
        """Look at MPI-INF-3DHP's test set, annotated 2D, with Human3.6M's joints.

        Keypoints are moved to where :data:`H36M_LENS` would have seen them, unless ``own-width``
        is among the adaptations. ``activity`` is the sequence, such as ``TS1``.

        Raises:
            DatasetNotFoundError: If there is no such pack.
        """
        if self.other is None:
            raise DatasetNotFoundError(
                "no MPI-INF-3DHP beside this pack: put what `graphlift data prepare 3dhp` writes "
                "into a folder with it, as h36m/ and 3dhp/, and give that folder as data"
            )
        test = (to_h36m(one) for one in self.other if one.subject in PROTOCOLS["3dhp-14"].test)
        seen = test if OWN_WIDTH in adaptations else map(seen_as_h36m, test)
        return observe_pairs(seen, "gt", skeleton_of(joints), activity=lambda one: one.subject)

    def check(self, detections: Detections, joints: int, held_out: Collection[str]) -> None:
        """Refuse now what training, validation or scoring would meet later; reads all of one kind.

        Raises:
            ConfigError: As :meth:`training`, or if a pack lacks a joint.
            DatasetNotFoundError: If a pack has nothing of a subject that is trained on or tested.
            FormatError: If a detection that counts is not finite, or no frame counts in a test.
        """
        len(self.training(detections, joints, held_out))
        skeleton = skeleton_of(joints)
        protocol = self.protocol
        rows = self._of((*protocol.train, *protocol.test))
        check_detections(self.pack, rows, self._kind(detections), skeleton, protocol.excluded)
        if self.other:
            official = PROTOCOLS["3dhp-14"].test
            entries = enumerate(self.other.index.sequences)
            tested = [n for n, entry in entries if entry.subject in official]
            if not tested:
                raise DatasetNotFoundError(
                    f"{self.other.folder}: has nothing of {', '.join(official)}: prepare "
                    "MPI-INF-3DHP's test set"
                )
            check_detections(self.other, tested, "gt", self.other.skeleton)

    @property
    def missing(self) -> tuple[str, ...]:
        """Activities of the protocol that no test sequence of the pack has."""
        tested = {e.activity for e in self.pack.index.sequences if e.subject in self.protocol.test}
        return tuple(name for name in self.protocol.activities if name not in tested)

    def _kind(self, detections: Detections) -> str:
        if detections not in self.pack.kinds:
            raise ConfigError(
                f"{self.pack.folder}: has no detections {shown(detections)}, only "
                f"{', '.join(self.pack.kinds)}: name one of them, or prepare the pack from a "
                "folder that holds their file too"
            )
        return detections

    def _of(self, subjects: Collection[str]) -> list[int]:
        found = [
            n for n, entry in enumerate(self.pack.index.sequences) if entry.subject in subjects
        ]
        there = {self.pack.index.sequences[n].subject for n in found}
        if missing := [subject for subject in subjects if subject not in there]:
            raise DatasetNotFoundError(
                f"{self.pack.folder}: has nothing of {', '.join(missing)}: prepare the whole of "
                "Human3.6M"
            )
        return found

    def _examples(
        self, detections: Detections, joints: int, chosen: Sequence[int], *, stride: int
    ) -> Examples:
        excluded = self.protocol.excluded
        sequences = (
            sequence
            for sequence in map(self.pack.sequence, chosen)
            if f"{sequence.subject} {sequence.clip}" not in excluded
        )
        kind = self._kind(detections)
        return observe_pairs(
            sequences, kind, skeleton_of(joints), stride=stride, activity=lambda s: s.activity
        )


TrainingData = StudyData | PairedData
"""Whatever a run may be trained on."""


def read_data(source: str) -> TrainingData:
    """Open what a run or a study is made on.

    Args:
        source: What :func:`read_study_data` takes; or a pack of Human3.6M; or a folder with one
            called ``h36m`` and, for ``3dhp-14``, one of MPI-INF-3DHP's test set called ``3dhp``.

    Raises:
        DatasetNotFoundError: If nothing of that kind is there.
        FormatError: If a file is damaged.
    """
    if not is_pack(source):
        return read_study_data(source)
    folder = Path(source)
    if (folder / INDEX).is_file():
        return PairedData(open_sequences(folder))
    other = folder / "3dhp"
    return PairedData(
        open_sequences(folder / "h36m"), open_sequences(other) if other.is_dir() else None
    )


def is_pack(source: str) -> bool:
    """Tell whether data are a prepared pack, or a folder of them, and not motion capture."""
    folder = Path(source)
    return source != "prior" and any((at / INDEX).is_file() for at in (folder, folder / "h36m"))


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
