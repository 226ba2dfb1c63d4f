"""graphlift's own .glb: the bones of each person and where they are in each frame.

Other programs' GLB are left to Blender's own importer. Source: Khronos, "glTF 2.0 Specification",
2021, and graphlift's docs/formats-out.md.
"""

import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from graphlift.blender.motion import (
    CROWN,
    FARTHEST,
    FPS_ASSUMED,
    HUB_LENGTH,
    LARGEST_FILE,
    Z_UP,
    Motion,
    MotionError,
    bone_lengths,
    brief,
    check_fps,
    check_frames,
    chosen,
    counted,
    matrices_of,
    reading,
)
from graphlift.blender.solving import RIG, RIG_PARENTS

LONGEST_JSON = 32_000_000
"""Bytes of the description; a person takes some 10 KB."""
MOST_NODES = 10_000

_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
_CHANNELS = {"translation": (0.0, 0.0, 0.0), "rotation": (0.0, 0.0, 0.0, 1.0), "scale": (1.0,) * 3}
_FLOAT = 5126

Values = Callable[[int, str], np.ndarray]
"""From a node and a channel to its values: (frame, width), or (1, width) if it does not move."""


def read_glb_motions(path: str, person: str = "") -> list[Motion]:
    """Read people from a GLB that graphlift wrote.

    Args:
        path: The file.
        person: Read only the one of this name.

    Raises:
        MotionError: Naming the file, the place in it and what is wrong.
        OSError: If the file cannot be opened.
    """
    file = Path(path).name
    with reading(file):
        tree, data = _chunks(path, file)
        nodes = tree["nodes"]
        above = _parents(nodes, file)
        tops = [above[n] for n, node in enumerate(nodes) if _called(node) == "Hips"]
        tops = [top for top in tops if top >= 0]
        if not tops:
            raise MotionError(
                f"{file}: nodes: none is called Hips below one that names a person: use Blender's "
                "own File > Import > glTF for what graphlift did not write"
            )
        times, values = _animation(tree, data, file)
        people = [_called(nodes[top]) for top in tops]
        who = chosen(people, person, file)
        check_frames(len(times), len(who), file)
        fps, remarks = _rate(times, file)
        return [
            _glb_person(file, nodes, above, tops[at], values, len(times), fps, remarks)
            for at in who
        ]


def _called(node: Any) -> str:  # noqa: ANN401
    """The name of a node, as text."""
    return str(node.get("name", ""))[:200]


def _chunks(path: str, file: str) -> tuple[Any, bytes]:
    """Take the file apart: its description and the numbers behind it."""
    size = Path(path).stat().st_size
    if size > LARGEST_FILE:
        raise MotionError(f"{file}: has {size:,} bytes, more than {LARGEST_FILE:,}: cut the clip")
    content = Path(path).read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    if magic != b"glTF" or version != 2 or length != len(content):
        raise MotionError(f"{file}: is no GLB of version 2, or is cut short: write it again")
    size, kind = struct.unpack_from("<I4s", content, 12)
    if kind != b"JSON" or size > LONGEST_JSON:
        raise MotionError(f"{file}: its first chunk is no JSON, or longer than {LONGEST_JSON:,}")
    tree = json.loads(content[20 : 20 + size], parse_constant=_no_number)
    if not isinstance(tree, dict) or not isinstance(tree.get("nodes"), list):
        raise MotionError(f"{file}: has no nodes")
    if len(tree["nodes"]) > MOST_NODES:
        raise MotionError(f"{file}: nodes: are more than {MOST_NODES:,}")
    return tree, content[28 + size :]


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _parents(nodes: list[Any], file: str) -> list[int]:
    """Find each node's parent, -1 for none."""
    above = [-1] * len(nodes)
    for number, node in enumerate(nodes):
        for child in node.get("children", ()):
            if not 0 <= child < len(nodes) or above[child] >= 0 or child == number:
                raise MotionError(f"{file}: nodes: {brief(child)} hangs on two nodes, or on none")
            above[child] = number
    return above


