"""Hypotheses from keypoints to files: a small mixture network, trained, exported, lifted with."""

import numpy as np
import pytest
import torch
from helpers.command import assert_refused, here
from helpers.tiny_pack import write_folder

from graphlift import Lifter, read_poses, to_world
from graphlift.cameras import assumed_camera, camera_to_image
from graphlift.errors import ModelError
from graphlift.preprocessing import canonical
from graphlift.samples.open_data import read_open_data
from graphlift.samples.random_views import UNSEEN_RIG, exact_views, people_of
from graphlift.study import release as releasing
from graphlift.training.checkpoints import load_run
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.loop import train

SIZE = (1280, 720)
CONFIG = TrainConfig(
    steps=30,
    batch_size=64,
    learning_rate=1e-2,
    loss="likelihood",
    cameras="random",
    keep="last",
    tensorboard=False,
    model=ModelConfig(
        method="mixture", decouple_self=False, channels=16, joints=17, inputs="canonical"
    ),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The run's folder, with what was exported from it, calibrated on few views."""
    folder = write_folder(tmp_path_factory.mktemp("several") / "pack")
    data, run = read_open_data(str(folder)), folder.parent / "run"
    for _ in train(CONFIG, data, run):
        pass
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(releasing, "CALIBRATION_VIEWS", 500)
        releasing.release(run / "model.safetensors", data, "several", run)
    return run


@pytest.fixture(scope="module")
def seen(made):
    """Keypoints of people before a camera, px; one frame without anybody."""
    people = people_of(read_open_data(str(made.parent / "pack")).test)
    truth = exact_views(people, UNSEEN_RIG, seed=0).targets[:40]
    px = camera_to_image(truth + np.array([0.3, 0.0, 4.0]), assumed_camera(SIZE))
    px[7] = np.nan
    return px


def test_hypotheses_are_the_networks_turned_back(made, seen):
    lifter = Lifter.load(made / "several.onnx", threads=1)

    poses = lifter(seen, skeleton="h36m-17", image_size=SIZE, hypotheses=True)

    given = poses.hypotheses
    assert given.positions.shape == (40, 1, 5, 17, 3)
    assert np.isnan(given.positions[7]).all()
    known = np.arange(40) != 7
    np.testing.assert_allclose(given.weights[known].sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(given.most_likely()[known], poses.positions[known], atol=1e-5)
    network, _, _ = load_run(made / "model.safetensors")
    lens = assumed_camera(SIZE)
    rays = (seen[3] - lens.centre) / lens.focal
    views = canonical(rays[None], np.ones((1, 17)))
    with torch.inference_mode():
        said = network.eval()(torch.from_numpy(views.inputs.astype(np.float32)))
    for m in range(5):
        pose = said.poses[0, m].numpy() - said.poses[0, m, :1].numpy()
        np.testing.assert_allclose(given.positions[3, 0, m], pose @ views.R[0], atol=1e-4)
    np.testing.assert_allclose(given.sigma[3, 0], said.sigma[0], rtol=1e-4)


def test_without_being_asked_there_are_none(made, seen):
    lifter = Lifter.load(made / "several.onnx", threads=1)

    assert lifter(seen, skeleton="h36m-17", image_size=SIZE).hypotheses is None


def test_they_stay_as_they_were_through_the_world(made, seen):
    lifter = Lifter.load(made / "several.onnx", threads=1)
    poses = lifter(seen, skeleton="h36m-17", image_size=SIZE, fps=30, hypotheses=True)

    world = to_world(poses, refine=False)

    np.testing.assert_array_equal(world.hypotheses.positions, poses.hypotheses.positions)


def test_they_are_asked_of_a_model_that_has_none(seen):
    lifter = Lifter.load("open-small", threads=1)

    with pytest.raises(ModelError, match=r"open-small .* has no hypotheses: lift without them"):
        lifter(seen, skeleton="h36m-17", image_size=SIZE, hypotheses=True)


def test_the_mirror_image_has_others(made, seen):
    lifter = Lifter.load(made / "several.onnx", threads=1)

    with pytest.raises(ModelError, match="hypotheses of its own: leave flip out"):
        lifter(seen, skeleton="h36m-17", image_size=SIZE, hypotheses=True, flip=True)


def test_the_command_keeps_them_and_refuses_where_there_are_none(made, tmp_path):
    ask = ("lift", "sample", "--raw", "--hypotheses", "-o", tmp_path / "x.npz")

    assert here(*ask, "--model", made / "several.onnx").status == 0
    assert read_poses(tmp_path / "x.npz").hypotheses.positions.shape[2:] == (5, 17, 3)
    assert_refused(here(*ask), "open-base", "no hypotheses", "mixture")
