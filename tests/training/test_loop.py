"""The loop: it learns, it stops anywhere and ends the same, it refuses what is not its own."""

import dataclasses
import json
import os
import signal

import numpy as np
import pytest
import torch
from helpers.kept_data import keeping

from graphlift.errors import CheckpointError, ModelError
from graphlift.metrics import mpjpe
from graphlift.nn.build import build_network
from graphlift.samples import Selection
from graphlift.samples.open_data import OpenData
from graphlift.training.checkpoints import load_weights, read_checkpoint, write_checkpoint
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.evaluation import predict, validate
from graphlift.training.loop import LOG, clip_gradients, learning_rate, train, weights
from graphlift.training.losses import loss_of
from graphlift.training.optimizer import Optimizer
from graphlift.training.state import CHECKPOINT, MODEL

TINY = TrainConfig(
    steps=12,
    batch_size=16,
    evaluate_every=5,
    tensorboard=False,
    model=ModelConfig(channels=4, blocks=1, dropout=0.2),
)
VARIED = dataclasses.replace(TINY, flip=True, ema=0.9, loss="mpjpe", schedule="cosine")
LIFTING = dataclasses.replace(
    VARIED,
    flip=False,
    weight_decay=0.01,
    cameras="random",
    model=ModelConfig(channels=4, blocks=1, joints=17, inputs="canonical", sigma=True),
)


WHOLE = dataclasses.replace(
    LIFTING, model=dataclasses.replace(LIFTING.model, joints=28), keep="last"
)
MUON = dataclasses.replace(VARIED, optimizer="muon", weight_decay=0.01, matmul_precision="medium")


@pytest.fixture(scope="module")
def study_data(study_data):
    return keeping(study_data)


def finish(config, data, out):
    for _ in train(config, data, out):
        pass
    return read_checkpoint(out / MODEL)


def assert_same_end(one, other):
    (tensors, record), (others, another) = one, other
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name

    def timeless(record):
        curve = [{k: v for k, v in line.items() if k != "seconds"} for line in record["curve"]]
        return {**record, "curve": curve, "seconds": None}

    assert timeless(record) == timeless(another)


CONFIGS = {
    "plain": TINY,
    "flip, EMA, cosine": VARIED,
    "random cameras": LIFTING,
    "28 joints": WHOLE,
    "Muon, bfloat16": MUON,
}


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=CONFIGS)
def uninterrupted(request, study_data, tmp_path_factory):
    """A configuration and how its run ends that nothing interrupts."""
    return request.param, finish(request.param, study_data, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("stop", [1, 5, 7, 11])
def test_an_interrupted_run_ends_bitwise_like_an_uninterrupted_one(
    uninterrupted, stop, study_data, tmp_path
):
    config, whole = uninterrupted
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # the signal comes from inside
        for progress in train(config, study_data, tmp_path):
            if progress.step == stop:
                os.kill(os.getpid(), signal.SIGINT)

    torch.manual_seed(99)  # whatever the process did in between
    assert_same_end(finish(config, study_data, tmp_path), whole)


def test_sigint_saves_at_the_end_of_the_step_and_then_interrupts(study_data, tmp_path):
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # the signal comes from inside
        for progress in train(TINY, study_data, tmp_path):
            if progress.step == 3:
                os.kill(os.getpid(), signal.SIGINT)

    _, record = read_checkpoint(tmp_path / CHECKPOINT)
    assert record["step"] == 4


def test_a_killed_run_goes_on_from_its_last_save(study_data, tmp_path):
    whole = finish(TINY, study_data, tmp_path / "whole")
    run = train(TINY, study_data, tmp_path / "killed")
    for _ in range(8):  # saved at 5, lost at 8
        next(run)
    run.close()

    assert read_checkpoint(tmp_path / "killed" / CHECKPOINT)[1]["step"] == 5
    assert_same_end(finish(TINY, study_data, tmp_path / "killed"), whole)


def test_the_checkpoint_that_a_kill_left_beside_a_finished_run_is_removed(study_data, tmp_path):
    run = train(TINY, study_data, tmp_path)
    for _ in range(8):
        next(run)
    run.close()
    left = (tmp_path / CHECKPOINT).read_bytes()
    finish(TINY, study_data, tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(left)

    assert list(train(TINY, study_data, tmp_path)) == []
    assert not (tmp_path / CHECKPOINT).exists()


def test_the_log_holds_every_evaluation_once(study_data, tmp_path):
    run = train(TINY, study_data, tmp_path)
    for _ in range(8):
        next(run)
    run.close()
    finish(TINY, study_data, tmp_path)

    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 12]


def test_the_kept_weights_are_those_of_the_lowest_validation_error(study_data, tmp_path):
    from graphlift.nn.build import build_network

    tensors, record = finish(TINY, study_data, tmp_path)
    network = build_network(**record["config"]["model"])
    load_weights(network, tensors, tmp_path)

    errors = {line["step"]: line["validation_mpjpe_mm"] for line in record["curve"]}
    assert record["best_step"] == min(errors, key=errors.get)
    again = validate(network, study_data.samples("validation", Selection()))
    assert again == pytest.approx(min(errors.values()))


def test_test_subjects_are_scored_along_the_curve_and_choose_nothing(study_data, tmp_path):
    plain = dataclasses.replace(TINY, evaluate_stride=3)
    watched = dataclasses.replace(plain, evaluate_test=True)

    tensors, record = finish(watched, study_data, tmp_path / "watched")
    others, other = finish(plain, study_data, tmp_path / "plain")

    assert all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())
    assert record["best_step"] == other["best_step"]
    at_best = {line["step"]: line for line in record["curve"]}[record["best_step"]]
    network = build_network(**dataclasses.asdict(TINY.model))
    network.load_state_dict(tensors)
    for split in ("validation", "test"):
        samples = study_data.samples(split, Selection())
        some = dataclasses.replace(
            samples,
            inputs=samples.inputs[::3],
            targets=samples.targets[::3],
            activity=samples.activity[::3],
        )
        assert at_best[f"{split}_mpjpe_mm"] == pytest.approx(validate(network, some))
        assert "test_mpjpe_mm" not in other["curve"][0]


