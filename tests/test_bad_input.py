"""Lifters of 28 joints, and shipped ones, on what detectors give: parts, gaps, odd rates."""

import json

import numpy as np
import pytest
from helpers.command import assert_refused, here
from helpers.made_lifter import export_28
from helpers.seen_body import CAMERA, FACE, FEET, UPPER, of_the_table, seen, walking
from helpers.walker import lens
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import FormatError, ModelError, ShapeError
from graphlift.formats import read_keypoints, read_poses, write_keypoints, write_poses
from graphlift.lifting import SHIPPED, Lifter
from graphlift.motion import to_world
from graphlift.skeletons import (
    BODY_28,
    COCO_17,
    COCO_23,
    HALPE_26,
    MEDIAPIPE_33,
    OPENPOSE_BODY_25,
    OPENPOSE_COCO_18,
)

DETECTORS = (COCO_17, COCO_23, HALPE_26, MEDIAPIPE_33, OPENPOSE_BODY_25, BODY_28)
THREE = FACE[:3]
UNPLACED = "no person can be placed"


@pytest.fixture(scope="module")
def lifter(tmp_path_factory):
    """Drawn weights that are as sure of themselves as trained ones."""
    path = export_28(tmp_path_factory.mktemp("made") / "made.onnx", sigma_scale=0.05)
    return Lifter.load(path, threads=1)


def check(poses, frames):
    """Frames out are frames in; a person is whole, or not there at all."""
    assert len(poses) == frames
    there = poses.valid
    assert np.isfinite(poses.positions[there]).all()
    assert np.isnan(poses.positions[~there]).all()
    lifted = there & poses.seen.any(axis=-1)  # of frames that were filled it is unknown
    assert np.isfinite(poses.sigma[lifted]).all()


def placed(poses):
    """Poses of the world; None if they do not show where anybody is, which is said."""
    try:
        return to_world(poses)
    except ModelError as error:
        if UNPLACED in str(error):
            return None
        raise


def everything(lifter, keypoints, path):
    """Lift whole and frame by frame, move to the world, write; return poses of the world."""
    frames = len(keypoints)
    poses = lifter(keypoints)
    check(poses, frames)
    stream = lifter.stream(
        skeleton=keypoints.skeleton, image_size=keypoints.image_size, fps=keypoints.fps
    )
    for number in range(frames):
        one = stream(keypoints.positions[number], keypoints.confidence[number])
        np.testing.assert_allclose(one.positions[0], poses.positions[number], atol=1e-4)
    still = to_world(poses, trajectory=False)
    check(still, frames)
    world = placed(poses) or still
    check(world, frames)
    write_poses(path / "x.npz", world)
    np.testing.assert_array_equal(read_poses(path / "x.npz").positions, world.positions)
    return world


# Parts of bodies


@pytest.mark.parametrize("skeleton", DETECTORS, ids=lambda s: s.name)
@pytest.mark.parametrize("only", [None, UPPER, FACE, FEET, THREE], ids=str)
def test_detectors_that_see_a_part_of_a_body(lifter, tmp_path, skeleton, only):
    keypoints = seen(walking(12), skeleton, only)

    world = everything(lifter, keypoints, tmp_path)

    enough = keypoints.seen.sum(axis=-1) >= 3
    np.testing.assert_array_equal(world.valid, enough)


def test_nothing_at_all(lifter, tmp_path):
    keypoints = seen(walking(12), HALPE_26, ())

    world = everything(lifter, keypoints, tmp_path)

    assert not world.valid.any()
    assert not any("no pose was lifted" in note for note in world.notes)


def test_too_few_joints_are_counted_in_a_note(lifter):
    keypoints = seen(np.stack([walking(12), walking(12, x=1.0)], axis=1), HALPE_26)
    few = keypoints.positions.copy()
    few[4:, 1, 2:] = np.nan

    notes = lifter(few, skeleton=HALPE_26, image_size=keypoints.image_size).notes

    assert (
        "In 8 frames (counted for each person) no pose was lifted: fewer than 3 joints of body-28 "
        "were seen, or all at one place." in notes
    )


def test_a_face_beside_a_whole_person_is_left_out_of_the_world_and_named(lifter):
    keypoints = seen(np.stack([walking(20), walking(20, x=1.0)], axis=1), HALPE_26)
    lost = [name not in THREE for name in HALPE_26.joints]
    keypoints.positions[:, 1, lost] = np.nan
    keypoints.confidence[:, 1, lost] = 0

    poses = lifter(keypoints)
    world = to_world(poses)

    assert poses.valid.all()
    assert world.valid[:, 0].all()
    assert not world.valid[:, 1].any()
    assert any(
        "person 1 cannot be placed in 20 frames: left empty" in note for note in world.notes
    )


def test_a_face_alone_is_no_person_of_the_world(lifter):
    poses = lifter(seen(walking(12), HALPE_26, THREE))

    with pytest.raises(ModelError, match=rf"{UNPLACED}.*\(--no-trajectory\)"):
        to_world(poses)


