"""MPI-INF-3DHP files that are wrong: each message names the thing, the place and the way out."""

import os
import pickle
import re

import h5py
import numpy as np
import pytest
from helpers import tiny_3dhp as tiny
from scipy.io import loadmat, savemat

from graphlift.datasets.mpi_inf_3dhp import read_3dhp, to_h36m
from graphlift.datasets.mpi_inf_3dhp.cameras import read_calibration
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError, ShapeError


class Attack:
    def __reduce__(self):
        return os.system, ("true",)


def refused(message, folder, part="test", error=FormatError, **options):
    with pytest.raises(error, match=re.compile(message, re.DOTALL)):
        list(read_3dhp(folder, part, **options))


@pytest.fixture
def one(tmp_path):
    """A folder with TS1 alone, and its file open to change."""
    tiny.write_test_set(tmp_path, tiny.takes_of_test(("TS1",)))
    return tmp_path / "TS1" / "annot_data.mat"


def change(path, **arrays):
    with h5py.File(path, "a") as file:
        for name, array in arrays.items():
            del file[name]
            if array is not None:
                file[name] = array


# What is where


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    refused(
        "no test part.*annot_data.mat.*data_test_3dhp.npz.*mpi_inf_3dhp_test_valid.npz",
        tmp_path,
        error=DatasetNotFoundError,
    )
    refused("S1/Seq1/annot.mat.*P-STMO", tmp_path, "train", DatasetNotFoundError)
    refused("no folder .*nowhere: give", tmp_path / "nowhere", error=DatasetNotFoundError)


def test_missing_sequences_are_named_with_those_that_are_there(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test(("TS1", "TS4")))

    refused(
        r"the test part: TS2, TS3, TS5, TS6 missing.*\(TS1, TS4 are present\).*--partial",
        tmp_path,
        error=DatasetNotFoundError,
    )
    assert len(list(read_3dhp(tmp_path, "test", sequences=["TS4", "TS1"]))) == 2


@pytest.mark.parametrize("write", ["write_test_set", "write_pstmo_test", "write_mmpose_test"])
def test_missing_sequences_can_be_done_without(tmp_path, write):
    getattr(tiny, write)(tmp_path, tiny.takes_of_test(("TS2", "TS5")))

    assert [each.clip for each in read_3dhp(tmp_path, "test", partial=True)] == ["TS2", "TS5"]
    for partial in (False, True):
        refused(
            "TS1, TS6",
            tmp_path,
            error=DatasetNotFoundError,
            partial=partial,
            sequences=["TS1", "TS6"],
        )


def test_missing_sequences_are_said_at_the_call_and_not_at_the_first_frame(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test(("TS1",)))

    with pytest.raises(DatasetNotFoundError):
        read_3dhp(tmp_path, "test")


def test_two_layouts_in_one_folder_are_both_named(tmp_path):
    takes = tiny.takes_of_test(("TS1",))
    tiny.write_test_set(tmp_path, takes)
    tiny.write_pstmo_test(tmp_path, takes)

    refused("twice, original .*TS1.* and p-stmo .*data_test_3dhp.npz.*give the layout", tmp_path)
    for layout in ("original", "p-stmo"):
        assert len(list(read_3dhp(tmp_path, "test", layout=layout, sequences=["TS1"]))) == 1
    refused("no test part", tmp_path, error=DatasetNotFoundError, layout="mmpose")
    refused("no layout 'cdf'.*original, p-stmo, mmpose", tmp_path, error=ConfigError, layout="cdf")


def test_wrong_choices_are_refused(tmp_path):
    refused("no part 'val'.*train or test", tmp_path, "val", ConfigError)
    refused("no sequence 'TS7'.*TS1, TS2", tmp_path, error=ConfigError, sequences=["TS7"])
    refused("no camera 14.*0 to 13", tmp_path, "train", ConfigError, cameras=[0, 14])
    tiny.write_mmpose_test(tmp_path, tiny.takes_of_test())
    refused("annot3 only", tmp_path, error=ConfigError, annotation="univ_annot3")
    refused("no annotation 'annot2'", tmp_path, error=ConfigError, annotation="annot2")


# The test set


def test_a_frame_without_valid_frame(one):
    change(one, valid_frame=np.ones((11, 1)))
    refused(
        r"annot_data.mat \(TS1\).*different length.*annot2 12.*valid_frame 11",
        one.parents[1],
        sequences=["TS1"],
    )


def test_no_valid_frame_at_all(one):
    change(one, valid_frame=None)
    refused(r"\(TS1\): has no array 'valid_frame'", one.parents[1], sequences=["TS1"])


