"""A tiny benchmark from end to end, and the functions that it times."""

import json
import math
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.command import assert_refused, here

from graphlift.bench.clock import ASLEEP, LEAST, PATIENCE, alternate, settle
from graphlift.bench.engines import chosen, product_runs
from graphlift.bench.machine import this_machine
from graphlift.bench.measure import Options, bench
from graphlift.bench.numpy_network import Convolution, NumpyNetwork
from graphlift.bench.onnx_product import product_model
from graphlift.bench.products import Product
from graphlift.bench.results import read_result
from graphlift.bench.subjects import NETWORKS, PAPER, networks
from graphlift.errors import ConfigError
from graphlift.networks import OTHERS
from graphlift.nn.build import build_network
from graphlift.processors import processors
from graphlift.weight_sharing import VARIANTS

TINY = {"sizes": (0.002,), "batches": (1, 3), "training_batches": (4,), "seconds": 0.001}


def test_functions_take_turns_and_the_median_is_of_all_turns(monkeypatch):
    monkeypatch.setattr("graphlift.bench.clock.SHORTEST", 1e-9)  # one call a sample
    now, called = [0.0], []

    def taking(name, seconds):
        def run():
            called.append(name)
            now[0] += seconds[called.count(name) % len(seconds)]

        return run

    functions = {"a": taking("a", [1.0, 1.0, 4.0]), "b": taking("b", [2.0])}
    times = alternate(functions, 0.0, lambda: now[0])

    assert times["b"].seconds == pytest.approx(2.0)
    assert times["a"].samples == times["b"].samples == LEAST
    assert 1.0 <= times["a"].low <= times["a"].seconds <= times["a"].high <= 4.0
    assert called[-2 * LEAST :] == ["a", "b"] * LEAST


