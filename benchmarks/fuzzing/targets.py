"""What is fed hostile input: every reader and converter, each with a tiny valid file."""

import pickle
import tempfile
from collections.abc import Sequence

import numpy as np
from helpers import tiny_3dhp, tiny_h36m

from fuzzing import TESTS
from fuzzing.keypoints import KEYPOINTS, ONE, Target
from fuzzing.motion import CAMERAS, LATER_KEYPOINTS, MOTION
from fuzzing.networks import NETWORKS, VIDEOS

# Poses, cameras, motion capture


def poses(folder):
    from formats.test_archive import full

    from graphlift.formats import write_poses

    write_poses(folder / "a.npz", full(np.random.default_rng(0)))


def read_poses(folder):
    from graphlift.formats import read_poses

    return read_poses(folder / "a.npz")


def scored(folder):
    rng = np.random.default_rng(0)
    np.savez(
        folder / "a.npz",
        poses=rng.normal(size=(4, 17, 3)),
        activity=["walk"] * 4,
        sequence=["one", "one", "two", "two"],
        valid=[True] * 4,
    )


def read_scored(folder):
    from graphlift.formats.pose_arrays import read_pose_arrays

    return read_pose_arrays(folder / "a.npz")


CAMERA = """[cam_1]
name = "cam_1"
size = [ 1920.0, 1080.0]
matrix = [ [ 1500.0, 0.0, 960.0], [ 0.0, 1500.0, 540.0], [ 0.0, 0.0, 1.0]]
distortions = [ -0.1, 0.01, 0.0, 0.001]
rotation = [ 1.5, 0.1, 0.2]
translation = [ 0.5, 1.0, 3.0]
fisheye = false
"""


def read_camera(folder):
    from graphlift.formats.calibration import read_camera

    return read_camera(folder / "a.toml", "cam_1")


def bvh(family):
    return lambda folder: (folder / "a.bvh").write_bytes(
        (TESTS / "data" / "mocap" / f"{family}.bvh").read_bytes()
    )


def read_bvh(folder):
    from graphlift.datasets.mocap.prepare import read_bvh_clip

    return read_bvh_clip(folder / "a.bvh")


def acclaim(folder):
    for name in ("01.asf", "01_01.amc"):
        (folder / name).write_bytes((TESTS / "data" / "mocap" / "01" / name).read_bytes())


def read_acclaim(folder):
    from graphlift.datasets.mocap.acclaim import read_amc, read_asf

    return read_amc(read_asf(folder / "01.asf"), folder / "01_01.amc")


def activities(folder):
    (folder / "a.csv").write_text("clip,activity,note\n01_01,walk,x\n01_02,run,\n")


def read_activities(folder):
    from graphlift.datasets.mocap.prepare import read_activity_table

    return read_activity_table(folder / "a.csv")


def ordinal_labels(folder):
    rows = ["subject,clip,camera,frame,joint,other,nearer"]
    rows += [f"Ann,walk,0,{3 * n},RHip,LHip,{n % 3 - 1}" for n in range(5)]
    rows += ["Bob,sit,1,6,Head,LWrist,-1.0", "Bob,sit,1,6,LWrist,RWrist,1"]
    (folder / "a.csv").write_text("\n".join(rows) + "\n")


def read_ordinal_labels(folder):
    from graphlift.samples import ordinal_labels
    from graphlift.skeletons import H36M_16

    frames = np.arange(0, 40, 3)
    views = {
        ("Ann", "walk", "0"): ordinal_labels.Trained(40, frames, np.arange(14)),
        ("Bob", "sit", "1"): ordinal_labels.Trained(7, frames[:3], np.arange(14, 17)),
    }
    read = ordinal_labels.read_ordinal_labels(folder / "a.csv", H36M_16, views, count=17)
    mirrored = np.arange(17) % 2 == 0
    return read.of(np.arange(17), mirrored), ordinal_labels.digest_of(folder / "a.csv")


def joint_map(folder):
    from formats.test_rig_names import strange_map

    (folder / "rig.toml").write_text(strange_map())


def read_joint_map(folder):
    from graphlift.formats.rig_names import read_map

    return read_map(folder / "rig.toml")


def capture(folder):
    from helpers import tiny_pack

    tiny_pack.write_folder(folder)


def read_capture(folder):
    from graphlift.samples.open_data import read_open_data

    return read_open_data(str(folder)).digest


def pack(folder):
    from conftest import small

    from graphlift.datasets.mocap.pack import write_pack

    write_pack(folder / "a.npz", small("train", people=1, poses=6))


def read_pack(folder):
    from graphlift.datasets.mocap.pack import read_pack

    return read_pack(folder / "a.npz")


def sequences(folder):
    from helpers import tiny_packs

    tiny_packs.write_3dhp(folder / "pack", frames=2)


def read_sequences(folder):
    from graphlift.datasets.licensed.pack import open_sequences, verify_sequences

    opened = open_sequences(folder / "pack")
    verify_sequences(opened)
    return [sequence.positions.sum() for sequence in opened]


