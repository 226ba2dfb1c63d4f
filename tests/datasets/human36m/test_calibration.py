"""The camera tables against their other publications, geometry, and files that are not theirs."""

import pickle

import numpy as np
import pytest
from helpers.tiny_h36m import CAMERAS, SUBJECTS
from scipy.spatial.transform import Rotation

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.camera_files import read_h36m_pickle, read_metadata_xml
from graphlift.errors import FormatError

TABLE = published_cameras()
WHICH = list(TABLE)

# Human3.6M's metadata.xml in double precision, as published elsewhere than the table: for each
# camera of S1 and S11 Euler angles and position (mm); then f, c, k1 to k3, p1, p2.
PLACES_TEXT = """
S1 0 -1.38382776045614 -3.16734304390158 0.413636308164621
  1841.10702774543 4955.28462344526 1563.4453958977
S1 1 -1.35517119070383 3.13934427144743 2.76026318023792
  1761.27853428116 -5078.00659454077 1606.2649598335
S1 2 -1.35460453835517 -3.09585375458873 -0.415010681416711
  -1846.7776610084 5215.04650469073 1491.97246576518
S1 3 -1.29084725708861 -3.20353825281863 -2.72857298700043
  -1794.78972871109 -3722.69891503676 1574.89272604599
S11 0 -1.38253857374534 -3.18032944555565 0.435684449022933
  2098.44023766473 4926.55465688236 1500.2785741283
S11 1 -1.3670893792209 3.14300994840839 2.74314804826489
  2083.18240070009 -4912.17282366308 1561.0785790774
S11 2 -1.33953525239742 -3.10064240051082 -0.434419468030056
  -1609.81534310074 5177.33597262935 1537.89671533582
S11 3 -1.3052820100275 -3.20681865219712 -2.73759301328735
  -1590.73799072229 -3854.16900368964 1578.01760714384
"""
LENSES_TEXT = """
1145.04940458804 1143.78109572365 512.541504956548 515.4514869776
  -0.207098910824901 0.247775183068982 -0.00307515035078854
  -0.00142447157470321 -0.000975698859470499
1149.67569986785 1147.59161666764 508.848621645943 508.064917088557
  -0.194213629607385 0.240408539138292 0.00681997559022603 -0.0027408943961907 -0.001619026613787
1149.14071676148 1148.7989685676 519.815837182153 501.402658888552
  -0.208338188251856 0.255488007488945
  -0.00246049749891915 -0.000759999321030303 0.00148438698385668
1145.51133842318 1144.77392807652 514.968197319863 501.882018537695
  -0.198384093827848 0.218323676298049
  -0.00894780704152122 -0.00181336200488089 -0.000587205583421232
"""
WORDS = PLACES_TEXT.split()
PLACES = {
    (WORDS[i], int(WORDS[i + 1])): tuple(map(float, WORDS[i + 2 : i + 8]))
    for i in range(0, len(WORDS), 8)
}
LENSES = np.array(LENSES_TEXT.split(), dtype=float).reshape(4, 9).tolist()


def metadata(w0, before=""):
    numbers = " ".join(map(repr, w0))
    return f"<?xml version='1.0'?>{before}<db><other>1 2</other><w0>[{numbers}]</w0></db>"


def w0_of_table():
    """300 numbers: the published ones of S1 and S11, and for the others those of our table."""
    w0 = []
    for c, name in enumerate(CAMERAS):
        for s in range(1, 12):
            camera = TABLE.get((f"S{s}", name))
            place = PLACES.get((f"S{s}", c))
            if place is None and camera is not None:
                angles = Rotation.from_matrix(camera.R).as_euler("XYZ")
                place = (*angles, *(camera.position * 1000))
            w0 += place or (0.0,) * 6
    return [*map(float, w0), *(n for lens in LENSES for n in lens)]


def test_there_is_a_camera_for_each_subject_and_name():
    assert [(s, c) for s in SUBJECTS for c in CAMERAS] == WHICH


@pytest.mark.parametrize("which", WHICH, ids="/".join)
def test_a_camera_stands_in_the_room_and_looks_into_it(which):
    camera = TABLE[which]
    away = np.linalg.norm(camera.position[:2])
    to_middle = np.array([0, 0, 1.0]) - camera.position
    cosine = camera.R[2] @ to_middle / np.linalg.norm(to_middle)

    np.testing.assert_allclose(camera.R @ camera.R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.R) == pytest.approx(1)
    assert 1.4 < camera.position[2] < 1.7
    assert 4 < away < 6
    assert cosine > np.cos(np.deg2rad(15))
    assert camera.R[1, 2] < -0.9, "its y axis points down"
    assert abs(camera.R[0, 2]) < np.sin(np.deg2rad(6)), "its x axis is nearly level"


def test_the_four_stand_in_four_corners():
    for subject in SUBJECTS:
        corners = {tuple(np.sign(TABLE[subject, c].position[:2])) for c in CAMERAS}
        assert len(corners) == 4