def _animation(tree: Any, data: bytes, file: str) -> tuple[np.ndarray, Values]:  # noqa: ANN401
    """Read the times, s, and give what reads a channel of a node."""
    animations = tree.get("animations", [])
    if len(animations) != 1:
        raise MotionError(f"{file}: animations: there are {len(animations)}, and one is read")
    samplers, nodes = animations[0]["samplers"], tree["nodes"]
    moving, times = {}, set()
    for channel in animations[0]["channels"]:
        sampler, target = samplers[channel["sampler"]], channel["target"]
        if sampler.get("interpolation", "LINEAR") not in ("LINEAR", "STEP"):
            raise MotionError(f"{file}: animations: are of splines: bake them to every frame")
        moving[target["node"], target["path"]] = sampler["output"]
        times.add(sampler["input"])
    if len(times) != 1:
        raise MotionError(f"{file}: animations: nodes move at {len(times)} rows of times, not one")
    row = _accessor(tree, data, times.pop(), file, 1)[:, 0]

    @cache
    def values(node: int, channel: str) -> np.ndarray:
        still = _CHANNELS[channel]
        if (node, channel) in moving:
            read = _accessor(tree, data, moving[node, channel], file, len(still))
            if len(read) != len(row):
                raise MotionError(
                    f"{file}: animations: {counted(len(read), 'value')} for "
                    f"{counted(len(row), 'frame')}"
                )
            return read
        return _resting(nodes, node, channel, file)

    return row, values


def _resting(nodes: list[Any], node: int, channel: str, file: str) -> np.ndarray:
    """The value of a channel at rest, (1, width)."""
    value = np.array(nodes[node].get(channel, _CHANNELS[channel]), dtype=float)[None]
    if value.shape != (1, len(_CHANNELS[channel])) or not (np.abs(value) <= FARTHEST).all():
        raise MotionError(f"{file}: nodes: {channel} of {brief(_called(nodes[node]))} is damaged")
    return value


def _accessor(tree: Any, data: bytes, number: int, file: str, width: int) -> np.ndarray:  # noqa: ANN401
    """Read rows of numbers, each of this width."""
    accessor = tree["accessors"][number]
    view = tree["bufferViews"][accessor["bufferView"]]
    if accessor["componentType"] != _FLOAT or "sparse" in accessor or view.get("byteStride"):
        raise MotionError(
            f"{file}: accessors: {brief(number)} is of packed numbers, not of floats"
        )
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    count = accessor["count"]
    size = 4 * width * count
    if _WIDTHS[accessor["type"]] != width or not (start >= 0 and 0 < size <= len(data) - start):
        raise MotionError(f"{file}: accessors: {brief(number)} does not fit the bytes of the file")
    rows = np.frombuffer(data, "<f4", width * count, start).reshape(count, width)
    with np.errstate(invalid="ignore"):  # NaN of a kind that the processor complains of
        if not (np.abs(rows) <= FARTHEST).all():
            raise MotionError(
                f"{file}: accessors: {brief(number)} has a number that is infinite, none, or "
                f"larger than {FARTHEST:g}"
            )
    return rows.astype(float)


def _rate(times: np.ndarray, file: str) -> tuple[float, tuple[str, ...]]:
    """Find the frame rate, a whole number or NTSC's if it is as near as 32-bit times are."""
    if len(times) < 2:
        return FPS_ASSUMED, (f"a single frame has no rate: {FPS_ASSUMED:g} fps assumed",)
    steps = np.diff(times)
    if not (steps.min() > 0 and steps.max() < 1.5 * steps.mean()):
        raise MotionError(f"{file}: animations: frames are not evenly spaced in time")
    fps = float((len(times) - 1) / (times[-1] - times[0]))
    for usual in (float(round(fps)), round(fps * 1.001) / 1.001):
        if abs(fps - usual) <= 1e-5 * fps:
            fps = usual
            break
    return check_fps(fps, f"{file}: animations: the frame rate") or FPS_ASSUMED, ()


