"""Tracklets joined over gaps: the likeliest successor for each, for all of them at once.

Two tracklets are one person if motion and size agree. Over a gap of dt seconds, with e the
displacement, v and v' the velocities before and after, and all lengths in sizes of the person,

    d² = (max(|e - v dt|, |e - v' dt|) / (a + b dt))² + (|v' - v| / c)²
         + (log s'/s / (f + g dt))²

is a squared distance in standard deviations. A pair beyond :data:`GATE` is never joined; which of
the others are is the assignment of least total log(1 + d² / :data:`TYPICAL`): the likelihood of a
heavy-tailed distribution, since most people move steadily and some suddenly do not.

Source: Huang, Wu and Nevatia (ECCV 2008), motion and size affinities and the assignment; the
widths are ours, from how fast people walk and turn.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from graphlift.tracking.likeness import body_size

GATE = 9.0
"""Cost from which two tracklets are two people: three standard deviations."""

TYPICAL = 0.1
"""d² of one person in steady motion; the logarithm grows from there."""

_PLACE = (0.12, 0.35)
"""a, sizes, and b, sizes a second: how far people are from where constant velocity takes them."""

_UNKNOWN = 1.5
"""Sizes a second that are added to b where a velocity is not known: 2.5 m/s of an adult."""

_MAX_UNKNOWN = 0.5
"""s beyond which tracklets are not joined unless the velocity before and after is known."""

_VELOCITY = 0.6
"""c, sizes a second: how much velocity changes."""

_SIZE = (0.2, 0.1)
"""f and g: how much the size changes, as a logarithm, and how much more each second."""

_LASTING = 5
"""Detections from which a tracklet is a person, who ends somewhere."""

_MIN_END_COST = 0.3
"""What the end of a shorter one costs at least, as a share of that."""

_WINDOW = 0.6
"""s from which a velocity is found: about a step, so that limbs that swing cancel."""

_SHORTEST = 0.08
"""s from which a velocity is known at all."""

_MAX_LOST = 0.5
"""s within which a person who is found may be the one who was lost."""

_LEAP = (0.5, 3.0)
"""Sizes, and sizes a second, that a person alone may be from where they were lost: 5 m/s of an
adult, and half a body for what was read badly."""

_MAX_JUMPS = 3
"""Jumps that are noted one by one."""


@dataclass(frozen=True, eq=False)
class Tracklet:
    """Detections of one person, in order of time.

    Args:
        places: Frame, and which of its detections.
        joints: x and y, px, and confidence; NaN where missing.
    """

    places: tuple[tuple[int, int], ...]
    joints: Float[np.ndarray, "detection joint 3"]

    @property
    def first(self) -> int:
        """First frame."""
        return self.places[0][0]

    @property
    def last(self) -> int:
        """Last frame."""
        return self.places[-1][0]


@dataclass(frozen=True, eq=False)
class _End:
    """How a tracklet begins or ends: pose, px, velocity, px/s (NaN if not known), and size, px."""

    pose: Float[np.ndarray, "joint 2"]
    velocity: Float[np.ndarray, "2"]
    size: float


def join(tracklets: Sequence[Tracklet], longest: float, fps: float) -> list[Tracklet]:
    """Join tracklets over gaps of at most ``longest`` seconds, in order of their first frame."""
    tracklets = sorted(tracklets, key=lambda each: each.places[0])
    lengths = np.array([len(each.places) for each in tracklets])
    successor = _assign(_costs(tracklets, longest, fps), lengths)
    followed = set(successor.values())
    chains = []
    for number in range(len(tracklets)):
        if number not in followed:
            chain = [number]
            while chain[-1] in successor:
                chain.append(successor[chain[-1]])
            chains.append([tracklets[each] for each in chain])
    return [chain[0] if len(chain) == 1 else _chained(chain) for chain in chains]


def join_lone(tracklets: Sequence[Tracklet], fps: float) -> list[Tracklet]:
    """Join tracklets that follow each other while no other person is present, if possible.

    A person alone in the image may tumble, or be detected badly for a moment, which no steady
    motion explains; but no person gets farther than :data:`_LEAP` allows, or doubles in size.
    """
    present = Counter(frame for each in tracklets for frame, _ in each.places)
    tracklets = sorted(tracklets, key=lambda each: each.places[0])
    joined = list(tracklets[:1])
    for new in tracklets[1:]:
        old = joined[-1]
        between = range(old.last + 1, new.first)
        alone = present[old.last] == present[new.first] == 1 and not any(map(present.get, between))
        if old.last < new.first and alone and _is_near(old, new, (new.first - old.last) / fps):
            joined[-1] = _chained([old, new])
        else:
            joined.append(new)
    return joined


def _is_near(old: Tracklet, new: Tracklet, dt: float) -> bool:
    """Tell whether a person lost in one tracklet can be found in the other so soon."""
    ends = np.stack([old.joints[-1, :, :2], new.joints[0, :, :2]])
    sizes = body_size(ends)
    distance = np.linalg.norm(np.diff(np.nanmean(ends, axis=1), axis=0)) / sizes.max()
    return bool(
        dt <= _MAX_LOST and distance < _LEAP[0] + _LEAP[1] * dt and sizes.max() < 2 * sizes.min()
    )


def _chained(chain: Sequence[Tracklet]) -> Tracklet:
    places = tuple(place for each in chain for place in each.places)
    return Tracklet(places, np.concatenate([each.joints for each in chain]))


def _costs(
    tracklets: Sequence[Tracklet], longest: float, fps: float
) -> list[tuple[int, int, float]]:
    """List pairs that can be joined, (before, after, cost)."""
    firsts = np.array([each.first for each in tracklets])
    begins = [_end(each, fps, last=False) for each in tracklets]
    pairs = []
    for number, each in enumerate(tracklets):
        low = np.searchsorted(firsts, each.last, side="right")
        high = np.searchsorted(firsts, each.last + 1 + longest * fps, side="right")
        if low == high:
            continue
        end = _end(each, fps, last=True)
        for other in range(low, high):
            cost = _cost(end, begins[other], (firsts[other] - each.last) / fps)
            if cost < GATE:
                pairs.append((number, other, cost))
    return pairs


def _assign(
    pairs: Sequence[tuple[int, int, float]], lengths: Int[np.ndarray, " tracklet"]
) -> dict[int, int]:
    """Give each tracklet at most one successor, at the least cost for all.

    A column for each tracklet, at the cost of the gate, stands for having none; it costs less for
    short tracklets, which may be no person at all.
    """
    if not pairs:
        return {}
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, columns, costs = (np.array(each) for each in zip(*pairs, strict=True))
    count = len(lengths)
    alone = np.arange(count)
    ends = np.log1p(GATE / TYPICAL) * np.minimum(
        1, _MIN_END_COST + (1 - _MIN_END_COST) * lengths / _LASTING
    )
    cost = 1 + np.concatenate([np.log1p(costs / TYPICAL), ends])  # 0 would be no edge
    where = (np.concatenate([rows, alone]), np.concatenate([columns, count + alone]))
    graph = csr_array((cost, where), shape=(count, 2 * count))
    before, after = min_weight_full_bipartite_matching(graph)
    return {int(b): int(a) for b, a in zip(before, after, strict=True) if a < count}


def _end(tracklet: Tracklet, fps: float, *, last: bool) -> _End:
    """Find how a tracklet begins or ends, from its last or first part of a second.

    Velocity is the mean over joints that both of two detections show, so that a joint that comes
    or goes has no effect. Joints that are hidden at the very end are moved along with the rest.
    """
    step = -1 if last else 1
    times = np.array([frame for frame, _ in tracklet.places])[::step] / fps
    near = np.abs(times - times[0]) <= _WINDOW
    times, joints = times[near], tracklet.joints[::step][near][..., :2]
    pose, moved = joints[0].copy(), np.zeros(2)
    elapsed = 0.0
    for inner in range(1, len(times)):
        both = np.isfinite(joints[inner - 1 : inner + 1, :, 0]).all(axis=0)
        if not both.any():
            break
        moved = moved + (joints[inner - 1, both] - joints[inner, both]).mean(axis=0)
        elapsed = times[0] - times[inner]
        pose = np.where(np.isfinite(pose), pose, joints[inner] + moved)
    known = abs(elapsed) >= _SHORTEST
    velocity = moved / elapsed if known else np.full(2, np.nan)
    return _End(pose, velocity, float(body_size(pose)))


def _cost(before: _End, after: _End, dt: float) -> float:
    """Squared distance d² in standard deviations; see the top of the module."""
    shared = np.isfinite(before.pose[:, 0]) & np.isfinite(after.pose[:, 0])
    if not shared.any():
        return np.inf
    size = max(before.size, after.size)
    moved = np.median(after.pose[shared] - before.pose[shared], axis=0) / size
    known = [each for each in (before.velocity, after.velocity) if np.isfinite(each[0])]
    if len(known) < 2 and dt > _MAX_UNKNOWN:
        return np.inf
    velocities = [each / size for each in known] or [np.zeros(2)]
    width = _PLACE[0] + (_PLACE[1] + _UNKNOWN * (len(known) < 2)) * dt
    cost = (max(np.hypot(*(moved - each * dt)) for each in velocities) / width) ** 2
    if len(known) == 2:
        cost += (np.hypot(*(velocities[1] - velocities[0])) / _VELOCITY) ** 2
    sizes = body_size(np.stack([before.pose[shared], after.pose[shared]]))
    return float(cost + (np.log(sizes[1] / sizes[0]) / (_SIZE[0] + _SIZE[1] * dt)) ** 2)


def find_jumps(tracks: Sequence[Tracklet], fps: float) -> list[str]:
    """Describe where a person is found just after another was lost, too far away to be the same.

    Args:
        tracks: Everybody, in order of first appearance.
        fps: Frames per second.
    """
    jumps = []
    for number, new in enumerate(tracks):
        lost = [
            (new.first - last, which, place)
            for which, old in enumerate(tracks)
            if (place := bisect_left(old.places, (new.first, 0)))
            and new.first - (last := old.places[place - 1][0]) <= _MAX_LOST * fps
            and (place == len(old.places) or old.places[place][0] > new.first)
        ]
        if lost:
            gap, which, place = min(lost)
            jumps.append(_jump(tracks[which].joints[place - 1], which, new, number, gap / fps))
    more = [f"So do {len(jumps) - _MAX_JUMPS} more."] if len(jumps) > _MAX_JUMPS else []
    return jumps[:_MAX_JUMPS] + more


def _jump(
    lost: Float[np.ndarray, "joint 3"], who: int, new: Tracklet, number: int, seconds: float
) -> str:
    old, found = lost[:, :2], new.joints[0, :, :2]
    size = max(float(body_size(old)), float(body_size(found)))
    distance = np.hypot(*(np.nanmean(found, axis=0) - np.nanmean(old, axis=0))) / size
    return (
        f"Person {number} begins in frame {new.first}, {distance:.1f} body lengths from where "
        f"person {who} was lost {seconds:.2f} s before: not joined to one person."
    )
