"""Shipped models, whose features have frames last, and the same joint by joint, in turns.

    OMP_NUM_THREADS=1 python benchmarks/graph_layouts.py [open-small open-base] [--turns 15]

Joint by joint and frame by frame, as in earlier files, a layer is two products for each joint, a
sum over neighbours, two additions and a ReLU. *Frames last* holds the features of a joint channel
by channel, the frames of each side by side: the two products are grouped convolutions of one
position, with the bias inside; the sum over neighbours, the joint's own part, their addition and
the ReLU are one Gemm.

Times are of the network alone; by one thread, in its time on the processor, so that what else the
machine does counts less; by several (`--threads 2`), in the time that passes.
"""

import argparse
import time

import numpy as np
from pages import add_docs, show, table

from graphlift.joint_order import joint_by_joint
from graphlift.model_files import read_model
from graphlift.onnx_session import open_session

BATCHES = (1, 2, 4, 16, 64, 256, 1024)


def compare(name, turns, threads):
    """Rows of a table: least and median of both orders at each batch."""
    content, _ = read_model(name)
    orders = (joint_by_joint(content), content)
    sessions = [open_session(each, name, threads=threads) for each in orders]
    clock = time.thread_time if threads == 1 else time.perf_counter
    for batch in BATCHES:
        shape = (batch, *sessions[0].get_inputs()[0].shape[1:])
        x = np.random.default_rng(0).normal(0, 0.5, shape).astype(np.float32)
        taken = [[], []]
        for turn in range(turns):
            for k in (turn % 2, 1 - turn % 2):
                sessions[k].run(["poses"], {"keypoints": x})
                repeats = max(1, 64 // batch)
                began = clock()
                for _ in range(repeats):
                    sessions[k].run(["poses"], {"keypoints": x})
                taken[k].append(1e3 * (clock() - began) / repeats)
        words = [f"{min(each):.2f} ({np.median(each):.2f})" for each in taken]
        less = 1 - min(taken[1]) / min(taken[0])
        yield [name, f"{batch:,}", *words, f"{100 * less:.0f} %"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["open-small", "open-base"])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    add_docs(parser)
    arguments = parser.parse_args()
    rows = [
        row
        for name in arguments.models
        for row in compare(name, arguments.turns, arguments.threads)
    ]
    head = ["model", "poses", "joint by joint, ms", "frames last, ms", "less"]
    show({"Order of features": table(head, rows, words=1)}, arguments.docs)


if __name__ == "__main__":
    main()