def _glb_person(
    file: str,
    nodes: list[Any],
    above: list[int],
    top: int,
    values: Values,
    frames: int,
    fps: float,
    remarks: tuple[str, ...],
) -> Motion:
    """Chain the nodes of a person, at rest and in each frame."""
    name, named = _called(nodes[top]), _below(nodes, top)
    numbers = _rig_nodes(file, nodes, above, top, named)

    def at_rest(node: int, channel: str) -> np.ndarray:
        return _resting(nodes, node, channel, file)

    rest_heads, rest_axes = _chained(numbers, at_rest, 1)
    heads, axes = _chained(numbers, values, frames)
    rest_heads, rest_axes = rest_heads[0], rest_axes[0]
    tips, on = [*rest_heads], [*RIG_PARENTS]
    for bone, node in named.items():
        if bone.endswith("_End") and bone != CROWN and above[node] in numbers:
            on.append(numbers.index(above[node]))
            tips.append(rest_heads[on[-1]] + rest_axes[on[-1]] @ at_rest(node, "translation")[0])
    lengths = bone_lengths(np.array(tips), rest_axes, on, len(RIG))
    lengths[-1] = min(lengths[RIG_PARENTS[-1]] / 4, HUB_LENGTH)
    present = np.broadcast_to(np.abs(values(top, "scale")).max(axis=-1) > 1e-6, frames)
    if not present.any():
        raise MotionError(f"{file}: animations: {brief(name, 40)} is hidden in every frame")
    return Motion(
        name, fps, RIG, RIG_PARENTS, rest_heads @ Z_UP.T, Z_UP @ rest_axes, lengths,
        heads @ Z_UP.T, Z_UP @ axes, np.array(present), remarks,
    )  # fmt: skip


def _rig_nodes(
    file: str, nodes: list[Any], above: list[int], top: int, named: dict[str, int]
) -> list[int]:
    """Find the nodes of our rig, which must hang on each other as its bones do."""
    name = _called(nodes[top])
    numbers = [named.get(bone, -1) for bone in RIG]
    hangs = [top if parent < 0 else numbers[parent] for parent in RIG_PARENTS]
    plain = not ({"translation", "rotation", "matrix"} & set(nodes[top])) and above[top] < 0
    if -1 in numbers or hangs != [above[n] for n in numbers] or not plain:
        raise MotionError(
            f"{file}: nodes: what is below {brief(name, 40)} is not the rig that graphlift "
            "writes: use Blender's own File > Import > glTF for others"
        )
    if moved := [n for n in numbers if {"matrix", "scale"} & set(nodes[n])]:
        raise MotionError(
            f"{file}: nodes: {brief(_called(nodes[moved[0]]))} has a matrix or a scale"
        )
    return numbers


def _below(nodes: list[Any], top: int) -> dict[str, int]:
    """Name what hangs on a node, each name once."""
    named: dict[str, int] = {}
    queue = list(nodes[top].get("children", ()))
    for node in queue:
        if len(queue) > len(nodes):
            raise ValueError("nodes hang on each other in a ring")
        named.setdefault(_called(nodes[node]), node)
        queue += nodes[node].get("children", ())
    return named


def _chained(numbers: list[int], values: Values, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Add turns and places up from the root: (frame, bone, 3) and (frame, bone, 3, 3)."""
    heads, axes = np.empty((frames, len(numbers), 3)), np.empty((frames, len(numbers), 3, 3))
    for i, (node, above) in enumerate(zip(numbers, RIG_PARENTS, strict=True)):
        turns, place = values(node, "rotation"), values(node, "translation")
        if not (np.abs(np.linalg.norm(turns, axis=-1) - 1) < 0.1).all():
            raise ValueError(f"rotations of {RIG[i]} are no unit quaternions")
        local = matrices_of(turns)
        if above < 0:
            axes[:, i], heads[:, i] = local, place
        else:
            axes[:, i] = axes[:, above] @ local
            heads[:, i] = heads[:, above] + (axes[:, above] @ place[..., None])[..., 0]
    return heads, axes
