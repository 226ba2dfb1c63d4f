"""Strata of validation people: postures that are rare, bodies and definitions that are foreign.

Networks of 28 joints are chosen by the mean over these strata. Validation people are hardly ever
recorded lying, seated or upside down, so people of those postures are made: tilted as a whole, or
put together from the legs of those who sit and the upper bodies of others. Their names say so.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from graphlift.bodies import SEGMENTS
from graphlift.datasets.mocap.turns import Motion
from graphlift.samples.anatomy import Anatomy, Figures, draw_figures, turn_about_level
from graphlift.samples.augment import Augmentation
from graphlift.samples.body_views import BodyViews, view_figures
from graphlift.samples.random_views import UNSEEN_RIG
from graphlift.samples.samples import Samples
from graphlift.virtual_cameras import RandomRig

SEED = 28
EACH = 600
"""People a stratum; all that there are, if fewer were recorded."""

_AS_RECORDED = Anatomy(
    bodies=0, size=0, bones=0, recombine=0, tilted=0, captured=1, as_ours=1, detectors=0
)
DEFINITIONS: Mapping[str, Anatomy] = {
    "recorded": _AS_RECORDED,
    "other bodies": replace(_AS_RECORDED, bodies=1),
    "shifted": replace(_AS_RECORDED, as_ours=0),
    "detected": replace(_AS_RECORDED, bodies=1, captured=0, detectors=0.008),
}
"""Whose bodies, and whose definition of the keypoints."""

EXACT = Augmentation(
    size=0, bones=0, recombine=0, noise=0, exact=1, proxies=0, crop=0, joints=0, limbs=0,
    confident=1, mirror=0,
)  # fmt: skip

_RECORDED = {
    "seated (made)": "squatting", "lying (made)": "upright", "inverted (made)": "upright",
}  # fmt: skip
"""The recorded posture that a made one is made of."""
POSTURES = ("upright", "bent", "squatting", "seated (made)", "lying (made)", "inverted (made)")


def postures(motion: Motion) -> Mapping[str, np.ndarray]:
    """Number the frames of each posture as recorded.

    ``upright``: the trunk (chest and pelvis together) within 30° of the vertical, not squatting;
    ``bent``: 30° to 60°; ``lying``: more; ``squatting``: both thighs within 30° of level, the
    trunk upright or bent.
    """
    up = motion.turns[:, [SEGMENTS.index("Chest"), SEGMENTS.index("Pelvis")], 2, 2].mean(axis=1)
    lean = np.degrees(np.arccos(np.clip(up, -1, 1)))
    thighs = motion.turns[:, [SEGMENTS.index("LThigh"), SEGMENTS.index("RThigh")], 2, 2]
    low = (np.abs(thighs) < 0.5).all(axis=1) & (lean < 60)
    return {
        "upright": np.flatnonzero((lean < 30) & ~low),
        "bent": np.flatnonzero((lean >= 30) & (lean < 60) & ~low),
        "squatting": np.flatnonzero(low),
        "lying": np.flatnonzero(lean >= 60),
    }


def strata(
    motion: Motion,
    *,
    rig: RandomRig = UNSEEN_RIG,
    augmentation: Augmentation = EXACT,
    each: int = EACH,
) -> dict[str, BodyViews]:
    """View people of every posture by every definition.

    Args:
        motion: Of validation people.
        rig: Cameras, one a person.
        augmentation: How detections vary; exact when left out.
        each: People a stratum.

    Returns:
        By names such as ``"upright, recorded"``; postures for which nobody was recorded are left
        out.
    """
    found = postures(motion)
    views = {}
    for row, posture in enumerate(POSTURES):
        for column, (definition, anatomy) in enumerate(DEFINITIONS.items()):
            rng = np.random.default_rng((SEED, row, column))
            if not len(found[_RECORDED.get(posture, posture)]):
                continue
            figures = _figures(motion, found, posture, anatomy, each, rng)
            name = f"{posture}, {definition}"
            activity = np.full(len(figures.joints), name)
            views[name] = view_figures(figures, activity, anatomy, augmentation, rng, rig=rig)
    return views


def strata_samples(motion: Motion) -> Samples:
    """All strata as one set of samples, ``activity`` naming the stratum."""
    parts = [views.samples() for views in strata(motion).values()]
    return Samples(
        skeleton=parts[0].skeleton,
        inputs=np.concatenate([part.inputs for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        activity=np.concatenate([part.activity for part in parts]),
    )


def figures_as_recorded(motion: Motion, rng: np.random.Generator) -> tuple[Figures, np.ndarray]:
    """Everybody in every frame on their own body, and what they do."""
    everybody = np.full(len(motion), 1 / len(motion))
    figures = draw_figures(motion, np.arange(len(motion)), _AS_RECORDED, everybody, rng)
    return figures, motion.activity


def _figures(
    motion: Motion,
    found: Mapping[str, np.ndarray],
    posture: str,
    anatomy: Anatomy,
    each: int,
    rng: np.random.Generator,
) -> Figures:
    """Make the people of a stratum."""
    everybody = np.full(len(motion), 1 / len(motion))
    if posture in found:
        drawn = rng.permutation(found[posture])[:each]
        return draw_figures(motion, drawn, anatomy, everybody, rng)
    if posture == "seated (made)":
        drawn = rng.choice(found[_RECORDED[posture]], size=each)
        return draw_figures(
            motion, drawn, replace(anatomy, recombine=1), everybody, rng, upper=True
        )
    drawn = rng.choice(found[_RECORDED[posture]], size=each)
    figures = draw_figures(motion, drawn, anatomy, everybody, rng)
    middle, spread = {"lying (made)": (90, 15), "inverted (made)": (180, 20)}[posture]
    return tilt(figures, np.radians(rng.normal(middle, spread, each)), rng)


def tilt(
    figures: Figures, angle: Float[np.ndarray, " frame"], rng: np.random.Generator
) -> Figures:
    """Turn people about a level axis through the hips, any bearing, and lay them on the floor."""
    count = len(angle)
    R = turn_about_level(rng.uniform(0, 2 * np.pi, count), angle)
    hips = figures.joints[:, 0]
    turned = figures.moved(np.broadcast_to(np.eye(3), R.shape), -hips)
    turned = turned.moved(R, np.zeros((count, 3)))
    shift = np.zeros((count, 3))
    shift[:, 2] = -np.minimum(turned.joints[..., 2].min(axis=1), turned.points[..., 2].min(axis=1))
    return turned.moved(np.broadcast_to(np.eye(3), R.shape), shift)
