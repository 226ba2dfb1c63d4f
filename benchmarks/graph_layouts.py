"""Shipped models, whose features have frames last, and the same joint by joint, in turns.

    OMP_NUM_THREADS=1 python benchmarks/graph_layouts.py [open-small open-base] [--turns 15]

Joint by joint and frame by frame, as in earlier files, a layer is two products for each joint, a
sum over neighbours, two additions and a ReLU. *Frames last* holds the features of a joint channel
by channel, the frames of each side by side: the two products are grouped convolutions of one
position, with the bias inside; the sum over neighbours, the joint's own part, their addition and
the ReLU are one Gemm.

Times are of the network alone, least and median; by one thread, in its time on the processor, so
that what else the machine does counts less. By several (`--threads 2`) they are of the time that
passes, all threads at work on each operation; `shared_out.py` measures what a lifter does besides.
"""

import argparse
import time

import numpy as np
from pages import add_docs, show, table

from graphlift.joint_order import joint_by_joint
from graphlift.model_files import read_model
from graphlift.onnx_session import open_session

BATCHES = (1, 2, 4, 16, 64, 256, 1024)


def ways_of(name, threads):
    """Functions from inputs to poses: joint by joint, and frames last."""
    content, _ = read_model(name)

    def computed(model):
        session = open_session(model, name, threads=threads)
        return lambda x: session.run(["poses"], {"keypoints": x})[0]

    return {
        "joint by joint": computed(joint_by_joint(content)),
        "frames last": computed(content),
    }


def compare(name, turns, threads):
    """Rows of a table: least and median of each way at each batch, and what the second saves."""
    ways = ways_of(name, threads)
    joints, features = 28, 4
    clock = time.thread_time if threads == 1 else time.perf_counter
    for batch in BATCHES:
        x = np.random.default_rng(0).normal(0, 0.5, (batch, joints, features)).astype(np.float32)
        taken = {way: [] for way in ways}
        for turn in range(turns):
            for way in list(ways)[:: 1 if turn % 2 else -1]:
                ways[way](x)
                repeats = max(1, 64 // batch)
                began = clock()
                for _ in range(repeats):
                    ways[way](x)
                taken[way].append(1e3 * (clock() - began) / repeats)
        words = [f"{min(each):.2f} ({np.median(each):.2f})" for each in taken.values()]
        before, after = (min(taken[way]) for way in ("joint by joint", "frames last"))
        yield [name, f"{batch:,}", *words, f"{100 * (1 - after / before):.0f} %"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["open-small", "open-base"])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    add_docs(parser)
    given = parser.parse_args()
    rows = [row for name in given.models for row in compare(name, given.turns, given.threads)]
    head = ["model", "poses", "joint by joint, ms", "frames last, ms", "less"]
    show({"Order of features": table(head, rows, words=1)}, given.docs)


if __name__ == "__main__":
    main()
