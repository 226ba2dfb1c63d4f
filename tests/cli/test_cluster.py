"""Lists of clips, and work on Ray's own cluster of several nodes, one of which dies."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli.test_lift import SMALL, seen  # noqa: F401  # a fixture
from helpers.command import assert_refused, here
from helpers.moving import poses_of, standing

import graphlift
from graphlift.cli.cluster import BEGUN, CLIPS, lift_some, write_clips
from graphlift.cli.folders import listed_clips, outputs_of, unfinished
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
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["motion.npz", "motion.HTML"])
def test_a_folder_is_not_given_the_name_of_a_file_unasked(listed, tmp_path, name):
    out = tmp_path / name

    for source in (listed, tmp_path / "a"):
        said = here("lift", source, *SMALL, "-o", out)
        assert_refused(said, out, source, "of clips", f"--format {out.suffix.lower()}")
    assert not out.exists()
    out.mkdir()
    assert here("lift", listed, *SMALL, "--raw", "-o", out).status == 1  # one is broken
    assert (out / "a" / "walk.bvh").is_file()


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


def test_a_clip_that_was_killed_between_the_files_of_its_people_is_done_again(work_on, tmp_path):
    both = two_people(tmp_path / "two.npz")
    output = tmp_path / "out" / "two.bvh"
    lift = work_on([(both, output)])

    assert lift()["how"] == ["done"]
    files = {path.name for path in output.parent.iterdir() if path.suffix == ".bvh"}
    assert files == {"two.anna.bvh", "two.bert.bvh"}
    assert lift()["how"] == ["skipped"]
    with pytest.raises(SystemExit), unfinished(output):
        raise SystemExit  # as far as what is left is concerned
    assert [lift()["how"] for _ in range(2)] == [["done"], ["skipped"]]
    hidden = [path.name for path in output.parent.glob(".*")]
    assert hidden == [".two.bvh.several"]


def test_a_clip_is_left_out_once_its_process_was_lost_thrice(work_on, seen, tmp_path):  # noqa: F811
    for name in ("a.npz", "b.npz"):
        write_keypoints(tmp_path / name, seen)
    lift = work_on([(tmp_path / name, tmp_path / "out" / name) for name in ("a.npz", "b.npz")])
    begun = tmp_path / BEGUN / "0"
    begun.parent.mkdir()

    def lost(times):
        begun.write_text(json.dumps({"clip": str(tmp_path / "a.npz"), "times": times}))
        return lift()

    third, after = lost(2), lost(3)
    begun.write_text("")  # the machine was lost while it wrote

    assert third["how"] == ["done", "done"]
    assert after["how"] == ["skipped", "skipped"]
    assert lift(again=True)["how"] == ["done", "done"]
    assert not begun.exists()
    (tmp_path / "out/a.npz").unlink()
    said = lost(3)
    assert said["how"] == ["failed", "skipped"]
    assert "was lost 3 times (out of memory?)" in said["why"][0]


def test_a_clip_is_not_replaced_by_what_is_made_of_it(work_on, seen, tmp_path):  # noqa: F811
    clip = tmp_path / "a.npz"
    write_keypoints(clip, seen)
    before = clip.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path)

    said = work_on([(clip, tmp_path / "link" / "a.npz")])(again=True)

    assert said["how"] == ["failed"]
    assert "link/a.npz: is what is read" in said["why"][0]
    assert clip.read_bytes() == before


@pytest.fixture
def work_on(tmp_path):
    """Do the only task of some clips, in this process."""

    def make(clips):
        places, _ = write_clips(clips, tmp_path / CLIPS, 1)
        places = np.array([[places[0, 0], places[-1, 1]]])
        raw = Request(model=SMALL[1], detector="", reading={}, steps=RAW, keep=None)
        task = {"file": tmp_path / CLIPS, "request": replace(raw, threads=1)}
        task |= {"version": graphlift.__version__}
        return lambda again=False: lift_some({"id": np.arange(1)}, places, **task, again=again)

    return make


def two_people(path, frames=20):
    both = poses_of(standing(frames, 2)).keypoints
    write_keypoints(path, replace(both, people=("anna", "bert")))
    return path


def test_a_clip_that_ends_its_process_is_named_and_the_others_are_lifted(seen, tmp_path):  # noqa: F811
    """A minute, and only where Ray is installed: whoever lifts one of the clips is killed."""
    pytest.importorskip("ray")
    long = np.tile(seen.positions, (200, 1, 1, 1)), np.tile(seen.confidence, (200, 1, 1))
    write_keypoints(tmp_path / "doomed.npz", replace(seen, positions=long[0], confidence=long[1]))
    names = ["a.npz", "doomed.npz", *(f"{number}.npz" for number in range(6))]
    for name in names:
        if name != "doomed.npz":
            write_keypoints(tmp_path / name, seen)
    (tmp_path / "clips.txt").write_text("\n".join(names))
    out = tmp_path / "out"
    words = ("lift", tmp_path / "clips.txt", "-o", out, "--format", "npz", "--ray", "local")
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}

    command = subprocess.Popen(
        [sys.executable, "-m", "graphlift", *map(str, (*words, *SMALL))],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    killed = set()
    while command.poll() is None:
        for begun in (out / BEGUN).glob("*"):
            with contextlib.suppress(OSError, ValueError):
                said = json.loads(begun.read_text())
                if said["clip"].endswith("doomed.npz"):
                    os.kill(said["process"], signal.SIGKILL)
                    killed.add(said["process"])
        time.sleep(0.002)
    said, errors = command.communicate()

    assert command.returncode == 1, errors
    assert len(killed) == 3
    assert "doomed.npz left out: the process or machine that lifted it was lost 3 times" in errors
    assert said.splitlines()[-1].endswith("1 failed: doomed.npz")
    made = {path.name for path in out.glob("*.npz")}
    assert made == {*names} - {"doomed.npz"}
    assert not (out / BEGUN).exists()


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
