"""A test set of MPI-INF-3DHP that is wrong: each message names the thing, place and way out."""

import h5py
import numpy as np
import pytest
from helpers import tiny_3dhp as tiny
from helpers.hostile_3dhp import refused


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
