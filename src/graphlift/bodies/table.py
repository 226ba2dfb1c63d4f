"""The table of bodies that ships: shares of stature, sampled from anny by age and sex.

``recipes/sample_bodies.py`` made it, and compares it with measured people (ANSUR II).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.bodies.kinematics import Body
from graphlift.bodies.segments import POINTS, SIDED_POINTS
from graphlift.formats.npz_members import read_arrays
from graphlift.skeletons import H36M_17

BODIES_FILE = Path(__file__).with_name("bodies.npz")

BONES = (
    *("Hip", "Knee", "Foot", "Spine", "Thorax", "Neck/Nose", "Head"),
    *("Shoulder", "Elbow", "Wrist"),
)
"""The bones of the middle and of one side, by the joint that each ends in; ``Hip`` is from the
root to a hip."""

_OF_JOINT = np.array(
    [
        BONES.index(joint if joint in BONES else joint[1:]) if joint != "Hip" else -1
        for joint in H36M_17.joints
    ]
)
_ONE_SIDE = ("Nose", *SIDED_POINTS)
_OF_POINT = np.array([_ONE_SIDE.index(p if p == "Nose" else p[1:]) for p in POINTS])
_MIRRORED = np.array([[-1.0 if point[0] == "R" else 1.0, 1.0, 1.0] for point in POINTS])


@dataclass(frozen=True, eq=False)
class Bodies:
    """People, left and right alike.

    Args:
        stature: m.
        age: Years.
        female: Whether a woman or girl.
        lengths: Of :data:`BONES`, shares of stature.
        points: From its joint to the nose and to each point of the left side, in the T-pose's
            axes of its segment, shares of stature.
    """

    stature: Float[np.ndarray, " person"]
    age: Float[np.ndarray, " person"]
    female: Bool[np.ndarray, " person"]
    lengths: Float[np.ndarray, "person bone"]
    points: Float[np.ndarray, "person point 3"]

    def __len__(self) -> int:
        return len(self.stature)

    def of(self, people: Int[np.ndarray, " frame"]) -> Body:
        """Give bodies in metres, one for each number of a person."""
        stature = self.stature[people, None]
        lengths = np.where(_OF_JOINT >= 0, self.lengths[people][:, _OF_JOINT], 0) * stature
        points = self.points[people][:, _OF_POINT] * _MIRRORED * stature[..., None]
        return Body(lengths, points)


@lru_cache(maxsize=1)
def load_bodies() -> Bodies:
    """Read the table that ships with the package.

    Raises:
        FormatError: If the file is damaged.
    """
    names = ("stature", "age", "female", "lengths", "points")
    arrays = read_arrays(BODIES_FILE, names, max_bytes=1 << 20)
    stature, age, female, lengths, points = (arrays[name] for name in names)
    return Bodies(
        stature.astype(float), age.astype(float), female, lengths.astype(float),
        points.astype(float),
    )  # fmt: skip
