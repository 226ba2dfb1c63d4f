import dataclasses
import json

import pytest
import torch

from graphlift.errors import CheckpointError, ConfigError
from graphlift.samples.supervision import Supervision
from graphlift.training.config import (
    ModelConfig,
    TrainConfig,
    read_config,
)
from graphlift.training.own import check_own, differences
from graphlift.training.tables import parse_table


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('data = "prior"\n[model]\nmethod = "no-sharing"\ndecouple_self = false\n')
    return path


def test_defaults_are_the_authors_recipe():
    config = TrainConfig()

    assert (config.learning_rate, config.batch_size, config.decay, config.clip) == (
        *(1e-3, 64),
        *(0.95, 1.0),
    )
    assert (config.loss, config.schedule, config.flip, config.model.channels) == (
        *("mse", "exponential"),
        *(False, 128),
    )


def test_overrides_are_toml_too(run):
    config = read_config(run, ["epochs = 3", "model.channels = 64"])

    assert (config.epochs, config.model.channels) == (3, 64)
    assert config.model.method == "no-sharing"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.widht = 64", r"run\.toml: model\.widht: there is no such key"),
        ('epochs = "ten"', "epochs: .*integer"),
        ('model.method = "half"', r"model\.method: .*'full-sharing'"),
        ("model.channels = 0", "channels must be at least 1"),
        ("model.decouple_self = true", "no-sharing has no decoupled variant"),
        ('detections = "yolo"', "detections: .*'cpn-sim'"),
        ("batch_size = 1", "batch_size must be at least 2"),
        ("epochs =", "Invalid value"),
        ("learning_rate = -1.0", "learning_rate must be positive"),
        ("learning_rate = inf", "learning_rate must be finite"),
        ("learning_rate = nan", "learning_rate must be finite"),
        ("decay = nan", "decay must be finite"),
        ("clip = inf", "clip must be finite"),
        ("ema = -inf", "ema must be finite"),
        ("model.dropout = nan", "dropout must be at least 0 and below 1"),
        (f"seed = {10**20}", "seed must not be negative, and below 2 to the 63"),
        (f"seed = {2**63}", "seed must not be negative, and below 2 to the 63"),
        (f"model.channels = {10**9}", "channels must be at least 1 and at most 65,536"),
        (f"model.blocks = {10**9}", "blocks must not be negative, and at most 1,000"),
        (f"threads = {10**9}", "threads must be at most 1,024"),
        (f"batch_size = {10**12}", "batch_size must be at most 16,777,216"),
        ('cameras = "random"', 'canonical inputs go with cameras = "random"'),
        ('model.inputs = "canonical"', 'others with "open" or "own"'),
        ("model.sigma = true", "the open protocol has 16 joints and no sigma"),
        ("views.crop = 2.0", r"views: .*crop must be from 0 to 1"),
        ("supervision.ordinal = -1.0", r"supervision: .*ordinal is -1.0: a weight must be"),
        ('supervision.unlabelled = ["a"]', "unlabelled people teach nothing without an objective"),
        ("supervision.depth = 1.0", r"supervision\.depth"),
        ("views.fog = 1.0", r"views\.fog"),
        ('base = "my.onnx"', r"run\.toml: base is for over-time alone: leave it out"),
        (
            'schedule = "cosine"\ndecay = 0.9',
            r"run\.toml: decay is for exponential and staircase",
        ),
        ("# a comment", "--set '# a comment': sets nothing: write key = value"),
    ],
)
def test_each_mistake_is_named(run, override, message):
    with pytest.raises(ConfigError, match=message):
        read_config(run, [override])


RANDOM = [
    'cameras = "random"',
    'loss = "mpjpe"',
    'model.inputs = "canonical"',
    "model.sigma = true",
]


