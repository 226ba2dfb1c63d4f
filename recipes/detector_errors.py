"""Errors of detectors over time: the measures of ``recipes/fit_detector_noise.py``, on arrays."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from graphlift.detector_noise import unit_jitter
from graphlift.simulated_detector import JITTER, REFERENCE_SIZE, joint_factors, person_size
from graphlift.skeletons import H36M_17

BODY = tuple(
    f"{side}{joint}"
    for joint in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
    for side in "LR"
)
FACE = ("Nose", "LEye", "REye", "LEar", "REar")
FEET = ("LHeel", "RHeel", "LFootIndex", "RFootIndex")
LIMBS = (("Hip", "Knee", "Ankle"), ("Shoulder", "Elbow", "Wrist"))
GROSS = 0.1
"""Errors beyond this share of the person's size are misses."""
FILMS, FRAMES = 100, 100
"""Films that are simulated, and the frames of each: those of the real ones."""
T_WIDTHS = (np.pi**2 / 2 - 4) / 4
LOG_SHARE = T_WIDTHS / (np.pi**2 / 24 + T_WIDTHS)
"""What the logarithms of two steps of one width correlate by: planar t, 3 degrees of freedom. The
variance of the logarithm of √χ²₃ is ψ'(3/2) / 4, of a planar normal's length ψ'(1) / 4."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What one detector made of one view.

    Args:
        error: From the reference, px of a person of reference size.
        confidence: The detector's own.
        swapped: Frames in which (legs, arms) lie nearer to the other side's reference.
        gross: Joints that are missed: far off, and not swapped.
        joints: Names.
    """

    error: np.ndarray  # frame joint 2
    confidence: np.ndarray  # frame joint
    swapped: np.ndarray  # frame 2
    gross: np.ndarray  # frame joint
    joints: tuple[str, ...]

    @property
    def crossed(self):
        """Joints of a limb that is swapped."""
        crossed = np.zeros(self.gross.shape, dtype=bool)
        for limb, names in enumerate(LIMBS):
            at = [self.joints.index(f"{side}{name}") for name in names for side in "LR"]
            crossed[:, at] = self.swapped[:, [limb]]
        return crossed

    @property
    def length(self):
        """How far off each joint is, px; NaN where its limb is swapped."""
        return np.where(self.crossed, np.nan, np.linalg.norm(self.error, axis=-1))

    @property
    def jitter(self):
        """The error where nothing is mistaken, else NaN."""
        return np.where((self.gross | self.crossed)[..., None], np.nan, self.error)


def compare(keypoints, confidence, reference, joints):
    """Measure detected joints against the reference's place in the same image.

    Args:
        keypoints: (frame, joint, 2), px.
        confidence: (frame, joint).
        reference: (frame, joint, 2), px; may have more joints, after the detector's.
        joints: Names of the detector's.
    """
    truth = reference[:, : len(joints)]
    scale = (REFERENCE_SIZE / person_size(reference))[:, None, None]
    swapped = [find_swaps(keypoints, truth, joints, limb) for limb in LIMBS]
    error = (keypoints - truth) * scale
    far = np.linalg.norm(error, axis=-1) > GROSS * REFERENCE_SIZE
    seen = Seen(error, confidence, np.stack(swapped, axis=-1), np.zeros_like(far), joints)
    return replace(seen, gross=far & ~seen.crossed)


def find_swaps(found, truth, joints, limb):
    """Frames in which a pair of limbs is at least twice as near to the other side's reference."""
    left, right = ([joints.index(f"{side}{name}") for name in limb] for side in "LR")
    here, there = [*left, *right], [*right, *left]
    kept, crossed = (
        np.linalg.norm(found[:, here] - truth[:, places], axis=-1).sum(axis=1)
        for places in (here, there)
    )
    return crossed < kept / 2


def autocovariance(errors, lags):
    """Of joints' errors about 0, px²; a constant offset is part of it.

    It is the mean square less half the mean square of the step over the lag, so that a lag's ends
    need not be seen.
    """
    square = np.nanmean((errors**2).sum(axis=-1))
    steps = (
        0.0 if lag == 0 else np.nanmean(((errors[lag:] - errors[:-lag]) ** 2).sum(axis=-1))
        for lag in lags
    )
    return np.array([square - step / 2 for step in steps])


def three_cornered(blazepose, movenet, lags):
    """Autocovariance of the errors of BlazePose, MoveNet and the reference, each by itself."""
    a, b = (seen.jitter[:, : len(BODY)] for seen in (blazepose, movenet))
    of_a, of_b, between = (autocovariance(each, lags) for each in (a + 0 * b, b + 0 * a, a - b))
    return (
        (of_a + between - of_b) / 2,
        (of_b + between - of_a) / 2,
        (of_a + of_b - between) / 2,
    )


