"""Write GLB: glTF 2.0 in one binary file, for each person a skeleton in motion and a body on it.

y up, m. Nodes are those of :mod:`graphlift.formats.armature`, in a T-pose when at rest. Turns are
animated; so is the place of a node where the bone to it changes length, so that every frame is
exact. The body (:mod:`graphlift.formats.body`) is bound to the nodes by a skin; a bone that
changes length does not stretch it. In frames without a pose a person is scaled to nothing: glTF
has no other way to hide one.

Source: Khronos, "glTF 2.0 Specification", 2021: sections 3.5 to 3.11 (skins: 3.7.3) and 4.4 (GLB).
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.formats import armature
from graphlift.formats.body import Body, make_body
from graphlift.formats.retarget import RiggedPerson, rigged_people
from graphlift.formats.writing import axes_remark, check_people, gaps
from graphlift.sequences import Poses, frame_rate

STEADY = 1e-4
"""m; a bone that changes less than this over the clip is written as constant."""

UNTURNED = 1e-6
"""Change of a quaternion that is rounding: hands and feet keep the turn of forearm and shin."""

LARGEST = 2**32 - 1
"""Bytes; a GLB's length is a 32-bit number."""

JOINTS = (*(node.name for node in armature.NODES), *armature.ENDS.values())
"""What a skin binds: the nodes, then the ends of bones that end at no node."""
ABOVE = (*armature.PARENTS, *armature.ENDS)
AT = np.array([*armature.AT, *(armature.TIPS[end] for end in armature.ENDS)])
"""Joints of the pose that they sit on; -1 for ends that are not measured."""

COMPONENTS = {"<f4": 5126, "|u1": 5121, "<u2": 5123}
KINDS = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTICES, TRIANGLES = 34962, 34963
GREY = {"baseColorFactor": [0.6, 0.6, 0.6, 1], "metallicFactor": 0, "roughnessFactor": 0.8}


class _Scene:
    """A glTF being composed: its JSON, and the numbers that go behind it."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.animation: dict[str, Any] = {"name": "motion", "samplers": [], "channels": []}
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "graphlift"},
            "extras": {},
            "scene": 0,
            "scenes": [{"nodes": self.roots}],
            "nodes": [],
            "skins": [],
            "animations": [self.animation],
            "meshes": [],
            "materials": [{"name": "body", "pbrMetallicRoughness": GREY}],
            "accessors": [],
            "bufferViews": [],
            "buffers": [{"byteLength": 0}],
        }
        self.body: dict[str, int] = {}
        self.triangles = 0
        self.arrays: list[np.ndarray] = []

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """Add an entry to one of the lists of the JSON, and return its number."""
        self.json[kind].append(entry)
        return len(self.json[kind]) - 1

    def node(self, name: str, parent: int | None = None, **fields: Any) -> int:  # noqa: ANN401
        """Add a node, and return its number."""
        number = self.add("nodes", {"name": name, **fields})
        above = None if parent is None else self.json["nodes"][parent]
        (self.roots if above is None else above.setdefault("children", [])).append(number)
        return number

    def numbers(self, values: np.ndarray, *, bounds: bool = False, target: int = 0) -> int:
        """Add an accessor, of 32-bit floats or of the integers as they are, and return its number.

        Rows are numbers, vectors, or matrices, which glTF wants column by column.
        """
        rows = values.swapaxes(-1, -2) if values.ndim == 3 else values
        array = np.ascontiguousarray(rows, dtype="<f4" if rows.dtype.kind == "f" else rows.dtype)
        (buffer,) = self.json["buffers"]
        view = {"buffer": 0, "byteOffset": buffer["byteLength"], "byteLength": array.nbytes}
        accessor: dict[str, Any] = {
            "bufferView": self.add("bufferViews", view | ({"target": target} if target else {})),
            "componentType": COMPONENTS[array.dtype.str],
            "count": len(array),
            "type": KINDS[array.shape[1:]],
        }
        if bounds:
            columns = array.reshape(len(array), -1)
            accessor |= {"min": columns.min(axis=0).tolist(), "max": columns.max(axis=0).tolist()}
        self.arrays.append(array)
        buffer["byteLength"] += array.nbytes
        return self.add("accessors", accessor)

    def animate(
        self, node: int, path: str, times: int, values: np.ndarray, interpolation: str = "LINEAR"
    ) -> None:
        """Animate a node's translation, rotation or scale."""
        samplers, channels = self.animation["samplers"], self.animation["channels"]
        target = {"node": node, "path": path}
        channels.append({"sampler": len(samplers), "target": target})
        output = self.numbers(values)
        samplers.append({"input": times, "output": output, "interpolation": interpolation})


