"""Arrays that stay in their files: gone through block by block, in memory that does not grow."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

BLOCK = 4096
"""Frames that are looked at together."""


def in_blocks(*arrays: np.ndarray, size: int = BLOCK) -> Iterator[slice]:
    """Cut the first axis into blocks, at least one, maybe empty.

    After each block, what was read of mapped files leaves the memory of the process.

    Args:
        arrays: At least one; their first axes are equally long.
        size: Of a block; the last may be shorter.
    """
    for start in range(0, max(len(arrays[0]), 1), size):
        yield slice(start, start + size)
        for array in arrays:
            forget(array)


def forget(array: np.ndarray) -> None:
    """Let pages of a file that is mapped to be read leave the memory; use reads them again.

    Other arrays stay as they are: what was written to a private map would be lost.
    """
    owner: Any = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if isinstance(owner, np.memmap) and owner.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        owner.base.madvise(mmap.MADV_DONTNEED)
