"""Two processes that train one network by gloo: the same as one, however often one is killed."""

import json
import os
import subprocess
import sys

import pytest
import torch
from helpers import as_ranks
from helpers.command import here

from graphlift.nn.whole_batch import Part
from graphlift.training.checkpoints import read_checkpoint
from graphlift.training.loop import LOG
from graphlift.training.state import MODEL

pytestmark = pytest.mark.long
RUN = """
steps = 12
batch_size = 15
evaluate_every = 5
tensorboard = false
flip = true
ema = 0.9
optimizer = "muon"
weight_decay = 0.01
model = {channels = 8, blocks = 1, dropout = 0.2}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pack):
    """What two processes leave of :mod:`helpers.as_ranks`, one of which is killed once."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "run.toml").write_text(RUN)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    arguments = (as_ranks.__file__, folder, folder / "run.toml", pack)
    ended = subprocess.run(
        # one restart is ours; gloo itself may abort a process that starts while another ends
        # (as in github.com/pytorch/gloo/issues/514), whichever start that is
        [sys.executable, *torchrun, "--max-restarts", "5", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return json.loads((folder / "found.json").read_text())


def test_a_step_of_two_processes_is_that_of_one(found):
    """Loss, clipped gradients and running statistics; of every network, with dropout.

    Batches of 11: one process has 5 samples and the other 6. Relative to the largest number of
    each tensor; float32 rounds to 1e-7 of it, and some networks are tens of layers deep.
    """
    assert set(found["apart"]) >= set(as_ranks.METHODS)
    assert {name: off for name, off in found["apart"].items() if off > 2e-5} == {}


def test_a_run_goes_on_after_a_process_was_killed_and_ends_bitwise_the_same(folder):
    began = {
        int(path.name.rpartition("-")[2]): int(path.read_text())
        for path in folder.glob("killed-began-*")
    }
    killed = int((folder / "killed-in").read_text())
    assert began[min(began)] == 1
    assert next(began[start] for start in sorted(began) if start > killed) == 6  # saved at 5
    (one, record), (other, another) = (
        read_checkpoint(folder / name / MODEL) for name in ("killed", "whole")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert record["processes"] == another["processes"] == 2
    logs = [(folder / name / LOG).read_text().splitlines() for name in ("killed", "whole")]
    assert [json.loads(line)["step"] for line in logs[0]] == [5, 10, 12]
    assert len(logs[1]) == 3


def test_a_run_of_two_processes_is_that_of_one_but_for_rounding(folder, pack, tmp_path):
    override = ("--set", f"data = {json.dumps(str(pack))}")
    assert here("train", folder / "run.toml", "-o", tmp_path / "run", *override).status == 0

    def curve(out):
        return [json.loads(line) for line in (out / LOG).read_text().splitlines()]

    for one, two in zip(curve(tmp_path / "run"), curve(folder / "whole"), strict=True):
        for key in ("step", "loss", "validation_mpjpe_mm", "learning_rate"):
            assert two[key] == pytest.approx(one[key], rel=1e-3)
    weights, others = (
        read_checkpoint(out / MODEL)[0] for out in (tmp_path / "run", folder / "whole")
    )
    for name, tensor in weights.items():
        assert torch.allclose(others[name].float(), tensor.float(), rtol=0.01, atol=1e-3), name


@pytest.mark.parametrize(("samples", "ranks"), [(64, 2), (11, 3), (2, 5), (1, 1), (0, 2)])
def test_each_sample_of_a_batch_is_in_the_part_of_one_process(samples, ranks):
    rows = [Part(rank, ranks, samples).rows for rank in range(ranks)]

    assert [i for part in rows for i in range(samples)[part]] == list(range(samples))
    lengths = [len(range(samples)[part]) for part in rows]
    assert max(lengths) - min(lengths) <= 1