def write_glb(path: Path, poses: Poses) -> tuple[str, ...]:
    """Write GLB, all people in one file.

    Returns:
        What was done, one sentence each.

    Raises:
        FormatError: If there are no people to write, a joint of the 17 cannot be had, or the file
            would be larger than the format allows.
    """
    check_people(path, poses)
    people, remarks = rigged_people(path, poses)
    fps, assumed = frame_rate(poses)
    remarks += (*assumed, axes_remark(poses, "y", "m"))
    scene = _Scene()
    times = scene.numbers(np.arange(len(poses)) / fps, bounds=True)
    for person in people:
        _add_person(scene, person, times, fps)
        if not person.present.all():
            absent = gaps(person.present)
            remarks += (f"Person {person.name} is hidden in {absent} without a whole pose.",)
    scene.json["extras"] = {"model": poses.model, "notes": [*poses.notes, *remarks]}
    _write_chunks(path, scene.json, scene.arrays)
    return remarks


def _write_chunks(path: Path, content: dict[str, Any], arrays: list[np.ndarray]) -> None:
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    size = content["buffers"][0]["byteLength"]  # a multiple of 4: every array's is
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


def _add_person(scene: _Scene, person: RiggedPerson, times: int, fps: float) -> None:
    """Add a person's joints, their motion, and a body that follows them."""
    lengths = armature.bone_lengths(person.measured)
    world = armature.solve_rotations(person.positions, fps, person.guides)
    ends = armature.measured_ends(person.positions, world, person.guides, person.present)
    rest = person.positions[0, armature.AT[0]] + armature.rest_places(lengths, ends)
    axes = armature.bone_axes(ends)
    turned, offset = _quaternions(axes[None])[0], _offsets(rest[None], axes[None])[0]
    rotations, places = _motion(person.positions, world, axes, turned, offset)
    del world  # of an hour, 285 MB
    top = scene.node(person.name)
    joints: list[int] = []
    for i, name in enumerate(JOINTS):
        above = joints[ABOVE[i]] if joints else top
        joints.append(scene.node(name, above, translation=offset[i].tolist()))
        if i < len(armature.NODES):
            scene.json["nodes"][-1]["rotation"] = turned[i].tolist()
            if np.abs(rotations[:, i] - turned[i]).max() > UNTURNED:
                scene.animate(joints[i], "rotation", times, rotations[:, i])
        if i == 0 or np.abs(places[:, i] - offset[i]).max() > STEADY:
            scene.animate(joints[i], "translation", times, places[:, i])
    if not person.present.all():
        size = np.repeat(person.present[:, None], 3, axis=1).astype(float)
        scene.animate(top, "scale", times, size, "STEP")
    _add_body(scene, person.name, joints, rest, axes, make_body(lengths, ends))


