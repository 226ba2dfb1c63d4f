"""Several poses for one in files: exact in .npz, to six decimals in .json, told of elsewhere."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.readback import CAMERA, moving

from graphlift.errors import FormatError
from graphlift.formats import read_poses, write_poses
from graphlift.hypotheses import Hypotheses


@pytest.fixture
def poses(rng):
    """Two people, one of them away in a frame."""
    positions = rng.normal(size=(4, 2, 3, 17, 3)).astype(np.float32)
    weights = rng.dirichlet(np.ones(3), (4, 2)).astype(np.float32)
    sigma = rng.uniform(0.05, 0.5, (4, 2, 3)).astype(np.float32)
    for array in (positions, weights, sigma):
        array[2, 1] = np.nan
    people = moving(frames=4, people=("Ada", "Bo"))
    return replace(people, camera=CAMERA, hypotheses=Hypotheses(positions, weights, sigma))


@pytest.mark.parametrize(("suffix", "within"), [(".npz", 0), (".json", 5e-7)])
def test_they_come_back(tmp_path, poses, suffix, within):
    write_poses(tmp_path / f"x{suffix}", poses)

    back = read_poses(tmp_path / f"x{suffix}").hypotheses

    for name in ("positions", "weights", "sigma"):
        own = getattr(poses.hypotheses, name)
        np.testing.assert_allclose(getattr(back, name), own, atol=within, rtol=0)
    if suffix == ".npz":
        assert back.positions.dtype == np.float32


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_poses_without_any_have_none_when_read(tmp_path, poses, suffix):
    write_poses(tmp_path / f"x{suffix}", replace(poses, hypotheses=None))

    assert read_poses(tmp_path / f"x{suffix}").hypotheses is None


def test_json_lists_them_with_weight_and_spread(tmp_path, poses):
    write_poses(tmp_path / "x.json", poses)

    frames = json.loads((tmp_path / "x.json").read_text())["frames"]
    first = frames[1]["people"][0]["hypotheses"]
    assert len(first) == 3
    assert first[2]["weight"] == pytest.approx(poses.hypotheses.weights[1, 0, 2], abs=1e-6)
    np.testing.assert_allclose(
        first[1]["positions"], poses.hypotheses.positions[1, 0, 1], atol=1e-6
    )
    away = frames[2]["people"][1]["hypotheses"][0]
    assert (away["weight"], away["sigma"], away["positions"]) == (None, None, [None] * 17)


def test_tables_say_that_they_have_none(tmp_path, poses):
    assert "Hypotheses are only in .npz and .json." in write_poses(tmp_path / "x.csv", poses)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hypotheses": np.zeros((4, 2, 3, 16, 3))}, "do not belong to poses"),
        ({"hypothesis_weights": np.zeros((4, 2))}, "should be one value each"),
        ({"hypothesis_sigma": np.zeros((4, 2, 3), int)}, "hypothesis_sigma is of int64"),
        ({"hypothesis_weights": None}, "hypothesis_weights"),
    ],
)
def test_a_changed_file_is_refused_by_name(tmp_path, poses, change, said):
    path = tmp_path / "x.npz"
    write_poses(path, poses)
    with np.load(path) as file:
        arrays = dict(file) | change
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})

    with pytest.raises(FormatError, match=rf"x\.npz: .*{said}"):
        read_poses(path)


def test_a_changed_json_is_refused_by_name(tmp_path, poses):
    path = tmp_path / "x.json"
    write_poses(path, poses)
    data = json.loads(path.read_text())
    data["frames"][3]["people"][1]["hypotheses"].pop()
    path.write_text(json.dumps(data))

    with pytest.raises(FormatError, match=r"x\.json: .*write it again"):
        read_poses(path)
