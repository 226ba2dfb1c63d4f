"""What is given to a lifter: keypoints or an array, a camera or none."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import (
    FIELD_OF_VIEW,
    Camera,
    assumed_camera,
    check_same_image,
    image_to_rays,
)
from graphlift.errors import FormatError, ShapeError
from graphlift.geometry import every
from graphlift.sequences import Keypoints, keypoints_from
from graphlift.skeletons import SKELETONS, Skeleton, joint_map
from graphlift.words import plain, shown


def given_keypoints(
    keypoints: Keypoints | np.ndarray,
    skeleton: Skeleton | str | None,
    image_size: tuple[int, int] | None,
    fps: float | None,
) -> Keypoints:
    """Make keypoints of what is given: keypoints, or an array and what it does not say itself.

    Raises:
        FormatError: If what is stated is not what the keypoints say.
        ShapeError: If an array comes without a skeleton, or does not fit it.
    """
    image_size = image_size and (image_size[0], image_size[1])  # a list, maybe
    if isinstance(keypoints, Keypoints):
        for name, stated, known in (
            ("image_size", image_size, keypoints.image_size),
            ("fps", fps, keypoints.fps),
        ):
            if None not in (stated, known) and stated != known:
                raise FormatError(
                    f"{name} is {stated}, but the keypoints have {known}: leave it out, or change "
                    "it in the keypoints (dataclasses.replace)"
                )
        size = image_size if keypoints.image_size is None else keypoints.image_size
        rate = fps if keypoints.fps is None else keypoints.fps
        if (size, rate) == (keypoints.image_size, keypoints.fps):
            return keypoints
        return replace(keypoints, image_size=size, fps=rate)
    if skeleton is None:
        raise ShapeError(
            "an array does not say which joints it holds: give skeleton=, one of "
            f"{', '.join(SKELETONS)}"
        )
    body = given_skeleton(skeleton)
    return keypoints_from(keypoints, body, image_size=image_size, fps=fps, source="array")


def given_skeleton(skeleton: Skeleton | str) -> Skeleton:
    """Find a skeleton by its name.

    Raises:
        ShapeError: If there is none of this name.
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    if skeleton not in SKELETONS:
        raise ShapeError(
            f"no skeleton is named {shown(skeleton)}: use one of {', '.join(SKELETONS)}"
        )
    return SKELETONS[skeleton]


def given_camera(
    keypoints: Keypoints, camera: Camera | None, field_of_view: float | None
) -> tuple[Camera, str]:
    """Take the given camera, or assume one; return it and a note on what was assumed.

    Raises:
        ShapeError: If it is another image's, or nobody says how large the image is.
    """
    if camera is not None:
        check_same_image(camera, keypoints.image_size, keypoints.source)
        return camera, ""
    if keypoints.image_size is None:
        of = f"{plain(keypoints.source, 200)}: " if keypoints.source else ""
        raise ShapeError(
            f"{of}the size of the image is not known, and without it a px means nothing: give "
            "image_size=(width, height) (--image-size WIDTHxHEIGHT), or a camera"
        )
    width, height = keypoints.image_size
    degrees = FIELD_OF_VIEW if field_of_view is None else float(field_of_view)
    word = "assumed" if field_of_view is None else "given"
    note = f"The lens was {word} to see {degrees:g}° across {max(width, height)} px."
    return assumed_camera((width, height), field_of_view=degrees), note


def given_rays(
    keypoints: Keypoints, camera: Camera, body: Skeleton
) -> tuple[
    Float[np.ndarray, "frame person joint 2"],
    Float[np.ndarray, "frame person joint"],
    Bool[np.ndarray, "frame person joint"],
]:
    """Turn keypoints into what a lifter of another skeleton sees of them.

    Returns:
        Rays through the lens, x and y at unit depth, camera axes, finite everywhere; confidences,
        0 where a joint is missing; and which joints are there.
    """
    conversion = joint_map(keypoints.skeleton, body)
    positions, confidence = conversion.both(
        keypoints.positions, keypoints.confidence, keypoints.seen
    )
    seen = every(np.isfinite(positions))
    rays = image_to_rays(np.where(seen[..., None], positions, 0), camera)
    return rays, np.where(seen, confidence, 0), seen