def test_a_network_learns_a_handful_of_poses_by_heart(study_data, tmp_path):
    frames = study_data.samples("train", Selection())
    few = dataclasses.replace(
        frames,
        **{
            field.name: getattr(frames, field.name)[:32]
            for field in dataclasses.fields(frames)
            if isinstance(getattr(frames, field.name), np.ndarray)
        },
    )

    torch.manual_seed(0)
    from graphlift.nn.build import build_network

    network = build_network("pre-aggregation", decouple_self=True, channels=32, blocks=1)
    optimizer = Optimizer(list(network.parameters()), 1e-2)
    x, y = torch.from_numpy(few.inputs), torch.from_numpy(few.targets)
    for step in range(300):
        optimizer.lr = learning_rate(
            dataclasses.replace(VARIED, learning_rate=1e-2), step, 300, 300
        )
        loss = loss_of("mpjpe", network(x), y)
        network.zero_grad()
        loss.backward()
        optimizer.step()

    assert mpjpe(predict(network, few), few.targets) * 1000 < 20


def test_predictions_are_recentred_on_their_own_root(study_data):
    from graphlift.nn.build import build_network

    frames = study_data.samples("validation", Selection())

    poses = predict(build_network("full-sharing", channels=4, blocks=0), frames)

    assert poses.shape == frames.targets.shape
    assert not poses[:, 0].any()


def test_the_learning_rate_falls_once_an_epoch_or_along_a_cosine():
    steps, per_epoch = 100, 10
    rates = [learning_rate(TINY, step, steps, per_epoch) for step in (0, 9, 10, 25)]
    assert rates == pytest.approx([1e-3, 1e-3, 0.95e-3, 0.95**2 * 1e-3])

    rates = [learning_rate(VARIED, step, steps, per_epoch) for step in (0, 50, 100)]
    assert rates == pytest.approx([1e-3, 0.5e-3, 0])


def test_another_configuration_in_the_folder_is_refused_by_key(study_data, tmp_path):
    run = train(TINY, study_data, tmp_path)
    for _ in range(6):
        next(run)
    run.close()

    with pytest.raises(CheckpointError, match="another learning_rate"):
        finish(dataclasses.replace(TINY, learning_rate=1e-2), study_data, tmp_path)


def test_other_data_in_the_folder_are_refused(study_data, tmp_path):
    run = train(TINY, study_data, tmp_path)
    for _ in range(6):
        next(run)
    run.close()
    other = OpenData(
        "other", study_data.test, study_data.validation, study_data.train, None, stride=1
    )

    with pytest.raises(CheckpointError, match="trained on other data"):
        finish(TINY, other, tmp_path)


