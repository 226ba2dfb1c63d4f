"""The weights for training on, beside the recipes: the networks that ship as ONNX."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from graphlift.export import PARITY
from graphlift.lifting import SHIPPED, Lifter
from graphlift.nn.build import build_network

WEIGHTS = Path(__file__).parents[2] / "recipes" / "weights"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_network_with_these_weights_is_the_one_that_ships(name, rng):
    lifter = Lifter.load(name, threads=1)
    network = build_network(**lifter.card.recipe["model"])
    network.load_state_dict(load_file(WEIGHTS / f"{name}.safetensors"))
    shape = lifter.session.get_inputs()[0].shape[1:]
    inputs = rng.normal(0, 0.5, (64, *shape)).astype(np.float32)

    (expected,) = lifter.session.run(None, {"keypoints": inputs})
    with torch.inference_mode():
        found = network.eval()(torch.from_numpy(inputs)).numpy()

    # m; each of the two was rounded to half precision by itself.
    np.testing.assert_allclose(found[..., :3], expected[..., :3], atol=2 * PARITY)
