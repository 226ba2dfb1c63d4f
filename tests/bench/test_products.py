"""Products against layers counted by hand, and against the counted multiply-accumulates."""

from collections import Counter

import pytest

from graphlift.bench.products import Product, products_of
from graphlift.complexity import LIFTERS, complexity, network_complexity
from graphlift.networks import OTHERS
from graphlift.skeletons import BODY_28
from graphlift.weight_sharing import VARIANTS

NETWORKS = [*VARIANTS, ("semgcn", False), ("modulated", False), *((m, False) for m in LIFTERS)]


@pytest.mark.parametrize(("method", "decoupled"), NETWORKS)
@pytest.mark.parametrize(("channels", "batch"), [(128, 1), (37, 5), (3, 2)])
def test_the_products_of_a_network_have_the_counted_multiply_accumulates(
    method, decoupled, channels, batch
):
    products = products_of(method, batch, decouple_self=decoupled, channels=channels)

    counted = network_complexity(method, decouple_self=decoupled, channels=channels)
    assert sum(product.macs for product in products) == batch * counted.macs_reduced


def test_every_network_is_listed():
    assert {method for method, _ in NETWORKS} >= {*OTHERS}


@pytest.mark.parametrize(
    ("method", "decoupled", "layer"),
    [  # of 7 poses, 5 to 5 channels, by hand: 16 joints, 46 edges, of which 15 up and 15 down
        ("full-sharing", False, {(1, 112, 5, 5): 1}),
        ("full-sharing", True, {(1, 112, 5, 5): 2}),
        ("pre-aggregation", False, {(16, 7, 5, 5): 1}),
        ("pre-aggregation", True, {(16, 7, 5, 5): 2}),
        ("post-aggregation", True, {(16, 7, 5, 5): 2}),
        ("no-sharing", False, {(46, 7, 5, 5): 1}),
        ("convolution-style", False, {(1, 112, 5, 5): 1, (1, 105, 5, 5): 2}),
    ],
)
def test_the_products_of_a_layer_are_those_counted_by_hand(method, decoupled, layer):
    products = products_of(method, 7, decouple_self=decoupled, channels=5)

    inside = Counter(p for p in products if (p.inner, p.columns) == (5, 5))
    assert inside == {Product(*shape): 8 * times for shape, times in layer.items()}
    assert [p.inner for p in products if p.given] == [2] * sum(layer.values())
    assert sum(p.columns == 3 for p in products) == sum(layer.values())


def test_a_fully_connected_network_has_a_product_a_layer():
    shapes = [
        (p.matrices, p.rows, p.inner, p.columns) for p in products_of("martinez", 9, channels=64)
    ]

    assert shapes == [(1, 9, 32, 64), *[(1, 9, 64, 64)] * 4, (1, 9, 64, 48)]


def test_the_shipped_networks_have_other_ends_and_joints():
    products = products_of(
        "pre-aggregation", 1, decouple_self=True, channels=32, features=(4, 8), skeleton=BODY_28
    )

    counted = complexity(
        "pre-aggregation", decouple_self=True, channels=32, features=4, skeleton=BODY_28
    )
    wider_output = 2 * 28 * 32 * (8 - 3)
    assert sum(p.macs for p in products) == counted.macs_reduced + wider_output


def test_training_takes_two_more_products_of_each_and_one_of_what_is_given():
    training = products_of("pre-aggregation", 64, channels=128, training=True)

    assert training[:2] == (Product(16, 64, 2, 128, given=True), Product(16, 2, 64, 128))
    assert training[2:5] == (
        Product(16, 64, 128, 128),  # forward
        Product(16, 128, 64, 128),  # by the matrix: features transposed, by what comes back
        Product(16, 64, 128, 128),  # by the features
    )
    assert training[-2:] == (Product(16, 128, 64, 3), Product(16, 64, 3, 128))
    forward = sum(p.macs for p in products_of("pre-aggregation", 64, channels=128))
    assert sum(p.macs for p in training) == 3 * forward - 16 * 64 * 2 * 128


def test_bytes_are_those_of_factors_and_product():
    assert Product(2, 3, 5, 7).bytes == 4 * 2 * (3 * 5 + 5 * 7 + 3 * 7)
