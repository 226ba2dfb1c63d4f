"""Refinement and elimination: slow twins of all their sums."""

import numpy as np
from helpers.guessed_walk import PARENTS, SIGMA, TWO, guessed
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.motion import refine
from graphlift.motion.placing import find_translations
from graphlift.motion.tree import eliminate, full, levels_of
from graphlift.skeletons import H36M_17

SEEDS = st.integers(0, 2**32 - 1)


# The elimination


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_elimination_along_the_tree_solves_the_whole_system(seed):
    rng = np.random.default_rng(seed)
    tree, count = levels_of(H36M_17), 3
    own, links = (
        (root := rng.standard_normal((count, 17, 3, 3))) @ root.swapaxes(-1, -2) + 0.1 * np.eye(3)
        for _ in range(2)
    )
    right = rng.standard_normal((count, 17, 3))
    H = np.zeros((count, 17, 3, 17, 3))
    for joint, parent in enumerate(tree.parents):
        H[:, joint, :, joint] += own[:, joint]
        if joint:
            for a, b, sign in ((joint, joint, 1), (parent, parent, 1), (joint, parent, -1),
                               (parent, joint, -1)):  # fmt: skip
                H[:, a, :, b] += sign * links[:, joint]
    covariance = np.linalg.inv(H.reshape(count, 51, 51))

    known = eliminate(tree, _symmetric(own), _symmetric(links))

    expected = (covariance @ right.reshape(count, 51, 1)).reshape(count, 17, 3)
    found = known.solve(np.moveaxis(right, 0, -1).swapaxes(0, 1))
    np.testing.assert_allclose(found.T, expected, atol=1e-10)
    bones, spread = full(known.bone_covariances()), known.spread()
    covariance = covariance.reshape(count, 17, 3, 17, 3)
    for joint, parent in enumerate(tree.parents):
        for other, check in ((parent, "bone"), (0, "root")):
            less = (
                covariance[:, joint, :, joint]
                + covariance[:, other, :, other]
                - covariance[:, joint, :, other]
                - covariance[:, other, :, joint]
            )
            if check == "bone":
                matrix = bones[:, joint].T.reshape(count, 3, 3)
                np.testing.assert_allclose(matrix, less, atol=1e-9)
            else:
                np.testing.assert_allclose(spread[joint], np.trace(less.T), atol=1e-9)


def _symmetric(matrices):
    return np.stack([matrices[..., i, k].T for i, k in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2),
                                                        (1, 2))])  # fmt: skip


# The slow twin


