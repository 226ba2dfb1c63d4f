"""Another lens at the same place."""

import numpy as np
from helpers import tiny_3dhp as tiny

from graphlift.cameras import camera_to_image
from graphlift.datasets.mpi_inf_3dhp.seen_by import through_lens

POSES = tiny.take(1, 6).positions


def test_through_another_lens_is_what_that_camera_sees():
    lens, other = tiny.a_camera(1), tiny.a_camera(2, (1000, 1000), 1145.0)
    seen = camera_to_image(POSES, lens)

    np.testing.assert_allclose(
        through_lens(seen, lens, other), camera_to_image(POSES, other), atol=1e-9
    )
