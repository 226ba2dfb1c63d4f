"""MPI-INF-3DHP: what was written in a layout comes back, by name, unit, axes and order."""

import numpy as np
import pytest
from helpers import tiny_3dhp as tiny

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.datasets.mpi_inf_3dhp import read_3dhp, to_h36m
from graphlift.datasets.mpi_inf_3dhp.facts import (
    JOINTS_28,
    RELEVANT_17,
    SCENES,
    TEST,
    TO_H36M_17,
    TRAIN,
    VNECT_CAMERAS,
)
from graphlift.datasets.mpi_inf_3dhp.layouts import find_layout
from graphlift.datasets.mpi_inf_3dhp.read import published
from graphlift.skeletons import H36M_17, MPI_INF_3DHP_17, joint_map

TWO = ("S1 Seq1", "S3 Seq2")


@pytest.fixture(scope="module")
def tests():
    return tiny.takes_of_test()


@pytest.fixture(scope="module")
def trains():
    return tiny.takes_of_train()


def test_the_published_counts_add_up():
    assert sum(TEST.values()) == 2929
    by_scene = {
        scene: sum(TEST[name] for name in TEST if SCENES[name] == scene)
        for scene in ("GS", "noGS", "Outdoor")
    }
    assert by_scene == {"GS": 603 + 540, "noGS": 505 + 553, "Outdoor": 276 + 452}
    assert len(TRAIN) == 16
    assert sum(published(["train"]).counts.values()) == 8 * sum(f for f, _ in TRAIN.values())


def test_the_17_of_28_are_the_official_joints_by_name():
    same = {"head_top": "HeadTop", "neck": "Neck", "pelvis": "Hip", "spine": "Spine"}
    sides = {"left_": "L", "right_": "R"}

    def ours(name):
        for long, short in sides.items():
            if name.startswith(long):
                return short + name.removeprefix(long).capitalize()
        return same.get(name, name.capitalize())

    assert tuple(ours(JOINTS_28[at]) for at in RELEVANT_17) == MPI_INF_3DHP_17.joints


def test_the_test_set_as_published(tmp_path, tests):
    tiny.write_test_set(tmp_path, tests)

    read = list(read_3dhp(tmp_path, "test"))

    assert [each.clip for each in read] == list(TEST)
    for sequence, (name, made) in zip(read, tests.items(), strict=True):
        assert (sequence.subject, sequence.activity, sequence.camera) == (name, SCENES[name], "0")
        assert sequence.skeleton == MPI_INF_3DHP_17
        np.testing.assert_allclose(sequence.positions, made.universal, atol=1e-6)
        np.testing.assert_allclose(sequence.keypoints["gt"], made.keypoints, atol=1e-3)
        np.testing.assert_array_equal(sequence.valid, made.valid)
        assert sequence.lens.size == made.camera.size
        np.testing.assert_allclose(sequence.lens.focal, made.camera.focal, rtol=1e-9)
        np.testing.assert_allclose(sequence.lens.centre, made.camera.centre, rtol=1e-9)
        assert not sequence.lens.placed


def test_annot3_goes_with_the_2d_through_the_lens_and_univ_annot3_does_not(tmp_path, tests):
    tiny.write_test_set(tmp_path, tests)

    for annotation, off in (("annot3", False), ("univ_annot3", True)):
        for sequence in read_3dhp(tmp_path, "test", annotation=annotation):
            seen = camera_to_image(sequence.positions.astype(float), sequence.lens)
            distance = np.linalg.norm(seen - sequence.keypoints["gt"], axis=-1).max()
            assert (distance > 5) == off


def test_a_test_set_without_frames_that_count_has_the_published_lens(tmp_path):
    made = tiny.takes_of_test(("TS5",))
    made["TS5"].valid[:] = False
    tiny.write_test_set(tmp_path, made)

    (sequence,) = read_3dhp(tmp_path, "test", sequences=["TS5"])

    assert sequence.lens.focal == pytest.approx((1684, 1673), abs=1)


@pytest.mark.parametrize("compress", [False, True])
def test_the_training_set_as_published(tmp_path, trains, compress):
    tiny.write_train_set(tmp_path, trains, compress=compress)

    read = list(read_3dhp(tmp_path, "train", sequences=TWO, annotation="annot3"))

    assert [(each.subject, each.clip, each.camera) for each in read] == [
        (*name.split(), str(camera)) for name in TWO for camera in VNECT_CAMERAS
    ]
    assert [each.fps for each in read] == [25.0] * 8 + [50.0] * 8
    for sequence in read:
        made = trains[f"{sequence.subject} {sequence.clip}"][int(sequence.camera)]
        np.testing.assert_allclose(sequence.positions, made.positions, atol=1e-6)
        np.testing.assert_allclose(sequence.keypoints["gt"], made.keypoints, atol=1e-3)
        assert sequence.valid.all()
        assert sequence.lens.placed
        # The calibration's world has y up; ours has z up, and the person stands in it.
        seen = world_to_camera(made.world, sequence.lens)
        np.testing.assert_allclose(seen, made.positions, atol=1e-5)
        np.testing.assert_allclose(camera_to_image(seen, sequence.lens), made.keypoints, atol=0.05)


def test_a_training_camera_of_its_own_number(tmp_path, trains):
    tiny.write_train_set(tmp_path, trains)

    (sequence,) = read_3dhp(tmp_path, "train", sequences=["S3 Seq2"], cameras=[13])

    np.testing.assert_allclose(sequence.positions, trains["S3 Seq2"][13].universal, atol=1e-6)