@pytest.mark.parametrize("model", SHIPPED)
def test_sigma_is_larger_where_fewer_joints_are_seen(model):
    lifter = Lifter.load(model, threads=1)
    parts = (None, UPPER, ("LShoulder", "RShoulder", "LElbow"))

    sigmas = [lifter(seen(walking(30), COCO_17, only)).sigma for only in parts]

    whole, upper, three = (np.mean(sigma) for sigma in sigmas)
    assert 1.2 * whole < upper
    assert 1.1 * upper < three


# Lengths, gaps and rates


@pytest.mark.parametrize("frames", [0, 1, 2, 26])
@pytest.mark.parametrize("fps", [5.0, 30.0, 240.0])
def test_short_clips_and_odd_rates(lifter, tmp_path, frames, fps):
    keypoints = seen(walking(frames, fps), HALPE_26, fps=fps)

    world = everything(lifter, keypoints, tmp_path)

    assert world.valid.all()
    assert world.fps == fps


@pytest.mark.parametrize("fps", [5.0, 30.0, 240.0])
def test_a_gap_of_seconds_stays_empty(lifter, tmp_path, fps):
    frames = round(6 * fps)
    keypoints = seen(walking(frames, fps), HALPE_26, fps=fps)
    gone = slice(round(2 * fps), round(5 * fps))
    keypoints.positions[gone], keypoints.confidence[gone] = np.nan, 0

    world = to_world(lifter(keypoints))

    check(world, frames)
    np.testing.assert_array_equal(world.valid, keypoints.seen.any(axis=-1))


# Sizes


@pytest.mark.parametrize("stature", [0.9, 2.2])
@pytest.mark.parametrize("model", ["made", "open-small"])
@pytest.mark.parametrize("camera", [None, CAMERA], ids=["lens only", "placed"])
def test_the_smallest_and_the_largest_bodies(lifter, tmp_path, stature, model, camera):
    lifter = lifter if model == "made" else Lifter.load(model, threads=1)
    keypoints = seen(of_the_table(stature), HALPE_26)

    everything(lifter, keypoints, tmp_path)
    world = to_world(lifter(keypoints), camera=camera)

    check(world, 20)
    assert world.valid.all()
    assert 0 < world.size_sigma[0] <= lifter.card.size_sigma


def test_a_body_of_the_table_has_the_stature_that_is_asked_for():
    standing = of_the_table(1.2, frames=1)[0]

    head = standing[BODY_28.index("Head")[0], 2]
    assert 0.85 * 1.2 < head < 1.2
    assert standing[:, 2].min() == 0


@pytest.mark.parametrize("camera", [lens(CAMERA), CAMERA], ids=["lens only", "placed"])
def test_a_child_beside_an_adult(camera):
    lifter = Lifter.load("open-small", threads=1)
    both = np.stack([walking(60, x=-0.6), walking(60, x=0.6, scale=0.65)], axis=1)
    poses = lifter(seen(both, HALPE_26))

    world = to_world(poses, camera=camera)

    check(world, 60)
    size = np.linalg.norm(world.positions - world.positions[:, :, :1], axis=-1).mean(axis=(0, 2))
    if camera.placed:
        assert size[1] / size[0] == pytest.approx(0.65, abs=0.05)
        assert (world.size_sigma < 0.03).all()
    else:  # side by side: another gravity explains most of it, and sigma knows
        assert size[1] < 0.95 * size[0]
        assert (world.size_sigma > 0.06).all()


# Two skeletons in one clip


def flat(keypoints, frame):
    joints = np.nan_to_num(keypoints.positions[frame, 0])
    return np.column_stack([joints, keypoints.confidence[frame, 0]]).ravel().tolist()


def openpose_folder(path, parts):
    path.mkdir()
    for number, keypoints in enumerate(parts):
        people = [{"pose_keypoints_2d": flat(keypoints, number)}]
        (path / f"c_{number:012}_keypoints.json").write_text(json.dumps({"people": people}))
    return path


def alphapose_file(path, parts):
    rows = [
        {"image_id": f"{k}.jpg", "category_id": 1, "keypoints": flat(each, k), "score": 2.0}
        for k, each in enumerate(parts)
    ]
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize(
    ("write", "first", "second"),
    [
        (openpose_folder, OPENPOSE_BODY_25, OPENPOSE_COCO_18),
        (openpose_folder, OPENPOSE_COCO_18, OPENPOSE_BODY_25),
        (alphapose_file, COCO_17, HALPE_26),
        (alphapose_file, HALPE_26, COCO_17),
    ],
)
def test_a_clip_whose_skeleton_changes_is_refused(tmp_path, write, first, second):
    one, other = (seen(walking(6), skeleton) for skeleton in (first, second))
    clip = write(tmp_path / "clip.json", [one] * 3 + [other] * 3)

    with pytest.raises(FormatError, match=r"clip\.json: two skeletons in one: .* split it"):
        read_keypoints(clip, image_size=(1000, 1000), fps=30)


