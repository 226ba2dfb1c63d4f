"""Two processes that write the same: one is refused, or whole files of the last one stand."""

import subprocess
import sys

import pytest
from helpers.command import here
from helpers.tiny_keypoints import walk
from helpers.tiny_pack import write_folder

from graphlift.formats import read_poses, write_keypoints
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17

PLAN = """
methods = ["martinez"]
channels = [4]
[recipe]
steps = 4_000
batch_size = 8
evaluate_every = 2_000
tensorboard = false
model.blocks = 1
"""


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "graphlift", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(words, first):
    """What the second process says while the first is at work."""
    try:
        for _ in range(100):
            said = here(*words)
            if said.status:
                return said
        raise AssertionError("both ran")
    finally:
        first.kill()
        first.communicate()


def test_a_second_study_in_one_folder_is_refused(tmp_path):
    """As a second training is, by the same lock: ``cli/test_train.py``."""
    pytest.importorskip("torch")
    pytest.importorskip("fcntl")
    data, out = write_folder(tmp_path / "pack"), tmp_path / "out"
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    words = ["study", "run", plan, "--data", data]
    first = start(*words, "--out", out)
    while not (out / ".lock").exists():
        assert first.poll() is None, first.communicate()

    said = refused([*words, "--out", out], first)

    assert said.status == 2
    assert said.err == (
        f"graphlift: another study runs in {out}: wait until it ends, or give this one another "
        "folder\n"
    )
    assert not list(out.glob("results.jsonl"))


def test_two_lifts_into_one_folder_leave_every_file_whole(tmp_path):
    (tmp_path / "clips").mkdir()
    for number in range(4):
        triples = walk(COCO_17, frames=5, seed=number)
        keypoints = keypoints_from(
            triples[..., :2], COCO_17, confidence=triples[..., 2], image_size=(640, 480), fps=30
        )
        write_keypoints(tmp_path / "clips" / f"{number}.npz", keypoints)
    words = ("lift", tmp_path / "clips", "--model", "open-small", "--format", "npz", "--again")

    both = [start(*words, "-o", tmp_path / "out") for _ in range(2)]

    assert [process.communicate()[1] is None or process.returncode for process in both] == [0, 0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number}.npz" for number in range(4)
    ]
    assert all(len(read_poses(path)) == 5 for path in (tmp_path / "out").iterdir())
