"""What it costs to detect people in a frame, decoding apart.

    python benchmarks/detector.py clip.mp4 [--threads 2] [--frames 60]

Frames are decoded beforehand. A tracked frame reads the joints of whoever was read in the frame
before; a searched one has to find them in the whole image first. Milliseconds a frame: the median
and nine in ten, after three frames to warm up. Weights are fetched if they are not in the cache.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

from graphlift.video import load_detector, open_video

WARM_UP = 3

CASES = (
    ("blazepose-lite", 1),
    ("blazepose", 1),
    ("blazepose-heavy", 1),
    ("blazepose", 2),
    ("movenet", 6),
)
"""Detector, and how many people it is asked for."""


def clock(items):
    """Milliseconds that each item of an iterator takes to come, and the items."""
    taken, made = [], []
    began = time.perf_counter()
    for item in items:
        taken.append(1000 * (time.perf_counter() - began))
        made.append(item)
        began = time.perf_counter()
    return taken, made


def show(name, taken):
    late = statistics.quantiles(taken, n=10)[-1]
    print(f"| {name} | {statistics.median(taken):.1f} | {late:.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--threads", type=int, default=2, help="that ONNX Runtime computes with")
    parser.add_argument("--frames", type=int, default=60, help="how many to detect in")
    arguments = parser.parse_args()
    video = open_video(arguments.video)
    decoding, images = clock(itertools.islice(video.frames(), arguments.frames + WARM_UP))
    print(f"{arguments.video}: {video.size[0]} × {video.size[1]} px, {len(images)} frames")
    print("| | median, ms | 9 in 10 below, ms |\n|---|---:|---:|")
    show("decoding", decoding[WARM_UP:])
    for name, people in CASES:
        detector = load_detector(name, people=people, threads=arguments.threads)
        taken, made = clock(detector.watch(images))
        found = statistics.mean(len(present) for _, present in made)
        asked = "1 person" if people == 1 else f"up to {people} people ({found:.1f} found)"
        show(f"{name}, tracked, {asked}", taken[WARM_UP:])
        if people == 1:
            taken = [clock(detector.watch([image]))[0][0] for image in images]
            show(f"{name}, searched, {asked}", taken[WARM_UP:])


if __name__ == "__main__":
    main()
