"""How many threads compute; imports nothing that reads this when it is loaded."""

import os
import sys

from graphlift.processors import processors

BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Variables by which NumPy's library of products is told how many threads to use."""


def set_threads(threads: int) -> int:
    """Tell NumPy's library how many threads to use, which it asks once, when NumPy is imported.

    Args:
        threads: 0 for one a processor.

    Returns:
        How many that is.
    """
    count = threads or processors()
    if "numpy" not in sys.modules:
        os.environ.update(dict.fromkeys(BLAS, str(count)))
    return count
