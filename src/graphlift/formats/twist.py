"""How a bone turns about itself, over a whole clip: continuous, and near to what anatomy shows.

Positions of joints show where a bone points, not how it is turned about itself. Unless the front
of the segment is known, only the bend of the next joint (elbow, knee) shows that, and a limb that
is nearly straight shows it badly: decided frame by frame, an arm rolls by half a turn when noise
bends it the other way. Here the twist is solved for the whole clip at once:

1. Parallel transport: the smallest turn from each frame to the next is the one without any twist
   of its own. Angles are counted from it.
2. Each frame pulls the angle to where its bend shows the hinge, with the fourth power of the sine
   of the bend, to where the front points if that is known, with the inverse square of its
   deviation, and a little to the rest pose. The pulls are spread over time, first as vectors of
   the plane across the bone, among which whole turns do not count (the vector heat method does so
   on surfaces: Sharp, Soliman and Crane, ACM Transactions on Graphics 38, 2019), then as angles.
3. No step is larger than the bone and its hinge explain (:func:`allowed_steps`).

Nothing here depends on the direction of time, and the time constants are in seconds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

STRAIGHT = np.radians(15)
"""A knee or elbow bent by less than about this does not tell the twist of thigh or upper arm."""

RESPONSE = 1 / 60
"""s, over which the pull of a limb bent by a right angle is spread; a straight one's over 0.25 s:
the response lengthens with the root of the pull, which is sin(15°)^4 there."""

FRONT_RESPONSE = 1 / 25
"""s, the same of bones whose front is known. A network's front is least sure while a limb is
straight and passes quickly from one plane into another, and errs for several frames together:
spread over less, it rolls the arm in one of them. Spread over more, thighs are further off, those
whose knees show their twist by 1° already.

Source: upper arms and thighs of CMU validation people, lifted by open-base and as in
benchmarks/rig_turns.py.
"""

PULL = np.pi
"""rad/s, the most by which anatomy alone turns a bone that rests."""

FRONT = np.array([0.0, 0.0, 1.0])
"""The front of a bone in the rest pose: across every bone of it."""

FOLDED = 1e-3
"""The least pull to the rest pose, of a bone that points straight back, where it means nothing."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What frames show of how a bone is turned about itself, in numbers that take little memory.

    Complex numbers are vectors across the bone; 1 is where the swing takes the hinge.

    Args:
        drift: Angle about the bone between parallel transport and the swings, rad.
        swings: By how much the bone turns, rad.
        rest: How much the rest pose counts.
        bend: The axis of the next joint's bend, as long as its sine; None without a hinge.
        front: Where the front would take the hinge, as long as it counts; None if it is not known.
    """

    drift: Float[np.ndarray, " step"]
    swings: Float[np.ndarray, " step"]
    rest: Float[np.ndarray, " frame"]
    bend: Complex[np.ndarray, " frame"] | None
    front: Complex[np.ndarray, " frame"] | None

    @classmethod
    def of_clip(cls, frames: int, *, bend: bool, front: bool) -> "Shown":
        """Make room for a clip."""
        drift, swings = np.zeros((2, max(frames - 1, 0)))
        return cls(
            drift,
            swings,
            np.zeros(frames),
            np.zeros(frames, complex) if bend else None,
            np.zeros(frames, complex) if front else None,
        )

    def put(self, part: slice, shown: "Shown") -> None:
        """Put in what some frames show, and the frame before them if there is one."""
        first, steps = min(part.start, 1), slice(max(part.start - 1, 0), part.stop - 1)
        self.drift[steps], self.swings[steps] = shown.drift, shown.swings
        self.rest[part] = shown.rest[first:]
        for own, other in ((self.bend, shown.bend), (self.front, shown.front)):
            if own is not None and other is not None:
                own[part] = other[first:]


def show_twist(
    rest: Float[np.ndarray, "3"],
    hinge: Float[np.ndarray, "3"],
    swing: Float[np.ndarray, "frame 3 3"],
    bend: Float[np.ndarray, "frame 3"] | None,
    front: Float[np.ndarray, "frame 3"] | None = None,
) -> Shown:
    """Find what frames show of a bone's twist.

    Args:
        rest: Direction of the bone in the rest pose, a unit vector.
        hinge: Unit vector across it, from which the angle counts, right-handed about ``rest``.
        swing: Smallest turn from ``rest`` to the bone, in the frame of its parent.
        bend: In the frame of the parent, the axis about which the next joint is bent, across the
            bone and as long as the sine of the bend; None for a bone that has no hinge to follow
            and is pulled to its swing alone.
        front: In the frame of the parent, where the bone's front points, which is :data:`FRONT`
            in the rest pose; as long as it counts, 1 for as much as a limb bent by a right angle,
            and more for one that is surer than that.
    """
    bone = swing @ rest
    across = np.stack([hinge, np.cross(rest, hinge)])
    sine = np.linalg.norm(np.cross(bone[:-1], bone[1:]), axis=-1)
    return Shown(
        drift=_transport(bone, swing, across),
        swings=np.arctan2(sine, (bone[:-1] * bone[1:]).sum(axis=-1)),
        rest=np.maximum((1 + bone @ rest) / 2, FOLDED),
        bend=None if bend is None else _in_plane(bend, swing, across),
        front=None
        if front is None
        else _in_plane(front, swing, across) * np.conj(complex(*(across @ FRONT))),
    )


def solve_twist(shown: Shown, fps: float) -> Float[np.ndarray, " frame"]:
    """Find by how much to turn a bone about itself before its swing.

    Args:
        shown: Of the whole clip.
        fps: Frames a second.

    Returns:
        Angles, rad, that have no jump; with a single frame, the angle that anatomy shows.
    """
    drift = np.cumsum(np.concatenate([[0.0], shown.drift]))
    unwind = np.exp(-1j * drift)
    bend = np.zeros(len(drift), complex) if shown.bend is None else shown.bend * unwind
    pull = shown.rest * unwind
    if shown.bend is not None:
        pull = bend * np.abs(bend) ** 3 + np.sin(STRAIGHT) ** 4 * pull
    steps, response = allowed_steps(shown.swings, bend, fps), RESPONSE
    del bend  # of an hour, 3 MB
    if shown.front is not None:
        ahead = shown.front * unwind
        pull, response = pull + ahead, FRONT_RESPONSE
        ahead /= np.maximum(np.abs(ahead), 1)
        steps = steps + np.abs(np.diff(ahead))
        del ahead
    del unwind
    angle = _spread(pull, stiffness=(response * fps) ** 2)
    return np.asarray(limit_steps(angle, steps) + drift)


def allowed_steps(
    swings: Float[np.ndarray, " step"], bend: Complex[np.ndarray, " frame"], fps: float
) -> Float[np.ndarray, " step"]:
    """Say by how much a bone may turn about itself from each frame to the next, rad.

    By as much as it swings: the rest pose's own twist turns by tan(b/2) times the swing, for a
    bone at the angle b to it. By as much as the bend's axis moves, as long as its sine: a limb
    bent by a right angle is followed in full, a straight one's noise is not. And by :data:`PULL`.
    A front that is known adds what it moves.
    """
    return np.asarray(swings + np.abs(np.diff(bend)) + PULL / fps)


def _in_plane(vectors: np.ndarray, swing: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Express vectors across the bone as complex numbers; 1 is where the swing takes the hinge."""
    x, y = np.einsum("fj,fja->af", vectors, swing @ across.T)
    return np.asarray(x + 1j * y)


