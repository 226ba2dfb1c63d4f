"""Smoothing over time: One-Euro for streams, Savitzky-Golay where the future is known.

A missing value stays missing and has no effect on other values.
"""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from graphlift.errors import ModelError, ShapeError
from graphlift.geometry import unit_vectors
from graphlift.motion.requirements import blocks
from graphlift.sequences import Poses, check_frame_rate, frame_rate

Smoother = Literal["savgol", "one-euro"]

WINDOW = 0.35
"""s; the width of Savitzky-Golay's window (11 frames of 30 fps)."""
DEGREE = 2
"""Degree of Savitzky-Golay's polynomial: constant acceleration within the window is kept."""

MIN_CUTOFF = 1.5
"""Hz; One-Euro's cut-off for a joint at rest. Lower: smoother, but later."""
BETA = 4.0
"""Hz per m/s; by how much the cut-off rises with speed. Higher: quicker, but rougher."""
SPEED_CUTOFF = 1.0
"""Hz; cut-off for the speed itself. Source: the value Casiez et al. keep fixed."""
FORGET = 0.5
"""s; a value missing for longer starts anew."""


class OneEuro:
    """The 1€ filter: a causal low-pass whose cut-off rises with speed, one frame at a time.

    Points of several coordinates have one cut-off, from the length of their velocity, so that
    turning the axes changes nothing; the paper filters single numbers. After missing frames the
    time that has passed counts. It holds one frame, whatever it has seen.

    Args:
        fps: Frames per second.
        min_cutoff: Hz, of a point at rest.
        beta: Hz per unit of positions and second.
        speed_cutoff: Hz.

    Raises:
        ModelError: If a number is not positive (beta: negative).
        ShapeError: If the frame rate is impossible.

    Source: Casiez, Roussel and Vogel, "1€ filter: a simple speed-based low-pass filter for noisy
    input in interactive systems", CHI 2012.
    """

    def __init__(
        self,
        fps: float,
        *,
        min_cutoff: float = MIN_CUTOFF,
        beta: float = BETA,
        speed_cutoff: float = SPEED_CUTOFF,
    ) -> None:
        if not (min_cutoff > 0 and speed_cutoff > 0 and beta >= 0):
            raise ModelError(
                f"One-Euro with min_cutoff {min_cutoff:g}, beta {beta:g} and speed_cutoff "
                f"{speed_cutoff:g}: cut-offs must be above 0 Hz and beta not negative"
            )
        self._step = 1 / check_frame_rate(fps)
        self._min_cutoff, self._beta, self._speed_cutoff = min_cutoff, beta, speed_cutoff
        self._value: np.ndarray | None = None
        self._velocity = self._missed = np.zeros(0)

    def __call__(self, positions: Float[np.ndarray, "*point d"]) -> Float[np.ndarray, "*point d"]:
        """Smooth the next frame: same shape, NaN where it is NaN.

        Raises:
            ShapeError: If the shape is not that of the frames before.
        """
        x = np.asarray(positions, dtype=np.float64)
        if self._value is None:
            self._value, self._velocity = np.zeros_like(x), np.zeros_like(x)
            self._missed = np.full((*x.shape[:-1], 1), np.inf)
        if x.shape != self._value.shape:
            raise ShapeError(
                f"a frame of {x.shape} after frames of {self._value.shape}: start another filter"
            )
        present = np.isfinite(x).all(axis=-1, keepdims=True)
        elapsed = self._missed + self._step
        known = elapsed <= FORGET + self._step
        elapsed_or_step = np.where(known, elapsed, self._step)
        rate = (x - self._value) / elapsed_or_step
        velocity = self._velocity + _share(self._speed_cutoff, elapsed_or_step) * (
            rate - self._velocity
        )
        speed = np.sqrt((velocity**2).sum(axis=-1, keepdims=True))
        cutoff = self._min_cutoff + self._beta * speed
        value = self._value + _share(cutoff, elapsed_or_step) * (x - self._value)
        self._value = np.where(present, np.where(known, value, x), self._value)
        self._velocity = np.where(present, np.where(known, velocity, 0.0), self._velocity)
        self._missed = np.where(present, 0.0, elapsed)
        return np.where(present, self._value, np.nan)