def test_functions_whose_turn_is_slow_are_warmed_up_and_then_timed_once(monkeypatch):
    monkeypatch.setattr("graphlift.bench.clock.SLOW", 0.0)
    called = []

    times = alternate({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, 0.0)

    assert times["a"].samples == times["b"].samples == 1
    assert 0 < times["a"].low == times["a"].seconds == times["a"].high
    first_of_b = called.index("b")  # what comes before has warmed "a" up
    assert "a" in called[:first_of_b]
    assert "a" in called[first_of_b:]


def test_several_threads_are_woken_by_a_call_that_does_not_count(monkeypatch):
    monkeypatch.setattr("graphlift.bench.clock.SHORTEST", 1e-9)  # one call a sample
    now, called = [0.0], []

    def run():
        called.append(now[0])
        now[0] += 1.0

    alone = alternate({"a": run}, 0.0, lambda: now[0])["a"]
    warm_up = len(called) - LEAST
    together = alternate({"a": run}, 0.0, lambda: now[0], threads=2)["a"]

    assert alone.samples == together.samples == LEAST
    assert together.seconds == alone.seconds == 1.0
    assert len(called) - warm_up - LEAST == warm_up + 2 * LEAST


@pytest.mark.parametrize(
    ("works", "waits"),  # s: threads work on after a call; until when one may wait for them
    [(0.0, (0.0, 0.005)), (0.0301, (0.0301, 0.04)), (math.inf, (PATIENCE - ASLEEP, PATIENCE))],
)
def test_the_next_function_waits_until_threads_are_asleep(monkeypatch, works, waits):
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr("time.process_time", lambda: min(now[0], works))
    monkeypatch.setattr("time.sleep", sleep)

    settle()

    assert waits[0] <= now[0] <= waits[1] + 1e-9


@pytest.mark.parametrize("product", [Product(1, 5, 3, 4), Product(30, 2, 3, 200)])
def test_engines_compute_the_product_that_is_named(product):
    before = [product.matrices] * (product.matrices > 1)
    rng = np.random.default_rng(0)
    a = rng.standard_normal((*before, product.rows, product.inner), np.float32)
    W = rng.standard_normal((*before, product.inner, product.columns), np.float32)

    session = onnxruntime.InferenceSession(product_model(product, W))

    (answer,) = session.run(["c"], {"a": a})
    np.testing.assert_allclose(answer, a @ W, rtol=1e-4, atol=1e-5)
    runs = product_runs(product, chosen(()), 1)
    assert [*runs] == ["numpy", "torch", "onnxruntime"]
    for run in runs.values():
        run()


@pytest.mark.parametrize(("method", "decoupled"), VARIANTS)
def test_networks_by_numpy_answer_as_those_of_torch(method, decoupled):
    torch.manual_seed(0)
    network = build_network(method, decouple_self=decoupled, channels=6, blocks=2)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for _ in range(3):
        network(torch.randn(32, 16, 2))
    network.eval()

    def folded(conv, norm=None):
        target, source = torch.from_numpy(conv.graph.target), torch.from_numpy(conv.graph.source)
        a = conv.affinities()[target, source]
        gain = shift = torch.tensor(0.0)
        weight, bias = conv.weight, conv.bias
        if norm is not None:
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            shift = norm.bias - norm.running_mean * gain
            weight, bias = weight * gain, bias * gain + shift
        return Convolution(*(t.detach().numpy() for t in (weight, a, bias)))

    inner = [layer for block in network.blocks for layer in block]
    layers = [folded(layer.conv, layer.norm) for layer in (network.input[0], *inner)]
    plain = NumpyNetwork([*layers, folded(network.output)], method, decouple_self=decoupled)

    x = np.random.default_rng(1).normal(size=(5, 16, 2)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(plain(x), expected, rtol=1e-4, atol=1e-5)


SOME = ("decoupled pre-aggregation", "convolution-style", "semgcn", "mixture", "htnet")
"""Networks that are built, exported and trained in different ways."""


def test_networks_are_measured_by_every_engine_that_can_compute_them():
    result = bench(Options(names=SOME, **TINY | {"batches": (3,)}))

    assert result.left_out == ()
    measured = {(row.name, row.mode, row.batch, row.engine) for row in result.rows}
    for name in SOME:
        assert (name, "inference", 3, "torch") in measured
        assert (name, "inference", 3, "onnxruntime") in measured
        assert ((name, "inference", 3, "numpy") in measured) == (name in PAPER)
        assert (name, "training", 4, "torch") in measured
    assert len(measured) == len(result.rows) == 3 * len(SOME) + 2
    for row in result.rows:
        assert 0 < row.low <= row.seconds <= row.high
        assert row.limit > 0
        assert row.traffic > 0
    assert all(rate.best > 0 for rate in result.products)


def test_products_of_a_training_step_have_no_constant_factor():
    result = bench(
        Options(
            names=("full-sharing",), engines=("torch", "onnxruntime"), **TINY | {"sizes": (0.0,)}
        )
    )

    inside = [p for p in result.products if p.product.inner == p.product.columns == 128]
    assert {p.product.rows: {*p.gflops} for p in inside} == {
        16 * 1: {"torch", "onnxruntime"},
        16 * 3: {"torch", "onnxruntime"},
        16 * 4: {"torch"},  # forward, and by the features
    }
    (by_the_matrix,) = [p for p in result.products if p.product == Product(1, 128, 16 * 4, 128)]
    assert {*by_the_matrix.gflops} == {"torch"}


def test_two_threads_measure_what_one_does():
    one, two = (
        bench(Options(names=("full-sharing",), threads=threads, **TINY)) for threads in (1, 2)
    )

    assert [(r.mode, r.engine, r.batch) for r in two.rows] == [
        (r.mode, r.engine, r.batch) for r in one.rows
    ]
    assert two.machine.threads == 2


def test_the_command_writes_what_it_prints(tmp_path):
    out = tmp_path / "out"
    said = here(
        "bench", "open-small", "full-sharing", "--parameters", "0.002", "--batch", 1, "--batch", 3,
        "--training-batch", 4, "--seconds", 0.001, "--threads", 1, "--cpu-time", "-o", out,
    )  # fmt: skip

    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines()[-3:] == [
        str(out / name) for name in ("report.md", "bench.json", "roofline.png")
    ]
    result = read_result(out / "bench.json")
    assert json.loads((out / "bench.json").read_text())["clock"] == result.clock == "processor"
    assert {row.mode for row in result.rows} == {"inference", "in all", "training"}
    assert (out / "roofline.png").read_bytes().startswith(b"\x89PNG")
    assert result.machine.processor in (out / "report.md").read_text()


def test_what_takes_too_long_or_too_much_memory_is_left_out(monkeypatch):
    monkeypatch.setattr("graphlift.bench.measure.LONGEST", 1e-9)
    slow = bench(Options(names=("full-sharing",), **TINY))

    assert slow.rows == ()
    assert len(slow.left_out) == 3
    assert all("a call takes" in each for each in slow.left_out)
    monkeypatch.undo()
    monkeypatch.setattr("graphlift.bench.measure.SQUARE", Product(1, 64, 64, 64))
    monkeypatch.setattr("graphlift.bench.measure.free_bytes", lambda: 100)
    monkeypatch.setattr("graphlift.bench.machine.free_bytes", lambda: 2**20)
    large = bench(Options(names=("full-sharing",), **TINY))
    assert large.rows == ()
    assert all("GB of memory" in each for each in large.left_out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["half-sharing"], "no network or model named 'half-sharing': use paper, everyone"),
        (["bone-ratios"], "no network or model named 'bone-ratios'"),
        (["missing.onnx"], "no model 'missing.onnx'"),
        (["--engine", "cuda"], "no engine is named 'cuda': use some of numpy"),
        (["--parameters", "4_2"], "--parameters '4_2': write millions"),
        (["--parameters", "0"], "--parameters '0': write millions"),
        (["--parameters", "nan"], "write millions"),
        (["--cpu-time", "--threads", "2"], "use one (--threads 1)"),
        (["--quick", "--full"], "--quick and --full exclude each other"),
        (["--batch", "0"], "--batch"),
        (["--training-batch", "1"], "--training-batch"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_before_anything_is_measured(words, told):
    assert_refused(here("bench", *words), told)


def test_names_mean_the_networks_of_plans_at_their_sizes():
    assert len(PAPER) == len(VARIANTS)
    assert len(NETWORKS) == len(VARIANTS) + len(OTHERS)
    of = {each.name: each for each in networks(NETWORKS, (0.0,))}
    assert of["martinez"].channels == 1024
    assert of["decoupled pre-aggregation"].parameters == 4_218_703  # the paper's
    assert len([*networks(["decoupled pre-aggregation"], (0.0, 4.2))]) == 1  # one width
    (matched,) = networks(["full-sharing"], (4.2,))
    assert abs(matched.parameters / 4.2e6 - 1) < 0.01


def test_the_machine_says_what_it_is():
    machine = this_machine(3)

    assert machine.processor
    assert machine.threads == 3
    assert machine.cores == processors() >= 1
    assert machine.versions["ONNX Runtime"] == onnxruntime.__version__


def test_unknown_engines_are_refused():
    with pytest.raises(ConfigError, match="no engine is named 'jax'"):
        chosen(["numpy", "jax"])


def test_threads_are_set_before_numpy_is_there():
    script = (
        "import os, sys\nfrom graphlift.bench.threads import set_threads\n"
        "print(set_threads(3), os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert run.stdout == "3 3 False\n"
