"""Poses, and predictions that are a few centimetres off."""

import numpy as np
import pytest


@pytest.fixture
def target():
    """Seven root-relative poses of 17 joints, m."""
    poses = np.random.default_rng(0).normal(scale=0.3, size=(7, 17, 3))
    return poses - poses[:, :1]


@pytest.fixture
def predicted(target):
    return target + np.random.default_rng(1).normal(scale=0.04, size=target.shape)
