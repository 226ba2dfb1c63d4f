"""Sequences: people's 2D keypoints and 3D poses over frames, with what their numbers mean.

Every array has a frame axis and a person axis. A missing joint is NaN, never (0, 0); a frame
without people is a row of NaN. Both classes check all that, so that nothing else needs to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import Camera
from graphlift.errors import ShapeError
from graphlift.geometry import every, has_infinite
from graphlift.hypotheses import Hypotheses
from graphlift.mapped import in_blocks
from graphlift.recording import ASSUMED_FPS as ASSUMED_FPS
from graphlift.recording import FRAME_RATES as FRAME_RATES
from graphlift.recording import LARGEST_SIDE as LARGEST_SIDE
from graphlift.recording import check_frame_rate as check_frame_rate
from graphlift.recording import is_frame_rate as is_frame_rate
from graphlift.recording import is_image_size as is_image_size
from graphlift.skeletons import Skeleton, joint_map
from graphlift.words import counted

Axes = Literal["camera", "world"]

FRONTS = ("Pelvis", "Chest", "Head", "LUpperArm", "RUpperArm", "LThigh", "RThigh")
"""Segments of the body whose front is known, in the order of :attr:`Poses.fronts`."""


@dataclass(frozen=True, eq=False)
class Keypoints:
    """2D joints of people over frames.

    Args:
        positions: px, x right, y down from the image's top left corner; NaN where missing.
        confidence: From 0 to 1; 0 exactly where a joint is missing.
        skeleton: Joint order.
        image_size: Width and height, px, if known.
        fps: Frames per second, if known.
        people: A name for each person, kept over time.
        source: What it was read from, in a few words.
        notes: What was decided, such as who is who; one sentence each.

    Raises:
        ShapeError: If shapes do not fit each other, a position is infinite, or the image size or
            frame rate is impossible.
    """

    positions: Float[np.ndarray, "frame person joint 2"]
    confidence: Float[np.ndarray, "frame person joint"]
    skeleton: Skeleton
    image_size: tuple[int, int] | None = None
    fps: float | None = None
    people: tuple[str, ...] = ("0",)
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self, 2)
        if self.image_size is not None and not is_image_size(self.image_size):
            raise ShapeError(
                f"image_size is {self.image_size}: width and height are two whole numbers of px, "
                "such as (1920, 1080)"
            )
        if self.confidence.shape != self.positions.shape[:-1]:
            raise ShapeError(
                f"confidence {self.confidence.shape} should be one number a joint, "
                f"{self.positions.shape[:-1]}"
            )

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def seen(self) -> Bool[np.ndarray, "frame person joint"]:
        """Whether a joint has a position."""
        return every(np.isfinite(self.positions))

    def of_people(self, kept: Sequence[int]) -> "Keypoints":
        """Copy with only the people at these places of the person axis."""
        places = list(kept)
        return replace(
            self,
            positions=self.positions[:, places],
            confidence=self.confidence[:, places],
            people=tuple(self.people[place] for place in places),
        )

    def of_frames(self, part: slice) -> "Keypoints":
        """Copy with only some consecutive frames; arrays of a file stay there."""
        positions = self.positions[part]
        if len(positions) == len(self):
            return self
        return replace(self, positions=positions, confidence=self.confidence[part])

    def in_parts(self, frames: int) -> Iterator["Keypoints"]:
        """Cut into parts of so many frames, at least one, maybe empty."""
        for part in in_blocks(self.positions, self.confidence, size=frames):
            yield self.of_frames(part)


@dataclass(frozen=True, eq=False)
class Poses:
    """3D joints of people over frames: m, right-handed.

    ``camera`` axes are x right, y down, z forward; ``world`` axes are z up with the floor at
    z = 0. ``rooted`` poses have their root at the origin in every frame; others move through
    space.

    Args:
        positions: m; NaN where a person is absent.
        skeleton: Joint order.
        axes: Frame of reference.
        rooted: Whether positions are relative to each person's root.
        seen: Whether the joint was seen; where not, its position is inferred from other joints
            or frames and is less certain.
        sigma: Standard deviation of each coordinate of a joint, m; NaN where unknown.
        fps: Frames per second, if known.
        people: A name for each person, kept over time.
        keypoints: What the poses were lifted from, in its own skeleton.
        camera: The camera that took the images; with ``world`` axes also its place, if known.
        model: Name of the model that lifted them.
        notes: What was assumed and done, one sentence each.
        contacts: Whether the joint stands on the floor; None where this was not computed.
        fronts: Unit vectors along the front of the segments :data:`FRONTS`, same axes; NaN where
            unknown. In a T-pose that faces -y, z up, left at +x and palms down, every front is
            (0, -1, 0); it turns as the segment turns.
        front_sigma: Standard deviation of the front's direction, rad; NaN where unknown.
        size_sigma: Standard deviation of the logarithm of each person's size, that is, a share:
            by how much all of a person may be larger or smaller than here, with their distance
            from the camera. None or NaN where unknown. ``sigma`` does not leave it out.
        hypotheses: The poses that the model held possible in each frame, (frame, person,
            hypothesis, joint, 3): root-relative in the camera's axes, whatever those of
            ``positions`` are, and as the model gave them. None where it gave one pose.

    Raises:
        ShapeError: If shapes do not fit each other, a position or a front is infinite, or the
            frame rate or a deviation of sizes is impossible.
    """

    positions: Float[np.ndarray, "frame person joint 3"]
    skeleton: Skeleton
    axes: Axes = "camera"
    rooted: bool = True
    seen: Bool[np.ndarray, "frame person joint"] = None  # type: ignore[assignment]
    sigma: Float[np.ndarray, "frame person joint"] = None  # type: ignore[assignment]
    fps: float | None = None
    people: tuple[str, ...] = ("0",)
    keypoints: Keypoints | None = None
    camera: Camera | None = None
    model: str = ""
    notes: tuple[str, ...] = ()
    contacts: Bool[np.ndarray, "frame person joint"] | None = None
    fronts: Float[np.ndarray, "frame person segment 3"] | None = None
    front_sigma: Float[np.ndarray, "frame person segment"] | None = None
    size_sigma: Float[np.ndarray, " person"] | None = None
    hypotheses: Hypotheses | None = None

    units = "m"

    def __post_init__(self) -> None:
        _check(self, 3)
        joints = self.positions.shape[:-1]
        if self.seen is None:
            known = every(np.isfinite(self.positions))  # type: ignore[unreachable]
            object.__setattr__(self, "seen", known)
        if self.sigma is None:
            unknown = np.full(joints, np.nan)  # type: ignore[unreachable]
            object.__setattr__(self, "sigma", unknown)
        for name in ("seen", "sigma", "contacts"):
            values = getattr(self, name)
            if values is not None and values.shape != joints:
                raise ShapeError(f"{name} {values.shape} should be one value a joint, {joints}")
        _check_fronts(self)
        _check_sizes(self)
        if self.hypotheses is not None:
            self.hypotheses.check_of(joints)
        if self.keypoints is not None and self.keypoints.positions.shape[:2] != joints[:2]:
            raise ShapeError(
                f"keypoints of {self.keypoints.positions.shape[:2]} frames and people do not "
                f"belong to poses of {joints[:2]}"
            )

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def valid(self) -> Bool[np.ndarray, "frame person"]:
        """Whether the person has a whole pose in the frame."""
        parts = in_blocks(self.positions)
        known = [np.isfinite(self.positions[part]).all(axis=(-2, -1)) for part in parts]
        return np.concatenate(known)

    def of_people(self, kept: Sequence[int]) -> "Poses":
        """Copy with only the people at these places of the person axis."""
        places = list(kept)
        return replace(
            self,
            positions=self.positions[:, places],
            seen=self.seen[:, places],
            sigma=self.sigma[:, places],
            people=tuple(self.people[place] for place in places),
            keypoints=self.keypoints and self.keypoints.of_people(places),
            contacts=None if self.contacts is None else self.contacts[:, places],
            fronts=None if self.fronts is None else self.fronts[:, places],
            front_sigma=None if self.front_sigma is None else self.front_sigma[:, places],
            size_sigma=None if self.size_sigma is None else self.size_sigma[places],
            hypotheses=self.hypotheses and self.hypotheses.of_people(places),
        )

    def without_absent(self, present: Bool[np.ndarray, " person"] | None = None) -> "Poses":
        """Leave out, and note, people without a pose in any frame; one person always stays.

        Args:
            present: Who has one, where these are a part of a clip only.
        """
        there = np.asarray(self.valid.any(axis=0) if present is None else present)
        if there.all() or not there.any():
            return self
        absent = [self.people[place] for place in np.flatnonzero(~there)]
        who = f"Person {absent[0]} has" if len(absent) == 1 else f"{len(absent)} people have"
        note = f"{who} no pose in any frame, and {'is' if len(absent) == 1 else 'are'} left out."
        return self.of_people(np.flatnonzero(there).tolist()).noting(note)

    def noting(self, *notes: str, **changes: Any) -> "Poses":  # noqa: ANN401
        """Copy with some fields changed, and notes that say what was done, each of them once."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))), **changes)


