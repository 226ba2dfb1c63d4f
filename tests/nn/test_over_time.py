"""The network over time: it begins as the network of single frames, and sees 27 frames."""

import numpy as np
import pytest
import torch

from graphlift.networks import WINDOW
from graphlift.nn.build import build_network
from graphlift.nn.over_time import PoseOverTime
from graphlift.preprocessing import (
    ANSWERS,
    FRONT_JOINTS,
    OVER_TIME,
    canonical_28,
    features_over_time,
)
from graphlift.skeletons import BODY_28

FRAMES = 40


@pytest.fixture
def trained():
    """A network whose normalisations have seen something, and whose output is not zero."""
    torch.manual_seed(0)
    network = PoseOverTime(channels=16, dropout=0.0)
    torch.nn.init.normal_(network.output.weight, std=0.1)
    for _ in range(3):
        network(torch.randn(8, FRAMES, OVER_TIME))
    return network.eval()


def frames_of(count=FRAMES, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.normal([0.2, 0, 4], 0.4, (count, 28, 3))
    seen = canonical_28(points[..., :2] / points[..., 2:], rng.uniform(0.2, 1, (count, 28)))
    answers = rng.normal(size=(count, 28, 8)).astype(np.float32)
    return answers, seen


def test_features_hold_the_answers_the_inputs_and_the_direction():
    answers, seen = frames_of(3)

    features = features_over_time(answers, seen)

    assert features.shape == (3, OVER_TIME)
    np.testing.assert_array_equal(features[:, :112], answers[..., :4].reshape(3, -1))
    fronts = answers[:, BODY_28.index(*FRONT_JOINTS), 4:]
    np.testing.assert_array_equal(features[:, 112:ANSWERS], fronts.reshape(3, -1))
    inputs = features[:, ANSWERS : ANSWERS + 112].reshape(3, 28, 4)
    np.testing.assert_allclose(inputs, seen.inputs, atol=1e-6)
    direction = features[:, -4:-1]
    aimed = np.einsum("fab,fb->fa", seen.R, direction)
    np.testing.assert_allclose(aimed, [[0, 0, 1]] * 3, atol=1e-6)
    assert (features[:, -1] == 1).all()


def test_a_frame_without_a_pose_is_all_zeros():
    answers, seen = frames_of(2)
    seen.valid[1] = False
    answers[1] = np.nan

    features = features_over_time(answers, seen)

    assert (features[1] == 0).all()
    assert np.isfinite(features).all()


def test_a_new_network_says_what_was_said_of_the_middle_and_the_last_frame():
    answers, seen = frames_of()
    features = torch.from_numpy(features_over_time(answers, seen))[None]

    said = build_network("over-time", channels=8).eval()(features).detach().numpy()[0]

    outputs = FRAMES - WINDOW + 1
    assert said.shape == (2, outputs, 28, 8)
    at = BODY_28.index(*FRONT_JOINTS)
    for head, first in enumerate((WINDOW // 2, WINDOW - 1)):
        expected = answers[first : first + outputs]
        np.testing.assert_allclose(said[head, ..., :4], expected[..., :4], atol=1e-6)
        np.testing.assert_allclose(said[head][:, at, 4:], expected[:, at, 4:], atol=1e-6)


@pytest.mark.parametrize("frame", [0, 5, 26, 39])
def test_a_correction_is_made_from_27_frames(trained, frame):
    x = torch.randn(1, FRAMES, OVER_TIME)
    changed = x.clone()
    changed[0, frame] += 1.0

    with torch.inference_mode():
        moved = (trained(x) != trained(changed)).any(dim=-1).any(dim=-1)[0]

    outputs = np.arange(FRAMES - WINDOW + 1)
    reached = (outputs <= frame) & (frame < outputs + WINDOW)
    # Three dilated layers of three taps reach every frame of the window.
    np.testing.assert_array_equal(moved[0].numpy(), reached)
    np.testing.assert_array_equal(moved[1].numpy(), reached)


def test_the_head_of_the_last_frame_sees_no_frame_after_it(trained):
    x = torch.randn(1, FRAMES, OVER_TIME)
    cut = x[:, : WINDOW + 3]

    with torch.inference_mode():
        whole, early = trained(x)[0, 1], trained(cut)[0, 1]

    torch.testing.assert_close(whole[: len(early)], early)


def test_a_second_run_of_the_window_is_the_same_wherever_it_begins(trained):
    x = torch.randn(1, FRAMES, OVER_TIME)

    with torch.inference_mode():
        whole, later = trained(x), trained(x[:, 5:])

    torch.testing.assert_close(whole[:, :, 5:], later)
