"""What lifting costs: share of the arithmetic limit, one frame, and an hour from file to file.

    python benchmarks/lifting.py [--threads 2] [--hour]

The limit is the rate of one large float32 matrix product of NumPy in the same run, taken before
and after. The arithmetic counted is that of the weight products alone.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from graphlift.complexity import complexity
from graphlift.lifting import BATCH, SHIPPED, Lifter
from graphlift.skeletons import BODY_28, SKELETONS

SIDE = 2048
HOUR = 180_000


def median_seconds(function, *, least=1.0):
    function()
    seconds = []
    while sum(seconds) < least or len(seconds) < 5:
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def product_rate():
    a, b = (np.random.default_rng(k).random((SIDE, SIDE), np.float32) for k in (0, 1))
    return 2 * SIDE**3 / median_seconds(lambda: a @ b)


def work(card):
    """Arithmetic of one pose: the weight products; 3 numbers of 17 joints go in and 4 come out.

    Of 28 joints, 4 and 8.
    """
    channels, body = channels_of(card), SKELETONS[card.skeleton]
    inner = complexity(
        "pre-aggregation", decouple_self=True, channels=channels, skeleton=body
    ).macs_reduced
    before, after = (4, 8) if body == BODY_28 else (3, 4)
    ends = 2 * len(body) * channels * ((before - 2) + (after - 3))
    return 2 * (inner + ends)


def channels_of(card):
    return card.recipe["model"]["channels"]


def rays(frames, joints=17):
    return np.random.default_rng(0).normal(0, 0.2, (frames, joints, 2))


def model(name, threads):
    lifter = Lifter.load(name, threads=threads)
    shape = lifter.session.get_inputs()[0].shape[1:]
    x = np.random.default_rng(0).normal(0, 0.5, (BATCH, *shape)).astype(np.float32)
    before = product_rate()
    network = median_seconds(lambda: lifter.run(x)) / BATCH
    share = work(lifter.card) / network / statistics.mean([before, product_rate()])
    batch, sure = rays(BATCH, shape[0]), np.ones((BATCH, shape[0]))
    whole = median_seconds(lambda: lifter.lift_rays(batch, sure)) / BATCH
    stream = lifter.stream(skeleton="h36m-17", image_size=(1000, 1000))
    frame = rays(1)[0] * 1000 + 500
    one = median_seconds(lambda: stream(frame))
    print(
        f"| {name} | {1 / network:,.0f} | {share:.0%} | {1 / whole:,.0f} | {one * 1000:.2f} |",
        flush=True,
    )


def hour(name, *options):
    """A file of 180,000 frames through the command, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        px = rays(HOUR) * 1000 + 500
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
    print(f"| {name} {' '.join(options)} | {seconds:.1f} | {peak:,.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hour", action="store_true", help="the hour of keypoints too")
    parser.add_argument("--also", nargs="*", default=(), help="other models, .onnx files")
    arguments = parser.parse_args()
    heads = ("network, poses/s", "share", "with input and turn, poses/s", "one streamed frame, ms")
    print(f"| model | {' | '.join(heads)} |")
    print("|---|---:|---:|---:|---:|")
    for name in (*SHIPPED, *arguments.also):
        model(name, arguments.threads)
    if arguments.hour:
        print(f"\n| {HOUR:,} frames, npz to npz | s | MB at most |\n|---|---:|---:|")
        for name in SHIPPED:
            hour(name, "--raw")
        hour(SHIPPED[0])


if __name__ == "__main__":
    main()
