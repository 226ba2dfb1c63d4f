"""Colours that a colour-blind reader can tell apart, on light and on dark.

Arms and legs are blue on the person's left and orange on the right, whoever the person is; trunk,
joints and label have a hue of the person's own. Every colour's relative luminance lies between
0.15 and 0.30, which is a contrast of at least 3 to 1 with white and with ``#242424``.

Source: blue against orange survives every kind of colour blindness (Okabe and Ito, "Color
universal design", 2008); the contrast of graphical objects, WCAG 2.1, criterion 1.4.11.
"""

import numpy as np
from jaxtyping import UInt8

from graphlift.skeletons import Skeleton

RGB = tuple[int, int, int]

LEFT: RGB = (0x2F, 0x8B, 0xE0)
RIGHT: RGB = (0xE0, 0x70, 0x1A)
PEOPLE: tuple[RGB, ...] = (
    (0x80, 0x80, 0x80),
    (0x00, 0x9E, 0x73),
    (0xC2, 0x56, 0x9E),
    (0x9A, 0x85, 0x00),
)
"""Hues of the first, second, ... person; the fifth has the first's again, and a label."""
NEUTRAL: RGB = (0x80, 0x80, 0x80)
"""Colours of what is no person: floor, camera, board."""


def own_colour(person: int) -> RGB:
    """A person's hue."""
    return PEOPLE[person % len(PEOPLE)]


def bone_colours(skeleton: Skeleton, person: int) -> UInt8[np.ndarray, "bone 3"]:
    """RGB of a person's bones; a bone is on the side on which its child is."""
    colours = dict.fromkeys(range(len(skeleton)), own_colour(person))
    for left, right in skeleton.pairs:
        colours |= {left: LEFT, right: RIGHT}
    return np.array([colours[child] for _, child in skeleton.bones], dtype=np.uint8).reshape(-1, 3)
