"""What it changes that threads share out blocks of frames: both ways in turns.

    python benchmarks/shared_out.py [open-small open-base] [--seconds 4] [--threads 2]

*Together* is ONNX Runtime's own way, all threads at work on each operation of 256 frames; *shared
out* is that of a lifter with several threads. Times are lower quartiles and medians, ms; *less* is
of the lower quartiles, and scatter where a batch is too small to be shared out. The network alone
is ``Lifter.run``, with input and turn ``Lifter.lift_rays``; a clip is of one person, lifted from
keypoints in px. Run it while nothing else runs: several threads are timed by the clock.
"""

import argparse
from dataclasses import replace

import numpy as np
from pages import add_docs, show, table

from graphlift.bench.clock import alternate
from graphlift.lifting import SHIPPED, Lifter
from graphlift.processors import processors

ALONE = (1, 2, 16, 64, 128, 256, 512, 1024, 4096)
IN_ALL = (1, 256, 1024)
CLIP = 4096


def drawn(*shape):
    return np.random.default_rng(0).normal(0, 0.3, shape).astype(np.float32)


def lifters(name, threads):
    """The same model by both ways."""
    shared = Lifter.load(name, threads=threads)
    return {"together": replace(shared, shared=None), "shared out": shared}


def works(lifter):
    """What is timed of a lifter, by what it is called."""
    joints, before = lifter.session.get_inputs()[0].shape[1:]
    px = 500 + 200 * np.abs(drawn(CLIP, 17, 2))
    for batch in ALONE:
        x = drawn(batch, joints, before)
        yield f"network alone, {batch:,}", lambda x=x: lifter.run(x)
    for batch in IN_ALL:
        rays, sure = drawn(batch, joints, 2), np.ones((batch, joints))
        yield f"with input and turn, {batch:,}", lambda r=rays, s=sure: lifter.lift_rays(r, s)
    yield (
        f"a clip, {CLIP:,}",
        lambda: lifter(px, skeleton="h36m-17", image_size=(1000, 1000)),
    )


def rows(name, threads, seconds):
    of = {way: dict(works(lifter)) for way, lifter in lifters(name, threads).items()}
    for what in of["together"]:
        times = alternate({w: each[what] for w, each in of.items()}, seconds, threads=threads)
        numbers = [f"{1e3 * t.low:.3f} ({1e3 * t.seconds:.3f})" for t in times.values()]
        less = 1 - times["shared out"].low / times["together"].low
        row = [name, what, *numbers, f"{100 * less:.0f} %"]
        print(" | ".join(row), flush=True)
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=SHIPPED[::-1])
    parser.add_argument("--seconds", type=float, default=4.0, help="for each row of the table")
    parser.add_argument("--threads", type=int, default=processors())
    add_docs(parser)
    given = parser.parse_args()
    if given.threads < 2:
        parser.error("one thread has nobody to share with: give --threads 2 or more")
    found = [row for name in given.models for row in rows(name, given.threads, given.seconds)]
    head = ["model", "poses", "together, ms", "shared out, ms", "less"]
    show({"Shared out": table(head, found, words=2)}, given.docs)


if __name__ == "__main__":
    main()
