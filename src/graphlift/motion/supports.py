"""What people stand on: still feet, and the lowest part of the body in every frame.

A foot is not the only part that carries people: in a handstand it is the hands, on the ground
the hips. The centre of a joint is above the floor that its part of the body touches.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from graphlift.motion.feet import standing_feet
from graphlift.motion.requirements import blocks, check_axes, legs, runs, soles
from graphlift.sequences import Poses, frame_rate
from graphlift.skeletons import ANKLE_HEIGHT, Skeleton

CLEARANCE: Mapping[str, float] = {
    "Ankle": ANKLE_HEIGHT,
    "Foot": ANKLE_HEIGHT,  # Human3.6M's name for the ankle
    "Knee": 0.06,
    "Hip": 0.1,
    "Shoulder": 0.1,
    "Elbow": 0.05,
    "Wrist": 0.05,
    "Head": 0.1,
}
"""m; how high a joint's centre is above the floor that this part of the body touches.

Rounded half thicknesses of an adult's limbs and trunk: standing, kneeling, sitting, lying, and
on flat hands.
"""

SLOW = 0.5
"""m/s; a lowest joint that moves faster says less about where the floor is."""
UNEVEN = 0.07
"""m; how far a support is from the plane of the floor, errors included."""
ANKLES = 0.03
"""m; how far all of a person's supports are off together."""
MIN_REST = 0.5
"""Share of the longest rest at one height; a height with less is an error, or no floor."""
FLOOR_QUANTILE = 0.25
"""Share of the frames of rest that lie below the floor: heels lift off before the foot does."""
MAX_SUNK = 0.02
"""m; how deep below the floor a part may be before the whole person is raised."""
MIN_RAISE = 0.005
"""m; people who never sink deeper than MAX_SUNK by more than this are not raised."""
RAISE_TIME = 0.25
"""s; how long before and after it a person is raised and let down."""
POSTURE_TIME = 0.5
"""s; frames closer together show one posture, and share their errors."""


@dataclass(frozen=True, eq=False)
class Footholds:
    """Places where a foot stood.

    Args:
        points: Mean place of the ankle, m.
        frames: For how many frames.
        person: Whose.
    """

    points: Float[np.ndarray, "foothold 3"]
    frames: Float[np.ndarray, " foothold"]
    person: Int[np.ndarray, " foothold"]


@dataclass(frozen=True, eq=False)
class Lowest:
    """The lowest part of each person's body in each frame.

    Args:
        points: Where it touches a floor if there is one, m: the joint's centre less its
            :data:`CLEARANCE`.
        heights: The same along the given up, m.
        weights: How much it counts for the floor: 1 at rest, less the faster it moves, 0 where
            there is no pose or the joint was not seen.
        inferred: Its standard deviation, m, where it was not seen and was inferred from the rest
            of the body; 0 where it was seen, or its deviation is not known.
    """

    points: Float[np.ndarray, "frame person 3"]
    heights: Float[np.ndarray, "frame person"]
    weights: Float[np.ndarray, "frame person"]
    inferred: Float[np.ndarray, "frame person"]


@dataclass(frozen=True, eq=False)
class Level:
    """The floor that one person, or all together, stand on.

    Args:
        height: Of the floor under them along up, m.
        spread: Standard deviation of the supports about it, m.
        point: A place on it, the middle of the supports, m.
        postures: How many postures show it, at least 1.
        share: Share of all their rest that is at this height.
        inferred: How far off the supports are because they were not seen, m.
    """

    height: float
    spread: float
    point: Float[np.ndarray, "3"]
    postures: float
    share: float
    inferred: float = 0.0

    @property
    def error(self) -> float:
        """How far off the height is expected to be, m."""
        return float(
            np.hypot(np.hypot(ANKLES, self.inferred), self.spread / np.sqrt(self.postures))
        )


def footholds(poses: Poses, up: Float[np.ndarray, "3"]) -> Footholds:
    """Find the places where feet stand, given roughly which way is up."""
    fps, _ = frame_rate(poses)
    feet = _ankles(poses)
    flags = standing_feet(feet, up, fps)
    found = [
        (person, end - start, *feet[start:end, person, side].mean(axis=0))
        for person, side in np.ndindex(flags.shape[1:])
        for start, end in runs(flags[:, person, side])
    ]
    table = np.array(found).reshape(-1, 5)
    return Footholds(points=table[:, 2:], frames=table[:, 1], person=table[:, 0].astype(int))


