import errno
import json
import os
import pathlib
from dataclasses import replace

import numpy as np
import pytest
from helpers.readback import moving, standing
from helpers.whole_body import whole_body

from graphlift.errors import FormatError
from graphlift.formats import write_poses
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import BODY_28, COCO_17, H36M_17

# Source: the picture "Pose Output Format (BODY_25)" in OpenPose's documentation.
BODY_25 = (
    *("Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip"),
    *("RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar"),
    *("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel"),
)
OURS = {"Neck": "Thorax", "MidHip": "Hip", "RAnkle": "RFoot", "LAnkle": "LFoot"}


def read(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


def test_every_frame_is_a_file_in_body_25_order(tmp_path):
    poses = moving(frames=3, people=("Ada", "Bo"))

    remarks = write_poses(f"{tmp_path}/clip.openpose", poses)

    folder = tmp_path / "clip.openpose"
    names = [f"clip_{frame:012d}_keypoints.json" for frame in range(3)]
    assert sorted(path.name for path in folder.iterdir()) == names
    for frame, file in enumerate(read(folder)):
        assert [person["person_id"] for person in file["people"]] == [[0], [1]]
        for p, person in enumerate(file["people"]):
            found = np.reshape(person["pose_keypoints_3d"], (25, 4))
            for place, name in zip(found, BODY_25, strict=True):
                joint = OURS.get(name, name)
                expected = [0, 0, 0, 0]
                if joint in H36M_17.joints:
                    expected = [*poses.positions[frame, p, H36M_17.index(joint)[0]], 1]
                np.testing.assert_allclose(place, expected, atol=5e-7, err_msg=name)
            assert person["pose_keypoints_2d"] == person["face_keypoints_3d"] == []
    assert remarks[1].startswith("Not in h36m-17, so 0, 0, 0, 0: Nose, REye, LEye, REar, LEar, L")


def test_the_keypoints_go_along_in_px(tmp_path, rng):
    flat = rng.uniform(0, 1000, (2, 1, 17, 2))
    confidence = rng.uniform(0.1, 1, (2, 1, 17))
    confidence[1, 0, COCO_17.index("LKnee")] = 0
    keypoints = keypoints_from(flat, COCO_17, confidence=confidence)

    write_poses(tmp_path / "x.openpose", replace(standing(), keypoints=keypoints))

    first, second = (
        np.reshape(file["people"][0]["pose_keypoints_2d"], (25, 3))
        for file in read(tmp_path / "x.openpose")
    )
    nose, left, right = COCO_17.index("Nose", "LShoulder", "RShoulder")
    np.testing.assert_allclose(first[0], [*flat[0, 0, nose], confidence[0, 0, nose]], atol=1e-3)
    middle = (flat[0, 0, left] + flat[0, 0, right]) / 2
    np.testing.assert_allclose(first[BODY_25.index("Neck"), :2], middle, atol=1e-3)
    np.testing.assert_array_equal(second[BODY_25.index("LKnee")], 0)


def test_a_frame_with_nobody_is_an_empty_list(tmp_path):
    poses = moving(frames=3, people=("Ada", "Bo"))
    positions = poses.positions.copy()
    positions[0, 0] = np.nan
    positions[1] = np.nan
    seen = np.ones((3, 2, 17), bool)
    seen[2, 0, H36M_17.index("LWrist")] = False
    (tmp_path / "x").mkdir()

    write_poses(tmp_path / "x", replace(poses, positions=positions, seen=seen))

    ids = [[person["person_id"][0] for person in file["people"]] for file in read(tmp_path / "x")]
    assert ids == [[1], [], [0, 1]]
    places = np.reshape(read(tmp_path / "x")[2]["people"][0]["pose_keypoints_3d"], (25, 4))
    assert places[BODY_25.index("LWrist"), 3] == 0.5  # there, but not seen
    assert places[BODY_25.index("RWrist"), 3] == 1


def test_a_path_that_ends_in_a_slash_is_a_folder(tmp_path):
    write_poses(f"{tmp_path}/new.folder/", standing())
    write_poses(f"{tmp_path}/other/", standing())

    assert len(read(tmp_path / "new.folder")) == len(read(tmp_path / "other")) == 2


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(FormatError, match=r"not empty.* give a new folder") as refusal:
        write_poses(tmp_path, standing())

    assert str(refusal.value).startswith(f"{tmp_path}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    write = pathlib.Path.write_text

    def fill_up(path, *args, **kwargs):
        if "000001" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *args, **kwargs)

    monkeypatch.setattr(pathlib.Path, "write_text", fill_up)
    with pytest.raises(OSError, match="free some space") as refusal:
        write_poses(tmp_path / "x.openpose", standing())

    assert refusal.value.filename == str(tmp_path / "x.openpose")
    assert not list(tmp_path.iterdir())


def test_of_28_joints_all_of_body_25_are_there(tmp_path):
    joints, _, _ = whole_body()
    poses = Poses(joints[:, None], BODY_28, axes="world", rooted=False)

    remarks = write_poses(tmp_path / "x.openpose", poses)

    assert not any("Not in" in remark for remark in remarks)
    (file,) = (tmp_path / "x.openpose").iterdir()
    (person,) = json.loads(file.read_text())["people"]
    found = np.array(person["pose_keypoints_3d"]).reshape(25, 4)
    for place, name in ((0, "Nose"), (1, "Thorax"), (8, "Hip"), (19, "LBigToe"), (24, "RHeel")):
        np.testing.assert_allclose(found[place, :3], joints[0, BODY_28.index(name)[0]], atol=1e-6)
