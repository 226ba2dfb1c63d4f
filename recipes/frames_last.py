"""A model of decoupled pre-aggregation whose features are joint by joint, with its frames last.

    python recipes/frames_last.py OLD.onnx -o NEW.onnx

Made the shipped files of what earlier versions shipped: their networks were trained before the
export had this order. Weights in half precision, biases and card are those of the old file, and
answers agree to 0.01 mm, which is checked. A model of your own whose run you still have is rather
exported again.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from graphlift.export_convolutions import joined, products, write_frames_last
from graphlift.files import replacing
from graphlift.model_files import SEAL, read_model, sealed
from graphlift.onnx_graph import OnnxGraph
from graphlift.onnx_session import open_session

MOST = 1e-5
"""m that answers of a metre may differ by; larger ones by more, as rounding does."""
NOT_TAKEN = "this is no model of decoupled pre-aggregation"


def layers_of(model):
    """Matrices of what is sent and of what is kept, affinities and biases of each layer."""
    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    matrices, affinities, biases = [], [], []
    for node in model.graph.node:
        constants = [known[name] for name in node.input if name in known]
        if node.op_type == "Cast" and constants:
            known[node.output[0]] = constants[0].astype(np.float32)
        elif node.op_type == "MatMul":
            (matrices if node.input[1] in known else affinities).extend(constants)
        elif node.op_type == "Add":
            biases.extend(constants)
    sent, kept = matrices[::2], matrices[1::2]
    shapes = [each.shape for each in sent] == [each.shape for each in kept]
    if not shapes or not len(sent) == len(affinities) == len(biases) > 0:
        raise SystemExit(f"{NOT_TAKEN} joint by joint")
    return list(zip(sent, kept, affinities, biases, strict=True))


def frames_last(content):
    """The content of the new file, once its answers are those of the old."""
    model = onnx.load_from_string(content)
    layers = layers_of(model)
    graph = OnnxGraph("{operator}{count}", "constant{count}", small=0)

    def layer(place, x):
        near, own, a, bias = layers[place]
        sent, kept = products(graph, x, near), products(graph, x, own, bias)
        rectified = place < len(layers) - 1
        return joined(graph, sent, a, kept, len(bias), rectified=rectified)

    (joints, before, _), after = layers[0][0].shape, len(layers[-1][3])
    writers = [partial(layer, place) for place in range(len(layers))]
    write_frames_last(graph, (joints, before, after), writers)
    card = {each.key: each.value for each in model.metadata_props if each.key == "card"}
    made = graph.serialise(
        {"keypoints": (np.float32, ["frame", joints, before])},
        {"poses": ["frame", joints, after]},
        name=model.graph.name,
        metadata=card | SEAL,
    )
    differ, largest = apart(content, made)
    if not differ < MOST * max(1, largest):
        raise SystemExit(f"{NOT_TAKEN}: answers would differ by {1e3 * differ:.3g} mm")
    return sealed(made)


def apart(one, other):
    """How far answers of two files differ, m, and the largest answer."""
    sessions = [open_session(content, "the model", threads=1) for content in (one, other)]
    shape = sessions[0].get_inputs()[0].shape[1:]
    probe = np.random.default_rng(0).normal(0, 0.5, (512, *shape)).astype(np.float32)
    before, after = (each.run(["poses"], {"keypoints": probe})[0] for each in sessions)
    return float(np.abs(before - after).max()), float(np.abs(before).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    old, _ = read_model(arguments.model)
    new = frames_last(old)
    with replacing(arguments.out) as beside:
        beside.write_bytes(new)
    differ, _ = apart(old, new)
    print(f"{arguments.out}: {len(new):,} bytes for {len(old):,}, {1e3 * differ:.2g} mm apart")


if __name__ == "__main__":
    main()
