"""Models whose inner products are of integers, against the formula and an independent reader."""

import json
from dataclasses import asdict, replace

import numpy as np
import onnx
import pytest
import torch
from helpers.command import assert_refused, here
from helpers.kept_data import keeping
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from graphlift import Lifter
from graphlift.card import ModelCard
from graphlift.errors import ConfigError, FormatError, ModelError
from graphlift.export import onnx_model
from graphlift.joint_order import joint_by_joint
from graphlift.model_files import check_seal, read_model
from graphlift.nn.build import build_network
from graphlift.onnx_graph import OnnxGraph
from graphlift.onnx_session import open_session
from graphlift.quantisation import quantise
from graphlift.study.quantised import release_quantised, sample_inputs
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.tables import parse_table

CARD = ModelCard(name="any", skeleton="h36m-17", inputs="canonical", method="any", parameters=0)
JOINTS, CHANNELS = 3, 16


def one_product(matrices, rectified):
    """A model of one product of every joint's features with its own matrix."""
    graph = OnnxGraph(small=0)
    x = graph.add("Transpose", "keypoints", perm=[1, 0, 2])
    x = graph.add("Relu", x) if rectified else x
    y = graph.add("MatMul", x, graph.weight(matrices))
    graph.add("Transpose", y, name="poses", perm=[1, 0, 2])
    shape = ["frame", JOINTS, CHANNELS]
    return graph.serialise({"keypoints": (np.float32, shape)}, {"poses": shape})


def answer(content, inputs):
    return open_session(content, "here", threads=1).run(["poses"], {"keypoints": inputs})[0]


@pytest.mark.parametrize("rectified", [True, False])
def test_a_product_is_the_formula(rectified, rng):
    """Each step written out, in double precision; the last input is beyond the samples' range."""
    matrices = rng.normal(size=(JOINTS, CHANNELS, CHANNELS)) * [[[1]], [[10]], [[0.1]]]
    matrices = matrices.astype(np.float16).astype(np.float32)  # as they are stored
    samples = rng.normal(size=(50, JOINTS, CHANNELS)) * [[1], [0.01], [100]]
    inputs = np.concatenate([samples[:20], 5 * samples[20:21]]).astype(np.float32)

    content = quantise(one_product(matrices, rectified), "here", CARD, samples)

    def rectify(x):
        return np.maximum(x, 0) if rectified else x

    expected, step = by_integers(rectify(inputs), matrices, rectify(samples), rectified)
    assert (
        np.abs(answer(content, inputs) - expected) <= 1e-4 * np.abs(expected) + 1.01 * step
    ).all()
    assert np.median(np.abs(answer(content, inputs) - expected) / step) < 1e-2


def by_integers(x, matrices, samples, rectified):
    """The formula: products, and at most what a feature changes that is rounded the other way."""
    zero, most = (0, 255) if rectified else (128, 127)
    s = np.abs(samples).max(axis=(0, 2))[:, None] / most
    X = np.clip(np.rint(x / s) + zero, 0, 255)
    largest = np.abs(matrices).max(axis=1, keepdims=True)
    Q = np.rint(matrices / (largest / np.float32(63)))
    product = np.einsum("fjc,jcd->fjd", X - zero, Q) * s * (largest / 63)[:, 0]
    return product, s * largest[:, 0]


def test_a_bias_is_corrected_by_what_the_layers_before_it_give_now(rng):
    """Of two layers, each step written out; features before the second are rectified."""
    graph = OnnxGraph(small=0)
    matrices = rng.normal(size=(2, JOINTS, CHANNELS, CHANNELS)).astype(np.float16)
    matrices = matrices.astype(np.float32)  # as they are stored
    biases = rng.normal(size=(2, CHANNELS)).astype(np.float32)
    first, second = (
        lambda x, k=k: graph.add(
            "Add", graph.add("MatMul", x, graph.weight(matrices[k])), graph.constant(biases[k])
        )
        for k in (0, 1)
    )
    y = second(graph.add("Relu", first(graph.add("Transpose", "keypoints", perm=[1, 0, 2]))))
    graph.add("Transpose", y, name="poses", perm=[1, 0, 2])
    shape = ["frame", JOINTS, CHANNELS]
    content = graph.serialise({"keypoints": (np.float32, shape)}, {"poses": shape})
    samples = rng.normal(1, 1, size=(400, JOINTS, CHANNELS)).astype(np.float32)

    made = quantise(content, "here", CARD, samples)

    def means(product):
        return product.mean(axis=0)

    before = np.einsum("fjc,jcd->fjd", samples, matrices[0])
    after, _ = by_integers(samples, matrices[0], samples, rectified=False)
    expected = [biases[0] + means(before) - means(after)]
    features = np.maximum(before + biases[0], 0)
    before = np.einsum("fjc,jcd->fjd", features, matrices[1])
    after, _ = by_integers(
        np.maximum(after + expected[0], 0), matrices[1], features, rectified=True
    )
    expected.append(biases[1] + means(before) - means(after))
    model = onnx.load_from_string(made)
    for bias, right, as_it_was in zip(added(model), expected, biases, strict=True):
        assert np.abs(bias[:, 0] - right).max() < 0.01 * np.abs(right - as_it_was).max()


