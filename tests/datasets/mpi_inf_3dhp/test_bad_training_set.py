"""A training set of MPI-INF-3DHP that is wrong, or its calibration."""

import numpy as np
import pytest
from helpers import tiny_3dhp as tiny
from helpers.hostile_3dhp import refused
from scipy.io import loadmat, savemat

from graphlift.datasets.mpi_inf_3dhp.cameras import read_calibration
from graphlift.errors import DatasetNotFoundError, FormatError


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
