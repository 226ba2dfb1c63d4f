"""A run's configuration as TOML: written for the same run again, and copied from its record."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from graphlift.errors import ConfigError
from graphlift.study.plan import SHIPPED, planned_runs, read_plan
from graphlift.study.results import read_results
from graphlift.training.config import ModelConfig, TrainConfig, read_config
from graphlift.training.network_keys import NETWORKS
from graphlift.training.own import differences
from graphlift.training.tables import parse_table
from graphlift.training.written import to_toml

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path.relative_to(ROOT) for path in (ROOT / "recipes").glob("*.toml"))
PLANS = [path for path in RECIPES if path.stem.startswith("table")]
OWN_DRAW = ("martinez", "lcn", "mixture", "bidirectional", "ordinal-depth")
OF_28 = {"joints": 28, "inputs": "canonical", "sigma": True}
RANDOM = {"cameras": "random", "loss": "mpjpe"}


def run_of(method):
    """A run by a network, every key but those that it needs at its default."""
    model = {"method": method, "decouple_self": False} | (OF_28 if method == "over-time" else {})
    loss = {"loss": "likelihood"} if method == "mixture" else {}
    more = RANDOM if method == "over-time" else loss
    return parse_table(TrainConfig, {"model": model} | more, method)


def stored(config):
    """A run's configuration as its record holds it."""
    return json.loads(json.dumps(asdict(config)))


def copied(record, path):
    """Write a record as whoever copies it does, its keys one by one; TOML has no null."""
    lines = []
    for key, value in record.items():
        for at, each in value.items() if isinstance(value, dict) else [("", value)]:
            dotted = f"{key}.{at}" if isinstance(value, dict) else key
            lines += [f"{dotted} = {json.dumps(each)}"] if each is not None else []
    path.write_text("\n".join(lines))
    return path


def again(config, path):
    path.write_text(to_toml(config))
    return read_config(path)


@pytest.mark.parametrize("path", [path for path in RECIPES if path not in PLANS], ids=str)
def test_what_is_written_of_a_shipped_run_is_that_run(path, tmp_path):
    config = read_config(ROOT / path)

    assert again(config, tmp_path / "again.toml") == config


@pytest.mark.parametrize("name", [*SHIPPED, *PLANS], ids=str)
def test_what_is_written_of_a_planned_run_is_that_run_but_for_keys_that_it_ignores(name, tmp_path):
    plan = read_plan(name if name in SHIPPED else str(ROOT / name))

    for run in planned_runs(replace(plan, seeds=(0,)), data="mocap"):
        other = differences(again(run.config, tmp_path / "again.toml"), stored(run.config))
        if run.config.model.method in OWN_DRAW and run.config.model.init == "stacked":
            assert other.pop("model.init") == ("stacked", "glorot"), run.name
        assert not other, run.name


@pytest.mark.parametrize("method", NETWORKS)
def test_a_configuration_that_is_copied_from_a_record_is_the_run(method, tmp_path):
    config = run_of(method)

    assert read_config(copied(stored(config), tmp_path / "copied.toml")) == config
    assert again(config, tmp_path / "again.toml") == config


def test_a_copy_does_not_hide_a_key_that_is_changed_and_would_be_ignored(tmp_path):
    path = copied(stored(run_of("lcn")), tmp_path / "copied.toml")

    with pytest.raises(ConfigError) as refused:
        read_config(path, ['model.affinity = "symmetric"'])
    assert "affinity" in str(refused.value)
    with pytest.raises(ConfigError) as refused:
        read_config(path, ['model.centre = "root"'])
    assert "centre" in str(refused.value)
    with pytest.raises(
        ConfigError, match=r"copied\.toml: views\.noise is for cameras = \"random\""
    ) as refused:
        read_config(path, ["views.noise = 3.0"])
    assert "views.size" not in str(refused.value)


def test_one_key_at_its_default_is_still_refused_where_it_would_be_ignored(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text('schedule = "cosine"\ndecay = 0.95\nviews.noise = 1.5\nmodel.centre = "spine"')

    with pytest.raises(ConfigError) as refused:
        read_config(path)

    assert re.findall(r"(\S+) is for", str(refused.value)) == [
        "model.centre",
        "decay",
        "views.noise",
    ]


def test_records_of_the_study_can_be_trained_again(tmp_path):
    for path in sorted((ROOT / "docs/study").glob("*/results.jsonl")):
        for result in read_results(path)[:20]:
            config = parse_table(TrainConfig, result.config, result.name)
            other = differences(again(config, tmp_path / "again.toml"), result.config)
            assert set(other) <= {"model.init"}, result.name


@pytest.mark.parametrize("name", ['ä "b" \\ \x7f \x01', "\N{GRINNING FACE}"])
def test_any_path_is_written_so_that_it_is_read(name, tmp_path):
    config = TrainConfig(data=name, held_out=(name,), cameras="own", model=ModelConfig())

    assert again(config, tmp_path / "again.toml") == config
