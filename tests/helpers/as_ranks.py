"""What each process of ``torchrun`` does in ``training/test_distributed.py``.

Started as ``as_ranks.py FOLDER CONFIG PACK``. The first process leaves what it found in
``FOLDER/found.json``.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import get_args

import torch

from graphlift.networks import WINDOW
from graphlift.nn.build import build_network
from graphlift.nn.critic import Critic
from graphlift.preprocessing import OVER_TIME
from graphlift.samples.data_sets import read_data
from graphlift.samples.supervision import Supervision
from graphlift.skeletons import H36M_16
from graphlift.training.config import Method, read_config
from graphlift.training.distributed import ALONE, joined
from graphlift.training.loop import clip_gradients, loss_of, train
from graphlift.training.weak import annotate, weak_loss

SAMPLES = 11
METHODS = get_args(Method)
WEAK = Supervision(unlabelled=("S1",), projection=0.1, ordinal=0.2, critic=0.1)


def after_a_step(method, samples, group, *, weak=False, dropout=0.2, fused=True):
    """The loss, gradients, statistics and generator that a step on a batch leaves."""
    torch.manual_seed(5)
    network = build_network(method, channels=8, blocks=2, dropout=dropout)
    for module in network.modules():
        if not fused and hasattr(module, "order"):
            module.order = "unified"
    critic = Critic(H36M_16)
    x, y = torch.randn(samples, 16, 2), torch.randn(samples, 16, 3)
    if method == "over-time":
        x, y = torch.randn(samples, WINDOW, OVER_TIME), torch.randn(samples, 2, 1, 28, 6)
    group.spread(network)
    said = group.together(network(group.own(x)))
    if weak:
        labelled = torch.arange(samples).numpy() % 3 == 0
        loss, _ = weak_loss("mpjpe", said, x, annotate(y, labelled, WEAK, H36M_16), critic)
    else:
        loss = loss_of("mse", said, y)
    loss.backward()
    group.add_gradients(network)
    clip_gradients(network, 0.1)
    grads = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    return loss.detach(), grads, dict(network.named_buffers()), torch.get_rng_state()


def apart(group, *args, **keys):
    """How far a step of several processes is from that of one, over the largest number there."""
    one, several = (after_a_step(*args, each, **keys) for each in (ALONE, group))
    assert one[1].keys() == several[1].keys()
    assert torch.equal(one[3], several[3])
    off = float((one[0] - several[0]).abs() / one[0].abs())
    for there, here in zip(one[1:3], several[1:3], strict=True):
        for name, tensor in there.items():
            size = max(float(tensor.abs().max()), 1e-3)
            off = max(off, float((here[name] - tensor).abs().max()) / size) if size else off
    return off


def finish(config, data, out, group, *, killed_at=None):
    """Train to the end; the second process ends itself, once, if asked.

    The step at which each start of the processes begins is left in a file, and the number of the
    start that was killed in another.
    """
    start = os.environ["TORCHELASTIC_RESTART_COUNT"]
    began, killed = (out.with_name(f"{out.name}-{what}") for what in (f"began-{start}", "in"))
    for progress in train(config, data, out, group):
        if group.first and not began.exists():
            began.write_text(str(progress.step))
        if progress.step == killed_at and not group.first and not killed.exists():
            killed.write_text(start)
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, config, pack):
    settings = read_config(Path(config), [f"data = {json.dumps(pack)}"])
    data, found = read_data(pack), {}
    with joined("cpu") as group:
        finish(settings, data, folder / "killed", group, killed_at=7)
        finish(settings, data, folder / "whole", group)
        found["apart"] = {m: apart(group, m, SAMPLES) for m in METHODS}
        found["apart"]["definition"] = apart(group, "pre-aggregation", SAMPLES, fused=False)
        found["apart"]["weak"] = apart(group, "martinez", SAMPLES, weak=True)
        found["apart"]["one sample"] = apart(group, "pre-aggregation", 1)
    if group.first:
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
