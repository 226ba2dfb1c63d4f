"""Read GLB: people whose nodes have the names of our rig, at the places where the nodes stand.

A person is what hangs on a node called ``Hips``. Its name is that of the node above. Frames are
the times of the animation; a frame in which a person is scaled to nothing is one without them.

Source: as :mod:`graphlift.formats.to_glb`; section 3.11 of the specification for animations.
"""

import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from graphlift.errors import FormatError
from graphlift.formats import armature
from graphlift.formats.writing import usual_rate
from graphlift.geometry import y_up_to_z_up
from graphlift.mapped import BLOCK
from graphlift.plain_json import parse_json
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17
from graphlift.words import counted

CROWN = "HeadTop_End"
MOST_NODES = 10_000
"""In a file."""
MOST_FRAMES = 500_000
"""Three hours at 50 frames a second."""
HIDDEN = 1e-6
"""A scale at or below this hides a person."""

_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
_FLOAT = 5126
_PLACE = 12
"""Bytes of a translation; a person who moves has one in every frame."""
_ENOUGH = {"translation": 3, "rotation": 4, "scale": 3}

Paths = dict[int, dict[str, np.ndarray]]
"""By node and ``translation``, ``rotation`` or ``scale``: a value for each frame."""

World = dict[int, tuple[np.ndarray, np.ndarray]]
"""By node: its turn and scale, and its place; -1 is the world itself."""


def read_glb(path: Path) -> Poses:
    """Read GLB as poses of the 17 joints in world axes.

    Raises:
        FormatError: If it is no GLB, is cut short, has no person with our rig's names, or is
            animated in another way than ours: one row of times for all, no cubic splines.
        ValueError: If it is damaged; or KeyError, IndexError, TypeError or struct.error.
    """
    tree, data = _chunks(path.read_bytes())
    times, moving = _animation(tree, data)
    people = _people(tree["nodes"], moving, len(times), len(data))
    if not people:
        raise FormatError(
            "no node is called Hips: only people whose nodes have the names of graphlift's rig "
            "can be read (docs/formats-out.md)"
        )
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    fps = usual_rate(1 / step) if step > 0 else None
    return Poses(
        y_up_to_z_up(np.stack([places for _, places in people], axis=1)),
        H36M_17,
        axes="world",
        rooted=False,
        fps=fps,
        people=tuple(name for name, _ in people),
        notes=("Read from a GLB: y is up, in m; joints are where the nodes of the rig stand.",),
    )


def _plain(name: str) -> str:
    """Drop a prefix that tools add, such as ``mixamorig:``."""
    return str(name).rpartition(":")[2]


def _chunks(content: bytes) -> tuple[Any, bytes]:
    """Take the file apart: its JSON and the numbers behind it."""
    magic, version, length = struct.unpack_from("<4sII", content)
    if magic != b"glTF" or version != 2 or length > len(content):
        raise FormatError("is no GLB of version 2, or is cut short: export it again")
    size, kind = struct.unpack_from("<I4s", content, 12)
    if kind != b"JSON":
        raise FormatError("its first chunk is no JSON: export it again")
    tree = parse_json(content[20 : 20 + size])
    if not isinstance(tree, dict) or len(tree.get("nodes", ())) > MOST_NODES:
        raise FormatError(f"has no nodes, or more than {MOST_NODES:,}: this is no motion")
    return tree, content[28 + size :]


def _parents(nodes: list[Any]) -> list[int]:
    """Find each node's parent, -1 for a root.

    Raises:
        FormatError: If a node hangs on two, or on itself.
    """
    parents = [-1] * len(nodes)
    for number, node in enumerate(nodes):
        for child in node.get("children", ()):
            if child < 0 or parents[child] >= 0:
                raise FormatError(f"node {child} hangs on two nodes, which is no tree")
            parents[child] = number
    for start in range(len(nodes)):
        at, steps = start, 0
        while parents[at] >= 0:
            at, steps = parents[at], steps + 1
            if steps > len(armature.NODES) + 50:
                raise FormatError("its nodes hang on each other in a ring, or in too long a chain")
    return parents


def _animation(tree: Any, data: bytes) -> tuple[np.ndarray, Paths]:  # noqa: ANN401
    """Read every channel of the one animation, which share their times."""
    animations = tree.get("animations", [])
    if len(animations) != 1:
        raise FormatError(f"has {len(animations)} animations, and one is read: export one clip")
    samplers = animations[0]["samplers"]
    channels = animations[0]["channels"]
    read = cache(lambda number: _accessor(tree, data, number))
    rows: dict[int, np.ndarray] = {}
    moving: Paths = {}
    for channel in channels:
        sampler, target = samplers[channel["sampler"]], channel["target"]
        if target["path"] not in _ENOUGH:
            continue
        if sampler.get("interpolation", "LINEAR") not in ("LINEAR", "STEP"):
            raise FormatError("is animated with cubic splines: bake the animation to every frame")
        source = sampler["input"]
        rows[source] = read(source).ravel()
        values = read(sampler["output"])
        if values.shape != (len(rows[source]), _ENOUGH[target["path"]]):
            raise FormatError(
                f"has {counted(len(values), 'value')} for {counted(len(rows[source]), 'frame')}"
            )
        moving.setdefault(target["node"], {})[target["path"]] = values
    times = next(iter(rows.values()), np.zeros(0))
    if not len(times) or any(not np.array_equal(times, row) for row in rows.values()):
        raise FormatError("its nodes move at different times: bake the animation to every frame")
    if len(times) > MOST_FRAMES:
        raise FormatError(f"has {len(times):,} frames, more than {MOST_FRAMES:,}: cut the clip")
    steps = np.diff(times)
    if len(steps) and not (steps.min() > 0 and steps.max() < 1.5 * steps.mean() < np.inf):
        raise FormatError("its frames are not evenly spaced: bake the animation to every frame")
    return times, moving


