import csv
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.readback import moving
from pyarrow import parquet

from graphlift.formats.to_tables import COLUMNS, write_csv, write_parquet
from graphlift.skeletons import H36M_17

WRITE = {"csv": write_csv, "parquet": write_parquet}
READ = {
    "csv": lambda path: pd.read_csv(path, dtype={"person": str}, keep_default_na=True),
    "parquet": pd.read_parquet,
}


@pytest.mark.parametrize("kind", WRITE)
def test_one_row_a_frame_person_and_joint(kind, tmp_path):
    poses = moving(frames=4, people=("Ada", "Bo"))
    positions, sigma = poses.positions.copy(), np.full((4, 2, 17), 0.03)
    seen = np.ones((4, 2, 17), bool)
    positions[1, 1], seen[1, 1], sigma[1, 1] = np.nan, False, np.nan

    path = tmp_path / f"x.{kind}"
    WRITE[kind](path, replace(poses, positions=positions, sigma=sigma, seen=seen))

    table = READ[kind](path)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 4 * 2 * 17
    for frame, person, joint in [(0, 0, "Hip"), (3, 1, "RWrist"), (2, 0, "Neck/Nose")]:
        rows = (table["frame"] == frame) & (table["person"] == poses.people[person])
        (row,) = table[rows & (table["joint"] == joint)].to_dict("records")
        place = positions[frame, person, H36M_17.index(joint)[0]]
        np.testing.assert_allclose([row["x_m"], row["y_m"], row["z_m"]], place, atol=5e-7)
        assert row["time_s"] == pytest.approx(frame / 30, abs=1e-6)
        assert row["sigma_m"] == pytest.approx(0.03)
        assert (bool(row["seen"]), row["axes"]) == (True, "world")
    away = table[(table["frame"] == 1) & (table["person"] == "Bo")]
    assert len(away) == 17
    assert away[["x_m", "y_m", "z_m", "sigma_m"]].isna().all(axis=None)
    assert not away["seen"].any()


@pytest.mark.parametrize("kind", WRITE)
def test_without_a_frame_rate_there_is_no_time(kind, tmp_path):
    WRITE[kind](tmp_path / f"x.{kind}", replace(moving(frames=2), fps=None))

    assert READ[kind](tmp_path / f"x.{kind}")["time_s"].isna().all()


def test_names_with_commas_quotes_and_lines_stay_whole(tmp_path):
    people = ('a "b", c', "two\nlines")

    write_csv(tmp_path / "x.csv", moving(frames=1, people=people))

    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        assert {row["person"] for row in csv.DictReader(file)} == set(people)


def test_parquet_carries_what_is_no_table(tmp_path):
    write_parquet(tmp_path / "x.parquet", moving(frames=2).noting("Done."))

    about = json.loads(parquet.read_schema(tmp_path / "x.parquet").metadata[b"graphlift"])
    assert (about["units"], about["fps"], about["notes"]) == ("m", 30.0, ["Done."])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parquet_keeps_every_bit(dtype, tmp_path):
    poses = moving(frames=3)
    poses = replace(poses, positions=poses.positions.astype(dtype))

    write_parquet(tmp_path / "x.parquet", poses)

    table = pd.read_parquet(tmp_path / "x.parquet")
    assert table["x_m"].dtype == dtype
    np.testing.assert_array_equal(table["x_m"], poses.positions[..., 0].ravel())


@pytest.mark.parametrize("kind", WRITE)
def test_long_clips_are_written_without_a_seam(kind, tmp_path, rng):
    poses = replace(moving(3), positions=rng.random((4100, 1, 17, 3)), seen=None, sigma=None)

    WRITE[kind](tmp_path / f"x.{kind}", poses)

    table = READ[kind](tmp_path / f"x.{kind}")
    np.testing.assert_array_equal(table["frame"], np.repeat(np.arange(4100), 17))
    np.testing.assert_allclose(table["x_m"], poses.positions[..., 0].ravel(), atol=5.1e-7)
