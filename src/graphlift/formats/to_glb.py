"""Write GLB: glTF 2.0 in one binary file, an animated tree of nodes for each person.

y up, m. Nodes are those of :mod:`graphlift.formats.rig`, in a T-pose when at rest. Turns are
animated; so is the place of a node where the bone to it changes length, so that every frame is
exact. Bones are drawn as meshes that hang on the nodes: the left blue, the right red, the middle
grey. In frames without a pose a person is scaled to nothing: glTF has no other way to hide one.

Source: Khronos, "glTF 2.0 Specification", 2021: sections 3.5 to 3.11 and 4.4 (GLB).
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.formats import rig
from graphlift.formats.person import Person, rigged_people
from graphlift.formats.prepare import axes_remark, check_somebody, gaps
from graphlift.sequences import Poses, frame_rate

STEADY = 1e-4
"""m; a bone that changes less than this over the clip is written as constant."""

LARGEST = 2**32 - 1
"""Bytes; a GLB's length is a 32-bit number."""

FLOAT, ARRAY_BUFFER = 5126, 34962
COLOURS = {
    "left": (0.10, 0.35, 0.80, 1.0),
    "right": (0.80, 0.12, 0.10, 1.0),
    "middle": (0.55, 0.55, 0.58, 1.0),
}
BONE_WIDTH, BALL_WIDTH = 0.07, 0.06
"""m, of what is drawn."""


class _Scene:
    """A glTF being composed: its JSON, and the numbers that go behind it."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.arrays: list[np.ndarray] = []
        self.samplers: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []
        self.size = 0

    def node(self, name: str, parent: int | None = None, **fields: Any) -> int:  # noqa: ANN401
        """Add a node, and return its number."""
        self.nodes.append({"name": name, **fields})
        if parent is not None:
            self.nodes[parent].setdefault("children", []).append(len(self.nodes) - 1)
        return len(self.nodes) - 1

    def numbers(self, values: np.ndarray, *, bounds: bool = False, target: int = 0) -> int:
        """Add an accessor of floats, and return its number."""
        array = np.ascontiguousarray(values, dtype="<f4")
        view = {"buffer": 0, "byteOffset": self.size, "byteLength": array.nbytes}
        self.views.append(view | ({"target": target} if target else {}))
        width = 1 if array.ndim == 1 else array.shape[1]
        kind = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}[width]
        accessor = {
            "bufferView": len(self.views) - 1,
            "componentType": FLOAT,
            "count": len(array),
            "type": kind,
        }
        if bounds:
            columns = array.reshape(len(array), width)
            accessor |= {"min": columns.min(axis=0).tolist(), "max": columns.max(axis=0).tolist()}
        self.accessors.append(accessor)
        self.arrays.append(array)
        self.size += array.nbytes
        return len(self.accessors) - 1

    def animate(
        self, node: int, path: str, times: int, values: np.ndarray, interpolation: str = "LINEAR"
    ) -> None:
        """Animate a node's translation, rotation or scale."""
        output = self.numbers(values)
        sampler = {"input": times, "output": output, "interpolation": interpolation}
        self.samplers.append(sampler)
        target = {"node": node, "path": path}
        self.channels.append({"sampler": len(self.samplers) - 1, "target": target})


