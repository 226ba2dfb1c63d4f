"""Clocks of the system that jump while something runs: nothing depends on them."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.served import ask, people, plain, post_json, until
from serve.test_command import running

import graphlift

PACKAGE = Path(graphlift.__file__).parent
ALLOWED = {"files.py": 1}
"""Calls of the system's clock, by file: how long ago a temporary file was changed, where there are
no locks."""


def asks_for_the_time(node):
    """Whether a call asks the clock that may be set."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr=name)):
            return name in ("time", "time_ns", "localtime", "gmtime", "ctime")
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in ("now", "utcnow", "today")
    return False


def test_durations_are_measured_by_clocks_that_nobody_sets():
    calls = {
        path.relative_to(PACKAGE).as_posix(): sum(
            map(asks_for_the_time, ast.walk(ast.parse(path.read_text("utf-8"))))
        )
        for path in PACKAGE.rglob("*.py")
    }

    assert {name: count for name, count in calls.items() if count} == ALLOWED


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_server_whose_clock_jumps_keeps_its_jobs_and_ends_in_order(tmp_path, monkeypatch):
    pytest.importorskip("fastapi")
    found = subprocess.run(
        ["faketime", "-m", "-f", "+0d", "env"], capture_output=True, text=True, check=True
    ).stdout
    monkeypatch.setenv("LD_PRELOAD", found.partition("LD_PRELOAD=")[2].splitlines()[0])
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(tmp_path / "clock"))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    (tmp_path / "clock").write_text("+0d")

    with running("--model", "open-small") as (process, address):
        job = post_json(address, "/jobs?format=json", plain(people(30))).json["id"]
        until(lambda: ask(address, "GET", f"/jobs/{job}").json["state"] == "done")
        for jump in ("+400d", "-400d"):
            (tmp_path / "clock").write_text(jump)
            told = ask(address, "GET", f"/jobs/{job}").json
            frames = ask(address, "GET", f"/jobs/{job}/result").json["frames"]
            lifted = post_json(address, "/lift", plain(people(5)))
            assert (told["state"], len(frames), lifted.status) == ("done", 30, 200), jump
            assert 500 < told["forgotten_in"] <= 600, jump
        process.terminate()
        assert process.wait(60) == 0