def frame_rate(sequence: Keypoints | Poses) -> tuple[float, tuple[str, ...]]:
    """Find the frames per second, and a note if they are unknown and so assumed."""
    if sequence.fps is not None:
        return float(sequence.fps), ()
    return ASSUMED_FPS, (f"The frame rate is unknown: {ASSUMED_FPS:g} fps is assumed.",)


def keypoints_from(
    positions: np.ndarray,
    skeleton: Skeleton,
    *,
    confidence: np.ndarray | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    people: Sequence[str] | None = None,
    source: str = "",
    notes: Sequence[str] = (),
) -> Keypoints:
    """Make keypoints of plain arrays, as detectors return them.

    A joint is missing if a coordinate is not finite, if both are exactly 0, or if its confidence
    is 0, negative or not finite. Confidences above 1 count as 1.

    Args:
        positions: px, (joint, 2), (frame, joint, 2) or (frame, person, joint, 2); with 3 numbers
            a joint, the third is the confidence.
        skeleton: Joint order.
        confidence: Same axes without the last; 1 everywhere when left out.
        image_size: Width and height, px, if known.
        fps: Frames per second, if known.
        people: Names; ``0``, ``1``, ... when left out.
        source: What it came from, in a few words.
        notes: What was decided about the identity of people.

    Raises:
        ShapeError: If an array has none of these shapes, the joints are not the skeleton's, or
            the image size or frame rate is impossible.
    """
    array = coordinates(positions)
    if not 2 <= array.ndim <= 4 or array.shape[-1] not in (2, 3):
        raise ShapeError(
            f"keypoints {array.shape} should be (joint, 2), (frame, joint, 2) or (frame, person, "
            "joint, 2), or the same with 3: x, y, confidence"
        )
    if array.shape[-1] == 3:
        confidence, array = array[..., 2] if confidence is None else confidence, array[..., :2]
    given = np.ones(array.shape[:-1]) if confidence is None else np.asarray(confidence, float)
    if given.shape != array.shape[:-1]:
        raise ShapeError(f"confidence {given.shape} should be {array.shape[:-1]}, one a joint")
    if array.ndim == 2:
        array, given = array[None], given[None]
    if array.ndim == 3:
        array, given = array[:, None], given[:, None]
    seen = joints_seen(array, given)
    return Keypoints(
        positions=np.where(seen[..., None], array, np.nan),
        confidence=np.where(seen, np.minimum(given, 1), 0.0),
        skeleton=skeleton,
        image_size=image_size,
        fps=fps,
        people=tuple(people or map(str, range(array.shape[1]))),
        source=source,
        notes=tuple(notes),
    )


