"""Conversions to the lifter's joints against the field's tables, written out source by source."""

import numpy as np
import pytest

from graphlift.sequences import convert_keypoints, keypoints_from
from graphlift.skeletons import (
    COCO_17,
    COCO_23,
    H36M_17,
    HALPE_26,
    MEDIAPIPE_33,
    MPI_INF_3DHP_17,
    MPII_16,
    OPENPOSE_BODY_25,
    OPENPOSE_COCO_18,
    SKELETONS,
    conversion_table,
    joint_map,
)

DETECTORS = (
    *(COCO_17, OPENPOSE_BODY_25, OPENPOSE_COCO_18, HALPE_26, MEDIAPIPE_33, COCO_23),
    *(MPII_16, MPI_INF_3DHP_17),
)
EVERY = pytest.mark.parametrize("source", DETECTORS, ids=lambda skeleton: skeleton.name)
FACES = DETECTORS[:6]


def scattered(skeleton, *, frames=3, people=2, seed=0):
    """Keypoints that are all seen, at random, with random confidences."""
    rng = np.random.default_rng(seed)
    shape = (frames, people, len(skeleton))
    return keypoints_from(
        rng.uniform(10, 900, (*shape, 2)), skeleton, confidence=rng.uniform(0.1, 1, shape)
    )


def without(keypoints, *names):
    """The same keypoints with some joints unseen in frame 1."""
    positions = keypoints.positions.copy()
    positions[1, :, keypoints.skeleton.index(*names)] = np.nan
    return keypoints_from(positions, keypoints.skeleton, confidence=keypoints.confidence)


def at(keypoints, name):
    return keypoints.positions[:, :, keypoints.skeleton.joints.index(name)]


def confidence(keypoints, name):
    return keypoints.confidence[:, :, keypoints.skeleton.joints.index(name)]


# The orders, from the documentation of each (the field's own names, so that ours cannot agree by
# accident of a shared mistake)


