"""The smoother of paths against the whole problem written out, at 1 to 1,000 frames a second."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.motion.chain import solve_chain
from graphlift.motion.placing import PIXELS, Translations
from graphlift.motion.trajectory import MEMORY, RESTLESS, SPEED, smooth_path

RATES = [1.0, 30.0, 240.0, 1000.0]


def written_out(roots, placed, fps, still=None):
    """All rows of the problem as one matrix: whitened by Q's Cholesky factor, solved by SVD."""
    count = len(placed.known)
    rows, right = [], []

    def add(block, value):
        rows.extend(block)
        right.extend(value)

    def part(*entries):
        block = np.zeros((3, count, 2, 3))  # frame; place or velocity; axis
        for frame, kind, factor in entries:
            block[:, frame, kind] += factor * np.eye(3)
        return block

    dt = 1 / fps
    L = np.linalg.cholesky(RESTLESS * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]))
    share = 1 / PIXELS / np.sqrt(max(1, 2 * MEMORY * fps))
    for frame in np.flatnonzero(placed.known):
        block = np.zeros((3, count, 2, 3))
        block[:, frame, 0] = share * roots[frame].T
        add(block, share * roots[frame].T @ placed.translation[frame])
    for t in range(count - 1):
        place = part((t + 1, 0, 1), (t, 0, -1), (t, 1, -dt))
        velocity = part((t + 1, 1, 1), (t, 1, -1))
        for a, b in np.linalg.inv(L):
            add(a * place + b * velocity, np.zeros(3))
        if still is not None:
            root = np.sqrt(still[0][t])
            add(root * part((t + 1, 0, 1), (t, 0, -1)), root * still[1][t])
    for t in (0, count - 2):
        add(fps / SPEED * part((t + 1, 0, 1), (t, 0, -1)), np.zeros(3))
    A = np.array(rows).reshape(len(rows), -1)
    size = np.linalg.norm(A, axis=0)
    x = np.linalg.lstsq(A / size, np.array(right), rcond=1e-15)[0] / size
    return x.reshape(count, 2, 3)[:, 0]


def some_places(rng, frames=12, *, depth=60.0, share=0.8):
    """Places that are known well across a slanted ray and less along it, in 1/m at 1 px."""
    ray = np.array([0.3, -0.2, 1.0])
    basis = np.linalg.qr(np.column_stack([ray, np.eye(3)[:, :2]]))[0]
    roots = basis * [depth, 400.0, 400.0] @ np.linalg.qr(rng.standard_normal((frames, 3, 3)))[0]
    known = rng.random(frames) < share
    known[[0, -1]] = True
    information = np.where(known[:, None, None], roots @ roots.swapaxes(1, 2), 0)
    where = rng.standard_normal((frames, 3)).cumsum(axis=0) * 0.02 + [0, 0, 5]
    return roots, Translations(np.where(known[:, None], where, np.nan), information, known)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("depth", [60.0, 1.0, 0.1])  # at 0.1, one sigma is 40 m along the ray
def test_the_path_is_that_of_the_whole_problem_written_out(rng, fps, depth):
    """To a hundredth of a millimetre, which is the twin's own error where its condition is 1e8."""
    roots, placed = some_places(rng, 40, depth=depth)
    still = (rng.uniform(0, 1e4, 39), 0.01 * rng.standard_normal((39, 3)))

    for known in (None, still):
        path = smooth_path(placed, fps, still=known)

        np.testing.assert_allclose(path, written_out(roots, placed, fps, known), atol=1e-5)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("frames", [2, 3, 60])
def test_the_gap_between_two_known_frames_is_bridged(rng, fps, frames):
    roots, placed = some_places(rng, frames, share=0.0)

    np.testing.assert_allclose(
        smooth_path(placed, fps), written_out(roots, placed, fps), atol=1e-6
    )


@pytest.mark.parametrize("times", [8, 33, 300])  # 240, 990 and 9,000 frames a second
def test_a_faster_camera_of_which_few_frames_tell_gives_the_same_path(rng, times):
    """Exact discretisation; only the speed at the ends is that of another step."""
    _, slow = some_places(rng, 40)
    count = 39 * times + 1
    translation, known = np.full((count, 3), np.nan), np.zeros(count, dtype=bool)
    information = np.zeros((count, 3, 3))
    translation[::times], known[::times] = slow.translation, slow.known
    information[::times] = slow.information * times  # errors last for as long in both
    fast = smooth_path(Translations(translation, information, known), 30.0 * times)

    np.testing.assert_allclose(fast[::times], smooth_path(slow, 30.0), atol=1e-5)


@pytest.mark.parametrize(("fps", "off"), [(1.0, 2e-4), (30.0, 3e-3)])
def test_steady_motion_passes_and_is_carried_through_a_gap(rng, fps, off):
    """But for what a runner's speed, 10 m/s, takes of 2.3 m/s where 40 frames leave it open."""
    _, placed = some_places(rng, frames=40)
    line = np.arange(40)[:, None] / fps * [1.0, -0.5, 2.0] + [0.0, 1.0, 4.0]
    steady = Translations(
        np.where(placed.known[:, None], line, np.nan), placed.information, placed.known
    )

    np.testing.assert_allclose(smooth_path(steady, fps), line, atol=off)


