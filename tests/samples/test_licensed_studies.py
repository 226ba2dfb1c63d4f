"""Studies of packs: refused before the first step where they do not fit, else scored."""

import dataclasses
import json

import numpy as np
import pytest
from helpers.command import assert_refused, here
from helpers.tiny_pack import write_folder
from helpers.tiny_packs import SHORT, replace_array, write_h36m

from graphlift.errors import FormatError
from graphlift.samples.data_sets import read_data
from graphlift.training.loop import train

PLAN = """
methods = ["martinez", "decoupled pre-aggregation"]
channels = [4]
detections = ["gt", "cpn"]
seeds = [0, 1]
[recipe]
cameras = "own"
keep = "last"
steps = 4
batch_size = 16
tensorboard = false
"""


def started(tmp_path, plan, data):
    """What `study run` said of a plan, and whether it trained anything."""
    (tmp_path / "plan.toml").write_text(plan)
    out = tmp_path / "study"
    words = ["study", "run", tmp_path / "plan.toml", "--data", data, "--out", out, "--at-once", 1]
    return here(*words), (out / "runs").exists() or (out / "results.jsonl").exists()


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (('"gt", "cpn"', '"gt", "hg"'), ["h36m: has no detections 'hg', only gt, cpn"]),
        (('"own"', '"open"'), ["cameras = 'open'", "are packs"]),
        (('keep = "last"', 'held_out = ["S8", "S9"]'), ["S9 is no training subject"]),
    ],
)
def test_a_plan_that_does_not_fit_its_packs_ends_before_the_first_step(
    packs, tmp_path, change, faults
):
    said, trained = started(tmp_path, PLAN.replace(*change), packs)

    assert_refused(said, *faults)
    assert not trained


def test_a_joint_that_detections_lack_ends_a_plan_before_the_first_step(tmp_path):
    """NaN, as Neck/Nose of Stacked Hourglass is; here in one frame of the last test clip."""
    pack = write_h36m(tmp_path / "h36m", frames=3, noise={"cpn": 1.0})
    path = tmp_path / "h36m" / "keypoints-cpn.npy"
    array = np.load(path)
    last = pack.index.sequences[-1]
    array[last.first + 2, 5] = np.nan  # LKnee
    replace_array(path, array)

    said, trained = started(tmp_path, PLAN, tmp_path)

    assert_refused(said, tmp_path / "h36m", "S11 Walking 1 by camera camera1: cpn lacks LKnee in")
    assert not trained
    run = dataclasses.replace(SHORT, data=str(tmp_path), detections="cpn")
    with pytest.raises(FormatError, match="cpn lacks LKnee in frame 2"):
        next(train(run, read_data(str(tmp_path)), tmp_path / "one"))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('"gt", "cpn"', '"gt", "cpn-sim", "cpn"'), "detections = 'cpn' come with a data set"),
        (("[recipe]", "[recipe]\nmodel.joints = 17"), "takes 17 joints, and these frames have 16"),
        (("[recipe]", '[recipe]\ndevice = "tpu"'), "device"),
    ],
)
def test_a_plan_that_does_not_fit_motion_capture_ends_before_the_first_step(
    tmp_path, change, fault
):
    plan = PLAN.replace('cameras = "own"\nkeep = "last"\n', "").replace('["martinez", ', "[")

    said, trained = started(tmp_path, plan.replace(*change), write_folder(tmp_path / "mocap"))

    assert_refused(said, fault)
    assert not trained


def test_the_tables_come_out_of_two_commands_and_lacking_activities_are_told(packs, tmp_path):
    plan = tmp_path / "short.toml"
    plan.write_text(
        """
        methods = ["martinez", "decoupled pre-aggregation"]
        channels = [4]
        detections = ["gt", "cpn"]
        [recipe]
        cameras = "own"
        keep = "last"
        steps = 4
        evaluate_every = 2
        batch_size = 16
        tensorboard = false
        """
    )
    out = tmp_path / "study"
    ran = here("study", "run", plan, "--data", packs, "--out", out, "--at-once", 1)
    assert ran.status == 0, ran.err
    told = here("study", "report", out)
    assert told.status == 0, told.err

    (line,) = [line for line in ran.err.splitlines() if "no test sequence of" in line]
    assert "Discussion, Eating" in line
    assert "Walking" not in line
    assert "compare with no published ones" in line
    report = (out / "report.md").read_text()
    results = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    ours = next(r for r in results if r["method"] == "pre-aggregation" and r["detections"] == "gt")
    row = next(line for line in report.splitlines() if "| Pre-agg |" in line)
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[3:6] == [
        f"{ours['mpjpe_mm']:,.2f}",
        "37.83",
        f"{ours['mpjpe_mm'] - 37.83:+,.2f}",
    ]
    assert "h36m-16 (errors), 3dhp-14 (PCK and AUC)" in report
    assert "open-16" not in report
    assert "simulated:" not in report
    assert "noGS" in report
    assert "79.30" in report
    assert "Pre-agg by activity" in report
