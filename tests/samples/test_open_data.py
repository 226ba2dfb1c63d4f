"""Protocols: which frames through which cameras, worked out on clips of a few frames."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphlift.cameras import camera_to_image, image_to_screen, world_to_camera
from graphlift.datasets import Clip, MotionCapture
from graphlift.datasets.mocap.pack import write_pack
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.protocols import PROTOCOLS
from graphlift.samples import Selection
from graphlift.samples.open_data import OpenData, observe, read_open_data
from graphlift.samples.samples import activity_weights
from graphlift.skeletons import H36M_17
from graphlift.virtual_cameras import cross_rig, open_rig

SHARED = Path(__file__).parents[3] / "shared" / "mocap"
BODY = sample_prior("train", people=1, poses=1).clips[0].positions[0]


def clip(name, subject="S1", activity="walk", frames=4):
    """Somebody glides along x, 1 cm a frame at 30 fps."""
    drift = np.arange(frames)[:, None, None] * np.array([0.01, 0, 0])
    return Clip(name, subject, activity, 30.0, (BODY + drift).astype(np.float32))


def capture(*clips):
    return MotionCapture("made-up", H36M_17, clips)


def jumping(name, subject, at):
    """A clip of nine frames in one of which the left wrist is 1 m off: 30 m/s there and back."""
    still = clip(name, subject, frames=9)
    still.positions[at, 13, 0] += 1
    return still


@pytest.fixture
def study():
    return OpenData(
        "made-up",
        train=capture(jumping("a", "S1", at=3), clip("b", "S2", frames=5)),
        validation=capture(jumping("c", "S3", at=3)),
        test=capture(clip("d", "S4", "jump", frames=7)),
        cross=None,
        stride=3,
    )


# Frames and cameras


def test_every_third_frame_is_taken_from_each_clips_first():
    people = capture(
        clip("a", frames=7), clip("b", activity="jump", frames=5), clip("c", frames=1)
    )

    seen = observe(people, open_rig(), detections="gt", seed=0)

    assert seen.frame.tolist() == [0, 3, 6, 0, 3, 0] * 4
    assert seen.clip.tolist() == [0, 0, 0, 1, 1, 2] * 4
    assert seen.activity.tolist() == ["walk", "walk", "walk", "jump", "jump", "walk"] * 4
    assert seen.camera.tolist() == [0] * 6 + [1] * 6 + [2] * 6 + [3] * 6
    assert (seen.clips, seen.fps, len(seen)) == (("a", "b", "c"), 30.0, 24)


def test_a_stride_of_one_takes_every_frame():
    seen = observe(capture(clip("a")), open_rig(), detections="gt", seed=0, stride=1)

    assert seen.frame.tolist() == [0, 1, 2, 3] * 4


@pytest.mark.parametrize("rig", [open_rig, cross_rig])
def test_targets_are_root_relative_metres_in_each_cameras_axes(rig):
    people = capture(clip("a", frames=7))

    seen = observe(people, rig(), detections="gt", seed=0)

    assert not seen.targets[:, 0].any()
    for row, target in enumerate(seen.targets):
        world = np.delete(people.clips[0].positions[seen.frame[row]], 9, axis=0)  # 16 joints
        R = rig()[seen.camera[row]].R
        for joint in range(16):
            wanted = R @ (world[joint] - world[0])
            np.testing.assert_allclose(target[joint], wanted, atol=1e-6)


def test_true_keypoints_are_the_projected_joints_and_have_no_noise():
    people = capture(clip("a", frames=1))

    seen = observe(people, open_rig(), detections="gt", seed=0)

    for camera, keypoints in zip(open_rig(), seen.keypoints, strict=True):
        joints = np.delete(people.clips[0].positions[0], 9, axis=0).astype(np.float64)
        where = camera_to_image(world_to_camera(joints, camera), camera)
        np.testing.assert_allclose(keypoints, where, atol=1e-3)
    assert not seen.noise.any()


@pytest.mark.parametrize("detections", ["gt", "cpn-sim", "hg-sim"])
def test_what_goes_in_is_the_keypoints_on_the_screen(detections):
    seen = observe(capture(clip("a")), open_rig(), detections=detections, seed=0)

    np.testing.assert_allclose(seen.inputs, image_to_screen(seen.keypoints, (1000, 1000)),
                               atol=1e-6)  # fmt: skip
    assert (seen.inputs.dtype, seen.targets.dtype) == (np.float32, np.float32)
    assert seen.inputs.shape == (8, 16, 2)


def test_noise_is_how_far_detections_are_from_the_true_keypoints():
    people = capture(clip("a", frames=9))
    true, seen = (
        observe(people, open_rig(), detections=name, seed=4) for name in ("gt", "cpn-sim")
    )

    distance = np.linalg.norm(seen.keypoints - true.keypoints, axis=-1)

    np.testing.assert_allclose(seen.noise, distance, atol=1e-3)
    np.testing.assert_array_equal(seen.targets, true.targets)
    np.testing.assert_array_equal(seen.hidden, true.hidden)


def test_noise_differs_between_seeds_and_not_between_looks():
    people = capture(clip("a", frames=1))
    one, again, other = (
        observe(people, open_rig(), detections="cpn-sim", seed=seed) for seed in (0, 0, 1)
    )

    np.testing.assert_array_equal(one.keypoints, again.keypoints)
    assert (one.noise != other.noise).all()


def test_two_cameras_in_the_same_place_have_noise_of_their_own():
    camera = open_rig()[0]

    seen = observe(capture(clip("a", frames=1)), (camera, camera), detections="cpn-sim", seed=0)

    np.testing.assert_array_equal(seen.targets[0], seen.targets[1])
    assert (seen.noise[0] != seen.noise[1]).all()


def test_17_joints_are_seen_when_asked_for():
    seen = observe(capture(clip("a")), open_rig(), detections="gt", seed=0, skeleton=H36M_17)

    assert seen.skeleton is H36M_17
    assert seen.targets.shape == (8, 17, 3)


def test_somebody_behind_a_camera_is_named_with_clip_and_frame():
    away = clip("far-away", frames=4)
    away.positions[3] += [6, 6, 0]  # the cameras stand 3.9 m along x and y

    with pytest.raises(FormatError, match=r"in frame 3 of clip far-away .*, or leave it out"):
        observe(capture(clip("a"), away), open_rig(), detections="gt", seed=0)


def test_cross_14_leaves_out_root_and_head_and_has_no_neck():
    # Of the 17 joints: 1 to 8 and 11 to 16, as docs/protocol.md says.
    of_17 = [H36M_17.joints[joint] for joint in (*range(1, 9), *range(11, 17))]

    assert [*PROTOCOLS["cross-14"].scored] == of_17
    assert len(of_17) == 14


# Weights


def test_an_activity_is_drawn_in_proportion_to_the_root_of_its_frames():
    # 9, 4 and 1 frames: 3, 2 and 1 of 6.
    people = capture(
        clip("a", activity="salsa", frames=6),
        clip("b", activity="walk", frames=4),
        clip("c", activity="salsa", frames=3),
        clip("d", activity="jump", frames=1),
    )

    activity = observe(people, open_rig(), detections="gt", seed=0, stride=1).activity
    weights = activity_weights(activity)

    chance = {name: weights[activity == name].sum() for name in ("salsa", "walk", "jump")}
    assert chance == pytest.approx({"salsa": 3 / 6, "walk": 2 / 6, "jump": 1 / 6})
    assert weights.sum() == pytest.approx(1)
    assert len(set(np.round(weights[activity == "salsa"], 12))) == 1


# A study's data


def test_frames_of_a_capture_error_are_left_out_of_training_only(study):
    # The wrist is off in frame 3 alone, so the steps 2-3 and 3-4 are too fast; stride 3 has 3.
    train, validation = (study.samples(split, Selection()) for split in ("train", "validation"))

    assert train.frame[train.clip == 0].tolist() == [0, 6] * 4
    assert train.frame[train.clip == 1].tolist() == [0, 3] * 4
    assert validation.frame.tolist() == [0, 3, 6] * 4


def test_splits_are_seen_through_the_open_rig_and_the_cross_split_through_another(study):
    crossed = replace(study, cross=study.test)

    own, other = (crossed.samples(split, Selection()) for split in ("test", "cross"))

    for seen, rig in ((own, open_rig()), (other, cross_rig())):
        direct = observe(study.test, rig, detections="gt", seed=0)
        np.testing.assert_array_equal(seen.keypoints, direct.keypoints)


def test_another_split_in_the_same_place_is_looked_at_anew(study):
    before = study.samples("test", Selection())

    other = replace(study, test=capture(clip("e", "S9")))

    assert study.samples("test", Selection()) is before
    assert other.samples("test", Selection()).clips == ("e",)


def test_splits_have_noise_of_their_own():
    # The same positions everywhere, so that only chance can differ.
    train, validation, test = (capture(clip("a", subject)) for subject in ("S1", "S2", "S3"))
    data = OpenData("made-up", train, validation, test, None, stride=3)

    noisy = Selection(detections="cpn-sim")
    noise = [data.samples(split, noisy).noise for split in ("train", "validation", "test")]

    assert (noise[0] != noise[1]).all()
    assert (noise[0] != noise[2]).all()
    assert (noise[1] != noise[2]).all()


def test_a_study_without_a_second_data_set_says_so(study):
    with pytest.raises(DatasetNotFoundError, match=r"made-up comes without .*hdm05\.npz"):
        study.samples("cross", Selection())


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_person_in_two_splits_is_named(study, split):
    other = {"train": "validation", "validation": "test", "test": "train"}[split]
    shared = capture(*getattr(study, split).clips, clip("x", "S7"))
    also = capture(*getattr(study, other).clips, clip("y", "S7"))

    with pytest.raises(FormatError, match=r"made-up: S7 in both .*: a person belongs to one"):
        replace(study, **{split: shared, other: also})


def test_the_digest_changes_with_any_position_and_only_then(study):
    moved = clip("d", "S4", "jump", frames=7)
    same = replace(study, test=capture(moved))
    before = same.digest
    moved.positions[6, 16, 2] += 0.001

    assert study.digest == before
    assert replace(study, test=capture(moved)).digest != before
    assert replace(study, test=study.validation, validation=study.test).digest != before


# Reading


@pytest.fixture
def folder(tmp_path):
    """A folder as `--data` takes it; the splits are what the test says."""
    write_pack(tmp_path / "cmu.npz", capture(*(clip(s, s) for s in ("S1", "S2", "S3"))))

    def write(splits):
        text = splits if isinstance(splits, bytes) else json.dumps(splits).encode()
        (tmp_path / "splits.json").write_bytes(text)
        return str(tmp_path)

    return write


GOOD = {"train": ["S1"], "validation": ["S2"], "test": ["S3"]}


def test_a_folder_is_read_into_its_splits(folder, tmp_path):
    alone = read_open_data(folder({"cmu": GOOD}))
    write_pack(tmp_path / "hdm05.npz", capture(clip("h", "bd")))

    both = read_open_data(str(tmp_path))

    assert alone.cross is None
    assert (both.train.subjects, both.validation.subjects) == (("S1",), ("S2",))
    assert (both.test.subjects, both.cross.subjects) == (("S3",), ("bd",))
    assert (both.name, both.stride, both.digest) == ("cmu", 3, alone.digest)
    assert len(both.samples("cross", Selection())) == 2 * 4


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (b"{", "should hold {'cmu': {'train': "),
        (b"\xff\xfe", "should hold .* with lists of subjects"),
        ([], "should hold {'cmu': {'train': .*with lists of subjects .*TypeError"),
        ({"hdm05": GOOD}, "with lists of subjects .*'cmu'"),
        ({"cmu": {"train": ["S1"], "test": ["S3"]}}, "with lists of subjects .*'validation'"),
        ({"cmu": GOOD | {"test": "S3"}}, r"cmu\.test is 'S3': give a list of at least one"),
        ({"cmu": GOOD | {"test": [3]}}, r"cmu\.test is \[3\]: give a list of at least one"),
        ({"cmu": GOOD | {"validation": []}}, r"cmu\.validation is \[\]: give a list of at least"),
        ({"cmu": GOOD | {"test": ["S8"]}}, "cmu has no clips of S8: its subjects are S1, S2, S3"),
        ({"cmu": GOOD | {"test": ["S3", "S1"]}}, "S1 in both train and test subjects: a person"),
    ],
)
def test_splits_that_cannot_be_used_are_refused(folder, splits, message):
    with pytest.raises(FormatError, match=message):
        read_open_data(folder(splits))


def test_a_missing_folder_or_pack_is_named_with_the_way_out(folder, tmp_path):
    with pytest.raises(
        DatasetNotFoundError, match=r"no splits at .*absent.*: --data takes `prior`"
    ):
        read_open_data(str(tmp_path / "absent"))

    path = folder({"cmu": GOOD})
    (tmp_path / "cmu.npz").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"no motion-capture pack at .*cmu\.npz: give"):
        read_open_data(path)


def test_training_subjects_who_are_held_out_are_not_trained_on(study_data):
    data = study_data
    first = data.train.subjects[0]

    kept = data.motion("train", held_out=[first])

    assert len(data.motion("train")) - len(kept) == len(data.train.of([first]))
    held = np.concatenate([clip.positions[:, 0] for clip in data.train.of([first]).clips])
    assert not {tuple(row) for row in held} & {tuple(row) for row in kept.root}
    assert len(data.motion("validation")) == len(data.motion("validation", held_out=[first]))


def test_who_cannot_be_held_out_is_named_with_those_who_can(study):
    random = Selection(cameras="random", joints=17)
    study.check(replace(random, held_out=("S2",)))
    with pytest.raises(ConfigError, match=r"held_out: S3 is no training subject .* from S1, S2"):
        study.check(replace(random, held_out=("S2", "S3")))
    with pytest.raises(ConfigError, match=r"held_out: all training subjects .*: leave one in"):
        study.check(replace(random, held_out=("S1", "S2")))


def test_the_prior_needs_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    data = read_open_data("prior")

    subjects = [set(part.subjects) for part in (data.train, data.validation, data.test)]
    assert len(set.union(*subjects)) == sum(map(len, subjects)) > 3
    crossed = data.samples("cross", Selection())
    assert len(crossed) == 4 * len(data.cross)  # unrelated poses: every one of them counts
    assert np.isfinite(crossed.inputs).all()
    assert data.cross.digest != data.test.digest


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real motion capture beside this clone")
def test_the_real_pack_is_as_large_as_its_page_says():
    data = read_open_data(str(SHARED))

    sizes = [len(part) for part in (data.train, data.validation, data.test, data.cross)]
    assert sizes == [68_082, 10_091, 26_868, 17_951]  # poses of the splits
    assert len(data.samples("validation", Selection())) == 4 * sum(
        -(-len(clip.positions) // 3) for clip in data.validation.clips
    )
