"""A shipped model, and the same network in an order that its files do not have yet, in turns.

    OMP_NUM_THREADS=1 python benchmarks/graph_layouts.py [open-small open-base] [--turns 15]

A shipped file holds features joint by joint and then frame by frame. A layer is two products for
each joint, a sum over neighbours, two additions and a ReLU. *Frames last* holds the features of a
joint channel by channel, the frames of each side by side: the two products are grouped
convolutions of one position, with the bias inside; the sum over neighbours, the joint's own part
and their addition are one Gemm. The answers agree, which is checked, to 0.01 mm.

Times are of the network alone, by one thread, in its time on the processor, so that what else the
machine does counts less.
"""

import argparse
import time

import numpy as np
import onnx
from onnx import numpy_helper
from pages import add_docs, show, table

from graphlift.model_files import read_model
from graphlift.onnx_graph import OnnxGraph
from graphlift.onnx_session import open_session

BATCHES = (1, 64, 256, 1024)
FEATURES = 4
MOST = 1e-5
"""m that answers of a metre may differ by; larger ones by more, as rounding does."""


def layers_of(content):
    """Matrices of neighbours and of the joint itself, affinities, biases of each layer."""
    model = onnx.load_from_string(content)
    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    products, affinities, biases = [], [], []
    for node in model.graph.node:
        constants = [known[name] for name in node.input if name in known]
        if node.op_type == "Cast" and constants:
            known[node.output[0]] = constants[0].astype(
                np.float32
            )  # half precision is exact in it
        elif node.op_type == "MatMul":
            (products if node.input[1] in known else affinities).extend(constants)
        elif node.op_type == "Add":
            biases.extend(constants)
    assert len(products) == 2 * len(affinities) == 2 * len(biases)
    return list(zip(products[::2], products[1::2], affinities, biases, strict=True))


def frames_last(layers):
    """The model as ONNX, features in the order joint, channel, frame."""
    graph = OnnxGraph()
    joints = len(layers[0][2])

    def matrices(stack):
        return graph.constant(stack.swapaxes(1, 2).reshape(-1, stack.shape[1], 1))

    def layer(x, place, *, rectified=True):
        near, own, affinities, bias = layers[place]
        out = own.shape[2]
        sent = graph.add("Conv", x, matrices(near), group=joints)
        kept = graph.add(
            "Conv", x, matrices(own), graph.constant(np.tile(bias, joints)), group=joints
        )
        rows = graph.constant([joints, -1])
        said = graph.add(
            "Gemm",
            graph.constant(affinities),
            graph.add("Reshape", sent, rows),
            graph.add("Reshape", kept, rows),
        )
        said = graph.add("Relu", said) if rectified else said
        return graph.add("Reshape", said, graph.constant([1, joints * out, -1]))

    x = graph.add("Transpose", "keypoints", perm=[1, 2, 0])
    x = layer(graph.add("Reshape", x, graph.constant([1, joints * FEATURES, -1])), 0)
    for place in range(1, len(layers) - 1, 2):
        x = graph.add("Add", x, layer(layer(x, place), place + 1))
    x = layer(x, len(layers) - 1, rectified=False)
    after = layers[-1][1].shape[2]
    x = graph.add("Reshape", x, graph.constant([joints, after, -1]))
    graph.add("Transpose", x, name="poses", perm=[2, 0, 1])
    return graph.serialise(
        {"keypoints": (np.float32, ["frame", joints, FEATURES])},
        {"poses": ["frame", joints, after]},
    )


def compare(name, turns):
    """Rows of a table: least and median of both orders at each batch."""
    content, _ = read_model(name)
    layers = layers_of(content)
    orders = {"as shipped": content, "frames last": frames_last(layers)}
    sessions = [open_session(each, f"{name} {order}", threads=1) for order, each in orders.items()]
    for batch in BATCHES:
        shape = (batch, len(layers[0][2]), FEATURES)
        x = np.random.default_rng(0).normal(0, 0.5, shape).astype(np.float32)
        one, other = (session.run(["poses"], {"keypoints": x})[0] for session in sessions)
        apart = float(np.abs(one - other).max())
        if not apart < MOST * max(1, float(np.abs(one).max())):
            raise SystemExit(f"{name}: the two orders differ by {1e3 * apart:.3g} mm")
        taken = [[], []]
        for turn in range(turns):
            for k in (turn % 2, 1 - turn % 2):
                sessions[k].run(["poses"], {"keypoints": x})
                repeats = max(1, 64 // batch)
                began = time.thread_time()
                for _ in range(repeats):
                    sessions[k].run(["poses"], {"keypoints": x})
                taken[k].append(1e3 * (time.thread_time() - began) / repeats)
        words = [f"{min(each):.2f} ({np.median(each):.2f})" for each in taken]
        less = 1 - min(taken[1]) / min(taken[0])
        yield [name, f"{batch:,}", *words, f"{100 * less:.0f} %"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["open-small", "open-base"])
    parser.add_argument("--turns", type=int, default=15)
    add_docs(parser)
    arguments = parser.parse_args()
    rows = [row for name in arguments.models for row in compare(name, arguments.turns)]
    head = ["model", "poses", "as shipped, ms", "frames last, ms", "less"]
    show({"Order of features": table(head, rows, words=1)}, arguments.docs)


if __name__ == "__main__":
    main()
