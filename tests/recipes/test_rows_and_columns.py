"""Rows and columns of a plan: which key a cell takes, and mistakes named by their path."""

import pytest

from graphlift.errors import ConfigError
from graphlift.study.plan import Plan, planned_runs, read_plan
from graphlift.training.config import TrainConfig


def planned(**keys):
    plan = Plan(channels=(4,), **keys)
    return {(r.config.model.method, r.config.detections): r.config
            for r in planned_runs(plan, data="prior")}  # fmt: skip


def test_a_cell_takes_the_key_that_is_nearest_to_it():
    configs = planned(
        methods=("semgcn", "martinez", "full-sharing"),
        detections=("gt", "hg-sim"),
        recipe={"epochs": 1, "model": {"dropout": 0.1, "blocks": 1}},
        columns={"hg-sim": {"epochs": 2}},
        rows={
            "semgcn": {"epochs": 3, "hg-sim": {"epochs": 4}, "model": {"dropout": 0.3}},
            "martinez": {"clip": 0.5},
        },
    )

    assert {cell: (c.epochs, c.clip, c.model.dropout) for cell, c in configs.items()} == {
        ("full-sharing", "gt"): (1, 1.0, 0.1),
        ("full-sharing", "hg-sim"): (2, 1.0, 0.1),
        ("martinez", "gt"): (1, 0.5, 0.1),
        ("martinez", "hg-sim"): (2, 0.5, 0.1),
        ("semgcn", "gt"): (3, 1.0, 0.3),
        ("semgcn", "hg-sim"): (4, 1.0, 0.3),
    }
    assert {config.model.blocks for config in configs.values()} == {1}


def test_what_the_command_sets_holds_in_every_row_and_column():
    plan = read_plan("recipes/table1.toml", ["epochs = 7", "model.dropout = 0.25", "steps = 9"])

    for run in planned_runs(plan, data="packs"):
        config = run.config
        assert (config.epochs, config.steps, config.model.dropout) == (7, 9, 0.25), run.name
        assert config.decay in (0.95, 0.96)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rows": {"martinez": {}}}, "rows: martinez is none of methods"),
        ({"columns": {"cpn-sim": {}}}, "columns: cpn-sim is none of detections"),
        ({"rows": {"semgcn": {"hg-sim": {}}}}, "rows.semgcn: hg-sim is none of detections"),
        ({"rows": {"semgcn": {"seed": 1}}}, "rows.semgcn: seed is for the grid"),
        ({"rows": {"semgcn": {"gt": {"data": "x"}}}}, "rows.semgcn.gt: data is for the grid"),
        ({"columns": {"gt": {"model": {"channels": 8}}}}, "columns.gt.model: channels is for"),
        ({"adaptations": ("hip-lift",)}, "adaptations: unknown 'hip-lift': use some of hip-shift"),
    ],
)
def test_mistakes_of_rows_and_columns_are_named_by_their_path(keys, message):
    with pytest.raises(ValueError, match=message):
        Plan(methods=("semgcn",), channels=(4,), **keys)


def test_a_wrong_value_in_a_row_is_named_with_its_cell():
    with pytest.raises(ConfigError, match=r"recipe of semgcn on gt: stesp: there is no such key"):
        planned(methods=("semgcn",), rows={"semgcn": {"stesp": 5}})


def test_settings_that_would_do_nothing_are_refused():
    with pytest.raises(ValueError, match="exponential has no decay_steps"):
        TrainConfig(decay_steps=5)
    with pytest.raises(ValueError, match="drop_last is for packs"):
        TrainConfig(drop_last=False)
    with pytest.raises(ValueError, match="decay_steps must be at least 1"):
        TrainConfig(schedule="staircase", decay_steps=0)