@pytest.mark.parametrize("bad", [np.nan, 2.0])
def test_a_valid_frame_that_is_neither_0_nor_1(one, bad):
    change(one, valid_frame=np.full((12, 1), bad))
    refused(
        r"\(TS1\): valid_frame should hold 0 or 1.*cannot be scored",
        one.parents[1],
        sequences=["TS1"],
    )


@pytest.mark.parametrize("joints", [16, 28])
def test_wrong_joint_counts(one, joints):
    change(one, annot2=np.zeros((12, 1, joints, 2)))
    refused(
        rf"\(TS1\): annot2 is float64 \(12, {joints}, 2\).*17, 2",
        one.parents[1],
        sequences=["TS1"],
    )


def test_joint_counts_that_differ_between_sequences(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test(("TS1", "TS2")))
    change(tmp_path / "TS2" / "annot_data.mat", univ_annot3=np.zeros((12, 1, 16, 3)))
    refused(
        r"\(TS2\): univ_annot3 is float64 \(12, 16, 3\).*17, 3", tmp_path, sequences=["TS1", "TS2"]
    )


def test_2d_and_3d_of_different_length(one):
    change(one, annot2=np.zeros((10, 1, 17, 2)))
    refused(r"\(TS1\).*annot2 10, annot3 12", one.parents[1], sequences=["TS1"])


def test_univ_annot3_of_another_length_than_the_rest(one):
    change(one, univ_annot3=np.ones((11, 1, 17, 3)))
    refused(r"\(TS1\).*positions 11", one.parents[1], sequences=["TS1"])


def test_a_joint_that_is_no_number_in_a_frame_that_counts(one):
    with h5py.File(one, "a") as file:
        frame = int(np.flatnonzero(file["valid_frame"][:, 0])[1])
        file["univ_annot3"][frame, 0, 3, 1] = np.nan
    refused(rf"\(TS1\): frame {frame} is valid", one.parents[1], sequences=["TS1"])


def test_another_unit(one):
    with h5py.File(one, "a") as file:
        file["univ_annot3"][...] = file["univ_annot3"][...] / 1000
    refused(r"\(TS1\): a leg is 0\.000.* m long.*another unit", one.parents[1], sequences=["TS1"])


def test_2d_of_another_film(one):
    with h5py.File(one, "a") as file:
        file["annot2"][...] = 2048 - file["annot2"][...]
    refused(r"\(TS1\): no lens puts.*do not belong together", one.parents[1], sequences=["TS1"])


