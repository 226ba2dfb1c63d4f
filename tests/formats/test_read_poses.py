"""Poses from every kind of file that we write, from others' files, and from broken ones."""

import re
from dataclasses import replace

import ezc3d
import numpy as np
import pytest
from helpers.readback import CAMERA, STANDING, moving, standing
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import DatasetNotFoundError, FormatError, GraphliftError
from graphlift.formats import read_poses, write_poses
from graphlift.formats.motion_files import POSE_READERS, holds_poses
from graphlift.sequences import Poses
from graphlift.skeletons import BODY_28, COCO_17, H36M_17, HALPE_26, MEDIAPIPE_33

PRECISION = {
    ".npz": 0.0,
    ".parquet": 0.0,
    ".json": 5.1e-7,  # six decimals of a metre
    ".csv": 5.1e-7,
    ".trc": 5.1e-9,  # five decimals of a millimetre
    ".bvh": 1e-6,  # six decimals of a degree, along a chain of bones
    ".glb": 2e-6,  # 32-bit floats, along a chain of bones
    ".c3d": 1e-6,  # 32-bit floats, up to some metres in mm
}
MARKERS = (".c3d", ".trc", ".csv", ".json", ".parquet", ".npz")
"""Kinds that hold joints one by one, and of any skeleton."""


@pytest.mark.parametrize("suffix", POSE_READERS)
@pytest.mark.parametrize("people", [("0",), ("Ada", "Bob_2")])
@pytest.mark.parametrize("fps", [50.0, 30000 / 1001])
def test_what_was_written_is_read(tmp_path, suffix, people, fps):
    poses = moving(40, people=people, fps=fps)

    write_poses(tmp_path / f"walk{suffix}", poses)
    back = read_poses(tmp_path / f"walk{suffix}")

    np.testing.assert_allclose(back.positions, poses.positions, rtol=0, atol=PRECISION[suffix])
    assert back.fps == pytest.approx(fps, rel=1e-7)
    assert (back.people, back.skeleton.joints) == (people, H36M_17.joints)
    assert (back.axes, back.rooted) == ("world", False)
    assert back.seen.all()


def test_precision_is_told_for_every_kind():
    assert set(PRECISION) == set(POSE_READERS)


@pytest.mark.parametrize("suffix", MARKERS)
@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26, MEDIAPIPE_33, BODY_28])
def test_any_skeleton_and_missing_joints_come_back(tmp_path, rng, suffix, skeleton):
    positions = rng.normal(size=(7, 2, len(skeleton), 3))
    positions[2, 1], positions[3, 0, 4] = np.nan, np.nan
    poses = Poses(positions, skeleton, axes="world", rooted=False, fps=25.0, people=("a", "b"))

    write_poses(tmp_path / f"x{suffix}", poses)
    back = read_poses(tmp_path / f"x{suffix}")

    np.testing.assert_allclose(back.positions, positions, rtol=0, atol=PRECISION[suffix])
    assert back.skeleton.joints == skeleton.joints
    np.testing.assert_array_equal(back.seen, poses.seen)


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_what_a_kind_holds_beside_positions_comes_back(tmp_path, rng, suffix):
    poses = replace(
        moving(9),
        seen=rng.random((9, 1, 17)) < 0.5,
        sigma=rng.random((9, 1, 17)).round(6),
        camera=replace(CAMERA, distortion="opencv", tangential=(0.001, -0.002)),
        model="open-pre-agg",
        notes=("Assumed: nothing.",),
        fps=None,
    )

    write_poses(tmp_path / f"x{suffix}", poses)
    back = read_poses(tmp_path / f"x{suffix}")

    np.testing.assert_array_equal(back.seen, poses.seen)
    np.testing.assert_array_equal(back.sigma, poses.sigma)
    assert (back.model, back.notes, back.fps) == (poses.model, poses.notes, None)
    for name in ("focal", "centre", "size", "radial", "tangential", "distortion"):
        assert getattr(back.camera, name) == getattr(poses.camera, name)
    np.testing.assert_array_equal(back.camera.R, CAMERA.R)
    np.testing.assert_array_equal(back.camera.position, CAMERA.position)


