"""Losses, written out joint by joint."""

import math

import numpy as np
import pytest
import torch

from graphlift.preprocessing import FRONT_JOINTS
from graphlift.skeletons import BODY_28
from graphlift.training.losses import FRONT_WEIGHT, SIGMA_WEIGHT, body_loss, loss_of

FACE = {"Nose": 0.5, "LEye": 0.3, "REye": 0.3, "LEar": 0.3, "REar": 0.3}


def example(seed=0, people=3):
    rng = np.random.default_rng(seed)
    predicted = rng.normal(0, 0.5, (people, 28, 8))
    target = np.full((people, 28, 6), np.nan)
    target[..., :3] = rng.normal(0, 0.5, (people, 28, 3))
    fronts = rng.normal(size=(people, 7, 3))
    target[:, BODY_28.index(*FRONT_JOINTS), 3:] = fronts / np.linalg.norm(
        fronts, axis=-1, keepdims=True
    )
    return predicted, target


def written_out(predicted, target):
    joints, weights, fronts = 0.0, 0.0, []
    for person, truth in zip(predicted, target, strict=True):
        for number, name in enumerate(BODY_28.joints):
            foot = name[1:] in ("BigToe", "SmallToe", "Heel")
            weight = FACE.get(name, 0.5 if foot else 1.0)
            away = math.dist(person[number, :3], truth[number, :3])
            s = person[number, 3]
            joints += weight * (away + SIGMA_WEIGHT * (2 * away / math.exp(s) + 3 * s))
            weights += weight
            front = truth[number, 3:]
            if np.isnan(front[0]):
                continue
            given, log_sigma = person[number, 4:7], person[number, 7]
            turned = math.dist(given / np.linalg.norm(given), front)
            unsure = turned / math.exp(log_sigma) + 2 * log_sigma
            fronts.append(math.dist(given, front) + 0.2 * unsure)
    return joints / weights + FRONT_WEIGHT * sum(fronts) / len(fronts)


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_as_written_out(seed):
    predicted, target = example(seed)

    found = body_loss(torch.tensor(predicted), torch.tensor(target))

    assert found.item() == pytest.approx(written_out(predicted, target), rel=1e-6)
    assert loss_of("mpjpe", torch.tensor(predicted), torch.tensor(target)) == found


def test_a_front_that_is_not_known_pulls_at_nothing():
    predicted, target = example()
    target[:, BODY_28.joints.index("Head"), 3:] = np.nan
    given = torch.tensor(predicted, requires_grad=True)

    body_loss(given, torch.tensor(target)).backward()

    at = BODY_28.joints.index("Head")
    assert torch.isfinite(given.grad).all()
    assert (given.grad[:, at, 4:] == 0).all()
    assert (given.grad[:, at, :4] != 0).any()
    assert (given.grad[:, BODY_28.joints.index("Thorax"), 4:] != 0).any()


def test_sigmas_do_not_move_what_they_are_sigmas_of():
    predicted, target = example()
    sure, unsure = (torch.tensor(predicted, requires_grad=True) for _ in range(2))
    with torch.no_grad():
        unsure[..., [3, 7]] += 1.0
    for each in (sure, unsure):
        body_loss(each, torch.tensor(target)).backward()

    moving = [0, 1, 2, 4, 5, 6]
    torch.testing.assert_close(sure.grad[..., moving], unsure.grad[..., moving])


def test_the_best_sigmas_are_those_of_the_stated_densities():
    """2d/σ + 3 ln σ is least at σ = 2d/3, e/σ + 2 ln σ at σ = e/2."""
    predicted, target = example(people=1)
    given = torch.tensor(predicted)
    for column, number, best in ((3, 5, None), (7, BODY_28.joints.index("Hip"), None)):
        if column == 3:
            best = math.log(2 / 3 * math.dist(predicted[0, number, :3], target[0, number, :3]))
        else:
            front = predicted[0, number, 4:7]
            best = math.log(math.dist(front / np.linalg.norm(front), target[0, number, 3:]) / 2)
        losses = []
        for off in (-0.1, 0.0, 0.1):
            changed = given.clone()
            changed[0, number, column] = best + off
            losses.append(body_loss(changed, torch.tensor(target)).item())
        assert losses[1] < min(losses[0], losses[2])


def test_losses_are_those_of_the_recipe(rng):
    one, two = (torch.from_numpy(rng.normal(size=(4, 16, 3))) for _ in range(2))

    assert loss_of("mse", one, two).item() == pytest.approx(
        ((one - two) ** 2).sum() / (4 * 16 * 3)
    )
    distances = [(one[i, j] - two[i, j]).norm().item() for i in range(4) for j in range(16)]
    assert loss_of("mpjpe", one, two).item() == pytest.approx(np.mean(distances))


def test_sigma_is_learnt_without_moving_the_positions(rng):
    """At the best σ of a distance d, 2d/σ + 3 ln σ is least: σ = 2d/3."""
    target = torch.from_numpy(rng.normal(size=(4, 17, 3)))
    position = target + torch.tensor([0.03, 0.0, 0.04])  # 5 cm off everywhere
    log_sigma = torch.full((4, 17, 1), np.log(2 * 0.05 / 3), requires_grad=True)
    moved = position.clone().requires_grad_()

    loss_of("mpjpe", torch.cat([moved, log_sigma], dim=-1), target).backward()
    alone = position.clone().requires_grad_()
    loss_of("mpjpe", alone, target).backward()

    torch.testing.assert_close(log_sigma.grad, torch.zeros_like(log_sigma), atol=1e-9, rtol=0)
    torch.testing.assert_close(moved.grad, alone.grad)
