"""People lifted as their frames come: what a lifter keeps from one frame to the next."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from graphlift.cameras import Camera
from graphlift.geometry import unit_vectors
from graphlift.sequences import Poses, coordinates, keypoints_from
from graphlift.skeletons import Skeleton

if TYPE_CHECKING:
    from graphlift.lifting import Lifter


class Stream:
    """People lifted as their frames come; made by :meth:`graphlift.lifting.Lifter.stream`.

    Args:
        lifter: The model.
        skeleton: Joint order of the frames to come.
        camera: Intrinsics of the camera; where it stands does not matter.
        fps: Frames per second, if known.
        smooth: Whether to smooth each joint over time (:class:`graphlift.motion.OneEuro`).
        notes: What was assumed of the camera.
    """

    def __init__(
        self,
        lifter: "Lifter",
        skeleton: Skeleton,
        camera: Camera,
        fps: float | None,
        smooth: bool,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.lifter, self.skeleton, self.camera, self.fps = lifter, skeleton, camera, fps
        self.notes, self.smooth = notes, bool(smooth and fps)
        self._filter: Any = None
        if smooth and fps:
            from graphlift.motion.smoothing import OneEuro

            self._filter = OneEuro(fps)

    def __call__(self, frame: np.ndarray, confidence: np.ndarray | None = None) -> Poses:
        """Lift one frame.

        Args:
            frame: px, (joint, 2) or (person, joint, 2), or with 3 numbers: x, y, confidence. As
                many people as in the first frame, in the same order; NaN where one is away.
            confidence: (joint,) or (person, joint).

        Returns:
            Poses of one frame, as :meth:`graphlift.lifting.Lifter.__call__` would give them.
        """
        array = coordinates(frame)
        one = array[None] if array.ndim == 3 else array
        given = None if confidence is None else np.asarray(confidence)
        given = given[None] if given is not None and given.ndim == 2 else given
        keypoints = keypoints_from(one, self.skeleton, confidence=given, fps=self.fps)
        poses = self.lifter.lift_given(keypoints, self.camera, self.notes)
        if self._filter is None:
            return poses
        what = "Positions" if poses.fronts is None else "Positions and fronts"
        positions, fronts = self.smoothed(
            poses.positions[0], None if poses.fronts is None else poses.fronts[0]
        )
        return poses.noting(
            f"{what} were smoothed (One-Euro).",
            positions=positions[None],
            fronts=None if fronts is None else fronts[None],
        )

    def smoothed(
        self,
        positions: Float[np.ndarray, "person joint 3"],
        fronts: Float[np.ndarray, "person front 3"] | None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Smooth the next frame, for who lifted it elsewhere; as it is if nothing is smoothed.

        Raises:
            ShapeError: If it has another number of people than the frames before.
        """
        if self._filter is None:
            return positions, fronts
        if fronts is None:
            return self._filter(positions), None
        # Every point has a cut-off of its own, so that one filter does for both, in half the time.
        points = self._filter(np.concatenate([positions, fronts], axis=-2))
        joints = positions.shape[-2]
        return points[..., :joints, :], unit_vectors(points[..., joints:, :])
