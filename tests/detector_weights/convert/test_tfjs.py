"""Each operator of MoveNet multipose, converted and run, against its formula in NumPy."""

import numpy as np
import onnxruntime
import pytest
from helpers.tiny_tfjs import BOOL, FLOAT, INT, node, number, numbers, text, texts, write_tfjs

from graphlift.detector_weights.convert.tfjs import OPERATORS, convert_tfjs
from graphlift.errors import FormatError

IMAGE = np.arange(2 * 3 * 3, dtype=np.int32).reshape(1, 2, 3, 3)


def run(model, image=IMAGE):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (out,) = session.run(["people"], {"image": image})
    return out


def computed(op, arrays, expected, *, result=0, attributes=None):
    """What one operator on constants gives, as floating-point numbers."""
    inputs = [f"c{k}" for k in range(len(arrays))]
    constants = dict(zip(inputs, map(np.asarray, arrays), strict=True))
    nodes = [node(op, "made", *inputs, **(attributes or {}))]
    nodes += [node("Cast", "out", f"made:{result}", DstT=FLOAT)]
    return run(convert_tfjs(*write_tfjs(nodes, constants, "out:0", expected.shape)))


def f(*values):
    return np.array(values, np.float32)


def i(*values):
    return np.array(values, np.int32)


A, B = f([1, -2, 3], [0.5, 4, -1]), f([2, -2, 0.25], [1, -4, 5])
M = i([1, 2, 3], [4, 5, 6])
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
ONE_AXIS = np.array(1, np.int32)

