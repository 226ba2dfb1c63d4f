"""A study with ordinal labels that people gave: its results are of one table, and say of which."""

import csv
import hashlib

import pytest
from helpers.tiny_pack import write_folder

from graphlift.errors import CheckpointError
from graphlift.samples import Selection
from graphlift.samples.data_sets import read_data
from graphlift.samples.ordinal_labels import COLUMNS
from graphlift.study.plan import Plan, planned_runs
from graphlift.study.results import RESULTS, append_result, read_results
from graphlift.study.runner import check_runs, train_and_score


def write(path, data, nearer):
    samples = data.samples("train", Selection())
    clip = data.train.clips[samples.clip[0]]
    at = clip.subject, clip.name, samples.camera[0], samples.frame[0]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, (*at, "RFoot", "LFoot", nearer)])


def test_results_are_not_added_to_with_another_table(tmp_path):
    pack, table = str(write_folder(tmp_path / "pack")), tmp_path / "labels.csv"
    data = read_data(pack)
    write(table, data, 1)
    plan = Plan(
        methods=("martinez",),
        channels=(4,),
        seeds=(0, 1),
        recipe={
            "steps": 2,
            "batch_size": 8,
            "tensorboard": False,
            "model": {"blocks": 1},
            "supervision": {"ordinal": 0.1, "ordinal_labels": str(table)},
        },
    )
    first, second = planned_runs(plan, data=pack)
    results = tmp_path / "study" / RESULTS

    said = []
    train_and_score(first, data, results.parent, 1, said.append)
    append_result(results, said[-1].result)

    (line,) = read_results(results)
    assert line.labels_digest == hashlib.sha256(table.read_bytes()).hexdigest()
    assert list(check_runs([second], results)) == []
    write(table, data, -1)
    with pytest.raises(
        CheckpointError,
        match=r"_seed0: was trained on other ordinal labels than .*labels\.csv now",
    ):
        list(check_runs([second], results))
