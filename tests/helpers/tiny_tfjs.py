"""TensorFlow.js graph models of a few nodes, written as JSON and weights."""

import base64
import json

import numpy as np

FLOAT, INT, BOOL = ({"type": f"DT_{kind}"} for kind in ("FLOAT", "INT32", "BOOL"))


def text(word):
    return {"s": base64.b64encode(word.encode()).decode()}


def texts(*words):
    return {"list": {"s": [base64.b64encode(word.encode()).decode() for word in words]}}


def numbers(*values):
    return {"list": {"i": [str(value) for value in values]}}


def number(value):
    return {"i": str(value)}


def node(op, name, *inputs, **attributes):
    return {"op": op, "name": name, "input": list(inputs), "attr": attributes}


def write_tfjs(nodes, constants, output, shape):
    """Graph and weights as TensorFlow.js stores them; input ``image`` of any height and width."""
    sides = [{"size": str(side)} for side in (1, -1, -1, 3)]
    image = node("Placeholder", "image", dtype=INT, shape={"shape": {"dim": sides}})
    weights, data = [], b""
    for name, values in constants.items():
        weight = {"name": name, "shape": list(values.shape), "dtype": "int32"}
        if values.dtype.kind == "f":
            weight["dtype"] = "float32"
        if values.dtype == np.float16:
            weight["quantization"] = {"dtype": "float16"}
        weights.append(weight)
        data += values.tobytes()
    story = {
        "modelTopology": {"node": [image, *(node("Const", name) for name in constants), *nodes]},
        "weightsManifest": [{"paths": ["x.bin"], "weights": weights}],
        "signature": {
            "outputs": {
                "y": {"name": output, "tensorShape": {"dim": [{"size": str(s)} for s in shape]}}
            }
        },
    }
    return json.dumps(story).encode(), data
