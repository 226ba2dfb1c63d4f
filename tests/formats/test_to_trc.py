from dataclasses import replace

import numpy as np
from helpers.readback import OUTSIDE_READERS, moving, standing

from graphlift.formats.to_trc import write_trc
from graphlift.skeletons import H36M_17


def test_the_header_is_opensims(tmp_path):
    write_trc(tmp_path / "x.trc", replace(standing(), fps=29.97))

    lines = (tmp_path / "x.trc").read_text().split("\n")
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\tx.trc"
    assert lines[1] == (
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\t"
        "OrigNumFrames"
    )
    assert lines[2] == "29.97\t29.97\t2\t17\tmm\t29.97\t1\t2"
    assert lines[3].startswith("Frame#\tTime\tHip\t\t\tRHip\t\t\tRKnee\t\t\t")
    assert "\tNeck_Nose\t" in lines[3]  # OpenSim takes a slash for a path
    assert lines[4].startswith("\t\tX1\tY1\tZ1\tX2\t")
    assert lines[5] == ""
    assert lines[6].startswith("1\t0.000000\t1000.00000\t920.00000\t-2000.00000\t")
    assert lines[7].startswith("2\t0.033367\t")
    assert {line.count("\t") for line in (lines[3], *lines[6:8])} >= {1 + 3 * 17}
    assert lines[8:] == [""]


def test_missing_joints_are_empty_fields_and_said(tmp_path):
    poses = moving(frames=6)
    holes = poses.positions.copy()
    holes[1, 0, 3] = np.nan
    holes[4:] = np.nan

    remarks = write_trc(tmp_path / "x.trc", replace(poses, positions=holes))

    said = "Person 0 lacks joints in 3 of 6 frames (1, 4-5): their fields are empty."
    assert said in remarks
    (person,), _ = OUTSIDE_READERS["trc"](tmp_path / "x.trc")
    x, y, z = holes[:, 0].transpose(2, 0, 1)
    for i, joint in enumerate(H36M_17.joints):
        expected = np.stack([x[:, i], z[:, i], -y[:, i]], axis=-1)
        np.testing.assert_allclose(person[joint], expected, atol=1e-6)
    last = (tmp_path / "x.trc").read_text().split("\n")[-2]
    assert last == f"6\t{5 / 30:.6f}\t" + "\t" * (3 * 17 - 1)


def test_who_is_never_there_has_no_file(tmp_path):
    poses = moving(frames=3, people=("Ada", "Bo"))
    holes = poses.positions.copy()
    holes[:, 1] = np.nan

    remarks = write_trc(tmp_path / "x.trc", replace(poses, positions=holes))

    assert "Person Bo is in no frame: left out." in remarks
    assert [path.name for path in tmp_path.iterdir()] == ["x.trc"]
