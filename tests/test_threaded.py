"""Frames shared out to threads: the answers of one thread."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from graphlift.lifting import Lifter
from graphlift.model_files import read_model
from graphlift.onnx_graph import OnnxGraph
from graphlift.onnx_session import open_session
from graphlift.threaded import BATCH, LEAST, SharedOut, together

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


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("frames", [3, 65, 128, 257, 300, 1000])
def test_answers_are_those_of_one_thread(model, frames, threads):
    content, session = model
    x = drawn(frames)

    answers = SharedOut(content, "here", threads=threads)(x)

    one_by_one = np.concatenate([together(session, x[n : n + 1]) for n in range(0, frames, 9)])
    np.testing.assert_allclose(answers[::9], one_by_one, atol=ROUNDING)
    np.testing.assert_allclose(answers, together(session, x), atol=ROUNDING)


def test_a_frame_has_one_answer_wherever_it_stands(model):
    content, _ = model
    shared = SharedOut(content, "here", threads=2)
    frame = drawn(1)
    order = np.random.default_rng(1).permutation(700)
    x = drawn(700)

    same = shared(np.repeat(frame, 700, axis=0))
    np.testing.assert_allclose(same, np.broadcast_to(same[:1], same.shape), atol=ROUNDING)
    np.testing.assert_allclose(shared(x[order]), shared(x)[order], atol=ROUNDING)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_inputs_may_be_of_either_precision_and_any_layout(model, kind):
    content, session = model
    x = np.asfortranarray(drawn(300).astype(kind))

    answers = SharedOut(content, "here", threads=2)(x)

    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, together(session, x), atol=ROUNDING)


def test_small_batches_are_computed_together(doubling):
    """The session of all threads is asked, and answers otherwise than the file."""
    content, _ = doubling
    lifter = replace(Lifter.load(threads=2), shared=SharedOut(content, "here", threads=2))
    least = 2 * LEAST

    assert lifter.shared.least == least
    np.testing.assert_array_equal(lifter.run(drawn(least))[..., :4], 2 * drawn(least))
    assert np.abs(lifter.run(drawn(least - 1))[..., :4] - 2 * drawn(least - 1)).max() > 0.1


@pytest.mark.parametrize("threads", [2, 6])
def test_a_clip_of_several_people_is_lifted_as_by_one_thread(threads):
    """Also with so many threads that there are more frames at once than by one."""
    px = np.random.default_rng(0).uniform(100, 900, (500, 3, 17, 2))
    given = {"skeleton": "h36m-17", "image_size": (1000, 1000)}

    shared = Lifter.load("open-small", threads=threads)(px, **given)
    alone = Lifter.load("open-small", threads=1)(px, **given)

    np.testing.assert_allclose(shared.positions, alone.positions, atol=ROUNDING)
    np.testing.assert_allclose(shared.sigma, alone.sigma, rtol=1e-4)


def test_several_callers_at_once_get_their_own_answers(doubling):
    content, _ = doubling
    shared = SharedOut(content, "here", threads=2)
    inputs = [drawn(BATCH + n, seed=n) for n in range(200)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(shared, inputs))

    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer, 2 * x)


def test_what_fails_in_another_thread_is_raised(doubling):
    content, session = doubling
    shared = SharedOut(content, "here", threads=2)
    wrong = np.zeros((300, 17, 4), np.float32)

    for compute in (shared, lambda x: together(session, x)):
        with pytest.raises(Exception, match="keypoints"):
            compute(wrong)


ELSEWHERE = """
import multiprocessing
import sys
import threading
import numpy as np
from graphlift.lifting import Lifter

lifter, x = Lifter.load("open-small", threads=2), np.zeros((300, 28, 4), np.float32)

def lift():
    print(lifter.run(x).shape, flush=True)

def lift_late():
    threading.main_thread().join()
    lift()

lift()
if sys.argv[1] == "forked":
    child = multiprocessing.get_context("fork").Process(target=lift, daemon=True)
    child.start()
    child.join(60)
else:
    threading.Thread(target=lift_late).start()
"""


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("forked", marks=pytest.mark.skipif(sys.platform != "linux", reason="forks")),
        "at the end",
    ],
)
def test_frames_are_lifted_where_the_threads_are_gone(where):
    """In a process forked after a clip was lifted, and in a thread that outlives the main one."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE, where],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == ["(300, 28, 8)"] * 2, done.stderr


def test_one_thread_has_nobody_to_share_with():
    assert Lifter.load("open-small", threads=2).shared is not None
    assert Lifter.load("open-small", threads=1).shared is None


def test_a_lifter_gives_what_one_thread_gives(model):
    lifter = Lifter.load("open-small", threads=2)
    rays, sure = np.random.default_rng(0).normal(0, 0.2, (600, 28, 2)), np.ones((600, 28))

    shared = lifter.lift_rays(rays, sure, flip=True)
    alone = Lifter.load("open-small", threads=1).lift_rays(rays, sure, flip=True)

    for name in ("positions", "sigma", "fronts", "front_sigma"):
        np.testing.assert_allclose(
            getattr(shared, name), getattr(alone, name), atol=ROUNDING, rtol=1e-4
        )
