"""People varied for the open protocol: same cameras, same places, same bodies unless asked."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.cameras import camera_to_image, image_to_screen
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.errors import ConfigError, FormatError
from graphlift.geometry import bone_vectors
from graphlift.samples.augment import Augmentation
from graphlift.samples.open_data import observe
from graphlift.samples.rig_views import varied_views
from graphlift.samples.samples import Selection
from graphlift.skeletons import H36M_16, H36M_17, joint_map
from graphlift.training.config import TrainConfig, read_config
from graphlift.virtual_cameras import open_rig

SAME = Augmentation(size=0, bones=0, recombine=0, mirror=0)
PATIENT = settings(deadline=None, max_examples=10)
RIG = open_rig()


@pytest.fixture(scope="module")
def people():
    clips = sample_prior("validation").clips
    return np.concatenate([clip.positions for clip in clips]).astype(float)


def views(people, seed=0, count=40, rig=RIG, **chosen):
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(people), size=count)
    chosen = Selection(vary=True, **{"augmentation": SAME, **chosen})
    return rows, *varied_views(people, rows, rig, chosen, rng)


@PATIENT
@given(st.integers(0, 2**31))
def test_bodies_and_heights_are_the_recorded_ones_where_nothing_of_them_varies(people, seed):
    rows, _, targets = views(people, seed)

    recorded = joint_map(H36M_17, H36M_16)(people[rows])
    lengths = [
        np.linalg.norm(bone_vectors(p, H36M_16.parents), axis=-1) for p in (recorded, targets)
    ]
    np.testing.assert_allclose(*lengths, atol=1e-5)
    vertical = RIG[0].R[:, 2]  # all four cameras see it alike: they are at one height
    for camera in RIG:
        np.testing.assert_allclose(camera.R[:, 2], vertical, atol=1e-12)
    heights = recorded[..., 2] - recorded[:, [0], 2]
    np.testing.assert_allclose(targets @ vertical, heights, atol=1e-5)


def test_inputs_are_the_projection_of_the_targets_at_the_recorded_place(people):
    rows, inputs, targets = views(people)

    for row, seen, pose in zip(rows, inputs, targets, strict=True):
        near = [  # of the camera that it was, the hip is where it was recorded
            image_to_screen(
                camera_to_image(pose + camera.R @ (people[row, 0] - camera.position), camera),
                camera.size,
            )
            for camera in RIG
        ]
        assert min(np.abs(guess - seen).max() for guess in near) < 1e-5


def test_a_mirrored_person_has_the_lengths_of_the_other_side(people):
    chosen = Augmentation(size=0, bones=0, recombine=0, mirror=1)
    rows, _, targets = views(people, augmentation=chosen)

    recorded = joint_map(H36M_17, H36M_16)(people[rows])[:, H36M_16.mirror]
    apart = [np.linalg.norm(p[:, :, None] - p[:, None], axis=-1) for p in (recorded, targets)]
    np.testing.assert_allclose(*apart, atol=1e-5)


def test_a_detector_errs_as_far_as_in_the_protocol(people):
    capture = sample_prior("validation")
    once = observe(capture, RIG, detections="cpn-sim", seed=3)
    exact = observe(capture, RIG, detections="gt", seed=3)
    of_protocol = np.median(np.abs(once.inputs - exact.inputs))

    found = []
    for detections in ("gt", "cpn-sim"):
        rng = np.random.default_rng(7)
        chosen = Selection(vary=True, augmentation=SAME, detections=detections)
        rows = np.arange(len(people)).repeat(4)
        found.append(varied_views(people, rows, RIG, chosen, rng))
    (clean, pose), (seen, same) = found
    np.testing.assert_array_equal(pose, same)
    assert np.median(np.abs(seen - clean)) == pytest.approx(of_protocol, rel=0.15)


def test_batches_are_a_function_of_seed_and_step(study_data):
    data = study_data
    one, two = (data.batches(Selection(vary=True, size=8), np.asarray) for _ in range(2))
    other = data.batches(Selection(vary=True, size=8, seed=1), np.asarray)

    two[0]
    for step in (0, 31, 32, 70):
        for a, b in zip(one[step], two[step], strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.abs(one[0][1] - other[0][1]).max() > 0.1
    assert one[0][0].shape == (8, 16, 2)
    plain = data.batches(Selection(size=8), np.asarray)
    assert one.per_epoch == pytest.approx(plain.per_epoch, rel=0.01)


def test_a_person_behind_a_camera_is_refused(people):
    far = people + np.array([40.0, 0.0, 0.0])

    with pytest.raises(FormatError, match=r"behind a camera.*lower views\.size"):
        views(far)


@pytest.mark.parametrize("key", ["flip = true", 'cameras = "own"'])
def test_vary_is_for_the_open_protocol_and_mirrors_by_itself(tmp_path, key):
    path = tmp_path / "run.toml"
    path.write_text('data = "prior"\nvary = true\nkeep = "last"\n')

    with pytest.raises(ConfigError, match="vary is for cameras"):
        read_config(path, [key])


def test_people_who_are_varied_have_labels(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'data = "prior"\nvary = true\n[supervision]\nunlabelled = ["a"]\nordinal = 0.1\n'
    )

    with pytest.raises(ConfigError, match=r"vary makes every pose anew.*supervision\.unlabelled"):
        read_config(path)


def test_keys_of_views_that_vary_ignores_are_refused(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('data = "prior"\nvary = true\n[views]\nsize = 0.02\n')

    assert read_config(path).views.size == 0.02
    with pytest.raises(ConfigError, match=re.escape("views.noise is not for vary")):
        read_config(path, ["views.noise = 1.0"])
    with pytest.raises(ConfigError, match=re.escape('views.size is for cameras = "random"')):
        read_config(path, ["vary = false"])
    assert TrainConfig().selection.vary is False
