"""Ordinal depth, pair by pair."""

import itertools
import math

import numpy as np
import pytest
import torch

from graphlift.nn.ordinal import (
    TIED,
    columns_of,
    depth_relations,
    joint_pairs,
    ordinal_loss,
    part_pairs,
)
from graphlift.skeletons import H36M_16, H36M_17


def said(depths, pairs):
    """1 where the first is nearer, by words."""
    found = []
    for frame in depths:
        row = []
        for i, j in pairs:
            if abs(frame[i] - frame[j]) <= TIED:
                row.append(0)
            else:
                row.append(1 if frame[i] < frame[j] else -1)
        found.append(row)
    return found


def test_relations_and_loss_are_as_written_out(rng):
    depths = rng.normal(0, 0.2, (5, 16))
    pairs = list(itertools.combinations(range(16), 2))
    predicted = rng.normal(0, 0.2, (5, 16))

    relations = depth_relations(torch.tensor(depths), joint_pairs(H36M_16))
    found = ordinal_loss(torch.tensor(predicted), joint_pairs(H36M_16), relations, unit=0.1)

    assert joint_pairs(H36M_16).tolist() == [list(pair) for pair in pairs]
    assert relations.tolist() == said(depths, pairs)
    terms = []
    for frame, row in zip(predicted, said(depths, pairs), strict=True):
        for (i, j), r in zip(pairs, row, strict=True):
            apart = (frame[i] - frame[j]) / 0.1
            terms.append(math.log(1 + math.exp(r * apart)) if r else apart**2)
    assert found.item() == pytest.approx(np.mean(terms))


def test_what_is_not_known_costs_log_2_and_the_right_order_next_to_nothing():
    pairs, nearer = torch.tensor([[0, 1]]), torch.tensor([[1]])

    def cost(*depths):
        return ordinal_loss(torch.tensor([depths]), pairs, nearer).item()

    assert cost(0.0, 0.0) == pytest.approx(math.log(2))
    assert cost(-5.0, 5.0) < 1e-4
    assert cost(5.0, -5.0) == pytest.approx(10, abs=1e-3)


def test_the_gradient_moves_joints_into_their_order():
    depths = torch.zeros(1, 3, requires_grad=True)
    relations = torch.tensor([[1, 0]])  # 0 is nearer than 1; 1 and 2 are equally far

    ordinal_loss(depths, torch.tensor([[0, 1], [1, 2]]), relations).backward()

    assert depths.grad[0, 0] > 0
    assert depths.grad[0, 1] < 0
    assert depths.grad[0, 2] == 0


def test_parts_are_bones_from_parent_to_child():
    pairs = part_pairs(H36M_17)

    assert len(pairs) == 16
    assert all(H36M_17.parents[child] == parent for parent, child in pairs.tolist())


def test_only_relations_that_are_known_cost_and_pull():
    pairs, relations = torch.tensor([[0, 1], [1, 2]]), torch.tensor([[1, 2], [0, -1]])
    known = torch.tensor([[True, False], [True, True]])
    depths = torch.tensor([[0.3, 0.1, 0.7], [0.2, 0.5, -0.4]], requires_grad=True)

    cost = ordinal_loss(depths, pairs, relations, known=known)

    terms = [math.log(1 + math.exp(0.2)), 0.09, math.log(1 + math.exp(-0.9))]
    assert cost.item() == pytest.approx(sum(terms) / 3)
    cost.backward()
    assert depths.grad[0, 2] == 0
    assert depths.grad[1].all()


@pytest.mark.parametrize("skeleton", [H36M_16, H36M_17], ids=lambda skeleton: skeleton.name)
def test_pairs_are_found_among_all_whichever_joint_comes_first(skeleton):
    every = joint_pairs(skeleton).tolist()
    pairs = [*skeleton.bones, *(bone[::-1] for bone in skeleton.bones)]

    columns, signs = columns_of(torch.tensor(pairs), skeleton)

    for (one, other), column, sign in zip(pairs, columns.tolist(), signs.tolist(), strict=True):
        assert every[column] == ([one, other] if sign == 1 else [other, one])
