"""Protocols as data: on whom, which frames, which joints, averaged how.

A number means something only beside the protocol that made it, so :meth:`Protocol.describe` is
printed with every number. Nothing here computes a score: :mod:`graphlift.scoring` does.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from graphlift.datasets.human36m.facts import ACTIVITIES
from graphlift.errors import ConfigError
from graphlift.protocols.adaptations import OWN_WIDTH, ROOT_IN_PLACE
from graphlift.skeletons import H36M_16, H36M_17, MPI_INF_3DHP_17, Skeleton
from graphlift.words import shown

Average = Literal["activities", "frames"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a data set is scored.

    Both poses are moved so that their own root is at the origin; P-MPJPE and N-MPJPE then allow
    more. No prediction is averaged with that of the mirrored input ("no flip").

    Args:
        name: As on the command line and in tables.
        data: The data set that is tested on.
        train_data: The one that is trained on.
        train: Its subjects to train on, or in words whose they are.
        test: Subjects or sequences to test on, likewise.
        skeletons: Joint orders it takes; the first is its own.
        scored: Names of the joints whose errors count.
        correct: Names of the joints that PCK and AUC count, some or all of ``scored``.
        stride: Every so many frames of a sequence, from its first.
        excluded: Sequences that are left out.
        average: Over the frames of each activity and then over activities, or over all frames.
        activities: Names of all its activities, in the order of tables; empty where data differ.
        groups: Sequences that are also scored together, by name of the group.
        frames: How many the whole test set has; None where data differ.
        adaptations: Names of the deviations it may be asked for, all off unless they are.
        source: Who scored so first.
    """

    name: str
    data: str
    train_data: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    skeletons: tuple[Skeleton, ...]
    scored: tuple[str, ...]
    correct: tuple[str, ...]
    stride: int = 1
    excluded: tuple[str, ...] = ()
    average: Average = "frames"
    activities: tuple[str, ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    frames: int | None = None
    adaptations: tuple[str, ...] = ()
    source: str

    @property
    def root(self) -> str:
        """Name of the joint that is moved to the origin."""
        return self.skeletons[0].joints[self.skeletons[0].root]

    def skeleton_of(self, joints: int) -> Skeleton | None:
        """Find the joint order of arrays with so many joints; None if it takes none such."""
        return next((each for each in self.skeletons if len(each) == joints), None)

    @property
    def joint_orders(self) -> str:
        """The numbers of joints that arrays may have, in words."""
        return " or ".join(f"{len(each)} joints ({each.name})" for each in self.skeletons)

    def describe(self, adaptations: Sequence[str] = (), *, average: Average | None = None) -> str:
        """Say in one line what a number under this protocol means.

        Args:
            adaptations: Deviations that were asked for.
            average: What was averaged over, if not what the protocol says.
        """
        # What a model was trained on, predictions do not say: this is what the protocol asks.
        trained = f"for training on {self.train_data} {' '.join(self.train)}"
        zero = f"the zero of {self.root} counted"
        rooted = zero if self.root in self.scored else f"{self.root} not among them"
        fewer = "" if self.correct == self.scored else f", PCK and AUC over {len(self.correct)}"
        parts = (
            f"{self.data} {' '.join(self.test)}, {trained}",
            every(self.stride) + "".join(f", without {each}" for each in self.excluded),
            f"{len(self.scored)} joints, {rooted}{fewer}",
            f"both moved to their own {self.root}",
            _AVERAGES[average or self.average],
            "no flip",
            f"adaptations: {', '.join(adaptations) or 'none'}",
        )
        return f"{self.name}: {'; '.join(parts)}"


_AVERAGES: Mapping[Average, str] = {
    "activities": "mean over the frames of each activity, then over activities",
    "frames": "mean over frames",
}


def every(stride: int) -> str:
    """Write a stride as a protocol's line and table do."""
    nth = {1: "", 2: "2nd ", 3: "3rd "}.get(stride, f"{stride}th ")
    return f"every {nth}frame"


_LIMBS = tuple(joint for joint in H36M_16.joints if joint not in ("Hip", "Head"))
_OFFICIAL_14 = tuple(j for j in MPI_INF_3DHP_17.joints if j not in ("Hip", "Spine", "Head"))
_NO_NOSE = tuple(joint for joint in H36M_17.joints if joint != "Neck/Nose")
_OURS = "ours: docs/protocol.md"

_H36M_17 = Protocol(
    name="h36m-17",
    data="Human3.6M",
    train_data="Human3.6M",
    train=("S1", "S5", "S6", "S7", "S8"),
    test=("S9", "S11"),
    skeletons=(H36M_17,),
    scored=H36M_17.joints,
    correct=H36M_17.joints,
    excluded=("S11 Directions",),
    average="activities",
    activities=ACTIVITIES,
    frames=543_344,
    adaptations=(ROOT_IN_PLACE,),
    source="Martinez et al., ICCV 2017; Pavllo et al., CVPR 2019",
)
_H36M_16 = replace(
    _H36M_17,
    name="h36m-16",
    skeletons=(H36M_16,),
    scored=H36M_16.joints,
    correct=H36M_16.joints,
    source="Zhao et al., CVPR 2019; Liu et al., ECCV 2020, supplement, Table 1",
)
_3DHP_14 = Protocol(
    name="3dhp-14",
    data="MPI-INF-3DHP",
    train_data="Human3.6M",
    train=_H36M_17.train,
    test=("TS1", "TS2", "TS3", "TS4", "TS5", "TS6"),
    skeletons=(MPI_INF_3DHP_17,),
    scored=_OFFICIAL_14,
    correct=_OFFICIAL_14,
    groups=(("GS", ("TS1", "TS2")), ("noGS", ("TS3", "TS4")), ("Outdoor", ("TS5", "TS6"))),
    frames=2_929,
    adaptations=("hip-shift", "bone-length", OWN_WIDTH),
    source="Mehta et al., 3DV 2017; Liu et al., ECCV 2020, supplement, Table 2",
)
_OPEN_16 = Protocol(
    name="open-16",
    data="CMU",
    train_data="CMU",
    train=("training subjects",),
    test=("test subjects",),
    skeletons=(H36M_16,),
    scored=H36M_16.joints,
    correct=H36M_16.joints,
    stride=3,
    average="activities",
    source=_OURS,
)
_CROSS_14 = replace(
    _OPEN_16,
    name="cross-14",
    data="HDM05",
    test=("all subjects",),
    skeletons=(H36M_16, H36M_17),
    scored=_LIMBS,
    correct=_LIMBS,
    average="frames",
)
_UNSEEN_17 = replace(
    _OPEN_16,
    name="unseen-17",
    skeletons=(H36M_17,),
    scored=H36M_17.joints,
    correct=_LIMBS,
    average="frames",
)
_H36M_LIKE = replace(_UNSEEN_17, name="h36m-like", scored=_NO_NOSE)

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (_H36M_17, _H36M_16, _3DHP_14, _OPEN_16, _CROSS_14, _UNSEEN_17, _H36M_LIKE)
}

STRIDE = _OPEN_16.stride
"""Every third frame of each clip, from its first: 10 frames a second of 30."""


def protocol_named(name: str) -> Protocol:
    """Find a protocol.

    Raises:
        ConfigError: If there is none of this name.
    """
    if name not in PROTOCOLS:
        raise ConfigError(f"no protocol {shown(name)}: use one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def share_out(adaptations: Sequence[str], names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Say which of some adaptations each of some protocols takes.

    Args:
        adaptations: Names that were asked for.
        names: Of the protocols that something is scored by.

    Raises:
        ConfigError: If none of them takes one.
    """
    for asked in adaptations:
        if not any(asked in PROTOCOLS[name].adaptations for name in names):
            known = ", ".join(a for name in names for a in PROTOCOLS[name].adaptations)
            raise ConfigError(
                f"{' and '.join(names)} take no adaptation {asked!r}, only {known or 'none'}"
            )
    return {
        name: tuple(a for a in adaptations if a in PROTOCOLS[name].adaptations) for name in names
    }