def added(model):
    """Constants that a model adds, in the order in which it does."""
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    named = [n.input[1] for n in model.graph.node if n.op_type == "Add"]
    return [constants[name] for name in named if name in constants]


@pytest.fixture(scope="module")
def small(study_data):
    """open-small, the same by integers, and some inputs that it was not made from."""
    content, where = read_model("open-small")
    card = Lifter.load("open-small").card
    drawn = replace(card, recipe={**card.recipe, "batch_size": 32})
    other = replace(drawn, recipe={**drawn.recipe, "seed": 5})
    made = quantise(content, where, card, sample_inputs(drawn, study_data, 512))
    return content, made, sample_inputs(other, study_data, 256)


def test_an_independent_reader_computes_the_same(small):
    _, made, inputs = small
    (theirs,) = ReferenceEvaluator(onnx.load_from_string(made)).run(
        None, {"keypoints": inputs[:8]}
    )
    assert_same_but_for_rounding(answer(made, inputs[:8]), theirs)


def assert_same_but_for_rounding(one, other):
    """Most poses are the same; one of which a feature is rounded otherwise is some mm away."""
    apart = np.abs(one - other)[..., :3].max(axis=(1, 2))  # m
    assert np.median(apart) < 1e-5
    assert apart.max() < 0.03


def test_answers_are_near_and_depend_on_nobody_else(small):
    content, made, inputs = small
    whole, before = answer(made, inputs), answer(content, inputs)
    apart = np.linalg.norm((whole - before)[..., :3], axis=-1)
    assert 1e-4 < apart.mean() < 8e-3  # m
    alone = np.concatenate([answer(made, inputs[i : i + 1]) for i in range(8)])
    assert_same_but_for_rounding(alone, whole[:8])


@pytest.fixture(scope="module")
def drawn():
    """A network of random weights joint by joint, the same by integers, samples, other inputs."""
    torch.manual_seed(0)
    network = build_network(
        "pre-aggregation",
        decouple_self=True,
        channels=16,
        blocks=2,
        joints=17,
        sigma=True,
        inputs="canonical",
    )
    content = onnx_model(network.eval(), CARD)[0]
    inputs = np.random.default_rng(0).normal(0, 0.5, (1_024, 17, 3)).astype(np.float32)
    samples, others = inputs[:512], inputs[512:]
    made = quantise(content, "here", CARD, samples)
    return joint_by_joint(content), made, samples, others


def test_every_layer_has_the_mean_that_it_had(drawn):
    """On the samples, to a hundredth of what integers had moved it by, at most."""
    content, made, samples, _ = drawn
    before, found, without = (
        layers(model, samples) for model in (content, made, uncorrected(made, content))
    )
    assert len(before) == 6  # the first is not of integers
    for layer, (y, corrected, raw) in enumerate(zip(before, found, without, strict=True)):
        moved = np.abs(raw.mean(axis=1) - y.mean(axis=1)).max()
        assert np.abs(corrected.mean(axis=1) - y.mean(axis=1)).max() <= 0.01 * moved
        assert moved > 0 if layer else moved == 0


def test_other_people_move_less_once_biases_are_corrected(drawn):
    content, made, _, others = drawn
    before, after, without = (
        answer(model, others) for model in (content, made, uncorrected(made, content))
    )
    shifts = np.abs((after - before).mean(axis=0)), np.abs((without - before).mean(axis=0))
    assert shifts[0].mean() < 0.3 * shifts[1].mean()
    assert np.abs(after - before).mean() < 0.95 * np.abs(without - before).mean()


def layers(content, inputs):
    """What a model gives after each constant that it adds, (joint, frame, channel)."""
    model = onnx.load_from_string(content)
    constants = {each.name for each in model.graph.initializer}
    names = [
        n.output[0] for n in model.graph.node if n.op_type == "Add" and n.input[1] in constants
    ]
    float32 = onnx.TensorProto.FLOAT
    model.graph.output.extend(helper.make_tensor_value_info(n, float32, None) for n in names)
    return open_session(model.SerializeToString(), "here", threads=1).run(
        names, {"keypoints": inputs}
    )


