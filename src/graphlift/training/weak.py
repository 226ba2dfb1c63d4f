"""Weak supervision in a step: what training may know of a batch, its loss, and the critic."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int8
from torch import Tensor

from graphlift.nn.bidirectional import Attributed
from graphlift.nn.build import Said
from graphlift.nn.critic import Critic, critic_loss, realism_loss
from graphlift.nn.mixture import Mixture
from graphlift.nn.objectives import bone_ratio_loss, projection_loss
from graphlift.nn.ordinal import (
    columns_of,
    depth_relations,
    joint_pairs,
    ordinal_loss,
    part_pairs,
)
from graphlift.nn.ordinal_depth import Ordered
from graphlift.samples.ordinal_labels import UNSAID
from graphlift.samples.supervision import Supervision
from graphlift.skeletons import Skeleton
from graphlift.training.evaluation import pose_of
from graphlift.training.losses import loss_of
from graphlift.training.optimizer import Optimizer

ORDINAL_UNIT = 0.1
"""m: the unit of depths in the ordinal loss, about the length of a hip. In metres, limbs would
never be in order by some units, and the loss would pull at them for ever; in millimetres it would
say nothing of a pair in order. Joints that are apart by the margin of ties, half a unit, cost much
the same in order (0.47) as tied (0.25)."""

CRITIC_RATE = 1e-4
"""Learning rate of the critic, which trains by Adam, constant."""


class Labels(NamedTuple):
    """What training may know of a batch beside its keypoints, and what is asked of it.

    Args:
        asked: Weights of the objectives.
        skeleton: Of the poses.
        positions: (batch, joint, 3), root-relative, m, camera axes; NaN of unlabelled people.
        labelled: (batch,), whose positions are known.
        judged: (batch,), for whom objectives count: the unlabelled, or all where all are labelled.
        order: (judged, pair), the relation of every pair of joints of them, or None.
        known: (judged, pair), which relations somebody gave; None where all are known.
    """

    asked: Supervision
    skeleton: Skeleton
    positions: Tensor
    labelled: Tensor
    judged: Tensor
    order: Tensor | None
    known: Tensor | None


def annotate(
    targets: Float[Tensor, "batch joint 3"],
    labelled: Bool[np.ndarray, " batch"] | None,
    asked: Supervision,
    skeleton: Skeleton,
    given: Int8[np.ndarray, "batch pair"] | None = None,
) -> Labels:
    """Label a batch, as people who see its images would: the one place that sees all positions.

    Relations in depth are those that people gave; without any file of theirs, of true depths.

    Args:
        targets: The truth.
        labelled: Whose positions may be known; None for everybody's.
        asked: Which labels are needed.
        skeleton: Of the poses.
        given: Relations of every pair of joints, as
            :class:`graphlift.samples.ordinal_labels.OrdinalLabels` has them.
    """
    known = torch.ones(len(targets), dtype=torch.bool, device=targets.device)
    if labelled is not None:
        known = torch.from_numpy(labelled).to(targets.device)
    judged = torch.ones_like(known) if labelled is None else ~known
    order = said = None
    if given is not None:
        order = torch.from_numpy(given).to(targets.device).long()[judged]
        said = order != UNSAID
    elif asked.ordinal or asked.parts:
        order = depth_relations(targets[judged][..., 2], joint_pairs(skeleton))
    return Labels(
        asked,
        skeleton,
        torch.where(known[:, None, None], targets, torch.nan),
        known,
        judged,
        order,
        said,
    )


def weak_loss(
    kind: str,
    said: Said,
    keypoints: Float[Tensor, "batch joint 2"],
    labels: Labels,
    critic: Critic | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of labelled people (:func:`graphlift.training.losses.loss_of`), and objectives.

    Each part is a mean over the people for whom it counts, however many of a batch they are. Where
    a network says depths beside the pose, orders are asked of both.

    Args:
        kind: Of the loss of labelled people.
        said: By the network, of all people.
        keypoints: That it saw.
        labels: As of :func:`annotate`.
        critic: Where it has a weight.

    Returns:
        Their weighted sum, and each part before it is weighted: "labelled", and the objectives by
        the names of their weights. A part for which this batch has nobody is left out.
    """
    asked, skeleton, pose = labels.asked, labels.skeleton, pose_of(said)
    parts: list[tuple[str, float, Tensor]] = []
    if labels.labelled.any():
        of_labelled = loss_of(kind, _of(said, labels.labelled), labels.positions[labels.labelled])
        parts.append(("labelled", 1.0, of_labelled))
    if labels.judged.any():
        poses = pose[labels.judged]
        if asked.projection:
            off = projection_loss(poses, keypoints[labels.judged], root=skeleton.root)
            parts.append(("projection", asked.projection, off))
        if asked.bone_ratios:
            parts.append(("bone_ratios", asked.bone_ratios, bone_ratio_loss(poses, skeleton)))
        for name, weight, pairs in (
            ("ordinal", asked.ordinal, joint_pairs(skeleton)),
            ("parts", asked.parts, part_pairs(skeleton)),
        ):
            relations, known = _relations(labels, pairs)
            if weight and relations is not None and (known is None or known.any()):
                of_order = ordinal_loss(
                    poses[..., 2], pairs, relations, unit=ORDINAL_UNIT, known=known
                )
                if isinstance(said, Ordered):  # its depths learn from nothing but order
                    depths = said.depths[labels.judged]
                    of_order = of_order + ordinal_loss(depths, pairs, relations, known=known)
                parts.append((name, weight, of_order))
        if critic is not None:
            parts.append(("critic", asked.critic, realism_loss(critic(poses))))
    loss = pose.new_zeros(())
    for _, weight, part in parts:
        loss = loss + weight * part
    return loss, {name: part.detach() for name, _, part in parts}


