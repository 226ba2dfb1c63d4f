"""A loader a tool: the same keypoints as :func:`read_keypoints`, and no other tool's file."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
from formats import test_frame_files as folders
from formats import test_hdf5 as hdf5
from formats import test_pose_file as pose_file
from formats import test_videopose3d as detectron
from helpers import tiny_keypoints as tiny

import graphlift.formats
from graphlift import formats
from graphlift.errors import FormatError
from graphlift.skeletons import COCO_17, MEDIAPIPE_33

SIZE = (640, 480)
TRIPLES, NAMES = tiny.TRIPLES, tiny.NAMES
FACES = tiny.landmarks(tiny.walk(MEDIAPIPE_33)[0], SIZE)


def clip(path):
    np.savez(path, positions_2d={"S1": {"Walk": [TRIPLES[:, 0, :, :2]]}}, metadata={})
    return path


def dump(path, data):
    return tiny.dump(path, data)


FILES = {
    "read_openpose": ("a", lambda path: tiny.openpose(path, TRIPLES)),
    "read_alphapose": ("a.json", lambda path: dump(path, tiny.alphapose(TRIPLES))),
    "read_coco": ("a.json", lambda path: dump(path, tiny.coco_annotations(TRIPLES, NAMES))),
    "read_mmpose": ("a.json", lambda path: dump(path, tiny.mmpose_video(TRIPLES))),
    "read_mediapipe": ("a.json", lambda path: dump(path, [FACES])),
    "read_ultralytics": ("a", lambda path: folders.labels(path, TRIPLES)),
    "read_deeplabcut": ("a.csv", lambda path: hdf5.dlc_csv(path, TRIPLES, NAMES)),
    "read_sleap": ("a.h5", lambda path: hdf5.sleap_h5(path, TRIPLES, NAMES, tracks=("ann",))),
    "read_videopose3d": ("a.npz", clip),
    "read_detectron2": ("a.npz", lambda path: detectron.detectron(
        path, [detectron.of_frame(people) for people in TRIPLES], w=640, h=480)),
    "read_pose_format": ("a.pose", lambda path: path.write_bytes(
        pose_file.pose(*pose_file.holistic(tiny.walk(MEDIAPIPE_33))))),
    "read_table": ("a.csv", tiny.wide_csv),
    "open_keypoints_npz": ("a.npz", tiny.ours),
}  # fmt: skip


@pytest.mark.parametrize("loader", FILES)
def test_a_loader_reads_its_tools_files_as_read_keypoints_does(loader, tmp_path):
    name, make = FILES[loader]
    make(tmp_path / name)
    options = {"image_size": SIZE, "fps": 25.0}
    if loader == "read_videopose3d":
        options["skeleton"] = "coco-17"

    ours = getattr(formats, loader)(tmp_path / name, **options)
    theirs = formats.read_keypoints(tmp_path / name, **options)

    np.testing.assert_array_equal(ours.positions, theirs.positions)
    np.testing.assert_array_equal(ours.confidence, theirs.confidence)
    assert (ours.source, ours.people, ours.fps, ours.image_size) == (
        theirs.source, theirs.people, 25.0, SIZE,
    )  # fmt: skip


@pytest.mark.parametrize("loader", FILES)
def test_a_file_of_another_tool_is_refused_by_its_kind(loader, tmp_path):
    other = dump(tmp_path / "a.json", tiny.mmpose_image(TRIPLES[0]))
    expected = "MMPose JSON"
    if loader == "read_mmpose":
        other, expected = tiny.wide_csv(tmp_path / "a.csv"), "csv"

    with pytest.raises(FormatError, match=rf"{other.name}: is {expected}.*read_keypoints"):
        getattr(formats, loader)(other)


def test_results_in_memory_have_the_loader_of_their_tool():
    keypoints = SimpleNamespace(xy=TRIPLES[0, ..., :2], conf=TRIPLES[0, ..., 2])
    results = [SimpleNamespace(keypoints=keypoints, boxes=None, orig_shape=(480, 640))]

    assert formats.read_ultralytics(results).skeleton is COCO_17
    with pytest.raises(FormatError, match=r"is ultralytics.*MediaPipe"):
        formats.read_mediapipe(results)


def test_every_loader_is_public_and_documented():
    loaders = {name for name in vars(graphlift.formats) if name.startswith("read_")}

    assert set(FILES) - loaders == {"open_keypoints_npz"}
    for name in FILES:
        loader = getattr(formats, name)
        assert {"fps", "image_size"} <= set(inspect.signature(loader).parameters)
        assert "Layout" in loader.__doc__
