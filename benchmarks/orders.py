"""What the two orders of a graph convolution cost, in time and in counted operations.

    taskset -c 1 python benchmarks/orders.py [--batch 64] [--repeats 30]

The supplement of the paper (section 2) counts D'·D·Σ|N̂_i| multiply-accumulates for a layer that
transforms every neighbour of every joint and then aggregates, for every method alike (unified);
full-sharing, pre- and post-aggregation need only D'·D·N (reduced). A network has a layer of equal
width before and behind eight times, so this times that layer, forward, on one thread, with all
variants at 128 channels and at the widths where each has the paper's 4,218,703 parameters.

Unified, here, is one product for each matrix over all the neighbours that it transforms, without
copies of the matrix, then one sparse sum; reduced is what networks are evaluated by
(graphlift.nn.fast). Both orders and a product of NumPy (batch · 16 rows by the matrix of
full-sharing at the same size) take turns, and the fastest of each counts: CPU time of the thread,
so that a neighbour on the machine costs less than it would in wall time, though its use of caches
and memory still does.
"""

import argparse
import time

import numpy as np
import torch

from graphlift.graph import body_graph
from graphlift.matched_width import channels_for
from graphlift.nn.graph_conv import GraphConv
from graphlift.skeletons import H36M_16
from graphlift.weight_sharing import VARIANTS, weight_slots

PAPER = 4_218_703


def unified(conv):
    """Transform every neighbour for every joint, then aggregate."""
    slots = weight_slots(conv.graph, conv.sharing, decouple_self=conv.decouple_self)
    order = np.argsort(slots, kind="stable")
    target, source = (torch.from_numpy(of[order]) for of in (conv.graph.target, conv.graph.source))
    counts = np.bincount(slots).tolist()
    by_target = torch.argsort(target, stable=True)
    first = torch.searchsorted(target[by_target], torch.arange(conv.joints))

    def forward(x):
        senders = x.index_select(0, source)
        if len(counts) == len(source):
            messages = torch.bmm(senders, conv.weight)
        else:
            messages = senders.new_empty(*senders.shape[:2], conv.weight.shape[2])
            parts = zip(senders.split(counts), conv.weight, messages.split(counts), strict=True)
            for rows, weight, out in parts:
                torch.mm(rows.flatten(0, 1), weight, out=out.flatten(0, 1))
        a = conv.affinities()[target, source][by_target]
        summed = torch.nn.functional.embedding_bag(
            by_target, messages.flatten(1), first, mode="sum", per_sample_weights=a
        )
        return summed.view(conv.joints, *messages.shape[1:])

    return forward


def seconds(function):
    began = time.thread_time()
    function()
    return time.thread_time() - began


def measure(sharing, decouple_self, channels, batch, repeats):
    """The fastest time of both orders, ms, and the rate of a product between them, GFLOP/s."""
    graph = body_graph(H36M_16)
    conv = GraphConv(graph, channels, channels, sharing=sharing, decouple_self=decouple_self)
    x = torch.randn(16, batch, channels)
    rows = np.ones((16 * batch, 512), np.float32)
    matrix, out = np.ones((512, 512), np.float32), np.empty((16 * batch, 512), np.float32)
    both = unified(conv)
    torch.testing.assert_close(both(x), conv.definition(x), atol=1e-4, rtol=1e-4)
    runs = {
        "unified": lambda: both(x),
        "reduced": lambda: conv.without_bias(x),
        "product": lambda: np.matmul(rows, matrix, out=out),
    }
    times = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(seconds(run))
    best = {name: min(some[1:]) for name, some in times.items()}
    rate = 2 * rows.size * 512 / best.pop("product") / 1e9
    return {name: 1e3 * each for name, each in best.items()}, rate


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(
        "| method | channels | MACs, unified | reduced | ratio | ms, unified | reduced | ratio |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    rates = []
    with torch.inference_mode():
        for matched in (False, True):
            for sharing, own in VARIANTS:
                width = (
                    channels_for(sharing, PAPER, decouple_self=own).channels if matched else 128
                )
                ms, rate = measure(sharing, own, width, arguments.batch, arguments.repeats)
                rates.append(rate)
                edges = body_graph(H36M_16).target.size
                reducible = sharing not in ("no-sharing", "convolution-style")
                fewer = 16 * (1 + own) if reducible else edges
                macs = [n * width**2 / 1e6 for n in (edges, fewer)]
                name = sharing + ", decoupled" * own
                print(
                    f"| {name} | {width} | {macs[0]:.2f} M | {macs[1]:.2f} M "
                    f"| {macs[0] / macs[1]:.2f} | {ms['unified']:.2f} | {ms['reduced']:.2f} "
                    f"| {ms['unified'] / ms['reduced']:.2f} |",
                    flush=True,
                )
    print(f"\nproduct: {min(rates):.0f} to {max(rates):.0f} GFLOP/s")


if __name__ == "__main__":
    main()
