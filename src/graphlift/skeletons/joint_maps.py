"""Conversion of one skeleton's joints to another's: from which joints, with which weights.

Tables of what the lifter's joints (``h36m-17``) are made of, one for each source. They are data:
training derives the same joints from its own people, so that the lifter's input in use is the one
it was trained on. The aim is the body of the motion capture it is trained on (``docs/data.md``):
Neck/Nose is the base of the skull and Head about the middle of the head.

Where a detector has a nose and ears, Neck/Nose is the nose and Head the middle of the ears, also
where it has the top of the head, so that all detectors are treated alike. If one ear alone is
seen, it replaces the middle of both: an ear is hidden when it is on the far side, and then both
are nearly on one line of sight. The eyes, some 9 cm further forward, do not replace the ears.

``body-28`` has nose, eyes and ears of its own. What a source has is filled and the rest is
missing: its Neck/Nose, Head and Spine are never made of nose, ears and trunk.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.errors import ShapeError
from graphlift.skeletons.skeleton import Skeleton

Kind = Literal["exact", "derived", "missing"]


@dataclass(frozen=True, eq=False)
class JointMap:
    """Conversion of the joints of one skeleton to those of another.

    Args:
        source: Skeleton of the joints that are given.
        target: Skeleton of the joints that come out.
        weights: For each target joint the mean it is of source joints; NaN where it is missing.
        kinds: Per target joint: ``exact`` (the same point of the body), ``derived`` (a mean of
            others, or a near neighbour under another definition) or ``missing``.
        fallbacks: Second best weights, and third: for a target joint of which a source joint was
            not seen. NaN where there are none. A joint made by them is derived, whatever its kind.
    """

    source: Skeleton
    target: Skeleton
    weights: Float[np.ndarray, "joint other"]
    kinds: tuple[Kind, ...]
    fallbacks: tuple[Float[np.ndarray, "joint other"], ...] = ()

    def __call__(self, positions: Float[np.ndarray, "*batch other d"]) -> np.ndarray:
        """Convert positions, 2D or 3D; missing joints become NaN.

        Raises:
            ShapeError: If the joint axis is not the source skeleton's.
        """
        if positions.ndim < 2 or positions.shape[-2] != len(self.source):
            raise ShapeError(
                f"positions {positions.shape} should have {len(self.source)} joints "
                f"({self.source.name}) on the last axis but one"
            )
        seen = ~np.isnan(positions).any(axis=-1)
        return self._mix(positions, seen, self.choose(seen))

    def _mix(self, positions: np.ndarray, seen: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        filled = np.where(seen[..., None], positions, 0).swapaxes(-1, -2)
        rows = filled.reshape(-1, filled.shape[-1])  # one product, not one for each frame
        mixed: np.ndarray | float = np.nan
        for choice in range(max(chosen.max(initial=-1), 0) + 1):
            weights, _ = self._ways[choice]
            made = (rows @ weights.T).reshape(*filled.shape[:-1], len(weights))
            mixed = np.where((chosen == choice)[..., None], made.swapaxes(-1, -2), mixed)
        return np.asarray(mixed)

    @cached_property
    def _ways(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """The weights, best first, 0 where they are missing; and whether a joint has them."""
        return tuple(
            (np.nan_to_num(weights), ~np.isnan(weights).any(axis=1))
            for weights in (self.weights, *self.fallbacks)
        )

    @cached_property
    def _best(self) -> Int[np.ndarray, " joint"]:
        """What is chosen where all source joints were seen."""
        defined = np.array([known for _, known in self._ways])
        return np.where(defined.any(axis=0), defined.argmax(axis=0), -1)

    @cached_property
    def _made_of(self) -> tuple[Int[np.ndarray, "joint most"], ...]:
        """Source joints of each target joint, the first of them repeated where there are fewer."""
        tables = []
        for weights, _ in self._ways:
            used = weights != 0
            table = np.argsort(~used, axis=1, kind="stable")[:, : max(used.sum(axis=1).max(), 1)]
            count = used.sum(axis=1)[:, None]
            tables.append(np.where(np.arange(table.shape[1]) < count, table, table[:, :1]))
        return tuple(tables)

    def choose(self, seen: Bool[np.ndarray, "*batch other"]) -> Int[np.ndarray, "*batch joint"]:
        """Choose the weights for each target joint.

        Returns:
            0 for ``weights``, 1 for the first of ``fallbacks``, ...; -1 where the joint is
            missing, because each of them needs a source joint that was not seen.
        """
        shape = (*seen.shape[:-1], len(self.target))
        if seen.all():
            return np.broadcast_to(self._best, shape)
        chosen = np.full(shape, -1)
        for choice, (weights, defined) in reversed(list(enumerate(self._ways))):
            # A missing source joint makes only the joints made of it missing.
            spoilt = np.matmul(~seen, (weights != 0).T)
            chosen[defined & ~spoilt] = choice
        return chosen

    def confidence(
        self, confidence: Float[np.ndarray, "*batch other"], seen: Bool[np.ndarray, "*batch other"]
    ) -> Float[np.ndarray, "*batch joint"]:
        """Give each target joint the least confidence of its source joints; 0 where missing."""
        return self._least(confidence, self.choose(seen))

    def _least(self, confidence: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        least: np.ndarray | float = 0.0
        for choice in range(max(chosen.max(initial=-1), 0) + 1):
            sure = confidence[..., self._made_of[choice]].min(axis=-1)
            least = np.where(chosen == choice, sure, least)
        return np.asarray(least)

    def both(
        self,
        positions: Float[np.ndarray, "*batch other d"],
        confidence: Float[np.ndarray, "*batch other"],
        seen: Bool[np.ndarray, "*batch other"],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Convert positions and confidences together, in less time; ``seen`` have a position."""
        chosen = self.choose(seen)
        return self._mix(positions, seen, chosen), self._least(confidence, chosen)


