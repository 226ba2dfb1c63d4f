"""A real file system that is full or read-only: what is written there fails in order."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("torch", "viser", "pyarrow", "cv2", "matplotlib", "jinja2", "onnx"):
    pytest.importorskip(needed)

TESTS = Path(__file__).parent
ROOT = getattr(os, "geteuid", int)() == 0
ALONE = ["unshare", "--mount"] + ([] if ROOT else ["--user", "--map-root-user"])
"""In a mount namespace of its own, where users other than root may mount, too."""
NAMES = (
    *("walk.bvh", "walk.glb", "walk.c3d", "walk.trc", "walk.npz", "walk.json", "walk.csv"),
    *("walk.parquet", "walk.openpose", "walk.html"),
    *("people", "keypoints.npz", "mocap.npz", "h36m"),
    *("run.safetensors", "own.onnx", "own.safetensors"),
    *("results.jsonl", "log.jsonl", "cut", "study", "drawn.mp4"),
)


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """What every writer did, by name."""
    disk, inputs = tmp_path_factory.mktemp("disk"), tmp_path_factory.mktemp("inputs")
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    allowed = [*ALONE, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(allowed, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    run = subprocess.run(
        [*ALONE, sys.executable, "-m", "helpers.small_disk", str(disk), str(inputs)],
        cwd=TESTS, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return disk, dict(map(json.loads, run.stdout.splitlines()))


def test_every_writer_is_tried(tried):
    assert tuple(tried[1]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_an_error_that_names_the_file_and_the_way_out(tried, name):
    disk, found = tried

    for each in found[name]["full"]:
        assert "OSError: " in each["said"]
        assert f"{disk}/{name}" in each["said"]
        assert "ree some space and run the same command again" in each["said"]
        assert each["kept"], "something else stands there than before"


@pytest.mark.parametrize("name", NAMES)
def test_once_there_is_room_the_same_command_works(tried, name):
    assert tried[1][name]["again"] == ""
    assert tried[1][name]["whole"]


@pytest.mark.parametrize("name", NAMES)
def test_a_read_only_place_is_an_error_that_names_it(tried, name):
    disk, found = tried

    for each in found[name]["read-only"]:
        assert each["said"].startswith("OSError: "), each
        assert "Read-only file system: give another place" in each["said"]
        assert str(disk) in each["said"]
        assert ".graphlift-" not in each["said"]
        assert each["kept"]
