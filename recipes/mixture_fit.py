"""Fit a mixture of probabilistic principal component analysers by expectation-maximisation.

Source: Tipping and Bishop, "Mixtures of probabilistic principal component analysers", Neural
Computation 11(2), 1999 (section 3 and appendix C).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

from graphlift.datasets.mocap.prior import Mixture


@dataclass(frozen=True, eq=False)
class Shrinkage:
    """A conjugate prior on each component's covariance, as if more points had been seen.

    Args:
        target: Covariance of the points imagined, S₀.
        points: How many are imagined for each component, ν; 0 is plain maximum likelihood.

    Source: Gauvain and Lee, "Maximum a posteriori estimation for multivariate Gaussian mixture
    observations of Markov chains", IEEE Transactions on Speech and Audio Processing 1994.
    """

    target: Float[np.ndarray, "feature feature"]
    points: float

    def penalty(self, mixture: Mixture) -> float:
        """Evaluate the log-prior up to a constant: −½ ν Σ (ln |C| + tr C⁻¹ S₀), in nats."""
        total = 0.0
        for W, noise in zip(mixture.factors, mixture.noise, strict=True):
            C = W @ W.T + noise * np.eye(len(W))
            total += np.linalg.slogdet(C)[1] + np.trace(np.linalg.solve(C, self.target))
        return float(-0.5 * self.points * total)


def fit_mixture(
    x: Float[np.ndarray, "frame feature"],
    components: int,
    latent: int,
    *,
    rng: np.random.Generator,
    shrinkage: Shrinkage | None = None,
    floor: float = 4e-4,
    rounds: int = 40,
    tolerance: float = 1e-3,
) -> tuple[Mixture, list[float]]:
    """Fit a mixture by expectation-maximisation in the log domain.

    Args:
        x: Points.
        components: Number of components.
        latent: Length of z, less than the number of features.
        rng: Chooses the first centres.
        shrinkage: Pulls every covariance towards one that is known; none by default.
        floor: Least σ²; it keeps a component from collapsing onto its points.
        rounds: Most rounds of EM.
        tolerance: Stop once a round gains less than this many nats a point.

    Returns:
        The mixture, and before each round the mean of the log-likelihood, the shrinkage's penalty
        included, which never falls.
    """
    if shrinkage is None:
        shrinkage = Shrinkage(np.zeros((x.shape[1], x.shape[1])), 0)
    mixture = _m_step(x, _first_shares(x, components, rng), latent, shrinkage, floor)
    trace: list[float] = []
    for _ in range(rounds):
        joint = log_joint(mixture, x)
        total = logsumexp(joint, axis=1)
        trace.append(float(total.mean() + shrinkage.penalty(mixture) / len(x)))
        if len(trace) > 1 and trace[-1] - trace[-2] < tolerance:
            break
        mixture = _m_step(x, np.exp(joint - total[:, None]), latent, shrinkage, floor)
    return mixture, trace


def log_joint(
    mixture: Mixture, x: Float[np.ndarray, "frame feature"]
) -> Float[np.ndarray, "frame component"]:
    """Evaluate ln π + ln N(x | μ, C) of each component, by inverting only the q × q matrix M.

    M's condition is that of C, largest variance over σ²: below 1e5 with fit_mixture's floor.

    Source: Tipping and Bishop 1999, with C⁻¹ = (I − W M⁻¹ Wᵀ) / σ² and M = σ² I + Wᵀ W.
    """
    d, q = mixture.factors.shape[1:]
    joint = np.empty((len(x), len(mixture.weights)))
    for k, (W, noise) in enumerate(zip(mixture.factors, mixture.noise, strict=True)):
        root = np.linalg.cholesky(noise * np.eye(q) + W.T @ W)
        away = x - mixture.means[k]
        within = away @ np.linalg.solve(root, W.T).T
        distance = ((away**2).sum(axis=1) - (within**2).sum(axis=1)) / noise
        volume = (d - q) * np.log(noise) + 2 * np.log(np.diag(root)).sum()
        joint[:, k] = -0.5 * (d * np.log(2 * np.pi) + volume + distance)
    return np.asarray(joint + np.log(mixture.weights))


def _m_step(
    x: Float[np.ndarray, "frame feature"],
    shares: Float[np.ndarray, "frame component"],
    latent: int,
    shrinkage: Shrinkage,
    floor: float,
) -> Mixture:
    """Maximise the expected log-likelihood: PCA of each component's weighted covariance.

    Source: Tipping and Bishop 1999: σ² is the mean of the discarded eigenvalues and
    W = U (Λ − σ² I)^½. Where σ² meets the floor, W is the maximiser given that floor.
    """
    mass = np.maximum(shares.sum(axis=0), 1e-12)
    means = shares.T @ x / mass[:, None]
    factors = np.empty((*means.shape, latent))
    noise = np.empty(len(means))
    for k, mean in enumerate(means):
        mine = shares[:, k] > 1e-9  # the others would change nothing but the time it takes
        away = x[mine] - mean
        scatter = (shares[mine, k, None] * away).T @ away
        scatter += shrinkage.points * shrinkage.target
        values, vectors = np.linalg.eigh(scatter / (mass[k] + shrinkage.points))
        noise[k] = max(values[: len(values) - latent].mean(), floor)
        kept = np.sqrt(np.maximum(values[len(values) - latent :] - noise[k], 0))
        factors[k] = vectors[:, len(values) - latent :] * kept
    return Mixture(mass / mass.sum(), means, factors, noise)


def _first_shares(
    x: Float[np.ndarray, "frame feature"], components: int, rng: np.random.Generator
) -> Float[np.ndarray, "frame component"]:
    """Assign each point to the nearest of some far-apart points, after ten rounds of k-means.

    Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    centres = x[[rng.integers(len(x))]]
    nearest = ((x - centres[0]) ** 2).sum(axis=1)
    for _ in range(components - 1):
        spread = nearest if nearest.any() else np.ones(len(x))
        centre = x[rng.choice(len(x), p=spread / spread.sum())]
        centres = np.vstack([centres, centre])
        nearest = np.minimum(nearest, ((x - centre) ** 2).sum(axis=1))
    for _ in range(10):
        of = _nearest(x, centres)
        counts = np.bincount(of, minlength=components)
        for k in np.flatnonzero(counts):
            centres[k] = x[of == k].mean(axis=0)
    return np.asarray(np.eye(components)[_nearest(x, centres)])


def _nearest(
    x: Float[np.ndarray, "frame feature"], centres: Float[np.ndarray, "component feature"]
) -> Int[np.ndarray, " frame"]:
    return np.asarray(((centres**2).sum(axis=1) - 2 * x @ centres.T).argmin(axis=1))
