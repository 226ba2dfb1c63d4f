"""What smaller numbers in a shipped model's products cost in accuracy, and gain in time.

    taskset -c 1 python benchmarks/quantised.py path/to/mocap [open-base open-small] [--docs docs]
        [--biases-left]

The models store weights in half precision and compute in float32. Here they compute in half
precision, too; in 8-bit integers as `graphlift model quantise` makes them, by frames of people of
the embedded prior; and as the converter of ONNX Runtime makes them, by training people: one scale
for all joints, and integers between the layers, too. Error: mean over joints of the distance from
the answers as shipped, mm, and MPJPE of Human3.6M's 16 joints, mean over the strata of validation
people, of exact and of noisy keypoints. Times: medians of one thread, all ways in turns. With
`--biases-left` also by 8-bit integers whose biases are not corrected.
"""

import argparse
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime
from onnxruntime import quantization
from onnxruntime.transformers.float16 import convert_float_to_float16
from pages import add_docs, show, table

from graphlift import quantisation as ours
from graphlift.joint_order import joint_by_joint
from graphlift.lifting import Lifter, batch_of
from graphlift.metrics import joint_errors
from graphlift.model_files import read_model
from graphlift.preprocessing import canonical_28
from graphlift.samples.augment import Augmentation
from graphlift.samples.open_data import read_open_data
from graphlift.samples.strata import EXACT, strata
from graphlift.skeletons import BODY_28, H36M_16
from graphlift.study.quantised import sample_inputs

SIXTEEN = BODY_28.index(*H36M_16.joints)
CALIBRATION = 32
"""Blocks of 64 frames of training people."""


class Blocks(quantization.CalibrationDataReader):
    """Inputs of training people, block by block."""

    def __init__(self, inputs):
        self.blocks = iter(np.array_split(inputs, CALIBRATION))

    def get_next(self):
        block = next(self.blocks, None)
        return None if block is None else {"keypoints": block}


def inputs_of(views):
    return canonical_28(views.rays, views.confidence).inputs.astype(np.float32)


def in_float32(content, path):
    """Write a model with weights as float32, which the converters look for."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return path


def ways(model, calibration, folder, *, biases_left):
    """Write a model in each way; its files by what they are."""
    content, _ = read_model(model)
    plain = in_float32(content, folder / "float32.onnx")
    products = in_float32(joint_by_joint(content), folder / "joint-by-joint.onnx")

    half = folder / "half.onnx"
    onnx.save(convert_float_to_float16(onnx.load(plain), keep_io_types=True), half)
    converted = folder / "converted.onnx"
    quantization.quantize_static(
        products,
        converted,
        Blocks(calibration),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    card = Lifter.load(model).card
    seen = sample_inputs(card, read_open_data("prior"))
    integers, left = folder / "int8.onnx", folder / "left.onnx"
    integers.write_bytes(ours.quantise(content, model, card, seen))
    with patch.object(ours, "_correct", lambda *_: None):
        left.write_bytes(ours.quantise(content, model, card, seen))
    return {
        "float32 (as shipped)": plain,
        "float16": half,
        "int8 (`model quantise`)": integers,
        **({"int8 (its biases left)": left} if biases_left else {}),
        "int8 (ONNX Runtime's converter)": converted,
    }


def open_file(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )


def answer(session, inputs):
    size = batch_of(len(inputs))
    blocks = [inputs[i : i + size] for i in range(0, len(inputs), size)]
    return np.concatenate([session.run(["poses"], {"keypoints": b})[0] for b in blocks])[..., :3]


def milliseconds(sessions, inputs, turns):
    """Median time of each session, taken in turns."""
    taken = {name: [] for name in sessions}
    for _ in range(turns):
        for name, session in sessions.items():
            session.run(["poses"], {"keypoints": inputs})  # what the last one left in the cache
            began = time.perf_counter()
            session.run(["poses"], {"keypoints": inputs})
            taken[name].append(time.perf_counter() - began)
    return {name: 1000 * np.median(each) for name, each in taken.items()}


def measure(model, calibration, tested, *, biases_left):
    """Rows of the table of a model."""
    with tempfile.TemporaryDirectory() as folder:
        files = ways(model, calibration, Path(folder), biases_left=biases_left)
        sessions = {name: open_file(path) for name, path in files.items()}
        sizes = {name: path.stat().st_size for name, path in files.items()}
        sizes["float32 (as shipped)"] = len(read_model(model)[0])  # with weights in float16
    first = next(iter(tested[0].values()))
    one = milliseconds(sessions, inputs_of(first)[:1], 300)
    many = milliseconds(sessions, inputs_of(first)[:256], 30)
    shipped = sessions["float32 (as shipped)"]
    rows = []
    for name, session in sessions.items():
        figures = []
        for views in tested:
            moved, errors = zip(
                *(compare(session, shipped, v) for v in views.values()), strict=True
            )
            figures += [1000 * np.mean(moved), 1000 * np.mean(errors)]
        figures += [one[name], many[name]]
        size = f"{sizes[name] / 1e6:.1f}"
        rows.append([model, name, size, *(f"{figure:.2f}" for figure in figures)])
    return rows


def compare(session, shipped, views):
    """How far a session's answers are from another's, and from the truth, m, mean over frames."""
    seen = canonical_28(views.rays, views.confidence)
    inputs = seen.inputs[seen.valid].astype(np.float32)
    found, before = (x - x[:, :1] for x in (answer(session, inputs), answer(shipped, inputs)))
    truth = views.targets[seen.valid][:, SIXTEEN]
    errors = joint_errors((found @ seen.R[seen.valid])[:, SIXTEEN], truth)
    return joint_errors(found, before).mean(), errors.mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap")
    parser.add_argument("models", nargs="*", default=["open-base", "open-small"])
    parser.add_argument("--biases-left", action="store_true")
    add_docs(parser)
    chosen = parser.parse_args()
    data = read_open_data(chosen.mocap)
    learnt = strata(data.motion("train", stride=data.stride), augmentation=Augmentation(mirror=0))
    unseen = data.motion("validation", stride=data.stride)
    tested = [strata(unseen, augmentation=seen) for seen in (EXACT, Augmentation(mirror=0))]
    rng = np.random.default_rng(0)
    calibration = np.concatenate([inputs_of(views) for views in learnt.values()])
    calibration = rng.permutation(calibration)[: 64 * CALIBRATION]
    head = ["model", "products", "MB", "moved, mm", "MPJPE, mm", "moved, noisy", "MPJPE, noisy"]
    head += ["one pose, ms", "256 poses, ms"]
    rows = []
    for model in chosen.models:
        rows += measure(model, calibration, tested, biases_left=chosen.biases_left)
    show({"Smaller numbers in products": table(head, rows, words=2)}, chosen.docs)


if __name__ == "__main__":
    main()
