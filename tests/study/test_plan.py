"""Plans: what they say is what is run, and nothing else is."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.complexity import complexity
from graphlift.errors import ConfigError
from graphlift.matched_width import channels_for
from graphlift.nn.build import build_network
from graphlift.study.plan import SHIPPED, STUDIED, Plan, planned_runs, read_plan
from graphlift.study.scoring import cost
from graphlift.training.loop import learning_rate

VARIANTS = {
    ("full-sharing", False),
    ("pre-aggregation", False),
    ("post-aggregation", False),
    ("no-sharing", False),
    ("convolution-style", False),
    ("full-sharing", True),
    ("pre-aggregation", True),
    ("post-aggregation", True),
}
BASELINES = {("semgcn", False), ("martinez", False)}
OF_THE_PAPER = [name for name in SHIPPED if name not in ("everyone", "best")]


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def grid(runs):
    return [(run.config.seed, run.config.detections) for run in runs]


def methods(runs):
    return {(run.config.model.method, run.config.model.decouple_self) for run in runs}


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_a_shipped_plan_trains_every_variant_and_both_baselines(name):
    assert methods(planned_runs(read_plan(name), data="prior")) == VARIANTS | BASELINES


@pytest.mark.parametrize(
    ("name", "parameters", "detections", "seeds"),
    [
        ("quick", 128_000, {"gt"}, {0}),
        ("open", 128_000, {"gt", "hg-sim", "cpn-sim"}, {0, 1, 2}),
        ("paper", 4_200_000, {"gt", "hg-sim", "cpn-sim"}, {0, 1, 2}),
    ],
)
def test_a_shipped_plan_is_the_grid_its_text_says(name, parameters, detections, seeds):
    runs = planned_runs(read_plan(name), data="prior")

    assert len(runs) == 10 * len(detections) * len(seeds)
    assert {run.config.detections for run in runs} == detections
    assert {run.config.seed for run in runs} == seeds
    for run in runs:
        assert cost(run.config.model).parameters == pytest.approx(parameters, rel=0.05), run.name


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_runs_of_a_shipped_plan_differ_in_nothing_but_the_grid(name):
    runs = planned_runs(read_plan(name), data="here")

    def shared(run):
        config = dataclasses.asdict(run.config)
        for key in ("method", "decouple_self", "channels"):
            del config["model"][key]
        return {key: value for key, value in config.items() if key not in ("detections", "seed")}

    assert all(shared(run) == shared(runs[0]) for run in runs)
    assert runs[0].config.data == "here"


def test_the_paper_plan_is_the_recipe_of_the_papers_authors():
    config = planned_runs(read_plan("paper"), data="prior")[0].config

    assert (config.epochs, config.steps, config.batch_size) == (100, None, 64)
    assert (config.learning_rate, config.schedule, config.decay) == (1e-3, "exponential", 0.95)
    assert (config.clip, config.loss, config.flip, config.ema) == (1.0, "mse", False, 0.0)


def test_matched_sizes_are_those_of_the_networks_that_are_built():
    for run in planned_runs(read_plan("quick"), data="prior"):
        network = build_network(**dataclasses.asdict(run.config.model))

        built = sum(parameter.numel() for parameter in network.parameters())
        assert built == cost(run.config.model).parameters, run.name


def test_sizes_are_matched_with_the_blocks_of_the_recipe():
    plan = Plan(parameters=(128_000,), recipe={"model": {"blocks": 2}})

    for run in planned_runs(plan, data="prior"):
        assert run.config.model.blocks == 2
        assert cost(run.config.model).parameters == pytest.approx(128_000, rel=0.05), run.name


@pytest.mark.parametrize("name", SHIPPED)
def test_names_are_unique_and_usable_as_folders_anywhere(name):
    names = [run.name for run in planned_runs(read_plan(name), data="prior")]

    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert name.isascii()
        assert not set(name) & set(' /\\:*?"<>|')
        assert len(name) < 100


def matched(size):
    names = {"no-sharing": False, "full-sharing": True, "martinez": False}
    widths = (channels_for(name, size, decouple_self=own) for name, own in names.items())
    return all(abs(width.off) <= 0.05 for width in widths)


@settings(deadline=None, max_examples=20)
@given(
    parameters=st.lists(st.integers(100_000, 300_000).filter(matched), max_size=3),
    channels=st.lists(st.integers(1, 60), max_size=3),
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
)
def test_names_are_unique_whatever_the_sizes(parameters, channels, seeds):
    # Two sizes may be nearest to one width; a width may be given and matched.
    plan = Plan(
        methods=("no-sharing", "decoupled full-sharing", "martinez"),
        parameters=(*parameters, 128_000),
        channels=tuple(channels),
        seeds=tuple(seeds),
    )

    runs = planned_runs(plan, data="prior")

    assert len({run.name for run in runs}) == len(runs)
    widths = {(run.config.model.method, run.config.model.channels) for run in runs}
    assert {("no-sharing", width) for width in channels} <= widths


@pytest.mark.parametrize("size", [1, 1_000, 17_500])
def test_a_size_that_a_method_cannot_come_near_is_refused_by_name(size):
    plan = Plan(methods=("no-sharing",), parameters=(size,))
    sizes = [complexity("no-sharing", channels=width).parameters for width in range(1, 30)]
    nearest = min(sizes, key=lambda other: abs(other - size))
    width, off = sizes.index(nearest) + 1, 100 * (nearest - size) / size
    assert abs(off) > 5

    with pytest.raises(ConfigError) as refusal:
        planned_runs(plan, data="prior")

    for part in ("no-sharing", f"{size:,}", f"width, {width},", f"{nearest:,}", f"{off:+.1f}%"):
        assert part in str(refusal.value)


def test_a_study_that_was_cut_off_has_whole_tables():
    runs = planned_runs(read_plan("open"), data="prior")

    # All methods on one kind of detections, then the next kind, then the next seed.
    assert grid(runs) == [
        (seed, detections)
        for seed in (0, 1, 2)
        for detections in ("gt", "cpn-sim", "hg-sim")
        for _ in range(10)
    ]


def test_the_regime_begins_with_what_tells_most():
    runs = planned_runs(read_plan("regime"), data="prior")
    sizes = [round(cost(run.config.model).parameters, -5) for run in runs]

    # The paper's own five at its widths and size, then the rest; seeds; sizes; detections.
    first = [(run.config.model.method, run.config.model.channels) for run in runs[:5]]
    assert first == [
        ("pre-aggregation", 128),
        ("post-aggregation", 128),
        ("no-sharing", 107),
        ("convolution-style", 418),
        ("full-sharing", 512),
    ]
    assert [run.config.seed for run in runs[:40:10]] == [0, 1, 2, 0]
    assert sizes[:120:30] == [4_200_000, 1_000_000, 500_000, 100_000]
    assert [run.config.detections for run in runs[::120]] == ["gt", "cpn-sim", "hg-sim"]
    assert len(runs) == 10 * 3 * 4 * 3


def test_the_regime_is_the_authors_recipe_and_its_decay_fits_the_steps():
    config = planned_runs(read_plan("regime"), data="prior")[0].config

    assert (config.batch_size, config.loss, config.clip) == (64, "mse", 1.0)
    assert (config.model.init, config.model.dropout) == ("stacked", 0.1)
    assert learning_rate(config, 0, config.steps, 1) == pytest.approx(1e-3, rel=1e-3)
    last = learning_rate(config, config.steps - 1, config.steps, 1)
    assert last == pytest.approx(1e-3 * 0.95**100)


@pytest.mark.parametrize("change", ['optimizer = "muon"', 'model.init = "glorot"'])
def test_the_regime_runs_with_another_optimiser_or_draw(change):
    key, value = change.replace('"', "").split(" = ")

    runs = planned_runs(read_plan("regime", [change]), data="prior")

    for run in runs:
        config = dataclasses.asdict(run.config)
        assert {**config, **config["model"]}[key.split(".")[-1]] == value
        assert run.config.model.dropout == 0.1


def test_runs_are_in_the_order_of_the_plan():
    order = ("sizes", "seeds", "methods", "detections")
    plan = Plan(methods=("no-sharing", "martinez"), channels=(4, 8), seeds=(0, 1), order=order)

    runs = planned_runs(dataclasses.replace(plan, detections=("gt", "hg-sim")), data="prior")

    assert [(r.config.model.channels, *grid([r])[0]) for r in runs[:5:2]] == [
        (4, 0, "gt"),
        (4, 0, "gt"),
        (4, 1, "gt"),
    ]
    assert [run.config.detections for run in runs[:2]] == ["gt", "hg-sim"]
    assert [run.config.model.channels for run in runs[::8]] == [4, 8]


def test_a_seed_that_no_run_can_have_is_refused_by_the_run():
    with pytest.raises(ConfigError, match=r"no-sharing-4_gt_seed-1: seed must not be negative"):
        planned_runs(Plan(methods=("no-sharing",), channels=(4,), seeds=(-1,)), data="prior")


def test_fixed_widths_are_the_same_for_every_method():
    runs = planned_runs(Plan(channels=(4, 8)), data="prior")

    assert [run.config.model.channels for run in runs] == [4, 8] * len(STUDIED)


def test_a_plan_of_ones_own_is_read_with_its_recipe(tmp_path):
    text = 'methods = ["decoupled full-sharing"]\nchannels = [4]\ndetections = ["hg-sim"]\n'
    text += "seeds = [7]\n[recipe]\nsteps = 5\n[recipe.model]\ndropout = 0.2\n"

    (run,) = planned_runs(read_plan(written(tmp_path, text)), data="folder")

    assert run.name == "decoupled-full-sharing-4_hg-sim_seed7"
    assert (run.config.model.method, run.config.model.decouple_self) == ("full-sharing", True)
    assert (run.config.steps, run.config.model.dropout) == (5, 0.2)
    assert (run.config.seed, run.config.detections, run.config.data) == (7, "hg-sim", "folder")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('methods = ["half-sharing"]\nchannels = [4]', r"'half-sharing': use some of .*semgcn"),
        ('methods = ["decoupled no-sharing"]\nchannels = [4]', "'decoupled no-sharing'"),
        ("methods = []\nchannels = [4]", "methods must not be empty"),
        ('methods = ["semgcn", "semgcn"]\nchannels = [4]', "methods must not .* repeat"),
        ("chanels = [4]", r"chanels: there is no such key"),
        ("channels = [4.5]", r"channels\.0: .*integer"),
        ("channels = [0]", "channels and widths must be positive"),
        ("parameters = [-1]", "must be positive"),
        ('channels = [4]\norder = ["seeds", "sizes"]', "order must name each of seeds, detect"),
        ('channels = [4]\norder = ["steps"]', r"order\.0: .*'sizes'"),
        ("seeds = [0]", r"parameters = \[\.\.\.\].* or channels"),
        ('channels = [4]\ndetections = ["yolo"]', r"detections\.0: .*'cpn-sim'"),
        ('channels = [4]\nseeds = ["a"]', r"seeds\.0: .*integer"),
        ("channels = [4]\nseeds = [1, 1]", "seeds must not .* repeat"),
        ('channels = [4]\n[recipe]\ndata = "x"', "recipe: data is for .* command: .* --data"),
        ("channels = [4]\n[recipe]\nseed = 1", "recipe: seed is for the grid.* seeds and det"),
        ('channels = [4]\n[recipe]\ndetections = "gt"', "recipe: detections is for the grid"),
        (
            "channels = [4]\n[recipe.model]\nchannels = 8",
            r"recipe\.model: channels is .* at the top",
        ),
        ('channels = [4]\n[recipe.model]\nmethod = "semgcn"', r"recipe\.model: method is for"),
    ],
)
def test_a_plans_mistakes_are_named_with_file_and_key(tmp_path, text, message):
    name = written(tmp_path, text)

    with pytest.raises(ConfigError, match=rf"mine\.toml: .*{message}"):
        read_plan(name)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"stesp": 5}, "recipe: stesp: there is no such key"),
        ({"model": {"widht": 5}}, r"recipe: model\.widht: there is no such key"),
        ({"model": {"blocks": "four"}}, r"recipe: model\.blocks: .*integer"),
        ({"batch_size": 1}, "recipe: .*batch_size must be at least 2"),
    ],
)
def test_a_recipes_mistakes_are_named_by_their_path(recipe, message):
    with pytest.raises(ConfigError, match=message):
        planned_runs(Plan(parameters=(9_000,), recipe=recipe), data="prior")


def test_a_recipe_may_be_overridden_key_by_key():
    plan = read_plan("paper", ['device = "cuda"', "model.dropout = 0.5"])

    config = planned_runs(plan, data="prior")[0].config
    assert (config.device, config.model.dropout, config.epochs) == ("cuda", 0.5, 100)
    with pytest.raises(ConfigError, match=r"plan paper: .*recipe: seed is for the grid"):
        read_plan("paper", ["seed = 3"])
    with pytest.raises(ConfigError, match="--set 'device =': not TOML"):
        read_plan("paper", ["device ="])


def test_a_part_of_a_plan_is_asked_for_by_the_keys_of_the_plan_itself():
    every = {run.name: run for run in planned_runs(read_plan("everyone"), data="prior")}

    def part(*overrides):
        return planned_runs(read_plan("everyone", overrides), data="prior")

    one = part("seeds = [1]", 'detections = ["gt"]', "steps = 7")
    assert [run.name for run in one] == [n for n in every if n.endswith("_gt_seed1")]
    assert {run.config.steps for run in one} == {7}
    # the row of mixture goes with it, or stays with it
    for methods in (["lcn"], ["lcn", "mixture"]):
        runs = part(f"methods = {methods}", "seeds = [0]")
        assert {run.name for run in runs} < set(every)
        assert all(run.config == every[run.name].config for run in runs)
        assert len(runs) == 3 * len(methods)
    (wide,) = part('methods = ["lcn"]', "parameters = []", "channels = [64]", "seeds = [0]",
                   'detections = ["gt"]')  # fmt: skip
    assert wide.config.model.channels == 64
    with pytest.raises(ConfigError, match=r"plan everyone: .*methods: unknown 'lnc'"):
        read_plan("everyone", ['methods = ["lnc"]'])
    with pytest.raises(ConfigError, match=r"plan everyone: seeds: .*valid (array|tuple)"):
        read_plan("everyone", ["seeds = 0"])


def test_what_a_plan_has_for_detections_that_are_left_out_is_left_out(tmp_path):
    text = """
    methods = ["lcn", "semgcn"]
    channels = [4]
    detections = ["gt", "cpn-sim"]
    [columns.cpn-sim]
    steps = 5
    [rows.semgcn]
    batch_size = 32
    [rows.semgcn.cpn-sim]
    steps = 6
    """
    name = written(tmp_path, text)

    whole = planned_runs(read_plan(name), data="prior")
    runs = planned_runs(read_plan(name, ['detections = ["gt"]']), data="prior")

    assert [run.config.steps for run in whole] == [None, None, 5, 6]
    assert [run.config for run in runs] == [run.config for run in whole[:2]]
    assert [run.config.batch_size for run in runs] == [64, 32]


def test_the_width_of_a_method_is_set_beside_those_of_others(tmp_path):
    name = written(
        tmp_path, 'methods = ["lcn", "semgcn"]\nchannels = [4]\nwidths = {lcn = 8, semgcn = 16}'
    )

    def channels(*overrides):
        runs = planned_runs(read_plan(name, overrides), data="prior")
        return {run.config.model.method: run.config.model.channels for run in runs}

    assert channels() == {"lcn": 8, "semgcn": 16}
    assert channels("widths.lcn = 24") == {"lcn": 24, "semgcn": 16}
    assert channels("widths = {}") == {"lcn": 4, "semgcn": 4}
    assert channels("widths = {}", "widths.lcn = 24") == {"lcn": 24, "semgcn": 4}


def test_a_plan_that_is_nowhere_lists_those_there_are():
    with pytest.raises(
        FileNotFoundError, match="'qiuck': give one of quick, open, paper, regime, everyone"
    ):
        read_plan("qiuck")


def test_keys_that_a_planned_run_would_ignore_are_refused():
    with pytest.raises(ConfigError, match=r"recipe of .* on gt: views\.noise is not for vary"):
        planned_runs(read_plan("best", ["views = {noise = 0.5}"]), data="prior")
    with pytest.raises(ConfigError, match=r'views\.size is for cameras = "random"'):
        planned_runs(read_plan("best", ["vary = false", "views = {size = 0.1}"]), data="prior")

    runs = planned_runs(read_plan("best", ["views = {size = 0.1}"]), data="prior")
    assert {run.config.views.size for run in runs} == {0.1}
