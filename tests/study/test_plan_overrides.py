"""Overrides of a plan: all at once, in whatever order, and each where a network has its key."""

import itertools
import re
from importlib import resources

import pytest

from graphlift.errors import ConfigError
from graphlift.samples.augment import Augmentation
from graphlift.study.plan import NAMES, Plan, planned_runs, read_plan, unused_notes
from graphlift.training.config import read_config

TEXT = """
methods = ["lcn", "semgcn", "martinez"]
channels = [4]
detections = ["gt", "cpn-sim"]
widths = {semgcn = 8, martinez = 16}
[recipe]
steps = 5
supervision = {parts = 0.1}
[columns.cpn-sim]
steps = 6
[rows.semgcn]
batch_size = 32
model = {dropout = 0.1}
[rows.semgcn.cpn-sim]
steps = 7
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return str(path)


def outcome(plan, overrides):
    """The runs of a plan, or why there are none; who is named first in a message may differ."""
    try:
        return planned_runs(read_plan(plan, overrides), data="prior")
    except ConfigError as error:
        return "".join(sorted(str(error)))


@pytest.mark.parametrize(
    "overrides",
    [
        ('methods = ["lcn"]', "widths.semgcn = 24", "steps = 9"),
        ('methods = ["lcn", "semgcn"]', "widths.semgcn = 24", "widths = {}"),
        ('detections = ["gt"]', "steps = 9", 'methods = ["semgcn"]', "batch_size = 8"),
        ("supervision = {}", "supervision.critic = 0.1", "steps = 9"),
        ("steps = 8", "steps = 9"),
        ("model = 3", "model.dropout = 0.2"),
        ("model.dropout = 0.2", "model.dropout = 0.2", "channels = [6]", "parameters = []"),
    ],
)
def test_overrides_come_to_the_same_in_every_order(plan, overrides):
    found = [outcome(plan, order) for order in itertools.permutations(overrides)]

    assert all(one == found[0] for one in found)


def test_all_overrides_hold(plan):
    overrides = ["steps = 9", "model.dropout = 0.2", "widths = {}", "widths.semgcn = 24"]

    runs = planned_runs(read_plan(plan, [*overrides, "supervision = {}"]), data="prior")

    assert {run.config.steps for run in runs} == {9}
    assert {run.config.model.dropout for run in runs} == {0.2}
    assert {run.config.supervision.parts for run in runs} == {0.0}
    widths = {run.config.model.method: run.config.model.channels for run in runs}
    assert widths == {"lcn": 4, "semgcn": 24, "martinez": 4}
    assert {run.config.batch_size for run in runs if run.config.model.method == "semgcn"} == {32}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["seeds = [0]", "seeds = [1]"],
            r"--set 'seeds = \[0\]' and --set 'seeds = \[1\]': seeds is set twice: leave one out",
        ),
        (["steps = 1", "clip = 2.0", "steps = 2"], r"steps = 1' and .*steps = 2': steps is set"),
        (["model.blocks = 2", "model = {blocks = 3}"], r"model\.blocks is set twice"),
        (["model.blocks = 2", "model = 3"], r"model = 3': model is set twice"),
        (["clip = 1", "clip = 1.0"], "clip is set twice"),
        (
            ["rows.lcn.steps = 3"],
            r"mine\.toml: --set sets keys of every run: leave rows out, or copy the plan",
        ),
        (["recipe.steps = 3"], "--set sets keys of every run: leave recipe out"),
    ],
)
def test_overrides_that_cannot_all_hold_are_named(plan, overrides, message):
    for order in (overrides, overrides[::-1]):
        names = {f"--set {o!r}" for o in order}
        with pytest.raises(ConfigError) as refused:
            read_plan(plan, order)
        assert "is set twice" not in str(refused.value) or (
            sum(name in str(refused.value) for name in names) == 2
        )
    with pytest.raises(ConfigError, match=message):
        read_plan(plan, overrides)


def test_overrides_of_a_single_run_do_not_depend_on_their_order_either(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('cameras = "random"\nviews = {noise = 2.0, crop = 0.1}\n')

    with pytest.raises(ConfigError, match="'seed = 1' and --set 'seed = 2': seed is set twice"):
        read_config(path, ["seed = 1", "seed = 2"])
    of_17 = ["model.joints = 17", 'model.inputs = "canonical"', "views.crop = 0.3", "views = {}"]
    for order in itertools.permutations(of_17):
        views = read_config(path, order).views
        assert (views.noise, views.crop) == (Augmentation().noise, 0.3)


def models(**keys):
    methods = ("lcn", "semgcn", "martinez", "convolution-style")
    plan = Plan(methods=methods, channels=(4,), **keys)
    return {run.config.model.method: run.config.model for run in planned_runs(plan, data="prior")}


@pytest.mark.parametrize(
    ("model", "users"),
    [
        ({"affinity": "symmetric"}, {"semgcn", "convolution-style"}),
        ({"learnt_mask": True}, {"lcn"}),
        ({"centre": "root"}, {"convolution-style"}),
        ({"non_local": "embedded"}, {"semgcn", "convolution-style"}),
    ],
)
def test_a_key_of_all_runs_holds_for_the_rows_that_have_the_part(model, users):
    ((key, value),) = model.items()

    for keys in ({"recipe": {"model": model}}, {"columns": {"gt": {"model": model}}}):
        found = models(**keys)
        assert {method for method, of in found.items() if getattr(of, key) == value} == users


def test_a_key_of_a_row_that_its_network_ignores_is_refused_where_it_stands(tmp_path):
    def refused(text):
        path = tmp_path / "plan.toml"
        path.write_text('methods = ["lcn", "martinez"]\nchannels = [4]\n' + text)
        with pytest.raises(ConfigError) as error:
            read_plan(str(path))
        return str(error.value).partition("plan.toml: ")[2]

    assert "rows.martinez: model.affinity is for full-sharing, " in refused(
        '[rows.martinez.model]\naffinity = "symmetric"'
    )
    assert "rows.lcn.gt: model.init is for" in refused('[rows.lcn.gt.model]\ninit = "stacked"')


HEADS = (
    {"init": "stacked"},
    {"affinity": "symmetric"},
    {"non_local": "embedded"},
    {"centre": "root"},
    {"learnt_mask": True},
    {"affinity": "row-normalised", "init": "stacked", "centre": "root", "learnt_mask": True},
)


@pytest.mark.parametrize("shared", ["recipe", "columns"])
@pytest.mark.parametrize("head", HEADS, ids="-".join)
def test_rows_are_the_same_alone_and_among_others(shared, head):
    """Whatever the networks: none is refused, or trained otherwise, for want of others."""
    keys = {"model": head}
    given = {"recipe": keys} if shared == "recipe" else {"columns": {"gt": keys}}
    row = {"mixture": {"loss": "likelihood"}}
    methods = tuple(name for name in NAMES if name != "modulated")  # it takes two affinities
    whole = Plan(methods=methods, channels=(4,), rows=row, **given)
    runs = planned_runs(whole, data="prior")

    for name in methods:
        rows = row if name in row else {}
        alone = Plan(methods=(name,), channels=(4,), rows=rows, **given)
        (run,) = planned_runs(alone, data="prior")
        assert run in runs
    assert not unused_notes(whole)


def test_a_head_for_mixture_alone_is_that_of_its_row_among_others(tmp_path):
    whole = planned_runs(read_plan("everyone"), data="prior")
    mixture = [run for run in whole if run.config.model.method == "mixture"]
    of_set = ['methods = ["mixture"]', 'loss = "likelihood"']
    text = (resources.files("graphlift.study") / "plans" / "everyone.toml").read_text()
    alone = re.sub(r"methods = \[.*?\]", 'methods = ["mixture"]', text, flags=re.DOTALL)
    (tmp_path / "alone.toml").write_text(alone)
    headed = alone.replace('loss = "mpjpe"', 'loss = "likelihood"').partition("[rows")[0]
    (tmp_path / "headed.toml").write_text(headed)

    for name, overrides in [
        ("everyone", of_set),
        ("everyone", of_set[:1]),
        (str(tmp_path / "alone.toml"), []),
        (str(tmp_path / "headed.toml"), []),
    ]:
        plan = read_plan(name, overrides)
        assert [*planned_runs(plan, data="prior")] == mixture
        (note,) = unused_notes(plan)
        assert note.startswith("recipe: model.init is for full-sharing, ")
        assert note.endswith("htnet: no row has it, and it changes nothing")


def test_a_loss_of_mixture_alone_is_refused_with_what_to_write():
    with pytest.raises(ConfigError, match=r"recipe: mixture is .*\[rows\.mixture\]"):
        planned_runs(read_plan("everyone", ['loss = "likelihood"']), data="prior")


def test_a_key_that_no_row_has_is_said_and_its_value_is_checked(tmp_path):
    path = tmp_path / "plan.toml"
    text = 'methods = ["martinez"]\nchannels = [4]\n[columns.gt.model]\n'
    path.write_text(text + 'centre = "root"\nlearnt_mask = false')

    plan = read_plan(str(path), ["model.learnt_mask = true", "model.mirrored = true"])

    assert unused_notes(plan) == [
        "recipe: model.learnt_mask is for lcn: no row has it, and it changes nothing",
        "columns.gt: model.centre is for convolution-style: no row has it, and it changes nothing",
    ]
    path.write_text(text + 'centre = "rot"')
    with pytest.raises(ConfigError, match=r"columns\.gt\.model: centre: .*'spine' or 'root'"):
        planned_runs(read_plan(str(path)), data="prior")
    path.write_text(text + 'afinity = "symmetric"')
    with pytest.raises(ConfigError, match=r"model\.afinity: there is no such key"):
        planned_runs(read_plan(str(path)), data="prior")


@pytest.mark.parametrize("where", ["recipe", "columns.gt", "rows.martinez", "rows.martinez.gt"])
def test_a_model_that_is_no_table_is_refused_where_it_stands(where, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(f'methods = ["martinez"]\nchannels = [4]\n[{where}]\nmodel = 3\n')

    with pytest.raises(ConfigError) as error:
        read_plan(str(path))
    assert f"{where}.model: is no table, but 3: write [{where}.model]" in str(error.value)


def test_a_part_of_a_plan_keeps_keys_that_its_own_rows_would_ignore():
    """Its runs are those of the whole, whatever key of the recipe is for others."""
    whole = planned_runs(read_plan("everyone"), data="prior")
    part = planned_runs(read_plan("everyone", ['methods = ["martinez", "lcn"]']), data="prior")

    assert all(run in whole for run in part)
    assert len(part) == 2 * 3 * 3
