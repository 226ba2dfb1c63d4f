"""A run with ordinal labels that people gave: they teach, and no depth of the unlabelled does."""

import csv
import dataclasses

import numpy as np
import pytest
import torch

from graphlift.errors import CheckpointError, ConfigError
from graphlift.nn.ordinal import joint_pairs, ordinal_loss, part_pairs
from graphlift.samples import Selection
from graphlift.samples.ordinal_labels import COLUMNS, UNSAID
from graphlift.samples.supervision import Supervision
from graphlift.skeletons import H36M_16
from graphlift.study.objectives import objective_of
from graphlift.training.checkpoints import read_checkpoint
from graphlift.training.config import ModelConfig, TrainConfig, read_config
from graphlift.training.loop import train
from graphlift.training.state import MODEL
from graphlift.training.weak import ORDINAL_UNIT, annotate, weak_loss

TINY = TrainConfig(
    steps=8,
    batch_size=32,
    evaluate_every=4,
    tensorboard=False,
    model=ModelConfig(channels=4, blocks=1),
)


def finish(config, data, out):
    for _ in train(config, data, out):
        pass
    return read_checkpoint(out / MODEL)


def write(path, data, nearer):
    """The feet of the second person in every frame: which is nearer, and is one of its knee?"""
    samples, clips = data.samples("train", Selection()), data.train.clips
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(len(samples)):
            clip = clips[samples.clip[number]]
            if clip.subject == data.train.subjects[1]:
                at = clip.subject, clip.name, samples.camera[number], samples.frame[number]
                writer.writerow([*at, "RFoot", "LFoot", nearer])
                writer.writerow([*at, "RKnee", "RFoot", nearer])
    return str(path)


@pytest.fixture
def config(study_data, tmp_path):
    return dataclasses.replace(
        TINY,
        supervision=Supervision(
            unlabelled=study_data.train.subjects[1:],
            ordinal_labels=write(tmp_path / "labels.csv", study_data, 1),
            ordinal=5.0,
            parts=3.0,
        ),
    )


def test_the_loss_is_that_of_the_given_labels_alone(rng):
    said = torch.tensor(rng.normal(0, 0.3, (4, 16, 3)), dtype=torch.float32)
    order = np.full((4, 120), UNSAID, dtype=np.int8)
    feet = sorted(H36M_16.index("RFoot", "LFoot"))
    knee = sorted(H36M_16.index("RKnee", "RFoot"))
    every = joint_pairs(H36M_16).tolist()
    order[1, every.index(feet)], order[3, every.index(knee)], order[0, 7] = -1, 1, 1
    labelled, asked = np.array([True, False, False, False]), Supervision(ordinal=2.0, parts=3.0)

    labels = annotate(torch.zeros(4, 16, 3), labelled, asked, H36M_16, order)
    parts = weak_loss("mse", said, said[..., :2], labels)[1]

    def cost(person, pair, relation):
        depths = said[[person]][..., 2]
        args = torch.tensor([pair]), torch.tensor([[relation]])
        return ordinal_loss(depths, *args, unit=ORDINAL_UNIT).item()

    both = cost(1, feet, -1), cost(3, knee, 1)
    assert knee in [sorted(pair) for pair in part_pairs(H36M_16).tolist()]
    assert parts["ordinal"].item() == pytest.approx(sum(both) / 2, rel=1e-6)
    assert parts["parts"].item() == pytest.approx(both[1], rel=1e-6)
    order[1:] = UNSAID
    nothing = annotate(torch.zeros(4, 16, 3), labelled, asked, H36M_16, order)
    assert weak_loss("mse", said, said[..., :2], nothing)[1].keys() == {"labelled"}


def test_no_depth_of_the_unlabelled_reaches_training_and_the_labels_do(
    config, study_data, tmp_path
):
    whole, record = finish(config, study_data, tmp_path / "a")
    drawn = study_data.batches(config.selection, torch.from_numpy)

    def elsewhere(rows):
        x, y = drawn.gather(rows)
        hidden = torch.from_numpy(drawn.unlabelled[rows])
        y[hidden] = y[hidden] * -3 + 0.7
        return x, y

    class Moved:
        name, digest, licence = study_data.name, study_data.digest, study_data.licence
        check, samples = study_data.check, study_data.samples

        @staticmethod
        def batches(chosen, place):
            return dataclasses.replace(drawn, gather=elsewhere)

    again = finish(config, Moved(), tmp_path / "b")[0]
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert {"loss_ordinal", "loss_parts"} <= record["curve"][-1].keys()

    write(tmp_path / "labels.csv", study_data, -1)
    other = finish(config, study_data, tmp_path / "c")[0]
    assert not all(torch.equal(whole[name], other[name]) for name in whole)


def test_a_run_does_not_go_on_with_other_labels(config, study_data, tmp_path):
    run = train(config, study_data, tmp_path / "run")
    for _ in range(5):
        next(run)
    run.close()
    write(tmp_path / "labels.csv", study_data, 0)

    with pytest.raises(CheckpointError, match=r"trained on other ordinal labels than .*labels\.c"):
        finish(config, study_data, tmp_path / "run")
    write(tmp_path / "labels.csv", study_data, 1)
    finish(config, study_data, tmp_path / "run")
    write(tmp_path / "labels.csv", study_data, 0)
    with pytest.raises(CheckpointError, match="other ordinal labels"):
        finish(config, study_data, tmp_path / "run")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            'ordinal_labels = "l.csv"',
            "ordinal_labels teach nothing without an objective: give ord",
        ),
        ('ordinal_labels = "l.csv"\nprojection = 1.0', "ordinal_labels teach nothing without"),
        ('ordinal_labels = "l.csv"\nparts = 1.0', "vary makes every pose anew.*ordinal_labels"),
    ],
)
def test_labels_that_would_teach_nothing_are_refused(keys, message, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(f"vary = true\n[supervision]\n{keys}\n")

    with pytest.raises(ConfigError, match=message):
        read_config(path)


def test_a_table_that_is_not_there_is_named_with_the_way_out(config, study_data, tmp_path):
    lost = dataclasses.replace(config.supervision, ordinal_labels=str(tmp_path / "lost.csv"))

    with pytest.raises(FileNotFoundError, match=r"there is no .*lost\.csv: give the path"):
        finish(dataclasses.replace(config, supervision=lost), study_data, tmp_path / "run")


def test_a_study_tells_given_labels_from_simulated_ones():
    asked = Supervision(unlabelled=("b",), ordinal=1.0, ordinal_labels="l.csv")

    given = dataclasses.asdict(asked) | {"unlabelled": ["b"]}
    assert objective_of({"supervision": given}) == "ordinal, labels given, 1 unlabelled"
    assert objective_of({"supervision": given | {"ordinal_labels": ""}}) == "ordinal, 1 unlabelled"
