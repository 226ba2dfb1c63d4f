"""Simulated 2D detections of whole clips: errors that last, as a detector's do.

In any one frame the errors have the distribution of
:func:`graphlift.simulated_detector.simulate` at the same level, so figures of single frames stay
comparable. Over time:

* *jitter*: the direction and size of a joint's error drift (an Ornstein-Uhlenbeck process, sampled
  once a frame); its width is that of Student's t and stays the same until a new one is drawn, so
  large errors come in bursts;
* *swap*: left and right are confused for an episode, in which each frame decides anew; often legs
  and arms together;
* *miss*: a joint stays at the same place near its parent for a few hundredths of a second;
* *loss*: joints for moments, and limbs for stretches, are not reported at all.

A mistake that lasts is held by a uniform number that is drawn anew at random times: the mistake is
made while the number is below its chance. That is a two-state Markov chain whose share of time is
the chance itself, also where the chance changes because a limb comes into sight.

All times are in seconds: a clip of 60 frames a second, every fourth of them taken, has the
statistics of one of 15. Source of the times: ``recipes/fit_detector_noise.py``, on two cameras of
one film (docs/protocol.md says what is fitted and what is chosen).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.errors import ConfigError
from graphlift.simulated_detector import (
    HIDDEN,
    JITTER,
    MISS,
    MISS_SPREAD,
    REFERENCE_SIZE,
    SWAP,
    joint_factors,
    limb_pairs,
    person_size,
)
from graphlift.skeletons import Skeleton

JITTER_SECONDS = 0.19
"""s; the time in which the correlation of a joint's jitter falls to 1/e, bursts apart. Fitted."""
BURST_SECONDS = 0.1
"""s; the mean time for which the width of a joint's jitter stays the same. Fitted."""
SWAP_SECONDS = 0.45
"""s; mean duration of an episode in which left and right are confused. Fitted, to one episode."""
SWAP_SHARE = 0.7
"""Share of the frames of an episode that are swapped. Fitted, to the same one."""
SWAP_TOGETHER = 0.5
"""Share of the swaps of a limb that legs and arms have in common. Chosen."""
MISS_SECONDS = 0.02
"""s; mean duration of a miss. Fitted, to nine."""

DROP_SECONDS = 0.02
"""s; mean duration of the loss of a joint. Fitted."""
DROP = {"visible": 0.004, "hidden": 0.04}
"""Chance that a joint is lost by itself; in the mean about as often as in the film."""
LIMB_SECONDS = 0.3
"""s; mean duration of the loss of a limb. Chosen: the cameras of the fit see every limb."""
LIMB = {"visible": 0.003, "hidden": 0.06}
"""Chance that a limb is lost, and the same when one of its joints is hidden. Chosen."""

CONFIDENCE_SECONDS = 0.1
"""s; the time in which the correlation of a confidence's own noise falls to 1/e. Fitted."""
CONFIDENCE_SPREAD = 0.1
CONFIDENCE_SLOPE = (2.0, 12.0)
"""Confidence is exp(-slope × error / person size) and noise; the slope is drawn for each clip."""
LEAST_CONFIDENCE = 0.05
"""Of a joint that is not lost."""

_ARM, _LEG = ("Elbow", "Wrist"), ("Knee", "Foot", "BigToe", "SmallToe", "Heel")
_LOST_TOGETHER = tuple(
    tuple(f"{side}{name}" for name in limb) for limb in (_ARM, _LEG, _LEG[1:]) for side in "LR"
)

_DRAWS_ALIKE = 2 / np.pi
"""(E c^-1/2)² / E c^-1 for χ² of 3 degrees of freedom: two independent widths, against one."""


@dataclass(frozen=True, eq=False)
class DetectedClip:
    """What a simulated detector reports of clips.

    Args:
        keypoints: Reported positions of the joints, px; NaN where a joint is lost.
        error: Distance from the true positions, px; NaN where a joint is lost.
        confidence: From 0.05 to 1; 0 exactly where a joint is lost.
    """

    keypoints: Float[np.ndarray, "*clip frame joint 2"]
    error: Float[np.ndarray, "*clip frame joint"]
    confidence: Float[np.ndarray, "*clip frame joint"]