def _relations(labels: Labels, pairs: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The relations of some pairs of joints, and which of them are known; None for all."""
    if labels.order is None:
        return None, None
    columns, signs = (each.to(labels.order.device) for each in columns_of(pairs, labels.skeleton))
    known = None if labels.known is None else labels.known[:, columns]
    return labels.order[:, columns] * signs, known


def _of(said: Said, people: Bool[Tensor, " batch"]) -> Said:
    """What a network says of some people of a batch."""
    if isinstance(said, Attributed):
        return Attributed(said.pose[people], said.attributes[people], said.skeleton)
    if isinstance(said, Ordered):
        return Ordered(said.pose[people], said.depths[people], said.skeleton)
    if isinstance(said, Mixture):
        return Mixture(*(part[people] for part in said))
    return said[people]


class Opponent(NamedTuple):
    """A critic in training; no part of the network that it helps to train.

    Args:
        critic: As trained so far.
        optimizer: With its moments.
    """

    critic: Critic
    optimizer: Optimizer


def find_opponent(skeleton: Skeleton, device: torch.device) -> Opponent:
    """Set up a critic, drawn from torch's global generator, and its optimiser."""
    critic = Critic(skeleton).to(device)
    return Opponent(critic, Optimizer(list(critic.parameters()), CRITIC_RATE))


def train_critic(opponent: Opponent, said: Said, labels: Labels) -> None:
    """Let the critic learn to tell predictions from the poses of labelled people.

    A batch without one or the other teaches it nothing.

    Args:
        opponent: The critic.
        said: By the network, before its step; no gradient reaches it.
        labels: Of the same batch.
    """
    if not (labels.labelled.any() and labels.judged.any()):
        return
    real = opponent.critic(labels.positions[labels.labelled])
    predicted = opponent.critic(pose_of(said).detach()[labels.judged])
    opponent.critic.zero_grad(set_to_none=True)
    critic_loss(real, predicted).backward()  # type: ignore[no-untyped-call]
    opponent.optimizer.step()