def lowest_parts(poses: Poses, up: Float[np.ndarray, "3"]) -> Lowest:
    """Find what of each body is lowest in each frame, and how still it is there.

    Args:
        poses: Axes that do not turn.
        up: Unit vector against gravity, same axes.
    """
    parts, clearance = clearances(poses.skeleton)
    fps, _ = frame_rate(poses)
    count = len(poses)
    points = np.empty((*poses.positions.shape[:2], 3))
    heights, still, inferred = (np.empty(points.shape[:2]) for _ in range(3))
    ever = _ever_seen(poses)
    for part in blocks(count, people=len(poses.people)):
        frames = np.arange(part.start, min(part.stop, count))
        before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, count - 1)
        first = max(part.start - 1, 0)
        places = parts_of(poses.positions[first : part.stop + 1], parts)
        here = places[part.start - first :][: len(frames)]
        at = lowest_part(here, up, clearance)[..., None]
        points[part] = _pick(places, frames - first, at) - clearance[at] * up
        heights[part] = points[part] @ up
        steps = _pick(places, after - first, at) - _pick(places, before - first, at)
        moved = np.linalg.norm(steps, axis=-1)
        speed = moved * fps / np.maximum(after - before, 1)[:, None]
        sure = _usable(poses.seen[part], ever)[..., parts].all(axis=-1)
        seen = np.take_along_axis(sure, at, axis=2)[..., 0] & np.isfinite(heights[part])
        slow = 1 / (1 + np.nan_to_num(speed, nan=np.inf) ** 2 / SLOW**2)
        still[part] = np.where(seen, slow, 0.0)
        inferred[part] = np.take_along_axis(_unsure(poses, part, parts), at, axis=2)[..., 0]
    # People of whom no lowest part was ever seen, or who are present for single frames only.
    others = ~(still > 0).any(axis=0)
    still[:, others] = np.isfinite(heights[:, others])
    return Lowest(points=points, heights=heights, weights=still, inferred=inferred)


def find_level(lowest: Lowest, fps: float, people: slice | int = slice(None)) -> Level | None:
    """Find the height that people's lowest parts rest at: the lowest one, if there are several.

    Of all heights, 4 UNEVEN wide, it is the lowest at which they rest for at least MIN_REST as
    long as anywhere, moved until it is centred: steps, boxes and jumps are above the floor, and
    below it is error, which is rare. The floor is the FLOOR_QUANTILE of these heights.

    Returns:
        None if no person is present.
    """
    heights, weights = lowest.heights[:, people].ravel(), lowest.weights[:, people].ravel()
    used = np.flatnonzero(weights > 0)
    if not used.size:
        return None
    used = used[np.argsort(heights[used])]
    heights, weights = heights[used], weights[used]
    total = np.append(0.0, weights.cumsum())
    ends = np.searchsorted(heights, heights + 4 * UNEVEN, side="right")
    rest = total[ends] - total[:-1]
    start = int(np.argmax(rest >= MIN_REST * rest.max()))
    near = slice(start, int(ends[start]))
    for _ in range(50):  # it settles in a few
        height = _quantile(heights[near], weights[near], FLOOR_QUANTILE)
        bounds = np.searchsorted(heights, height + np.array([-2, 2]) * UNEVEN).tolist()
        if bounds == [near.start, near.stop]:
            break
        near = slice(*bounds)
    share = weights[near] / weights[near].sum()
    inferred = lowest.inferred[:, people].ravel()[used[near]]
    return Level(
        height=height,
        spread=float(np.sqrt(share @ (heights[near] - height) ** 2)),
        point=share @ lowest.points[:, people].reshape(-1, 3)[used[near]],
        postures=max(1.0, float(weights[near].sum()) / fps / POSTURE_TIME),
        share=float(weights[near].sum() / weights.sum()),
        inferred=float(np.sqrt(share @ inferred**2)),
    )


def _quantile(
    heights: Float[np.ndarray, " support"], weights: Float[np.ndarray, " support"], share: float
) -> float:
    """The height, of a sorted list, below which a share of the weight lies."""
    total = weights.cumsum()
    return float(heights[min(np.searchsorted(total, share * total[-1]), len(heights) - 1)])


def find_levels(poses: Poses, up: Float[np.ndarray, "3"]) -> dict[str, Level]:
    """Find the floor under each person who is ever present, by name (:func:`find_level`)."""
    lowest, (fps, _) = lowest_parts(poses, up), frame_rate(poses)
    found = {name: find_level(lowest, fps, p) for p, name in enumerate(poses.people)}
    return {name: level for name, level in found.items() if level is not None}


