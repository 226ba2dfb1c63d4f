"""Frames shared out to threads: the answers of one thread, and the way that a clock says."""

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, chain, cycle, repeat

import numpy as np
import pytest

from graphlift.lifting import Lifter
from graphlift.model_files import read_model
from graphlift.onnx_graph import OnnxGraph
from graphlift.onnx_session import open_session
from graphlift.threaded import BATCH, CALLS, GAIN, LEAST, TURNS, WAIT, Threaded, together

ROUNDING = 1e-5
"""m, as for every lifter: a frame that is alone in its block is summed in another order."""


@pytest.fixture(scope="module")
def model():
    content, _ = read_model("open-small")
    return content, open_session(content, "here", threads=1)


@pytest.fixture(scope="module")
def doubling():
    """A network that gives twice what it takes."""
    graph = OnnxGraph()
    graph.add("Mul", "keypoints", graph.constant(np.float32([2])), name="poses")
    shape = ["frame", 28, 4]
    content = graph.serialise({"keypoints": (np.float32, shape)}, {"poses": shape})
    return content, open_session(content, "here", threads=1)


def drawn(frames, seed=0):
    return np.random.default_rng(seed).normal(0, 0.5, (frames, 28, 4)).astype(np.float32)


def ticking(of_together, shared_out):
    """A clock whose differences are these seconds of each call that is compared."""
    turns = [of_together] * CALLS + [shared_out] * CALLS
    steps = chain.from_iterable((0.0, each) for each in cycle(turns))
    times = accumulate(steps)
    return lambda: next(times)


def lifted(threaded, session, frames, size):
    """Run so many frames, some at once."""
    for _ in range(-(-frames // size)):
        threaded.run(session, drawn(size))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("frames", [3, 65, 128, 257, 300, 1000])
def test_answers_are_those_of_one_thread(model, frames, threads):
    content, session = model
    x = drawn(frames)

    answers = Threaded(content, "here", threads=threads).shared_out(x)

    one_by_one = np.concatenate([together(session, x[n : n + 1]) for n in range(0, frames, 9)])
    np.testing.assert_allclose(answers[::9], one_by_one, atol=ROUNDING)
    np.testing.assert_allclose(answers, together(session, x), atol=ROUNDING)


def test_a_frame_has_one_answer_wherever_it_stands(model):
    content, _ = model
    threaded = Threaded(content, "here", threads=2)
    frame = drawn(1)
    order = np.random.default_rng(1).permutation(700)
    x = drawn(700)

    same = threaded.shared_out(np.repeat(frame, 700, axis=0))
    np.testing.assert_allclose(same, np.broadcast_to(same[:1], same.shape), atol=ROUNDING)
    np.testing.assert_allclose(
        threaded.shared_out(x[order]), threaded.shared_out(x)[order], atol=ROUNDING
    )


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_inputs_may_be_of_either_precision_and_any_layout(model, kind):
    content, session = model
    x = np.asfortranarray(drawn(300).astype(kind))

    answers = Threaded(content, "here", threads=2).shared_out(x)

    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, together(session, x), atol=ROUNDING)


@pytest.mark.parametrize(
    ("seconds", "way"),
    [(0.5, "shared out"), (GAIN + 0.01, "together"), (1.0, "together"), (2.0, "together")],
)
def test_the_faster_way_stays(doubling, seconds, way):
    content, session = doubling
    threaded = Threaded(content, "here", threads=2, clock=ticking(1.0, seconds))
    x = drawn(BATCH)

    lifted(threaded, session, WAIT, BATCH)
    assert threaded.way is None
    for _ in range(CALLS * TURNS):
        np.testing.assert_array_equal(threaded.run(session, x), 2 * x)
    assert threaded.way == way
    np.testing.assert_array_equal(threaded.run(session, x), 2 * x)


def test_a_single_slow_call_does_not_decide(doubling):
    content, session = doubling
    slow_once = chain([50.0], repeat(1.0, CALLS - 1), repeat(2.0, CALLS), repeat(1.0))
    times = accumulate(chain.from_iterable((0.0, each) for each in slow_once))
    threaded = Threaded(content, "here", threads=2, clock=lambda: next(times))

    lifted(threaded, session, WAIT + CALLS * TURNS * BATCH, BATCH)

    assert threaded.way == "together"


def test_small_batches_are_never_shared_out(doubling):
    """The clock would choose to, but is not asked."""
    content, session = doubling
    threaded = Threaded(content, "here", threads=2, clock=ticking(1.0, 0.1))
    small = 2 * LEAST - 1

    lifted(threaded, session, 3 * WAIT, small)
    assert threaded.way is None

    x = drawn(small)
    lifted(threaded, session, WAIT + CALLS * TURNS * BATCH, BATCH)
    assert threaded.way == "shared out"
    np.testing.assert_array_equal(threaded.run(session, x), 2 * x)


def test_several_callers_at_once_get_their_own_answers(doubling):
    content, session = doubling
    threaded = Threaded(content, "here", threads=2, clock=ticking(1.0, 0.5))
    inputs = [drawn(BATCH + n, seed=n) for n in range(200)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda x: threaded.run(session, x), inputs))

    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer, 2 * x)


def test_what_fails_in_another_thread_is_raised(doubling):
    content, session = doubling
    threaded = Threaded(content, "here", threads=2)
    wrong = np.zeros((300, 17, 4), np.float32)

    for compute in (threaded.shared_out, lambda x: together(session, x)):
        with pytest.raises(Exception, match="keypoints"):
            compute(wrong)


def test_only_narrow_models_and_several_threads_are_compared():
    assert Lifter.load("open-small", threads=2).threaded is not None
    assert Lifter.load("open-small", threads=1).threaded is None
    assert Lifter.load("open-base", threads=2).threaded is None


def test_a_lifter_gives_what_one_thread_gives(model):
    lifter = Lifter.load("open-small", threads=2)
    lifter.threaded.way = "shared out"
    rays, sure = np.random.default_rng(0).normal(0, 0.2, (600, 28, 2)), np.ones((600, 28))

    shared = lifter.lift_rays(rays, sure, flip=True)
    alone = Lifter.load("open-small", threads=1).lift_rays(rays, sure, flip=True)

    for name in ("positions", "sigma", "fronts", "front_sigma"):
        np.testing.assert_allclose(
            getattr(shared, name), getattr(alone, name), atol=ROUNDING, rtol=1e-4
        )


def test_a_benchmark_has_both_ways_compared_at_once(doubling):
    content, session = doubling
    threaded = Threaded(content, "here", threads=6, clock=ticking(1.0, 0.5))

    threaded.compare(session)

    assert threaded.way == "shared out"
