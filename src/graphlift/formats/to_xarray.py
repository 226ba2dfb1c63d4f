"""Poses as a labelled data set with the dimensions of the movement project.

Source: "The movement datasets" in movement's documentation, versions 0.1 to 0.16. From 0.17 on
its dimensions are called ``keypoint`` and ``individual``: ``dataset.rename(keypoints="keypoint",
individuals="individual")``.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from graphlift.sequences import FRONTS, Poses
from graphlift.skeletons import joint_map

if TYPE_CHECKING:
    import xarray


def to_xarray(poses: Poses) -> "xarray.Dataset":
    """Make a movement data set of poses.

    Returns:
        Variables ``position`` (time, space, keypoints, individuals), m, in the poses' axes;
        ``confidence``, ``sigma`` (m) and ``seen`` (time, keypoints, individuals). With fronts also
        ``front`` (time, space, segments, individuals), unit vectors, and ``front_sigma`` (rad);
        if known, ``size_sigma`` (individuals), a share. Time is in seconds if the frame rate is
        known, else in frames. All attributes can go into NetCDF.
    """
    import xarray

    joints = ("time", "keypoints", "individuals")
    frames = np.arange(len(poses))
    dataset = xarray.Dataset(
        {
            "position": (
                ("time", "space", "keypoints", "individuals"),
                poses.positions.transpose(0, 3, 2, 1),
            ),
            "confidence": (joints, _confidence(poses).swapaxes(1, 2)),
            "sigma": (joints, poses.sigma.swapaxes(1, 2)),
            "seen": (joints, poses.seen.swapaxes(1, 2)),
        },
        coords={
            "time": frames / poses.fps if poses.fps else frames,
            "space": list("xyz"),
            "keypoints": list(poses.skeleton.joints),
            "individuals": list(poses.people),
        },
        attrs={
            "time_unit": "seconds" if poses.fps else "frames",
            "source_software": "graphlift",
            "ds_type": "poses",
            "space_unit": poses.units,
            "axes": poses.axes,
            "origin": "root of each person" if poses.rooted else poses.axes,
            "skeleton": poses.skeleton.name,
            "model": poses.model,
            "notes": " ".join(poses.notes),
        }
        | ({"fps": float(poses.fps)} if poses.fps else {}),
    )
    if poses.size_sigma is not None:
        dataset = dataset.assign(size_sigma=("individuals", poses.size_sigma))
    return _with_fronts(dataset, poses)


def _with_fronts(dataset: "xarray.Dataset", poses: Poses) -> "xarray.Dataset":
    """Add the fronts of segments and their deviations, if they are known."""
    if poses.fronts is None:
        return dataset
    along = ("time", "segments", "individuals")
    front = (("time", "space", *along[1:]), poses.fronts.transpose(0, 3, 2, 1))
    dataset = dataset.assign_coords(segments=list(FRONTS)).assign(front=front)
    if poses.front_sigma is None:
        return dataset
    return dataset.assign(front_sigma=(along, poses.front_sigma.swapaxes(1, 2)))


def _confidence(poses: Poses) -> Float[np.ndarray, "frame person joint"]:
    """Confidence of the keypoints, joint by joint of the poses; without keypoints, 1 if seen.

    A joint that was made of several keypoints has their mean; NaN if it was made of none.
    """
    if not poses.keypoints:
        return poses.seen.astype(np.float64)
    convert = joint_map(poses.keypoints.skeleton, poses.skeleton)
    return np.asarray(convert(poses.keypoints.confidence[..., None])[..., 0])
