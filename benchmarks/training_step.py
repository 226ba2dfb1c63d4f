"""What a training step costs, against the rate of one large matrix product in the same run.

    python benchmarks/training_step.py [--threads 2] [--json]
    taskset -c 1 python benchmarks/training_step.py --study

The network is the paper's: decoupled pre-aggregation, 16 joints, 4 blocks, 128 channels,
4,218,703 parameters. A step is forward, loss, backward, clipping and Adam on data in memory. Its
arithmetic is that of the weight products alone: 3 × 2 × 4,214,784 operations a pose (forward,
gradient of the features, gradient of the weights). Steps alternate with the product of two
2048 × 2048 float32 matrices, so that both see the same machine; medians and quartiles are printed.

With --study it is the ten networks of the plan ``regime`` at that size, batches of 64, dropout
0.1, one thread. Steps alternate with products of the shape that a layer has (16 · 64 rows by one
matrix; for methods with a matrix for each joint or edge, 64 rows by each), by torch and by NumPy;
the fastest of each counts, in CPU time of the thread. The arithmetic is that of the reduced order
(docs/method.md, equation 8), of convolution-style that of all 46 edges.
"""

import argparse
import json
import statistics
import time
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from graphlift.complexity import complexity, network_complexity
from graphlift.graph import body_graph
from graphlift.matched_width import channels_for
from graphlift.nn.build import build_network
from graphlift.nn.gcn import PoseGCN
from graphlift.skeletons import H36M_16
from graphlift.study.plan import NAMES
from graphlift.training.loop import clip_gradients

SIDE = 2048


class EinsumGraphConv(nn.Module):
    """The layer as one writes it first: frames outermost, one einsum a term."""

    def __init__(self, before, after):
        super().__init__()
        graph, joints = body_graph(H36M_16), len(H36M_16)
        self.weight = nn.Parameter(torch.randn(2, joints, before, after) / before**0.5)
        self.bias = nn.Parameter(torch.zeros(after))
        self.affinity = nn.Parameter(torch.ones(graph.target.size))
        mask = torch.full((joints, joints), -torch.inf)
        self.register_buffer("mask", mask)
        self.edges = (torch.from_numpy(graph.target), torch.from_numpy(graph.source))

    def forward(self, x):
        a = self.mask.index_put(self.edges, self.affinity).softmax(dim=-1)
        own = torch.einsum("bji,jio->bjo", x, self.weight[0])
        near = torch.einsum("bji,jio->bjo", x, self.weight[1])
        itself = torch.eye(len(a), dtype=torch.bool)
        return (
            torch.einsum("kj,bjo->bko", a * itself, own)
            + torch.einsum("kj,bjo->bko", a * ~itself, near)
            + self.bias
        )


class EinsumGCN(nn.Module):
    """The paper's network around it."""

    def __init__(self, channels=128, blocks=4):
        super().__init__()
        widths = [2] + [channels] * (2 * blocks + 1)
        self.convs = nn.ModuleList(
            EinsumGraphConv(before, after) for before, after in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in self.convs)
        self.output = EinsumGraphConv(channels, 3)

    def layer(self, index, x):
        h = self.norms[index](self.convs[index](x).transpose(1, 2)).transpose(1, 2)
        return torch.relu(h)

    def forward(self, x):
        h = self.layer(0, x)
        for first in range(1, len(self.convs), 2):
            h = h + self.layer(first + 1, self.layer(first, h))
        return self.output(h)


def plain_clip(network, longest):
    nn.utils.clip_grad_norm_(network.parameters(), longest)


def stepper(network, batch, clip):
    """Give a function that takes one training step."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    x, y = torch.randn(batch, 16, 2), torch.randn(batch, 16, 3)

    def step():
        loss = nn.functional.mse_loss(network(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip(network, 1.0)
        optimizer.step()

    return step


def seconds(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def measure(step, repeats):
    """Alternate steps with large products; quartiles of a step's time and of the share."""
    a, b, c = (torch.randn(SIDE, SIDE) for _ in range(3))

    def product():
        torch.mm(a, b, out=c)

    for _ in range(3):
        step(), product()
    times, peaks = [], []
    for _ in range(repeats):
        peaks.append(2 * SIDE**3 / seconds(product))
        times += [seconds(step), seconds(step)]
    return times, peaks


