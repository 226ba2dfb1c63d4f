"""People to write, and what independent libraries read back: joint name -> positions in metres.

Every reader returns, for each person, the joints under Human3.6M's names, and the file's up axis.
"""

import json
import struct

import numpy as np

from graphlift.cameras import Camera, look_at, world_to_camera
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17

# One who stands at (1, 2) and faces +x, so that the left is +y; z up. The nose is in front, the
# left arm is raised, the right foot is lifted behind.
STANDING = {
    "Hip": (1.0, 2.0, 0.92),
    "RHip": (1.0, 1.9, 0.92),
    "RKnee": (1.0, 1.9, 0.5),
    "RFoot": (0.7, 1.9, 0.5),
    "LHip": (1.0, 2.1, 0.92),
    "LKnee": (1.0, 2.1, 0.5),
    "LFoot": (1.0, 2.1, 0.08),
    "Spine": (1.0, 2.0, 1.14),
    "Thorax": (1.0, 2.0, 1.38),
    "Neck/Nose": (1.1, 2.0, 1.5),
    "Head": (1.0, 2.0, 1.62),
    "LShoulder": (1.0, 2.18, 1.38),
    "LElbow": (1.0, 2.18, 1.66),
    "LWrist": (1.0, 2.18, 1.9),
    "RShoulder": (1.0, 1.82, 1.38),
    "RElbow": (1.0, 1.82, 1.1),
    "RWrist": (1.0, 1.82, 0.86),
}
T_POSE = {
    "Hip": (0, 0.92, 0),
    "LHip": (0.1, 0.92, 0),
    "LKnee": (0.1, 0.5, 0),
    "LFoot": (0.1, 0.08, 0),
    "RHip": (-0.1, 0.92, 0),
    "RKnee": (-0.1, 0.5, 0),
    "RFoot": (-0.1, 0.08, 0),
    "Spine": (0, 1.14, 0),
    "Thorax": (0, 1.38, 0),
    "Neck/Nose": (0, 1.58, 0),
    "Head": (0, 1.68, 0),
    "LShoulder": (0.18, 1.38, 0),
    "LElbow": (0.46, 1.38, 0),
    "LWrist": (0.7, 1.38, 0),
    "RShoulder": (-0.18, 1.38, 0),
    "RElbow": (-0.46, 1.38, 0),
    "RWrist": (-0.7, 1.38, 0),
}
CAMERA = Camera(
    focal=(1000.0, 1001.5),
    centre=(500.0, 499.0),
    size=(1000, 998),
    R=look_at(np.array([6.0, 1.0, 1.3]), np.array([1.0, 2.0, 1.3])),
    position=np.array([6.0, 1.0, 1.3]),
    radial=(0.1, -0.2, 1 / 3),
)
NAMES = {
    "Hips": "Hip",
    "RightUpLeg": "RHip",
    "RightLeg": "RKnee",
    "RightFoot": "RFoot",
    "LeftUpLeg": "LHip",
    "LeftLeg": "LKnee",
    "LeftFoot": "LFoot",
    "Spine1": "Spine",
    "Spine2": "Thorax",
    "Head": "Neck/Nose",
    "LeftArm": "LShoulder",
    "LeftForeArm": "LElbow",
    "LeftHand": "LWrist",
    "RightArm": "RShoulder",
    "RightForeArm": "RElbow",
    "RightHand": "RWrist",
}
"""Names in BVH and GLB; the end of the head is the 17th."""


def t_pose(**moved):
    """The T-pose, y up and facing +z, with some joints elsewhere."""
    return np.array([[(T_POSE | moved)[joint] for joint in H36M_17.joints]], dtype=float)


def standing(axes="world", frames=2):
    """One person, who does not move."""
    positions = np.array([STANDING[joint] for joint in H36M_17.joints])
    if axes == "camera":
        positions = world_to_camera(positions, CAMERA)
    positions = np.tile(positions, (frames, 1, 1, 1))
    return Poses(positions, H36M_17, axes=axes, rooted=False, fps=25.0, people=("Ada",))


def moving(frames=60, people=("0",), **fields):
    """People of the embedded prior, with bones of constant length: world axes, poses unrelated."""
    clips = sample_prior("train", people=len(people), poses=frames * 2 * len(people), seed=3).clips
    own = {}
    for clip in clips:
        own.setdefault(clip.subject, []).append(clip.positions)
    positions = np.stack([np.concatenate(own[s])[:frames] for s in sorted(own)], axis=1)
    assert positions.shape[:2] == (frames, len(people))
    given = {"axes": "world", "rooted": False, "fps": 30.0, **fields}
    return Poses(positions.astype(float), H36M_17, people=people, **given)


def bvh(path):
    import pybvh

    file = pybvh.read_bvh_file(path, world_up="+y")
    places = file.node_positions() / 100
    found = {NAMES[n]: places[:, i] for n, i in file.node_index.items() if n in NAMES}
    found["Head"] = places[:, file.node_index["EndSiteHead"]]
    return [found], (0, 1, 0)


def c3d(path):
    import ezc3d

    file = ezc3d.c3d(str(path))
    point = file["parameters"]["POINT"]
    assert point["UNITS"]["value"] == ["mm"]
    assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Z"])
    people = {}
    for i, label in enumerate(point["LABELS"]["value"]):
        person, _, joint = label.rpartition(":")
        people.setdefault(person, {})[joint] = file["data"]["points"][:3, i].T / 1000
    return list(people.values()), (0, 0, 1)