def coordinates(values: object) -> Float[np.ndarray, "*axes"]:
    """Make an array of numbers.

    Raises:
        ShapeError: If lists in it have different lengths, or hold something else.
    """
    try:
        with np.errstate(invalid="ignore"):  # a NaN of a kind that the processor complains of
            return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(
            "keypoints are no array of numbers: give every frame the same people, NaN where one "
            "is away, and the same joints; split a clip whose skeleton changes"
        ) from error


def joints_seen(
    positions: Float[np.ndarray, "*batch joint 2"], confidence: Float[np.ndarray, "*batch joint"]
) -> Bool[np.ndarray, "*batch joint"]:
    """Mark the joints that a detector saw; :func:`keypoints_from` says which count as missing."""
    present = every(np.isfinite(positions)) & ~every(positions == 0)
    return np.asarray(present & np.isfinite(confidence) & (confidence > 0))


def convert_keypoints(keypoints: Keypoints, target: Skeleton) -> Keypoints:
    """Give keypoints another skeleton's joints, by :func:`graphlift.skeletons.joint_map`.

    A joint that is derived from others has the least of their confidences; one that cannot be
    derived, or of which a source joint was not seen, is missing.
    :func:`graphlift.skeletons.conversion_table` lists how each joint is derived.
    """
    conversion = joint_map(keypoints.skeleton, target)
    positions, confidence = conversion.both(
        keypoints.positions, keypoints.confidence, keypoints.seen
    )
    return replace(keypoints, positions=positions, confidence=confidence, skeleton=target)