def _transport(bone: np.ndarray, swing: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Angle about the bone, step by step, between parallel transport and the swings.

    The smallest turn from a to b takes x, across a, to x - (b·x) (a + b) / (1 + a·b). Straight
    back there is no smallest one: half a turn about x, which stays.
    """
    before, after, x = bone[:-1], bone[1:], swing[:-1] @ across[0]
    apart = 1 + (before * after).sum(axis=-1, keepdims=True)
    along = (after * x).sum(axis=-1, keepdims=True)
    share = np.divide(along, apart, out=np.zeros_like(along), where=apart > 1e-9)
    return np.asarray(np.angle(_in_plane(x - share * (before + after), swing[1:], across)))


def _spread(pull: np.ndarray, *, stiffness: float) -> np.ndarray:
    """Spread pulls over time, and return the angle in each frame, unwrapped.

    Minimises sum w_t |c_t - p_t|^2 + stiffness * sum |c_t+1 - c_t|^2, w the pull's length and p
    its direction; then the same in angles, so that a c that passes by zero, whose angle jumps, is
    a slope. The matrix is tridiagonal and positive definite, its condition at most
    (max w + 4 stiffness) / min w: 1.4e9 at 1,000 fps.
    """
    weight = np.maximum(np.abs(pull), FOLDED * np.sin(STRAIGHT) ** 4)
    towards = smooth_over_time(weight, np.stack([pull.real, pull.imag], axis=-1), stiffness)
    phase = np.unwrap(np.arctan2(towards[:, 1], towards[:, 0]))
    nearest = phase + np.angle(pull * np.exp(-1j * phase))
    return smooth_over_time(weight, weight * nearest, stiffness)


def smooth_over_time(weight: np.ndarray, weighted: np.ndarray, stiffness: float) -> np.ndarray:
    """Solve for the x that minimises sum w_t |x_t - v_t|^2 + stiffness * sum |x_t+1 - x_t|^2.

    Args:
        weight: Of each frame, w, positive.
        weighted: The values times their weights, w v; one number a frame, or several.
        stiffness: Of the steps.
    """
    from scipy.linalg import solveh_banded

    if len(weight) == 1:  # LAPACK's routine for two bands takes no single row
        return np.asarray(weighted / weight[0])
    bands = np.zeros((2, len(weight)))
    bands[0] = weight
    bands[0, :-1] += stiffness
    bands[0, 1:] += stiffness
    bands[1, :-1] = -stiffness
    return np.asarray(solveh_banded(bands, weighted, lower=True))


def limit_steps(angle: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Flatten slopes to the allowed steps; angles that keep to them stay as they are.

    The mean of the least curve above and the greatest curve below whose steps are allowed, each a
    running maximum or minimum forwards and backwards (McShane's extension, 1934).
    """

    def above(values: np.ndarray) -> np.ndarray:
        forwards = np.maximum.accumulate(values + way) - way
        backwards = np.maximum.accumulate((values - way)[::-1])[::-1] + way
        return np.asarray(np.maximum(forwards, backwards))

    way = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray((above(angle) - above(-angle)) / 2)
