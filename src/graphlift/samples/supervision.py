"""Weak supervision: which training people have no 3D labels, and what is asked of them instead."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphlift.errors import ConfigError

OBJECTIVES = ("projection", "bone_ratios", "ordinal", "parts", "critic")


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """Objectives on poses, each with its weight, and the people who have no other.

    The loss of labelled people, m or m² as ``loss`` has it, is joined by each objective times its
    weight. Objectives count for unlabelled people; where everybody is labelled, for all.

    Args:
        unlabelled: Training subjects whose 3D positions training must not see. Their keypoints
            are seen, and their ordinal labels where ``ordinal`` or ``parts`` has a weight. Without
            ``ordinal_labels`` those are simulated: taken from the true depths, where a person
            would look at the image.
        ordinal_labels: A table of those that people gave
            (:mod:`graphlift.samples.ordinal_labels`); then none is simulated, and people, frames
            and pairs of joints that it lacks have none.
        projection: Of how far x and y are from the keypoints, a share
            (:func:`graphlift.nn.objectives.projection_loss`).
        bone_ratios: Of the variance of related bones' lengths, a share
            (:func:`graphlift.nn.objectives.bone_ratio_loss`).
        ordinal: Of the order in depth of all pairs of joints, nats
            (:func:`graphlift.nn.ordinal.ordinal_loss`); of ordinal-depth, whose pose is made of
            depths, also of these.
        parts: Of the order in depth of each bone's two joints, nats; as above.
        critic: Of how certainly a critic tells predictions from poses of labelled people
            (:mod:`graphlift.nn.critic`).
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}
    unlabelled: tuple[str, ...] = ()
    ordinal_labels: str = ""
    projection: float = 0.0
    bone_ratios: float = 0.0
    ordinal: float = 0.0
    parts: float = 0.0
    critic: float = 0.0

    def __post_init__(self) -> None:
        for name in OBJECTIVES:
            weight = getattr(self, name)
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"{name} is {weight}: a weight must be finite and not negative")
        if self.ordinal_labels and not (self.ordinal or self.parts):
            raise ValueError(
                "ordinal_labels teach nothing without an objective: give ordinal or parts a "
                "weight, or leave ordinal_labels out"
            )
        if self.unlabelled and not self.active:
            raise ValueError(
                "unlabelled people teach nothing without an objective: give at least one of "
                f"{', '.join(OBJECTIVES)} a weight, or leave unlabelled out"
            )

    @property
    def active(self) -> bool:
        """Whether any objective has a weight."""
        return any(getattr(self, name) for name in OBJECTIVES)


def check_unlabelled(unlabelled: Sequence[str], trained_on: Collection[str], where: str) -> None:
    """Refuse unlabelled people who are not trained on, or who are all that are.

    Args:
        unlabelled: Their names.
        trained_on: All training subjects but those held out.
        where: The data's name, for the message.

    Raises:
        ConfigError: If one is not trained on, or nobody is labelled.
    """
    if wrong := [name for name in unlabelled if name not in trained_on]:
        raise ConfigError(
            f"supervision.unlabelled: {wrong[0]} is nobody of {where} who is trained on: choose "
            f"from {', '.join(trained_on)}"
        )
    if set(unlabelled) >= set(trained_on):
        raise ConfigError(
            f"supervision.unlabelled: everybody of {where} who is trained on: leave one labelled, "
            "for nothing else says how large people are"
        )


def labelled_beside(unlabelled: Collection[str], trained_on: Sequence[str]) -> tuple[str, ...]:
    """Name the people for whom objectives do not count: nobody, where nobody is unlabelled."""
    return tuple(name for name in trained_on if unlabelled and name not in unlabelled)