def test_a_truncated_mat(one):
    content = one.read_bytes()
    for end in (0, 100, len(content) // 2):
        one.write_bytes(content[:end])
        refused("annot_data.mat.*HDF5.*copy", one.parents[1], sequences=["TS1"])


def test_a_link_to_another_file_is_not_followed(one, tmp_path):
    with h5py.File(tmp_path / "other.mat", "w") as file:
        file["secret"] = np.ones((12, 1, 17, 2))
    with h5py.File(one, "a") as file:
        del file["annot2"]
        file["annot2"] = h5py.ExternalLink(str(tmp_path / "other.mat"), "secret")
    refused("annot2 is kept in another file", one.parents[1], sequences=["TS1"])


# The training set


@pytest.fixture
def seq(tmp_path):
    tiny.write_train_set(tmp_path, tiny.takes_of_train(("S2 Seq1",)))
    return tmp_path / "S2" / "Seq1"


CHOICE = {"sequences": ["S2 Seq1"], "cameras": [4]}


def rewrite(path, **changes):
    held = {k: v for k, v in loadmat(path).items() if not k.startswith("_")}
    held |= changes
    savemat(path, {k: v for k, v in held.items() if v is not None})


def test_a_training_set_of_17_joints(seq):
    held = loadmat(seq / "annot.mat")["annot2"]
    for cell in range(14):
        held[cell, 0] = held[cell, 0][:, :34]
    rewrite(seq / "annot.mat", annot2=held)
    refused(r"camera 4\): annot2 is float64 \(9, 34\).*56", seq.parents[1], "train", **CHOICE)


def test_a_camera_of_other_joints_than_the_rest(seq):
    held = loadmat(seq / "annot.mat")["univ_annot3"]
    held[8, 0] = held[8, 0][:, :51]
    rewrite(seq / "annot.mat", univ_annot3=held)
    refused(
        r"S2 Seq1, camera 8\): univ_annot3 is float64 \(9, 51\).*84",
        seq.parents[1],
        "train",
        sequences=["S2 Seq1"],
        cameras=[4, 8],
    )


def test_training_2d_and_3d_of_different_length(seq):
    held = loadmat(seq / "annot.mat")["annot2"]
    held[4, 0] = held[4, 0][:7]
    rewrite(seq / "annot.mat", annot2=held)
    refused("S2 Seq1, camera 4.*annot2 7, univ_annot3 9", seq.parents[1], "train", **CHOICE)


def test_a_training_set_without_an_annotation(seq):
    rewrite(seq / "annot.mat", univ_annot3=None)
    refused("annot.mat: should hold univ_annot3.*has none", seq.parents[1], "train", **CHOICE)


def test_cells_of_other_cameras(seq):
    rewrite(seq / "annot.mat", cameras=np.arange(13)[None])
    refused("cameras names 13 cameras, and annot2 has 14", seq.parents[1], "train", **CHOICE)
    rewrite(seq / "annot.mat", cameras=np.arange(20, 34)[None])
    refused("annot.mat has no camera 4", seq.parents[1], "train", **CHOICE)


def test_a_truncated_training_mat(seq):
    path = seq / "annot.mat"
    content = path.read_bytes()
    for end in (50, len(content) // 3, len(content) - 9):
        path.write_bytes(content[:end])
        refused("annot.mat.*(damaged|should hold)", seq.parents[1], "train", **CHOICE)


def test_a_calibration_that_is_not_there(seq):
    (seq / "camera.calibration").unlink()
    refused(
        "no camera calibration at .*beside annot.mat",
        seq.parents[1],
        "train",
        DatasetNotFoundError,
        **CHOICE,
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("Skeletool", "Other", "line 1: should be 'Skeletool"),
        ("  size          2048 2048", "  size          2048", "camera 0: should have a size"),
        ("name          3", "name          2", "line 23: name: camera 2 is listed twice"),
        ("name          0\n", "", "line 2: sensor comes before the name"),
        ("name          5", "name          five", "line 37: name: could not convert"),
        ("name          5", "name          5.5", "line 37: name should be the number"),
        ("  intrinsic   1", "  intrinsic   -1", "are no camera's"),
        ("  extrinsic   ", "  extrinsic   5 ", "camera 0: should have a size"),
        ("0 0 1 \n  radial", "0 nan 1 \n  radial", "camera 0: should have"),
        ("  extrinsic   0.", "  extrinsic   5.", "R is no rotation"),
    ],
)
def test_a_calibration_that_is_wrong(tmp_path, before, after, message):
    text = tiny.calibration([tiny.a_camera(50 + c) for c in range(14)])
    path = tmp_path / "camera.calibration"
    path.write_text(text.replace(before, after, 1))
    assert path.read_text() != text

    with pytest.raises(FormatError, match=rf"camera\.calibration.*{message}"):
        read_calibration(path)


def test_a_calibration_that_is_a_picture(tmp_path):
    (tmp_path / "c").write_bytes(bytes(range(256)) * 4000)

    with pytest.raises(FormatError, match="which no camera calibration does"):
        read_calibration(tmp_path / "c")


# P-STMO's


def save_data(folder, data, part="test"):
    array = np.empty((), dtype=object)
    array[()] = data
    np.savez(folder / f"data_{part}_3dhp.npz", data=array)


def test_a_file_that_holds_pickled_code_is_refused_by_name(tmp_path):
    save_data(tmp_path, {"TS1": Attack()})
    refused(r"data_test_3dhp\.npz: data.*asks for posix\.system.*run code", tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid": None}, "TS1: valid should hold 0 or 1"),
        ({"valid": np.ones(3)}, "TS1: arrays of different length.*valid 3"),
        ({"data_2d": np.zeros((12, 16, 2))}, r"TS1: data_2d is float64 \(12, 16, 2\)"),
        ({"data_2d": np.zeros((5, 17, 2))}, "TS1: arrays of different length.*keypoints 5"),
        ({"data_3d": "numbers"}, "TS1: data_3d is no array"),
    ],
)
def test_pstmos_test_file_that_is_wrong(tmp_path, changes, message):
    made = tiny.take(1)
    entry = {"data_2d": made.keypoints, "data_3d": made.universal * 1000, "valid": made.valid}
    save_data(tmp_path, {"TS1": entry | changes})
    refused(message, tmp_path, sequences=["TS1"])


def test_pstmos_joint_counts_that_differ_between_sequences(tmp_path):
    entries = {}
    for name, joints in {"TS1": 17, "TS2": 16}.items():
        made = tiny.take(1)
        arrays = {"data_2d": made.keypoints, "data_3d": made.universal * 1000}
        entries[name] = {key: each[:, :joints] for key, each in arrays.items()}
        entries[name]["valid"] = made.valid
    save_data(tmp_path, entries)
    refused(r"TS2: data_2d is float64 \(12, 16, 2\).*17, 2", tmp_path, sequences=["TS1", "TS2"])