@pytest.mark.parametrize(
    ("skeleton", "order"),
    [
        (
            OPENPOSE_BODY_25,
            (
                "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee "
                "RAnkle LHip LKnee LAnkle REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe "
                "RSmallToe RHeel"
            ),
        ),
        (
            OPENPOSE_COCO_18,
            (
                "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip "
                "LKnee LAnkle REye LEye REar LEar"
            ),
        ),
        (
            HALPE_26,
            (
                "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip "
                "RHip LKnee RKnee LAnkle RAnkle HeadTop Neck Hip LBigToe RBigToe LSmallToe "
                "RSmallToe LHeel RHeel"
            ),
        ),
        (
            MPII_16,
            (
                "RAnkle RKnee RHip LHip LKnee LAnkle Hip Thorax UpperNeck HeadTop RWrist RElbow "
                "RShoulder LShoulder LElbow LWrist"
            ),
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_joints_come_in_the_order_of_the_fields_tables(skeleton, order):
    assert " ".join(skeleton.joints) == order


def test_mediapipes_landmarks_have_its_numbers():
    # Its published picture: 0 nose, 7/8 ears, 11-16 arms, 23-28 legs; left is odd from 1 on,
    # except in the face, where 1-3 are the left eye and 4-6 the right.
    numbers = {name: MEDIAPIPE_33.joints.index(name) for name in MEDIAPIPE_33.joints}

    assert len(numbers) == 33
    assert [numbers[n] for n in ("Nose", "LEye", "REye", "LEar", "REar")] == [0, 2, 5, 7, 8]
    for first, part in zip(
        (9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31),
        ("Mouth", "Shoulder", "Elbow", "Wrist", "Pinky", "Index", "Thumb", "Hip", "Knee",
         "Ankle", "Heel", "FootIndex"),
        strict=True,
    ):  # fmt: skip
        assert (numbers[f"L{part}"], numbers[f"R{part}"]) == (first, first + 1)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
def test_every_skeleton_has_the_twelve_joints_of_the_limbs(skeleton):
    limbs = [f"{s}{p}" for s in "LR" for p in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee")]

    assert not set(limbs) - set(skeleton.joints)
    assert len(skeleton.pairs) >= 6


# What the lifter's joints are made of


@EVERY
def test_limbs_are_exact_and_every_joint_is_there(source):
    conversion = joint_map(source, H36M_17)
    before = scattered(source)

    after = convert_keypoints(before, H36M_17)

    kinds = dict(zip(H36M_17.joints, conversion.kinds, strict=True))
    limbs = [n for n in H36M_17.joints if n[0] in "LR"]
    assert {kinds[name] for name in limbs} == {"exact"}
    assert "missing" not in kinds.values()
    for name in limbs:
        theirs = name.replace("Foot", "Ankle")
        np.testing.assert_array_equal(at(after, name), at(before, theirs))
        np.testing.assert_array_equal(confidence(after, name), confidence(before, theirs))


def mean(keypoints, *names):
    return sum(at(keypoints, name) for name in names) / len(names)


SHOULDERS, HIPS = ("LShoulder", "RShoulder"), ("LHip", "RHip")
TRUNKS = {
    # pelvis, thorax
    "coco-17": (HIPS, SHOULDERS),
    "coco-23": (HIPS, SHOULDERS),
    "mediapipe-33": (HIPS, SHOULDERS),
    "halpe-26": (("Hip",), SHOULDERS),
    "openpose-body-25": (("MidHip",), ("Neck",)),
    "openpose-coco-18": (HIPS, ("Neck",)),
    "mpii-16": (("Hip",), ("Thorax",)),
}


@pytest.mark.parametrize("source", DETECTORS[:7], ids=lambda skeleton: skeleton.name)
def test_the_trunk_is_pelvis_thorax_and_the_spine_half_way(source):
    before = scattered(source)
    pelvis, thorax = (mean(before, *names) for names in TRUNKS[source.name])

    after = convert_keypoints(before, H36M_17)

    np.testing.assert_allclose(at(after, "Hip"), pelvis)
    np.testing.assert_allclose(at(after, "Thorax"), thorax)
    np.testing.assert_allclose(at(after, "Spine"), (pelvis + thorax) / 2)


@pytest.mark.parametrize("source", FACES, ids=lambda skeleton: skeleton.name)
def test_faces_give_nose_and_ears_for_neck_and_head(source):
    before = scattered(source)

    after = convert_keypoints(before, H36M_17)

    np.testing.assert_array_equal(at(after, "Neck/Nose"), at(before, "Nose"))
    np.testing.assert_allclose(at(after, "Head"), mean(before, "LEar", "REar"))


def test_mpii_gives_the_upper_neck_and_the_middle_of_the_head():
    before = scattered(MPII_16)

    after = convert_keypoints(before, H36M_17)

    np.testing.assert_array_equal(at(after, "Neck/Nose"), at(before, "UpperNeck"))
    np.testing.assert_allclose(at(after, "Head"), mean(before, "UpperNeck", "HeadTop"))


def test_openposes_own_means_and_ours_agree():
    # OpenPose's Neck and MidHip are means by construction: whichever is taken, nothing moves.
    before = scattered(OPENPOSE_BODY_25)
    positions = before.positions.copy()
    for name, names in (("Neck", SHOULDERS), ("MidHip", HIPS)):
        positions[:, :, OPENPOSE_BODY_25.joints.index(name)] = mean(before, *names)
    coco = [OPENPOSE_BODY_25.joints.index(name) for name in COCO_17.joints]

    ours = joint_map(COCO_17, H36M_17)(positions[:, :, coco])

    np.testing.assert_allclose(joint_map(OPENPOSE_BODY_25, H36M_17)(positions), ours)


# Missing joints


@pytest.mark.parametrize("source", FACES, ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize(("lost", "left"), [("LEar", "REar"), ("REar", "LEar")])
def test_one_ear_stands_for_both_in_that_frame_only(source, lost, left):
    whole = scattered(source)
    before = without(whole, lost)

    after = convert_keypoints(before, H36M_17)

    np.testing.assert_array_equal(at(after, "Head")[1], at(before, left)[1])
    np.testing.assert_array_equal(confidence(after, "Head")[1], confidence(before, left)[1])
    untouched = convert_keypoints(whole, H36M_17)
    np.testing.assert_array_equal(after.positions[[0, 2]], untouched.positions[[0, 2]])


@pytest.mark.parametrize("source", FACES, ids=lambda skeleton: skeleton.name)
def test_without_ears_there_is_no_head_and_no_confidence_in_it(source):
    after = convert_keypoints(without(scattered(source), "LEar", "REar"), H36M_17)

    assert np.isnan(at(after, "Head")[1]).all()
    assert (confidence(after, "Head")[1] == 0).all()
    assert after.seen[[0, 2]].all()


@pytest.mark.parametrize(
    ("source", "lost", "joint", "instead"),
    [
        (OPENPOSE_BODY_25, "MidHip", "Hip", HIPS),
        (OPENPOSE_BODY_25, "Neck", "Thorax", SHOULDERS),
        (OPENPOSE_BODY_25, "Neck", "Spine", (*SHOULDERS, *HIPS)),
        (OPENPOSE_COCO_18, "Neck", "Thorax", SHOULDERS),
        (HALPE_26, "Hip", "Hip", HIPS),
        (HALPE_26, "Hip", "Spine", (*SHOULDERS, *HIPS)),
        (MPII_16, "Thorax", "Thorax", SHOULDERS),
        (MPII_16, "Hip", "Hip", HIPS),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_trunk_joint_is_made_of_the_limbs_where_the_detector_lost_it(
    source, lost, joint, instead
):
    before = without(scattered(source), lost)

    after = convert_keypoints(before, H36M_17)

    np.testing.assert_allclose(at(after, joint)[1], mean(before, *instead)[1])
    least = np.min([confidence(before, name)[1] for name in instead], axis=0)
    np.testing.assert_array_equal(confidence(after, joint)[1], least)


def test_a_derived_joint_has_the_least_confidence_of_what_it_is_made_of():
    before = scattered(COCO_17, seed=3)

    after = convert_keypoints(before, H36M_17)

    hips = np.minimum(confidence(before, "LHip"), confidence(before, "RHip"))
    shoulders = np.minimum(confidence(before, "LShoulder"), confidence(before, "RShoulder"))
    np.testing.assert_array_equal(confidence(after, "Hip"), hips)
    np.testing.assert_array_equal(confidence(after, "Spine"), np.minimum(hips, shoulders))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@EVERY
def test_a_joint_is_the_mean_of_the_first_choice_that_was_seen(source, share):
    rng = np.random.default_rng(4)
    before = scattered(source, frames=10)
    seen = rng.random(before.confidence.shape) >= share
    conversion = joint_map(source, H36M_17)
    positions = np.where(seen[..., None], before.positions, np.nan)

    found, sure = conversion.both(positions, before.confidence, seen)

    for at in np.ndindex(*seen.shape[:2]):
        for joint in range(len(H36M_17)):
            expected, least = np.full(2, np.nan), 0.0
            for weights in (conversion.weights, *conversion.fallbacks):
                used = np.flatnonzero(
                    weights[joint]
                )  # NaN, of no choice, is not 0 and is not seen
                if not np.isnan(weights[joint]).any() and seen[at][used].all():
                    expected = sum(weights[joint, n] * positions[at][n] for n in used)
                    least = min(before.confidence[at][n] for n in used)
                    break
            np.testing.assert_allclose(found[at][joint], expected, rtol=1e-12)
            assert sure[at][joint] == least
    np.testing.assert_array_equal(conversion(positions), found)
    np.testing.assert_array_equal(conversion.confidence(before.confidence, seen), sure)


@EVERY
def test_confidence_is_zero_exactly_where_a_joint_is_missing(source):
    rng = np.random.default_rng(1)
    before = scattered(source, frames=40)
    positions = before.positions.copy()
    positions[rng.random(positions.shape[:-1]) < 0.4] = np.nan
    before = keypoints_from(positions, source, confidence=before.confidence)

    after = convert_keypoints(before, H36M_17)

    np.testing.assert_array_equal(after.seen, after.confidence > 0)
    assert 0 < after.seen.mean() < 1


def test_what_the_keypoints_say_of_themselves_is_kept():
    before = keypoints_from(
        np.ones((4, 17, 2)), COCO_17, image_size=(640, 480), fps=25, people=("Ann",), source="x"
    )

    after = convert_keypoints(before, H36M_17)

    kept = ("image_size", "fps", "people", "source")
    assert [getattr(after, name) for name in kept] == [(640, 480), 25, ("Ann",), "x"]
    assert after.skeleton is H36M_17


# The tables as data and as text


@EVERY
def test_the_table_says_for_each_joint_what_the_weights_do(source):
    conversion = joint_map(source, H36M_17)
    lines = conversion_table(source, H36M_17).splitlines()[2:]

    for joint, line in enumerate(lines):
        name, kind, made_of = (cell.strip() for cell in line.strip("|").split("|"))
        assert (name, kind) == (H36M_17.joints[joint], conversion.kinds[joint])
        best = made_of.split(";")[0]
        used = {source.joints[other] for other in np.flatnonzero(conversion.weights[joint])}
        words = set(best.replace(",", " ").split()) - {"mean", "of", "+"}
        assert {word for word in words if not word[0].isdigit()} == used


@EVERY
def test_second_best_weights_are_means_too(source):
    for weights in joint_map(source, H36M_17).fallbacks:
        there = ~np.isnan(weights).any(axis=1)
        np.testing.assert_allclose(weights[there].sum(axis=1), 1)
        assert (weights[there] >= 0).all()


def test_a_conversion_that_is_kept_for_the_next_frame_cannot_be_changed():
    first = joint_map(COCO_17, H36M_17)

    with pytest.raises(ValueError, match="read-only"):
        first.weights[0] = 0
    assert joint_map(COCO_17, H36M_17) is first
