"""The whole way, from what a lifter returns to people on a floor; and all that may be bad."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.walker import angle, film, keypoints_of, lens, lifted, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.errors import ModelError, ShapeError
from graphlift.geometry import bone_vectors
from graphlift.metrics import p_mpjpe
from graphlift.motion import to_world
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import H36M_17

TWO = film(position=(0.5, -6.0, 2.0), target=(0.5, 0.0, 0.8), roll=np.deg2rad(2))
PLAIN = {"smooth": None, "bones": False, "feet": False, "gaps": 0}


def gone(poses, frames):
    """The same, with nobody in some frames."""
    positions, seen = poses.positions.copy(), poses.keypoints.positions.copy()
    positions[frames], seen[frames] = np.nan, np.nan
    keypoints = keypoints_from(
        seen, H36M_17, image_size=(1000, 1000), fps=poses.fps, people=poses.people
    )
    return Poses(positions, H36M_17, fps=poses.fps, keypoints=keypoints, people=poses.people)


# Exact input


def test_a_walk_filmed_by_a_known_camera_is_the_walk():
    world = walk(90, heading=0.4)

    upright = to_world(lifted(world, TWO), camera=TWO, **PLAIN)

    np.testing.assert_allclose(upright.positions[:, 0], world, atol=1e-3)
    assert (upright.axes, upright.rooted, upright.camera) == ("world", False, TWO)


def test_all_steps_leave_an_exact_walk_nearly_as_it_is():
    # Smoothing rounds the swing of feet a little, and slow frames at a step's ends are held.
    world = walk(90, heading=0.4)

    upright = to_world(lifted(world, TWO), camera=TWO)

    error = np.linalg.norm(upright.positions[:, 0] - world, axis=-1)
    assert error.mean() < 0.01
    assert error.max() < 0.08
    assert p_mpjpe(upright.positions[:, 0], world) < 0.01
    assert upright.contacts[:, 0, [3, 6]].mean() == pytest.approx(0.6, abs=0.1)


def test_a_walk_filmed_through_a_known_lens_is_the_walk_but_for_where_the_camera_stood():
    world = walk(150, heading=0.3, start=(-2.0, 0.0))

    upright = to_world(lifted(world, TWO), camera=lens(TWO))

    np.testing.assert_allclose(upright.positions[..., 2], world[:, None, :, 2], atol=0.1)
    for there, here in ((world[:, 0], upright.positions[:, 0, 0]),):
        walked = np.linalg.norm(there[-1] - there[0])
        assert np.linalg.norm(here[-1] - here[0]) == pytest.approx(walked, rel=0.01)
    assert angle(upright.camera.R[:, 2], TWO.R[:, 2]) < 1.5
    image = camera_to_image(world_to_camera(upright.positions, upright.camera), upright.camera)
    off = np.linalg.norm(image - keypoints_of(world, TWO).positions, axis=-1)
    assert np.median(off) < 1
    assert off.max() < 25


def test_the_method_is_the_function():
    poses = lifted(walk(30), TWO)

    one, other = to_world(poses, height=1.8), to_world(poses, height=1.8)

    np.testing.assert_array_equal(one.positions, other.positions)
    assert one.notes == other.notes


def test_every_step_says_what_it_did_and_assumed():
    poses = gone(lifted(walk(60), TWO), slice(20, 24))

    notes = to_world(replace(poses, fps=None), height=1.75).notes
    notes = [note for note in notes if not note.startswith("Raised out")]  # by a centimetre

    starts = ["The frame rate is unknown: 30 fps", "Gaps of up to 0.5 s",
              "Positions were smoothed (Savitzky-Golay", "Bone lengths are",
              "Scaled to the stated height (0: 1.75 m)", "The root's path follows",
              "People's sizes follow from", "Gravity foll", "Feet stand still in"]  # fmt: skip
    assert [note[: len(start)] for note, start in zip(notes, starts, strict=True)] == starts
    assert "assumed field of view of 55°" in notes[5]
    assert sum("30 fps" in note for note in notes) == 1


def test_every_step_can_be_left_out():
    poses = lifted(walk(40), TWO)

    assert len(to_world(poses, camera=TWO, **PLAIN).notes) == 2  # path, gravity
    assert to_world(poses, camera=TWO, **PLAIN).contacts is None
    in_place = to_world(poses, trajectory=False)
    np.testing.assert_allclose(in_place.positions[:, 0, 0, :2], 0, atol=1e-12)
    assert in_place.axes == "world"


def test_a_stated_height_sets_how_far_away_people_are():
    poses = lifted(walk(60), TWO)

    small, tall = (to_world(poses, camera=lens(TWO), height=h) for h in (1.5, 1.8))

    ways = [np.linalg.norm(np.ptp(p.positions[:, 0, 0, :2], axis=0)) for p in (small, tall)]
    assert ways[1] / ways[0] == pytest.approx(1.2, rel=1e-3)


def test_bones_keep_their_lengths_to_the_end():
    rng = np.random.default_rng(0)
    poses = lifted(walk(60), TWO)
    noisy = replace(poses, positions=poses.positions + 0.02 * rng.normal(size=(60, 1, 17, 3)))

    upright = to_world(noisy)

    lengths = np.linalg.norm(bone_vectors(upright.positions, H36M_17.parents), axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[:1], lengths.shape), atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["savgol", "one-euro", None]))
@settings(deadline=None, max_examples=15)
def test_nobody_is_mirrored_and_no_frame_is_lost(seed, smooth):
    rng = np.random.default_rng(seed)
    world = walk(50, heading=rng.uniform(0, 6))
    poses = lifted(world, TWO)
    noise = 0.01 * rng.standard_normal(poses.positions.shape)
    start = int(rng.integers(0, 40))
    noisy = gone(replace(poses, positions=poses.positions + noise), slice(start, start + 8))

    upright = to_world(noisy, smooth=smooth)

    assert len(upright) == 50
    there = upright.valid[:, 0]
    assert p_mpjpe(upright.positions[there, 0], world[there]) < 0.04
    assert p_mpjpe(upright.positions[there, 0] * [1, -1, 1], world[there]) > 0.05
    assert np.linalg.det(upright.camera.R) == pytest.approx(1)


# Bad input


def test_nobody_in_the_first_frames_and_everybody_gone_for_ten_seconds():
    poses = gone(
        lifted(walk(420), film(position=(6.0, -14.0, 1.5), target=(6.5, 0, 1))), slice(0, 6)
    )
    poses = gone(poses, slice(60, 360))

    upright = to_world(poses)

    assert len(upright) == 420
    np.testing.assert_array_equal(upright.valid, poses.valid)
    assert not upright.seen[~upright.valid].any()
    assert not upright.contacts[60:360].any()


def test_a_clip_with_nobody_at_all_is_a_clip_with_nobody():
    poses = gone(lifted(walk(40), TWO), slice(None))

    upright = to_world(poses)

    assert upright.axes == "world"
    assert not upright.valid.any()
    assert len(upright) == 40

    nobody = to_world(lifted(walk(40), TWO).of_people([]))
    assert (nobody.axes, nobody.positions.shape) == ("world", (40, 0, 17, 3))


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_the_shortest_clips(frames):
    upright = to_world(lifted(walk(frames), TWO))

    assert len(upright) == frames
    assert upright.valid.all()
    if frames:
        assert abs(upright.positions[..., [3, 6], 2].min() - 0.08) < 0.03
    assert len(to_world(lifted(walk(frames), TWO), trajectory=False)) == frames


def test_a_person_half_outside_stands_on_inferred_feet():
    world = walk(90)
    poses = lifted(world, TWO)
    below = [j for j, name in enumerate(H36M_17.joints) if "Knee" in name or "Foot" in name]
    poses.keypoints.positions[:, :, below] = np.nan
    half = Poses(poses.positions, H36M_17, seen=poses.keypoints.seen, fps=30.0,
                 keypoints=poses.keypoints)  # fmt: skip

    upright = to_world(half, camera=lens(TWO))

    assert upright.valid.all()
    assert not upright.seen[..., below].any()
    assert angle(upright.camera.R[:, 2], TWO.R[:, 2]) < 6
    assert abs(np.median(upright.positions[..., [3, 6], 2].min(axis=-1)) - 0.08) < 0.05
    assert "sitting people" in " ".join(upright.notes)


def test_several_people_share_the_floor_and_one_leaves():
    two = np.stack([walk(90), walk(90, heading=2.0, start=(1.0, 1.5))], axis=1)
    poses = lifted(two, TWO)
    poses.positions[50:, 1] = np.nan
    poses.keypoints.positions[50:, 1] = np.nan

    upright = to_world(poses, camera=lens(TWO), height={"0": 1.7})

    np.testing.assert_array_equal(upright.valid, poses.valid)
    z = upright.positions[..., [3, 6], 2]
    for person in range(2):
        stands = upright.contacts[:, person][:, [3, 6]]
        np.testing.assert_allclose(z[:, person][stands], 0.08, atol=1e-3)


def test_what_cannot_be_done_is_said():
    poses = lifted(walk(10), TWO)

    with pytest.raises(ModelError, match=r"to_world\(\) needs poses in camera axes"):
        to_world(to_world(poses))
    with pytest.raises(ModelError, match=r"or trajectory=False"):
        to_world(replace(poses, keypoints=None))
    assert to_world(replace(poses, keypoints=None), trajectory=False).valid.all()
    sizeless = replace(poses, keypoints=replace(poses.keypoints, image_size=None))
    with pytest.raises(ModelError, match="give camera= or the keypoints' image_size="):
        to_world(sizeless)
    assert to_world(sizeless, camera=TWO).valid.all()
    with pytest.raises(ModelError, match="longest gap to fill is -1"):
        to_world(poses, gaps=-1)
    with pytest.raises(ShapeError, match=r"contacts \(10, 17\) should be one value a joint"):
        replace(poses, contacts=np.zeros((10, 17), dtype=bool))


def test_motion_imports_neither_torch_nor_scipy_before_it_is_used():
    code = (
        "import sys, graphlift.motion; print([m for m in ('torch', 'scipy') if m in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "[]"