def uncorrected(made, content):
    """A model by integers with the constants that the given one adds."""
    model, as_it_was = (onnx.load_from_string(each) for each in (made, content))
    constants = {each.name: each for each in model.graph.initializer}
    named = [
        n.input[1] for n in model.graph.node if n.op_type == "Add" and n.input[1] in constants
    ]
    for name, bias in zip(named, added(as_it_was), strict=True):
        constants[name].CopyFrom(numpy_helper.from_array(bias, name))
    return model.SerializeToString()


def test_a_model_is_made_the_same_again_and_from_a_file_of_the_earlier_order(drawn):
    content, made, samples, _ = drawn
    assert quantise(content, "here", CARD, samples) == made


def test_the_file_is_smaller_sealed_and_says_what_it_is(small, tmp_path):
    content, made, _ = small
    check_seal(made, "made")
    (tmp_path / "made.onnx").write_bytes(made)
    card = Lifter.load(tmp_path / "made.onnx").card
    assert card.arithmetic == "int8"
    assert "products in int8" in card.to_text()
    assert len(made) < 0.7 * len(content)
    damaged = made[:-9] + bytes([made[-9] ^ 1]) + made[-8:]
    with pytest.raises(FormatError, match="damaged"):
        check_seal(damaged, "made")


@pytest.mark.parametrize("method", ["no-sharing", "post-aggregation", "pre-aggregation"])
def test_coupled_networks_of_own_matrices_are_taken(method, rng):
    network = build_network(
        method, channels=16, blocks=1, joints=17, sigma=True, inputs="canonical"
    )
    content = onnx_model(network.eval(), CARD)[0]
    inputs = rng.normal(0, 0.5, (200, 17, 3)).astype(np.float32)
    made = quantise(content, "here", CARD, inputs)
    before = answer(content, inputs)
    assert 0 < np.abs(answer(made, inputs) - before).mean() < 0.05 * np.abs(before).mean()


def test_a_matrix_may_serve_several_products(rng):
    """Of the inputs, and of as much as 100 times as large: each has a scale of its own."""
    graph = OnnxGraph(small=0)
    x = graph.add("Transpose", "keypoints", perm=[1, 0, 2])
    matrices = rng.normal(size=(JOINTS, CHANNELS, CHANNELS)).astype(np.float32)
    weight = graph.weight(matrices)
    larger = graph.add("Mul", x, graph.constant(np.array(100, np.float32)))
    y = graph.add("Concat", *(graph.add("MatMul", each, weight) for each in (x, larger)), axis=2)
    graph.add("Transpose", y, name="poses", perm=[1, 0, 2])
    inputs = rng.normal(size=(50, JOINTS, CHANNELS)).astype(np.float32)
    shapes = (["frame", JOINTS, n * CHANNELS] for n in (1, 2))
    content = graph.serialise({"keypoints": (np.float32, next(shapes))}, {"poses": next(shapes)})

    one, other = np.split(answer(quantise(content, "here", CARD, inputs), inputs), 2, axis=2)

    expected = np.einsum("fjc,jcd->fjd", inputs, matrices)
    assert np.abs(one - expected).mean() < 0.03 * np.abs(expected).mean()
    assert np.abs(other / 100 - expected).mean() < 0.03 * np.abs(expected).mean()


def test_a_joint_that_the_samples_do_not_move_gives_zero(rng):
    matrices = rng.normal(size=(JOINTS, CHANNELS, CHANNELS)).astype(np.float32)
    samples = rng.normal(size=(50, JOINTS, CHANNELS)).astype(np.float32)
    samples[:, 1] = 0

    content = quantise(one_product(matrices, rectified=False), "here", CARD, samples)

    found = answer(content, rng.normal(size=(5, JOINTS, CHANNELS)).astype(np.float32))
    assert np.isfinite(found).all()
    assert np.abs(found[:, 1]).max() < 1e-20
    assert np.abs(found[:, [0, 2]]).mean() > 0.1


def test_samples_that_give_no_scale_are_refused(rng):
    content = one_product(rng.normal(size=(JOINTS, CHANNELS, CHANNELS)), rectified=True)
    samples = rng.normal(size=(9, JOINTS, CHANNELS)).astype(np.float32)
    lost = samples.copy()
    lost[4, 1, 2] = np.nan
    for bad in (samples[:0], lost, np.inf * samples):
        with pytest.raises(ModelError, match=r"mine\.onnx: .* give some, and finite numbers only"):
            quantise(content, "mine.onnx", CARD, bad)


