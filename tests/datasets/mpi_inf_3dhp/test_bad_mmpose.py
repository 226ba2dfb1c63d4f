"""mmpose's files of MPI-INF-3DHP that are wrong."""

import pickle

import numpy as np
import pytest
from helpers import tiny_3dhp as tiny
from helpers.hostile_3dhp import Attack, refused

from graphlift.errors import DatasetNotFoundError, FormatError


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
