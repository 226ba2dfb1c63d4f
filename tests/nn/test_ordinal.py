"""Ordinal depth: pair by pair, and labels that contradict one another."""

import itertools
import math
import re

import numpy as np
import pytest
import torch

from graphlift.errors import ShapeError
from graphlift.nn.ordinal import (
    TIED,
    depth_relations,
    given_relations,
    joint_pairs,
    ordinal_loss,
    part_pairs,
)
from graphlift.skeletons import H36M_16, H36M_17

JOINTS = ("Hip", "LHand", "RHand", "Head")


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


@pytest.mark.parametrize("seed", range(20))
def test_labels_of_true_depths_never_contradict(seed):
    depths = np.random.default_rng(seed).normal(0, 0.1, (8, 4))
    pairs = list(itertools.permutations(range(4), 2))

    relations = given_relations(np.array(said(depths, pairs)), np.array(pairs), JOINTS)

    assert relations.tolist() == said(depths, pairs)


@pytest.mark.parametrize(
    ("pairs", "labels", "message"),
    [
        (
            [(0, 1), (1, 0)],
            [1, 1],
            "frame 1: .*: Hip is nearer than LHand, LHand is nearer than Hip: correct",
        ),
        (
            [(0, 1), (1, 2), (2, 0)],
            [1, 1, 1],
            "Hip is nearer than LHand, LHand is nearer than RHand, RHand is nearer than Hip",
        ),
        (
            [(0, 1), (2, 1), (3, 2), (0, 3)],
            [1, -1, -1, -1],
            "Hip is nearer than LHand, LHand .* RHand, RHand .* Head, Head is nearer than Hip",
        ),
        ([(0, 1), (1, 0)], [1, 0], "Hip is nearer than LHand, and equally far"),
    ],
    ids=["each nearer", "ring of three", "ring of four, by other signs", "nearer and as far"],
)
def test_labels_that_contradict_are_refused_by_the_joints(pairs, labels, message):
    free = [0] * len(pairs)  # the frame before contradicts nothing

    with pytest.raises(ShapeError, match=message):
        given_relations(np.array([free, labels]), np.array(pairs), JOINTS)


def test_only_the_joints_of_a_shortest_ring_are_named():
    pairs = [(0, 1), (1, 2), (2, 3), (3, 1)]

    with pytest.raises(ShapeError) as refused:
        given_relations(np.array([[1, 1, 1, 1]]), np.array(pairs), JOINTS)

    assert "Hip" not in str(refused.value)
    assert re.findall(r"(\w+) is nearer", str(refused.value)) == ["LHand", "RHand", "Head"]


def test_equally_far_is_not_followed_from_joint_to_joint():
    pairs = [(0, 1), (1, 2), (0, 2)]

    assert given_relations(np.array([[0, 0, 1]]), np.array(pairs), JOINTS).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(
    ("labels", "pairs", "message"),
    [
        ([[1, 1]], [(0, 1)], r"shape \(1, 2\) for pairs of shape \(1, 2\)"),
        ([[2]], [(0, 1)], "frame 0: the ordinal label of pair 0 is 2: give 1"),
        ([[1]], [(0, 0)], "pair 0 is of joints 0 and 0"),
        ([[1]], [(0, 4)], "pair 0 is of joints 0 and 4: .* from 0 to 3"),
        ([[1]], [(-1, 2)], "pair 0 is of joints -1 and 2"),
    ],
)
def test_labels_that_are_none_are_refused(labels, pairs, message):
    with pytest.raises(ShapeError, match=message):
        given_relations(np.array(labels), np.array(pairs), JOINTS)
