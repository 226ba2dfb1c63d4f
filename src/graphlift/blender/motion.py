"""One person's motion as Blender takes it, and the rotations that lead there."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

MOST_FRAMES = 200_000
"""Of all people together; Blender needs some 7 KB for each."""
FARTHEST = 1e5
"""m; a joint that is farther away is damaged."""
LARGEST_FILE = 1 << 30
"""Bytes of a file that is read, and of the arrays in it."""
FPS_ASSUMED = 30.0
FPS_RANGE = (0.001, 10_000.0)

CROWN = "HeadTop_End"
"""The one end of a bone that is a joint, too: the top of the head."""
HUB_LENGTH = 0.1
"""m; how long a bone is drawn that leads to no joint, such as those of the chest and the hands."""

Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From y up to Blender's z up: a quarter turn about x, which mirrors nothing."""


class MotionError(ValueError):
    """A file that is no motion, with what is wrong in it and the way out."""


@dataclass(frozen=True, eq=False)
class Motion:
    """One person: the bones at rest, in a T-pose, and where they are in each frame.

    m, z up, a person at rest faces -y and has the left at +x. Frames without the person are
    filled with anything finite.

    Args:
        person: The name.
        fps: Frames a second.
        bones: Names, parents before children.
        parents: Of each bone, -1 for the root.
        rest_heads: Where bones start at rest, (bone, 3).
        rest_axes: Their axes at rest, (bone, 3, 3): x, y, z in columns, y along the bone.
        lengths: How long they are drawn, (bone,).
        heads: Where bones start, (frame, bone, 3).
        axes: Their axes, (frame, bone, 3, 3).
        present: Frames that have the person, (frame,).
        remarks: What was assumed, one sentence each.
    """

    person: str
    fps: float
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    rest_heads: np.ndarray
    rest_axes: np.ndarray
    lengths: np.ndarray
    heads: np.ndarray
    axes: np.ndarray
    present: np.ndarray
    remarks: tuple[str, ...] = ()


def placed(motion: Motion, scale: float, shift: np.ndarray) -> Motion:
    """Move a motion by a vector, (3,), and then scale it about the origin."""
    return replace(
        motion,
        rest_heads=(motion.rest_heads + shift) * scale,
        lengths=motion.lengths * scale,
        heads=(motion.heads + shift) * scale,
    )


def bone_lengths(
    heads: np.ndarray, axes: np.ndarray, above: Sequence[int], bones: int
) -> np.ndarray:
    """Say how long to draw each of the first bones: to the farthest place on it.

    Args:
        heads: All places at rest, bones first, (place, 3).
        axes: Of bones at rest, (bone, 3, 3).
        above: The bone on which each place hangs.
        bones: How many places are bones.
    """
    lengths = np.zeros(bones)
    for place, bone in enumerate(above):
        if 0 <= bone < bones:
            along = float((heads[place] - heads[bone]) @ axes[bone, :, 1])
            lengths[bone] = max(lengths[bone], along)
    return np.where(lengths > 1e-3, lengths, HUB_LENGTH)


def check_fps(fps: object, where: str) -> float | None:
    """Return a frame rate that is possible, or None for one that is unknown.

    Raises:
        MotionError: For any other.
    """
    if fps is None:
        return None
    number = isinstance(fps, (int, float)) and not isinstance(fps, bool)
    if not (number and FPS_RANGE[0] <= fps <= FPS_RANGE[1]):  # type: ignore[operator]
        raise MotionError(f"{where} is {brief(fps)}, and no number of frames per second")
    return float(fps)  # type: ignore[arg-type]


def check_frames(frames: int, people: int, where: str) -> None:
    """Refuse what Blender could not hold.

    Raises:
        MotionError: If there is no frame, nobody, or too many of both.
    """
    who = counted(people, "person", "people")
    if frames < 1 or people < 1:
        raise MotionError(f"{where}: holds {counted(frames, 'frame')} of {who}: nothing to import")
    if frames * people > MOST_FRAMES:
        raise MotionError(
            f"{where}: {counted(frames, 'frame')} of {who}: more than {MOST_FRAMES:,} "
            "together: name one person in the options of the import, or cut the clip"
        )


def chosen(people: Sequence[str], person: str, where: str) -> list[int]:
    """Find the places of the people who are imported: all, or the one of that name.

    Raises:
        MotionError: If nobody has the name.
    """
    if not person:
        return list(range(len(people)))
    if person not in people:
        known = ", ".join(brief(name, 40) for name in people[:8])
        raise MotionError(f"{where}: nobody is called {brief(person, 40)}: there are {known}")
    return [people.index(person)]


def counted(number: int, one: str, many: str = "") -> str:
    """Count things: 1 frame, 1,000 frames; ``many`` names several, where ``one`` takes no s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def brief(value: object, longest: int = 80) -> str:
    """Shorten a value of a file for a message: one line, printable."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of too many digits"
    if isinstance(value, (list, dict)):
        return f"a {type(value).__name__} of {len(value):,}"
    text = "".join(c if c.isprintable() else "?" for c in str(value)[: longest + 1])
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


