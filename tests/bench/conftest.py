"""What makes a benchmark short enough for a test."""

import pytest
from helpers.small_limits import set_small_limits


@pytest.fixture(autouse=True, scope="module")
def small_arrays():
    with pytest.MonkeyPatch.context() as patch:
        set_small_limits(patch)
        yield