def test_a_finished_run_is_left_as_it_is(study_data, tmp_path):
    finish(TINY, study_data, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert list(train(TINY, study_data, tmp_path)) == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_end_of_another_run_is_not_overwritten(study_data, tmp_path):
    finish(TINY, study_data, tmp_path)
    before = (tmp_path / MODEL).read_bytes()
    wider = dataclasses.replace(TINY.model, channels=5)
    others = dataclasses.replace(study_data, train=study_data.test, test=study_data.train)

    with pytest.raises(CheckpointError, match=rf"{MODEL}: .*another seed .*, model\.\w+ \("):
        finish(dataclasses.replace(TINY, seed=1, model=wider), study_data, tmp_path)
    with pytest.raises(CheckpointError, match=rf"{MODEL}: was trained on other data"):
        finish(TINY, others, tmp_path)
    assert (tmp_path / MODEL).read_bytes() == before


def test_a_run_goes_on_though_its_data_have_moved(study_data, tmp_path):
    whole = finish(TINY, study_data, tmp_path / "whole")
    run = train(TINY, study_data, tmp_path / "moved")
    for _ in range(6):
        next(run)
    run.close()

    moved = dataclasses.replace(TINY, data="/moved/to/there")
    tensors, record = finish(moved, study_data, tmp_path / "moved")

    assert record["config"].pop("data") == "/moved/to/there"
    whole[1]["config"].pop("data")
    assert_same_end((tensors, record), whole)
    assert list(train(TINY, study_data, tmp_path / "moved")) == []


def stopped(config, data, out):
    run = train(config, data, out)
    for _ in range(6):
        next(run)
    run.close()
    return read_checkpoint(out / CHECKPOINT)


@pytest.mark.parametrize("key", ["config", "data_digest", "step", "curve", "loss_sum", "seconds"])
def test_a_checkpoint_without_its_whole_record_is_refused(study_data, tmp_path, key):
    tensors, record = stopped(TINY, study_data, tmp_path)
    del record[key]
    write_checkpoint(tmp_path / CHECKPOINT, tensors, record)

    with pytest.raises(CheckpointError, match=rf"{CHECKPOINT}: lacks {key}:"):
        finish(TINY, study_data, tmp_path)


@pytest.mark.parametrize(
    ("config", "part"), [(TINY, p) for p in ("network", "kept", "adam", "random")]
    + [(VARIED, "average")],
)  # fmt: skip
def test_a_checkpoint_without_one_of_its_parts_is_refused(study_data, tmp_path, config, part):
    tensors, record = stopped(config, study_data, tmp_path)
    few = {name: t for name, t in tensors.items() if name.partition(".")[0] != part}
    write_checkpoint(tmp_path / CHECKPOINT, few, record)

    with pytest.raises(CheckpointError, match=rf"{CHECKPOINT}: .* lacks {part}"):
        finish(config, study_data, tmp_path)
    other = {name: t[..., :-1] if t.ndim and name.startswith(part) else t
             for name, t in tensors.items()}  # fmt: skip
    write_checkpoint(tmp_path / CHECKPOINT, other, record)
    with pytest.raises(CheckpointError, match=rf"{CHECKPOINT}: .*{part}.* is \("):
        finish(config, study_data, tmp_path)


def test_a_run_that_diverges_stops_by_name_and_is_not_saved(study_data, tmp_path):
    out = tmp_path / "run-7"  # a study has many
    with pytest.raises(
        ModelError, match=r"run-7: training diverged at step 2: the loss .*lower learning_rate"
    ):
        finish(dataclasses.replace(TINY, learning_rate=1e30), study_data, out)

    assert not list(out.glob("*.safetensors"))
    network = build_network("full-sharing", channels=4)
    network.output.bias.data.fill_(torch.nan)
    unseen = study_data.samples("validation", Selection())
    with pytest.raises(ModelError, match="run-7: training diverged: the network's predictions"):
        validate(network, unseen, out)


def test_tensorboard_events_are_written_beside_the_log(study_data, tmp_path):
    finish(dataclasses.replace(TINY, tensorboard=True, steps=5), study_data, tmp_path)

    assert list(tmp_path.glob("events.out.tfevents.*"))


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(
    device, study_data, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    with pytest.raises(ModelError, match=rf"device = '{device}': .* write device = \"cpu\""):
        finish(dataclasses.replace(TINY, device=device), study_data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_made_before_there_were_devices_goes_on_on_the_processor(study_data, tmp_path):
    tensors, record = finish(TINY, study_data, tmp_path)
    del record["config"]["device"]
    write_checkpoint(tmp_path / MODEL, tensors, record)

    assert list(train(TINY, study_data, tmp_path)) == []
    with pytest.raises(CheckpointError, match="another device"):
        finish(dataclasses.replace(TINY, device="mps"), study_data, tmp_path)


@pytest.mark.parametrize("scale", [1e-4, 1e4, float("nan")])
def test_gradients_are_clipped_as_torch_clips_them(scale):
    networks = [build_network(**dataclasses.asdict(ModelConfig(channels=4))) for _ in range(2)]
    for network in networks:
        generator = torch.Generator().manual_seed(0)
        for parameter in network.parameters():
            parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
    ours, theirs = networks
    clip_gradients(ours, 1.0)
    torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)

    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=0, equal_nan=True)


def test_a_network_gets_its_own_weights_back_even_if_the_block_raises():
    network = torch.nn.BatchNorm1d(3)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    other = {name: tensor + 1 for name, tensor in own.items()}

    def evaluate():
        with weights(network, other):
            assert all(torch.equal(t, other[name]) for name, t in network.state_dict().items())
            raise KeyError("while it is evaluated")

    with pytest.raises(KeyError):
        evaluate()
    assert all(torch.equal(t, own[name]) for name, t in network.state_dict().items())
