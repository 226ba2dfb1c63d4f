"""Bones: one length a person and bone for a whole clip, and a scale from a stated height."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from graphlift.errors import ModelError
from graphlift.geometry import bone_vectors, chain_bones, every, frames_last
from graphlift.motion.requirements import blocks, legs, middle
from graphlift.sequences import Poses

SHARE_OF_HEIGHT = 0.491 + 0.288
"""Of a person's height: hip to knee to ankle (0.530 - 0.039), and hip up to the level of the
shoulders (0.818 - 0.530).

Source: Drillis and Contini, "Body segment parameters", 1966, as drawn in Winter, "Biomechanics
and motor control of human movement", 4th ed., 2009, fig. 4.1.
"""

SIZES = 0.07
"""How far people's sizes are from those that a lifter gives them, as a share.

Adults' statures differ by 5 % (standard deviation of men and women together); the rest is error.
"""

PROPORTIONS = 0.04
"""How far a person's height is from what :func:`statures` makes of a true body, as a share.

On the bodies that ship (``bodies/bodies.npz``, people of 3 to 74 years), in the upright postures
of validation people, statures are 2.6 % too small on the whole, because every definition of hips
and shoulders is another one, and spread by 2.7 %; this is the root of the mean square, rounded.
"""

UNSEEN = 0.1
"""Weight of a bone with an end that was not seen, against one that was."""

STATURES = (0.4, 2.8)
"""m; the least and greatest height of a person that is accepted."""


def bone_lengths(poses: Poses, *, symmetric: bool = True) -> Float[np.ndarray, "person joint"]:
    """Find each person's bone lengths: the weighted median over the clip.

    A frame weighs as 1 / (σ² of the bone's one end + σ² of the other) where sigma is known, and a
    tenth of that where an end was not seen.

    Args:
        poses: In any axes, rooted or not.
        symmetric: Whether to give the left and the right bone of a pair their mean length.

    Returns:
        m, of the bone that ends in each joint; 0 for the root, NaN for people
        who are never present.
    """
    skeleton = poses.skeleton
    found = np.stack(
        [
            _bone_length(poses, joint, parent if parent >= 0 else joint)
            for joint, parent in enumerate(skeleton.parents)
        ],
        axis=-1,
    )
    if symmetric:
        mirror = skeleton.mirror
        paired = np.array(
            [
                p < 0 or skeleton.parents[mirror[j]] == mirror[p]
                for j, p in enumerate(skeleton.parents)
            ]
        )
        found = np.where(paired, (found + found[:, mirror]) / 2, found)
    return found


def hold_bones(poses: Poses, *, symmetric: bool = True) -> Poses:
    """Give every bone one length for the whole clip, keeping its direction in every frame.

    Positions are rebuilt along the tree from the root, which stays where it is.

    Args:
        poses: In any axes, rooted or not.
        symmetric: Whether left and right get the same lengths.
    """
    skeleton = poses.skeleton
    lengths = bone_lengths(poses, symmetric=symmetric)[..., None]
    positions = np.empty_like(poses.positions)
    for part in blocks(len(poses), people=len(poses.people)):
        here = frames_last(poses.positions[part], np.float64)
        vectors = bone_vectors(here, skeleton.parents)
        now = np.linalg.norm(vectors, axis=-1, keepdims=True)
        vectors *= np.divide(lengths, now, out=np.zeros_like(now), where=now > 0)
        vectors[..., skeleton.root, :] = here[..., skeleton.root, :]
        positions[part] = chain_bones(vectors, skeleton.parents, skeleton.order)
    sides = ", left as long as right" if symmetric else ""
    return poses.noting(
        f"Bone lengths are constant: medians over the clip{sides}.",
        positions=positions,
    )


def statures(poses: Poses) -> Float[np.ndarray, " person"]:
    """Estimate how tall each person is from the lengths of legs and trunk, m.

    The mean of both legs, hip to knee to ankle, and the distance between the middles of hips and
    shoulders, as a share of height. Neither head nor spine counts: every data set puts those
    joints elsewhere, and spines bend.

    Args:
        poses: In any axes, rooted or not; the median over frames counts.

    Raises:
        SkeletonError: If the skeleton lacks one of these joints.

    Source: :data:`SHARE_OF_HEIGHT`. Single people are a few per cent off the mean proportions.
    """
    skeleton = poses.skeleton
    found = []
    for part in blocks(len(poses), people=len(poses.people)):
        here = poses.positions[part].astype(np.float64)
        bones = np.diff(here[..., legs(skeleton), :], axis=-2)
        leg = np.linalg.norm(bones, axis=-1).sum(axis=-1).mean(axis=-1)
        trunk = middle(here, skeleton, "Shoulder") - middle(here, skeleton, "Hip")
        found.append(leg + np.linalg.norm(trunk, axis=-1))
    length = np.concatenate(found)
    return _weighted_median(length, np.isfinite(length).astype(float)) / SHARE_OF_HEIGHT


def check_stature(metres: float, stated: str) -> None:
    """Refuse a height that is no person's, such as one in cm.

    Args:
        metres: The height.
        stated: What states it, for the error.

    Raises:
        ModelError: If it is not within :data:`STATURES`.
    """
    if not STATURES[0] <= metres <= STATURES[1]:
        raise ModelError(
            f"{stated}: give metres between {STATURES[0]} and {STATURES[1]}, such as 1.80 for "
            "180 cm"
        )


def scale_to_height(poses: Poses, height: float | Mapping[str, float]) -> Poses:
    """Scale each person to a stated height, in standing, without shoes.

    Scale root-relative poses before :func:`graphlift.motion.locate`: the distance from the camera
    follows from the size. What stays uncertain of it is how a person's proportions differ from
    the mean: ``size_sigma`` becomes :data:`PROPORTIONS`.

    Args:
        poses: Rooted.
        height: m; one for all, or by person's name, others left as they are.

    Raises:
        ModelError: If a height is no person's, a name is unknown, or poses are not rooted.
        SkeletonError: If the skeleton lacks hips, knees, ankles or shoulders.
    """
    if not poses.rooted:
        raise ModelError(
            "a height scales root-relative poses, and these move through space: scale them before "
            "locate(), or give to_world() the height"
        )
    stated = dict(height) if isinstance(height, Mapping) else dict.fromkeys(poses.people, height)
    if unknown := set(stated) - set(poses.people):
        raise ModelError(
            f"a height for {', '.join(sorted(unknown))}, who is not in the poses: people are "
            f"{', '.join(poses.people)}"
        )
    for name, metres in stated.items():
        check_stature(metres, f"a height of {metres:g} m for person {name}")
    heights = np.array([stated.get(name, np.nan) for name in poses.people])
    scale = heights / statures(poses)
    scaled = np.isfinite(scale)
    scale = np.where(scaled, scale, 1.0).astype(poses.positions.dtype)[:, None]
    words = ", ".join(f"{name}: {metres:g} m" for name, metres in stated.items())
    return poses.noting(
        f"Scaled to the stated height ({words}), from the lengths of legs and trunk.",
        positions=poses.positions * scale[..., None],
        sigma=poses.sigma * scale,
        size_sigma=sizes_learnt(poses, np.where(scaled, PROPORTIONS, np.nan)),
    )


def sizes_learnt(
    poses: Poses, found: Float[np.ndarray, " person"]
) -> Float[np.ndarray, " person"] | None:
    """Put what a step has found in the place of people's ``size_sigma``.

    Args:
        poses: Before the step.
        found: NaN for people of whom it has learnt nothing.

    Returns:
        None if no person's is known.
    """
    before = np.full(len(poses.people), np.nan) if poses.size_sigma is None else poses.size_sigma
    after = np.where(np.isfinite(found), found, before)
    return after if np.isfinite(after).any() else None


def expected_sizes(poses: Poses) -> dict[str, float]:
    """Give each person's ``size_sigma`` by name, and :data:`SIZES` where it is unknown."""
    known = np.full(len(poses.people), np.nan) if poses.size_sigma is None else poses.size_sigma
    shares = np.where(np.isfinite(known), known, SIZES).tolist()
    return dict(zip(poses.people, shares, strict=True))


def _bone_length(poses: Poses, joint: int, parent: int) -> Float[np.ndarray, " person"]:
    """Find how long each person's bone between two joints is."""
    ends = poses.positions[:, :, [joint, parent]].astype(np.float64)
    length = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
    variance = (poses.sigma[..., [joint, parent]].astype(np.float64) ** 2).sum(axis=-1)
    known = np.isfinite(variance) & (variance > 0)
    weights = 1 / np.where(known, variance, 1.0)
    # People or bones without any sigma: every frame alike. Frames without it among others: none.
    weights = np.where(known.any(axis=0), np.where(known, weights, 0.0), 1.0)
    weights *= np.where(every(poses.seen[..., [joint, parent]]), 1.0, UNSEEN)
    return _weighted_median(length, np.where(np.isfinite(length), weights, 0.0))


def _weighted_median(
    values: Float[np.ndarray, " frame *rest"], weights: Float[np.ndarray, " frame *rest"]
) -> np.ndarray:
    """Median over frames; NaN where no value has a weight."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    order = np.argsort(np.where(weights > 0, values, np.inf), axis=0)
    ranked = np.take_along_axis(weights, order, axis=0).cumsum(axis=0)
    half = ranked[-1:] / 2
    at = np.take_along_axis(order, (ranked >= half).argmax(axis=0)[None], axis=0)
    return np.where(ranked[-1] > 0, np.take_along_axis(values, at, axis=0)[0], np.nan)
