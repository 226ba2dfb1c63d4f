"""Export of a trained network to ONNX, with all that is constant after training folded.

Affinities become constants, batch normalisation is folded into weights and biases, and the
affinity of a self-connection into its matrix. Networks of the study's graph convolutions alone,
which are shipped, have their weights stored in half precision and used in single, unless single
precision is asked for (:mod:`graphlift.export_convolutions`); those of others are in single
precision: networks that say more than a pose have a graph written by hand
(:mod:`graphlift.export_lifters`), all others are written operation by operation
(:mod:`graphlift.nn.as_onnx`).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.card import ModelCard
from graphlift.errors import ModelError
from graphlift.export_convolutions import convolutions_graph
from graphlift.export_lifters import BUILDERS, Outputs
from graphlift.files import replacing
from graphlift.model_files import SEAL, sealed
from graphlift.onnx_graph import OnnxGraph
from graphlift.onnx_session import open_session
from graphlift.skeletons import SKELETONS

if TYPE_CHECKING:
    from torch import nn

PARITY = 2e-3
"""m: how far half-precision weights may move a joint before an export is refused."""
EXACT = 1e-5
"""m: the same of weights in single precision."""
ROUNDING = 1e-6
"""Of the largest answer: what two orders of the same sums may differ by, in single precision."""
FEATURES = {"screen": 2, "canonical": 3, "canonical-28": 4}
"""Numbers a joint of the input, by the card."""


def export_onnx(network: "nn.Module", card: ModelCard, path: Path, *, half: bool = True) -> None:
    """Write a network of single frames as ONNX, with its card in the file.

    Inputs ``keypoints`` (frame, joint, features in), outputs ``poses`` (frame, joint, features
    out), float32; a network that says more has more outputs. Give the file one frame or more. Of
    none, ONNX Runtime raises an error where features have frames last (it refuses a convolution of
    no position), and may end the whole process with those of other networks and of 8-bit integers:
    in a product of constant matrices for several joints, of no rows, it divides by zero.

    The file is checked against the network before it is kept: joints may move by at most
    :data:`PARITY` where weights are stored in half precision, else :data:`EXACT`, and in either
    case by :data:`ROUNDING` of the largest answer: a network that has learnt little may answer
    with tens of metres.

    Args:
        network: A graph network, or one of :data:`graphlift.networks.LIFTERS`; in any mode, it is
            evaluated as trained.
        card: Written to the file's metadata under ``card``.
        path: Ends in .onnx.
        half: Whether weights of the study's graph convolutions are stored in half precision.

    Raises:
        ModelError: If the network does what has no counterpart in ONNX here, or the file would
            not agree with it.
        OSError: If the file cannot be written.
    """
    model, features, most = onnx_model(network, card, half=half)
    _check_parity(network, model, features, most)
    with replacing(path) as beside:
        beside.write_bytes(model)


def onnx_model(
    network: "nn.Module", card: ModelCard, *, half: bool = True
) -> tuple[bytes, tuple[int, int], float]:
    """Make the content of that file, without checking it against the network.

    Returns:
        The content; joints and numbers per joint of its input; how far joints may move, m.

    Raises:
        ModelError: If the network does what has no counterpart in ONNX here.
    """
    small = 0 if half else sys.maxsize
    graph = OnnxGraph("{operator}{count}", "constant{count}", small=small)
    outputs: Outputs
    most = EXACT
    if _is_studied(network):
        joints, before, after = convolutions_graph(graph, network)
        outputs, most = {"poses": ["frame", joints, after]}, PARITY if half else EXACT
    elif builder := BUILDERS.get(type(network).__name__):
        outputs, before = builder(graph, network), FEATURES[card.inputs]
    else:
        from graphlift.nn.as_onnx import write_network

        graph = OnnxGraph()
        joints, before = len(SKELETONS[card.skeleton]), FEATURES[card.inputs]
        outputs = {"poses": ["frame", joints, write_network(graph, network, joints, before)]}
    features = (int(outputs["poses"][1]), before)
    model = graph.serialise(
        {"keypoints": (np.float32, ["frame", *features])},
        outputs,
        name=card.name,
        metadata={"card": card.to_json(), **SEAL},
    )
    return sealed(model), features, most


def _is_studied(network: Any) -> bool:  # noqa: ANN401  # its modules have no types
    """Whether a network is of graph convolutions of the study alone."""
    from graphlift.nn.gcn import PoseGCN
    from graphlift.nn.graph_conv import GraphConv

    if not isinstance(network, PoseGCN) or not isinstance(network.output, GraphConv):
        return False
    return not any([*m.parameters()] for m in (*network.mixers, network.attention))


def _check_parity(
    network: "nn.Module", model: bytes, features: tuple[int, int], most: float
) -> None:
    import torch

    probe = np.random.default_rng(0).normal(0, 0.5, (64, *features)).astype(np.float32)
    session = open_session(model, "the exported model")
    (ours,) = session.run(["poses"], {"keypoints": probe})
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        said = network(torch.from_numpy(probe))
    theirs = (said if isinstance(said, torch.Tensor) else said.pose).numpy()
    network.train(was_training)
    worst = float(np.abs(ours[..., :3] - theirs[..., :3]).max())
    if not worst < most + ROUNDING * float(np.abs(theirs[..., :3]).max()):
        precision = "half" if most == PARITY else "single"
        raise ModelError(
            f"the ONNX file would differ from the network by {worst * 1000:.3g} mm: its weights "
            f"do not fit {precision} precision; train it longer or with weight_decay"
        )