@contextlib.contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn every error that a damaged file can cause into one that names the file.

    Raises:
        MotionError: In place of any error but those of the file system.
    """
    try:
        yield
    except (MotionError, OSError):
        raise
    except Exception as error:
        raise MotionError(
            f"{where}: is damaged or of another program ({brief(type(error).__name__)}: "
            f"{brief(error)}): write it again with graphlift"
        ) from error


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (..., 3) to length 1; 0 for one without length, or that is unknown."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    known = np.isfinite(length) & (length > 0)
    return np.where(known, vectors / np.where(known, length, 1), 0)


def swing_to(start: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Find the smallest rotations (frame, 3, 3) from a unit vector (3,) to others (frame, 3).

    Straight back there is none, and half a turn about z, or about x for one along z, is taken.
    A goal of 0 turns nothing.
    """
    goals = np.where(goals.any(axis=-1, keepdims=True), goals, start)
    cosine = goals @ start
    cross = skew(np.cross(start, goals))
    turns = np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-9)[:, None, None]
    half = np.diag([1.0, -1.0, -1.0] if abs(start[2]) > 0.9 else [-1.0, -1.0, 1.0])
    return np.where((cosine < -1 + 1e-9)[:, None, None], half, turns)


def skew(vectors: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) that multiply as the cross product with vectors (..., 3) does."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    none = np.zeros_like(x)
    rows = [none, -z, y, z, none, -x, -y, x, none]
    return np.stack(rows, axis=-1).reshape(*x.shape, 3, 3)


def turn_about(axis: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotations (frame, 3, 3) by angles (frame,), rad, about a unit vector (3,).

    Source: Rodrigues' formula.
    """
    cross = skew(axis)
    sine, cosine = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    return np.asarray(np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross))


def matrices_of(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of quaternions x, y, z, w (..., 4) of any length but 0."""
    v, w = quaternions[..., :3], quaternions[..., 3:]
    squared = (quaternions**2).sum(axis=-1)[..., None, None]
    cross = skew(v)
    return np.asarray(np.eye(3) + 2 * (w[..., None] * cross + cross @ cross) / squared)


def quaternions_of(matrices: np.ndarray) -> np.ndarray:
    """Quaternions w, x, y, z (..., 4) of rotation matrices (..., 3, 3), w not negative.

    Of four forms, each exact, the one that divides by the largest number.

    Source: Shepperd, "Quaternion from rotation matrix", Journal of Guidance and Control 1, 1978.
    """
    m = matrices
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = np.stack([trace, m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    largest = squares.argmax(axis=-1)
    off = [m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]]
    both = {(i, j): m[..., i, j] + m[..., j, i] for i in range(3) for j in range(i)}
    forms = [np.stack([1 + trace, *off], axis=-1)]
    for i in range(3):
        row = [off[i], *(both[max(i, j), min(i, j)] for j in range(3) if j != i)]
        row.insert(1 + i, 1 + 2 * m[..., i, i] - trace)
        forms.append(np.stack(row, axis=-1))
    taken = np.take_along_axis(np.stack(forms, axis=-2), largest[..., None, None], axis=-2)
    q = taken[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.asarray(np.where(q[..., :1] < 0, -q, q))


def short_way(quaternions: np.ndarray) -> np.ndarray:
    """Choose between q and -q, one turn, the one near to the frame before: (frame, bone, 4)."""
    far = (quaternions[1:] * quaternions[:-1]).sum(axis=-1) < 0
    odd = np.concatenate([np.zeros((1, far.shape[1]), int), np.cumsum(far, axis=0)]) % 2 == 1
    return np.where(odd[..., None], -quaternions, quaternions)


def keys_of(
    motion: Motion, rest_heads: np.ndarray, rest_axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Express a motion as Blender's channels: against the parent and against the rest pose.

    Args:
        motion: In the space of the armature.
        rest_heads: Of the bones as Blender has them, (bone, 3).
        rest_axes: The same, (bone, 3, 3).

    Returns:
        Quaternions w, x, y, z (frame, bone, 4) and locations (frame, bone, 3).
    """
    above = np.array(motion.parents)

    def against(heads: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turns = axes[..., above, :, :].swapaxes(-1, -2) @ axes
        apart = np.einsum(
            "...nji,...nj->...ni", axes[..., above, :, :], heads - heads[..., above, :]
        )
        root = above < 0
        turns[..., root, :, :], apart[..., root, :] = axes[..., root, :, :], heads[..., root, :]
        return turns, apart

    rest_turns, rest_apart = against(rest_heads, rest_axes)
    turns, apart = against(motion.heads, motion.axes)
    local = rest_turns.swapaxes(-1, -2) @ turns
    moved = np.einsum("nji,fnj->fni", rest_turns, apart - rest_apart)
    return short_way(quaternions_of(local)), moved


def resampled(
    times: np.ndarray, quaternions: np.ndarray, places: np.ndarray, present: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read keys off between frames: quaternions and places linearly, and these made unit again.

    Args:
        times: In frames of the file, (new,).
        quaternions: Neighbours near each other, (frame, bone, 4).
        places: (frame, bone, 3).
        present: (frame,); a new frame is there if those before and after it are.
    """
    before = np.clip(np.floor(times).astype(int), 0, len(places) - 1)
    after = np.minimum(before + 1, len(places) - 1)
    share = (times - before)[:, None, None]
    exact = np.isclose(share[:, 0, 0], 0)
    turned = (1 - share) * quaternions[before] + share * quaternions[after]
    turned /= np.linalg.norm(turned, axis=-1, keepdims=True)
    there = present[before] & (present[after] | exact)
    return turned, (1 - share) * places[before] + share * places[after], there


def whole_rate(fps: float) -> tuple[int, float]:
    """Split a frame rate as Blender does: a whole number, and what it is divided by."""
    whole = max(1, math.ceil(fps - 1e-6))
    return whole, whole / fps
