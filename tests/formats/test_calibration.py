"""Calibration files: against OpenCV's projection with the same numbers, and hostile ones."""

import re

import cv2
import numpy as np
import pytest
from helpers.command import assert_refused, here
from hypothesis import given
from hypothesis import strategies as st

from graphlift.cameras import camera_to_image, image_to_rays, look_at, world_to_camera
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.calibration import LARGEST, read_camera, read_cameras

CAMERA = """
[cam_01]
name = "left"
size = [1088.0, 1920.0]
matrix = [[1681.2, 0.0, 540.1], [0.0, 1680.9, 961.3], [0.0, 0.0, 1.0]]
distortions = [-0.05, 0.11, 0.001, -0.002]
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
    theirs, _ = cv2.projectPoints(POINTS, turn, shift, K, np.array([-0.05, 0.11, 0.001, -0.002]))

    ours = camera_to_image(world_to_camera(POINTS, camera), camera)

    np.testing.assert_allclose(ours, theirs[:, 0], atol=1e-6)
    assert camera.size == (1088, 1920)
    assert camera.placed


@pytest.mark.parametrize("vector", [(0, 0, 0), (1e-13, 0, 0), (0.3, -2.0, 1.5), (3.1, 0, -0.1)])
def test_rotation_vectors_turn_as_opencvs(tmp_path, vector):
    text = re.sub(r"(?m)^rotation = .*$", f"rotation = {[float(n) for n in vector]}", CAMERA)

    camera = read_camera(calibration(tmp_path, text))

    np.testing.assert_allclose(camera.R, cv2.Rodrigues(np.array(vector, float))[0], atol=1e-9)


def test_one_of_several_is_named(tmp_path):
    left = CAMERA.partition("[metadata]")[0]
    path = calibration(tmp_path, left + left.replace("cam_01", "cam_02").replace("left", "r"))

    assert read_camera(path, "r").size == (1088, 1920)
    with pytest.raises(FormatError, match=r"holds 2 cameras \(left, r\): .* .*:left"):
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
        ("[[1681.2, 0.0,", "[[1681.2, 90.0,", "left: matrix has a skew of 90 px"),
        ("[1.3, -0.9, 0.8]", "[1.5, 1e8, 0]", "left: rotation .* more than a whole turn"),
        ("1681.2, 0.0, 540.1", "1e8, 0.0, 540.1", "left: size and matrix are no camera's"),
        ("1681.2, 0.0, 540.1", "1681.2, 0.0, 54e5", "left: the principal point .* far outside"),
        ("[-0.05, 0.11,", "[-0.05, 1e8,", "left: distortions .* are no lens'"),
        ("[metadata]", "[b]\nname = 'left'\nmatrix = 1", "two cameras are called 'left'"),
        ("rotation = [1.3, -0.9, 0.8]", "", "left: has no rotation: add it"),
        ("[1.3, -0.9, 0.8]", "[1.3, nan, 0.8]", "left: rotation should be 3 finite numbers"),
        ("[1.3, -0.9, 0.8]", '"upside down"', "left: rotation should be 3 finite numbers"),
        (
            "[-0.05, 0.11, 0.001, -0.002]",
            "[0, 0, 0, 0, 0, 1]",
            "distortions should be k1, k2, p1, p2",
        ),
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
    with pytest.raises(FormatError, match=r"Calib\.xml: is no calibration that is known: give"):
        read_camera(calibration(tmp_path).rename(tmp_path / "Calib.xml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match=r"bytes\.toml: is no text"):
        read_camera(tmp_path / "bytes.toml")


def test_rays_undo_opencvs_distortion(tmp_path):
    camera = read_camera(calibration(tmp_path))
    grid = np.stack(np.meshgrid(np.linspace(0, 1088, 5), np.linspace(0, 1920, 5)), axis=-1)
    K = np.array([[1681.2, 0, 540.1], [0, 1680.9, 961.3], [0, 0, 1]])
    # OpenCV 4 has a name of its own for more than five iterations.
    undistort = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)
    theirs = undistort(
        grid.reshape(-1, 1, 2), K, np.array([-0.05, 0.11, 0.001, -0.002]),
        R=np.eye(3), P=np.eye(3), criteria=(cv2.TERM_CRITERIA_COUNT, 50, 0),
    )  # fmt: skip

    np.testing.assert_allclose(image_to_rays(grid.reshape(-1, 2), camera), theirs[:, 0], atol=1e-7)


# Qualisys

QUALISYS = """<?xml version='1.0' encoding='ASCII'?>
<calibration><results/><cameras><camera serial="cam01">
<fov_video bottom="1919" left="3" right="1090" top="2"/>
<transform r11="{r[0][0]}" r12="{r[0][1]}" r13="{r[0][2]}" r21="{r[1][0]}" r22="{r[1][1]}"
 r23="{r[1][2]}" r31="{r[2][0]}" r32="{r[2][1]}" r33="{r[2][2]}" x="4000" y="-500" z="1500"/>
