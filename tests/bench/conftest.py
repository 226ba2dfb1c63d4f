"""What makes a benchmark short enough for a test."""

import pytest

from graphlift.bench.products import Product


@pytest.fixture(autouse=True, scope="module")
def small_arrays():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphlift.bench.machine.LARGEST", 2**16)
        patch.setattr("graphlift.bench.measure.SQUARE", Product(1, 64, 64, 64))
        patch.setattr("graphlift.bench.clock.SHORTEST", 1e-5)
        yield
