"""What the add-on reads of our files, and what it refuses: with NumPy, and without Blender."""

import json
import struct
import zipfile
from io import BytesIO

import numpy as np
import pytest
from helpers.readback import moving, standing
from helpers.whole_body import whole_body

from graphlift import write_poses
from graphlift.blender import solving
from graphlift.blender.glb_file import read_glb_motions
from graphlift.blender.motion import MOST_FRAMES, MotionError
from graphlift.blender.npz_file import read_npz_motions
from graphlift.formats import armature
from graphlift.geometry import y_up_to_z_up
from graphlift.sequences import Poses
from graphlift.skeletons import BODY_28, COCO_17, H36M_17

READERS = {".npz": read_npz_motions, ".glb": read_glb_motions}


def read(path, **options):
    return READERS[path.suffix](str(path), **options)


def joints_of(motion):
    """The 17 joints, (frame, joint, 3), by where bones start."""
    at = {node.at: node.name for node in reversed(armature.NODES)} | {"Head": "HeadTop_End"}
    return motion.heads[:, [motion.bones.index(at[joint]) for joint in H36M_17.joints]]


def degrees_apart(first, second):
    """Angles between axes (frame, bone, 3, 3)."""
    cosine = (np.einsum("...ij,...ij", first, second) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def body_28(frames=40):
    """A body with face, feet and fronts, whose segments turn slowly."""
    t = np.arange(frames)[:, None] / 30
    joints, fronts, _ = whole_body(
        frames,
        path=(0.5, -1.0, 0.0),
        Pelvis=0.4 * np.sin(t * [1, 2, 3]),
        Chest=0.3 * np.sin(t * [2, 1, 1]),
        Head=0.5 * np.sin(t * [1, 3, 2]),
        LUpperArm=0.5 * np.sin(t * [3, 1, 2]),
        LForearm=(0.8 + 0.3 * np.sin(t)) * [0.0, 0.0, -1.0],
        RThigh=0.5 * np.sin(t * [2, 1, 1]),
        RShin=(0.9 + 0.3 * np.sin(t)) * [1.0, 0.0, 0.0],
        LFoot=0.2 * np.sin(t * [1, 2, 3]),
    )
    return Poses(
        joints[:, None], BODY_28, axes="world", rooted=False, fps=30.0, fronts=fronts[:, None]
    )


@pytest.mark.parametrize("kind", READERS)
def test_joints_are_those_of_the_poses(tmp_path, kind):
    poses = moving(12, people=("Ada", "Bob"), fps=60 / 1.001)
    write_poses(tmp_path / f"x{kind}", poses)

    people = read(tmp_path / f"x{kind}")

    assert [motion.person for motion in people] == ["Ada", "Bob"]
    for number, motion in enumerate(people):
        np.testing.assert_allclose(joints_of(motion), poses.positions[:, number], atol=2e-6)
        assert motion.fps == pytest.approx(60 / 1.001)
        assert motion.present.all()


def test_camera_axes_are_turned_as_every_format_turns_them(tmp_path):
    for kind in READERS:
        write_poses(tmp_path / f"x{kind}", standing("camera"))

    (npz,), (glb,) = (read(tmp_path / f"x{kind}") for kind in READERS)

    np.testing.assert_allclose(npz.heads, glb.heads, atol=1e-6)
    assert npz.remarks == ("as upright as the camera was: its axes are known, not the floor's",)


@pytest.mark.parametrize("people", ["17 joints", "28 joints and fronts"])
def test_bones_turn_as_in_a_glb(tmp_path, people):
    poses = moving(40, people=("Ada",), fps=30.0) if people == "17 joints" else body_28()
    for kind in READERS:
        write_poses(tmp_path / f"x{kind}", poses)

    (npz,), (glb,) = (read(tmp_path / f"x{kind}") for kind in READERS)

    assert npz.bones == glb.bones
    np.testing.assert_allclose(npz.rest_heads, glb.rest_heads, atol=1e-6)
    np.testing.assert_allclose(npz.rest_axes, glb.rest_axes, atol=1e-6)
    np.testing.assert_allclose(npz.lengths, glb.lengths, atol=1e-6)
    off = dict(zip(npz.bones, degrees_apart(npz.axes, glb.axes).T, strict=True))
    for bone in ("Hips", "Spine2", "Neck", "Head", "LHipJoint", "RightShoulder"):
        assert off[bone].max() < 0.5, bone
    for bone in ("LeftUpLeg", "RightArm", "LeftForeArm", "RightLeg"):
        assert np.median(off[bone]) < 1.5, bone
        along = np.einsum("fi,fi->f", *(m.axes[:, m.bones.index(bone), :, 1] for m in (npz, glb)))
        assert np.degrees(np.arccos(np.clip(along, -1, 1))).max() < 0.1, bone
    if people != "17 joints":
        assert max(off["LeftFoot"].max(), off["RightFoot"].max()) < 0.5


def test_at_rest_a_person_faces_minus_y_with_the_left_at_plus_x(tmp_path):
    write_poses(tmp_path / "x.npz", body_28())

    (motion,) = read(tmp_path / "x.npz")

    at = dict(zip(motion.bones, motion.rest_heads, strict=True))
    assert at["LeftHand"][0] > at["LeftArm"][0] > at["Hips"][0] > at["RightHand"][0]
    assert at["Head"][2] > at["Hips"][2] > at["LeftFoot"][2]
    assert motion.rest_axes[motion.bones.index("LeftFoot"), 1, 1] < -0.5  # toes in front
    np.testing.assert_allclose(np.linalg.det(motion.axes), 1, atol=1e-6)


def test_the_rig_is_that_of_our_files():
    for own, node in zip(solving.BONES, armature.NODES, strict=True):
        tip = node.tip or ""
        assert (own.name, own.parent, own.start, own.tip) == (node.name, node.parent, node.at, tip)
        assert own.rest == node.rest
        hinge, beyond = solving.HINGES.get(own.name, (None, ""))
        assert (hinge or ()) == tuple(node.hinge or ())
        assert beyond == node.bend
    assert H36M_17.joints == solving.SEVENTEEN


def test_frames_without_the_whole_person_are_marked(tmp_path):
    poses = moving(9, people=("Ada", "Bob"))
    poses.positions[2:4, 0] = np.nan
    poses.positions[0, 0, 3] = np.nan
    for kind in READERS:
        write_poses(tmp_path / f"x{kind}", poses)

    for kind in READERS:
        ada, bob = read(tmp_path / f"x{kind}")
        assert np.flatnonzero(~ada.present).tolist() == [0, 2, 3]
        assert bob.present.all()
        assert np.isfinite(ada.heads).all()


def test_other_skeletons_are_sent_by_a_glb(tmp_path):
    poses = Poses(np.random.default_rng(0).normal(size=(3, 1, 17, 3)), COCO_17, fps=30.0)
    write_poses(tmp_path / "x.npz", poses)

    with pytest.raises(MotionError, match=r"x\.npz: .*has no Hip, .*graphlift convert"):
        read(tmp_path / "x.npz")


def members(**changed):
    """The arrays of a good .npz, some of them others; None leaves one out."""
    poses = moving(3, people=("Ada", "Bob"))
    file = BytesIO()
    about = {"format": "graphlift-poses-1", "units": "m", "axes": "world", "fps": 30.0,
             "people": ["Ada", "Bob"], "skeleton": {"joints": list(H36M_17.joints)}}  # fmt: skip
    about |= changed.pop("about_fields", {})
    arrays = {"poses": poses.positions, "about": np.array(json.dumps(about))} | changed
    np.savez(file, allow_pickle=True, **{k: v for k, v in arrays.items() if v is not None})
    return file.getvalue()


def with_header(content, key, old, new):
    """Change the header of an array, of the same length, and put the file together again."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as given, zipfile.ZipFile(out, "w") as made:
        for info in given.infolist():
            data = given.read(info)
            made.writestr(info, data.replace(old, new, 1) if info.filename == key else data)
    return out.getvalue()


BAD_NPZ = {
    "nothing": (b"", "x.npz: is damaged"),
    "text": (b"hello" * 99, "x.npz: is damaged"),
    "cut": (members()[:-300], "x.npz: is damaged"),
    "of keypoints": (members(poses=None, keypoints=np.zeros(3)), "has no arrays poses and about"),
    "objects": (members(poses=np.array([{}, "x"], object)), "poses: is of object, not of plain"),
    "integers": (members(poses=np.zeros((3, 2, 17, 3), int)), "poses: is of int64, not of plain"),
    "two axes": (members(poses=np.zeros((3, 17))), "poses: is float64 of shape (3, 17)"),
    "joints": (members(poses=np.zeros((3, 2, 9, 3))), "is (3, 2, 9, 3), which does not fit"),
    "nobody there": (members(poses=np.full((3, 2, 17, 3), np.nan)), "no frame has the whole body"),
    "no frames": (members(poses=np.zeros((0, 2, 17, 3))), "holds 0 frames of 2 people"),
    "infinite": (members(poses=np.full((3, 2, 17, 3), np.inf)), "poses: a number is infinite"),
    "far": (members(poses=np.full((3, 2, 17, 3), 1e300)), "poses: a number is infinite or larger"),
    "claims more": (with_header(members(), "poses.npy", b"(3, 2, 17, 3)", b"(9, 9, 99, 9)"),
                    "poses: its shape (9, 9, 99, 9) does not fit its bytes"),
    "claims all": (with_header(members(), "poses.npy", b"(3, 2, 17, 3), }   ",
                               b"(9999999999, 99), }"), "poses: has 7,919,999,999,208 bytes"),
    "long about": (members(about=np.array("x" * 1_100_000)), "about: has 4,400,000 bytes"),
    "about of numbers": (members(about=np.zeros(3)), "is float64 of shape (3,), and no text"),
    "about not JSON": (members(about=np.array("{")), "is damaged or of another program"),
    "deep about": (members(about=np.array("[" * 100_000)), "is damaged or of another program"),
    "about a list": (members(about=np.array("[1]")), "about: format is a list of 1, not"),
    "format": (members(about_fields={"format": "x" * 999}), "about: format is xxx"),
    "units": (members(about_fields={"units": "mm"}), "about: axes or units"),
    "no skeleton": (members(about_fields={"skeleton": 3}), "about: skeleton is missing"),
    "numbers for names": (members(about_fields={"people": [1, 2]}), "about: people is no list"),
    "twins": (members(about_fields={"people": ["A", "A"]}), "people: a name is there twice"),
    "fps a text": (members(about_fields={"fps": "30"}), "about: fps is 30, and no number"),
    "fps 0": (members(about_fields={"fps": 0}), "about: fps is 0, and no number of frames"),
    "fps of a googol": (members(about_fields={"fps": 10**100}), "about: fps is a number of too"),
    "fronts": (members(fronts=np.zeros((3, 2, 5, 3))), "fronts: does not fit poses"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_NPZ)
def test_a_bad_npz_is_refused_by_key(tmp_path, case):
    content, words = BAD_NPZ[case]
    (tmp_path / "x.npz").write_bytes(content)

    with pytest.raises(MotionError) as refused:
        read(tmp_path / "x.npz")

    said = str(refused.value)
    assert said.startswith("x.npz: ")
    assert words in said
    assert len(said) < 400
    assert said.isprintable()


def test_what_is_too_long_names_the_way_out(tmp_path):
    frames = MOST_FRAMES // 2 + 1
    (tmp_path / "x.npz").write_bytes(members(poses=np.zeros((frames, 2, 17, 3), np.float16)))

    with pytest.raises(MotionError, match=r"name one person .* or cut the clip"):
        read(tmp_path / "x.npz")


def glb_parts(path):
    content = path.read_bytes()
    (size,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def write_parts(path, tree, data):
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(data))
    chunk = struct.pack("<I4s", len(text), b"JSON") + text
    path.write_bytes(head + chunk + struct.pack("<I4s", len(data), b"BIN\0") + data)


def change(*keys, to):
    """What sets one entry of the tree."""

    def apply(tree, data):
        *path, last = keys
        for key in path:
            tree = tree[key]
        tree[last] = to
        return data

    return apply


def numbers(value):
    """What writes a float over all the numbers."""
    return lambda _, data: struct.pack("<f", value) * (len(data) // 4)


BAD_GLB = {
    "no nodes": (change("nodes", to=5), "x.glb: has no nodes"),
    "no people": (change("nodes", 1, "name", to="Pelvis"), "none is called Hips"),
    "a ring": (change("nodes", 5, "children", to=[1]), "hangs on two nodes"),
    "a loop": (lambda tree, data: [tree["nodes"][0].update(children=[]),
                                   tree["nodes"][22].update(children=[0])] and data, "x.glb: "),
    "a child that is none": (change("nodes", 3, "children", to=[10**9]), "hangs on two nodes"),
    "another rig": (change("nodes", 4, "name", to="Chest"), "is not the rig that graphlift"),
    "a matrix": (change("nodes", 4, "matrix", to=[1] * 16), "has a matrix or a scale"),
    "a text for a place": (change("nodes", 4, "translation", to="abc"), "is damaged"),
    "a place too far": (change("nodes", 4, "translation", to=[1e300, 0, 0]), "translation of"),
    "two animations": (lambda tree, data: tree["animations"].append({}) or data, "there are 2"),
    "splines": (change("animations", 0, "samplers", 0, "interpolation", to="CUBICSPLINE"),
                "are of splines"),
    "numbers that are none": (numbers(np.nan), "has a number that is infinite, none"),
    "zeros": (numbers(0.0), "frames are not evenly spaced"),
    "all alike": (numbers(1.5), "frames are not evenly spaced"),
    "many": (change("accessors", 0, "count", to=10**15), "does not fit the bytes"),
    "a negative count": (change("accessors", 0, "count", to=-1), "does not fit the bytes"),
    "before the file": (change("bufferViews", 0, "byteOffset", to=-8), "does not fit the bytes"),
    "packed": (change("accessors", 0, "componentType", to=5121), "is of packed numbers"),
    "no accessors": (change("accessors", to={}), "is damaged or of another program"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_GLB)
def test_a_bad_glb_is_refused_by_place(tmp_path, case):
    apply, words = BAD_GLB[case]
    path = tmp_path / "x.glb"
    write_poses(path, moving(5, people=("Ada",)))
    tree, data = glb_parts(path)
    data = apply(tree, data)
    write_parts(path, tree, data)

    with pytest.raises(MotionError) as refused:
        read(path)

    said = str(refused.value)
    assert said.startswith("x.glb: ")
    assert words in said
    assert len(said) < 400


@pytest.mark.parametrize("kind", READERS)
def test_bytes_changed_at_random_are_read_or_refused(tmp_path, kind, rng):
    path = tmp_path / f"x{kind}"
    write_poses(path, moving(4, people=("Ada",)))
    whole = path.read_bytes()
    refused = []

    for _ in range(150):
        content = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            content[at] = rng.integers(256)
        for at in rng.integers(0, min(3000, len(whole)), 2):
            content[at] = rng.integers(256)
        path.write_bytes(content[: rng.integers(len(whole) // 2, 3 * len(whole))])
        try:
            for motion in read(path):
                assert np.isfinite(motion.heads).all()
                assert np.isfinite(motion.axes).all()
        except MotionError as error:
            refused.append(str(error))

    assert len(refused) > 20
    assert {said[:7] for said in refused} == {f"x{kind}: "}


def test_world_axes_are_blenders(tmp_path):
    """z up stays z up; a GLB's y up is turned as our own reader does."""
    poses = standing()
    write_poses(tmp_path / "x.glb", poses)

    (motion,) = read(tmp_path / "x.glb")

    y_up = np.stack(
        [poses.positions[..., 0], poses.positions[..., 2], -poses.positions[..., 1]], -1
    )
    np.testing.assert_allclose(joints_of(motion), y_up_to_z_up(y_up)[:, 0], atol=1e-6)