def _add_body(
    scene: _Scene, name: str, joints: list[int], rest: np.ndarray, axes: np.ndarray, body: Body
) -> None:
    """Add a mesh bound to the joints in the T-pose; its node has no parent, as glTF advises.

    The bodies differ in the positions of their vertices alone.
    """
    if not scene.body:
        zeros = np.zeros((len(body.nodes), 3), dtype=np.uint8)
        whole = np.full(len(zeros), 255, dtype=np.uint8)
        scene.body = {
            "NORMAL": scene.numbers(body.normals, target=VERTICES),
            "JOINTS_0": scene.numbers(np.c_[body.nodes, zeros], target=VERTICES),
            "WEIGHTS_0": scene.numbers(np.c_[whole, zeros], target=VERTICES),
        }
        scene.json["accessors"][scene.body["WEIGHTS_0"]]["normalized"] = True
        scene.triangles = scene.numbers(body.triangles.ravel(), target=TRIANGLES)
    places = scene.numbers(rest[0] + body.places, bounds=True, target=VERTICES)
    attributes = {"POSITION": places, **scene.body}
    primitive = {"attributes": attributes, "indices": scene.triangles, "material": 0}
    mesh = scene.add("meshes", {"name": f"{name} body", "primitives": [primitive]})
    to_bone = np.tile(np.eye(4), (len(joints), 1, 1))
    axes = axes[[*range(len(armature.NODES)), *armature.ENDS]]
    to_bone[:, :3, :3] = axes.swapaxes(-1, -2)
    to_bone[:, :3, 3] = -np.einsum("jba,jb->ja", axes, rest)
    bound: dict[str, Any] = {"name": name, "joints": joints, "skeleton": joints[0]}
    skin = scene.add("skins", bound | {"inverseBindMatrices": scene.numbers(to_bone)})
    scene.node(f"{name} body", mesh=mesh, skin=skin)


def _motion(
    positions: Float[np.ndarray, "frame joint 3"],
    world: Float[np.ndarray, "frame node 3 3"],
    axes: Float[np.ndarray, "node 3 3"],
    turned: Float[np.ndarray, "node 4"],
    offset: Float[np.ndarray, "place 3"],
) -> tuple[Float[np.ndarray, "frame node 4"], Float[np.ndarray, "frame place 3"]]:
    """Find turns (x, y, z, w) and places against the parents, near to those given for the T-pose.

    Ends that are not measured stay where they rest.
    """
    rotations = np.empty((*world.shape[:2], 4), dtype=np.float32)
    places = np.empty((len(world), len(JOINTS), 3), dtype=np.float32)
    places[:] = offset
    for start in range(0, len(world), armature.CHUNK):
        part = slice(start, start + armature.CHUNK)
        turns = world[part] @ axes
        rotations[part] = _quaternions(turns)
        places[part, AT >= 0] = _offsets(positions[part][:, AT], turns)[:, AT >= 0]
    return _short_way(rotations, turned), places


def _quaternions(axes: Float[np.ndarray, "frame node 3 3"]) -> Float[np.ndarray, "frame node 4"]:
    """Express axes in those of the parents, as x, y, z, w."""
    from scipy.spatial.transform import Rotation

    local = armature.local_rotations(axes)
    return np.asarray(
        Rotation.from_matrix(local.reshape(-1, 3, 3)).as_quat().reshape(*local.shape[:2], 4)
    )


def _offsets(
    places: Float[np.ndarray, "frame place 3"], axes: Float[np.ndarray, "frame node 3 3"]
) -> Float[np.ndarray, "frame place 3"]:
    """Express places in the axes of the parents; the root's is as it is."""
    above = np.array(ABOVE[1:])
    apart = places[:, 1:] - places[:, above]
    local = np.einsum("fjba,fjb->fja", axes[:, above], apart)
    return np.concatenate([places[:, :1], local], axis=1)


def _short_way(rotations: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Choose between q and -q, which are one turn: near to the frame before, the first to rest."""
    for node, first in enumerate(rest.astype(rotations.dtype)):  # of a long clip each is long
        turns = rotations[:, node]
        before = np.concatenate([first[None], turns[:-1]])
        far = (turns * before).sum(axis=-1) < 0
        turns[np.cumsum(far) % 2 == 1] *= -1
    return rotations
