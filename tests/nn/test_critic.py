"""The critic: what it sees, what it and its opponent minimise."""

import numpy as np
import pytest
import torch

from graphlift.nn.critic import Critic, critic_loss, pairwise_descriptor, realism_loss
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.training.optimizer import Optimizer


def test_the_descriptor_is_as_written_out(rng):
    poses = rng.normal(size=(3, 16, 3))

    found = pairwise_descriptor(torch.tensor(poses))

    written = [
        [
            [*(pose[j] - pose[i]), *((pose[j] - pose[i]) ** 2)]
            for i in range(16)
            for j in range(i + 1, 16)
        ]
        for pose in poses
    ]
    np.testing.assert_allclose(found.numpy(), written)


@pytest.mark.parametrize("skeleton", [H36M_16, H36M_17], ids=lambda s: s.name)
def test_it_does_not_matter_to_the_critic_where_a_pose_is(skeleton, rng):
    torch.manual_seed(0)
    critic = Critic(skeleton).double()
    poses = torch.tensor(rng.normal(size=(5, len(skeleton), 3)))

    torch.testing.assert_close(critic(poses + 2.5), critic(poses))
    assert not torch.allclose(critic(2 * poses), critic(poses))


def test_losses_are_least_squares():
    real, predicted = torch.tensor([1.0, 0.5, 3.0]), torch.tensor([0.0, -2.0])

    assert critic_loss(real, predicted).item() == pytest.approx(
        (0 + 0.25 + 4) / 3 / 2 + (0 + 4) / 2 / 2
    )
    assert realism_loss(predicted).item() == pytest.approx((1 + 9) / 2 / 2)


def test_a_critic_learns_to_tell_short_arms_from_long_ones(rng):
    torch.manual_seed(0)
    critic = Critic(H36M_16)
    optimizer = Optimizer(list(critic.parameters()), 1e-3)
    real = torch.tensor(rng.normal(0, 0.3, (64, 16, 3)), dtype=torch.float32)
    short = real.clone()
    short[:, 10:] *= 0.3
    for _ in range(60):
        critic.zero_grad()
        critic_loss(critic(real), critic(short)).backward()
        optimizer.step()

    assert critic(real).mean() > critic(short).mean() + 0.5