def test_the_table_is_what_metadata_xml_says_in_euler_angles():
    for (subject, c), (*angles, x, y, z) in PLACES.items():
        camera = TABLE[subject, CAMERAS[c]]
        turned = Rotation.from_euler("XYZ", angles).as_matrix()
        np.testing.assert_allclose(camera.R, turned, atol=1e-6)
        np.testing.assert_allclose(camera.position * 1000, [x, y, z], atol=1e-3)
        lens = (*camera.focal, *camera.centre, *camera.radial, *camera.tangential)
        np.testing.assert_allclose(lens, LENSES[c], rtol=2e-7, atol=1e-8)


def test_the_first_camera_turns_as_printed_in_tutorials():
    printed = [
        [-0.91536173, 0.40180837, 0.02574754],
        [0.05154812, 0.18037357, -0.98224649],
        [-0.39931903, -0.89778361, -0.18581953],
    ]

    np.testing.assert_allclose(TABLE["S1", "54138969"].R, printed, atol=1e-7)


# World to camera, x and y axis, of subjects whose Euler angles are not above: matrices as printed
# in the code of a third publication, to six decimals.
AXES_TEXT = """
S5 0 -0.904207 0.426578 0.020973 0.063905 0.183686 -0.980905
S5 1 0.922212 0.386491 0.012274 0.093332 -0.191672 -0.977011
S6 1 0.919736 0.392099 0.018525 0.101478 -0.191915 -0.976151
S6 2 -0.916578 -0.393935 -0.068561 -0.019845 0.216071 -0.976176
S6 3 0.918295 -0.385077 0.091924 -0.015535 -0.267061 -0.963554
S7 0 -0.905576 0.423927 0.014752 0.068628 0.180744 -0.981133
S7 1 0.921264 0.388601 0.016175 0.099223 -0.194612 -0.975849
S7 2 -0.924507 -0.375556 -0.065150 -0.018955 0.216011 -0.976207
S7 3 0.922835 -0.374400 0.090550 -0.014982 -0.269787 -0.962804
S8 0 -0.911569 0.410649 0.020203 0.060908 0.183474 -0.981136
S8 2 -0.920908 -0.384736 -0.062513 -0.025681 0.219920 -0.975180
S8 3 0.927667 -0.363606 0.084996 -0.016663 -0.267704 -0.963357
S9 0 -0.903349 0.426912 0.041321 0.041531 0.182951 -0.982244
S9 1 0.931572 0.363483 -0.007329 0.068101 -0.194267 -0.978582
S9 2 -0.926934 -0.373230 -0.038622 -0.047260 0.218240 -0.974750
S9 3 0.915461 -0.397346 0.063622 -0.049406 -0.267892 -0.962181
"""


@pytest.mark.parametrize("line", AXES_TEXT.strip().splitlines())
def test_the_others_turn_as_printed_elsewhere(line):
    subject, c, *axes = line.split()

    printed = np.array(axes, dtype=float).reshape(2, 3)

    np.testing.assert_allclose(TABLE[subject, CAMERAS[int(c)]].R[:2], printed, atol=2e-6)


# The rest of these subjects from the same publication: positions in mm, camera by camera, and the
# quaternions (w, x, y, z; camera to world) of which it prints no matrix, or another camera's.
POSITIONS_TEXT = """
S5 2097.392 4880.945 1605.732 2031.701 -5167.933 1612.923
  -1620.595 5171.659 1496.437 -1637.174 -3867.317 1547.033
S6 1935.452 4950.246 1618.084 1969.804 -5128.739 1632.779
  -1769.596 5185.361 1476.993 -1721.669 -3884.131 1540.488
S7 1974.513 4926.354 1597.833 1937.058 -5119.790 1631.567
  -1741.811 5208.250 1464.825 -1734.711 -3832.421 1548.583
S8 2150.652 4896.161 1611.905 2219.966 -5148.453 1613.044
  -1571.222 5137.019 1498.176 -1476.913 -3896.741 1547.972
S9 2044.458 4935.117 1481.228 1990.960 -5123.811 1568.805
  -1670.992 5211.986 1528.388 -1696.043 -3827.100 1591.413
"""
QUATERNIONS = {
    ("S5", 2): (0.142914, -0.129078, 0.767838, -0.611014),
    ("S5", 3): (0.592048, -0.781422, 0.127475, -0.150364),
    ("S6", 0): (0.133790, -0.156924, -0.757109, 0.619888),
    ("S8", 1): (0.616960, -0.764767, -0.148464, 0.111582),
}


def test_the_others_stand_as_printed_elsewhere():
    words = POSITIONS_TEXT.split()
    for start in range(0, len(words), 13):
        subject, *numbers = words[start : start + 13]
        for name, position in zip(CAMERAS, np.array(numbers, float).reshape(4, 3), strict=True):
            np.testing.assert_allclose(TABLE[subject, name].position * 1000, position, atol=6e-4)


@pytest.mark.parametrize("which", QUATERNIONS, ids=str)
def test_the_last_four_turn_as_printed_elsewhere(which):
    w, *xyz = QUATERNIONS[which]
    to_world = Rotation.from_quat([*xyz, w]).as_matrix()

    np.testing.assert_allclose(TABLE[which[0], CAMERAS[which[1]]].R, to_world.T, atol=5e-6)


