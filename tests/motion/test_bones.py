"""Bones: lengths that stay, directions that stay, and heights of people built by the book."""

import numpy as np
import pytest
from helpers.walker import film, lifted, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import ModelError, SkeletonError
from graphlift.geometry import bone_vectors
from graphlift.motion import bone_lengths, hold_bones, scale_to_height, statures
from graphlift.sequences import Poses
from graphlift.skeletons import COCO_17, H36M_16, H36M_17, MPI_INF_3DHP_17, Skeleton

SEEDS = st.integers(0, 2**32 - 1)


def noisy(seed, frames=20, skeleton=H36M_17, people=2):
    rng = np.random.default_rng(seed)
    rest = rng.standard_normal((people, len(skeleton), 3))
    positions = rest + 0.05 * rng.standard_normal((frames, people, len(skeleton), 3))
    return Poses(positions, skeleton, rooted=False, people=tuple("abcdef"[:people]))


def lengths(poses):
    return np.linalg.norm(bone_vectors(poses.positions, poses.skeleton.parents), axis=-1)


@given(SEEDS, st.sampled_from([H36M_17, H36M_16, COCO_17, MPI_INF_3DHP_17]), st.booleans())
@settings(deadline=None)
def test_bones_keep_one_length_and_every_frames_direction(seed, skeleton, symmetric):
    poses = noisy(seed, skeleton=skeleton)

    held = hold_bones(poses, symmetric=symmetric)

    after = lengths(held)
    np.testing.assert_allclose(after, np.broadcast_to(after[:1], after.shape), atol=1e-12)
    before = bone_vectors(poses.positions, skeleton.parents)
    now = bone_vectors(held.positions, skeleton.parents)
    along = (before * now).sum(axis=-1)
    np.testing.assert_allclose(along, lengths(poses) * after, atol=1e-9)
    root = skeleton.root
    np.testing.assert_array_equal(held.positions[:, :, root], poses.positions[:, :, root])
    if symmetric:
        for left, right in skeleton.pairs:
            np.testing.assert_allclose(after[..., left], after[..., right], atol=1e-12)


def test_a_length_is_the_median_over_the_clip():
    poses = noisy(0, frames=21)

    np.testing.assert_allclose(
        bone_lengths(poses, symmetric=False), np.median(lengths(poses), axis=0), atol=1e-12
    )


def test_a_body_whose_bones_are_constant_is_not_changed():
    poses = lifted(walk(30), film())

    np.testing.assert_allclose(hold_bones(poses).positions, poses.positions, atol=1e-12)


@given(SEEDS)
@settings(deadline=None, max_examples=25)
def test_frames_weigh_by_their_sigma(seed):
    # The weighted median by its definition: values repeated as often as they weigh.
    rng = np.random.default_rng(seed)
    poses = noisy(seed, frames=7, people=1)
    times = rng.integers(1, 6, size=7)
    times[0] += 1 - times.sum() % 2  # an odd number has one middle
    sigma = np.repeat(1 / np.sqrt(times)[:, None, None], 17, axis=2)
    weighed = Poses(poses.positions, H36M_17, rooted=False, sigma=sigma, people=("a",))

    found = bone_lengths(weighed, symmetric=False)[0]

    for joint in range(1, 17):
        repeated = np.sort(np.repeat(lengths(poses)[:, 0, joint], times))
        assert found[joint] == pytest.approx(repeated[(len(repeated) - 1) // 2])


def test_frames_that_were_not_seen_hardly_count():
    poses = noisy(1, frames=11)
    poses.positions[:5] *= 3
    unseen = np.ones(poses.seen.shape, dtype=bool)
    unseen[:5] = False
    trusted = Poses(poses.positions, H36M_17, rooted=False, seen=unseen, people=poses.people)

    found = bone_lengths(trusted, symmetric=False)
    assert (found <= lengths(poses)[5:].max(axis=0)).all()


def test_missing_frames_stay_missing_and_people_never_there_do_no_harm():
    poses = noisy(2)
    poses.positions[5] = np.nan
    poses.positions[:, 1] = np.nan

    held = hold_bones(poses)

    np.testing.assert_array_equal(np.isnan(held.positions), np.isnan(poses.positions))
    assert np.isnan(bone_lengths(poses)[1]).all()
    assert len(hold_bones(Poses(np.zeros((0, 1, 17, 3)), H36M_17))) == 0


def by_the_book(height):
    """A standing person with Drillis and Contini's proportions, z up, from Winter's figure."""
    place = {"Foot": 0.039, "Knee": 0.285, "Hip": 0.530, "Shoulder": 0.818}
    width = {"Foot": 0.05, "Knee": 0.05, "Hip": 0.05, "Shoulder": 0.129}
    positions = np.zeros((1, 1, 17, 3))
    for joint, name in enumerate(H36M_17.joints):
        part = name[1:] if name[0] in "LR" else ""
        side = {"L": 1, "R": -1}.get(name[0], 0)
        positions[0, 0, joint] = [0, side * width.get(part, 0), place.get(part, 0.6)]
    positions[0, 0, 0, 2] = 0.530
    return Poses((positions - positions[:, :, :1]) * height, H36M_17, people=("Ann",))


@pytest.mark.parametrize("height", [1.2, 1.75, 2.1])
def test_a_person_by_the_book_is_as_tall_as_the_book_says(height):
    assert statures(by_the_book(height))[0] == pytest.approx(height)


def test_people_are_scaled_to_their_heights():
    two = np.concatenate([by_the_book(1.6).positions, by_the_book(1.6).positions], axis=1)
    poses = Poses(two, H36M_17, people=("Ann", "Bob"), sigma=np.full((1, 2, 17), 0.02))

    both = scale_to_height(poses, 1.8)
    one = scale_to_height(poses, {"Bob": 2.0})

    np.testing.assert_allclose(statures(both), [1.8, 1.8])
    np.testing.assert_allclose(statures(one), [1.6, 2.0])
    np.testing.assert_allclose(one.positions[:, 1], two[:, 1] * 2.0 / 1.6)
    np.testing.assert_allclose(one.sigma[0, :, 3], [0.02, 0.025])
    assert one.notes[-1].startswith("Scaled to the stated height (Bob: 2 m)")


def test_what_cannot_be_scaled_is_said():
    poses = by_the_book(1.7)

    for height in (180, 5.9, 0, -1, float("nan")):
        with pytest.raises(
            ModelError,
            match=r"for person Ann: give metres between 0.4 and 2.8, .* 1.80 for 180 cm",
        ):
            scale_to_height(poses, height)
    with pytest.raises(ModelError, match=r"height for Cat, .*: people are Ann"):
        scale_to_height(poses, {"Cat": 1.7})
    with pytest.raises(ModelError, match=r"move through space: scale them before"):
        scale_to_height(noisy(0), 1.7)
    stick = Skeleton("stick", ("Root", "Tip"), (-1, 0), "Root")
    with pytest.raises(SkeletonError, match="stick has no joint 'LHip'"):
        scale_to_height(Poses(np.zeros((1, 1, 2, 3)), stick), 1.7)
