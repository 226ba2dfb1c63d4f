"""Windows of people over time: they follow one another, and inputs and targets belong together."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from helpers.made_lifter import export_28
from helpers.turned_people import turned_capture
from scipy.spatial.transform import Rotation

from graphlift.datasets.mocap.turns import motion_of
from graphlift.errors import ConfigError
from graphlift.lifting import Lifter
from graphlift.networks import WINDOW
from graphlift.preprocessing import ANSWERS
from graphlift.samples import Selection
from graphlift.samples.anatomy import Anatomy
from graphlift.samples.augment import Augmentation
from graphlift.samples.clip_views import ClipPeople, draw_windows, window_batches, window_samples
from graphlift.samples.strata import DEFINITIONS, EXACT
from graphlift.skeletons import BODY_28

FRAMES = 30


@pytest.fixture(scope="module")
def people():
    capture, quat = turned_capture(("a", "b"), frames=40)
    turns = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix().reshape(-1, 15, 3, 3)
    motion = motion_of(capture, turns.astype(np.float32), "ab")
    return ClipPeople(replace(motion, fps=np.full(len(motion), 30.0)), FRAMES)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return export_28(tmp_path_factory.mktemp("made") / "made.onnx")


def test_windows_begin_where_enough_frames_of_the_clip_follow(people):
    np.testing.assert_array_equal(people.starts, [*range(11), *range(40, 51)])
    assert (people.weights[people.starts] > 0).all()
    assert people.weights.sum() == pytest.approx(1)


def test_a_frame_that_was_left_out_and_another_rate_begin_none(people):
    gone = people.motion.at(np.delete(np.arange(80), 5))
    slow = replace(people.motion, fps=np.repeat([30.0, 10.0], 40))

    np.testing.assert_array_equal(ClipPeople(gone, FRAMES).starts, [*range(5, 10), *range(39, 50)])
    np.testing.assert_array_equal(ClipPeople(slow, FRAMES).starts, range(11))


def test_exact_windows_are_one_person_before_one_camera(people):
    plain = DEFINITIONS["recorded"]
    starts = np.array([3, 44])
    views = draw_windows(people, plain, EXACT, 2, np.random.default_rng(0), starts=starts)

    lengths = np.linalg.norm(views.targets[:, 2] - views.targets[:, 1], axis=-1)
    np.testing.assert_allclose(lengths, np.repeat(lengths[::FRAMES], FRAMES), atol=1e-5)
    recorded = people.motion
    for window, start in enumerate(starts):
        thigh = (
            views.targets[window * FRAMES :][:FRAMES, 2]
            - views.targets[window * FRAMES :][:FRAMES, 1]
        )
        down = recorded.turns[start : start + FRAMES, 12] @ [0, 0, -1]
        seen, world = (v @ v.T for v in (thigh / np.linalg.norm(thigh, axis=1)[:, None], down))
        np.testing.assert_allclose(seen, world, atol=1e-4)  # one rotation for all frames


def test_inputs_and_targets_of_a_window_are_of_the_same_frames(people, base):
    views = draw_windows(people, Anatomy(), Augmentation(), 3, np.random.default_rng(0))
    lifter = Lifter.load(base, threads=1)

    samples = window_samples(views, lifter, FRAMES)

    outputs = FRAMES - WINDOW + 1
    assert samples.inputs.shape[:2] == (3, FRAMES)
    assert samples.targets.shape == (3, 2, outputs, 28, 6)
    frames = views.samples().targets.reshape(3, FRAMES, 28, 6)
    np.testing.assert_array_equal(samples.targets[:, 0, 0], frames[:, WINDOW // 2])
    np.testing.assert_array_equal(samples.targets[:, 1, -1], frames[:, -1])
    lifted = lifter.lift_rays(views.rays[:1], views.confidence[:1])
    told = samples.inputs[0, 0, : 4 * len(BODY_28)].reshape(28, 4)[:, :3]
    apart = np.linalg.norm(told[1:] - told[:1], axis=-1)
    np.testing.assert_allclose(apart, np.linalg.norm(lifted.positions[0, 1:], axis=-1), atol=1e-3)
    assert samples.inputs[..., :ANSWERS].any()


def test_batches_are_a_function_of_seed_and_step(people, base):
    chosen = Selection(joints=28, base=str(base), size=2, seed=3)
    one, two = (window_batches(people, chosen, torch.from_numpy) for _ in range(2))

    x, y = one[5]
    assert x.shape[0] == y.shape[0] == 2
    torch.testing.assert_close(two[5][0], x)
    assert not torch.equal(one[6][0], x)


def test_errors_of_a_window_last(people):
    exact = draw_windows(people, DEFINITIONS["recorded"], EXACT, 40, np.random.default_rng(1))
    noisy = draw_windows(
        people, DEFINITIONS["recorded"], replace(EXACT, noise=1, exact=0), 40,
        np.random.default_rng(1),
    )  # fmt: skip

    error = np.where((noisy.confidence > 0)[..., None], noisy.rays - exact.rays, np.nan)
    x = error[..., 0].reshape(40, FRAMES, 28)[:, :, 1:17]
    x = np.clip(x, *np.nanquantile(x, [0.05, 0.95]))
    together = np.nanmean(x[:, 1:] * x[:, :-1]) / np.nanmean(x**2)
    assert 0.4 < together < 0.95


def test_motion_without_windows_is_refused(people):
    slow = replace(people.motion, fps=np.full(80, 1.0))

    with pytest.raises(ConfigError, match="no clip has 30 frames in a row at 30 fps"):
        _ = ClipPeople(slow, FRAMES).starts


@pytest.mark.parametrize("name", [field.name for field in fields(Augmentation)])
def test_of_views_the_keys_that_a_configuration_may_give_are_those_that_count(people, name):
    """:mod:`graphlift.training.config` refuses the others over time."""

    def drawn(augmentation):
        views = draw_windows(people, Anatomy(), augmentation, 20, np.random.default_rng(4))
        return views.rays.tobytes() + views.confidence.tobytes() + views.targets.tobytes()

    other = replace(Augmentation(), **{name: 0.123})
    counts = name in {"noise", "exact", "confident", "mirror"}
    assert (drawn(other) != drawn(Augmentation())) == counts
