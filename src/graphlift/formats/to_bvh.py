"""Write BVH: a T-pose, constant bone lengths, and Euler angles that never jump.

y up, cm, degrees; one file holds one person. The rig and its names are those of
:mod:`graphlift.formats.armature`.

Source: Biovision's format as in Meredith and Maddock, "Motion capture file formats explained",
University of Sheffield, 2001.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Float, Int

from graphlift.formats import armature
from graphlift.formats.retarget import RiggedPerson, rigged_people
from graphlift.formats.turns import frames_of, measured_end, solve_turns
from graphlift.formats.writing import axes_remark, check_people, write_each
from graphlift.sequences import Poses, frame_rate

CM = 100.0
MICRO = 10**6
"""Parts of a degree that the file shows, and that angles are held as: a whole number of 32 bits
takes half the room."""


def write_bvh(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write BVH, one file a person; with several, ``x.bvh`` becomes ``x.NAME.bvh``.

    Returns:
        What was done, one sentence each.

    Raises:
        FormatError: If there are no people to write, or a joint of the 17 cannot be derived.
    """
    check_people(path, poses)
    people, remarks = rigged_people(path, poses)
    fps, assumed = frame_rate(poses)
    notes = [*remarks, *assumed, axes_remark(poses, "y", "cm")]

    def write(beside: Path, _: str, number: int) -> None:
        with beside.open("w", encoding="ascii", newline="\n") as file:
            moved = _write_person(file, people[number], fps)
        notes.extend((*people[number].remarks, moved))

    files = write_each(path, [person.name for person in people], write)
    return (*notes, *files)


def _write_person(file: TextIO, person: RiggedPerson, fps: float) -> str:
    counted = person.counted
    lengths = armature.bone_lengths(person.positions, counted)
    offsets = armature.rest_offsets(lengths)
    angles, ends, moved, most = _solve(person, fps, offsets)
    file.write("HIERARCHY\n")
    file.writelines(f"{line}\n" for line in _block(0, offsets * CM, lengths, ends))
    file.write(f"MOTION\nFrames: {len(counted)}\nFrame Time: {1 / fps:.9f}\n")
    row = " ".join(["%.6f"] * (3 + 3 * len(armature.NODES))) + "\n"
    before = np.empty((len(angles), 0, 3), dtype=np.int64)
    for part in frames_of(len(counted)):
        both = np.concatenate([before, angles[:, part]], axis=1)
        unwound = np.unwrap(both, axis=1, period=360 * MICRO)[:, before.shape[1] :]
        before = unwound[:, -1:]
        place = person.positions[part, armature.AT[0]] * CM
        nested = unwound[list(armature.DEPTH_FIRST)].swapaxes(0, 1).reshape(len(place), -1)
        numbers = np.concatenate([place, nested / MICRO], axis=1)
        file.writelines(row % tuple(frame) for frame in numbers.tolist())
    return (
        f"Bone lengths of person {person.name} are their medians over the clip: joints moved by "
        f"{moved:.1f} mm on average, {most:.1f} mm at most."
    )


def _solve(
    person: RiggedPerson, fps: float, offsets: Float[np.ndarray, "node 3"]
) -> tuple[Int[np.ndarray, "node frame 3"], armature.Ends, float, float]:
    """Find a person's motion, node by node.

    Returns:
        Angles against the parents, a degree being MICRO, without whole turns; where bones end, m;
        and by how much constant lengths move the joints, mm, on average and at most.
    """
    counted, positions = person.counted, person.positions
    angles = np.zeros((len(armature.NODES), len(counted), 3), dtype=np.int32)
    ends: dict[int, np.ndarray] = {}
    places: dict[int, np.ndarray] = {}
    total, most = 0.0, 0.0
    for i, own, above in solve_turns(positions, fps, person.guides):
        end = measured_end(i, positions, own, person.guides, counted)
        ends |= {} if end is None else {i: end}
        places[i], before = np.empty((len(counted), 3)), np.empty((0, 3))
        for part in frames_of(len(counted)):
            here, turns = positions[part, armature.AT[i]], own[part]
            places[i][part] = here
            if i:
                places[i][part] = places[armature.PARENTS[i]][part] + above[part] @ offsets[i]
                turns = above[part].swapaxes(-1, -2) @ turns
            moved = np.linalg.norm(places[i][part] - here, axis=-1)[counted[part]] * 1000
            total, most = total + moved.sum(), max(most, moved.max(initial=0.0))
            if i == 0 or own is not above:
                both = choose_nearer(np.concatenate([before, matrix_to_zxy(turns)]))
                angles[i, part] = np.rint(np.degrees(both[len(before) :]) * MICRO)
                before = both[-1:]
        armature.drop_used(places, i)
        del own, above, turns  # before the next ones are made
    return angles, ends, total / (counted.sum() * len(armature.NODES)), most


def _block(
    node: int, offsets: np.ndarray, lengths: np.ndarray, ends: armature.Ends, depth: int = 0
) -> Iterator[str]:
    """List the lines of a node and of what hangs on it; offsets in cm, lengths in m."""
    tab, kind = "\t" * depth, "JOINT" if depth else "ROOT"
    place = "" if depth else "Xposition Yposition Zposition "
    yield f"{tab}{kind} {armature.NODES[node].name}"
    yield f"{tab}{{"
    yield f"{tab}\tOFFSET {_numbers(offsets[node])}"
    yield f"{tab}\tCHANNELS {3 if depth else 6} {place}Zrotation Xrotation Yrotation"
    children = [child for child, parent in enumerate(armature.PARENTS) if parent == node]
    for child in children:
        yield from _block(child, offsets, lengths, ends, depth + 1)
    if not children:
        yield f"{tab}\tEnd Site"
        yield f"{tab}\t{{"
        yield f"{tab}\t\tOFFSET {_numbers(armature.end_offset(node, lengths, ends) * CM)}"
        yield f"{tab}\t}}"
    yield f"{tab}}}"


def _numbers(vector: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in vector)


def matrix_to_zxy(rotations: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Find a, b, c with R = Rz(a) Rx(b) Ry(c), radians, b from -90° to 90°.

    With b at ±90°, where only a ± c is determined, c is 0.
    """
    R = rotations
    b = np.arcsin(np.clip(R[..., 2, 1], -1, 1))
    locked = np.hypot(R[..., 2, 0], R[..., 2, 2]) < 1e-6
    a = np.arctan2(-R[..., 0, 1], R[..., 1, 1])
    a = np.where(locked, np.arctan2(R[..., 1, 0], R[..., 0, 0]), a)
    c = np.where(locked, 0.0, np.arctan2(-R[..., 2, 0], R[..., 2, 2]))
    return np.stack([a, b, c], axis=-1)


def choose_nearer(angles: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3"]:
    """Choose, of two angles that mean the same turn, those that change least between frames.

    (a, b, c) and (a + 180°, 180° - b, c + 180°) are one turn. Whole turns of each do not count.
    Which of the two is nearer to the frame before does not depend on which that frame took, so the
    choice is a running parity and needs no loop.
    """
    other = np.stack([angles[..., 0] + np.pi, np.pi - angles[..., 1], angles[..., 2] + np.pi], -1)

    def change(to: np.ndarray) -> np.ndarray:
        difference = to[1:] - angles[:-1]
        return np.asarray(np.abs((difference + np.pi) % (2 * np.pi) - np.pi).sum(axis=-1))

    swaps = np.zeros(angles.shape[:-1], dtype=int)
    swaps[1:] = change(other) < change(angles)
    odd = np.cumsum(swaps, axis=0) % 2 == 1
    return np.where(odd[..., None], other, angles)
