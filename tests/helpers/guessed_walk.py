"""A walk whose lifter errs in the depth of every bone."""

from dataclasses import replace

import numpy as np
from helpers.walker import film, lens, lifted, walk

from graphlift.geometry import bone_vectors, chain_bones
from graphlift.sequences import keypoints_from
from graphlift.skeletons import H36M_17

TWO = film(position=(0.5, -6.0, 1.6), target=(0.5, 0.0, 0.9))
PARENTS = H36M_17.parents
BONES = np.array([0, 0.1, 0.44, 0.44, 0.1, 0.44, 0.44, 0.25, 0.25, 0.1, 0.12, 0.17, 0.28, 0.28,
                  0.17, 0.28, 0.28])  # fmt: skip
WRONG = 0.15 * BONES
"""m; how far off a lifter's bones are in depth (standard deviation)."""
SIGMA = np.zeros(17)
for _joint in H36M_17.order[1:]:  # errors add up along the tree
    SIGMA[_joint] = np.hypot(SIGMA[PARENTS[_joint]], WRONG[_joint])


def sure(poses, sigma=SIGMA, camera=TWO):
    """The same, of known sigma, lifted through the camera's lens."""
    stated = np.broadcast_to(sigma, poses.positions.shape[:-1]).astype(np.float32)
    return replace(poses, sigma=stated, camera=lens(camera))


def guessed(seed, frames=60, noise=0.0, turn=0.5):
    """A walk whose lifter errs in the depth of every bone, and its truth, root-relative."""
    rng = np.random.default_rng(seed)
    world = walk(frames, heading=turn, start=(-0.5, 0.3))
    truth = lifted(world, TWO)
    vectors = bone_vectors(truth.positions[:, 0], PARENTS)
    vectors[..., 2] += WRONG * rng.standard_normal(vectors.shape[:2])
    positions = chain_bones(vectors, PARENTS, H36M_17.order)[:, None]
    seen = truth.keypoints.positions + noise * rng.standard_normal((frames, 1, 17, 2))
    keypoints = keypoints_from(seen, H36M_17, image_size=TWO.size, fps=30.0)
    return sure(replace(truth, positions=positions, keypoints=keypoints)), truth.positions


def lengths(positions):
    return np.linalg.norm(bone_vectors(positions, PARENTS), axis=-1)[..., 1:]


def error(positions, truth):
    return np.linalg.norm(positions - truth, axis=-1).mean()