CASES = {
    "Abs": ([A], abs(A), {}),
    "AddN": ([A, B, A], A + B + A, {}),
    "AddV2": ([A, B], A + B, {}),
    "ArgMax": ([A, ONE_AXIS], A.argmax(axis=1), {}),
    "ConcatV2": ([A, B, ONE_AXIS], np.concatenate([A, B], axis=1), {}),
    "Equal": ([M, i([1, 0, 3], [0, 5, 0])], f([1, 0, 1], [0, 1, 0]), {}),
    "Exp": ([A], np.exp(A), {}),
    "ExpandDims": ([A, ONE_AXIS], A[:, None], {}),
    "Fill": ([i(2, 3), np.float32(7)], np.full((2, 3), 7), {}),
    "FloorDiv": ([M, i([2], [4])], M // i([2], [4]), {"T": INT}),
    "GatherNd": ([CUBE, i([[0, 2], [1, 0]])], CUBE[[0, 1], [2, 0]][None], {}),
    "Greater": ([A, B], A > B, {}),
    "GreaterEqual": ([A, B], A >= B, {}),
    "Identity": ([A], A, {}),
    "Less": ([A, B], A < B, {}),
    "Max": ([CUBE, i(0, 2)], CUBE.max(axis=(0, 2)), {}),
    "Maximum": ([A, B], np.maximum(A, B), {}),
    "Minimum": ([A, B], np.minimum(A, B), {}),
    "Mul": ([A, B], A * B, {}),
    "Pack": ([A, B], np.stack([A, B], axis=1), {"axis": number(1)}),
    "Range": ([np.float32(0), np.float32(5), np.float32(1)], np.arange(5), {}),
    "RealDiv": ([A, B], A / B, {}),
    "Reciprocal": ([B], 1 / B, {}),
    "Reshape": ([A, i(3, -1)], A.reshape(3, 2), {}),
    "Shape": ([CUBE], i(2, 3, 4), {}),
    "Sigmoid": ([A], 1 / (1 + np.exp(-A)), {}),
    "Size": ([CUBE], np.array(24), {}),
    "SquaredDifference": ([A, B], (A - B) ** 2, {}),
    "Squeeze": ([A[None]], A, {"squeeze_dims": numbers(0)}),
    "Sub": ([A, B], A - B, {}),
    "Sum": ([CUBE, i(1)], CUBE.sum(axis=1, keepdims=True), {"keep_dims": {"b": True}}),
    "Tile": ([M, i(2, 1)], np.tile(M, (2, 1)), {}),
    "Cast": ([M], M, {"DstT": FLOAT}),
}
"""Operators with one output: inputs, what they make of them, settings."""


@pytest.mark.parametrize("op", CASES)
def test_an_operator_computes_what_numpy_does(op):
    arrays, expected, attributes = CASES[op]

    out = computed(op, arrays, expected, attributes=attributes)

    assert out.shape == expected.shape
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_select_takes_from_the_first_where_the_condition_holds():
    nodes = [node("Less", "less", "a", "b"), node("Greater", "more", "b", "zero")]
    nodes += [node("LogicalAnd", "both", "less", "more"), node("Select", "out", "both", "a", "b")]

    out = run(
        convert_tfjs(*write_tfjs(nodes, {"a": A, "b": B, "zero": np.float32(0)}, "out", A.shape))
    )

    np.testing.assert_array_equal(out, np.where((A < B) & (B > 0), A, B))


@pytest.mark.parametrize("result", [0, 1])
def test_the_largest_come_first_with_their_places(result):
    values = f(3, 9, -1, 5)
    expected = (f(9, 5), f(1, 3))[result]

    out = computed("TopKV2", [values, np.array(2, np.int32)], expected, result=result)

    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("result", [0, 1, 2])
def test_a_tensor_is_taken_apart_along_an_axis(result):
    three = {"num": number(3), "axis": number(1)}

    out = computed("Unpack", [CUBE], CUBE[:, 0], result=result, attributes=three)
    half = computed(
        "Split", [ONE_AXIS, A], A[:, :1], result=result, attributes={"num_split": number(3)}
    )

    np.testing.assert_array_equal(out, CUBE[:, result])
    np.testing.assert_array_equal(half, A[:, result : result + 1])


@pytest.mark.parametrize(
    ("begin", "end", "masks", "expected"),
    [
        ((0, 1), (2, 3), {}, CUBE[0:2, 1:3]),
        ((1, 1), (0, 2), {"shrink_axis": 1}, CUBE[1, 1:2]),
        ((-1, 0), (0, 0), {"shrink_axis": 1, "begin": 2, "end": 2}, CUBE[-1]),
        ((0, 0, 2), (0, 0, 3), {"begin": 3, "end": 3}, CUBE[:, :, 2:3]),
        ((0, 0, 0), (0, 0, 0), {"begin": 5, "end": 5, "new_axis": 2}, CUBE[:, None]),
        (
            (0, 1, 0),
            (0, 0, 0),
            {"shrink_axis": 2, "new_axis": 4, "begin": 1, "end": 1},
            CUBE[:, 1, None],
        ),
    ],
)
def test_a_slice_is_numpys(begin, end, masks, expected):
    attributes = {f"{key}_mask": number(bits) for key, bits in masks.items()}
    steps = i(*[1] * len(begin))

    out = computed(
        "StridedSlice", [CUBE, i(*begin), i(*end), steps], expected, attributes=attributes
    )

    np.testing.assert_array_equal(out, expected)


def spatial(op, constants, attributes, shape, image=IMAGE):
    """What one operator makes of the image."""
    nodes = [node("Cast", "float", "image", DstT=FLOAT)]
    nodes += [node(op, "out", "float", *constants, **attributes)]
    return run(convert_tfjs(*write_tfjs(nodes, constants, "out", shape)), image)


WINDOW = {
    "padding": text("SAME"),
    "data_format": text("NHWC"),
    "strides": numbers(1, 2, 2, 1),
    "dilations": numbers(1, 1, 1, 1),
}


def padded(image, after):
    return np.pad(image[0], [(0, after[0]), (0, after[1]), (0, 0)])


def test_a_convolution_is_the_sum_over_its_window():
    kernel = np.arange(-6, 6, dtype=np.float16).reshape(2, 2, 3, 1) * f(1, -1)
    bias = f(0.5, 100)
    picture = padded(IMAGE, (0, 1))  # 2 rows fit; the second window lacks a column
    expected = [
        (picture[:, c : c + 2, :, None] * kernel).sum(axis=(0, 1, 2)) + bias for c in (0, 2)
    ]
    settings = WINDOW | {"fused_ops": texts("BiasAdd", "Relu")}

    out = spatial(
        "_FusedConv2D", {"w": kernel.astype(np.float16), "b": bias}, settings, (1, 1, 2, 2)
    )

    np.testing.assert_allclose(out[0, 0], np.maximum(expected, 0))


@pytest.mark.parametrize("op", ["FusedDepthwiseConv2dNative", "DepthwiseConv2dNative"])
def test_a_depthwise_convolution_keeps_channels_apart(op):
    kernel = f(1, 0, -1, 2, 1, 3, 0.5, 1, 0, 0, -1, 1).reshape(2, 2, 3, 1)
    picture = padded(IMAGE, (0, 1))
    expected = np.array(
        [(picture[:, c : c + 2] * kernel[..., 0]).sum(axis=(0, 1)) for c in (0, 2)]
    )
    constants, settings = {"w": kernel}, dict(WINDOW)
    if op.startswith("Fused"):
        constants["b"] = f(1, 1, 1)
        settings["fused_ops"] = texts("BiasAdd", "Relu6")
        expected = (expected + 1).clip(0, 6)

    out = spatial(op, constants, settings, (1, 1, 2, 3))

    np.testing.assert_allclose(out[0, 0], expected)


def test_pooling_takes_the_largest_of_its_window():
    settings = WINDOW | {"ksize": numbers(1, 2, 2, 1)}

    out = spatial("MaxPool", {}, settings, (1, 1, 2, 3))

    np.testing.assert_array_equal(out[0, 0], [IMAGE[0, 1, 1], IMAGE[0, 1, 2]])


def test_resizing_interpolates_between_pixel_centres():
    out = spatial(
        "ResizeBilinear", {"size": i(4, 3)}, {"half_pixel_centers": {"b": True}}, (1, 4, 3, 3)
    )

    top, bottom = IMAGE[0].astype(float)
    expected = [top, 0.75 * top + 0.25 * bottom, 0.25 * top + 0.75 * bottom, bottom]
    np.testing.assert_allclose(out[0], expected)


def test_every_operator_is_tested():
    here = {"Select", "LogicalAnd", "TopKV2", "Unpack", "Split", "StridedSlice"}
    here |= {"_FusedConv2D", "FusedDepthwiseConv2dNative", "DepthwiseConv2dNative"}
    here |= {"MaxPool", "ResizeBilinear"}

    assert here | set(CASES) == set(OPERATORS)


def refused(nodes, constants, *words):
    with pytest.raises(FormatError) as caught:
        convert_tfjs(*write_tfjs(nodes, constants, "out", (1,)))
    assert all(word in str(caught.value) for word in words), caught.value


def test_what_movenet_does_not_have_is_refused_by_name():
    kernel = {"w": np.ones((1, 1, 3, 1), np.float32)}
    conv = [node("Cast", "float", "image", DstT=FLOAT)]

    def convolution(**changes):
        return [*conv, node("_FusedConv2D", "out", "float", "w", **(WINDOW | changes))]

    refused([node("Tanh", "out", "image")], {}, "operator Tanh", "AddV2")
    refused([node("Cast", "out", "image", DstT=BOOL)], {}, "Cast out", "DT_BOOL")
    refused([node("FloorDiv", "out", "image", "image", T=FLOAT)], {}, "FloorDiv out", "DT_FLOAT")
    refused([node("Abs", "out", "later")], {}, "Abs out", "later")
    refused([node("ExpandDims", "out", "image", "image")], {}, "ExpandDims out", "stored")
    refused([node("ResizeBilinear", "out", "image", "image")], {}, "ResizeBilinear out", "centres")
    refused(convolution(dilations=numbers(1, 2, 2, 1)), kernel, "_FusedConv2D out", "dilated")
    refused(convolution(data_format=text("NCHW")), kernel, "_FusedConv2D out", "channels last")
    refused(convolution(fused_ops=texts("Elu")), kernel, "_FusedConv2D out", "Elu")
    slices = {"b": i(0), "e": i(1), "s": i(2)}
    refused([node("StridedSlice", "out", "image", *"bes")], slices, "StridedSlice out", "steps")


def test_a_name_without_end_is_cut_in_messages():
    name = "later\n" * 100_000
    strange = node("Abs", name, name)
    elu = node("_FusedConv2D", name, "image", "w", **(WINDOW | {"fused_ops": texts(name)}))
    for wrong in (strange, node("Cast", name, "image", DstT={"type": name}), elu):
        with pytest.raises(FormatError, match=r"\w+ later later .*later") as caught:
            convert_tfjs(
                *write_tfjs([wrong], {"w": np.ones((1, 1, 3, 1), np.float32)}, name, (1,))
            )
        assert len(str(caught.value)) < 300


def test_damaged_files_are_errors_of_ours():
    nodes = [node("Cast", "out", "image", DstT=FLOAT)]
    story, data = write_tfjs(nodes, {"a": A}, "out", (1, 2, 3, 3))
    assert convert_tfjs(story, data)

    for broken in (story[:-9], b"[]", b"{}", b"\xff", story.replace(b'"Const"', b"7")):
        with pytest.raises(FormatError, match=r"get the file again|operator 7"):
            convert_tfjs(broken, data)
    with pytest.raises(FormatError, match="28 bytes long, the graph lists 24"):
        convert_tfjs(story, data + bytes(4))
    with pytest.raises(FormatError, match="get the file again"):
        convert_tfjs(story, data[:-1])
    with pytest.raises(FormatError, match="element type complex64"):
        convert_tfjs(story.replace(b'"dtype": "float32"', b'"dtype": "complex64"'), data)
