"""What the card of a model says of the data it was trained on."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.kept_data import keeping
from helpers.tiny_pack import small, write_folder

from graphlift import Lifter
from graphlift.card import read_card
from graphlift.datasets.mocap.pack import read_pack, write_pack
from graphlift.errors import CheckpointError, ConfigError
from graphlift.samples.open_data import read_open_data
from graphlift.study import release as releasing
from graphlift.study.release import release
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.loop import train

SENTENCE = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created "
    "with funding from NSF EIA-0196217."
)
CONFIG = TrainConfig(
    steps=2,
    batch_size=16,
    loss="mpjpe",
    cameras="random",
    keep="last",
    tensorboard=False,
    model=ModelConfig(channels=4, blocks=1, joints=28, inputs="canonical", sigma=True),
)


@pytest.fixture(scope="module", autouse=True)
def few_views():
    """Calibrate on few views, because no test is of how well errors were fitted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(releasing, "CALIBRATION_VIEWS", 500)
        yield


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "pack")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The folder of a pack of one's own, and the card of a model trained on it."""
    folder = write_folder(tmp_path_factory.mktemp("own") / "pack")
    return folder, exported(folder)


def state(path, licence, source):
    write_pack(path, replace(read_pack(path), license=licence, source=source))


def exported(folder, config=CONFIG):
    run = folder.parent / "run"
    data = keeping(read_open_data(str(folder)))
    for _ in train(config, data, run):
        pass
    return release(run / "model.safetensors", data, "own", run)


def test_a_pack_of_ones_own_is_acknowledged_as_it_states_and_cmu_is_not(own):
    folder, card = own

    assert card.acknowledgement == "cmu: a source. a licence."
    assert card.licence == "as the terms of its data allow: a licence"
    assert card.data == "cmu, training subjects"
    people = read_open_data(str(folder)).train
    poses = sum(len(clip.positions) for clip in people.clips)
    assert card.limits[0] == f"Trained on 2 people of cmu, in {poses} poses."
    for text in (card.to_json(), card.to_text()):
        assert "mocap.cs.cmu.edu" not in text
        assert "one laboratory" not in text


def test_turns_that_were_estimated_are_a_limit_and_score_no_heads_and_feet(own):
    folder, card = own

    assert "(cmu_turns.npz): they are estimated" in card.limits[-1]
    for row in card.metrics:
        assert not {"head_deg", "feet_deg"} & row.keys()
    run = folder.parent / "run"
    assert Lifter.load(run / "own.onnx").card.limits == card.limits
    written = read_card((run / "own.json").read_text(encoding="utf-8"), "own.json")
    assert json.loads(written.to_json()) == json.loads(card.to_json())


def test_cmu_is_acknowledged_in_its_own_words_and_a_second_pack_as_well(folder):
    state(folder / "cmu.npz", "free for all uses", "mocap.cs.cmu.edu, 30 frames per second")
    second = replace(small("train", seed=9), license="BSD-3-Clause, (c) 2016 X.", source="")
    write_pack(folder / "more.npz", second)

    card = exported(folder)

    assert card.acknowledgement == (
        f"{SENTENCE} cmu: mocap.cs.cmu.edu, 30 frames per second. free for all uses. "
        "more: BSD-3-Clause, (c) 2016 X."
    )
    assert card.licence == "Apache-2.0"
    assert card.limits[0].startswith("Trained on few people of one laboratory")


def test_a_pack_that_states_nothing_is_said_to_and_for_17_joints_needs_no_turns(folder):
    state(folder / "cmu.npz", "", "")

    card = exported(folder, replace(CONFIG, model=replace(CONFIG.model, joints=17)))

    assert not any("turns" in limit for limit in card.limits)
    assert card.acknowledgement == "cmu states neither its source nor its terms."
    assert card.licence == "as the terms of its data allow: they are not stated"


def test_data_that_it_was_not_trained_on_are_refused(own, tmp_path):
    other = read_open_data(str(write_folder(tmp_path / "other", seed=50)))

    with pytest.raises(
        CheckpointError, match=r"model\.safetensors: was trained on other data .*--data"
    ):
        release(own[0].parent / "run" / "model.safetensors", other, "own", tmp_path)


def test_an_export_in_the_folder_of_its_run_does_not_replace_what_it_is_made_of(own):
    model = own[0].parent / "run" / "model.safetensors"
    before = model.read_bytes()

    with pytest.raises(ConfigError, match=r"run/model\.safetensors: is what is read: give"):
        release(model, read_open_data(str(own[0])), "model", model.parent)
    assert model.read_bytes() == before


def test_an_export_that_breaks_off_leaves_no_model_with_half_a_card(own):
    folder, _ = own
    run, broken = folder.parent / "run", replace(read_open_data(str(folder)), cross=object())

    with pytest.raises(AttributeError):  # when it is scored, after it was calibrated
        release(run / "model.safetensors", broken, "half", run)

    assert not [path.name for path in run.iterdir() if "half" in path.name]


def test_a_network_that_has_learnt_no_sizes_has_a_card_that_is_read(own):
    _, card = own

    assert 0 < card.size_sigma <= 1
    assert np.isfinite([card.sigma_scale, card.front_scale]).all()
