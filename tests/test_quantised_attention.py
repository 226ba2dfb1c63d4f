"""Models by integers whose features are not all laid out joint, frame, channel."""

import numpy as np
import pytest
from helpers.lifters import seen_something

from graphlift.card import ModelCard
from graphlift.export import onnx_model
from graphlift.nn.build import build_network
from graphlift.onnx_session import open_session
from graphlift.quantisation import quantise

CARD = ModelCard(name="a", skeleton="h36m-16", inputs="screen", method="any", parameters=1)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("pre-aggregation", {"decouple_self": True, "non_local": "grouped", "blocks": 1}),
        ("modulated", {"decouple_self": True, "blocks": 1}),
    ],
)
def test_biases_in_attention_stay_and_those_after_it_give_back_the_mean(method, options):
    network = seen_something(build_network(method, channels=16, **options)).float()
    content = onnx_model(network, CARD)[0]
    samples = np.random.default_rng(0).normal(0, 0.5, (300, 16, 2)).astype(np.float32)

    made = quantise(content, "here", CARD, samples)

    before, after = (
        open_session(each, "here", threads=1).run(["poses"], {"keypoints": samples})[0]
        for each in (content, made)
    )
    off = after - before
    assert 0 < np.abs(off).mean() < 0.05 * before.std()
    assert np.abs(off.mean(axis=0)).max() < 1e-3 * np.abs(off).mean()
