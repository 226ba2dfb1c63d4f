"""Objectives of systems whose networks see images, as rows of a study beside its networks.

What such a system adds to training can be added to that of any lifter. As a row of a study an
objective has the paper's best network, decoupled pre-aggregation, so that it differs from that
network's own row in the objective alone. The system's network for images is not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphlift.weight_sharing import Sharing


@dataclass(frozen=True)
class Objective:
    """What a system is trained by beside the error of poses.

    Args:
        label: Full name, with authors.
        reference: Authors, conference and year.
        supervision: Keys of :class:`graphlift.training.config.TrainConfig`'s ``supervision``, with
            the weights that a study gives them, which are ours.
    """

    label: str
    reference: str
    supervision: Mapping[str, float]


NETWORK: tuple[Sharing, bool] = ("pre-aggregation", True)
"""Method, and whether it is decoupled, of the network that every objective is tried on."""
OBJECTIVES: Mapping[str, Objective] = {
    "bone-ratios": Objective(
        "bone ratios (Zhou et al. 2017)", "Zhou et al., ICCV 2017", {"bone_ratios": 0.1}
    ),
    "critic": Objective("critic (Yang et al.)", "Yang et al., CVPR 2018", {"critic": 0.01}),
    "part-triplets": Objective(
        "part triplets (Zhou et al. 2019)", "Zhou et al., ICCV 2019", {"parts": 0.1}
    ),
}
"""By the name that a plan has under ``methods``.

They stand against a mean distance of joints of a few hundredths of a metre, and are those that
weak supervision is shown with (``benchmarks/weak_supervision.py``). They were not tuned for people
who all have labels.
"""


_NO_WEIGHTS = ("unlabelled", "ordinal_labels")


def objective_of(config: Mapping[str, Any]) -> str:
    """Name what a run was trained by beside the error of poses.

    Args:
        config: Of the run, as its result line holds it; older ones say nothing of it.

    Returns:
        A name of :data:`OBJECTIVES`, or the keys that have a weight where they are no such
        objective's; then whether people gave ordinal labels, and how many people were unlabelled,
        if any were. "" without an objective.
    """
    given = config.get("supervision")
    if not isinstance(given, Mapping):
        return ""
    people = given.get("unlabelled")
    keys = {str(key) for key in given if given[key] and key not in _NO_WEIGHTS}
    known = (name for name, each in OBJECTIVES.items() if keys == {*each.supervision})
    name = next(known, " and ".join(sorted(keys)))
    name += ", labels given" if given.get("ordinal_labels") else ""
    return f"{name}, {len(people)} unlabelled" if isinstance(people, list) and people else name
