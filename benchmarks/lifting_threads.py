"""What threads, their spinning and their pinning do to the time of lifting, in milliseconds.

    python benchmarks/lifting_threads.py [--seconds 3]

Sessions of the same model take turns: by one thread, by one on each processor, and by these
without spinning, or with each thread on a processor of its own. One thread without spinning is the
same program as one thread, so what lies between these two is scatter. Times are the least of all
turns. Run it while nothing else runs.

A frame is a streamed one (``Lifter.stream``), one after the other, and 20 ms apart, as a camera
gives them; batches are those of ``Lifter.lift_rays``.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import onnxruntime
from pages import table

from graphlift.bench.clock import SHORTEST, settle
from graphlift.lifting import SHIPPED, Lifter
from graphlift.model_files import read_model
from graphlift.processors import processors

BATCHES = (16, 256, 1024)
PAUSE = 0.02
SPINNING, PINNING = "session.intra_op.allow_spinning", "session.intra_op_thread_affinities"


def ways(threads):
    """Options of sessions by name; the thread that calls is not ONNX Runtime's, and not pinned."""
    others = ";".join(f"{1 + n}" for n in range(1, threads))
    return {
        "1 thread": (1, {}),
        "1, no spinning": (1, {SPINNING: "0"}),
        f"{threads} threads": (threads, {}),
        f"{threads}, no spinning": (threads, {SPINNING: "0"}),
        f"{threads}, pinned": (threads, {PINNING: others}),
    }


def lifters(name, threads):
    """The same model by sessions of each way."""
    one, (content, _) = Lifter.load(name, threads=1), read_model(name)
    found = {}
    for way, (count, entries) in ways(threads).items():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = count
        for key, value in entries.items():
            options.add_session_config_entry(key, value)
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        found[way] = replace(one, session=session)
    return found


def streamed(lifter):
    """A function that lifts a frame from keypoints in px."""
    stream = lifter.stream(skeleton="h36m-17", image_size=(1000, 1000))
    frame = np.random.default_rng(0).normal(500, 200, (17, 2))
    return lambda: stream(frame)


def lifted(lifter, batch):
    """A function that lifts rays of a batch."""
    joints = len(lifter.skeleton)
    rays, sure = (
        np.random.default_rng(0).normal(0, 0.2, (batch, joints, 2)),
        np.ones((batch, joints)),
    )
    return lambda: lifter.lift_rays(rays, sure)


def least(functions, seconds, *, paused=False):
    """Least seconds of each function, in turns; where paused, of one call after a pause.

    Otherwise a sample begins once no thread of the function before is busy, as ``graphlift bench``
    does it, with a call that wakes threads and does not count.
    """
    times = dict.fromkeys(functions, float("inf"))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, function in functions.items():
            calls = 1 if paused else max(round(SHORTEST / times[name]), 1)
            if paused:
                time.sleep(PAUSE)
            else:
                settle()
                function()
            began = time.perf_counter()
            for _ in range(calls):
                function()
            times[name] = min(times[name], (time.perf_counter() - began) / calls)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row of the table")
    parser.add_argument("--threads", type=int, default=processors())
    given = parser.parse_args()
    if given.threads < 2:
        parser.error("one thread has nothing to be compared with: give --threads 2 or more")
    print(table(["model", "ms", *ways(given.threads)], [], words=2))
    for name in SHIPPED:
        by = lifters(name, given.threads)

        def row(what, seconds, name=name):
            numbers = (f"{1e3 * each:.2f}" for each in seconds.values())
            print("| " + " | ".join([name, what, *numbers]) + " |", flush=True)

        frames = {way: streamed(lifter) for way, lifter in by.items()}
        row("a frame", least(frames, given.seconds))
        row(f"a frame every {1e3 * PAUSE:.0f} ms", least(frames, given.seconds, paused=True))
        for batch in BATCHES:
            of = {way: lifted(lifter, batch) for way, lifter in by.items()}
            row(f"{batch:,} poses", least(of, given.seconds))


if __name__ == "__main__":
    main()
