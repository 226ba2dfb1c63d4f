"""What an hour of keypoints costs, from file to file: seconds and memory.

    python benchmarks/lifting.py [models]

How fast the network, a batch and a streamed frame are, ``graphlift bench`` measures.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from growth import HOUR, measure

from graphlift.lifting import SHIPPED


def hour(name, *options):
    """A file of 180,000 frames through the command, in a process of its own."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        source, target = folder / "in.npz", folder / "out.npz"
        px = np.random.default_rng(0).normal(500, 200, (HOUR, 17, 2))
        np.savez(source, keypoints=px.astype(np.float32), skeleton="h36m-17", fps=50.0)
        words = ("lift", source, "-o", target, "--image-size", "1000x1000", *options)
        seconds, peak = measure(folder, *words, "--model", name)
    print(f"| {' '.join((Path(name).stem, *options))} | {seconds:.1f} | {peak:,.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=SHIPPED, help="names or .onnx files")
    models = parser.parse_args().models
    print(f"| {HOUR:,} frames, npz to npz | s | MB at most |\n|---|---:|---:|")
    for name in models:
        hour(name, "--raw")
    hour(models[0])


if __name__ == "__main__":
    main()