def cpu_seconds(function):
    began = time.thread_time()
    function()
    return time.thread_time() - began


def products(method, channels):
    """The products of a layer of a method, by torch and by NumPy, and their operations."""
    apart = {"pre-aggregation": 16, "post-aggregation": 16, "no-sharing": 46}
    matrices, rows = apart.get(method, 1), 64 if method in (*apart, "martinez") else 16 * 64
    a, b = torch.randn(matrices, rows, channels), torch.randn(matrices, channels, channels)
    out = torch.empty(matrices, rows, channels)
    runs = (
        lambda: torch.mm(a[0], b[0], out=out[0]) if matrices == 1 else torch.bmm(a, b, out=out),
        lambda: np.matmul(a.numpy(), b.numpy(), out=out.numpy()),
    )
    return runs, 2 * matrices * rows * channels**2


def study(repeats):
    """Time the ten networks of a study at the paper's size, a row each."""
    torch.set_num_threads(1)
    print("| method | channels | ms a step | product, GFLOP/s | share |")
    print("|---|---:|---:|---:|---:|")
    for name, (method, own) in NAMES.items():
        channels = channels_for(method, 4_218_703, decouple_self=own).channels
        network = build_network(
            method, decouple_self=own, channels=channels, dropout=0.1, init="stacked"
        )
        step, (runs, operations) = stepper(network, 64, clip_gradients), products(method, channels)
        step()
        times, of_product = [], []
        for _ in range(repeats):
            of_product += [cpu_seconds(run) for _ in range(3) for run in runs]
            times.append(cpu_seconds(step))
        cost = network_complexity(method, decouple_self=own, channels=channels)
        rate = operations / min(of_product)
        share = 6 * 64 * cost.macs_reduced / min(times) / rate
        print(
            f"| {name} | {channels} | {1e3 * min(times):.0f} | {rate / 1e9:.0f} | {share:.0%} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--study", action="store_true")
    arguments = parser.parse_args()
    if arguments.study:
        study(arguments.repeats)
        return
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    cost = complexity("pre-aggregation", decouple_self=True)
    rows = []
    for name, network, batch, clip in (
        ("graphlift", PoseGCN(), 256, clip_gradients),
        ("graphlift", PoseGCN(), 64, clip_gradients),
        ("plain einsum", EinsumGCN(), 256, plain_clip),
        ("plain einsum", EinsumGCN(), 64, plain_clip),
    ):
        times, peaks = measure(stepper(network, batch, clip), arguments.repeats)
        operations = 3 * 2 * cost.macs_reduced * batch
        low, median, high = statistics.quantiles(times, n=4)
        peak = statistics.median(peaks)
        rows.append(
            {
                "network": name,
                "batch": batch,
                "ms": round(median * 1e3, 1),
                "ms_quartiles": [round(low * 1e3, 1), round(high * 1e3, 1)],
                "poses_per_second": round(batch / median),
                "gflops": round(operations / median / 1e9, 1),
                "product_gflops": round(peak / 1e9, 1),
                "share": round(operations / median / peak, 3),
            }
        )
    if arguments.json:
        print(json.dumps({"threads": arguments.threads, "rows": rows}, indent=2))
        return
    print(f"{'network':<14}{'batch':>6}{'ms':>8}{'quartiles':>16}{'poses/s':>9}{'share':>7}")
    for row in rows:
        low, high = row["ms_quartiles"]
        print(
            f"{row['network']:<14}{row['batch']:>6}{row['ms']:>8}{f'{low} - {high}':>16}"
            f"{row['poses_per_second']:>9,}{row['share']:>7.1%}"
        )


if __name__ == "__main__":
    main()
