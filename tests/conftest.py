"""Fixtures that more than one module needs."""

import hypothesis
import numpy as np
import pytest

from graphlift.datasets import Clip, MotionCapture
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.samples.open_data import OpenData
from graphlift.skeletons import H36M_17

# Speed is benchmarked, never asserted: a busy machine must not fail a property.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def small(split, people=2, poses=120, seed=0):
    """A few people of the embedded prior: clips of unrelated poses, two activities."""
    capture = sample_prior(split, people=people, poses=poses, seed=seed)
    clips = [
        Clip(f"{split}-{c}", clip.subject, ("walk", "jump")[c % 2], clip.fps, clip.positions)
        for c, clip in enumerate(capture.clips)
    ]
    return MotionCapture("small", H36M_17, tuple(clips), "a licence", "a source")


@pytest.fixture(scope="session")
def study_data():
    """People to train, validate, test and cross over to, small enough for a test."""
    return OpenData(
        "small",
        small("train"),
        small("validation"),
        small("test"),
        small("test", seed=7),
        stride=1,
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)
