"""What holds for every format: left stays left, nothing moves, nothing is half-written."""

import errno
import os
from dataclasses import replace

import numpy as np
import pytest
from helpers.readback import CAMERA, OUTSIDE_READERS, STANDING, moving, standing

from graphlift.errors import FormatError
from graphlift.formats import write_poses
from graphlift.formats.write import WRITERS
from graphlift.sequences import Poses
from graphlift.skeletons import COCO_17, H36M_16, H36M_17, MPI_INF_3DHP_17, Skeleton

MOTION = ("bvh", "glb", "c3d", "trc")


def unit(vector):
    return vector / np.linalg.norm(vector)


def distances(people):
    """All distances between joints: what no turn and no mirror changes."""
    places = np.stack([people[0][joint][0] for joint in H36M_17.joints])
    return np.linalg.norm(places[:, None] - places[None], axis=-1)


@pytest.mark.parametrize("axes", ["world", "camera"])
@pytest.mark.parametrize("kind", OUTSIDE_READERS)
def test_the_left_arm_is_on_the_left_of_who_stands_upright(kind, axes, tmp_path):
    path = tmp_path / f"x.{kind}"

    write_poses(path, standing(axes))

    people, above = OUTSIDE_READERS[kind](path)
    at = {joint: places[0] for joint, places in people[0].items()}
    up = np.array(above)
    # The trunk and the standing leg are vertical in the world, and the camera is level.
    assert unit(at["Thorax"] - at["Hip"]) @ up > 0.999
    assert unit(at["LKnee"] - at["LFoot"]) @ up > 0.999
    # The nose tells the front without left and right; left is up x front.
    front = at["Neck/Nose"] - at["Thorax"]
    front = unit(front - front @ up * up)
    left = np.cross(up, front)
    assert (at["LShoulder"] - at["RShoulder"]) @ left == pytest.approx(0.36, abs=1e-3)
    assert (at["LHip"] - at["RHip"]) @ left == pytest.approx(0.2, abs=1e-3)
    assert (at["LWrist"] - at["RWrist"]) @ up == pytest.approx(1.04, abs=1e-3)
    assert (at["RFoot"] - at["RKnee"]) @ front == pytest.approx(-0.3, abs=1e-3)
    expected = distances([{joint: np.array([place]) for joint, place in STANDING.items()}])
    np.testing.assert_allclose(distances(people), expected, atol=1e-3)


@pytest.mark.parametrize("kind", OUTSIDE_READERS)
def test_world_poses_keep_their_place(kind, tmp_path):
    poses = moving(frames=40)
    path = tmp_path / f"x.{kind}"

    write_poses(path, poses)

    (person,), above = OUTSIDE_READERS[kind](path)
    for i, joint in enumerate(H36M_17.joints):
        x, y, z = poses.positions[:, 0, i].T
        expected = np.stack([x, z, -y] if above == (0, 1, 0) else [x, y, z], axis=-1)
        np.testing.assert_allclose(person[joint], expected, atol=1e-3, err_msg=joint)


@pytest.mark.parametrize("kind", ["glb", "c3d", "npz", "json", "csv", "parquet"])
def test_several_people_share_a_file(kind, tmp_path):
    poses = moving(frames=5, people=("Ada", "Bo"))
    path = tmp_path / f"x.{kind}"

    write_poses(path, poses)

    people, above = OUTSIDE_READERS[kind](path)
    assert len(people) == 2
    for p, person in enumerate(people):
        x, y, z = poses.positions[:, p, H36M_17.index("LWrist")[0]].T
        expected = np.stack([x, z, -y] if above == (0, 1, 0) else [x, y, z], axis=-1)
        np.testing.assert_allclose(person["LWrist"], expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["bvh", "trc"])
