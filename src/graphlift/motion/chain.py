"""Least squares along a chain of states, by orthogonal factorisation.

States are plain numbers; what they mean is up to the caller.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

_BLOCK = 512
"""States at a time: their rows are written, eliminated and forgotten."""


def solve_chain(
    count: int,
    own: Callable[[slice | Int[np.ndarray, " state"]], Float[np.ndarray, "state row number"]],
    links: Callable[[slice], Float[np.ndarray, "link row both"]],
) -> Float[np.ndarray, "state unknown"]:
    """Minimise the squares of rows that each touch one state, or one state and the next.

    Every second state is eliminated by a QR factorisation of the rows that touch it; what is
    left over links its neighbours, in a chain of half the length. So no normal equations are
    formed, which would square the condition: the error is that of the rows' own condition times
    the rounding of float64. The work grows as the number of states, in batches.

    Args:
        count: States.
        own: Gives the rows of some states: a coefficient for each unknown, then the right side.
            Rows are whitened: divided by how far they are usually off.
        links: Gives the rows of some states with the next ones: coefficients of the one state, of
            the other, then the right side; at most two rows an unknown. Heavy rows come first, as
            a factorisation without exchange of rows wants them.

    Returns:
        The states.

    Raises:
        numpy.linalg.LinAlgError: If the rows do not determine every state.

    Source: odd-even (cyclic) reduction (Golub and van Loan, "Matrix computations", 4th ed., 2013,
    section 4.5.4), here of rows in place of a system's blocks; square-root information as of
    Paige and Saunders, "Least squares estimation of discrete linear dynamic systems using
    orthogonal transformations", SIAM J. Numer. Anal. 1977.
    """
    if count <= 2:
        return _solve_dense(own(slice(0, count)), links(slice(0, count - 1)))
    edges = np.array([*range(0, count - 1, _BLOCK), count - 1])
    blocks = [slice(start, end) for start, end in pairwise(edges.tolist())]

    size = own(slice(0, 1)).shape[-1] - 1
    # In one piece, which the system has back at once: of an hour, 56 MB.
    room, used = np.empty((count // 2 + 1, size, 2 * size + 1)), 0
    kept: list[list[np.ndarray]] = []
    rest = []
    for part in blocks:
        levels, link = _condense(own(part)[1:], links(part))
        kept.append([])
        for gains in levels:
            place = room[used : used + len(gains)]
            place[:] = gains
            kept[-1].append(place)
            used += len(gains)
        rest.append(link)
    left = np.stack(rest)
    ends = solve_chain(len(edges), lambda part: own(edges[part]), lambda part: left[part])
    states = np.empty((count, ends.shape[-1]))
    for block, part in enumerate(blocks):
        around = _fill(kept[block], ends[block : block + 2])
        within = _between(own(part)[1:], links(part), around)
        states[part], states[part.stop] = within[:-1], within[-1]
    return states


def _condense(own: np.ndarray, links: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Eliminate all states between two, of which every second one goes first.

    Returns:
        How each follows from those around it, level by level, but for the first ones, which are
        half of all and are found again (:func:`_between`); and one link.
    """
    levels: list[np.ndarray] = []
    size, first = own.shape[-1] - 1, len(own)
    upper = np.triu(np.ones((2 * size, 2 * size + 1)))
    while len(own):
        pairs = len(links) // 2
        R = _eliminate(own[: 2 * pairs : 2], links[: 2 * pairs : 2], links[1::2])
        rest = np.zeros(((len(links) + 1) // 2, 2 * size, 2 * size + 1))
        np.multiply(R[:, size : 3 * size, size:], upper, out=rest[:pairs])
        if len(links) % 2:
            rest[-1, : links.shape[1]] = links[-1]
        if len(own) < first:
            gains = _follow(R, size)
            gains[..., :-1] *= -1
            levels.append(gains)
        own, links = own[1::2], rest
    link = np.zeros((2 * size, 2 * size + 1))  # also of a block of one step, which may have less
    link[: links.shape[1]] = links[0]
    return levels, link


def _fill(levels: list[np.ndarray], states: np.ndarray) -> np.ndarray:
    """Find the states between two from those, level by level."""
    for gains in reversed(levels):
        count, size = len(gains), states.shape[-1]
        before, after = states[:count, :, None], states[1 : count + 1, :, None]
        found = gains[..., :size] @ before + gains[..., size:-1] @ after + gains[..., -1:]
        longer = np.empty((len(states) + count, size))
        longer[: 2 * count : 2], longer[2 * count :] = states[:count], states[count:]
        longer[1 : 2 * count : 2] = found[..., 0]
        states = longer
    return states


def _between(own: np.ndarray, links: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Find every second state from those around it, which are known: each by itself.

    Args:
        own: Rows of all states but the two at the ends.
        links: Rows of all steps.
        around: The first state, every second one after it, and the last one.

    Returns:
        All states.
    """
    if not len(own):
        return around
    pairs, size = len(links) // 2, around.shape[-1]
    left, right = links[: 2 * pairs : 2], links[1::2]
    before, after = around[:pairs, :, None], around[1 : pairs + 1, :, None]
    rows, more = left.shape[1], own.shape[1]
    stack = np.empty((pairs, 2 * rows + more, size + 1))
    first, second, third = np.split(stack, [rows, 2 * rows], axis=1)
    first[..., :-1], second[..., :-1] = left[..., size:-1], right[..., :size]
    first[..., -1:] = left[..., -1:] - left[..., :size] @ before
    second[..., -1:] = right[..., -1:] - right[..., size:-1] @ after
    third[:] = own[: 2 * pairs : 2]
    states = np.empty((len(links) + 1, size))
    states[: 2 * pairs : 2], states[2 * pairs :] = around[:pairs], around[pairs:]
    states[1 : 2 * pairs : 2] = _follow(_triangle(stack), size)[..., 0]
    return states


def _eliminate(own: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Turn the rows of states, each between a left and a right link, until they are triangular.

    Returns:
        R, the state's own unknowns first, those of the one before, those of the one after, and
        the right side. The first rows say how the state follows from its neighbours; the others
        are what is left between those.
    """
    size, rows, more = own.shape[-1] - 1, left.shape[1], own.shape[1]
    stack = np.zeros((len(own), max(2 * rows + more, 3 * size), 3 * size + 1))
    first, second, third = np.split(stack[:, : 2 * rows + more], [rows, 2 * rows], axis=1)
    first[..., size : 2 * size], first[..., :size] = left[..., :size], left[..., size:-1]
    second[..., :size], second[..., 2 * size : -1] = right[..., :size], right[..., size:-1]
    third[..., :size] = own[..., :-1]
    first[..., -1], second[..., -1], third[..., -1] = left[..., -1], right[..., -1], own[..., -1]
    return _triangle(stack)


def _follow(triangles: np.ndarray, size: int) -> np.ndarray:
    """Divide what is right of triangles by them, from the last row up."""
    if not triangles.diagonal(axis1=-2, axis2=-1)[..., :size].all():
        raise np.linalg.LinAlgError("rows do not determine every state")
    found = triangles[..., :size, size:].copy()
    for row in reversed(range(size)):
        found[..., row, :] /= triangles[..., row, row, None]
        found[..., :row, :] -= triangles[..., :row, row, None] * found[..., row, None, :]
    return found


def _solve_dense(own: np.ndarray, links: np.ndarray) -> np.ndarray:
    """Solve a chain of one state or two at once."""
    count, size = len(own), own.shape[-1] - 1
    height = count * own.shape[1] + len(links) * links.shape[1]
    rows = np.zeros((height, count * size + 1))
    rows[: links.shape[1] * len(links)] = links.reshape(-1, links.shape[-1])
    for state, each in enumerate(own):
        end = len(rows) - (count - 1 - state) * len(each)
        rows[end - len(each) : end, state * size : (state + 1) * size] = each[:, :-1]
        rows[end - len(each) : end, -1] = each[:, -1]
    return _follow(_triangle(rows), count * size).reshape(count, size)


def _triangle(rows: np.ndarray) -> np.ndarray:
    """Turn rows until they are triangular: R of their QR factorisation, any numbers below it."""
    turned, _ = np.linalg.qr(rows, mode="raw")
    return np.asarray(turned.swapaxes(-1, -2))
