"""How every segment of a body is turned, beside the positions of a pack.

``cmu_turns.npz`` beside ``cmu.npz``: ``quat`` int16 (frame, 15, 4), x y z w of length 32,767, row
for row with the pack; all 0 where a turn is not known. ``segments`` are
:data:`graphlift.bodies.SEGMENTS`. A turn carries the T-pose to the frame, world axes.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.bodies.segments import ALONG, CARRIERS, FIXED, SEGMENTS
from graphlift.datasets.mocap.clips import MotionCapture
from graphlift.datasets.mocap.estimated_turns import BENT, SKULL, estimate_turns
from graphlift.datasets.mocap.pack import read_pack
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.npz_members import read_arrays
from graphlift.geometry import bone_vectors, unit_or_zero
from graphlift.sequences import FRONTS
from graphlift.skeletons import H36M_17

MAX_BYTES = 1 << 32
"""Of one array."""

OFF_THE_BONE = np.radians(1.0)
"""A limb's turn that points further than this from the pack's bone belongs to another pack."""

FEET_DOWN = {"mb-template": math.radians(11.5)}
"""By how much the feet of a source point down where they stand level; 2° in the others."""

JUMP = np.radians(100.0)
"""A trunk or head that turns further than this in a frame is a fault."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Frames of people as turns of segments and directions of bones.

    Args:
        turns: From the T-pose to the frame, world axes.
        directions: Of the bone that ends in each of the 17 joints: unit vectors in the T-pose's
            axes of the segment that carries it (:data:`graphlift.bodies.segments.CARRIERS`).
        lengths: m, of those bones; 0 for the root.
        root: m, where the hip is in the world.
        fronts_known: Whether the front of each of :data:`graphlift.sequences.FRONTS` is known.
        activity: What each does.
        clip: Number of the clip.
        frame: Number of the frame in its clip.
        fps: Frames per second of the clip.
        estimated: Whether the turns were estimated from positions, which show no heads and feet.
    """

    turns: Float[np.ndarray, "frame segment 3 3"]
    directions: Float[np.ndarray, "frame joint 3"]
    lengths: Float[np.ndarray, "frame joint"]
    root: Float[np.ndarray, "frame 3"]
    fronts_known: Bool[np.ndarray, "frame front"]
    activity: np.ndarray
    clip: Int[np.ndarray, " frame"]
    frame: Int[np.ndarray, " frame"]
    fps: Float[np.ndarray, " frame"]
    estimated: Bool[np.ndarray, " frame"]

    def __len__(self) -> int:
        return len(self.turns)

    def at(self, frames: np.ndarray) -> "Motion":
        """Some of the frames, by number or by mask."""
        return Motion(**{name: array[frames] for name, array in vars(self).items()})


def read_turns(path: Path, capture: MotionCapture) -> Float[np.ndarray, "frame segment 3 3"]:
    """Read the turns that belong to a whole pack.

    Args:
        path: Of the turns.
        capture: The pack, every clip of it.

    Returns:
        Rotations, world axes; NaN where they are not known.

    Raises:
        DatasetNotFoundError: If there is no such file.
        FormatError: If it is damaged, or belongs to another pack.
    """
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no turns at {path}: put the file beside the pack, or leave turns to be estimated"
        )
    arrays = read_arrays(path, ("quat", "segments"), max_bytes=MAX_BYTES)
    for name in ("quat", "segments"):
        if name not in arrays:
            raise FormatError(f"{path}: has no array {name}: these are not turns of segments")
    quat = arrays["quat"]
    shape = (len(capture), len(SEGMENTS), 4)
    if tuple(map(str, arrays["segments"])) != SEGMENTS or quat.shape != shape:
        raise FormatError(
            f"{path}: quat is {quat.shape} but should be {shape}, one row for each frame of the "
            f"pack, of the segments {', '.join(SEGMENTS)}"
        )
    turns = _matrices(quat.astype(np.float64))
    positions = np.concatenate([clip.positions for clip in capture.clips])
    _check_belongs(path, turns, positions)
    return turns


def _matrices(quat: np.ndarray) -> np.ndarray:
    """Rotations, float32, of quaternions x y z w of any length; NaN of those of length 0."""
    from scipy.spatial.transform import Rotation

    known = (quat != 0).any(axis=-1)
    turns = np.full((*quat.shape[:-1], 3, 3), np.nan, dtype=np.float32)
    turns[known] = Rotation.from_quat(quat[known]).as_matrix()
    return turns


def _check_belongs(path: Path, turns: np.ndarray, positions: np.ndarray) -> None:
    """Refuse turns whose limbs point elsewhere than the pack's bones."""
    directions, _ = _carried(turns, positions)
    off = np.arccos(np.clip((directions * ALONG).sum(axis=-1), -1, 1))[:, FIXED]
    limbs = off[:, ~np.isin(H36M_17.joints, ("LHip", "RHip"))[FIXED]]
    typical = np.nanmedian(limbs) if np.isfinite(limbs).any() else np.inf
    if not typical < OFF_THE_BONE:
        raise FormatError(
            f"{path}: its limbs point {np.degrees(typical):.0f}° from the bones of the pack (the "
            "median): these turns belong to another pack"
        )


