"""Each operator of BlazePose's models, converted and run, against its formula in NumPy."""

import contextlib

import numpy as np
import onnxruntime
import pytest
from helpers.tiny_tflite import (
    NONE,
    RELU,
    RELU6,
    SAME,
    TANH,
    VALID,
    Step,
    Tensor,
    stored,
    write_tflite,
)
from hypothesis import given
from hypothesis import strategies as st

from graphlift.detector_weights.convert.tflite import convert_tflite, same_padding
from graphlift.errors import FormatError

IMAGE = (1, 5, 6, 3)


@pytest.fixture
def image(rng):
    return rng.normal(size=IMAGE).astype(np.float32)


def flat(source, target, shape):
    """A step that flattens a feature map; the format keeps the new shape as a tensor, too."""
    return Step("RESHAPE", [source, source], [target], ("ReshapeOptions", {}))


def converted(tensors, steps, *, outputs=(-1,)):
    """Convert a graph whose tensor 0 is the image and whose last one is flattened for output."""
    last = len(tensors) - 1
    shape = tensors[last].shape
    if len(shape) == 4:
        wide = (1, int(np.prod(shape[1:])))
        tensors = [*tensors, Tensor(wide)]
        steps = [*steps, flat(last, last + 1, wide)]
    data = write_tflite(tensors, steps, [0], [len(tensors) - 1])
    return convert_tflite(data, {0: "out"})


def run(model, image):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"image": image.transpose(0, 3, 1, 2)})
    return out


def computed(tensors, steps, image):
    return run(converted([Tensor(image.shape), *tensors], steps), image)[0]