def test_refinement_is_gauss_newton_on_every_rows_written_out():
    poses, _ = guessed(1, frames=2, noise=2.0)
    rays = (poses.keypoints.positions[:, 0] - 500) / TWO.focal[0]
    lifted = poses.positions[:, 0]
    start = find_translations(lifted, rays, np.ones((2, 17)), TWO.focal, iterations=2).translation
    noise = np.hypot(0.013, 0.8 * 0.025)  # two frames show no jitter: the usual is taken
    own = np.maximum(SIGMA**2 - SIGMA[np.maximum(PARENTS, 0)] ** 2, SIGMA**2 / 16)
    sd = np.sqrt((1.4**2 * own + 0.01**2)[1:, None])
    ends = [[joint, PARENTS[joint]] for joint in range(1, 17)]

    def rows(points, frame, weights, bones, length):
        """Whitened residuals; weights are Huber's, the square root."""
        z = start[frame, 2]
        sight = weights * (points[:, :2] / points[:, 2:] - rays[frame]) * z / noise
        vectors = np.array([points[a] - points[b] for a, b in ends])
        found = [sight.ravel(), ((vectors - bones) / sd).ravel()]
        if length is not None:
            found.append((np.linalg.norm(vectors, axis=-1) - length) / 0.01)
        return np.concatenate(found)

    def step(points, frame, bones, length=None):
        off = np.linalg.norm(points[:, :2] / points[:, 2:] - rays[frame], axis=-1)
        off *= start[frame, 2] / noise
        weights = np.sqrt(1 / np.maximum(off, 1))[:, None]
        at, eps = rows(points, frame, weights, bones, length), 1e-6
        slopes = []
        for place in range(51):
            moved = points.copy()
            moved.flat[place] += eps
            before = points.copy()
            before.flat[place] -= eps
            slopes.append((rows(moved, frame, weights, bones, length)
                           - rows(before, frame, weights, bones, length)) / (2 * eps))  # fmt: skip
        J = np.array(slopes).T
        covariance = np.linalg.inv(J.T @ J + 1e-3 * np.eye(51))
        return points - (covariance @ J.T @ at).reshape(17, 3), covariance

    first = [lifted[f] + start[f] for f in range(2)]
    bones = [np.array([points[a] - points[b] for a, b in ends]) for points in first]
    weighted, weight = np.zeros(17), np.zeros(17)
    names = ("LHip", "RHip", "Spine", "Thorax", "Neck/Nose", "Head", "LShoulder", "RShoulder")
    known = {name: np.zeros((3, 4)) for name in names}
    axes = [_body_axes(points) for points in first]
    for f in range(2):
        points, covariance = step(first[f], f, bones[f])
        blocks = covariance.reshape(17, 3, 17, 3)
        for a, b in ends:
            C = blocks[a, :, a] + blocks[b, :, b] - blocks[a, :, b] - blocks[b, :, a]
            vector = points[a] - points[b]
            along = vector @ C @ vector / (vector @ vector)
            length = np.sqrt(vector @ vector + np.trace(C) - along)
            weighted[a] += length / (along + 0.02**2)
            weight[a] += 1 / (along + 0.02**2)
            name = H36M_17.joints[a]
            if name in names:
                R = axes[f][0 if "Hip" in name or name == "Spine" else 1]
                v = sd[a - 1, 0] ** 2
                known[name][:, :3] += R @ (np.eye(3) - C / v) @ R.T / v
                known[name][:, 3] += R @ (vector - bones[f][a - 1]) / v
    mirror = H36M_17.mirror
    length = (weighted + weighted[mirror])[1:] / (weight + weight[mirror])[1:]
    flip = np.diag([-1.0, 1, 1])
    for name in names:
        both = known[name].copy()
        if name[0] in "LR" and name[1:] in ("Hip", "Shoulder"):
            other = known[("R" if name[0] == "L" else "L") + name[1:]]
            both += np.column_stack([flip @ other[:, :3] @ flip, flip @ other[:, 3]])
        both /= 2 * 0.3 * 30
        offset = np.linalg.solve(both[:, :3] + np.eye(3) / 0.015**2, both[:, 3])
        joint = H36M_17.joints.index(name)
        for f in range(2):
            part = 0 if "Hip" in name or name == "Spine" else 1
            bones[f][joint - 1] = bones[f][joint - 1] + axes[f][part].T @ offset

    found = refine(poses)

    for f in range(2):
        points, _ = step(first[f], f, bones[f], length)
        points, covariance = step(points, f, bones[f], length)
        np.testing.assert_allclose(found.positions[f, 0], points - points[0], atol=1e-6)
        blocks = covariance.reshape(17, 3, 17, 3)
        spread = [
            np.trace(blocks[j, :, j] + blocks[0, :, 0] - blocks[j, :, 0] - blocks[0, :, j])
            for j in range(17)
        ]
        np.testing.assert_allclose(found.sigma[f, 0], 1.1 * np.sqrt(np.array(spread) / 3),
                                   atol=1e-5)  # fmt: skip


def _body_axes(points):
    """Rows: left, backward, up; of the pelvis and of the chest."""
    left_hip, right_hip, left, right = points[H36M_17.index("LHip", "RHip", "LShoulder",
                                                            "RShoulder")]  # fmt: skip
    up = left + right - left_hip - right_hip
    found = []
    for across in (left_hip - right_hip, left - right):
        x = across / np.linalg.norm(across)
        z = up - (up @ x) * x
        z /= np.linalg.norm(z)
        found.append(np.array([x, np.cross(z, x), z]))
    return found


# What must not change
