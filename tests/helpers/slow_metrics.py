"""The metrics a second time: slow, obvious, and by other mathematics than the package's.

Everything is a loop over frames and joints; P-MPJPE turns by Horn's quaternion, the eigenvector of
a 4 × 4 matrix, which cannot be a reflection, where the package takes a singular value
decomposition and mends reflections. Source: Horn, "Closed-form solution of absolute orientation
using unit quaternions", JOSA A 1987.
"""

import math

import numpy as np
from scipy.spatial.transform import Rotation


def distances(predicted, target):
    """For each frame a list of distances; poses are lists of joints."""
    return [
        [math.dist(p, t) for p, t in zip(pose, truth, strict=True)]
        for pose, truth in zip(predicted, target, strict=True)
    ]


def aligned(pose, truth):
    """The best similarity of one pose, (joint, 3)."""
    pose, truth = np.array(pose, dtype=float), np.array(truth, dtype=float)
    centre, goal = pose.mean(axis=0), truth.mean(axis=0)
    x, y = pose - centre, truth - goal
    S = sum(np.outer(a, b) for a, b in zip(x, y, strict=True))
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = S
    N = np.array(
        [
            [xx + yy + zz, yz - zy, zx - xz, xy - yx],
            [yz - zy, xx - yy - zz, xy + yx, zx + xz],
            [zx - xz, xy + yx, -xx + yy - zz, yz + zy],
            [xy - yx, zx + xz, yz + zy, -xx - yy + zz],
        ]
    )
    w, *vector = np.linalg.eigh(N)[1][:, -1]
    R = Rotation.from_quat([*vector, w]).as_matrix()
    turned = [R @ a for a in x]
    size = sum(a @ a for a in x)
    scale = sum(a @ b for a, b in zip(turned, y, strict=True)) / size if size else 1.0
    return [scale * a + goal for a in turned]


def scaled(pose, truth):
    """The best scale of one pose about the origin, by least squares over all coordinates."""
    x, y = np.ravel(pose), np.ravel(truth)
    (scale,) = np.linalg.lstsq(x[:, None], y, rcond=None)[0] if x.any() else (1.0,)
    return [scale * np.array(joint) for joint in pose]


def velocity_errors(predicted, target, sequence):
    """For each frame that follows another of its sequence, a list of distances of velocities."""
    errors = {}
    for f in range(1, len(target)):
        if sequence[f] == sequence[f - 1]:
            errors[f] = [
                math.dist(
                    [b - a for a, b in zip(predicted[f - 1][j], predicted[f][j], strict=True)],
                    [b - a for a, b in zip(target[f - 1][j], target[f][j], strict=True)],
                )
                for j in range(len(target[f]))
            ]
    return errors


def pck(errors, threshold=0.150):
    correct = 0
    for error in errors:
        if error < threshold:
            correct += 1
    return 100 * correct / len(errors)


def auc(errors):
    return sum(pck(errors, millimetres / 1000) for millimetres in range(0, 151, 5)) / 31
