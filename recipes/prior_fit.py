"""Fit the prior of poses to motion capture: the functions that ``recipes/fit_prior.py`` calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from mixture_fit import Shrinkage, fit_mixture, log_joint
from scipy.special import logsumexp

from graphlift.card import CMU
from graphlift.datasets import MotionCapture
from graphlift.datasets.mocap.prior import (
    BONE_LENGTHS,
    CLEARANCE_SCALE,
    FORMAT,
    LEGS,
    LENGTH_OF,
    LHIP,
    LIMBS,
    PLAIN,
    RHIP,
    Mixture,
    PosePrior,
    features_to_directions,
    joint_angles,
)
from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.geometry import bone_vectors, turn_about_z
from graphlift.skeletons import H36M_17

CREDIT = f"Parameters: Apache-2.0, the graphlift developers. {CMU}"
FEWEST = 500
"""Poses an activity needs; one with fewer is left out."""

LEEWAY = float(np.radians(5))
"""How much further than training subjects others may bend a joint, radians."""

STRIDE = 3
"""Every third frame is used: neighbours at 30 Hz say the same thing three times."""


@dataclass(frozen=True)
class FitChoice:
    """What held-out poses decide.

    Args:
        latent: Length of z.
        per_component: Poses a component stands for; an activity has as many components as that
            gives, at least one.
        imagined: Poses imagined for each component, spread as activities are on average.
    """

    latent: int = 40
    per_component: int = 200
    imagined: int = 200


def fit_prior(capture: MotionCapture, choice: FitChoice, *, seed: int = 0) -> PosePrior:
    """Fit everything.

    Args:
        capture: Training subjects only.
        choice: Size of the mixtures.
        seed: Chooses the first centres.

    Raises:
        FormatError: If no activity has enough poses, or fewer than three subjects have bone
            lengths of their own.
    """
    poses = usable_poses(capture)
    lowest, highest = angle_limits(np.concatenate([with_mirror(x) for x in poses.values()]))
    length_mean, length_factor = fit_lengths(subject_lengths(capture))
    return PosePrior(
        tuple(poses),
        shares_of(poses),
        fit_mixtures(poses, choice, seed=seed),
        np.array([_spread(capture, activity) for activity in poses]),
        np.array([np.quantile(x[:, -1], [0.01, 0.99]) for x in poses.values()]),
        lowest,
        highest,
        length_mean,
        length_factor,
        CREDIT,
        _how(capture, choice, seed),
    )


def fit_mixtures(
    poses: Mapping[str, Float[np.ndarray, "frame feature"]], choice: FitChoice, *, seed: int = 0
) -> tuple[Mixture, ...]:
    """Fit one mixture an activity, to poses and their mirror images.

    People differ in ways that the few seen in one component do not show, so each component's
    covariance is shrunk towards the mean covariance of whole activities.
    """
    whole = {activity: with_mirror(x) for activity, x in poses.items()}
    target = np.mean([np.cov(x.T) for x in whole.values()], axis=0)
    shrinkage = Shrinkage(target, choice.imagined)
    mixtures = []
    for x in whole.values():
        components = max(1, round(len(x) / 2 / choice.per_component))
        rng = np.random.default_rng(seed)
        mixture, _ = fit_mixture(x, components, choice.latent, rng=rng, shrinkage=shrinkage)
        mixtures.append(mixture)
    return tuple(mixtures)


def shares_of(poses: Mapping[str, Float[np.ndarray, "frame feature"]]) -> np.ndarray:
    """Share activities out by the square root of their poses, so that none drowns the others."""
    roots = np.sqrt([len(x) for x in poses.values()])
    return np.asarray(roots / roots.sum())


def features_by_activity(
    capture: MotionCapture, *, stride: int = STRIDE
) -> dict[str, Float[np.ndarray, "frame feature"]]:
    """Gather the features of every ``stride``-th frame that is not too fast, by activity."""
    gathered: dict[str, list[np.ndarray]] = {}
    for clip in capture.clips:
        positions = clip.positions[~clip.fast()][::stride].astype(float)
        gathered.setdefault(clip.activity, []).append(positions_to_features(positions))
    return {activity: np.concatenate(gathered[activity]) for activity in sorted(gathered)}


def usable_poses(capture: MotionCapture) -> dict[str, Float[np.ndarray, "frame feature"]]:
    """Gather the features of the activities with at least :data:`FEWEST` poses.

    Raises:
        FormatError: If there is no such activity.
    """
    found = features_by_activity(capture)
    poses = {activity: x for activity, x in found.items() if len(x) * STRIDE >= FEWEST}
    if not poses:
        raise FormatError(f"{capture.name}: no activity has {FEWEST} poses: give more clips")
    return poses


def with_mirror(x: Float[np.ndarray, "frame feature"]) -> Float[np.ndarray, "frame feature"]:
    """Append each pose with left and right exchanged."""
    limbs = x[:, :-2].reshape(len(x), -1, 3)
    joints = [joint for joint, name in enumerate(H36M_17.joints) if joint and name[1:] != "Hip"]
    swap = [joints.index(int(H36M_17.mirror[joint])) for joint in joints]
    twin = limbs[:, swap] * [-1, 1, 1]
    return np.vstack([x, np.column_stack([twin.reshape(len(x), -1), -x[:, -2], x[:, -1]])])


def held_out(
    mixtures: Sequence[Mixture],
    shares: Float[np.ndarray, " activity"],
    poses: Mapping[str, Float[np.ndarray, "frame feature"]],
) -> float:
    """Score a model on other people's poses, in nats a feature.

    The density is that of all activities together, since what a validation subject does under
    some name need not be what the training subjects did under it.

    Returns:
        The plain mean over the poses' activities of their mean log-density.
    """
    scores = []
    for x in poses.values():
        each = np.column_stack([logsumexp(log_joint(one, x), axis=1) for one in mixtures])
        scores.append(logsumexp(each + np.log(shares), axis=1).mean() / x.shape[1])
    return float(np.mean(scores))


def positions_to_features(
    positions: Float[np.ndarray, "frame joint 3"],
) -> Float[np.ndarray, "frame feature"]:
    """Describe poses by bone directions, slope of the pelvis and clearance, not heading and size.

    The inverse of :func:`graphlift.datasets.mocap.prior.features_to_positions`.

    Args:
        positions: m, world frame, z up; joints of :data:`graphlift.skeletons.H36M_17`.

    Returns:
        x, y, z of 14 unit directions; the sine of the slope from the left hip up to the right;
        0.1 ln(height of the lowest joint over length of leg), where heights below 2 cm count as
        2 cm.
    """
    across = positions[:, RHIP] - positions[:, LHIP]
    level = turn_about_z(positions, -np.arctan2(across[:, 1], across[:, 0]))
    vectors = bone_vectors(level, H36M_17.parents)
    lengths = np.linalg.norm(vectors, axis=-1)
    directions = vectors[:, LIMBS] / lengths[:, LIMBS, None]
    slope = across[:, 2] / np.linalg.norm(across, axis=-1)
    leg = lengths[:, np.array(LEGS)].sum(axis=-1).mean(axis=-1)
    clearance = np.log(np.maximum(positions[..., 2].min(axis=1), 0.02) / leg)
    return np.column_stack(
        [directions.reshape(len(positions), -1), slope, CLEARANCE_SCALE * clearance]
    )


def angle_limits(
    x: Float[np.ndarray, "frame feature"], *, beyond: float = 5e-4, leeway: float = LEEWAY
) -> tuple[Float[np.ndarray, " angle"], Float[np.ndarray, " angle"]]:
    """Find what bodies do, but for a share ``beyond`` on either side, and give some leeway."""
    angles = joint_angles(features_to_directions(x))
    lowest, highest = np.quantile(angles, [beyond, 1 - beyond], axis=0)
    return lowest - leeway, highest + leeway


def subject_lengths(capture: MotionCapture) -> Float[np.ndarray, "person bone"]:
    """Measure the bodies that are the subjects' own: median lengths, m, sides averaged."""
    by_subject: dict[str, list[np.ndarray]] = {}
    for clip in capture.clips:
        if clip.own_skeleton:
            bones = np.linalg.norm(bone_vectors(clip.positions, H36M_17.parents), axis=-1)
            by_subject.setdefault(clip.subject, []).append(bones)
    medians = [np.median(np.concatenate(all_), axis=0) for all_ in by_subject.values()]
    free = range(len(BONE_LENGTHS))
    return np.array(
        [[median[1:][LENGTH_OF[1:] == bone].mean() for bone in free] for median in medians]
    )


