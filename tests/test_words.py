"""How messages count."""

import numpy as np
import pytest

from graphlift.blender import motion as of_blender
from graphlift.errors import ShapeError, SkeletonError
from graphlift.formats.in_image import no_person
from graphlift.metrics import mpjve
from graphlift.motion import fill_keypoints
from graphlift.sequences import keypoints_from
from graphlift.skeletons import H36M_17, Skeleton
from graphlift.words import counted


@pytest.mark.parametrize("count", [counted, of_blender.counted])
def test_one_thing_is_one_and_many_are_grouped_by_thousands(count):
    assert [count(n, "frame") for n in (0, 1, 2, 12_345)] == [
        *("0 frames", "1 frame", "2 frames", "12,345 frames"),
    ]
    assert [count(n, "person", "people") for n in (0, 1, 2)] == [
        "0 people",
        "1 person",
        "2 people",
    ]
    assert count(1, "run is", "runs are") == "1 run is"


def test_messages_of_one_thing_do_not_speak_of_several():
    px = np.random.default_rng(0).uniform(100, 900, (9, 1, 17, 2))
    px[4, 0, 3] = np.nan

    filled = fill_keypoints(keypoints_from(px, H36M_17, image_size=(1000, 1000), fps=30.0))

    assert "1 joint filled over gaps" in filled.source
    assert "(1 frame)" in str(no_person("walk.npz", 1))
    with pytest.raises(ShapeError, match="no velocity in 1 frame of 1 clip: a clip needs two"):
        mpjve(np.zeros((1, 17, 3)), np.zeros((1, 17, 3)))
    with pytest.raises(SkeletonError, match=r"stick: 2 joints but 1 parent$"):
        Skeleton("stick", ("Root", "Tip"), (-1,), "Root")