_NOSE_AND_EARS = {"Neck/Nose": "Nose", "Head": "LEar REar | LEar | REar"}
_HIPS, _SHOULDERS = "LHip RHip", "LShoulder RShoulder"
_TRUNK = f"{_SHOULDERS} {_HIPS}"
_FROM_COCO = {"Hip": _HIPS, "Thorax": _SHOULDERS, "Spine": _TRUNK, **_NOSE_AND_EARS}
_FROM_3DHP = {"Thorax": "Neck", "Neck/Nose": "Neck Head"}
_TO_H36M: Mapping[str, Mapping[str, str]] = {
    "coco-17": _FROM_COCO,
    "coco-23": _FROM_COCO,
    "mediapipe-33": _FROM_COCO,
    "openpose-coco-18": {
        **_FROM_COCO,
        "Thorax": f"Neck | {_SHOULDERS}",
        "Spine": f"2*Neck {_HIPS} | {_TRUNK}",
    },
    "openpose-body-25": {
        **_FROM_COCO,
        "Hip": f"=MidHip | {_HIPS}",
        "Thorax": f"Neck | {_SHOULDERS}",
        "Spine": f"MidHip Neck | {_TRUNK}",
    },
    "halpe-26": {
        **_FROM_COCO,
        "Hip": f"=Hip | {_HIPS}",
        "Spine": f"2*Hip {_SHOULDERS} | {_TRUNK}",
    },
    "mpii-16": {
        "Hip": f"=Hip | {_HIPS}",
        "Thorax": f"Thorax | {_SHOULDERS}",
        "Spine": f"Hip Thorax | {_TRUNK}",
        "Neck/Nose": "UpperNeck",
        "Head": "UpperNeck HeadTop",
    },
    "mpi-inf-3dhp-17": _FROM_3DHP,
    "body-28": {
        "Hip": f"=Hip | {_HIPS}",
        "Thorax": f"=Thorax | {_SHOULDERS}",
        "Spine": f"=Spine | {_TRUNK}",
        "Neck/Nose": "=Neck/Nose | Nose",
        "Head": "=Head | LEar REar | LEar | REar",
    },
}
_BETWEEN = {"Hip": _HIPS, "Thorax": _SHOULDERS}
_TOES = {"LBigToe": "LFootIndex", "RBigToe": "RFootIndex"}
_TO_BODY: Mapping[str, Mapping[str, str]] = {
    "coco-17": _BETWEEN,
    "coco-23": _BETWEEN,
    "mediapipe-33": {**_BETWEEN, **_TOES},
    "openpose-coco-18": {"Hip": _HIPS, "Thorax": f"Neck | {_SHOULDERS}"},
    "openpose-body-25": {"Hip": f"=MidHip | {_HIPS}", "Thorax": f"Neck | {_SHOULDERS}"},
    "halpe-26": {"Hip": f"=Hip | {_HIPS}", "Thorax": f"Neck | {_SHOULDERS}"},
    "mpii-16": {name: text for name, text in _TO_H36M["mpii-16"].items() if name != "Spine"},
    "mpi-inf-3dhp-17": _FROM_3DHP,
}
_DERIVED: Mapping[tuple[str, str], Mapping[str, str]] = {
    **{(source, "h36m-17"): table for source, table in _TO_H36M.items()},
    **{(source, "h36m-16"): table for source, table in _TO_H36M.items()},
    **{(source, "body-28"): table for source, table in _TO_BODY.items()},
    ("coco-17", "mpi-inf-3dhp-17"): {**_FROM_COCO, "Neck": _SHOULDERS},
    ("coco-23", "mpi-inf-3dhp-17"): {**_FROM_COCO, "Neck": _SHOULDERS},
    ("body-28", "mpi-inf-3dhp-17"): {"Neck": "Thorax"},
    ("h36m-17", "mpi-inf-3dhp-17"): {"Neck": "Thorax"},
    ("h36m-16", "mpi-inf-3dhp-17"): {"Neck": "Thorax"},
    ("h36m-17", "coco-17"): {"Nose": "Neck/Nose"},
    ("h36m-16", "h36m-17"): {"Neck/Nose": "Thorax Head"},
}
"""Target joint to source joints: the mean of those named, ``2*Hip`` counting twice; after ``|``
the next best; ``=`` if it is the same point of the body under another name or with a next best."""