def fit_lengths(
    lengths: Float[np.ndarray, "person bone"],
) -> tuple[Float[np.ndarray, " bone"], Float[np.ndarray, "bone bone"]]:
    """Fit a log-normal to a few bodies, shrinking their covariance as far as they advise.

    The target of the shrinkage has one variance and one correlation for all bones; how far to go
    is what predicts each body best from the others.

    Returns:
        Mean of the logarithms and Cholesky factor of their covariance.

    Raises:
        FormatError: If there are fewer than three bodies.

    Source: Ledoit and Wolf, "Honey, I shrunk the sample covariance matrix", Journal of Portfolio
    Management 2004 (constant correlation); leave-one-out in place of their formula.
    """
    if len(lengths) < 3:
        raise FormatError(
            f"{len(lengths)} subjects have bone lengths of their own: at least three are needed"
        )
    logs = np.log(lengths)
    scores = {
        share: sum(_leave_out(logs, person, share) for person in range(len(logs)))
        for share in np.linspace(0.1, 1, 10)
    }
    best = max(scores, key=lambda share: scores[share])
    return logs.mean(axis=0), np.linalg.cholesky(_shrunk(logs, best))


def _leave_out(logs: Float[np.ndarray, "person bone"], person: int, share: float) -> float:
    others = np.delete(logs, person, axis=0)
    factor = np.linalg.cholesky(_shrunk(others, share))
    z = np.linalg.solve(factor, logs[person] - others.mean(axis=0))
    return float(-np.log(np.diag(factor)).sum() - 0.5 * (z**2).sum())