<intrinsic centerPointU="33920" centerPointV="60800" focalLengthU="108800" focalLengthV="108160"
 radialDistortion1="-0.05" radialDistortion2="0.14" radialDistortion3="0" skew="0"
 tangentalDistortion1="0.0006" tangentalDistortion2="0.0007"/>
</camera></cameras></calibration>"""
LEVEL = look_at(np.array([4, -0.5, 1.5]), np.array([0.0, 0.0, 1.0]))
"""Our R of that camera; its own axes are x right, y up, z backward, as rows of its matrix."""


def qualisys(folder, old="", new=""):
    theirs = np.round(np.stack([LEVEL[0], -LEVEL[1], -LEVEL[2]]), 6)
    path = folder / "Calib.qca.txt"
    path.write_text(QUALISYS.format(r=theirs.tolist()).replace(old, new))
    return path


def test_a_qualisys_camera_is_read_into_our_axes(tmp_path):
    ((name, read),) = read_cameras(qualisys(tmp_path)).items()

    assert name == "cam01"
    np.testing.assert_allclose(read.R, LEVEL, atol=2e-6)  # the file has six decimals
    np.testing.assert_allclose(read.R @ read.R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(read.position, [4, -0.5, 1.5], atol=1e-5)
    assert read.focal == (1700, 1690)
    assert read.centre == (530 - 3, 950 - 2)
    assert read.size == (1088, 1918)
    assert (read.radial, read.tangential) == ((-0.05, 0.14, 0), (0.0006, 0.0007))
    # What is before the camera is seen where it aims; what is above is higher in the image.
    low, high = camera_to_image(
        world_to_camera(np.array([[0, 0, 1.0], [0, 0, 2.0]]), read), read
    )  # fmt: skip
    np.testing.assert_allclose(low, read.centre, atol=0.1)
    assert high[1] < low[1]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<calibration>", "<!DOCTYPE a [<!ENTITY b 'c'>]><calibration>", "declares entities"),
        ("</calibration>", "", "is no calibration of Qualisys"),
        ("camera ", "lens ", "is no calibration of Qualisys"),
        ("cameras>", "things>", "has no <camera> in <cameras>"),
        ("fov_video", "fov", "camera cam01: has no <fov_video>"),
        ('x="4000"', 'x="4_000"', "camera cam01: <transform> has no number x"),
        ('x="4000"', 'x="inf"', "camera cam01: <transform> has no number x"),
        ('r11="', 'r11="9', "cam01: rotation is no rotation matrix"),
        ('skew="0"', 'skew="6400"', "cam01: matrix has a skew of 100 px"),
        ('y="-500"', 'y="-5e9"', "cam01: translation .* give it in metres"),
    ],
)
def test_what_is_no_qualisys_calibration_is_said(tmp_path, old, new, said):
    with pytest.raises(FormatError, match=said):
        read_camera(qualisys(tmp_path, old, new))


def test_two_qualisys_cameras_of_one_serial_are_refused(tmp_path):
    camera = QUALISYS[QUALISYS.index("<camera ") : QUALISYS.index("</cameras>")]

    with pytest.raises(FormatError, match="two cameras are called 'cam01'"):
        read_camera(qualisys(tmp_path, "</cameras>", f"{camera.format(r=np.eye(3))}</cameras>"))


def test_a_camera_is_named_behind_any_kind_of_file(tmp_path):
    names = [qualisys(tmp_path), opencv(tmp_path / "lens.yaml"), calibration(tmp_path)]
    (tmp_path / "k.json").touch()

    for path in names:
        said = here(
            "lift", tmp_path / "k.json", "-o", tmp_path / "x.npz", "--camera", f"{path}:top"
        )
        assert_refused(said, f"{path}: has no camera 'top'")


# OpenCV's YAML

ROS = """
image_width: 1280
image_height: 720
camera_name: left
camera_matrix:
  rows: 3
  cols: 3
  data: [1000.5, 0, 640.25, 0, 1001, 360, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.1, 0.02, 0.001, -0.002, 0.003]
