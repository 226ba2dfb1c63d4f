"""What a training step costs, against the rate of one large matrix product in the same run.

    python benchmarks/training_step.py [--threads 2] [--json]

The network is the paper's: decoupled pre-aggregation, 16 joints, 4 blocks, 128 channels,
4,218,703 parameters. A step is forward, loss, backward, clipping and Adam on data in memory. Its
arithmetic is that of the weight products alone: 3 × 2 × 4,214,784 operations a pose (forward,
gradient of the features, gradient of the weights). Steps alternate with the product of two
2048 × 2048 float32 matrices, so that both see the same machine; medians and quartiles are printed.
"""

import argparse
import json
import statistics
import time
from itertools import pairwise

import torch
from torch import nn

from graphlift.complexity import complexity
from graphlift.graph import body_graph
from graphlift.nn.gcn import PoseGCN
from graphlift.skeletons import H36M_16
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
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
