"""Motion capture: people moving in a room, in metres, joint by joint.

Readers turn files into :class:`MotionCapture`; nothing here knows cameras, images or networks.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.skeletons import Skeleton

FASTEST = 15.0
"""m/s; a joint that moves faster than this between two frames is a capture error."""


@dataclass(frozen=True, eq=False)
class Clip:
    """One recording of one person.

    Args:
        name: Identifier in its data set.
        subject: Who moves.
        activity: Coarse class of what they do.
        fps: Frames per second.
        positions: Joint positions, m, world frame: right-handed, z up, floor at z = 0.
        text: The source's own words.
        provenance: Which kind of file it came from.
        own_skeleton: Whether the bone lengths are the subject's own.
    """

    name: str
    subject: str
    activity: str
    fps: float
    positions: Float[np.ndarray, "frame joint 3"]
    text: str = ""
    provenance: str = ""
    own_skeleton: bool = True

    def fast(self, limit: float = FASTEST) -> np.ndarray:
        """Mark the frames in which a joint moves faster than ``limit`` m/s to or from a frame."""
        step = np.linalg.norm(np.diff(self.positions, axis=0), axis=-1).max(axis=-1, initial=0)
        over = step * self.fps > limit
        return np.asarray(np.append(over, False) | np.append(False, over))


@dataclass(frozen=True, eq=False)
class MotionCapture:
    """Clips that share a skeleton and a licence.

    Args:
        name: What the data is called in reports.
        skeleton: Joint order of every clip.
        clips: The recordings.
        license: Under which terms.
        source: Where it comes from.
    """

    name: str
    skeleton: Skeleton
    clips: tuple[Clip, ...]
    license: str = ""
    source: str = ""

    def __len__(self) -> int:
        return sum(len(clip.positions) for clip in self.clips)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who appears, sorted."""
        return tuple(sorted({clip.subject for clip in self.clips}))

    def of(self, subjects: Iterable[str]) -> "MotionCapture":
        """Keep the clips of some subjects.

        Raises:
            FormatError: If one of them has no clip.
        """
        chosen = set(subjects)
        if absent := chosen - set(self.subjects):
            raise FormatError(
                f"{self.name} has no clips of {', '.join(sorted(absent))}: its subjects are "
                f"{', '.join(self.subjects)}"
            )
        return replace(self, clips=tuple(clip for clip in self.clips if clip.subject in chosen))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and positions (as float32), so that results name their data."""
        state = hashlib.sha256(repr(self.skeleton).encode())
        for clip in self.clips:
            state.update(repr((clip.name, clip.subject, clip.activity, clip.fps)).encode())
            state.update(np.ascontiguousarray(clip.positions, dtype="<f4").tobytes())
        return state.hexdigest()
