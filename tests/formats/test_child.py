"""Reading in a child process: what hangs, dies or fills memory there is an error here."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from graphlift.formats.child import read_in_child


def slow(path: Path) -> np.ndarray:
    """Never end, in a loop that Python cannot leave by itself."""
    while True:
        path.exists()


def greedy(path: Path) -> dict[str, np.ndarray]:
    return {"x": np.ones(int(path.name))}


def dying(path: Path) -> np.ndarray:

    os.abort()


def refusing(path: Path) -> np.ndarray:
    raise KeyError(path.name)


def test_what_a_child_reads_comes_back(tmp_path):
    arrays = read_in_child(greedy, tmp_path / "7", max_bytes=1 << 20, seconds=60)

    np.testing.assert_array_equal(arrays["x"], np.ones(7))


@pytest.mark.parametrize(
    ("function", "name", "words", "seconds"),
    [(slow, "x", r"no end after 0\.5 s", 0.5), (dying, "x", "broke down", 60),
     (refusing, "x", "KeyError", 60), (greedy, "1000000000", "MemoryError", 60)],
)  # fmt: skip
def test_a_child_that_hangs_dies_or_fills_memory_is_an_error(
    function, name, words, seconds, tmp_path
):
    with pytest.raises(ValueError, match=words):
        read_in_child(function, tmp_path / name, max_bytes=1 << 20, seconds=seconds)

    again = read_in_child(greedy, tmp_path / "3", max_bytes=1 << 20, seconds=60)
    np.testing.assert_array_equal(again["x"], np.ones(3))


KEEPS_BUSY = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from formats import test_child
from graphlift.formats.child import _child, read_in_child
print(_child(1 << 20).pid, flush=True)
read_in_child(test_child.slow, Path("x"), max_bytes=1 << 20, seconds=600)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_a_child_whose_parent_is_killed_ends_in_the_midst_of_its_work():
    parent = subprocess.Popen(
        [sys.executable, "-c", KEEPS_BUSY, str(Path(__file__).parents[1])], stdout=subprocess.PIPE
    )
    child = Path("/proc") / parent.stdout.readline().decode().strip()
    time.sleep(0.5)
    assert child.exists()

    parent.kill()
    parent.communicate()

    end = time.monotonic() + 30
    while child.exists() and (child / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end, "the child goes on"
        time.sleep(0.05)