projection_matrix:
  rows: 3
  cols: 4
  data: [990, 0, 640, 0, 0, 990, 360, 0, 0, 0, 1, 0]
"""
MESSAGE = """header:
  frame_id: left
height: 720
width: 1280
distortion_model: plumb_bob
d:
- -0.1
- 0.02
- 0.001
- -0.002
- 0.003
k:
- 1000.5
- 0.0
- 640.25
- 0.0
- 1001.0
- 360.0
- 0.0
- 0.0
- 1.0
roi:
  x_offset: 0
  height: 0
---
"""
LENS = np.array([-0.1, 0.02, 0.001, -0.002, 0.003])
MATRIX = np.array([[1000.5, 0, 640.25], [0, 1001, 360], [0, 0, 1]])


def opencv(path):
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    file.write("calibration_time", 'Sun "29": 12')
    file.write("image_width", 1280)
    file.write("image_height", 720)
    file.write("camera_matrix", MATRIX)
    file.write("distortion_coefficients", LENS[:, None])
    file.write("avg_reprojection_error", 0.31)
    file.release()
    return path


@pytest.mark.parametrize("kind", ["opencv", "old opencv", "ros", "ros message"])
def test_a_lens_of_opencv_or_ros_projects_as_opencv(tmp_path, kind):
    path = tmp_path / "lens.yaml"
    if "opencv" in kind:
        text = opencv(path).read_text()
        if kind == "old opencv":
            path.write_text("%YAML:1.0\n" + text.partition("\n")[2])
    else:
        path.write_text(ROS if kind == "ros" else MESSAGE)
    points = np.array([[0.3, 0.2, 2.0], [-0.8, 0.5, 2.5], [0.0, -0.4, 1.5]])
    theirs, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), MATRIX, LENS)

    camera = read_camera(path)

    np.testing.assert_allclose(camera_to_image(points, camera), theirs[:, 0], atol=1e-9)
    assert camera.size == (1280, 720)
    assert not camera.placed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("plumb_bob", "equidistant", "left: fisheye lenses are not supported"),
        ("plumb_bob", "division", "distortion_model 'division' is not known"),
        ("0.003]", "0.003, 0, 0, 0.1]", "left: distortions should be k1, k2, p1, p2"),
        ("0.02", "nan", "left: distortions should be 5 finite numbers"),
        ("0.02", "1_0", "distortion_coefficients: '1_0' is no number"),
        ("0.02", "!!python/object:os.system", "'!!python/object:os.system' is no number"),
        ("[1000.5, 0,", "[1000.5, 7,", "left: matrix has a skew of 7 px"),
        ("0, 0, 1]", "0, 0]", "camera_matrix has 8 numbers, not 3 × 3"),
        ("image_width: 1280", "", "has no image_width: add it"),
        ("image_width: 1280", "image_width: [1280]", "has no image_width: add it"),
        ("image_width: 1280", "image_width: 1280\nimage_width: 9", "line .*image_width"),
        ("data: [1000", "date: [1000", "has no camera_matrix with numbers"),
        ("image_width: 1280", "&a [*a, *a]", "line 2: .* is nothing that OpenCV or ROS write"),
        ("camera_name: left", "- 1\nimage_height:\n- 2", "line 4: a list .* '720'"),
    ],
)
def test_what_is_no_opencv_calibration_is_said(tmp_path, old, new, said):
    path = tmp_path / "lens.yml"
    path.write_text(ROS.replace(old, new))

    with pytest.raises(FormatError, match=said):
        read_camera(path)


@given(st.text(max_size=200), st.integers(0, len(ROS)))
def test_any_text_in_a_calibration_is_read_or_refused(tmp_path_factory, text, at):
    path = tmp_path_factory.mktemp("yaml") / "lens.yaml"
    path.write_text(ROS[:at] + text + ROS[at:], encoding="utf-8", errors="replace")

    try:
        camera = read_camera(path)
    except FormatError:
        return
    assert np.isfinite([*camera.focal, *camera.centre, *camera.radial]).all()