def test_pstmos_file_without_a_sequence(tmp_path):
    tiny.write_pstmo_test(tmp_path, tiny.takes_of_test(("TS1",)))
    refused(
        "TS2, TS3, TS4, TS5, TS6 missing: get .*--partial", tmp_path, error=DatasetNotFoundError
    )


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([1, 2], FormatError, "should hold a dictionary of sequences"),
        ({"S1 Seq1": 3}, FormatError, "S1 Seq1 should be"),
        ({"S1 Seq1": [{"0": {}}, 25]}, DatasetNotFoundError, "no camera 7: choose from 0"),
        ({"S1 Seq1": [{"7": 1}, 25]}, FormatError, "camera 7 should be a dictionary"),
    ],
)
def test_pstmos_training_file_that_is_wrong(tmp_path, data, error, message):
    save_data(tmp_path, data, "train")
    refused(message, tmp_path, "train", error, sequences=["S1 Seq1"], cameras=[7])


# mmpose's


@pytest.fixture
def mm(tmp_path):
    tiny.write_mmpose_test(tmp_path, tiny.takes_of_test(("TS1", "TS2")))
    return tmp_path


def resave(folder, **changes):
    path = folder / "mpi_inf_3dhp_test_valid.npz"
    with np.load(path) as stored:
        arrays = dict(stored) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def repickle(folder, change):
    path = folder / "cameras_test.pkl"
    cameras = pickle.loads(path.read_bytes())
    change(cameras)
    path.write_bytes(pickle.dumps(cameras))


MM = {"sequences": ["TS1", "TS2"]}


def test_cameras_that_hold_code(mm):
    (mm / "cameras_test.pkl").write_bytes(pickle.dumps({"TS1": Attack()}))
    refused(r"cameras_test\.pkl.*asks for posix\.system", mm, **MM)


def test_cameras_that_are_not_there(mm):
    (mm / "cameras_test.pkl").unlink()
    refused("no cameras at .*cameras_test.pkl", mm, error=DatasetNotFoundError, **MM)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c: c.pop("TS2"), DatasetNotFoundError, "has no camera TS2"),
        (lambda c: c["TS2"].pop("f"), FormatError, "TS2: f should be 2 numbers"),
        (lambda c: c["TS1"].update(f=np.full((2, 1), np.inf)), FormatError, "TS1: f should be"),
        (lambda c: c["TS1"].update(w=0), FormatError, "are no camera's"),
        (lambda c: c["TS1"].update(R=np.eye(3) * 2, T=np.zeros(3)), FormatError, "no rotation"),
        (lambda c: c.clear(), FormatError, "should be a dictionary of cameras"),
    ],
)
def test_cameras_that_are_wrong(mm, change, error, message):
    repickle(mm, change)
    refused(message, mm, error=error, **MM)


def test_mmposes_file_that_is_wrong(mm):
    with np.load(mm / "mpi_inf_3dhp_test_valid.npz") as stored:
        names, part = stored["imgname"], stored["part"]
    resave(mm, part=part[:, :16])
    refused("part is .*16, 3", mm, **MM)
    resave(mm, part=part[:-1])
    refused("valid.npz: arrays of different length.*imgname.*part", mm, **MM)
    resave(mm, part=None)
    refused("part is no array", mm, **MM)
    resave(mm, part=part, imgname=np.char.replace(names, "TS1", "S1_Directions"))
    refused("S1_Directions.* in row 0 .*another data set", mm, **MM)
    resave(mm, imgname=np.concatenate([names[:1], names[:1], names[2:]]))
    refused("has image .*TS1.* twice", mm, **MM)
    resave(mm, imgname=np.arange(len(names)))
    refused("imgname is int64", mm, **MM)
    resave(mm, imgname=names)
    refused("TS3, TS4, TS5, TS6 missing", mm, error=DatasetNotFoundError)


def test_mmposes_test_frames_of_which_nothing_says_which_count(mm):
    (mm / "mpi_inf_3dhp_test_valid.npz").rename(mm / "mpi_inf_3dhp_test_all.npz")
    refused("test_all.npz does not state which frames are valid.*mpi_inf_3dhp_test_valid", mm)


def test_a_truncated_npz(mm):
    path = mm / "mpi_inf_3dhp_test_valid.npz"
    path.write_bytes(path.read_bytes()[:-40])
    refused("test_valid.npz.*cut short or damaged", mm, **MM)


def test_joints_are_converted_once(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test(("TS1",)))
    (sequence,) = read_3dhp(tmp_path, "test", sequences=["TS1"])

    with pytest.raises(ShapeError, match="TS1 TS1 has the joints of h36m-17"):
        to_h36m(to_h36m(sequence))
