"""Poses to score, and the scores to compare."""

import numpy as np

METRICS = ("mpjpe_mm", "p_mpjpe_mm", "n_mpjpe_mm", "mpjve_mm", "pck", "auc")


def people(frames, joints=17, seed=0):
    """Poses somewhere in front of a camera, and predictions that are a few centimetres off."""
    rng = np.random.default_rng(seed)
    target = rng.normal([1.0, -2.0, 5.0], 0.4, (frames, joints, 3))
    return target + rng.normal(scale=0.09, size=target.shape), target


def values(result):
    return [getattr(result, name) for name in METRICS]
