"""Calibration files: against OpenCV's reading of the same numbers, and hostile ones."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.calibration import LARGEST, read_camera, rotation_matrix

CAMERA = """
[cam_01]
name = "left"
size = [1088.0, 1920.0]
matrix = [[1681.2, 0.0, 540.1], [0.0, 1680.9, 961.3], [0.0, 0.0, 1.0]]
distortions = [-0.05, 0.11, 0.0, 0.0]
rotation = [1.3, -0.9, 0.8]
translation = [0.2, 1.1, 4.3]
fisheye = false

[metadata]
adjusted = false
"""
POINTS = np.array([[0.1, 0.2, 1.0], [-0.4, 0.6, 0.3], [0.0, 0.0, 0.0]])


def calibration(folder, text=CAMERA):
    path = folder / "Calib.toml"
    path.write_text(text)
    return path


def test_a_point_falls_where_opencv_says(tmp_path):
    camera = read_camera(calibration(tmp_path))
    K = np.array([[1681.2, 0, 540.1], [0, 1680.9, 961.3], [0, 0, 1]])
    turn, shift = np.array([1.3, -0.9, 0.8]), np.array([0.2, 1.1, 4.3])
    theirs, _ = cv2.projectPoints(POINTS, turn, shift, K, np.array([-0.05, 0.11, 0, 0]))

    ours = camera_to_image(world_to_camera(POINTS, camera), camera)

    np.testing.assert_allclose(ours, theirs[:, 0], atol=1e-6)
    assert camera.size == (1088, 1920)
    assert camera.placed


@given(st.lists(st.floats(-4, 4), min_size=3, max_size=3))
def test_rotation_vectors_turn_as_opencvs(vector):
    np.testing.assert_allclose(
        rotation_matrix(np.array(vector)), cv2.Rodrigues(np.array(vector))[0], atol=1e-9
    )


def test_one_of_several_is_named(tmp_path):
    left = CAMERA.partition("[metadata]")[0]
    path = calibration(tmp_path, left + left.replace("cam_01", "cam_02").replace("left", "r"))

    assert read_camera(path, "r").size == (1088, 1920)
    with pytest.raises(
        FormatError, match=r"holds 2 cameras \(left, r\): say which, as in .*:left"
    ):
        read_camera(path)
    with pytest.raises(FormatError, match="has no camera 'top': there are left, r"):
        read_camera(path, "top")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fisheye = false", "fisheye = true", "left: fisheye lenses are not supported: undistort"),
        ("size = [1088.0, 1920.0]", "size = [0, 1920]", "left: size and matrix are no camera's"),
        ("[0.0, 0.0, 1.0]]", "[0.0, 0.0, 2.0]]", "left: size and matrix are no camera's"),
        ("[0.2, 1.1, 4.3]", "[200.0, 1100.0, 4300.0]", "translation .* give it in metres"),
        ("rotation = [1.3, -0.9, 0.8]", "", "left: has no rotation: add it"),
        ("[1.3, -0.9, 0.8]", "[1.3, nan, 0.8]", "left: rotation should be 3 finite numbers"),
        ("[1.3, -0.9, 0.8]", '"upside down"', "left: rotation should be 3 finite numbers"),
        ("[-0.05, 0.11, 0.0, 0.0]", "[0, 0, 0, 0, 0, 1]", "distortions should be k1, k2, p1, p2"),
        (CAMERA, "[metadata]\nadjusted = true", "holds no camera: give a calibration"),
        (CAMERA, "not = toml = at all", "is no TOML"),
        (CAMERA, "a = " + "[" * 3000, "is no TOML"),
    ],
)
def test_what_is_no_camera_is_said(tmp_path, old, new, said):
    with pytest.raises(FormatError, match=said):
        read_camera(calibration(tmp_path, CAMERA.replace(old, new)))


def test_files_that_cannot_be_one(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"no calibration at .*none.toml: give a .toml"):
        read_camera(tmp_path / "none.toml")
    with pytest.raises(FormatError, match="is too large for a calibration"):
        read_camera(calibration(tmp_path, "#" * (LARGEST + 1)))
