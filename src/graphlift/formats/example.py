"""A small file of keypoints that comes with the package, to try things on."""

from pathlib import Path


def example_keypoints_path() -> Path:
    """Return the path of the example: 4 s of a simulated person who does jumping jacks.

    The joints are COCO's 17, seen in an image of 1280 x 720 px at 30 frames per second
    (``recipes/make_example.py`` made it).
    """
    return Path(__file__).with_name("example_keypoints.npz")