def _check(sequence: Keypoints | Poses, dimensions: int) -> None:
    """Refuse positions of another shape than joints of people over frames, or infinite ones."""
    positions, skeleton, people = sequence.positions, sequence.skeleton, sequence.people
    expected = (len(people), len(skeleton), dimensions)
    if positions.ndim != 4 or positions.shape[1:] != expected:
        raise ShapeError(
            f"positions {positions.shape} should be (frame, "
            f"{counted(expected[0], 'person', 'people')}, {counted(expected[1], 'joint')} of "
            f"{skeleton.name}, {dimensions})"
        )
    if has_infinite(positions):
        frame, person, joint, _ = np.argwhere(np.isinf(positions))[0].tolist()
        raise ShapeError(
            f"positions are infinite in frame {frame}, person {people[person]}, "
            f"{skeleton.joints[joint]}: a joint that is missing is NaN"
        )
    if sequence.fps is not None:
        check_frame_rate(sequence.fps)


def _check_fronts(poses: Poses) -> None:
    """Refuse fronts of another shape than segments of people over frames, or infinite ones."""
    segments = (*poses.positions.shape[:2], len(FRONTS))
    for name, expected in (("fronts", (*segments, 3)), ("front_sigma", segments)):
        values = getattr(poses, name)
        if values is None:
            continue
        if values.shape != expected:
            raise ShapeError(
                f"{name} {values.shape} should be {expected}: frames, people and the segments "
                f"{', '.join(FRONTS)}"
            )
        if has_infinite(values):
            frame, person, segment, *_ = np.argwhere(np.isinf(values))[0].tolist()
            raise ShapeError(
                f"{name} are infinite in frame {frame}, person {poses.people[person]}, "
                f"{FRONTS[segment]}: a front that is unknown is NaN"
            )
    if poses.front_sigma is not None and poses.fronts is None:
        raise ShapeError("front_sigma is given without fronts: give both, or leave it out")


def _check_sizes(poses: Poses) -> None:
    """Refuse deviations of sizes that are not one a person, negative or infinite."""
    sizes = poses.size_sigma
    if sizes is None:
        return
    if sizes.shape != (len(poses.people),):
        raise ShapeError(
            f"size_sigma {sizes.shape} should be one value a person, ({len(poses.people)},)"
        )
    if np.isinf(sizes).any() or (sizes < 0).any():
        wrong = np.flatnonzero(np.isinf(sizes) | (sizes < 0))[0]
        raise ShapeError(
            f"size_sigma of person {poses.people[wrong]} is {sizes[wrong]}: it is a share, such "
            "as 0.07, and NaN where it is unknown"
        )