_SAME_POINT = {"RFoot": "RAnkle", "LFoot": "LAnkle", "RAnkle": "RFoot", "LAnkle": "LFoot"}
_ELSEWHERE = ("Head", "Spine", "Thorax", "Neck")
"""Joints that data sets define differently: derived between families even under one name."""

_FAMILIES = {"body": "h36m"}  # body-28's first 17 are Human3.6M's


@lru_cache(maxsize=64)  # a stream calls this for every frame
def joint_map(source: Skeleton, target: Skeleton) -> JointMap:
    """Find the conversion of ``source``'s joints to ``target``'s.

    Joints of the same name are exact (Human3.6M's ``Foot`` is the ankle), except those that data
    sets define differently (Head, Spine, Thorax, Neck); named means are derived; the rest is
    missing.
    """
    derived = _DERIVED.get((source.name, target.name), {})
    same_family = _family(source) == _family(target)
    kinds: list[Kind] = []
    rows: list[list[np.ndarray]] = []
    for name in target.joints:
        twin = name if name in source.joints else _SAME_POINT.get(name, "")
        if name in derived:
            kinds.append("exact" if derived[name].startswith("=") else "derived")
            rows.append([_mean(source, text) for text in derived[name].lstrip("=").split("|")])
        elif twin in source.joints:
            kinds.append("exact" if same_family or name not in _ELSEWHERE else "derived")
            rows.append([_mean(source, twin)])
        else:
            kinds.append("missing")
            rows.append([])
    nothing = np.full(len(source), np.nan)
    best, *others = (
        np.array([row[choice] if choice < len(row) else nothing for row in rows])
        for choice in range(max(1, *(len(row) for row in rows)))
    )
    for weights in (best, *others):
        weights.setflags(write=False)
    return JointMap(source, target, best, tuple(kinds), tuple(others))


def conversion_table(source: Skeleton, target: Skeleton) -> str:
    """Print a conversion, joint by joint, as a Markdown table."""
    conversion = joint_map(source, target)
    lines = [f"| {target.name} | from {source.name} | of |", "|---|---|---|"]
    for joint, (name, kind) in enumerate(zip(target.joints, conversion.kinds, strict=True)):
        rows = [weights[joint] for weights in (conversion.weights, *conversion.fallbacks)]
        texts = [_words(source, row) for row in rows if not np.isnan(row).any()]
        lines.append(f"| {name} | {kind} | {'; else '.join(texts)} |")
    return "\n".join(lines)


def _family(skeleton: Skeleton) -> str:
    """Name those who define a skeleton's joints: the skeletons of one data set agree."""
    first = skeleton.name.split("-")[0]
    return _FAMILIES.get(first, first)


def _mean(source: Skeleton, text: str) -> Float[np.ndarray, " other"]:
    """Weights of a mean such as ``2*Hip LShoulder RShoulder``."""
    weights = np.zeros(len(source))
    for word in text.split():
        times, _, name = word.rpartition("*")
        weights[source.index(name)] += float(times or 1)
    return np.asarray(weights / weights.sum())


def _words(source: Skeleton, weights: Float[np.ndarray, " other"]) -> str:
    used = {name: float(w) for name, w in zip(source.joints, weights, strict=True) if w}
    if len(set(used.values())) > 1:
        return " + ".join(f"{weight:g} {name}" for name, weight in used.items())
    return ("mean of " if len(used) > 1 else "") + ", ".join(used)
