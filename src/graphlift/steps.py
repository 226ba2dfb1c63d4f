"""From keypoints to motion, step by step: what the command and the server do to a clip alike."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool

from graphlift.cameras import Camera
from graphlift.errors import ConfigError
from graphlift.lifting import Lifter, batch_of
from graphlift.mapped import in_blocks
from graphlift.motion import mend_sides, to_world
from graphlift.motion.left_right import exchange_sides, find_confused
from graphlift.motion.sizes import describe_sizes
from graphlift.numerals import is_whole
from graphlift.sequences import Keypoints, Poses
from graphlift.words import counted, plain

_MOTION = ("height", "refine", "gaps", "smooth", "bones", "trajectory", "feet")
"""Options of :func:`graphlift.motion.to_world`."""
_BATCHES = 16
"""Batches of a part of a clip: 4096 frames of one person."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What to do with a clip.

    Args:
        lifting: For :meth:`graphlift.lifting.Lifter.__call__`.
        motion: For :func:`graphlift.motion.to_world`; None leaves poses as the network gave them.
        sides: Whether to put left and right back.
    """

    lifting: Mapping[str, Any]
    motion: Mapping[str, Any] | None
    sides: bool


def steps_from(options: Mapping[str, Any], camera: Camera | None = None) -> Steps:
    """Make steps of options as ``graphlift lift`` has them.

    Args:
        options: By their names there: field_of_view, flip, hypotheses, sides, raw, height, refine,
            gaps, smooth (``none`` for not at all), bones, trajectory and feet.
        camera: Whose image the keypoints are of.
    """
    lifting = {name: options[name] for name in ("field_of_view", "flip", "hypotheses")}
    motion = {name: options[name] for name in _MOTION}
    motion["smooth"] = None if options["smooth"] == "none" else options["smooth"]
    return Steps(
        lifting={"camera": camera, **lifting},
        motion=None if options["raw"] else motion,
        sides=options["sides"],
    )


def motion_of(read: Callable[[], Keypoints], lifter: Callable[[], Lifter], steps: Steps) -> Poses:
    """Read or detect keypoints, lift them, and move the poses to the world.

    Args:
        read: Gives the keypoints, so that nobody else holds them.
        lifter: Gives the model, which is released before the steps of motion if nobody else holds
            it.
        steps: What to do.

    Raises:
        GraphliftError: As ``read``, the lifter and :func:`graphlift.motion.to_world`.
    """
    if steps.motion is None:
        poses = _lifted(read, lifter(), steps)
        return poses.noting(*describe_sizes(poses))
    motion = steps.motion
    # No name, and no **motion, holds the lifter's poses: an hour of them takes 100 MB.
    return to_world(
        _lifted(read, lifter(), steps),
        height=motion["height"],
        refine=motion["refine"],
        gaps=motion["gaps"],
        smooth=motion["smooth"],
        bones=motion["bones"],
        trajectory=motion["trajectory"],
        feet=motion["feet"],
    )


def _lifted(read: Callable[[], Keypoints], lifter: Lifter, steps: Steps) -> Poses:
    """Lift keypoints; what reading them took is free again afterwards."""
    keypoints = read()
    notes: tuple[str, ...] = ()
    if steps.sides:
        keypoints, mended = mend_sides(keypoints)
        notes = _mended(mended)
    poses = lifter(keypoints, **steps.lifting)
    return replace(poses, notes=(*notes, *poses.notes)).without_absent()


def _mended(mended: Bool[np.ndarray, "frame person"]) -> tuple[str, ...]:
    """Note in how many frames left and right were put back."""
    if not mended.any():
        return ()
    return (f"Left and right were put back in {counted(int(mended.sum()), 'frame')}.",)


def raw_parts(read: Callable[[], Keypoints], lifter: Lifter, steps: Steps) -> Iterator[Poses]:
    """Do what :func:`motion_of` does without motion, part by part.

    The memory does not grow with the clip, but for a byte a frame and person, if the keypoints
    stay in their file.

    Args:
        read: Gives the keypoints.
        lifter: The model.
        steps: What to do; ``motion`` is None.

    Yields:
        Poses; the notes of the last part are those of the whole clip.

    Raises:
        GraphliftError: As ``read`` and the lifter, before the first part.
    """
    keypoints = read()
    shape = keypoints.positions.shape[:2]
    mended = find_confused(keypoints) if steps.sides else np.zeros(shape, dtype=bool)
    notes = _mended(mended)

    def parts() -> Iterator[Keypoints]:
        size = _BATCHES * batch_of(shape[1])
        for at in in_blocks(keypoints.positions, keypoints.confidence, size=size):
            yield exchange_sides(keypoints.of_frames(at), mended[at])

    kept = _ever_lifted(parts(), lifter, steps, shape[1])
    present = np.zeros(int(kept.sum()), dtype=bool)
    for poses in lifter.in_parts(parts(), **steps.lifting):
        shown = replace(poses, notes=(*notes, *poses.notes)).without_absent(kept)
        present |= shown.valid.any(axis=0)
        yield shown.noting(*describe_sizes(shown, present=present))


def _ever_lifted(
    parts: Iterator[Keypoints], lifter: Lifter, steps: Steps, people: int
) -> Bool[np.ndarray, " person"]:
    """Find who will have a pose in any frame; as soon as all have, nothing more is read."""
    ever = np.zeros(people, dtype=bool)
    if people < 2:
        return ~ever  # one person stays, come what may
    lens = {name: steps.lifting[name] for name in ("camera", "field_of_view")}
    for part in parts:
        ever |= lifter.can_lift(part, **lens).any(axis=0)
        if ever.all():
            break
    return ever if ever.any() else ~ever


def size_in(text: str | None, option: str = "--image-size") -> tuple[int, int] | None:
    """Read the size of an image, such as 1920x1080.

    Args:
        text: Width and height, px.
        option: Who states it, for the error.

    Raises:
        ConfigError: If it is none.
    """
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (is_whole(width) and is_whole(height) and len(text) < 16):
        raise ConfigError(f"{option} {plain(text)}: give width and height in px, as 1920x1080")
    return int(width), int(height)