@pytest.mark.parametrize("which", [("S1", "55011271"), ("S9", "60457274")])
def test_a_point_projects_as_the_published_formulas_say(which):
    """VideoPose3D's formula, p in its order (p2, p1), written out number by number."""
    camera = TABLE[which]
    x, y, z = world_to_camera(np.array([0.3, -0.4, 1.1]), camera)
    p = camera.tangential[::-1]
    k = camera.radial
    u, v = x / z, y / z
    r2 = u * u + v * v
    bend = 1 + k[0] * r2 + k[1] * r2**2 + k[2] * r2**3 + (p[0] * u + p[1] * v)
    expected = (
        camera.focal[0] * (u * bend + p[0] * r2) + camera.centre[0],
        camera.focal[1] * (v * bend + p[1] * r2) + camera.centre[1],
    )

    got = camera_to_image(np.array([x, y, z]), camera)

    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_metadata_xml_gives_the_same_cameras(tmp_path):
    path = tmp_path / "metadata.xml"
    path.write_text(metadata(w0_of_table()))

    cameras = read_metadata_xml(path)

    assert set(cameras) == set(TABLE)
    for which, camera in cameras.items():
        np.testing.assert_allclose(camera.R, TABLE[which].R, atol=1e-6)
        np.testing.assert_allclose(camera.position, TABLE[which].position, atol=1e-6)
        np.testing.assert_allclose(camera.tangential, TABLE[which].tangential, atol=1e-9)
        assert camera.size == TABLE[which].size


@pytest.mark.parametrize(
    "before",
    [
        '<!DOCTYPE db [<!ENTITY a "0"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE db SYSTEM "file:///etc/passwd">',
    ],
)
def test_xml_with_a_document_type_is_refused(tmp_path, before):
    path = tmp_path / "metadata.xml"
    path.write_text(metadata(w0_of_table(), before))

    with pytest.raises(FormatError, match=r"metadata\.xml: .*DOCTYPE.*remove the declaration"):
        read_metadata_xml(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (metadata([1.0] * 264), "distortion; it holds 264.*published calibration"),
        (metadata([1.0] * 299 + [float("nan")]), "300 numbers"),
        ("<db><w0>[a b]</w0></db>", "it holds 0"),
        ("<db></db>", "it holds 0"),
        ("<db><w0>[1 2", "is no XML, or damaged"),
        ("", "is no XML, or damaged"),
    ],
)
def test_damaged_metadata_is_refused(tmp_path, text, words):
    path = tmp_path / "metadata.xml"
    path.write_text(text)

    with pytest.raises(FormatError, match=rf"metadata\.xml.*{words}"):
        read_metadata_xml(path)


def mmpose_cameras(**changes):
    """As mmpose's preprocess_h36m.py makes them: R turns camera axes into the world's; T in m."""
    return {
        (f"S{s}", name): {
            "R": camera.R.T,
            "T": camera.position[:, None],
            "c": np.array(camera.centre)[:, None],
            "f": np.array(camera.focal)[:, None],
            "k": np.array(camera.radial)[:, None],
            "p": np.array(camera.tangential)[:, None],
            "w": camera.size[0],
            "h": camera.size[1],
            "name": "camera1",
            "id": name,
        }
        | changes
        for s in range(1, 12)
        for name in CAMERAS
        for camera in [TABLE.get((f"S{s}", name), TABLE["S1", name])]
    }


def test_mmposes_cameras_are_the_same(tmp_path):
    path = tmp_path / "cameras.pkl"
    path.write_bytes(pickle.dumps(mmpose_cameras()))

    cameras = read_h36m_pickle(path)

    for which, camera in cameras.items():
        np.testing.assert_allclose(camera.R, TABLE[which].R, atol=1e-12)
        np.testing.assert_allclose(camera.position, TABLE[which].position)
        assert camera.tangential == TABLE[which].tangential


class Attack:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize(
    ("cameras", "words"),
    [
        (mmpose_cameras(k=None), "camera 54138969 of S1: k should be 3 numbers"),
        (mmpose_cameras(p=np.zeros(1)), "p should be 2 numbers"),
        (mmpose_cameras(f=np.array([1.0, np.nan])), "f should be 2"),
        (mmpose_cameras(R=np.ones((3, 3))), "R is no rotation"),
        ({("S1", "54138969"): 3}, "camera 54138969 of S1: f should be"),
        ([1], "should be a dictionary"),
        ({"S1": Attack()}, r"asks for (builtins|__builtin__)\.print"),
    ],
)
def test_mmposes_cameras_with_something_wrong_are_refused(tmp_path, capsys, cameras, words):
    path = tmp_path / "cameras.pkl"
    path.write_bytes(pickle.dumps(cameras))

    with pytest.raises(FormatError, match=rf"cameras\.pkl.*{words}"):
        read_h36m_pickle(path)
    assert capsys.readouterr().out == ""