@pytest.mark.parametrize("suffix", [".npz", ".json", ".csv", ".parquet"])
def test_axes_stay_where_a_kind_names_them(tmp_path, suffix):
    poses = standing("camera")
    poses = replace(poses, positions=poses.positions - poses.positions[:, :, :1], rooted=True)

    write_poses(tmp_path / f"x{suffix}", poses)
    back = read_poses(tmp_path / f"x{suffix}")

    np.testing.assert_allclose(back.positions, poses.positions, atol=PRECISION[suffix])
    assert (back.axes, back.rooted) == ("camera", True)


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".c3d", ".trc"])
def test_who_stood_before_a_level_camera_stands_in_the_world(tmp_path, suffix):
    write_poses(tmp_path / f"x{suffix}", standing("camera"))

    back = read_poses(tmp_path / f"x{suffix}").positions[0, 0]

    # Up is up, and left stays left: seen from above, the turn from the right hip over the nose to
    # the left hip is the one of the person who was written.
    height = np.array([STANDING[joint][2] for joint in H36M_17.joints])
    np.testing.assert_allclose(back[:, 2] - back[0, 2], height - height[0], atol=2e-6)
    (left, right), nose = back[list(H36M_17.index("LHip", "RHip"))], back[9]
    across, ahead = left - right, nose - back[0]
    assert across[0] * ahead[1] - across[1] * ahead[0] < 0


def test_frames_in_which_a_glb_hides_somebody_are_without_them(tmp_path):
    poses = moving(12, people=("a", "b"))
    poses.positions[3:5, 1] = np.nan

    write_poses(tmp_path / "x.glb", poses)

    np.testing.assert_allclose(
        read_poses(tmp_path / "x.glb").positions, poses.positions, atol=PRECISION[".glb"]
    )


def test_bones_that_stretch_are_exact_in_a_glb_and_near_in_a_bvh(tmp_path, rng):
    poses = moving(12)
    poses = replace(poses, positions=poses.positions + rng.normal(0, 0.01, (12, 1, 17, 3)))

    for suffix, atol in ((".glb", 2e-6), (".bvh", 0.12)):
        write_poses(tmp_path / f"x{suffix}", poses)
        back = read_poses(tmp_path / f"x{suffix}").positions
        np.testing.assert_allclose(back, poses.positions, atol=atol)


def test_a_chain_of_all_kinds_ends_where_it_began(tmp_path):
    poses = read = moving(20, people=("Ada", "Bob"), fps=60.0)

    for suffix in POSE_READERS:
        write_poses(tmp_path / f"x{suffix}", read)
        read = read_poses(tmp_path / f"x{suffix}")

    np.testing.assert_allclose(read.positions, poses.positions, rtol=0, atol=1e-5)
    assert (read.fps, read.people) == (60.0, ("Ada", "Bob"))


def test_a_long_c3d_is_read_to_its_end(tmp_path):
    positions = np.zeros((70_000, 1, 17, 3))
    positions[:, 0, 3, 0] = np.arange(70_000) / 1000
    poses = Poses(positions, H36M_17, axes="world", rooted=False, fps=100.0)

    write_poses(tmp_path / "x.c3d", poses)
    back = read_poses(tmp_path / "x.c3d")

    np.testing.assert_allclose(back.positions, positions, atol=1e-5)


# Others' files


@pytest.mark.parametrize(("unit", "metres"), [("mm", 0.001), ("m", 1.0)])
@pytest.mark.parametrize("up", ["+Y", "+Z"])
def test_a_c3d_of_another_program_is_read(tmp_path, unit, metres, up):
    names = [
        "LShoulder",
        "RShoulder",
        "LElbow",
        "RElbow",
        "LHip",
        "RHip",
        "LKnee",
        "RKnee",
        "LASI",
    ]
    z_up = np.random.default_rng(1).uniform(-1, 1, (5, len(names), 3))
    turned = z_up if up == "+Z" else np.stack([z_up[..., 0], z_up[..., 2], -z_up[..., 1]], -1)
    file = ezc3d.c3d()
    point = file["parameters"]["POINT"]
    point["RATE"]["value"], point["UNITS"]["value"] = [120.0], [unit]
    point["LABELS"]["value"] = [f"Kim:{name}" for name in names]
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", [up])
    file["parameters"]["ANALOG"]["RATE"]["value"] = [240.0]
    file["parameters"]["ANALOG"]["LABELS"]["value"] = ["force"]
    file["data"]["analogs"] = np.zeros((1, 1, 10))
    data = np.ones((4, len(names), 5))
    data[:3] = turned.transpose(2, 1, 0) / metres
    data[:, 2, 3] = np.nan
    file["data"]["points"] = data
    file.write(str(tmp_path / "x.c3d"))

    back = read_poses(tmp_path / "x.c3d")

    assert (back.fps, back.people, len(back)) == (120.0, ("Kim",), 5)
    assert any("LASI" in note for note in back.notes)
    for place, name in enumerate(names[:-1]):
        (joint,) = back.skeleton.index(name)
        expected = z_up[:, place].copy()
        expected[3] = np.nan if place == 2 else expected[3]
        np.testing.assert_allclose(back.positions[:, 0, joint], expected, atol=1e-6)


