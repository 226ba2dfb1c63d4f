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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.files import replacing
from graphlift.formats import armature
from graphlift.formats.body import Body, make_body
from graphlift.formats.retarget import RiggedPerson, rigged_people
from graphlift.formats.turns import Matrices, frames_of, measured_end, solve_turns
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
MOVABLE = tuple(i for i, above in enumerate(ABOVE) if above < 0 or AT[i] not in (-1, AT[above]))
"""Those whose places against their parents can change over time; others sit on their parent, or
rest."""

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
    lengths = armature.bone_lengths(person.positions, person.counted)
    rotations, places, ends = _motion(person, lengths, fps)
    rest = _Rest.of(person, lengths, ends)
    top = scene.node(person.name)
    joints: list[int] = []
    for i, name in enumerate(JOINTS):
        above = joints[ABOVE[i]] if joints else top
        joints.append(scene.node(name, above, translation=rest.offset[i].tolist()))
        if i < len(armature.NODES):
            scene.json["nodes"][-1]["rotation"] = rest.turned[i].tolist()
        if i in rotations:
            scene.animate(joints[i], "rotation", times, rotations.pop(i))
        if i in places:
            scene.animate(joints[i], "translation", times, places.pop(i))
    if not person.present.all():
        size = np.repeat(person.present[:, None], 3, axis=1).astype(float)
        scene.animate(top, "scale", times, size, "STEP")
    body = make_body(lengths, ends)
    _add_body(scene, person.name, joints, rest.places, rest.axes, body)


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


@dataclass(frozen=True, eq=False)
class _Rest:
    """A person's T-pose, at the place of the first frame.

    Args:
        places: Of nodes and ends, m.
        axes: Of nodes.
        turned: Axes against those of the parents, as x, y, z, w.
        offset: Places against the parents, in their axes, m.
    """

    places: Float[np.ndarray, "place 3"]
    axes: Float[np.ndarray, "node 3 3"]
    turned: Float[np.ndarray, "node 4"]
    offset: Float[np.ndarray, "place 3"]

    @classmethod
    def of(
        cls, person: RiggedPerson, lengths: Float[np.ndarray, " node"], ends: armature.Ends
    ) -> "_Rest":
        """Put a person of these bones into the T-pose."""
        places = person.positions[0, armature.AT[0]] + armature.rest_places(lengths, ends)
        axes = armature.bone_axes(ends)
        above = np.array(ABOVE[1:])
        offset = np.einsum("jba,jb->ja", axes[above], places[1:] - places[above])
        turned = _quaternions(armature.local_rotations(axes[None])[0])
        return cls(places, axes, turned, np.concatenate([places[:1], offset]))


def _motion(
    person: RiggedPerson, lengths: Float[np.ndarray, " node"], fps: float
) -> tuple[
    dict[int, Float[np.ndarray, "frame 4"]],
    dict[int, Float[np.ndarray, "frame 3"]],
    dict[int, Float[np.ndarray, "3"]],
]:
    """Find a person's motion, node by node.

    Returns:
        Turns against the parents (x, y, z, w), near to those of the T-pose, of nodes that turn;
        places in the parents' axes, m, of nodes and ends where the bone to them changes length,
        and of the root; and where bones end in the T-pose.
    """
    room = np.empty((len(armature.NODES), len(person.positions), 4), dtype=np.float32)
    rotations: dict[int, np.ndarray] = {}
    places: dict[int, np.ndarray] = {}
    ends: dict[int, np.ndarray] = {}
    for i, own, above in solve_turns(person.positions, fps, person.guides):
        end = measured_end(i, person.positions, own, person.guides, person.counted)
        ends |= {} if end is None else {i: end}
        rest = _Rest.of(person, lengths, ends)
        if i == 0 or own is not above:
            _write_turns(i, own, above, rest, room[i])
            if np.abs(room[i] - rest.turned[i]).max() > UNTURNED:
                rotations[i] = room[i]
        hanging = [end for end in MOVABLE if ABOVE[end] == i and end >= len(armature.NODES)]
        for place, parents in ((i, above), *((end, own) for end in hanging)):
            if place in MOVABLE:
                moved = _places(place, person, parents, rest)
                if place == 0 or np.abs(moved - rest.offset[place]).max() > STEADY:
                    places[place] = moved
        del own, above, parents  # before the next ones are made
    return rotations, places, ends


def _write_turns(
    node: int, own: Matrices, above: Matrices, rest: _Rest, found: Float[np.ndarray, "frame 4"]
) -> None:
    """Express a node's turns against its parent's, each q or -q, near to the one before."""
    for part in frames_of(len(own)):
        axes = own[part] @ rest.axes[node]
        if node:
            axes = (above[part] @ rest.axes[ABOVE[node]]).swapaxes(-1, -2) @ axes
        found[part] = _quaternions(axes)
    before = np.concatenate([rest.turned[node][None].astype(found.dtype), found[:-1]])
    far = (found * before).sum(axis=-1) < 0
    found[np.cumsum(far) % 2 == 1] *= -1


def _places(
    place: int, person: RiggedPerson, above: Matrices, rest: _Rest
) -> Float[np.ndarray, "frame 3"]:
    """Express places in the axes of the parent; the root's is as it is."""
    positions, parent = person.positions, ABOVE[place]
    found = np.empty((len(positions), 3), dtype=np.float32)
    for part in frames_of(len(found)):
        if place == 0:
            found[part] = positions[part, AT[0]]
            continue
        apart = positions[part, AT[place]] - positions[part, AT[parent]]
        found[part] = np.einsum("fba,fb->fa", above[part] @ rest.axes[parent], apart)
    return found


def _quaternions(turns: Float[np.ndarray, "many 3 3"]) -> Float[np.ndarray, "many 4"]:
    """Write turns as x, y, z, w."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(turns).as_quat())