def _shrunk(
    logs: Float[np.ndarray, "person bone"], share: float
) -> Float[np.ndarray, "bone bone"]:
    sample = np.cov(logs.T)
    variance = np.diag(sample).mean()
    count = len(sample)
    correlation = (sample.sum() - np.trace(sample)) / (count * (count - 1)) / variance
    correlation = float(np.clip(correlation, 0, 0.95))
    target = variance * (correlation + (1 - correlation) * np.eye(count))
    return np.asarray((1 - share) * sample + share * target)


def _spread(capture: MotionCapture, activity: str) -> float:
    roots = [clip.positions[:, 0, :2] for clip in capture.clips if clip.activity == activity]
    return float(np.sqrt(np.mean(np.concatenate(roots) ** 2)))


def _how(capture: MotionCapture, choice: FitChoice, seed: int) -> str:
    return (
        f"sampled from a prior fitted by recipes/fit_prior.py to {', '.join(capture.subjects)} "
        f"({len(capture)} poses, SHA-256 {capture.digest}), {choice}, seed {seed}"
    )


def pack_prior(prior: PosePrior) -> dict[str, np.ndarray]:
    """Lay parameters out as arrays for a ``.npz``; ``load_prior`` reads them.

    Numbers are float32; means and factors float16, since a thousandth of them is under 0.1°.
    """
    numbers = {
        "shares": prior.shares,
        "weights": np.concatenate([mixture.weights for mixture in prior.mixtures]),
        "means": np.concatenate([mixture.means for mixture in prior.mixtures]),
        "factors": np.concatenate([mixture.factors for mixture in prior.mixtures]),
        "noise": np.concatenate([mixture.noise for mixture in prior.mixtures]),
        **{name: getattr(prior, name) for name in PLAIN},
    }
    return {
        "format": np.array(FORMAT),
        "activities": np.array(prior.activities),
        "components": np.array([len(mixture.weights) for mixture in prior.mixtures]),
        "license": np.array(prior.license),
        "fitted": np.array(prior.fitted),
        **{
            name: np.asarray(
                array, dtype=np.float16 if name in ("means", "factors") else np.float32
            )
            for name, array in numbers.items()
        },
    }


def write_prior(path: Path, prior: PosePrior) -> None:
    """Write the parameters, whole or not at all."""
    with replacing(path) as beside:
        np.savez_compressed(beside, **pack_prior(prior))  # type: ignore[arg-type]
