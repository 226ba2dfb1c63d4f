"""A mixture density network: several poses that keypoints may show, and how likely each is."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.baselines import DenseLayer, dense_blocks, residual
from graphlift.skeletons import H36M_16, Skeleton

HYPOTHESES = 5
"""Poses of an answer."""
UNIT = 0.25
"""m: the unit of what the heads give. Published poses are in units of their own standard
deviations, which are about as large; in metres, the first steps of training would throw hypotheses
so far away that they never become likely again."""
LEAST = 1e-3
"""m: the least standard deviation; with none, a pose that is hit exactly would be infinitely
likely."""
PRIOR = 2.0
"""β: the prior counts as if each hypothesis had been the true one β - 1 times more often."""


class Mixture(NamedTuple):
    """A mixture of M normal densities of the pose, each the same in all directions.

    Args:
        poses: (batch, hypothesis, joint, 3), means μ_m of the densities: root-relative, m, camera
            axes.
        sigma: (batch, hypothesis), the standard deviation σ_m of each coordinate, m.
        log_weight: (batch, hypothesis), log α_m; the weights α_m sum to 1.
    """

    poses: Tensor
    sigma: Tensor
    log_weight: Tensor

    @property
    def pose(self) -> Tensor:
        """The hypothesis of the largest weight, (batch, joint, 3)."""
        likely = self.log_weight.argmax(dim=1)[:, None, None, None]
        return torch.take_along_dim(self.poses, likely, dim=1).squeeze(1)

    @property
    def log_sigma(self) -> Tensor:
        """Logarithm of how far the truth is from :attr:`pose`, a coordinate, (batch, joint).

        The square expected of it is Σ_m α_m (σ_m² + ‖μ_m - pose‖² / 3).
        """
        apart = (self.poses - self.pose[:, None]).square().mean(dim=-1)
        of_each = self.sigma.square()[:, :, None] + apart
        return torch.einsum("bm,bmj->bj", self.log_weight.exp(), of_each).log() / 2


class MixtureDensity(nn.Module):
    """Mixture density network: five hypotheses of the pose, with weights and spreads.

    With f the features of the 2D pose, from the residual blocks of
    :class:`graphlift.nn.baselines.Martinez`:

        μ_m = s (U_m f + u_m),   σ_m = s (ELU(v_m · f + v'_m) + 1) + ε,   α = softmax(A f + a)

        p(P) = Σ_m α_m N(P; μ_m, σ_m² I)

    with s :data:`UNIT` and ε :data:`LEAST`. Hypotheses start near one another, each U_m by
    Kaiming's draw but all together of norm 1, as the published bound on norms has it; A, a, v and
    v' start at zero. The loss is :func:`mixture_loss`, ``loss = "likelihood"``.

    Its single answer is the most likely hypothesis, :attr:`Mixture.pose`, which is what is
    validated and scored. Beside it are scored the mean of the mixture, and the hypothesis nearest
    to the truth, which only an oracle can choose. On validation people the most likely errs less
    than the mean: the prior leaves hypotheses that are wrong a weight of a sixth or so.

    Input and output are those of every network of the study, and the root counts as a joint. The
    published network has standardised poses, without the root.

    Args:
        skeleton: The body; the order of joints that go in and come out.
        channels: Width of the hidden vectors; 1024 in the paper.
        blocks: Residual blocks of two layers.
        dropout: Share of features dropped after each ReLU in training; 0.5 in the paper.
        features: Numbers a joint of the input: 2, or with confidence 3.

    Source: Li and Lee, "Generating multiple hypotheses for 3D human pose estimation with mixture
    density network", CVPR 2019; ELU + 1, β and blocks from its published code. At its width it has
    4.50 M parameters, as theirs.
    """

    def __init__(
        self,
        skeleton: Skeleton = H36M_16,
        *,
        channels: int = 1024,
        blocks: int = 2,
        dropout: float = 0.0,
        features: int = 2,
    ) -> None:
        super().__init__()
        joints = len(skeleton)
        self.input = DenseLayer(joints * features, channels, dropout)
        self.blocks = dense_blocks(channels, blocks, dropout)
        self.poses = nn.Linear(channels, HYPOTHESES * joints * 3)
        self.spreads = nn.Linear(channels, HYPOTHESES)
        self.weights = nn.Linear(channels, HYPOTHESES)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        with torch.no_grad():
            self.poses.weight /= self.poses.weight.norm()
        for parameter in (*self.spreads.parameters(), *self.weights.parameters()):
            nn.init.zeros_(parameter)

    @property
    def heads(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        """What gives the hypotheses, their spreads and their weights."""
        return self.poses, self.spreads, self.weights

    def forward(self, keypoints: Float[Tensor, "batch joint feature"]) -> Mixture:
        """Lift keypoints: screen-normalised, or canonical ones with confidence."""
        f = residual(self.input(keypoints.flatten(1)), self.blocks)
        return Mixture(
            UNIT * self.poses(f).unflatten(1, (HYPOTHESES, keypoints.shape[1], 3)),
            UNIT * (nn.functional.elu(self.spreads(f)) + 1) + LEAST,
            self.weights(f).log_softmax(dim=1),
        )


def log_likelihood(
    said: Mixture, target: Float[Tensor, "batch joint 3"]
) -> Float[Tensor, " batch"]:
    """The logarithm of the mixture's density at the true pose, nats.

        log Σ_m exp(log α_m - c log σ_m - c/2 log 2π - ‖P - μ_m‖² / (2 σ_m²))

    where c is the number of coordinates and lengths are in m.
    """
    c = target[0].numel()
    squares = (target[:, None] - said.poses).square().sum(dim=(2, 3))
    each = said.log_weight - c * said.sigma.log() - squares / (2 * said.sigma.square())
    return each.logsumexp(dim=1) - c / 2 * math.log(2 * math.pi)


def log_prior(said: Mixture) -> Float[Tensor, " batch"]:
    """The logarithm of Dirichlet's density at the weights, nats: (β - 1) Σ_m log α_m - log B(β).

    It keeps the weights from gathering on a single hypothesis.
    """
    count = said.log_weight.shape[1]
    log_beta = count * math.lgamma(PRIOR) - math.lgamma(count * PRIOR)
    return (PRIOR - 1) * said.log_weight.sum(dim=1) - log_beta


def mixture_loss(said: Mixture, target: Float[Tensor, "batch joint 3"]) -> Tensor:
    """Mean of -log_likelihood - log_prior over poses, in nats a coordinate.

    A coordinate's share keeps gradients in the range that clipping is set for; Adam does not see
    the factor.
    """
    return -(log_likelihood(said, target) + log_prior(said)).mean() / target[0].numel()