def test_narrow_layers_are_refused_with_how_wide_they_must_be():
    network = build_network(
        "pre-aggregation", channels=8, blocks=1, joints=17, sigma=True, inputs="canonical"
    )
    content = onnx_model(network.eval(), CARD)[0]
    with pytest.raises(ModelError, match=r"of its own, of 16 channels or more: "):
        quantise(content, "mine.onnx", CARD, np.ones((1, 17, 3), np.float32))


def test_what_cannot_be_quantised_is_refused(small):
    network = build_network("martinez", channels=16, blocks=1)
    content = onnx_model(network.eval(), replace(CARD, skeleton="h36m-16", inputs="screen"))[0]
    inputs = np.zeros((1, 28, 4), np.float32)
    with pytest.raises(ModelError, match=r"mine\.onnx: has no products .* pre-aggregation"):
        quantise(content, "mine.onnx", CARD, inputs)
    with pytest.raises(ModelError, match=r"mine\.onnx: its products are of integers already"):
        quantise(small[1], "mine.onnx", CARD, inputs)
    with pytest.raises(FormatError, match=r"mine\.onnx: is no ONNX model"):
        quantise(b"no model", "mine.onnx", CARD, inputs)


@pytest.fixture(scope="module")
def study_data(study_data):
    return keeping(study_data)


def own_model(path, gain):
    """An untrained network of 28 joints whose answers are so many times as large."""
    config = TrainConfig(
        batch_size=16,
        loss="mpjpe",
        cameras="random",
        model=ModelConfig(channels=16, blocks=1, joints=28, inputs="canonical", sigma=True),
    )
    torch.manual_seed(0)
    network = build_network(**asdict(config.model)).eval()
    with torch.no_grad():
        network.output.weight *= gain
    recipe = {key: value for key, value in asdict(config).items() if key != "data"}
    card = replace(CARD, name="own", skeleton="body-28", inputs="canonical-28", recipe=recipe)
    path.write_bytes(onnx_model(network, card)[0])  # as exported, but for the check


def test_a_model_is_released_with_what_was_measured(study_data, tmp_path):
    given, out = tmp_path / "own.onnx", tmp_path / "own-int8.onnx"
    own_model(given, 1)
    with pytest.raises(ConfigError, match=r"own\.txt: a model is an \.onnx file"):
        release_quantised(given, study_data, tmp_path / "own.txt")
    before = given.read_bytes()
    (tmp_path / "link.onnx").symlink_to(given)
    for same in (given, tmp_path / "link.onnx"):
        with pytest.raises(ConfigError, match=rf"{same.name}: is what is read: give"):
            release_quantised(given, study_data, same)
    assert given.read_bytes() == before

    card = release_quantised(given, study_data, out)

    assert (card.name, card.arithmetic) == ("own-int8", "int8")
    lifter = Lifter.load(out)
    assert lifter.card.to_json() == card.to_json()
    (row,) = card.metrics
    inputs = study_data.samples("validation", _selection(card)).inputs
    apart = lifter.run(inputs)[..., :3] - Lifter.load(given).run(inputs)[..., :3]
    assert row["protocol"] == "distance from own"
    assert row["mm"] == pytest.approx(1000 * np.linalg.norm(apart, axis=-1).mean(), rel=0.1)
    assert row["mm"] > 0.1


def test_a_model_without_a_recipe_is_refused(study_data):
    with pytest.raises(ConfigError, match=r"any: its card has no recipe, .* model export"):
        sample_inputs(CARD, study_data)


def test_a_model_that_integers_spoil_is_refused_and_nothing_is_left(study_data, tmp_path):
    own_model(tmp_path / "own.onnx", 100)
    with pytest.raises(ModelError, match=r"joints would move by \d+ mm in the mean"):
        release_quantised(tmp_path / "own.onnx", study_data, tmp_path / "own-int8.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["own.onnx"]


def test_the_command_writes_a_model_that_lifts(pack, tmp_path):
    own_model(tmp_path / "own.onnx", 1)
    said = here(
        "model", "quantise", tmp_path / "own.onnx", "-o", tmp_path / "made.onnx", "--data", pack
    )
    row, path = said.out.splitlines()
    assert json.loads(row)["protocol"] == "distance from own"
    assert path == str(tmp_path / "made.onnx")
    assert Lifter.load(path).card.arithmetic == "int8"
    assert_refused(
        here("model", "quantise", tmp_path / "no.onnx", "-o", tmp_path / "b.onnx"), "no model"
    )


def _selection(card):
    return parse_table(TrainConfig, dict(card.recipe), "here").selection
