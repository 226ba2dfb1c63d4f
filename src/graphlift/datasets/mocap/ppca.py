"""Mixtures of probabilistic principal component analysers: density and draws.

Each component says that a point is ``x = W z + μ + ε`` with ``z`` standard normal and ``ε``
isotropic of variance σ², so its covariance is ``C = W Wᵀ + σ² I``. Nothing here knows poses.

Source: Tipping and Bishop, "Mixtures of probabilistic principal component analysers", Neural
Computation 11(2), 1999 (sections 2 and 3).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Mixture:
    """Parameters of a mixture of probabilistic PCAs.

    Args:
        weights: π, the share of each component; they add up to 1.
        means: μ.
        factors: W.
        noise: σ², a variance.
    """

    weights: Float[np.ndarray, " component"]
    means: Float[np.ndarray, "component feature"]
    factors: Float[np.ndarray, "component feature latent"]
    noise: Float[np.ndarray, " component"]

    def log_density(self, x: Float[np.ndarray, "frame feature"]) -> Float[np.ndarray, " frame"]:
        """Evaluate ln p(x) = ln Σ π N(x | μ, C), in nats."""
        return log_sum(self.log_joint(x))

    def log_joint(
        self, x: Float[np.ndarray, "frame feature"]
    ) -> Float[np.ndarray, "frame component"]:
        """Evaluate ln π + ln N(x | μ, C) of each component, by inverting only the q × q matrix M.

        M's condition is that of C, largest variance over σ²: below 1e5 with fit_mixture's floor.

        Source: Tipping and Bishop 1999, with C⁻¹ = (I − W M⁻¹ Wᵀ) / σ² and M = σ² I + Wᵀ W.
        """
        d, q = self.factors.shape[1:]
        joint = np.empty((len(x), len(self.weights)))
        for k, (W, noise) in enumerate(zip(self.factors, self.noise, strict=True)):
            root = np.linalg.cholesky(noise * np.eye(q) + W.T @ W)
            away = x - self.means[k]
            within = away @ np.linalg.solve(root, W.T).T
            distance = ((away**2).sum(axis=1) - (within**2).sum(axis=1)) / noise
            volume = (d - q) * np.log(noise) + 2 * np.log(np.diag(root)).sum()
            joint[:, k] = -0.5 * (d * np.log(2 * np.pi) + volume + distance)
        return np.asarray(joint + np.log(self.weights))

    def draw(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "frame feature"]:
        """Draw independent points."""
        d, q = self.factors.shape[1:]
        of = rng.choice(len(self.weights), size=count, p=self.weights)
        z = rng.standard_normal((count, q))
        x = self.means[of] + np.sqrt(self.noise[of])[:, None] * rng.standard_normal((count, d))
        for k in np.unique(of):
            x[of == k] += z[of == k] @ self.factors[k].T
        return np.asarray(x)


def log_sum(joint: Float[np.ndarray, "frame component"]) -> Float[np.ndarray, " frame"]:
    """Add up over components what is given as logarithms: ln Σ exp."""
    highest = joint.max(axis=1)
    return np.asarray(highest + np.log(np.exp(joint - highest[:, None]).sum(axis=1)))
