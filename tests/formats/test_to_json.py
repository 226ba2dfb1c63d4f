import json
from dataclasses import replace

import numpy as np
from helpers.readback import CAMERA, moving, standing

from graphlift.formats import to_json
from graphlift.formats.to_json import write_json
from graphlift.skeletons import H36M_17


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_it_says_what_it_is(tmp_path):
    poses = replace(standing("camera"), camera=CAMERA, model="open", notes=("Größe bekannt.",))

    write_json(tmp_path / "x.json", poses)

    file = read(tmp_path / "x.json")
    assert file["units"] == "m"
    right = {"x": "right", "y": "down", "z": "forward"}
    assert file["axes"] == {"name": "camera", **right, "handedness": "right"}
    assert file["rooted"] is False
    assert (file["fps"], file["people"], file["model"]) == (25.0, ["Ada"], "open")
    assert file["notes"] == ["Größe bekannt."]
    assert file["skeleton"]["joints"] == list(H36M_17.joints)
    assert file["skeleton"]["parents"] == list(H36M_17.parents)
    np.testing.assert_array_equal(file["camera"]["R"], CAMERA.R)
    assert file["camera"]["focal"] == [1000.0, 1001.5]


def test_missing_joints_are_null_and_no_frame_is_left_out(tmp_path):
    poses = moving(frames=4, people=("Ada", "Bo"))
    positions, sigma = poses.positions.copy(), np.full((4, 2, 17), 0.0123)
    positions[1, 0, 3] = np.nan
    positions[2, 1] = np.nan
    sigma[0, 0, 0] = np.nan

    write_json(tmp_path / "x.json", replace(poses, positions=positions, sigma=sigma))

    frames = read(tmp_path / "x.json")["frames"]
    assert [frame["frame"] for frame in frames] == [0, 1, 2, 3]
    assert frames[1]["people"][0]["positions"][3] is None
    assert frames[2]["people"][1]["positions"] == [None] * 17
    assert frames[0]["people"][0]["sigma"][:2] == [None, 0.0123]
    assert frames[0]["people"][0]["seen"] == [True] * 17
    np.testing.assert_allclose(frames[3]["people"][1]["positions"], positions[3, 1], atol=5e-7)


def test_long_clips_are_written_in_parts_without_a_seam(tmp_path, monkeypatch):
    write_json(tmp_path / "x.json", moving(frames=9))

    monkeypatch.setattr(to_json, "CHUNK", 4)
    write_json(tmp_path / "y.json", moving(frames=9))

    assert (tmp_path / "x.json").read_text() == (tmp_path / "y.json").read_text()