def _accessor(tree: Any, data: bytes, number: int) -> Float[np.ndarray, "count width"]:  # noqa: ANN401
    accessor = tree["accessors"][number]
    view = tree["bufferViews"][accessor["bufferView"]]
    width = _WIDTHS[accessor["type"]]
    if accessor["componentType"] != _FLOAT or view.get("byteStride", 4 * width) != 4 * width:
        raise FormatError("is animated by packed numbers, not by floats: export it as floats")
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    flat = np.frombuffer(data, "<f4", accessor["count"] * width, start)
    with np.errstate(invalid="ignore"):  # a NaN of a kind that the processor complains of
        return flat.reshape(-1, width).astype(np.float64)


def _people(
    nodes: list[Any], moving: Paths, frames: int, size: int
) -> list[tuple[str, Float[np.ndarray, "frame joint 3"]]]:
    """Find the names and joints of all people; ``size`` is that of all the numbers, in bytes."""
    parents = _parents(nodes)
    hips = [n for n, node in enumerate(nodes) if _plain(node.get("name", "")) == "Hips"]
    if len(hips) * frames * _PLACE > size:
        raise FormatError(
            f"has not a place in every frame for {counted(len(hips), 'person', 'people')}"
        )
    return [_person(nodes, parents, moving, frames, root) for root in hips]


def _person(
    nodes: list[Any], parents: list[int], moving: Paths, frames: int, hips: int
) -> tuple[str, Float[np.ndarray, "frame joint 3"]]:
    """Find a person's name and where the 17 joints are, y up; NaN where they are hidden."""
    below = _descendants(nodes, hips)
    named = {_plain(nodes[number].get("name", "")): number for number in reversed(below)}
    at = {node.at: node.name for node in reversed(armature.NODES)} | {"Head": CROWN}
    if missing := [name for name in at.values() if name not in named]:
        raise FormatError(
            f"below {nodes[hips]['name'][:40]!r} there is no node {', '.join(missing)}: it is of "
            "another rig than graphlift's"
        )
    order = [named[at[joint]] for joint in H36M_17.joints]
    places = np.empty((frames, len(order), 3))
    for start in range(0, frames, BLOCK):
        part = slice(start, min(start + BLOCK, frames))
        world: World = {-1: (np.eye(3)[None], np.zeros((1, 3)))}
        for i, number in enumerate(order):
            places[part, i] = _follow(nodes, parents, moving, part, number, world)[1]
        hidden = np.abs(world[hips][0]).max(axis=(1, 2)) <= HIDDEN
        places[part][hidden] = np.nan
    above = parents[hips]
    return (str(nodes[above].get("name", "0")) if above >= 0 else "0"), places


def _follow(
    nodes: list[Any], parents: list[int], moving: Paths, part: slice, number: int, world: World
) -> tuple[np.ndarray, np.ndarray]:
    """Find a node's turn and scale (frame, 3, 3) and its place (frame, 3) in the world."""
    if number not in world:
        matrix, place = _local(nodes[number], moving.get(number, {}), part)
        above, origin = _follow(nodes, parents, moving, part, parents[number], world)
        world[number] = above @ matrix, (above @ place[..., None])[..., 0] + origin
    return world[number]


def _descendants(nodes: list[Any], start: int) -> list[int]:
    found = [start]
    for number in found:
        found += nodes[number].get("children", ())
    return found


def _local(node: Any, moving: dict[str, np.ndarray], part: slice) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    """Compose a node's rotation and scale (frame, 3, 3), and its translation (frame, 3)."""
    from scipy.spatial.transform import Rotation

    if "matrix" in node:
        raise FormatError("a node has a matrix in place of rotation and translation: export again")

    def values(name: str, rest: tuple[float, ...]) -> np.ndarray:
        still = np.array(node.get(name, rest), dtype=np.float64)
        frames = part.stop - part.start
        found = moving[name][part] if name in moving else np.tile(still, (frames, 1))
        if found.shape != (frames, len(rest)) or not np.isfinite(found).all():
            raise FormatError(f"{name} of node {str(node.get('name'))[:40]!r} is damaged")
        return found

    turn = Rotation.from_quat(values("rotation", (0, 0, 0, 1))).as_matrix()
    scale, place = values("scale", (1, 1, 1)), values("translation", (0, 0, 0))
    return turn * scale[:, None, :], place