def raise_sunk(poses: Poses) -> Poses:
    """Raise people, smoothly over time, where their lowest part would be in the floor.

    How far each frame must rise is widened to the most within RAISE_TIME, then averaged over as
    long, so that no frame rises less than it must. Nobody is lowered: people jump.

    Args:
        poses: World axes.

    Raises:
        ModelError: If poses are in camera axes.
    """
    check_axes(poses, "world", "raising people above the floor")
    if not (valid := poses.valid).any():
        return poses
    fps, _ = frame_rate(poses)
    heights = lowest_parts(poses, np.array([0.0, 0.0, 1.0])).heights
    need = np.nan_to_num(np.maximum(-MAX_SUNK - heights, 0.0))
    half = max(1, round(RAISE_TIME * fps))
    window = np.hanning(2 * half + 3)[1:-1]
    widest = sliding_window_view(_longer(need, half), len(window), axis=0).max(axis=-1)
    taps = window / window.sum()
    rise = np.stack([np.convolve(x, taps, "valid") for x in _longer(widest, half).T], axis=-1)
    most = np.where(valid, rise, 0.0).max(axis=0, initial=0.0)
    raised = np.flatnonzero(most >= MIN_RAISE)
    if not raised.size:
        return poses
    positions = poses.positions.copy()
    positions[..., 2] += rise[..., None]
    most_cm = ", ".join(f"{poses.people[p]}: {100 * most[p]:.0f} cm" for p in raised)
    return poses.noting(f"Raised out of the floor, at most by ({most_cm}).", positions=positions)


def _longer(values: Float[np.ndarray, "frame person"], by: int) -> np.ndarray:
    """Repeat the first and the last frame."""
    return np.pad(values, ((by, by), (0, 0)), mode="edge")


def clearances(
    skeleton: Skeleton,
) -> tuple[Int[np.ndarray, "part joint"], Float[np.ndarray, " part"]]:
    """List what people can stand, kneel, sit or lie on, and its CLEARANCE, m.

    A part is a joint, or the mean of several: of a foot that has heel and toes the mean of these,
    and not the ankle.
    """
    ankles, (feet, heights) = legs(skeleton)[:, 2], soles(skeleton)
    width = feet.shape[1]
    found = [
        ([joint] * width, CLEARANCE[base])
        for joint, name in enumerate(skeleton.joints)
        if (base := name if name in CLEARANCE else name[1:]) in CLEARANCE
        and (width == 1 or joint not in ankles)
    ]
    if width > 1:
        found += [(foot.tolist(), float(heights.mean())) for foot in feet]
    parts, clearance = zip(*found, strict=True)
    return np.array(parts), np.array(clearance)


def parts_of(
    positions: Float[np.ndarray, "frame person joint 3"], parts: Int[np.ndarray, "part joint"]
) -> Float[np.ndarray, "frame person part 3"]:
    """Place parts of the body, each the mean of its joints."""
    if parts.shape[1] == 1:
        return np.asarray(positions[:, :, parts[:, 0]])
    return np.asarray(positions[:, :, parts].mean(axis=-2))


def lowest_part(
    places: Float[np.ndarray, "frame person part 3"],
    up: Float[np.ndarray, "3"],
    clearance: Float[np.ndarray, " part"],
) -> Int[np.ndarray, "frame person"]:
    """Find which part of the body is lowest along up; any if no one is present."""
    heights = places @ up - clearance
    return np.asarray(np.where(np.isfinite(heights), heights, np.inf).argmin(axis=-1))


def _pick(
    places: Float[np.ndarray, "frame person part 3"],
    frames: Int[np.ndarray, " chosen"],
    at: Int[np.ndarray, "chosen person 1"],
) -> Float[np.ndarray, "chosen person 3"]:
    """Take one part of each person in some frames."""
    people = np.arange(places.shape[1])
    return np.asarray(places[frames[:, None], people, at[..., 0]].astype(np.float64))


def _ever_seen(poses: Poses) -> Bool[np.ndarray, "person joint"]:
    """Which joints a person ever shows, on either side."""
    ever: Bool[np.ndarray, "person joint"] = np.asarray(poses.seen.any(axis=0))
    return np.asarray(ever | ever[:, poses.skeleton.mirror])


def _usable(
    seen: Bool[np.ndarray, "frame person joint"], ever: Bool[np.ndarray, "person joint"]
) -> Bool[np.ndarray, "frame person joint"]:
    """Which joints were seen; those of a pair of which a person never shows either, too."""
    return np.asarray(seen | ~ever)


def _unsure(
    poses: Poses, part: slice, parts: Int[np.ndarray, "part joint"]
) -> Float[np.ndarray, "frame person part"]:
    """Find how far off parts are that were not seen, m; a sole is seen if its ankle is."""
    seen = poses.seen[part].copy()
    feet, ankles = soles(poses.skeleton)[0], legs(poses.skeleton)[:, 2]
    seen[..., feet] |= seen[..., ankles, None]
    sigma = np.where(seen, 0.0, np.nan_to_num(poses.sigma[part]))
    return np.asarray(sigma[..., parts].mean(axis=-1))


def _ankles(poses: Poses) -> Float[np.ndarray, "frame person side 3"]:
    """Where the ankles are; those not seen are left out, unless none of a person's ever is."""
    ankles = legs(poses.skeleton)[:, 2]
    usable = _usable(poses.seen[..., ankles], _ever_seen(poses)[:, ankles])
    return np.where(usable[..., None], poses.positions[..., ankles, :], np.nan)