def simulate_clip(
    keypoints: Float[np.ndarray, "*clip frame joint 2"],
    hidden: Bool[np.ndarray, "*clip frame joint"],
    skeleton: Skeleton,
    *,
    fps: float,
    level: float | Float[np.ndarray, "*clip"],
    seed: int | Sequence[int],
) -> DetectedClip:
    """Simulate a detector on clips, each seen by one camera that does not cut.

    With the same seed, a higher level makes the same mistakes, but larger, and additional ones.

    Args:
        keypoints: True image positions, px or any other unit.
        hidden: From :func:`graphlift.simulated_detector.occluded`.
        skeleton: Human3.6M's 16 or 17 joints, or body-28.
        fps: Frames a second.
        level: As for :func:`graphlift.simulated_detector.simulate`, for all clips or for each; at
            0 the truth is reported, with confidence 1.
        seed: Two calls with the same seed and arguments agree bitwise.

    Raises:
        ConfigError: If the frame rate is not a positive number.
    """
    if not 0 < fps < np.inf:
        raise ConfigError(f"fps = {fps}: frames a second are a positive number, such as 30")
    rng = np.random.default_rng(seed)
    levels = np.asarray(level, dtype=float)[..., None, None]
    size = person_size(keypoints)[..., None]

    seen = _swap(keypoints, hidden, skeleton, levels, fps, rng)
    missed, wrong = _miss(keypoints, hidden, skeleton, levels, fps, rng)
    width = JITTER * levels * joint_factors(skeleton) * np.where(hidden, HIDDEN, 1)
    jitter = unit_jitter(hidden.shape, fps, rng) * (width * size / REFERENCE_SIZE)[..., None]
    found = np.where(missed[..., None], wrong, seen + jitter)

    error = np.linalg.norm(found - keypoints, axis=-1)
    confidence = _confidence(error / np.maximum(size, 1e-12), levels, fps, rng)
    lost = _lose(hidden, skeleton, levels, fps, rng)
    return DetectedClip(
        np.where(lost[..., None], np.nan, found),
        np.where(lost, np.nan, error),
        np.where(lost, 0.0, confidence),
    )


def unit_jitter(
    shape: tuple[int, ...],
    fps: float,
    rng: np.random.Generator,
    *,
    drift: float = JITTER_SECONDS,
    burst: float = BURST_SECONDS,
) -> Float[np.ndarray, "*clip frame joint 2"]:
    """Draw planar t noise, 3 degrees of freedom, of mean length 1, that drifts and bursts.

    Args:
        shape: Clips, frames and joints.
        fps: Frames a second.
        rng: Random generator.
        drift: As :data:`JITTER_SECONDS`.
        burst: As :data:`BURST_SECONDS`.
    """
    normal = np.stack([_drift(shape, drift, fps, rng) for _ in range(2)], axis=-1)
    last = _last_draw(shape, burst, fps, rng)
    chi = np.sqrt(_hold(rng.chisquare(3, size=shape), last) / 3)
    return np.asarray(normal / chi[..., None] / np.sqrt(3))


def jitter_correlation(
    seconds: Float[np.ndarray, " lag"],
    *,
    drift: float = JITTER_SECONDS,
    burst: float = BURST_SECONDS,
) -> Float[np.ndarray, " lag"]:
    """State how jitter is correlated with itself a time later, between mistakes.

    exp(-τ / drift), times E[(c₀ c_τ)^-1/2] / E[c^-1] for the χ² under t's root: both are the same
    number with probability exp(-τ / burst), else independent.
    """
    same = np.exp(-seconds / burst)
    return np.asarray(np.exp(-seconds / drift) * (same + (1 - same) * _DRAWS_ALIKE))