@pytest.mark.parametrize("frames", [512, 513, 514, 515, 1026])  # 514: a block of one step
def test_steady_motion_passes_however_long_it_is(rng, frames):
    _, placed = some_places(rng, frames)
    line = np.arange(frames)[:, None] / 30 * [0.1, -0.2, 0.3] + [0.0, 1.0, 4.0]
    steady = Translations(
        np.where(placed.known[:, None], line, np.nan), placed.information, placed.known
    )

    np.testing.assert_allclose(smooth_path(steady, 30.0), line, atol=1e-3)


@pytest.mark.parametrize("fps", RATES)
def test_no_path_is_faster_than_people_where_depth_is_all_but_unknown(fps):
    """Two frames, a step apart by their bad depth: the path has a person's speed, not theirs."""
    information = np.broadcast_to(np.diag([1e5, 1e5, 1e-2]), (2, 3, 3))
    placed = Translations(
        np.array([[0, 0, 4.0], [0, 0, 9.0]]), information, np.ones(2, dtype=bool)
    )

    step = np.diff(smooth_path(placed, fps), axis=0)[0]

    assert 0 <= step[2] * fps < SPEED
    np.testing.assert_allclose(step[:2], 0, atol=1e-9)


def test_one_known_frame_is_a_place_not_a_path():
    known = np.array([False, True, False])
    placed = Translations(
        np.where(known[:, None], [1.0, 2.0, 5.0], np.nan),
        np.where(known[:, None, None], 1e4 * np.eye(3), 0.0),
        known,
    )

    np.testing.assert_allclose(smooth_path(placed, 30.0), [[1.0, 2.0, 5.0]] * 3, atol=1e-6)
    alone = Translations(placed.translation[1:2], placed.information[1:2], known[1:2])
    np.testing.assert_allclose(smooth_path(alone, 30.0), [[1.0, 2.0, 5.0]], atol=1e-6)


@pytest.mark.parametrize("fps", [0.001, *RATES, 10_000.0])
@pytest.mark.parametrize(("frames", "at"), [(1, 0), (3, 1), (31, 15), (900, 899)])
def test_one_known_frame_is_a_place_at_any_frame_rate(fps, frames, at):
    known = np.arange(frames) == at
    placed = Translations(
        np.where(known[:, None], [1.0, 2.0, 5.0], np.nan),
        np.where(known[:, None, None], np.diag([1e4, 1e4, 1e-4]), 0.0),
        known,
    )

    np.testing.assert_allclose(smooth_path(placed, fps), [[1.0, 2.0, 5.0]] * frames, atol=1e-12)


def test_where_no_frame_tells_there_is_no_path():
    nobody = Translations(np.full((4, 3), np.nan), np.zeros((4, 3, 3)), np.zeros(4, dtype=bool))

    assert np.isnan(smooth_path(nobody, 30.0)).all()


# The solver, which knows no people


def chain(seed, count, size, rows=None):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-3, 3, (count, 1, 1))
    own = rng.standard_normal((count, 2, size + 1)) * scale
    return own, rng.standard_normal((count - 1, rows or 2 * size, 2 * size + 1))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_a_chain_is_solved_like_one_dense_matrix(seed, count, size):
    own, links = chain(seed, count, size)
    A = np.zeros((own.size + links.size, count * size + 1))
    row = 0
    for state, each in enumerate(own):
        A[row : row + len(each), state * size : (state + 1) * size] = each[:, :-1]
        A[row : row + len(each), -1] = each[:, -1]
        row += len(each)
    for state, each in enumerate(links):
        A[row : row + len(each), state * size : (state + 2) * size] = each[:, :-1]
        A[row : row + len(each), -1] = each[:, -1]
        row += len(each)
    truth, _, _, spread = np.linalg.lstsq(A[:row, :-1], A[:row, -1], rcond=None)

    found = solve_chain(len(own), lambda part: own[part], lambda part: links[part])

    size_of_error = 1e-13 * spread[0] / spread[-1] * (1 + np.abs(truth).max())
    np.testing.assert_allclose(found.ravel(), truth, atol=1e-9 + size_of_error)


@pytest.mark.parametrize("count", [512, 513, 514, 1025, 1026, 1300])  # around blocks' ends
@pytest.mark.parametrize("rows", [3, 4])
def test_a_long_chain_leaves_no_slope(count, rows):
    """At the least squares, rows' residuals are orthogonal to the rows' coefficients."""
    own, links = chain(count, count, 2, rows)

    x = solve_chain(len(own), lambda part: own[part], lambda part: links[part])

    alone = np.einsum("srn,sn->sr", own[..., :-1], x) - own[..., -1]
    pair = np.einsum("srn,sn->sr", links[..., :-1], np.hstack([x[:-1], x[1:]])) - links[..., -1]
    slope = np.einsum("srn,sr->sn", own[..., :-1], alone)
    size = np.einsum("srn,sr->sn", np.abs(own[..., :-1]), np.abs(alone)) + 1
    for part, columns in ((slice(0, -1), slice(0, 2)), (slice(1, None), slice(2, 4))):
        slope[part] += np.einsum("srn,sr->sn", links[..., columns], pair)
        size[part] += np.einsum("srn,sr->sn", np.abs(links[..., columns]), np.abs(pair))
    np.testing.assert_allclose(slope / size, 0, atol=1e-9)
