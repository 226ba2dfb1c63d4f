"""A server whose disk is full says so, counts nothing as under way, and goes on afterwards."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOT = getattr(os, "geteuid", int)() == 0
ALONE = ["unshare", "--mount"] + ([] if ROOT else ["--user", "--map-root-user"])


def test_a_full_disk_is_said_and_the_next_request_is_answered(tmp_path):
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    allowed = [*ALONE, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(allowed, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")

    run = subprocess.run(
        [*ALONE, sys.executable, "-m", "helpers.server_without_room", str(tmp_path)],
        cwd=TESTS, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr[-2000:]
    said = json.loads(run.stdout)
    done = {name: said.pop(name)[0] for name in ("afterwards", "a frame afterwards")}
    assert done == {"afterwards": 200, "a frame afterwards": 200}
    assert len(said) == 11
    for what, (status, words) in said.items():
        assert status == (0 if what == "motion of a job" else 507), (what, words)
        assert "the disk of this server is full" in words, what
        assert str(tmp_path) not in words, what
    assert run.stderr == ""  # no error of its own
