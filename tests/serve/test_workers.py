"""Processes that lift: replaced when the system ends them, and bounded in memory."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.served import ask, people, plain, post_json, until

from graphlift.processors import processors
from graphlift.serve.server import serving
from graphlift.serve.settings import Settings

CLIP = plain(people(3)[:, 0])

if not sys.platform.startswith("linux"):
    pytest.skip("children are looked for in /proc", allow_module_level=True)


def children():
    """Processes that this one has started."""
    lists = (path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return {int(number) for text in lists for number in text.split()}


@pytest.fixture(scope="module")
def tight():
    """A server whose processes have one thread and little memory."""
    settings = {"workers": processors(), "memory_bytes": 170_000_000}
    with serving(Settings(port=0, models=("open-small",), **settings)) as address:
        yield address


def test_a_process_that_the_system_ended_while_it_was_idle_is_replaced(tight):
    others = children()
    assert post_json(tight, "/lift?raw=true", CLIP).status == 200
    (first,) = children() - others

    os.kill(first, signal.SIGKILL)
    until(lambda: first not in children())
    again = post_json(tight, "/lift?raw=true", CLIP)

    assert (again.status, len(again.json["frames"])) == (200, 3)
    until(lambda: children() - others)  # the list may lag behind
    (second,) = children() - others
    assert second != first


def test_what_a_process_took_is_its_own_and_not_what_the_server_took_that_started_it():
    """As ru_maxrss would be, which Linux hands on to a new program."""
    child = "from graphlift.serve.worker import _largest_memory; print(_largest_memory())"
    large = (
        "import subprocess, sys; held = bytearray(b'x') * 600_000_000; "
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    said = subprocess.run([sys.executable, "-c", large], capture_output=True, check=True)

    assert 10e6 < int(said.stdout) < 400e6


def test_a_file_that_unpacks_to_more_memory_than_allowed_is_refused(tight):
    lists = b'{"keypoints": [' + b"[]," * 1_200_000 + b"[]]}"  # 4 MB, as Python's lists 80 MB

    said = ask(tight, "POST", "/lift", lists, Content_Type="application/json")

    assert said.status == 422
    assert said.error.startswith("keypoints.json: unpacks to more than the 170 MB of memory")
    assert post_json(tight, "/lift?raw=true", CLIP).status == 200
