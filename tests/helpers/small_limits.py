"""What makes a benchmark short enough for a test; ``python -m helpers.small_limits bench ...``."""

import pytest

from graphlift.bench.products import Product


def set_small_limits(patch: pytest.MonkeyPatch) -> None:
    """Measure a small product and little memory in place of what real caches ask for."""
    patch.setattr("graphlift.bench.machine.LARGEST", 2**16)
    patch.setattr("graphlift.bench.measure.SQUARE", Product(1, 64, 64, 64))
    patch.setattr("graphlift.bench.clock.SHORTEST", 1e-5)


if __name__ == "__main__":
    from graphlift.cli import main

    set_small_limits(pytest.MonkeyPatch())
    main()
