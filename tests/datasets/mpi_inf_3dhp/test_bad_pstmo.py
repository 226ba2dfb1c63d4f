"""P-STMO's files of MPI-INF-3DHP that are wrong."""

import numpy as np
import pytest
from helpers import tiny_3dhp as tiny
from helpers.hostile_3dhp import Attack, refused

from graphlift.errors import DatasetNotFoundError, FormatError


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
