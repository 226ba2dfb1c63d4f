"""Arrays that stay in their files leave the memory again, and nothing is lost by it."""

from pathlib import Path

import numpy as np
import pytest

from graphlift.mapped import forget, in_blocks

ROWS = 1 << 15


def held(path):
    """kB of a mapped file that are in the memory of this process."""
    maps = Path("/proc/self/smaps").read_text().splitlines()
    at = next(number for number, line in enumerate(maps) if line.endswith(str(path)))
    return next(int(line.split()[1]) for line in maps[at:] if line.startswith("Rss:"))


@pytest.fixture
def file(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(ROWS * 64, dtype=np.float32).reshape(ROWS, 64))
    return tmp_path / "x.npy"


def test_blocks_are_all_rows_once_and_at_least_one():
    assert list(in_blocks(np.empty((7, 2)), size=3)) == [slice(0, 3), slice(3, 6), slice(6, 9)]
    assert list(in_blocks(np.empty((0, 2)), size=3)) == [slice(0, 3)]


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="tells no memory of maps")
def test_what_was_read_of_a_file_leaves_the_memory(file):
    array = np.load(file, mmap_mode="r")
    view = array[:, None, :32]

    total = sum(float(view[part].sum()) for part in in_blocks(view))

    assert held(file) < 2_000  # of 8,192 kB
    assert total == pytest.approx(float(array[:, :32].sum(dtype=np.float64)), rel=1e-6)
    assert held(file) > 8_000
    forget(view)
    assert held(file) == 0
    np.testing.assert_array_equal(view[-1, 0], np.arange(ROWS * 64 - 64, ROWS * 64 - 32))


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_what_was_written_to_a_map_stays(file, mode):
    array = np.load(file, mmap_mode=mode)
    array[5] = -1

    forget(array)
    forget(array[5:])
    forget(np.zeros(3))

    assert (array[5] == -1).all()