OTHERS = (
    Target("poses npz", poses, read_poses),
    Target("poses to score", scored, read_scored),
    Target("camera toml", lambda f: (f / "a.toml").write_text(CAMERA), read_camera),
    Target("bvh mixamo", bvh("mixamo"), read_bvh),
    Target("bvh cmu", bvh("cmu"), read_bvh),
    Target("asf and amc", acclaim, read_acclaim),
    Target("activities csv", activities, read_activities, 0.3),
    Target("ordinal labels csv", ordinal_labels, read_ordinal_labels, 0.5),
    Target("joint map toml", joint_map, read_joint_map, 0.3),
    Target("folder of motion capture", capture, read_capture, 0.3),
    Target("pack", pack, read_pack),
    Target("sequence pack", sequences, read_sequences, 0.5),
)


# Data sets of others


def h36m_clips():
    return {"S1": {"Directions": tiny_h36m.person(3, 1)}}


def h36m_2d(folder):
    views = {"S1": {"Directions": [ONE[:, 0, :, :2].astype("f4")] * 4}}
    tiny_h36m.write_2d(folder, views)


def read_h36m_2d(folder):
    from graphlift.datasets.human36m.files import keypoints_of_videopose3d

    with tempfile.TemporaryFile() as spill:
        found = keypoints_of_videopose3d(folder / "data_2d_h36m_gt.npz", "gt", spill)
        return [load() for load in found.views.values()]


def read_h36m_3d(folder):
    from graphlift.datasets.human36m.files import poses_of_videopose3d

    with tempfile.TemporaryFile() as spill:
        found = poses_of_videopose3d(folder / "data_3d_h36m.npz", spill)
        return [clip.load() for clip in found]


def read_martinez(folder):
    from graphlift.datasets.human36m.files import poses_of_martinez

    paths = list(folder.glob("h36m/*/MyPoses/*/*.h5"))
    return [clip.load() for clip in poses_of_martinez(paths)]


def read_cdfs(folder):
    from graphlift.datasets.human36m.files import poses_of_cdf

    return [clip.load() for clip in poses_of_cdf(list(folder.glob("S1/*/*/*.cdf")))]


def h36m_cameras(folder):
    cameras = {
        (subject, name): {
            "R": np.eye(3),
            "T": np.ones((3, 1)),
            **{
                key: np.ones((count, 1)) for key, count in (("f", 2), ("c", 2), ("k", 3), ("p", 2))
            },
        }
        for subject in tiny_h36m.SUBJECTS
        for name in tiny_h36m.CAMERAS
    }
    (folder / "cameras.pkl").write_bytes(pickle.dumps(cameras))


def read_h36m_cameras(folder):
    from graphlift.datasets.human36m.camera_files import read_h36m_pickle

    return read_h36m_pickle(folder / "cameras.pkl")


def metadata_xml(folder):
    numbers = " ".join(f"{0.1 * n:.3f}" for n in range(300))
    (folder / "metadata.xml").write_text(f"<m><a>1</a><w0>[{numbers}]</w0></m>")


def read_metadata(folder):
    from graphlift.datasets.human36m.camera_files import read_metadata_xml

    return read_metadata_xml(folder / "metadata.xml")


def read_3dhp(part, sequences, layout, cameras=(0,)):
    def read(folder):
        from graphlift.datasets.mpi_inf_3dhp import read_3dhp

        found = read_3dhp(
            folder, part, sequences=sequences, cameras=cameras, layout=layout, partial=True
        )
        return [each.positions.sum() for each in found]

    return read


def mmpose_test(folder):
    tiny_3dhp.write_mmpose_test(folder, tiny_3dhp.takes_of_test(("TS1",), frames=6))


def train(write):
    return lambda folder: write(folder, tiny_3dhp.takes_of_train(("S1 Seq1",), frames=4))


TEST_1 = tiny_3dhp.takes_of_test(("TS1",), frames=12)

DATA_SETS = (
    Target("h36m 2d npz", h36m_2d, read_h36m_2d, 2.0),
    Target("h36m 3d npz", lambda f: tiny_h36m.write_videopose3d(f, h36m_clips()), read_h36m_3d),
    Target("h36m h5", lambda f: tiny_h36m.write_martinez(f, h36m_clips()), read_martinez),
    Target("h36m cdf", lambda f: tiny_h36m.write_raw(f, h36m_clips()), read_cdfs, 0.05),
    Target("h36m cameras.pkl", h36m_cameras, read_h36m_cameras),
    Target("h36m metadata.xml", metadata_xml, read_metadata, 0.3),
    Target("3dhp test h5", lambda f: tiny_3dhp.write_test_set(f, TEST_1),
           read_3dhp("test", ["TS1"], "original"), 0.3),
    Target("3dhp train mat", train(tiny_3dhp.write_train_set),
           read_3dhp("train", ["S1 Seq1"], "original"), 0.7),
    Target("3dhp p-stmo test", lambda f: tiny_3dhp.write_pstmo_test(f, TEST_1),
           read_3dhp("test", ["TS1"], "p-stmo")),
    Target("3dhp p-stmo train", train(tiny_3dhp.write_pstmo_train),
           read_3dhp("train", ["S1 Seq1"], "p-stmo"), 0.5),
    Target("3dhp mmpose", mmpose_test, read_3dhp("test", ["TS1"], "mmpose")),
)  # fmt: skip


TARGETS: Sequence[Target] = (
    *KEYPOINTS,
    *LATER_KEYPOINTS,
    *OTHERS,
    *MOTION,
    *CAMERAS,
    *DATA_SETS,
    *NETWORKS,
    *VIDEOS,
)