def test_several_people_get_a_file_each_where_one_holds_one(kind, tmp_path):
    poses = moving(frames=5, people=("Ada", "../Bo"))

    remarks = write_poses(tmp_path / f"x.{kind}", poses)

    names = [f"x.Ada.{kind}", f"x.___Bo.{kind}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert f"One file a person: {', '.join(names)}." in remarks
    (second,), _ = OUTSIDE_READERS[kind](tmp_path / names[1])
    x, y, z = poses.positions[:, 1, H36M_17.index("RKnee")[0]].T
    np.testing.assert_allclose(second["RKnee"], np.stack([x, z, -y], axis=-1), atol=1e-3)


def test_people_whose_names_look_alike_still_get_a_file_each(tmp_path):
    poses = moving(frames=3, people=("a/b", "a b", ""))

    write_poses(tmp_path / "x.trc", poses)

    assert {path.name for path in tmp_path.iterdir()} == {
        "x.0_a_b.trc",
        "x.1_a_b.trc",
        "x.2_.trc",
    }


@pytest.mark.parametrize("kind", OUTSIDE_READERS)
def test_one_person_of_several_is_written_alone(kind, tmp_path):
    poses = moving(frames=3, people=("Ada", "Bo"))
    path = tmp_path / f"x.{kind}"

    write_poses(path, poses, person="Bo")

    people, above = OUTSIDE_READERS[kind](path)
    assert len(people) == 1
    x, y, z = poses.positions[:, 1, 0].T
    expected = np.stack([x, z, -y] if above == (0, 1, 0) else [x, y, z], axis=-1)
    np.testing.assert_allclose(people[0]["Hip"], expected, atol=1e-3)


@pytest.mark.parametrize("kind", OUTSIDE_READERS)
def test_a_person_without_a_single_frame_is_in_no_output_and_it_is_said(kind, tmp_path):
    poses = moving(frames=3, people=("Ada", "Bo"))
    positions = poses.positions.copy()
    positions[:, 1] = np.nan
    absent = replace(poses, positions=positions, contacts=np.zeros(positions.shape[:3], bool))

    said = write_poses(tmp_path / f"x.{kind}", absent)

    people, _ = OUTSIDE_READERS[kind](tmp_path / f"x.{kind}")
    assert len(people) == 1
    assert any("Bo" in each and "no pose" in each for each in said)


def test_an_unknown_person_is_refused_with_the_names(tmp_path):
    with pytest.raises(FormatError, match=r"x\.bvh: .* no person 'Cy' .* are Ada, Bo"):
        write_poses(tmp_path / "x.bvh", moving(frames=2, people=("Ada", "Bo")), person="Cy")

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.fbx", "x", "x.bvh.gz"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(name, tmp_path):
    with pytest.raises(FormatError) as refusal:
        write_poses(tmp_path / name, standing())

    assert str(refusal.value).startswith(f"{tmp_path / name}: ")
    assert all(suffix in str(refusal.value) for suffix in WRITERS)
    assert not list(tmp_path.iterdir())


def test_a_suffix_may_be_shouted(tmp_path):
    write_poses(tmp_path / "X.Trc", standing())

    (person,), _ = OUTSIDE_READERS["trc"](tmp_path / "X.Trc")
    assert len(person["Hip"]) == 2


@pytest.mark.parametrize("frames", [0, 3])
@pytest.mark.parametrize("kind", MOTION)
def test_motion_of_nobody_is_refused(kind, frames, tmp_path):
    nobody = Poses(np.full((frames, 1, 17, 3), np.nan), H36M_17, fps=30.0)

    with pytest.raises(
        FormatError, match=rf"x\.{kind}: no person is in any frame \({frames} frames\).*npz"
    ):
        write_poses(tmp_path / f"x.{kind}", nobody)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("frames", [0, 3])
@pytest.mark.parametrize("kind", ["npz", "json", "csv", "parquet"])
def test_frames_of_nobody_are_kept_where_they_can_be(kind, frames, tmp_path):
    nobody = Poses(np.full((frames, 1, 17, 3), np.nan), H36M_17, fps=30.0)
    path = tmp_path / f"x.{kind}"

    write_poses(path, nobody)

    if frames:
        (person,), _ = OUTSIDE_READERS[kind](path)
        assert person["LWrist"].shape == (frames, 3)
        assert np.isnan(person["LWrist"]).all()
    assert path.stat().st_size > 0


@pytest.mark.parametrize("kind", MOTION)
def test_an_unknown_frame_rate_is_written_as_30_and_said(kind, tmp_path):
    known = write_poses(tmp_path / f"y.{kind}", standing())

    remarks = write_poses(tmp_path / f"x.{kind}", replace(standing(), fps=None))

    assert "The frame rate is unknown: 30 fps is assumed." in remarks
    assert not any("frame rate" in remark for remark in known)


@pytest.mark.parametrize("kind", MOTION)
def test_what_the_axes_rest_on_is_said(kind, tmp_path):
    world = " ".join(write_poses(tmp_path / f"x.{kind}", standing()))
    camera = " ".join(
        write_poses(tmp_path / f"y.{kind}", replace(standing("camera"), rooted=True))
    )

    assert f"{'z' if kind == 'c3d' else 'y'} is up, in" in world
    assert "camera" not in world
    assert "as upright as the camera was" in camera
    assert "stays at the origin" in camera


@pytest.mark.parametrize("kind", ["bvh", "glb"])
@pytest.mark.parametrize("skeleton", [COCO_17, H36M_16, MPI_INF_3DHP_17], ids=lambda s: s.name)
def test_other_skeletons_are_converted_for_a_rig_and_that_is_said(kind, skeleton, tmp_path, rng):
    at = {**STANDING, "Nose": (1.1, 2, 1.5), "Neck": STANDING["Thorax"], "HeadTop": (1, 2, 1.7)}
    at |= {f"{side}Ankle": at[f"{side}Foot"] for side in "LR"}
    at |= {f"{s}{x}": (1.05, 2, 1.55) for s in "LR" for x in ("Eye", "Ear")}
    positions = np.tile([at[joint] for joint in skeleton.joints], (2, 1, 1, 1))
    poses = Poses(positions, skeleton, axes="world", rooted=False, fps=30.0)

    remarks = write_poses(tmp_path / f"x.{kind}", poses)

    assert any(
        r.startswith(f"Converted from {skeleton.name} to h36m-17; derived") for r in remarks
    )
    (person,), _ = OUTSIDE_READERS[kind](tmp_path / f"x.{kind}")
    x, y, z = STANDING["LKnee"]
    np.testing.assert_allclose(person["LKnee"], [[x, z, -y]] * 2, atol=1e-3)


@pytest.mark.parametrize("kind", ["bvh", "glb"])
def test_a_skeleton_that_lacks_joints_is_refused_for_a_rig(kind, tmp_path):
    hand = Skeleton("hand", ("Wrist", "Thumb"), (-1, 0), "Wrist")

    with pytest.raises(FormatError, match=r"x\.\w+: .*Hip, .* from hand: write \.c3d"):
        write_poses(tmp_path / f"x.{kind}", Poses(np.zeros((2, 1, 2, 3)), hand))

    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_made(tmp_path):
    write_poses(tmp_path / "new" / "deep" / "x.trc", standing())

    assert (tmp_path / "new" / "deep" / "x.trc").is_file()


@pytest.mark.parametrize("kind", [*OUTSIDE_READERS, "openpose"])
def test_a_folder_that_is_a_file_is_named(kind, tmp_path):
    (tmp_path / "file").write_text("mine")

    with pytest.raises(OSError, match="file") as refusal:
        write_poses(tmp_path / "file" / f"x.{kind}", standing())

    assert str(tmp_path / "file") in str(refusal.value)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("people", [("Ada",), ("Ada", "Bo")])
@pytest.mark.parametrize("kind", OUTSIDE_READERS)
def test_a_full_disk_leaves_nothing_behind(kind, people, tmp_path, monkeypatch):
    """The last step fails, when everything is written but not yet in its place."""
    if kind not in ("bvh", "trc"):
        (tmp_path / f"x.{kind}").write_text("before")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="free some space") as refusal:
        write_poses(tmp_path / f"x.{kind}", moving(frames=3, people=people))

    assert str(tmp_path) in refusal.value.filename
    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert left in ({}, {f"x.{kind}": "before"})


def test_the_camera_of_these_tests_is_level():
    assert CAMERA.R[0, 2] == 0