def test_a_trc_of_halpes_markers_in_metres_is_read(tmp_path):
    # As Pose2Sim triangulates: metres, its own order, no empty line below the header.
    names = ["Hip", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "Neck", "Head", "Nose",
             "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist"]  # fmt: skip
    places = np.random.default_rng(2).uniform(-1, 1, (3, len(names), 3))
    rows = [
        "PathFileType\t4\t(X/Y/Z)\tx.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame",
        f"60\t60\t3\t{len(names)}\tm\t60\t0",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{i + 1}" for i in range(len(names)) for axis in "XYZ"),
        *("\t".join(map(str, [i, i / 60, *frame.ravel()])) for i, frame in enumerate(places)),
    ]
    (tmp_path / "walk.trc").write_text("\r\n".join(rows) + "\r\n")

    back = read_poses(tmp_path / "walk.trc")

    assert (back.fps, back.people) == (60.0, ("0",))
    for place, name in enumerate(names):
        (joint,) = back.skeleton.index({"Head": "HeadTop"}.get(name, name))
        x, y, z = places[:, place].T
        np.testing.assert_allclose(back.positions[:, 0, joint], np.stack([x, -z, y], axis=-1))


def test_markers_on_the_skin_are_no_joints(tmp_path):
    write_poses(tmp_path / "x.trc", moving(2))
    text = (tmp_path / "x.trc").read_text()
    for place, joint in enumerate(H36M_17.joints):
        text = text.replace(f"\t{joint.replace('/', '_')}\t", f"\tLASI{place}\t")
    (tmp_path / "x.trc").write_text(text)

    with pytest.raises(FormatError, match="only 0 of 17 body parts are joints of a person"):
        read_poses(tmp_path / "x.trc")


def test_rows_of_a_table_may_be_in_another_order(tmp_path):
    poses = moving(6, people=("a", "b"))
    write_poses(tmp_path / "x.csv", poses)
    head, *rows = (tmp_path / "x.csv").read_text().splitlines()
    (tmp_path / "x.csv").write_text("\n".join([head, *reversed(rows)]) + "\n")

    back = read_poses(tmp_path / "x.csv")

    assert back.people == ("b", "a")  # as they first appear
    np.testing.assert_allclose(back.positions[:, ::-1], poses.positions, atol=5.1e-7)


# What is refused


@pytest.mark.parametrize(
    ("suffix", "old", "new", "said"),
    [
        (".trc", "PathFileType", "Path", "does not begin as a TRC"),
        (".trc", "\tmm\t", "\tfoot\t", "Units 'foot' should be m, cm or mm"),
        (".trc", "30\t30\t", "nan\t30\t", "DataRate is 'nan'"),
        (".trc", "\t6\t17\t", "\t9\t17\t", "says '9' frames of 17 markers, and has 6"),
        (".trc", "\n3\t", "\n3\tx\t", "line 9: 54 fields, not 53"),
        (".trc", "\n3\t", "\n3_0\t", "line 9: a field is no number"),
        (".csv", "frame,time_s", "frame,time", "a table of them has the columns frame, time_s"),
        (".csv", "\n1,", "\n-1,", "line 19: .*-1"),
        (".csv", "\n5,", "\n4,", "rows are not one for each of 5 frames, 1 person and 17 joints"),
        (".csv", "\n5,", "\n9999999999999,", "rows are not one for each of 10,000,000,000,000"),
        (".csv", "\n5,", "\n0_5,", "line 87: .*0_5"),
        (".csv", "\n5,", "\nfive,", "line 87: .*five"),
        (".csv", ",world\n1,", ",camera\n1,", "line 18: axes change"),
        (".csv", ",world", ",sky", "axes 'sky' should be camera or world"),
        (".csv", "Hip", "Chair", "its joints are of no known skeleton"),
        (".json", "graphlift-poses-1", "other", "not of poses that graphlift wrote"),
        (".json", '"frame": 3', '"frame": 4', "frame 3 is missing"),
        (".json", '"seen": [true', '"seen": [1', "seen is not of booleans"),
        (".json", '"axes": {"name": "world"', '"axes": {"name": "sky"', "axes 'sky'"),
        (".bvh", "LeftUpLeg", "Chair", "of no known family"),
    ],
)
def test_a_file_that_was_changed_says_what_is_wrong(tmp_path, suffix, old, new, said):
    path = tmp_path / f"x{suffix}"
    write_poses(path, moving(6))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    with pytest.raises(FormatError, match=said):
        read_poses(path)