def test_annotations_without_a_picture_are_left_out(tmp_path):
    made = {"S8 Seq2": [tiny.take(0, 6060, tiny.a_camera(0))]}
    tiny.write_train_set(tmp_path, made, compress=False)

    (sequence,) = read_3dhp(tmp_path, "train", sequences=["S8 Seq2"], cameras=[0])

    assert len(sequence.positions) == len(sequence.valid) == TRAIN["S8 Seq2"][0] == 6054


def test_pstmos_files(tmp_path, tests, trains):
    tiny.write_pstmo_test(tmp_path, tests)
    tiny.write_pstmo_train(tmp_path, trains)

    for sequence in read_3dhp(tmp_path, "test"):
        made = tests[sequence.clip]
        np.testing.assert_allclose(sequence.positions, made.universal, atol=1e-6)
        np.testing.assert_array_equal(sequence.valid, made.valid)
        assert sequence.lens.size == made.camera.size
    read = list(read_3dhp(tmp_path, "train", sequences=TWO))
    assert len(read) == 16
    for sequence in read:
        made = trains[f"{sequence.subject} {sequence.clip}"][int(sequence.camera)]
        np.testing.assert_allclose(sequence.keypoints["gt"], made.keypoints, atol=1e-3)
        assert sequence.valid.all()


@pytest.mark.parametrize("below", ["", "annotations"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_mmposes_files(tmp_path, tests, trains, below, save):
    at = tmp_path / below
    at.mkdir(exist_ok=True)
    tiny.write_mmpose_test(at, tests)
    tiny.write_mmpose_train(at, trains, save=save)

    for sequence in read_3dhp(tmp_path, "test"):
        made = tests[sequence.clip]
        np.testing.assert_allclose(sequence.positions, made.positions[made.valid], atol=1e-6)
        assert sequence.valid.all()
        assert sequence.lens.focal == made.camera.focal
    read = list(read_3dhp(tmp_path, "train", sequences=TWO))
    assert len(read) == 16
    for sequence in read:
        made = trains[f"{sequence.subject} {sequence.clip}"][int(sequence.camera)]
        np.testing.assert_allclose(sequence.positions, made.positions, atol=1e-6)
        seen = world_to_camera(made.world, sequence.lens)
        np.testing.assert_allclose(seen, made.positions, atol=1e-9)


def test_the_same_people_are_the_same_in_every_layout(tmp_path, trains):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    tiny.write_train_set(tmp_path / "a", trains)
    tiny.write_pstmo_train(tmp_path / "b", trains)
    tiny.write_mmpose_train(tmp_path / "c", trains)

    kinds = [find_layout(tmp_path / name, "train").layout for name in "abc"]
    original, pstmo, mmpose = (
        list(read_3dhp(tmp_path / name, "train", sequences=TWO)) for name in "abc"
    )
    assert kinds == ["original", "p-stmo", "mmpose"]
    sources = [find_layout(tmp_path / name, "train").sources for name in "abc"]
    assert [len(each) for each in sources] == [4, 1, 2]
    assert all(path.is_file() for each in sources for path in each)
    for a, b, c in zip(original, pstmo, mmpose, strict=True):
        for other in (b, c):
            assert (a.subject, a.activity, a.clip, a.camera, a.fps) == (
                (other.subject, other.activity, other.clip, other.camera, other.fps)
            )
            np.testing.assert_array_equal(a.keypoints["gt"], other.keypoints["gt"])
        np.testing.assert_array_equal(a.positions, b.positions)


@pytest.mark.parametrize(
    "below", ["test", "mpi_inf_3dhp_test_set", "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set"]
)
def test_the_folders_that_the_download_makes_are_found(tmp_path, below):
    tiny.write_test_set(tmp_path / below, tiny.takes_of_test(("TS6",)))

    assert find_layout(tmp_path, "test").layout == "original"
    assert len(list(read_3dhp(tmp_path, "test", sequences=["TS6"]))) == 1


def test_human36ms_joints_by_the_papers_selection(tmp_path, tests):
    tiny.write_test_set(tmp_path, tests)
    sequence = next(read_3dhp(tmp_path, "test", annotation="annot3"))

    converted = to_h36m(sequence)

    assert converted.skeleton == H36M_17
    for name, source in {
        "Hip": "Hip",
        "RFoot": "RAnkle",
        "LKnee": "LKnee",
        "Thorax": "Neck",
        "Neck/Nose": "Head",
        "Head": "HeadTop",
        "RWrist": "RWrist",
        "LShoulder": "LShoulder",
    }.items():
        at, other = H36M_17.joints.index(name), MPI_INF_3DHP_17.joints.index(source)
        np.testing.assert_array_equal(converted.positions[:, at], sequence.positions[:, other])
        np.testing.assert_array_equal(
            converted.keypoints["gt"][:, at], sequence.keypoints["gt"][:, other]
        )


def test_the_papers_selection_differs_from_our_conversion_in_neck_and_head_only():
    ours = joint_map(MPI_INF_3DHP_17, H36M_17).weights
    papers = np.eye(17)[list(TO_H36M_17)]

    different = [
        name for name, a, b in zip(H36M_17.joints, ours, papers, strict=True) if (a != b).any()
    ]
    assert different == ["Neck/Nose", "Head"]
    assert sorted(TO_H36M_17) == list(range(17))