@pytest.mark.parametrize(
    ("joints", "override", "message"),
    [
        (28, "views.size = 0.1", r"views\.size is for 17 joints: with 28, anatomy\.size counts"),
        (
            28,
            "views.bones = 0.04",
            r"views.* with 28, anatomy\.bones counts",
        ),  # the default, but written
        (28, "views.recombine = 0.0", r"views.* with 28, anatomy\.recombine counts"),
        (28, "views.proxies = 1.0", r"views.* with 28, anatomy\.captured counts"),
        (17, "anatomy.size = 0.1", r"anatomy\.size .*joints = 28: with 17, views\.size counts"),
        (17, "flip = true", r"flip is for other cameras than random, where views\.mirror counts"),
        (17, "anatomy.captured = 0.1", r"anatomy\.captured .*joints = 28: leave it out"),
    ],
)
def test_a_key_that_would_be_ignored_is_refused(run, joints, override, message):
    with pytest.raises(ConfigError, match=rf"run\.toml: {message}"):
        read_config(run, [*RANDOM, f"model.joints = {joints}", override])


def test_random_views_are_not_supervised_weakly(run):
    with pytest.raises(ConfigError, match='weak supervision is for cameras that are "open" or "o'):
        read_config(run, [*RANDOM, "model.joints = 17", "supervision.bone_ratios = 0.1"])


def test_objectives_and_the_unlabelled_are_read_from_toml(run):
    given = read_config(run, ['supervision = {unlabelled = ["a", "b"], projection = 1.0}'])

    assert given.supervision == Supervision(unlabelled=("a", "b"), projection=1.0)
    assert given.selection.unlabelled == ("a", "b")
    assert differences(given, {}).keys() >= {"supervision.unlabelled", "supervision.projection"}


def test_keys_of_views_are_refused_where_no_view_is_random(run):
    with pytest.raises(ConfigError, match=r'views\.crop is for cameras = "random".*anatomy\.size'):
        read_config(run, ["views.crop = 0.2", "anatomy.size = 0.1"])


def test_what_single_frames_lack_is_no_key_over_time(run):
    override = [*RANDOM, "model.joints = 28", 'model.method = "over-time"']
    assert read_config(run, [*override, "views.noise = 1.0"]).views.noise == 1
    with pytest.raises(ConfigError, match=r"views\.limbs is for single frames"):
        read_config(run, [*override, "views.limbs = 0.1"])


def test_stored_runs_hold_every_key_and_are_still_read_and_compared():
    model = ModelConfig(joints=28, inputs="canonical", sigma=True)
    config = TrainConfig(cameras="random", loss="mpjpe", model=model)
    stored = json.loads(json.dumps(dataclasses.asdict(config)))

    assert parse_table(TrainConfig, stored, "there") == config
    stored["views"]["size"] = 0.1
    assert differences(config, stored) == {"views.size": (0.1, config.views.size)}


def test_all_mistakes_are_named_at_once(run):
    with pytest.raises(ConfigError, match=r"widht.*; .*hight|hight.*; .*widht"):
        read_config(run, ["model.widht = 1", "model.hight = 2"])


def test_the_largest_seed_and_width_are_taken(run):
    config = read_config(run, [f"seed = {2**63 - 1}", "model.channels = 65_536"])

    torch.manual_seed(config.seed)
    assert config.model.channels == 65_536


def test_a_file_that_is_not_toml_is_named(tmp_path):
    path = tmp_path / "photo.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match=r"photo\.toml: not TOML"):
        read_config(path)


def test_a_configuration_from_before_a_key_has_its_default():
    stored = json.loads(json.dumps(dataclasses.asdict(TrainConfig(seed=4))))
    for key in ("cameras", "views", "weight_decay"):
        del stored[key]
    for key in ("joints", "inputs", "sigma"):
        del stored["model"][key]

    assert differences(TrainConfig(seed=4), stored) == {}
    assert differences(TrainConfig(seed=5), stored) == {"seed": (4, 5)}


def test_a_run_goes_on_if_its_data_are_elsewhere_but_not_if_anything_else_differs():
    config = TrainConfig(steps=9)
    stored = json.loads(json.dumps(dataclasses.asdict(config)))

    check_own("there", config, stored | {"data": "/moved/to/there"}, {"trained on": ("a", "a")})
    with pytest.raises(CheckpointError, match="there: ") as refusal:
        check_own("there", config, stored | {"steps": 10, "loss": "mpjpe"}, {})
    assert 'steps (there 10, here 9), loss (there "mpjpe", here "mse"): ' in str(refusal.value)
    with pytest.raises(CheckpointError, match=r"there: was scored on other data .*aaa.*none"):
        check_own("there", config, None, {"scored on": ("aaa", None)})