def burst_correlation(errors, lags):
    """Of the logarithms of steps between frames, as a share of what one width gives."""
    log = np.log(np.linalg.norm(np.diff(errors, axis=0), axis=-1) + 1e-3)
    log -= np.nanmean(log, axis=0)
    return np.array(
        [np.nanmean(log[lag:] * log[:-lag]) / np.nanmean(log**2) / LOG_SHARE for lag in lags]
    )


def centred_correlation(values, lags):
    """Autocorrelation of (frame, joint) about each joint's mean over the film."""
    about = values - values.mean(axis=0)
    return np.array([np.mean(about[lag:] * about[:-lag]) / np.mean(about**2) for lag in lags])


def runs(mask):
    """Lengths of stretches of frames that are true."""
    edges = np.diff(np.concatenate([[0], np.asarray(mask, dtype=int), [0]]))
    return np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)


def all_runs(masks):
    return np.concatenate([runs(column) for column in masks.T])


def chain_seconds(lengths, fps):
    """Mean duration of a two-state chain in continuous time whose runs are so long in frames.

    It stays for another frame with the probability exp(-1 / (fps × duration)) = 1 - 1 / mean.
    """
    mean = np.mean(lengths)
    return -1 / (fps * np.log(1 - 1 / mean)) if mean > 1 else 0.0


def join(mask, frames):
    """Fill gaps of fewer than ``frames``."""
    at = np.flatnonzero(mask)
    filled = np.array(mask)
    for start, stop in pairwise(at):
        if stop - start - 1 < frames:
            filled[start:stop] = True
    return filled


def fit_decay(correlation, seconds):
    """The time constant of the exponential that is nearest, least squares, s."""
    found = minimize_scalar(
        lambda log: ((np.exp(-seconds / np.exp(log)) - correlation) ** 2).sum(),
        bounds=(np.log(1e-3), np.log(30)),
        method="bounded",
    )
    return float(np.exp(found.x))


def measure_jitter(errors, lags, burst_lags):
    """RMS, px, autocorrelation and bursts of joints' errors (frame, joint, 2) within the bulk."""
    far = np.linalg.norm(errors, axis=-1) > GROSS * REFERENCE_SIZE
    errors = np.where(far[..., None], np.nan, errors)
    covariance = autocovariance(errors, (0, *lags))
    return (
        np.sqrt(covariance[0]),
        covariance[1:] / covariance[0],
        burst_correlation(errors, burst_lags),
    )


def simulate_errors(fps, level, **times):
    """Simulated jitter of the body (frame, joint, 2), px: films beside each other, as joints.

    Films are as long as the real ones: their length biases the measures of both alike.
    """
    names = [name.replace("Ankle", "Foot") for name in BODY]
    width = JITTER * level * joint_factors(H36M_17)[H36M_17.index(*names)]
    jitter = unit_jitter((FILMS, FRAMES, len(BODY)), fps, np.random.default_rng(0), **times)
    return np.moveaxis(jitter * width[:, None], 1, 0).reshape(FRAMES, -1, 2)


def fit_jitter(rms, correlation, bursts, lags, burst_lags, fps):
    """Level and times of simulated jitter that, measured alike, is as measured; least squares.

    Returns:
        Level, and drift and burst as of :func:`graphlift.detector_noise.unit_jitter`, s.
    """
    goal = np.concatenate([[1], correlation, bursts])

    def miss(logs):
        level, drift, burst = np.exp(logs)
        errors = simulate_errors(fps, level, drift=drift, burst=burst)
        found = measure_jitter(errors, lags, burst_lags)
        return ((np.concatenate([[found[0] / rms], *found[1:]]) - goal) ** 2).sum()

    start = np.log([1.5, 0.2, 0.1])
    best = minimize(miss, start, method="Nelder-Mead", options={"xatol": 0.01, "fatol": 1e-6})
    return np.exp(best.x)


def tail_index(lengths):
    """Hill's estimate from the longest twentieth; that of the model is 3."""
    lengths = np.sort(lengths)[::-1]
    most = len(lengths) // 20
    return 1 / np.mean(np.log(lengths[:most] / lengths[most]))


def neighbours(seen):
    """Mean correlation of errors, about the film's mean, of joints that a bone connects."""
    bones = [
        (f"{side}{a}", f"{side}{b}") for limb in LIMBS for a, b in pairwise(limb) for side in "LR"
    ]
    about = np.nan_to_num(seen.jitter - np.nanmean(seen.jitter, axis=0))
    found = []
    for bone in bones:
        a, b = (about[:, seen.joints.index(name)].ravel() for name in bone)
        found.append((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))
    return np.mean(found)
