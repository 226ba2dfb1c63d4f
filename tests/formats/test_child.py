"""Reading in a child process: what hangs, dies or fills memory there is an error here."""

import os
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
