"""Lists of clips, and work on Ray's own cluster of several nodes, one of which dies."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli.test_lift import SMALL, seen  # noqa: F401  # a fixture
from helpers.command import assert_refused, here

import graphlift
from graphlift.cli.cluster import CLIPS, lift_some, write_clips
from graphlift.cli.folders import listed_clips, outputs_of
from graphlift.cli.lift import Request
from graphlift.errors import ConfigError, ModelError
from graphlift.files import LOCK
from graphlift.formats import read_poses, write_keypoints
from graphlift.steps import Steps

ROOT = Path(__file__).parents[2]
RAW = Steps(lifting={}, motion=None, sides=False)


@pytest.fixture
def listed(seen, tmp_path):  # noqa: F811
    """A list of three clips of keypoints, two of one name, in folders; one is broken."""
    for name in ("a/walk.npz", "b/walk.npz"):
        (tmp_path / name).parent.mkdir()
        write_keypoints(tmp_path / name, seen)
    (tmp_path / "b/broken.csv").write_text("frame,nose_x\n0,1\n")
    path = tmp_path / "clips.txt"
    path.write_text("a/walk.npz\n\nb/walk.npz\nb/broken.csv\r\n")
    return path


def test_a_list_of_clips_is_lifted_into_the_folders_that_it_has(listed, tmp_path):
    said = here("lift", listed, *SMALL, "--raw", "--format", "json", "-o", tmp_path / "out")

    assert said.status == 1
    assert said.out.splitlines()[-1] == f"{listed}: 2 done, 1 failed: broken.csv"
    files = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert files == [tmp_path / "out" / name / "walk.json" for name in "ab"]
    assert all(len(read_poses(path)) == 40 for path in files)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no clip"),
        ("a/walk.npz\nnowhere.npz\n", "line 2: there is nothing at"),
        ("a/../../walk.npz\n", "line 1: a/../../walk.npz: give a path below the folder"),
        ("a/walk.npz\0\n", "line 1"),
        ("x" * 5000, "line 1"),
    ],
)
def test_a_list_that_names_no_clips_is_refused_by_its_line(listed, tmp_path, text, words):
    listed.write_text(text)

    assert_refused(here("lift", listed, *SMALL, "-o", tmp_path / "out"), listed, words)


def test_ray_is_for_several_clips(listed, tmp_path):
    one = ("lift", tmp_path / "a/walk.npz", "-o", tmp_path / "x.npz")

    assert_refused(here(*one, "--ray"), "--ray is for a folder of clips, or a list")


def pairs(count, out=Path("out")):
    return [(Path(f"{at:04d}.npz"), out / f"{at:04d}.bvh") for at in range(count)]


@pytest.mark.parametrize(
    ("count", "processors", "each"), [(0, 2, 1), (1, 64, 1), (80, 2, 10), (5000, 2, 32)]
)
def test_tasks_have_each_clip_once(tmp_path, count, processors, each):
    file = tmp_path / CLIPS

    places, total = write_clips(iter(pairs(count)), file, processors)

    text = file.read_bytes()
    found = [json.loads(line) for a, b in places for line in text[a:b].splitlines()]
    assert found == [[str(part.absolute()) for part in pair] for pair in pairs(count)]
    assert total == count
    assert len(places) == -(-count // each)


def test_two_clips_that_would_become_one_file_are_named(tmp_path):
    twice = [*pairs(50), (Path("other/0007.csv"), Path("out/0007.bvh"))]

    with pytest.raises(ConfigError, match=r"0007\.npz and .*other/0007\.csv would both become"):
        write_clips(twice, tmp_path / CLIPS, 2)


def test_a_task_lifts_what_is_not_there_and_says_of_each_how_it_ended(listed, tmp_path):
    out, file = tmp_path / "out", tmp_path / CLIPS
    clips = outputs_of(listed_clips(listed), out, ".bvh", listed.parent)
    places, _ = write_clips(clips, file, 1)
    raw = Request(model=SMALL[1], detector="", reading={}, steps=RAW, keep=None, threads=1)
    task = {"file": file, "request": raw, "again": False}
    version = graphlift.__version__

    first = lift_some({"id": np.arange(3)}, places, **task, version=version)
    again = lift_some({"id": np.arange(3)}, places, **task, version=version)

    assert first["clip"] == again["clip"] == ["walk.npz", "walk.npz", "broken.csv"]
    assert first["how"] == ["done", "done", "failed"]
    assert again["how"] == ["skipped", "skipped", "failed"]
    assert "only 1 of 1 body parts" in first["why"][2]
    with pytest.raises(ModelError, match="install the same everywhere"):
        lift_some({"id": np.arange(3)}, places, **task, version="0.0.1")


def test_nothing_is_lost_or_doubled_when_a_node_of_a_cluster_is_killed(tmp_path):
    """Minutes, and only where Ray is installed: a study and clips (benchmarks/ray_kill.py)."""
    pytest.importorskip("ray")
    script = ROOT / "benchmarks" / "ray_kill.py"
    small = ("--clips", "40", "--steps", "200", "-o", str(tmp_path))

    said = subprocess.run(
        [sys.executable, script, *small], capture_output=True, text=True, check=False
    )

    assert said.returncode == 0, said.stdout + said.stderr
    assert "nothing was lost, doubled or changed" in said.stdout
    left = {path.name for path in (tmp_path / "lifted-cluster").iterdir()}
    assert left == {LOCK, "000", "001", "002", "003"}
