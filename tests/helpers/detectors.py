"""Tests that need a detector's real weights run where the cache has them; none fetches any."""

import pytest

from graphlift.detector_weights.get import MODELS, cache_folder


def needs(name):
    files = [cache_folder() / "weights" / f"{each.name}.onnx" for each in MODELS[name]]
    there = all(path.exists() for path in files)
    return pytest.mark.skipif(not there, reason=f"not in the cache: graphlift model get {name}")


class Session:
    """In place of ONNX Runtime's: a network given as a function of its input."""

    def __init__(self, network):
        self.network = network

    def run(self, outputs, inputs):
        made = self.network(inputs["image"])
        return [made[name] for name in outputs]