def one_euro(
    values: Float[np.ndarray, " frame *rest"],
    fps: float,
    *,
    min_cutoff: float = MIN_CUTOFF,
    beta: float = BETA,
    speed_cutoff: float = SPEED_CUTOFF,
) -> Float[np.ndarray, " frame *rest"]:
    """Smooth all frames as a stream would: bitwise what :class:`OneEuro` returns one by one.

    The result has the precision of ``values``.
    """
    smoother = OneEuro(fps, min_cutoff=min_cutoff, beta=beta, speed_cutoff=speed_cutoff)
    smoothed = np.empty(values.shape, dtype=np.result_type(values, np.float32))
    for frame, now in enumerate(values):
        smoothed[frame] = smoother(now)
    return smoothed


def savgol(
    values: Float[np.ndarray, " frame *rest"],
    fps: float,
    *,
    window: float = WINDOW,
    degree: int = DEGREE,
) -> Float[np.ndarray, " frame *rest"]:
    """Replace each value by that of the polynomial fitted to the known values around it.

    Where nothing is missing this is the filter of the textbooks, the first and last half window
    taken from the polynomials of the first and last whole one. Where values are missing the same
    polynomial is fitted to those that are there; with no more of them than coefficients, a value
    is left as it is. A clip too short for the degree comes back unchanged.

    Args:
        values: Any unit; NaN where missing.
        fps: Frames per second.
        window: Its width, s: the same motion at another frame rate is smoothed alike.
        degree: Of the polynomial; its motions pass unchanged.

    Returns:
        In the precision of ``values``.

    Raises:
        ModelError: If the window is not positive, or the degree negative.
        ShapeError: If the frame rate is impossible.

    Source: Savitzky and Golay, "Smoothing and differentiation of data by simplified least squares
    procedures", Anal. Chem. 1964.
    """
    if not (window > 0 and degree >= 0):
        raise ModelError(
            f"Savitzky-Golay with a window of {window:g} s and degree {degree}: give a window "
            "above 0 s and a degree of 0 or more"
        )
    half = min(max(round(window * check_frame_rate(fps) / 2), 1), (len(values) - 1) // 2)
    smoothed = np.array(values, dtype=np.result_type(values, np.float32))
    if 2 * half < degree + 1:
        return smoothed
    flat = values.reshape(len(values), -1)
    windows = len(flat) - 2 * half
    people = values.shape[1] if values.ndim > 2 else 1
    for part in blocks(windows, people=people):
        start, end = part.start, min(part.stop, windows) + 2 * half
        columns = flat[start:end].astype(np.float64)
        known = np.isfinite(columns)
        fitted = _local_polynomials(np.where(known, columns, 0.0), known, half, degree)
        fitted = np.where(known & np.isfinite(fitted), fitted, columns)
        # Half a window at either end belongs to the blocks before and after, if there are any.
        first, last = half if start else 0, end - half if end < len(flat) else end
        inner = fitted[first : last - start]
        smoothed[start + first : last] = inner.reshape(len(inner), *values.shape[1:])
    return smoothed


def smooth(poses: Poses, method: Smoother = "savgol", **options: Any) -> Poses:  # noqa: ANN401
    """Smooth positions over time, each joint by itself, and fronts, as unit vectors.

    Args:
        poses: In any axes, rooted or not.
        method: ``savgol`` looks both ways; ``one-euro`` only back, as a live stream must.
        options: Of :func:`savgol` (window, degree) or :func:`one_euro` (min_cutoff, beta,
            speed_cutoff).

    Raises:
        ModelError: If the method is unknown, or an option not positive.
    """
    if method not in ("savgol", "one-euro"):
        raise ModelError(f"no smoothing {method!r}: take 'savgol', 'one-euro' or none")
    fps, assumed = frame_rate(poses)
    filtered = savgol if method == "savgol" else one_euro
    if method == "savgol":
        words = f"Savitzky-Golay, {options.get('window', WINDOW):g} s"
    else:
        words = f"One-Euro, {options.get('min_cutoff', MIN_CUTOFF):g} Hz at rest"
    fronts = poses.fronts
    if fronts is not None:  # before the positions: they need more while it lasts
        fronts = filtered(fronts, fps, **options)
        for part in blocks(len(fronts), people=len(poses.people)):
            fronts[part] = unit_vectors(fronts[part])
    return poses.noting(
        *assumed,
        f"Positions were smoothed ({words}).",
        positions=filtered(poses.positions, fps, **options),
        fronts=fronts,
    )


def _share(cutoff: float | np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """How much of a new value a low-pass takes: 1 / (1 + τ / T), with τ = 1 / (2π cutoff)."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))


def _local_polynomials(
    flat: np.ndarray, known: np.ndarray, half: int, degree: int
) -> Float[np.ndarray, "frame column"]:
    """Fit a polynomial around every frame; NaN where too few are known.

    Whole windows are fitted by one pseudo-inverse; its condition is below 10 for degree 2. Where
    something is missing, normal equations of times within ±1 do, as long as a quarter of the
    window is known (condition 1e5 for degree 2); few known frames, next to each other in a wide
    window, would lose all digits by them and are fitted by orthogonal factorisation.
    """
    time = np.arange(-half, half + 1) / half
    power = time[:, None] ** np.arange(2 * degree + 1)
    if known.all():  # one set of normal equations for all
        fit = power[:, : degree + 1] @ np.linalg.pinv(power[:, : degree + 1])
        first, last = fit @ flat[: len(time)], fit @ flat[-len(time) :]
        return np.concatenate([first[:half], _slide(flat, fit[half]), last[half + 1 :]])
    weights = np.stack([_slide(known.astype(float), row) for row in power.T], axis=-1)
    sums = np.stack([_slide(flat, row) for row in power.T[: degree + 1]], axis=-1)
    order = np.arange(degree + 1)
    normal = weights[..., order[:, None] + order]
    count = weights[..., 0]
    enough = count > max(degree + 0.5, len(time) / 4)
    normal = np.where(enough[..., None, None], normal, np.eye(degree + 1))
    sums = np.where(enough[..., None], sums, np.nan)
    coefficients = np.linalg.solve(normal, sums[..., None])[..., 0]
    few = np.argwhere((count > degree + 0.5) & ~enough)
    for part in blocks(len(few)):
        start, column = few[part].T
        within = (start[:, None] + np.arange(len(time)), column[:, None])
        coefficients[start, column] = _fit(power[:, : degree + 1], known[within], flat[within])
    # Near the ends, the polynomial of the nearest whole window, off its middle.
    frame = np.arange(len(flat))
    middle = np.clip(frame, half, len(flat) - 1 - half)
    offset = ((frame - middle) / half)[:, None] ** np.arange(degree + 1)
    return np.asarray((coefficients[middle - half] * offset[:, None]).sum(axis=-1))


def _fit(
    power: np.ndarray, known: np.ndarray, values: np.ndarray
) -> Float[np.ndarray, "window term"]:
    """Fit what is known of each window (rows) by QR: coefficients of the powers of time."""
    rows = np.concatenate([power * known[..., None], (values * known)[..., None]], axis=-1)
    R = np.asarray(np.linalg.qr(rows, mode="r"))
    terms = power.shape[1]
    return np.asarray(np.linalg.solve(R[:, :terms, :terms], R[:, :terms, -1:])[..., 0])


def _slide(columns: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Correlate every column with ``taps``, whole windows only."""
    count = len(columns) - len(taps) + 1
    total = np.zeros((count, columns.shape[1]))
    for start, tap in enumerate(taps):
        total += tap * columns[start : start + count]
    return total
