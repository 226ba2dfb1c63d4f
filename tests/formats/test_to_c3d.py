from dataclasses import replace

import ezc3d
import numpy as np
import pytest
from helpers.readback import moving, standing

from graphlift.errors import FormatError
from graphlift.formats.to_c3d import write_c3d
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17, Skeleton

DOT = Skeleton("dot", ("Dot",), (-1,), "Dot")


def read(path):
    file = ezc3d.c3d(str(path))
    return file, file["parameters"]["POINT"], file["data"]


def test_labels_rate_and_positions_are_read_by_ezc3d(tmp_path):
    poses = replace(moving(frames=11), fps=59.94)

    write_c3d(tmp_path / "x.c3d", poses)

    file, point, data = read(tmp_path / "x.c3d")
    assert point["LABELS"]["value"] == list(H36M_17.joints)
    assert point["RATE"]["value"][0] == pytest.approx(59.94)
    assert file["header"]["points"]["frame_rate"] == pytest.approx(59.94)
    assert (point["FRAMES"]["value"][0], point["USED"]["value"][0]) == (11, 17)
    expected = poses.positions[:, 0].transpose(2, 1, 0) * 1000
    np.testing.assert_allclose(data["points"][:3], expected, atol=1e-3)
    assert (data["meta_points"]["residuals"] == 0).all()


def test_missing_points_have_residual_minus_one_and_lie_at_the_origin(tmp_path):
    poses = moving(frames=5)
    holes = poses.positions.copy()
    holes[2, 0, 4] = np.nan
    holes[3] = np.nan

    remarks = write_c3d(tmp_path / "x.c3d", replace(poses, positions=holes))

    assert "Points are missing in 2 of 5 frames (2-3): their residual is -1." in remarks
    _, _, data = read(tmp_path / "x.c3d")
    residuals = data["meta_points"]["residuals"][0].T
    np.testing.assert_array_equal(residuals == -1, np.isnan(holes[:, 0]).any(axis=-1))
    raw = np.frombuffer((tmp_path / "x.c3d").read_bytes(), "<f4")
    assert np.isfinite(raw[-5 * 17 * 4 :]).all()


def test_labels_say_whose_joint_it_is_if_there_are_several_people(tmp_path):
    write_c3d(tmp_path / "x.c3d", moving(frames=2, people=("Ada", "Ünal Öz")))

    labels = read(tmp_path / "x.c3d")[1]["LABELS"]["value"]
    assert labels[0] == "Ada:Hip"
    assert labels[-1] == "_nal__z:RWrist"


def test_a_crowd_has_more_labels_than_one_parameter_holds(tmp_path):
    positions = np.random.default_rng(0).normal(size=(3, 20, 17, 3))
    people = tuple(f"p{i}" for i in range(20))
    poses = Poses(positions, H36M_17, axes="world", fps=30.0, people=people)

    write_c3d(tmp_path / "x.c3d", poses)

    _, point, data = read(tmp_path / "x.c3d")
    labels = point["LABELS"]["value"] + point["LABELS2"]["value"]
    assert labels == [f"{person}:{joint}" for person in people for joint in H36M_17.joints]
    expected = positions.reshape(3, -1, 3).transpose(2, 1, 0) * 1000
    np.testing.assert_allclose(data["points"][:3], expected, atol=1e-3)


def test_too_large_a_crowd_is_refused(tmp_path):
    people = tuple(map(str, range(100)))

    with pytest.raises(FormatError, match=r"x\.c3d: 1700 points.*one person at a time"):
        write_c3d(tmp_path / "x.c3d", Poses(np.zeros((1, 100, 17, 3)), H36M_17, people=people))


def test_long_clips_say_their_length_beyond_sixteen_bits(tmp_path):
    positions = np.arange(70_000 * 3, dtype=float).reshape(-1, 1, 1, 3) / 1e5
    poses = Poses(positions, DOT, axes="world", rooted=False, fps=50.0)

    write_c3d(tmp_path / "x.c3d", poses)

    file, point, data = read(tmp_path / "x.c3d")
    assert point["LONG_FRAMES"]["value"] == [70_000]
    end = file["parameters"]["TRIAL"]["ACTUAL_END_FIELD"]["value"]
    assert list(end) == [70_000 - 65_536, 1]
    assert data["points"].shape == (4, 1, 70_000)
    np.testing.assert_allclose(data["points"][:3, 0, -1], positions[-1, 0, 0] * 1000, rtol=1e-6)


def test_the_file_is_made_of_whole_blocks(tmp_path):
    write_c3d(tmp_path / "x.c3d", standing())

    content = (tmp_path / "x.c3d").read_bytes()
    assert len(content) % 512 == 0
    assert content[:2] == bytes([2, 80])
