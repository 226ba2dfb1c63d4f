"""Frames of many streams in one call: each as if it had been alone."""

import asyncio
import json

import numpy as np
import pytest
from helpers.served import people, positions

from graphlift.cameras import Camera
from graphlift.serve.batching import Dispatcher, Question, answer_together
from graphlift.serve.metrics import make_metrics

LENS = Camera(
    *((800.0, 820.0), (300.0, 250.0), (640, 480), np.eye(3), np.zeros(3)),
    radial=(-0.2, 0.1, 0.0),
    distortion="opencv",
)
KINDS = [
    {"skeleton": "coco-17", "image_size": (640, 480)},
    {"skeleton": "coco-17", "image_size": (1280, 720), "field_of_view": 70},
    {"skeleton": "coco-17", "camera": LENS},
    {"skeleton": "openpose-body-25", "image_size": (640, 480)},
    {"skeleton": "coco-17", "image_size": (640, 480), "fps": 30, "smooth": True},
]


def frames_of(kind, count, persons, seed):
    joints = 25 if kind["skeleton"].endswith("25") else 17
    frames = people(count, persons, joints, seed)
    frames[1, 0, 3] = np.nan
    frames[-1, 0, 2:] = 0  # too few to lift
    return frames


def test_each_answer_is_that_of_its_stream_alone(lifter):
    alone = [lifter.stream(**kind) for kind in KINDS]
    together = [lifter.stream(**kind) for kind in KINDS]
    clips = [frames_of(kind, 4, 1 + at % 3, at) for at, kind in enumerate(KINDS)]

    for number in range(4):
        questions = [
            Question(stream, clip[number], number)
            for stream, clip in zip(together, clips, strict=True)
        ]
        answers = answer_together(lifter, questions)

        for stream, clip, answer in zip(alone, clips, answers, strict=True):
            poses = stream(clip[number])
            for name in ("positions", "sigma", "fronts", "front_sigma"):
                expected = getattr(poses, name)[0]
                np.testing.assert_allclose(answer.arrays[name], expected, rtol=0, atol=1e-5)
            np.testing.assert_array_equal(answer.seen, poses.seen[0])
            said = positions(json.loads(answer.message), number)
            np.testing.assert_allclose(said, poses.positions[0], rtol=0, atol=1e-5)


def test_a_frame_without_people_has_an_answer_without_people(lifter):
    stream = lifter.stream(**KINDS[0])
    nobody, one = np.empty((0, 17, 3)), people(1)[0]
    unasked = Question(stream, one)

    for questions in (
        [Question(stream, nobody, 0)],
        [Question(stream, nobody, 0), unasked, Question(stream, one, 7)],
    ):
        first, *others = answer_together(lifter, questions)

        assert json.loads(first.message) == {"frame": 0, "people": []}
        for each in others:
            np.testing.assert_allclose(
                each.arrays["sigma"], others[0].arrays["sigma"], rtol=0, atol=1e-5
            )


def test_what_waits_goes_together_and_more_than_the_network_takes_is_split(lifter):
    stream = lifter.stream(**KINDS[0])
    metrics = make_metrics()
    crowd = people(1, 100)[0]

    async def ask():
        dispatcher = Dispatcher(lifter, metrics)
        answers = await asyncio.gather(
            *(dispatcher.ask(Question(stream, crowd + number)) for number in range(5))
        )
        dispatcher.close()
        return answers

    answers = asyncio.run(ask())

    for number, answer in enumerate(answers):
        alone = stream(crowd + number).positions[0]
        np.testing.assert_allclose(answer.arrays["positions"], alone, rtol=0, atol=1e-5)
        assert answer.message == ""
    sizes = {
        sample.labels["le"]: sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "graphlift_batch_people_bucket"
    }
    assert (sizes["64.0"], sizes["128.0"], sizes["256.0"]) == (0, 1, 3)  # 200, 200 and 100


def test_an_error_is_told_to_each_and_the_next_is_answered(lifter):
    stream = lifter.stream(**KINDS[0])
    good, bad = people(1)[0], np.zeros((1, 16, 3))  # which no reader lets pass

    async def ask():
        dispatcher = Dispatcher(lifter, make_metrics())
        broken = dispatcher.ask(Question(stream, bad))
        with pytest.raises(ValueError, match="16"):
            await broken
        answer = await dispatcher.ask(Question(stream, good))
        dispatcher.close()
        return answer

    assert np.isfinite(asyncio.run(ask()).arrays["positions"]).all()
