"""A small network of 28 joints with drawn weights, and its file."""

import torch

from graphlift.card import ModelCard
from graphlift.export import export_onnx
from graphlift.nn.build import build_network


def network_28():
    torch.manual_seed(0)
    network = build_network(
        "pre-aggregation", decouple_self=True, channels=8, blocks=1, joints=28,
        inputs="canonical", sigma=True,
    )  # fmt: skip
    for _ in range(3):
        network(torch.randn(64, 28, 4))
    return network.eval()


def export_28(path, **changes):
    facts = {"name": "made", "skeleton": "body-28", "inputs": "canonical-28", "method": "any"}
    card = ModelCard(
        **(facts | {"parameters": 1, "sigma_scale": 2.0, "front_scale": 3.0} | changes)
    )
    export_onnx(network_28(), card, path)
    return path
