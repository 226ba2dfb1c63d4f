"""An RTMPose-like ONNX that somebody brings: what it must be, and how its rows are read."""

import numpy as np
import pytest
from onnx import TensorProto, checker, helper, numpy_helper

from graphlift.errors import FormatError, ModelError
from graphlift.skeletons import COCO_17, HALPE_26
from graphlift.video.regions import Region
from graphlift.video.rtmpose import (
    box_around,
    decode_simcc,
    fit_region,
    load_rtmpose,
    read_joints,
)


def write_model(path, *, joints=17, shape=("batch", 3, 64, 48), outputs=("simcc_x", "simcc_y")):
    """A network that puts every joint on the brightest pixel: rows twice as fine as pixels."""
    grey = [helper.make_node("ReduceSum", ["image", "channel"], ["grey"], keepdims=0)]
    constants = [numpy_helper.from_array(np.array([1]), "channel")]
    constants += [numpy_helper.from_array(np.float32([1, 1, 2]), "finer")]
    constants += [numpy_helper.from_array(np.array([1, joints, 1]), "times")]
    constants += [numpy_helper.from_array(np.float32(7.5), "white")]
    for name, axis in zip(outputs, (1, 2), strict=True):
        grey += [
            helper.make_node("ReduceMax", ["grey"], [f"{name}1"], axes=[axis], keepdims=0),
            helper.make_node("Unsqueeze", [f"{name}1", "channel"], [f"{name}2"]),
            helper.make_node(
                "Resize",
                [f"{name}2", "", "finer"],
                [f"{name}3"],
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
            ),
            helper.make_node("Div", [f"{name}3", "white"], [f"{name}4"]),
            helper.make_node("Tile", [f"{name}4", "times"], [name]),
        ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        grey,
        "brightest",
        [value("image", TensorProto.FLOAT, shape)],
        [value(name, TensorProto.FLOAT, ["batch", joints, None]) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(("joints", "skeleton"), [(17, COCO_17), (26, HALPE_26)])
def test_the_skeleton_follows_from_the_number_of_joints(tmp_path, joints, skeleton):
    model = load_rtmpose(write_model(tmp_path / "m.onnx", joints=joints))

    assert (model.skeleton, model.size) == (skeleton, (48, 64))


def test_joints_come_back_to_where_they_are_in_the_image(tmp_path):
    model = load_rtmpose(write_model(tmp_path / "m.onnx"))
    image = np.zeros((300, 400, 3), np.uint8)
    image[117:124, 217:224] = 255

    (person,) = read_joints(model, image, [Region((200, 130), (100, 150))])

    np.testing.assert_allclose(person.keypoints[:, :2], np.tile([220, 120], (17, 1)), atol=4)
    assert 0.5 < person.score <= 1


def test_nobody_is_read_where_nothing_is_sure(tmp_path):
    model = load_rtmpose(write_model(tmp_path / "m.onnx"))

    assert read_joints(model, np.zeros((90, 90, 3), np.uint8), [Region((45, 45), (60, 80))]) == []


def test_a_joint_is_where_its_rows_are_highest_as_sure_as_the_less_sure_one():
    across, down = np.zeros((2, 96)), np.zeros((2, 128))
    across[0, 31], down[0, 100] = 0.7, 0.4
    across[1, 0], down[1, 127] = 2.0, 1.5

    positions, confidence = decode_simcc(across, down, size=(48, 64))

    assert positions.tolist() == [[15.5, 50], [0, 63.5]]
    assert confidence.tolist() == [0.4, 1.0]


@pytest.mark.parametrize(
    ("size", "fitted"), [((30, 80), (75, 100)), ((90, 80), (112.5, 150)), ((60, 80), (75, 100))]
)
def test_a_box_is_widened_to_the_inputs_aspect_with_a_margin(size, fitted):
    assert fit_region(Region((5, 6), size), 0.75) == Region((5, 6), fitted)


def test_the_next_box_is_around_the_joints_that_are_seen():
    keypoints = np.array([[10, 20, 0.9], [30, 90, 0.8], [500, 500, 0.1]])

    assert box_around(keypoints) == Region((20, 55), (20, 70))
    assert box_around(keypoints[:1]).size == (1, 1)


def refused(path, *words, error=ModelError):
    with pytest.raises(error) as caught:
        load_rtmpose(path)
    assert all(word in str(caught.value) for word in [str(path), *words]), caught.value


def test_other_models_are_refused_by_what_they_lack(tmp_path):
    path = tmp_path / "m.onnx"
    named = ("heatmap", "offsets")

    refused(
        write_model(path, outputs=named), "heatmap, offsets", "simcc_x and simcc_y", "MMDeploy"
    )
    refused(write_model(path, joints=133), "133 joints", "coco-17", "halpe-26")
    refused(write_model(path, shape=("n", 3, "h", "w")), "not one image", "fixed")


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    whole = write_model(path).read_bytes()

    for data in (b"", b"no model", whole[: len(whole) // 2]):
        path.write_bytes(data)
        refused(path, "no ONNX model", "whole .onnx", error=FormatError)
    with pytest.raises(FileNotFoundError, match=r"gone\.onnx"):
        load_rtmpose(tmp_path / "gone.onnx")
