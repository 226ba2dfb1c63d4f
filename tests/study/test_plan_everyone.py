"""The plan of everyone: who is in it, on which budget, and what its rows are named after."""

import dataclasses
import re
import tomllib
from importlib import resources

import pytest

from graphlift.networks import OTHERS
from graphlift.study import paper
from graphlift.study.objectives import NETWORK, OBJECTIVES, objective_of
from graphlift.study.plan import NAMES, STUDIED, Plan, planned_runs, read_plan
from graphlift.study.scoring import cost
from graphlift.training.loop import learning_rate


@pytest.fixture(scope="module")
def runs():
    return planned_runs(read_plan("everyone"), data="prior")


def test_everyone_is_everyone(runs):
    plan = read_plan("everyone")

    lifters = {name for name in NAMES if name not in STUDIED and name not in OBJECTIVES}
    assert {*plan.methods} == {*STUDIED} | lifters | {*OBJECTIVES}
    models = {(run.config.model.method, run.config.model.decouple_self) for run in runs}
    assert models == {NAMES[name] for name in plan.methods}


def test_everyone_has_one_budget_and_its_rows_differ_in_what_they_are_named_after(runs):
    def budget(run):
        config = dataclasses.asdict(run.config)
        for key in ("method", "decouple_self", "channels"):
            del config["model"][key]
        for key in ("detections", "seed", "supervision", "loss"):
            del config[key]
        return config

    assert all(budget(run) == budget(runs[0]) for run in runs)
    for run in runs:
        mixture = run.config.model.method == "mixture"
        assert run.config.loss == ("likelihood" if mixture else "mpjpe"), run.name
        size = cost(run.config.model).parameters
        assert size == pytest.approx(500_000, rel=0.05), run.name
        row = run.name.partition("_")[0].rpartition("-")[0]
        weights = dataclasses.asdict(run.config.supervision)
        expected = OBJECTIVES[row].supervision if row in OBJECTIVES else {}
        assert {key: value for key, value in weights.items() if value} == expected, run.name
    assert len(runs) == len(read_plan("everyone").methods) * 3 * 3
    assert learning_rate(runs[0].config, 0, 2_000, 1) == pytest.approx(1e-2)
    assert learning_rate(runs[0].config, 1_999, 2_000, 1) < 1e-7


def test_everyone_begins_with_the_rows_of_the_supplements_table(runs):
    plan = read_plan("everyone")
    there = {NAMES[name][0] for name in plan.methods}
    rows = [(row.method, row.decoupled, row.objective) for row in paper.TABLE_2]
    rows = [row for row in rows if row[0] in there]
    assert [
        (run.config.model.method, run.config.model.decouple_self, objective_of(stored(run)))
        for run in runs[: len(rows)]
    ] == rows
    many = len(plan.methods)
    assert [(run.config.seed, run.config.detections) for run in runs[::many]] == [
        (seed, kind) for kind in ("gt", "cpn-sim", "hg-sim") for seed in (0, 1, 2)
    ]


def stored(run):
    """A run's configuration as its result line holds it."""
    return {"supervision": dataclasses.asdict(run.config.supervision)}


def test_the_published_widths_that_everyone_names_are_those_of_the_networks():
    text = (resources.files("graphlift.study") / "plans" / "everyone.toml").read_text()
    lines = re.findall(r'^# (\[widths\]|"?[\w -]+"? = \d+)$', text, re.MULTILINE)
    widths = tomllib.loads("\n".join(lines))["widths"]

    unpublished = {"bidirectional", "ordinal-depth"}  # their sizes are ours
    assert {*widths} == {*read_plan("everyone").methods} - unpublished
    for name, width in widths.items():
        assert width == (OTHERS[name].channels if name in OTHERS else 128), name
    plan = dataclasses.replace(read_plan("everyone"), widths=widths)
    sizes = [cost(run.config.model).parameters for run in planned_runs(plan, data="prior")]
    assert (round(min(sizes) / 1e6, 2), round(max(sizes) / 1e6, 1)) == (0.14, 6.1)


def test_an_objective_is_a_row_with_its_weights_which_a_plan_may_change():
    plan = Plan(methods=("critic", "decoupled pre-aggregation"), channels=(4,))
    row = {"supervision": {"critic": 0.5}}

    critic, plain = planned_runs(plan, data="prior")
    changed, _ = planned_runs(dataclasses.replace(plan, rows={"critic": row}), data="prior")

    assert critic.name == "critic-4_gt_seed0"
    assert (critic.config.model.method, critic.config.model.decouple_self) == NETWORK == paper.BEST
    assert critic.config.supervision.critic == OBJECTIVES["critic"].supervision["critic"] > 0
    assert dataclasses.replace(critic.config, supervision=plain.config.supervision) == plain.config
    assert changed.config.supervision.critic == 0.5


@pytest.mark.parametrize("table", ["recipe", "columns.gt"])
def test_an_objective_that_has_a_row_is_not_given_to_all(table):
    keys = {"supervision": {"critic": 0.5}}
    where = {"recipe": keys} if table == "recipe" else {"columns": {"gt": keys}}

    with pytest.raises(ValueError, match=rf"{table}\.supervision: critic is for the row critic"):
        Plan(methods=("critic",), channels=(4,), **where)
    (run,) = planned_runs(Plan(methods=("martinez",), channels=(4,), **where), data="prior")
    assert run.config.supervision.critic == 0.5