def test_an_infinite_position_names_the_file(tmp_path):
    write_poses(tmp_path / "x.trc", moving(6))
    text = (tmp_path / "x.trc").read_text()
    (tmp_path / "x.trc").write_text(re.sub(r"(\n3\t[\d.]+\t)[^\t]*", r"\g<1>1e999", text))

    with pytest.raises(FormatError, match=r"x\.trc: .*infinite"):
        read_poses(tmp_path / "x.trc")


@pytest.mark.parametrize("suffix", POSE_READERS)
def test_a_file_that_was_cut_is_refused(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write_poses(path, moving(30))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    with pytest.raises(FormatError, match=rf"x\{suffix}"):
        read_poses(path)


@pytest.mark.parametrize("suffix", POSE_READERS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_bytes_in_a_file_are_read_or_refused(tmp_path_factory, suffix, data):
    path = tmp_path_factory.getbasetemp() / f"bytes{suffix}"
    write_poses(path, standing())
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + 1] = data.draw(st.binary(max_size=4))
    path.write_bytes(content)

    try:
        poses = read_poses(path)
    except GraphliftError:
        return
    assert len(poses) <= 10_000


def test_labels_of_a_c3d_cannot_ask_for_more_than_there_are(tmp_path):
    file = ezc3d.c3d()
    names = [f"P{i}:J{i}" for i in range(200)]
    file["parameters"]["POINT"]["RATE"]["value"] = [50.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = names
    file["parameters"]["POINT"]["UNITS"]["value"] = ["m"]
    file["data"]["points"] = np.ones((4, 200, 3))
    file.write(str(tmp_path / "x.c3d"))

    with pytest.raises(FormatError, match="200 labels of 200 people have 200 names of joints"):
        read_poses(tmp_path / "x.c3d")


def test_files_of_two_clips_are_not_one(tmp_path):
    write_poses(tmp_path / "x.a.bvh", moving(6))
    write_poses(tmp_path / "x.b.bvh", moving(7))

    assert read_poses(tmp_path / "x.b.bvh").people == ("b",)
    with pytest.raises(FormatError, match=r"those of a and b beside it are not of one clip"):
        read_poses(tmp_path / "x.bvh")


def test_what_holds_no_poses_is_told(tmp_path):
    with pytest.raises(FormatError, match=r"x\.fbx: \.fbx is no kind of file that poses are read"):
        read_poses(tmp_path / "x.fbx")
    for suffix in POSE_READERS:
        with pytest.raises(DatasetNotFoundError, match=rf"no poses at .*none\{suffix}"):
            read_poses(tmp_path / f"none{suffix}")
    (tmp_path / "keypoints.json").write_text('{"people": []}')
    with pytest.raises(FormatError, match="keypoints are lifted first"):
        read_poses(tmp_path / "keypoints.json")


def test_poses_are_told_from_keypoints(tmp_path):
    for suffix in POSE_READERS:
        write_poses(tmp_path / f"x{suffix}", moving(3))
        assert holds_poses(tmp_path / f"x{suffix}") is (suffix != ".npz")  # read.py tells those
    (tmp_path / "y.json").write_text('{"people": []}')
    (tmp_path / "y.csv").write_text("frame,nose_x,nose_y\n")
    assert not holds_poses(tmp_path / "y.json")
    assert not holds_poses(tmp_path / "y.csv")