def test_arrays_whose_joints_change_are_refused(lifter):
    ragged = [np.ones((17, 2)), np.ones((26, 2))]
    options = {"skeleton": COCO_17, "image_size": (1000, 1000)}
    stream = lifter.stream(**options)

    with pytest.raises(ShapeError, match="keypoints are no array of numbers: give every frame"):
        lifter(ragged, **options)
    with pytest.raises(ShapeError, match="keypoints are no array of numbers"):
        stream(ragged)
    with pytest.raises(ShapeError, match="keypoints are no array of numbers"):
        stream(["a"] * 17)
    with pytest.raises(ShapeError, match="17 joints of coco-17"):
        stream(np.ones((26, 2)))


# The command, with a model that ships


@pytest.mark.parametrize("only", [FACE, FEET], ids=["faces", "feet"])
def test_a_file_of_faces_or_feet_is_lifted_with_a_sigma_that_says_so(tmp_path, only):
    sigmas = []
    for name, joints in (("part", only), ("whole", None)):
        write_keypoints(tmp_path / f"{name}.npz", seen(walking(26), HALPE_26, joints))
        out = tmp_path / f"{name}_motion.npz"
        said = here("lift", tmp_path / f"{name}.npz", "--model", "open-small", "--raw", "-o", out)

        assert said.status == 0, said.err
        assert "Warning" not in said.err
        poses = read_poses(out)
        assert len(poses) == 26
        assert poses.valid.all()
        sigmas.append(np.median(poses.sigma))

    assert sigmas[0] > 2 * sigmas[1]


def test_a_face_alone_has_no_place_in_space(tmp_path):
    write_keypoints(tmp_path / "k.npz", seen(walking(26), HALPE_26, FACE))
    args = ("lift", tmp_path / "k.npz", "--model", "open-small", "-o", tmp_path / "x.npz")

    assert_refused(here(*args), "no person can be placed", "--no-trajectory")
    assert here(*args, "--no-trajectory").status == 0
    assert len(read_poses(tmp_path / "x.npz")) == 26


@pytest.mark.parametrize("frames", [1, 2, 26])
@pytest.mark.parametrize("fps", ["5", "240"])
@pytest.mark.parametrize("only", [None, UPPER], ids=["whole", "upper bodies"])
def test_short_files_of_whole_and_upper_bodies(tmp_path, frames, fps, only):
    clip = seen(walking(frames), HALPE_26, only, fps=None)
    write_keypoints(tmp_path / "k.npz", clip)
    outputs = [tmp_path / "x.npz", tmp_path / "x.bvh"]

    said = here(
        "lift", tmp_path / "k.npz", "--model", "open-small", "--fps", fps,
        *(word for path in outputs for word in ("-o", path)),
    )  # fmt: skip

    assert said.status == 0, said.err
    assert "Warning" not in said.err
    poses = read_poses(outputs[0])
    check(poses, frames)
    assert poses.valid.all()
    assert poses.fps == float(fps)


def test_a_file_with_nobody_is_refused(tmp_path):
    write_keypoints(tmp_path / "k.npz", seen(walking(5), HALPE_26, ()))

    said = here("lift", tmp_path / "k.npz", "--model", "open-small", "-o", tmp_path / "x.npz")

    assert_refused(said, "no person is seen in any of 5 frames")


# Anything


@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.sampled_from([1, 2, 5, 26]),
    fps=st.sampled_from([0.5, 5.0, 30.0, 240.0]),
    skeleton=st.sampled_from(DETECTORS),
    missing=st.sampled_from([0.0, 0.3, 0.9]),
    away=st.sampled_from([0.0, 0.5]),
    noise=st.sampled_from([0.0, 1.0, 40.0]),
)
@settings(max_examples=20)
def test_whatever_is_seen_frames_stay_and_nobody_is_half_there(
    lifter, seed, frames, fps, skeleton, missing, away, noise
):
    rng = np.random.default_rng(seed)
    scales, places = rng.uniform(0.5, 1.25, 2), rng.uniform(-1.5, 1.5, 2)
    people = [walking(frames, fps, scale=s, x=x) for s, x in zip(scales, places, strict=True)]
    keypoints = seen(np.stack(people, axis=1), skeleton, fps=fps, noise=noise)
    gone = (rng.random(keypoints.confidence.shape) < missing) | (rng.random((frames, 2, 1)) < away)
    keypoints.positions[gone], keypoints.confidence[gone] = np.nan, 0

    poses = lifter(keypoints)

    check(poses, frames)
    np.testing.assert_array_equal(poses.valid, poses.seen.sum(axis=-1) >= 3)
    check(to_world(poses, trajectory=False), frames)
    if world := placed(poses):
        check(world, frames)
        assert np.abs(world.positions[world.valid]).max(initial=0) < 1000
        assert (world.size_sigma > 0).all()
