"""What is fed hostile input: readers of keypoints, each with a tiny valid file."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from formats import test_hdf5 as hdf5
from formats import test_pose_file as pose_file
from helpers import tiny_h36m
from helpers import tiny_keypoints as tiny

from graphlift.formats import read_keypoints
from graphlift.skeletons import COCO_17, MEDIAPIPE_33, OPENPOSE_BODY_25

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
