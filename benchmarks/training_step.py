"""Where the time of a training step goes: its parts, and its products alone, in milliseconds.

    OMP_NUM_THREADS=1 python benchmarks/training_step.py [--repeats 25] [--dropout 0]

Decoupled pre-aggregation of 4.2 million parameters; fastest of the repeats, in the time of the
thread on the processor. The products are those of the layers inside, as torch computes them in a
step; calls are a step of the same network with 4 channels and 4 poses, where nothing else takes
time.
"""

import argparse
import time
from itertools import pairwise
from unittest.mock import patch

import torch
from pages import table

from graphlift.nn import dropout as of_networks
from graphlift.nn.build import build_network
from graphlift.training.loop import clip_gradients
from graphlift.training.losses import loss_of
from graphlift.training.optimizer import Optimizer

CHANNELS, JOINTS, LAYERS = 128, 16, 8
BATCHES = (64, 256)
PARTS = ("forward", "backward", "clipping", "Adam")
DRAWS = ("a number each", "one for four")


def fastest(times, repeats):
    """The least of each of several times."""
    return [1e3 * min(each) for each in zip(*(times() for _ in range(repeats)), strict=True)]


def a_step(channels, batch, dropout):
    """What does a step: seconds of forward (with the loss), backward, clipping, Adam."""
    network = build_network(
        "pre-aggregation", decouple_self=True, channels=channels, dropout=dropout
    ).train()
    optimizer = Optimizer(list(network.parameters()), 1e-3)
    x, y = torch.randn(batch, JOINTS, 2), torch.randn(batch, JOINTS, 3)

    def times():
        now = [time.thread_time()]
        loss = loss_of("mse", network(x), y)
        now.append(time.thread_time())
        network.zero_grad(set_to_none=True)
        loss.backward()
        now.append(time.thread_time())
        clip_gradients(network, 1.0)
        now.append(time.thread_time())
        optimizer.step()
        now.append(time.thread_time())
        return [after - before for before, after in pairwise(now)]

    times()  # Adam makes its moments
    return times


def draws_by_turns(batch, repeats, dropout):
    """Milliseconds of forward and step: a number drawn for each feature, and as here."""
    step = a_step(CHANNELS, batch, dropout)
    each = patch.object(of_networks, "_draw", lambda ones, keep: ones.bernoulli_(keep))

    def times():
        with each:
            former = step()
        now = step()
        return [former[0], now[0], sum(former), sum(now)]

    times()
    return fastest(times, repeats)


def products_alone(batch, repeats):
    """Milliseconds of the products of all layers inside: forward, of both gradients."""
    x, dy = torch.randn(2, JOINTS, batch, CHANNELS)
    weights = torch.randn(2 * LAYERS, JOINTS, CHANNELS, CHANNELS)

    def times():
        began = time.thread_time()
        for W in weights:  # each layer has two stacks of them
            torch.bmm(x, W)
            torch.bmm(x.transpose(1, 2), dy)
            torch.bmm(dy, W.transpose(1, 2))
        return [time.thread_time() - began]

    times()
    return fastest(times, repeats)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--dropout", type=float, default=0.0, help="share of features dropped")
    arguments = parser.parse_args()
    repeats, dropout = arguments.repeats, arguments.dropout
    torch.set_num_threads(1)
    torch.manual_seed(0)
    calls = sum(fastest(a_step(4, 4, dropout), repeats))
    rows = {}
    for batch in BATCHES:
        parts = fastest(a_step(CHANNELS, batch, dropout), repeats)
        rows[batch] = (*parts, sum(parts), products_alone(batch, repeats), calls)
    show(["batch", *PARTS, "step", "its products", "its calls"], rows)
    if dropout:
        rows = {batch: draws_by_turns(batch, repeats, dropout) for batch in BATCHES}
        head = [f"{part}, {draw}" for part in ("forward", "step") for draw in DRAWS]
        show(["batch", *head], rows)


def show(head, rows):
    """Print milliseconds by batch."""
    words = [[f"{batch}", *(f"{each:.1f}" for each in row)] for batch, row in rows.items()]
    print(table(head, words, words=1), end="\n\n")


if __name__ == "__main__":
    main()
