"""Checkpoints as the published codes write them, and what becomes of them."""

from collections import OrderedDict

import numpy as np
import torch

from graphlift.nn.build import build_network
from graphlift.training.checkpoints import load_weights, read_checkpoint


def tensors(state, dtype=torch.float32):
    """A state dict of arrays; counts stay integers."""
    return OrderedDict(
        (name, torch.from_numpy(np.asarray(array)).to(dtype if array.ndim else torch.int64))
        for name, array in state.items()
    )


def saved(path, state, **options):
    """As save_ckpt of the published codes does it."""
    whole = {"epoch": 50, "lr": 5e-4, "step": 9, "state_dict": state, "error": 42.14}
    torch.save(whole | {"optimizer": {"state": {}, "param_groups": []}}, path, **options)
    return path


def imported(path):
    """An imported network, and the record that came with it."""
    found, story = read_checkpoint(path)
    network = build_network(**story["config"]["model"])
    load_weights(network, found, path)
    return network.eval(), story