def windows(image, size, stride, padding, fill):
    """Every window of an image, row by row, and how many rows and columns there are."""
    sides = image.shape[1:3]
    if padding == SAME:
        out = [-(-side // stride) for side in sides]
        total = [
            max((o - 1) * stride + k - s, 0) for o, k, s in zip(out, size, sides, strict=True)
        ]
        around = [(t // 2, t - t // 2) for t in total]
        image = np.pad(image, [(0, 0), *around, (0, 0)], constant_values=fill)
    else:
        out = [(side - k) // stride + 1 for side, k in zip(sides, size, strict=True)]
    return out, [
        image[0, r * stride : r * stride + size[0], c * stride : c * stride + size[1]]
        for r in range(out[0])
        for c in range(out[1])
    ]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("padding", "activation"), [(SAME, RELU6), (VALID, RELU), (SAME, NONE)])
def test_a_convolution_is_the_sum_over_its_window(image, rng, stride, padding, activation):
    kernel, bias = rng.integers(-4, 5, size=(4, 3, 2, 3)), rng.integers(-2, 3, size=4)
    kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
    (rows, columns), views = windows(image, (3, 2), stride, padding, 0)
    expected = np.array([[(view * k).sum() for k in kernel] for view in views]) + bias
    limits = {RELU: (0, np.inf), RELU6: (0, 6), NONE: (-np.inf, np.inf)}
    settings = {"Padding": padding, "StrideH": stride, "StrideW": stride}
    settings |= {"FusedActivationFunction": activation}

    out = computed(
        [stored(kernel), stored(bias), Tensor((1, rows, columns, 4))],
        [Step("CONV_2D", [0, 1, 2], [3], ("Conv2DOptions", settings))],
        image,
    )

    np.testing.assert_allclose(out, expected.clip(*limits[activation]).ravel(), atol=1e-4)


def test_a_depthwise_convolution_keeps_channels_apart(image, rng):
    kernel = rng.integers(-4, 5, size=(1, 3, 3, 3)).astype(np.float32)
    bias = np.zeros(3, np.float32)
    (rows, columns), views = windows(image, (3, 3), 2, SAME, 0)
    expected = np.array([(view * kernel[0]).sum(axis=(0, 1)) for view in views])
    settings = {"Padding": SAME, "StrideH": 2, "StrideW": 2, "DepthMultiplier": 1}

    out = computed(
        [stored(kernel), stored(bias), Tensor((1, rows, columns, 3))],
        [Step("DEPTHWISE_CONV_2D", [0, 1, 2], [3], ("DepthwiseConv2DOptions", settings))],
        image,
    )

    np.testing.assert_allclose(out, expected.ravel(), atol=1e-4)


def test_pooling_takes_the_largest_of_its_window(image):
    (rows, columns), views = windows(image, (2, 2), 2, SAME, -np.inf)
    settings = {"Padding": SAME, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}

    out = computed(
        [Tensor((1, rows, columns, 3))],
        [Step("MAX_POOL_2D", [0], [1], ("Pool2DOptions", settings))],
        image,
    )

    np.testing.assert_array_equal(out, np.array([v.max(axis=(0, 1)) for v in views]).ravel())


def test_addition_is_rectified_if_it_says_so(image):
    step = Step("ADD", [0, 0], [1], ("AddOptions", {"FusedActivationFunction": RELU}))

    out = computed([Tensor(IMAGE)], [step], image)

    np.testing.assert_array_equal(out, np.maximum(2 * image, 0).ravel())


def test_padding_surrounds_rows_columns_and_channels(image):
    around = np.array([[0, 0], [1, 2], [3, 0], [0, 1]], np.int32)
    expected = np.pad(image, around)

    out = computed([stored(around), Tensor(expected.shape)], [Step("PAD", [0, 1], [2])], image)

    np.testing.assert_array_equal(out, expected.ravel())


def test_resizing_interpolates_between_pixel_centres(image):
    def doubled(signal):
        """Along the first axis: a pixel's two halves lie a quarter to either side of it."""
        before = np.concatenate([signal[:1], signal[:-1]])
        after = np.concatenate([signal[1:], signal[-1:]])
        halves = [0.75 * signal + 0.25 * before, 0.75 * signal + 0.25 * after]
        return np.stack(halves, axis=1).reshape(-1, *signal.shape[1:])

    expected = doubled(image[0]).swapaxes(0, 1)
    expected = doubled(expected).swapaxes(0, 1)
    step = Step("RESIZE_BILINEAR", [0, 1], [2], ("ResizeBilinearOptions", {"HalfPixelCenters": 1}))

    out = computed([stored(np.array([10, 12], np.int32)), Tensor((1, 10, 12, 3))], [step], image)

    np.testing.assert_allclose(out, expected.ravel(), atol=1e-5)


def test_depth_becomes_space_block_by_block(rng):
    image = rng.normal(size=(1, 2, 3, 8)).astype(np.float32)
    expected = np.zeros((4, 6, 2), np.float32)
    for r, c in np.ndindex(4, 6):
        block = (r % 2) * 2 + c % 2
        expected[r, c] = image[0, r // 2, c // 2, 2 * block : 2 * block + 2]

    out = computed(
        [Tensor((1, 4, 6, 2))],
        [Step("DEPTH_TO_SPACE", [0], [1], ("DepthToSpaceOptions", {"BlockSize": 2}))],
        image,
    )

    np.testing.assert_array_equal(out, expected.ravel())


def test_flattened_maps_are_joined_row_by_row_with_channels_last(image):
    steps = [
        flat(0, 1, (1, 30, 3)),
        Step("LOGISTIC", [1], [2]),
        Step("CONCATENATION", [1, 2], [3], ("ConcatenationOptions", {"Axis": 1})),
    ]
    tensors = [Tensor((1, 30, 3)), Tensor((1, 30, 3)), Tensor((1, 60, 3))]
    rows = image.reshape(30, 3)

    out = computed(tensors, steps, image)

    np.testing.assert_allclose(out, np.concatenate([rows, 1 / (1 + np.exp(-rows))]), atol=1e-6)


def test_half_and_sparse_weights_are_widened_and_written_out(image):
    kernel = np.zeros((2, 1, 1, 3), np.float16)
    kernel[0, 0, 0, 1], kernel[1, 0, 0, 2] = 0.5, -2
    sparse = Tensor(
        kernel.shape, kernel[kernel != 0], [2, 1, 1, ([0, 1, 2], [1, 2])], order=[0, 1, 2, 3]
    )
    bias = np.array([1, -1], np.float16)
    settings = {"Padding": VALID, "StrideH": 1, "StrideW": 1}
    tensors = [sparse, Tensor(kernel.shape), Tensor(kernel.shape)]
    tensors += [stored(bias), Tensor((2,)), Tensor((1, 5, 6, 2))]
    steps = [Step("DENSIFY", [1], [2]), Step("DEQUANTIZE", [2], [3]), Step("DEQUANTIZE", [4], [5])]
    steps += [Step("CONV_2D", [0, 3, 5], [6], ("Conv2DOptions", settings))]

    out = computed(tensors, steps, image)

    expected = np.stack([image[..., 1] / 2 + 1, -2 * image[..., 2] - 1], axis=-1)
    np.testing.assert_allclose(out, expected.ravel(), atol=1e-5)


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 7), st.integers(1, 7), st.integers(1, 4)
)
def test_padding_makes_as_many_outputs_as_strides_fit_in(rows, columns, high, wide, stride):
    out = [-(-rows // stride), -(-columns // stride)]

    top, left, bottom, right = same_padding((rows, columns), out, (high, wide), (stride, stride))

    padded = (rows + top + bottom - high, columns + left + right - wide)
    assert [side // stride + 1 for side in padded] == out
    assert 0 <= bottom - top <= 1
    assert 0 <= right - left <= 1


def test_images_of_a_batch_do_not_mix(rng):
    images = rng.normal(size=(3, 5, 6, 3)).astype(np.float32)
    model = converted([Tensor(IMAGE), Tensor((1, 30, 3))], [flat(0, 1, (1, 30, 3))])

    assert (run(model, images)[1:2] == run(model, images[1:2])).all()


def refused(tensors, steps, *words):
    with pytest.raises(FormatError) as caught:
        converted([Tensor(IMAGE), *tensors], steps)
    assert all(word in str(caught.value) for word in words), caught.value


def test_an_operator_that_blazepose_does_not_have_is_refused_by_name():
    refused([Tensor(IMAGE)], [Step("TANH", [0], [1])], "operator TANH", "CONV_2D")


def test_settings_that_blazepose_does_not_have_are_refused():
    kernel, bias = stored(np.ones((2, 1, 1, 3), np.float32)), stored(np.ones(2, np.float32))
    weights = [kernel, bias, Tensor((1, 5, 6, 2))]
    conv = {"StrideH": 1, "StrideW": 1}
    resize = [stored(np.array([10, 12], np.int32)), Tensor((1, 10, 12, 3))]
    joined = Step("CONCATENATION", [0, 0], [1], ("ConcatenationOptions", {"Axis": 3}))

    def convolution(**settings):
        return [Step("CONV_2D", [0, 1, 2], [3], ("Conv2DOptions", conv | settings))]

    refused(weights, convolution(DilationHFactor=2), "CONV_2D", "dilated")
    refused(weights, convolution(FusedActivationFunction=TANH), "CONV_2D", "activation number 4")
    refused(
        resize, [Step("RESIZE_BILINEAR", [0, 1], [2], ("ResizeBilinearOptions", {}))], "centres"
    )
    refused([Tensor((1, 5, 6, 6))], [joined], "CONCATENATION of feature maps")
    refused([Tensor((1, 6, 5, 3))], [flat(0, 1, (1, 6, 5, 3))], "RESHAPE", "(1, 6, 5, 3)")
    refused([Tensor((1, 5, 1, 3)), Tensor(IMAGE)], [Step("ADD", [0, 1], [2])], "ADD", "alike")
    refused([Tensor((4, 2)), Tensor(IMAGE)], [Step("PAD", [0, 1], [2])], "PAD", "input 1")


def test_a_file_that_is_cut_anywhere_is_an_error_of_ours():
    data = write_tflite([Tensor(IMAGE), Tensor((1, 30, 3))], [flat(0, 1, (1, 30, 3))], [0], [1])
    assert convert_tflite(data, {0: "out"})

    for length in range(0, len(data) - 40, 5):
        with pytest.raises(FormatError, match=r"get the file again|bytes|tensor"):
            convert_tflite(data[:length], {0: "out"})


SPARSE = write_tflite(
    [
        Tensor(IMAGE),
        Tensor((2, 1, 1, 3), np.ones(2, np.float16), [2, 1, 1, ([0, 1, 2], [1, 2])], [0, 1, 2, 3]),
        Tensor((2, 1, 1, 3)),
        stored(np.ones(2, np.float32)),
        Tensor((1, 5, 6, 2)),
        Tensor((1, 60)),
    ],
    [
        Step("DENSIFY", [1], [2]),
        Step("CONV_2D", [0, 2, 3], [4], ("Conv2DOptions", {"StrideH": 1, "StrideW": 1})),
        flat(4, 5, (1, 60)),
    ],
    [0],
    [5],
)


@given(st.integers(8, len(SPARSE) - 1), st.integers(0, 255))
def test_a_changed_byte_is_harmless_or_an_error_of_ours(place, byte):
    data = bytearray(SPARSE)
    data[place] = byte

    with contextlib.suppress(FormatError):
        convert_tflite(bytes(data), {0: "out"})


def sparse(shape, values, levels, order=(0, 1, 2, 3)):
    return Tensor(shape, np.array(values, np.float16), levels, [*order])


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (sparse((2, 1, 1, 3), [1, 1], [2, 1, 1, 3]), "BlazePose's kind"),
        (sparse((2, 1, 1, 3), [1, 1], [2, 1, 1, ([0, 1, 2], [1, 2])], (1, 0, 2, 3)), "kind"),
        (sparse((2, 1, 1, 3), [1, 1], [2, 1, 1, ([0, 2], [1, 2])]), "other rows"),
        (sparse((2, 1, 1, 3), [1, 1], [2, 1, 1, ([0, 2, 1], [1, 2])]), "other rows"),
        (sparse((2, 1, 1, 3), [1, 1], [2, 1, 1, ([0, 1, 2], [1, 3])]), "damaged"),
        (sparse((2, 1, 1, 3), [1, 1], [2, 1, 1, ([0, 1, 3], [1, 2, 0])]), "damaged"),
        (sparse((2**10, 2**10, 2**10, 3), [1], [1, 1, 1, ([0, 1], [1])]), "67108864 numbers"),
    ],
)
def test_a_sparse_tensor_that_does_not_fit_its_shape_is_refused(tensor, words):
    refused([tensor, Tensor(IMAGE)], [Step("PAD", [0, 1], [2])], words)


def test_another_file_is_an_error_of_ours():
    with pytest.raises(FormatError, match="no TensorFlow Lite model"):
        convert_tflite(b"PK\x03\x04" + bytes(200), {0: "out"})


def test_a_tensor_that_does_not_fill_its_shape_or_has_an_odd_type_is_refused():
    short = Tensor((4, 2), np.ones(3, np.int32))
    odd = stored(np.ones(3, np.uint8))

    refused([short, Tensor(IMAGE)], [Step("PAD", [0, 1], [2])], "3 numbers", "(4, 2)")
    refused([odd, Tensor(IMAGE)], [Step("PAD", [0, 1], [2])], "element type 3")