def trc(path):
    """Read as OpenSim's documentation describes the format."""
    lines = path.read_text().split("\n")
    assert lines[0].split("\t") == ["PathFileType", "4", "(X/Y/Z)", path.name]
    head = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    assert head["Units"] == "mm"
    columns = lines[3].split("\t")
    assert columns[:2] == ["Frame#", "Time"]
    labels = columns[2::3]
    assert not any(columns[3::3] + columns[4::3])
    assert lines[4].split("\t")[2:] == [f"{a}{i + 1}" for i in range(len(labels)) for a in "XYZ"]
    assert lines[5] == ""
    rows = [line.split("\t") for line in lines[6:-1]]
    assert len(rows) == int(head["NumFrames"])
    assert len(labels) == int(head["NumMarkers"])
    for i, row in enumerate(rows):
        assert int(row[0]) == i + 1
        np.testing.assert_allclose(float(row[1]), i / float(head["DataRate"]), atol=1e-6)
    numbers = [[float(field or "nan") for field in row[2:]] for row in rows]
    places = np.array(numbers).reshape(len(rows), len(labels), 3) / 1000
    labels = ["Neck/Nose" if label == "Neck_Nose" else label for label in labels]
    return [{label: places[:, i] for i, label in enumerate(labels)}], (0, 1, 0)


def gltf(path):
    """Take a GLB apart: its JSON, and its accessors as arrays."""
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    size, kind = struct.unpack_from("<I4s", content, 12)
    assert kind == b"JSON"
    tree = json.loads(content[20 : 20 + size])
    rest, kind = struct.unpack_from("<I4s", content, 20 + size)
    assert kind == b"BIN\0"
    data = content[28 + size :]
    assert len(data) == rest == tree["buffers"][0]["byteLength"]
    arrays = []
    for accessor in tree["accessors"]:
        view = tree["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor["type"]]
        kind = {5121: "u1", 5123: "<u2", 5126: "<f4"}[accessor["componentType"]]
        flat = np.frombuffer(data, kind, accessor["count"] * width, view["byteOffset"])
        assert flat.nbytes == view["byteLength"]
        assert view["byteOffset"] % 4 == 0
        flat = flat / 255 if accessor.get("normalized") else flat.astype(float)
        arrays.append(flat.reshape(-1, width))
    return tree, arrays


def matrix(node):
    """Compose a node's 4x4: translation, then rotation (x, y, z, w), then scale."""
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    whole = np.eye(4)
    whole[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)))
    whole[:3, 3] = node.get("translation", (0, 0, 0))
    return whole


def posed(tree, arrays, frame):
    """Copy the nodes as the animation sets them at a frame."""
    nodes = [dict(node) for node in tree["nodes"]]
    (animation,) = tree["animations"]
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        target = channel["target"]
        assert len(arrays[sampler["input"]]) == len(arrays[sampler["output"]])
        nodes[target["node"]][target["path"]] = arrays[sampler["output"]][frame]
    return nodes


def glb(path):
    tree, arrays = gltf(path)
    frames = len(arrays[0])
    tops = [root for root in tree["scenes"][0]["nodes"] if "skin" not in tree["nodes"][root]]
    people = [{} for _ in tops]
    for frame in range(frames):
        nodes = posed(tree, arrays, frame)

        def visit(number, above, person, nodes=nodes):
            node = nodes[number]
            here = above @ matrix(node)
            name = "Head" if node["name"] == "HeadTop_End" else NAMES.get(node["name"])
            if name:
                person.setdefault(name, []).append(here[:3, 3])
            for child in node.get("children", ()):
                visit(child, here, person)

        for person, root in zip(people, tops, strict=True):
            nodes[root].pop("scale", None)  # hidden or not, there is a pose
            visit(root, np.eye(4), person)
    return [{name: np.array(v) for name, v in person.items()} for person in people], (0, 1, 0)


def npz(path):
    with np.load(path, allow_pickle=False) as file:
        about, positions = json.loads(str(file["about"])), file["poses"]
    return by_joint(positions, about["skeleton"]["joints"]), up(about["axes"])


def json_(path):
    file = json.loads(path.read_text())
    assert file["units"] == "m"
    nothing = [np.nan] * 3
    positions = [
        [[place or nothing for place in person["positions"]] for person in frame["people"]]
        for frame in file["frames"]
    ]
    return by_joint(np.array(positions), file["skeleton"]["joints"]), up(file["axes"]["name"])


def table(frame):
    (axes,) = set(frame["axes"])
    people = []
    for person in dict.fromkeys(frame["person"]):
        own = frame[frame["person"] == person]
        people.append(
            {
                joint: own[own["joint"] == joint].sort_values("frame")[["x_m", "y_m", "z_m"]]
                for joint in dict.fromkeys(own["joint"])
            }
        )
    found = [{joint: t.to_numpy(float) for joint, t in person.items()} for person in people]
    return found, up(axes)


def csv(path):
    import pandas as pd

    return table(pd.read_csv(path, dtype={"person": str}))


def parquet(path):
    import pandas as pd

    return table(pd.read_parquet(path))


def by_joint(positions, joints):
    return [
        {joint: positions[:, p, i] for i, joint in enumerate(joints)}
        for p in range(positions.shape[1])
    ]


def up(axes):
    return {"world": (0, 0, 1), "camera": (0, -1, 0)}[axes]


OUTSIDE_READERS = {
    "bvh": bvh,
    "glb": glb,
    "c3d": c3d,
    "trc": trc,
    "npz": npz,
    "json": json_,
    "csv": csv,
    "parquet": parquet,
}