def _swap(
    keypoints: np.ndarray,
    hidden: np.ndarray,
    skeleton: Skeleton,
    levels: np.ndarray,
    fps: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Exchange left and right of legs and arms in some frames of some episodes."""
    pairs = limb_pairs(skeleton)
    obscure = np.stack([hidden[..., np.concatenate(pair)].any(axis=-1) for pair in pairs], axis=-1)
    episode = np.where(obscure, SWAP["hidden"], SWAP["visible"]) * levels / SWAP_SHARE
    together = SWAP_TOGETHER * episode
    alone = (episode - together) / (1 - together)  # so that either happens as often as stated
    last = _last_draw((*hidden.shape[:-1], 1 + len(pairs)), SWAP_SECONDS, fps, rng)
    held = _hold(rng.random(last.shape), last)
    confused = (held[..., :1] < together) | (held[..., 1:] < alone)
    swapped = confused & (rng.random((*hidden.shape[:-1], 1)) < SWAP_SHARE)
    seen = keypoints.copy()
    for limb, (left, right) in enumerate(pairs):
        at = swapped[..., limb, None, None]
        seen[..., left, :] = np.where(at, keypoints[..., right, :], keypoints[..., left, :])
        seen[..., right, :] = np.where(at, keypoints[..., left, :], keypoints[..., right, :])
    return seen


def _miss(
    keypoints: np.ndarray,
    hidden: np.ndarray,
    skeleton: Skeleton,
    levels: np.ndarray,
    fps: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the joints that are missed, and where each is found instead: near its parent."""
    last = _last_draw(hidden.shape, MISS_SECONDS, fps, rng)
    chance = np.where(hidden, MISS["hidden"], MISS["visible"]) * levels
    missed = _hold(rng.random(hidden.shape), last) < chance
    parents = [max(parent, 0) for parent in skeleton.parents]
    away = rng.standard_normal((2, *hidden.shape))
    spread = MISS_SPREAD * np.stack([_hold(axis, last) for axis in away], axis=-1)
    size = person_size(keypoints)[..., None, None]
    return missed, keypoints[..., parents, :] + spread * size


def _confidence(
    error: np.ndarray, levels: np.ndarray, fps: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw confidences that fall with the error, relative to the person's size, with noise."""
    slope = rng.uniform(*CONFIDENCE_SLOPE, size=(*error.shape[:-2], 1, 1))
    spread = CONFIDENCE_SPREAD * np.minimum(levels, 1)
    noise = _drift(error.shape, CONFIDENCE_SECONDS, fps, rng)
    guess = np.exp(-slope * error) + spread * noise
    return np.asarray(np.clip(guess, LEAST_CONFIDENCE, 1))


def _lose(
    hidden: np.ndarray,
    skeleton: Skeleton,
    levels: np.ndarray,
    fps: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Choose the joints that are not reported: single ones for moments, limbs for longer."""
    last = _last_draw(hidden.shape, DROP_SECONDS, fps, rng)
    chance = np.where(hidden, DROP["hidden"], DROP["visible"]) * levels
    lost = _hold(rng.random(hidden.shape), last) < chance
    last = _last_draw((*hidden.shape[:-1], len(_LOST_TOGETHER)), LIMB_SECONDS, fps, rng)
    held = _hold(rng.random(last.shape), last)
    for limb, names in enumerate(_LOST_TOGETHER):
        joints = skeleton.index(*(name for name in names if name in skeleton.joints))
        obscure = hidden[..., joints].any(axis=-1, keepdims=True)
        chance = np.where(obscure, LIMB["hidden"], LIMB["visible"]) * levels
        lost[..., joints] |= held[..., [limb]] < chance
    return np.asarray(lost)


def _last_draw(
    shape: tuple[int, ...], seconds: float, fps: float, rng: np.random.Generator
) -> Int[np.ndarray, "*clip frame what"]:
    """Draw times, ``seconds`` apart in the mean; the frame in which the last of them fell.

    Between two frames one falls with the probability 1 - exp(-1 / (fps × seconds)).
    """
    drawn = rng.random(shape) < -np.expm1(-1 / (fps * seconds))
    frames = np.arange(shape[-2])[:, None]
    return np.asarray(np.maximum.accumulate(np.where(drawn, frames, 0), axis=-2))


def _hold(
    draws: Float[np.ndarray, "*clip frame what"], last: Int[np.ndarray, "*clip frame what"]
) -> Float[np.ndarray, "*clip frame what"]:
    """Keep each number until the next is drawn."""
    return np.take_along_axis(draws, last, axis=-2)


def _drift(
    shape: tuple[int, ...], seconds: float, fps: float, rng: np.random.Generator
) -> Float[np.ndarray, "*clip frame what"]:
    """Draw stationary normal noise of variance 1 and correlation exp(-τ / seconds)."""
    from scipy.signal import lfilter

    kept = np.exp(-1 / (fps * seconds))
    before = rng.standard_normal((*shape[:-2], 1, shape[-1]))
    new = rng.standard_normal(shape)
    if not new.size:
        return new
    drifting, _ = lfilter([np.sqrt(1 - kept**2)], [1, -kept], new, axis=-2, zi=kept * before)
    return np.asarray(drifting)
