"""Frames last against the same network joint by joint, which is also how earlier files are."""

import numpy as np
import onnx
import pytest
from frames_last import frames_last
from helpers.lifters import trained
from onnx.reference import ReferenceEvaluator

from graphlift import Lifter
from graphlift.card import ModelCard
from graphlift.export import onnx_model
from graphlift.joint_order import joint_by_joint
from graphlift.lifting import SHIPPED
from graphlift.model_files import check_seal, read_model
from graphlift.onnx_session import open_session
from graphlift.weight_sharing import FEW, VARIANTS

CARD = ModelCard(name="a", skeleton="h36m-17", inputs="canonical", method="any", parameters=1)
OWN = [(method, decoupled) for method, decoupled in VARIANTS if method not in FEW]


def answer(content, inputs):
    return open_session(content, "here", threads=1).run(["poses"], {"keypoints": inputs})[0]


def operators(content):
    return {node.op_type for node in onnx.load_from_string(content).graph.node}


@pytest.mark.parametrize(("method", "decoupled"), OWN)
def test_both_orders_give_the_same_answers(method, decoupled, rng):
    """By two programs: ONNX Runtime, and the reference that ONNX comes with."""
    content = onnx_model(trained(method, decoupled), CARD)[0]
    other = joint_by_joint(content)
    inputs = rng.normal(0, 0.5, (19, 17, 3)).astype(np.float32)

    assert "Conv" in operators(content)
    assert "Conv" not in operators(other)
    said, expected = answer(content, inputs), answer(other, inputs)
    np.testing.assert_allclose(said, expected, atol=1e-5 * max(1, np.abs(said).max()))
    (theirs,) = ReferenceEvaluator(onnx.load_from_string(other)).run(None, {"keypoints": inputs})
    np.testing.assert_allclose(said, theirs, atol=1e-5 * max(1, np.abs(said).max()))


@pytest.mark.parametrize(("method", "decoupled"), [each for each in VARIANTS if each[0] in FEW])
def test_methods_of_few_matrices_have_one_order(method, decoupled):
    content = onnx_model(trained(method, decoupled), CARD)[0]
    assert joint_by_joint(content) == content


def test_what_is_joint_by_joint_stays_as_it_is():
    content, _ = read_model("open-small")
    other = joint_by_joint(content)
    assert other != content
    assert joint_by_joint(other) == other


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recipe_makes_what_ships_of_what_shipped_before(name):
    """Joint by joint is the order of earlier files; the way back gives each byte again."""
    content, where = read_model(name)
    check_seal(content, where)
    assert frames_last(joint_by_joint(content)) == content


def test_the_recipe_refuses_other_networks():
    for method, decoupled in VARIANTS:
        if (method, decoupled) != ("pre-aggregation", True):
            other = joint_by_joint(onnx_model(trained(method, decoupled), CARD)[0])
            with pytest.raises(SystemExit, match="no model of decoupled pre-aggregation"):
                frames_last(other)


def test_a_file_of_the_earlier_order_lifts_the_same(tmp_path, rng):
    path = tmp_path / "earlier.onnx"
    path.write_bytes(joint_by_joint(read_model("open-small")[0]))
    earlier, now = Lifter.load(path), Lifter.load("open-small")
    assert earlier.card.to_json() == now.card.to_json()
    for frames in (0, 1, 2, 7, 257):
        inputs = rng.normal(0, 0.5, (frames, 28, 4)).astype(np.float32)
        one, other = earlier.run(inputs), now.run(inputs)
        assert one.shape == other.shape == (frames, 28, 8)
        np.testing.assert_allclose(one, other, atol=1e-5)  # 0.01 mm
        alone = [now.run(inputs[n : n + 1]) for n in range(min(frames, 8))]
        np.testing.assert_allclose(other[:8], np.concatenate([other[:0], *alone]), atol=1e-5)
