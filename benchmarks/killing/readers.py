"""Readers of what commands write, none of them graphlift's.

Each reads a file to its end, or raises, and gives what the file says, without what may differ
from run to run: seconds.
"""

import io
import json
import struct
import zipfile

import numpy as np

TIMES = {"seconds", "poses_per_second", "runs_at_once"}


def timeless(value):
    """Leave out how long something took, at any depth."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in TIMES}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def read_safetensors(data):
    """The header's tensors must fill the file exactly; its digest covers times, so it goes too."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    record = json.loads(header.pop("__metadata__")["graphlift"])
    digest = record.pop("sha256")
    assert len(digest) == 64
    spans = sorted(tensor["data_offsets"] for tensor in header.values())
    ends = [0, *(end for _, end in spans)]
    assert [start for start, _ in spans] == ends[:-1], "tensors do not follow each other"
    assert ends[-1] == len(data) - 8 - size, "another length than its header says"
    return [timeless(record), header, data[8 + size :].hex()]


def read_npz(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: read_array(arrays[name]) for name in sorted(arrays)}


def read_array(array):
    return [str(array.dtype), list(array.shape), array.tobytes().hex()]


def read_npy(data):
    stream = io.BytesIO(data)
    array = np.load(stream, allow_pickle=False)
    assert not stream.read(), "longer than its header says"
    return read_array(array)


def read_json(data):
    return timeless(json.loads(data))


def read_lines(data):
    """A line at the end without a newline may be cut: the next run sets it aside."""
    *lines, rest = data.split(b"\n")
    read = [json.dumps(timeless(json.loads(line)), sort_keys=True) for line in lines]
    return [sorted(read), rest.decode(errors="replace")]


def read_bvh(data):
    head, _, motion = data.decode("ascii").partition("MOTION\n")
    assert head.startswith("HIERARCHY\n")
    assert head.count("{") == head.count("}") > 1
    channels = sum(int(line.split()[1]) for line in head.splitlines() if "CHANNELS" in line)
    frames, step, *rows = motion.splitlines()
    assert step.startswith("Frame Time:")
    assert len(rows) == int(frames.split(":")[1]) > 0
    assert {len([*map(float, row.split())]) for row in rows} == {channels}
    assert motion.endswith("\n")
    return data.decode("ascii")


def read_onnx(data):
    import onnx

    model = onnx.load_from_string(data)
    onnx.checker.check_model(model)
    return data.hex()


def read_empty(data):
    assert not data
    return ""


READERS = {
    ".safetensors": read_safetensors,
    ".npz": read_npz,
    ".npy": read_npy,
    ".json": read_json,
    ".jsonl": read_lines,
    ".bvh": read_bvh,
    ".onnx": read_onnx,
    ".lock": read_empty,
    ".unfinished": read_empty,
}


def read(path):
    """What a file says, as text; raises if it is not whole."""
    suffix = path.name if path.name == ".lock" else path.suffix
    return json.dumps(READERS[suffix](path.read_bytes()), sort_keys=True)