def _carried(turns: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of bones in the axes of their segments, and their lengths."""
    vectors = bone_vectors(positions, H36M_17.parents)
    lengths = np.linalg.norm(vectors, axis=-1)
    local = np.einsum("fjba,fjb->fja", turns[:, CARRIERS], vectors)
    return local / np.maximum(lengths, 1e-9)[..., None], lengths


def read_motion(
    pack: Path, subjects: Collection[str] = (), *, stride: int = 1, drop_fast: bool = True
) -> Motion:
    """Read frames of some subjects with their turns; known faults are mended or marked.

    Heads and feet are brought to one pitch in all sources; frames are left out in which a turn is
    not known, or the trunk or head jumps; a front is marked as not known where elbow or knee would
    bend backward, and in a clip where they mostly do. The turns of a clip of which none is known
    are estimated.

    Args:
        pack: Such as ``cmu.npz``; the turns are in ``cmu_turns.npz`` beside it, or are estimated
            from the positions (:mod:`graphlift.datasets.mocap.estimated_turns`).
        subjects: Whose clips; of everybody when left out.
        stride: Take every so many-th frame of a clip.
        drop_fast: Leave out frames with capture errors
            (:meth:`graphlift.datasets.mocap.clips.Clip.fast`).

    Raises:
        DatasetNotFoundError: If a file is missing.
        FormatError: If one is damaged, or they do not belong together.
    """
    capture = read_pack(pack)
    path = pack.with_name(f"{pack.stem}_turns.npz")
    turns = read_turns(path, capture) if path.is_file() else None
    chosen = subjects or capture.subjects
    return motion_of(capture, turns, chosen, stride=stride, drop_fast=drop_fast)


def join(motions: Sequence[Motion]) -> Motion:
    """Put the frames of several data sets one after the other; clips get new numbers."""
    joined = {name: np.concatenate([vars(m)[name] for m in motions]) for name in vars(motions[0])}
    first = np.cumsum([0, *(m.clip.max(initial=-1) + 1 for m in motions[:-1])])
    moved = [m.clip + start for m, start in zip(motions, first, strict=True)]
    return Motion(**joined | {"clip": np.concatenate(moved)})


def _gather(parts: Sequence[Motion]) -> Motion:
    """Put frames one after the other that belong to one data set."""
    return Motion(
        **{name: np.concatenate([vars(p)[name] for p in parts]) for name in vars(parts[0])}
    )


def motion_of(
    capture: MotionCapture,
    turns: Float[np.ndarray, "frame segment 3 3"] | None,
    subjects: Collection[str],
    *,
    stride: int = 1,
    drop_fast: bool = True,
) -> Motion:
    """Gather the motion of some subjects of a pack, as :func:`read_motion` does.

    Args:
        capture: The whole pack.
        turns: Of its every frame; estimated from the positions without them.
        subjects: Whose clips.
        stride: Take every so many-th frame of a clip.
        drop_fast: Leave out frames with capture errors.
    """
    parts = []
    start = 0
    sources = []
    for number, clip in enumerate(capture.clips):
        first, start = start, start + len(clip.positions)
        if clip.subject not in subjects:
            continue
        estimated = turns is None or bool(np.isnan(turns[first:start]).all())
        if turns is None or estimated:
            here, fronts_known = estimate_turns(clip.positions)
        else:
            here = turns[first:start]
            fronts_known = _fronts_known(here)
        counted = np.isfinite(here).all(axis=(1, 2, 3)) & (estimated | ~_jumps(here))
        counted &= np.arange(len(here)) % stride == 0
        at = np.flatnonzero(counted & ~(drop_fast & clip.fast()))
        directions, lengths = _carried(here[at], clip.positions[at])
        parts.append(
            Motion(
                turns=here[at],
                directions=directions,
                lengths=lengths,
                root=clip.positions[at, H36M_17.root],
                fronts_known=fronts_known[at],
                activity=np.full(len(at), clip.activity),
                clip=np.full(len(at), number),
                frame=at,
                fps=np.full(len(at), clip.fps),
                estimated=np.full(len(at), estimated),
            )
        )
        sources += [clip.provenance] * len(at)
    motion = _gather(parts)
    if turns is None:
        return motion
    return _with_level_heads(motion, np.array(sources), _leans(capture, turns))


def _jumps(turns: np.ndarray) -> np.ndarray:
    """Mark the frames to and from which chest or head turn by more than can be."""
    trunk = turns[:, [SEGMENTS.index(name) for name in ("Pelvis", "Chest", "Head")]]
    trace = (trunk[1:] * trunk[:-1]).sum(axis=(-1, -2))
    far = (np.arccos(np.clip((trace - 1) / 2, -1, 1)) > JUMP).any(axis=-1)
    return np.asarray(np.append(far, False) | np.append(False, far))


def _fronts_known(turns: np.ndarray) -> np.ndarray:
    """Whether fronts agree with anatomy: shins bend back from thighs, forearms to the front."""
    known = np.ones((len(turns), len(FRONTS)), dtype=bool)
    for limb, below, sign in (("UpperArm", "Forearm", 1), ("Thigh", "Shin", -1)):
        for side in "LR":
            upper = turns[:, SEGMENTS.index(f"{side}{limb}")]
            lower = turns[:, SEGMENTS.index(f"{side}{below}")]
            along = np.array([1.0 if side == "L" else -1.0, 0, 0] if sign > 0 else [0, 0, -1.0])
            bone, next_bone = upper @ along, lower @ along
            bend = np.linalg.norm(np.cross(bone, next_bone), axis=-1)
            forward = sign * (next_bone * -upper[..., 1]).sum(axis=-1)
            wrong, bent = (forward < 0) & (bend > BENT), bend > BENT
            spoilt = bent.sum() > 10 and wrong.sum() > 0.5 * bent.sum()
            known[:, FRONTS.index(f"{side}{limb}")] = ~wrong & ~spoilt
    return known


def _leans(capture: MotionCapture, turns: np.ndarray) -> dict[str, float]:
    """By how much the heads of each source lean, rad: a constant of the source, of all its frames.

    The head leans by the line from the base of the skull to its middle, in the head's own axes.
    """
    head = H36M_17.joints.index("Head")
    below = H36M_17.parents[head]
    bones = np.concatenate([c.positions[:, head] - c.positions[:, below] for c in capture.clips])
    local = np.einsum("fba,fb->fa", turns[:, SEGMENTS.index("Head")], unit_or_zero(bones))
    frames = [len(clip.positions) for clip in capture.clips]
    sources = np.repeat([clip.provenance for clip in capture.clips], frames)
    leans = {}
    known = np.isfinite(local).all(axis=-1)
    for source in np.unique(sources[known]):
        _, y, z = local[known & (sources == source)].mean(axis=0)
        leans[str(source)] = float(np.arctan2(-y, z))
    return leans


def _with_level_heads(motion: Motion, sources: np.ndarray, leans: dict[str, float]) -> Motion:
    """Pitch the heads and feet of each source until they are alike in all.

    Sources give the head's pitch with a constant of their own (their level gazes are 30° apart),
    but agree on the line from the base of the skull to the middle of the head, so each source's
    heads are pitched until it leans by :data:`graphlift.datasets.mocap.estimated_turns.SKULL`.
    """
    turns, directions = motion.turns.copy(), motion.directions.copy()
    head = H36M_17.joints.index("Head")
    at_head = SEGMENTS.index("Head")
    feet = [SEGMENTS.index(name) for name in ("LFoot", "RFoot")]
    for source in np.unique(sources[~motion.estimated]):
        here = (sources == source) & ~motion.estimated
        pitch = _about_x(leans[str(source)] - SKULL)
        turns[here, at_head] = turns[here, at_head] @ pitch
        directions[here, head] = directions[here, head] @ pitch
        down = FEET_DOWN.get(str(source), math.radians(2.0))
        turns[np.ix_(here, feet)] = turns[np.ix_(here, feet)] @ _about_x(-down)
    return Motion(**vars(motion) | {"turns": turns, "directions": directions})


def _about_x(angle: float) -> np.ndarray:
    """A rotation about the left; positive angles pitch the front down."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], dtype=np.float32)
