"""What an hour of keypoints costs, from file to file: seconds and memory.

    python benchmarks/lifting.py

How fast the network, a batch and a streamed frame are, ``graphlift bench`` measures.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from graphlift.lifting import SHIPPED

HOUR = 180_000


def hour(name, *options):
    """A file of 180,000 frames through the command, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        px = np.random.default_rng(0).normal(500, 200, (HOUR, 17, 2))
        np.savez(source, keypoints=px.astype(np.float32), skeleton="h36m-17", fps=50.0)
        command = ["lift", str(source), "-o", str(target), "--image-size", "1000x1000"]
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "graphlift", *command, *options, "--model", name],
            check=True,
            capture_output=True,
        )
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of all so far
    print(f"| {' '.join((name, *options))} | {seconds:.1f} | {peak:,.0f} |", flush=True)


def main():
    print(f"| {HOUR:,} frames, npz to npz | s | MB at most |\n|---|---:|---:|")
    for name in SHIPPED:
        hour(name, "--raw")
    hour(SHIPPED[0])


if __name__ == "__main__":
    main()