def write_glb(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write GLB, everybody in one file.

    Returns:
        What was done, one sentence each.

    Raises:
        FormatError: If there is nobody to write, a joint of the 17 cannot be had, or the file
            would be larger than the format allows.
    """
    check_somebody(path, poses)
    people, remarks = rigged_people(path, poses)
    fps, said = frame_rate(poses)
    remarks += (*said, axes_remark(poses, "y", "m"))
    scene = _Scene()
    times = scene.numbers(np.arange(len(poses)) / fps, bounds=True)
    meshes = _meshes(scene)
    roots = []
    for person in people:
        roots.append(_add_person(scene, person, times))
        if not person.there.all():
            absent = gaps(person.there)
            remarks += (f"Person {person.name} is hidden in {absent} without a whole pose.",)
    content: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "graphlift"},
        "extras": {"model": poses.model, "notes": [*poses.notes, *remarks]},
        "scene": 0,
        "scenes": [{"nodes": roots}],
        "nodes": scene.nodes,
        "animations": [{"name": "motion", "samplers": scene.samplers, "channels": scene.channels}],
        "meshes": meshes,
        "materials": [_material(side) for side in COLOURS],
        "accessors": scene.accessors,
        "bufferViews": scene.views,
        "buffers": [{"byteLength": scene.size}],
    }
    _write_chunks(path, content, scene.arrays)
    return remarks


def _material(side: str) -> dict[str, Any]:
    matt = {"baseColorFactor": COLOURS[side], "metallicFactor": 0, "roughnessFactor": 0.7}
    return {"name": side, "pbrMetallicRoughness": matt}


def _write_chunks(path: Path, content: dict[str, Any], arrays: list[np.ndarray]) -> None:
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    size = content["buffers"][0]["byteLength"]  # a multiple of 4: all are 32-bit floats
    total = 12 + 8 + len(text) + 8 + size
    if total > LARGEST:
        raise FormatError(
            f"{path}: would be {total:,} bytes, and a .glb holds {LARGEST:,} at most: cut the "
            "clip, or write one person at a time"
        )
    with replacing(path) as beside, beside.open("wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, total))
        file.write(struct.pack("<I4s", len(text), b"JSON") + text)
        file.write(struct.pack("<I4s", size, b"BIN\0"))
        for array in arrays:
            file.write(array.data)


def _add_person(scene: _Scene, person: Person, times: int) -> int:
    """Add a person's nodes, what is drawn of them, and their motion."""
    lengths = rig.bone_lengths(person.measured)
    offsets = rig.rest_offsets(lengths)
    offsets[0] = person.positions[0, rig.AT[0]]
    top = scene.node(person.name)
    numbers: list[int] = []
    for i, node in enumerate(rig.NODES):
        above = top if not node.parent else numbers[rig.PARENTS[i]]
        numbers.append(scene.node(node.name, above, translation=offsets[i].tolist()))
        _draw(scene, numbers[i], i, lengths)
    end = [node.name for node in rig.NODES].index("Head")
    crown = rig.end_offset(end, lengths)
    crown_node = scene.node("HeadTop_End", numbers[end], translation=crown.tolist())
    rotations, places = _motion(person)
    for i, number in enumerate(numbers):
        if (rotations[:, i] != (0, 0, 0, 1)).any():
            scene.animate(number, "rotation", times, rotations[:, i])
        if i == 0 or np.abs(places[:, i] - offsets[i]).max() > STEADY:
            scene.animate(number, "translation", times, places[:, i])
    if np.abs(places[:, -1] - crown).max() > STEADY:
        scene.animate(crown_node, "translation", times, places[:, -1])
    if not person.there.all():
        size = np.repeat(person.there[:, None], 3, axis=1)
        scene.animate(top, "scale", times, size, "STEP")
    return top


def _motion(
    person: Person,
) -> tuple[Float[np.ndarray, "frame node 4"], Float[np.ndarray, "frame place 3"]]:
    """Find turns (quaternions x, y, z, w) and places of nodes against their parents.

    The last place is that of the top of the head.
    """
    from scipy.spatial.transform import Rotation

    frames, nodes = len(person.positions), len(rig.NODES)
    rotations = np.empty((frames, nodes, 4), dtype=np.float32)
    places = np.empty((frames, nodes + 1, 3), dtype=np.float32)
    above = [*rig.PARENTS, [node.name for node in rig.NODES].index("Head")]
    at = [*rig.AT, rig.TIPS[above[-1]]]
    for start in range(0, frames, rig.CHUNK):
        positions = person.positions[start : start + rig.CHUNK]
        world = rig.solve_rotations(positions)
        local = rig.local_rotations(world)
        turns = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_quat()
        rotations[start : start + rig.CHUNK] = turns.reshape(-1, nodes, 4)
        places[start : start + rig.CHUNK, 0] = positions[:, at[0]]
        for i, parent in enumerate(above[1:], start=1):
            apart = positions[:, at[i]] - positions[:, rig.AT[parent]]
            places[start : start + rig.CHUNK, i] = np.einsum("fji,fj->fi", world[:, parent], apart)
    return _short_way(rotations), places


def _short_way(rotations: np.ndarray) -> np.ndarray:
    """Choose between q and -q, which are one turn, so that neighbouring frames are near."""
    far = (rotations[1:] * rotations[:-1]).sum(axis=-1) < 0
    odd = np.cumsum(far, axis=0) % 2 == 1
    rotations[1:][odd] *= -1
    return rotations


def _draw(scene: _Scene, above: int, node: int, lengths: np.ndarray) -> None:
    """Hang a bone on a node, from it to where its bone ends, and a ball at the joint."""
    name = rig.NODES[node].name
    side = 1 if name[0] == "R" else 0 if name.startswith(("Left", "LHip")) else 2
    bone = rig.end_offset(node, lengths)
    length = float(np.linalg.norm(bone))
    if not node or rig.AT[node] != rig.AT[rig.PARENTS[node]]:  # one ball a joint
        scene.node(f"{name}.ball", above, mesh=3 + side, scale=[BALL_WIDTH] * 3)
    if length > 0:
        x, y, z = bone / length
        # The turn from +y: (1 + cos, axis) normalised; half a turn about x for straight down.
        quaternion = np.array([z, 0, -x, 1 + y] if y > -1 + 1e-9 else [1.0, 0, 0, 0])
        quaternion /= np.linalg.norm(quaternion)
        size = [BONE_WIDTH, length, BONE_WIDTH]
        turned = quaternion.tolist()
        scene.node(f"{name}.bone", above, mesh=side, rotation=turned, scale=size)


def _meshes(scene: _Scene) -> list[dict[str, Any]]:
    """Make a bone (along +y, 1 long) and a ball (1 wide), each left, right and middle."""
    waist = [(0.5, 0.2, 0.0), (0.0, 0.2, -0.5), (-0.5, 0.2, 0.0), (0.0, 0.2, 0.5)]
    ring = list(zip(waist, [*waist[1:], waist[0]], strict=True))
    bone = [(a, b, (0.0, 1.0, 0.0)) for a, b in ring] + [(b, a, (0.0, 0.0, 0.0)) for a, b in ring]
    corners = [(0.5, 0.0, 0.0), (0.0, 0.0, -0.5), (-0.5, 0.0, 0.0), (0.0, 0.0, 0.5)]
    around = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    ball = [(a, b, (0.0, 0.5, 0.0)) for a, b in around] + [
        (b, a, (0.0, -0.5, 0.0)) for a, b in around
    ]
    meshes = []
    for name, triangles in (("bone", bone), ("ball", ball)):
        corners_ = np.array(triangles)
        normals = np.cross(corners_[:, 1] - corners_[:, 0], corners_[:, 2] - corners_[:, 0])
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        places = scene.numbers(corners_.reshape(-1, 3), bounds=True, target=ARRAY_BUFFER)
        outward = scene.numbers(np.repeat(normals, 3, axis=0), target=ARRAY_BUFFER)
        attributes = {"POSITION": places, "NORMAL": outward}
        meshes += [
            {
                "name": f"{name} {side}",
                "primitives": [{"attributes": attributes, "material": material}],
            }
            for material, side in enumerate(COLOURS)
        ]
    return meshes
