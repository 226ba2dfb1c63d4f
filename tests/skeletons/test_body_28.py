"""Conversions to and from body-28, written out source by source."""

import numpy as np
import pytest

from graphlift.skeletons import BODY_28, SKELETONS, joint_map

SHOULDERS, HIPS = "LShoulder RShoulder", "LHip RHip"
LIMBS = {
    **{f"{s}{p}": f"{s}{p}" for s in "LR" for p in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee")},
    **{f"{s}Foot": f"{s}Ankle" for s in "LR"},
}
FACE = {name: name for name in ("Nose", "LEye", "REye", "LEar", "REar")}
FEET = {f"{s}{p}": f"{s}{p}" for s in "LR" for p in ("BigToe", "SmallToe", "Heel")}
H36M_16 = {**LIMBS, "LFoot": "LFoot", "RFoot": "RFoot", "Hip": "Hip", "Spine": "Spine",
           "Thorax": "Thorax", "Head": "Head"}  # fmt: skip
MADE_OF = {
    # body-28's joint: the mean of which of the source's joints; the others are missing
    "coco-17": {**LIMBS, **FACE, "Hip": HIPS, "Thorax": SHOULDERS},
    "coco-23": {**LIMBS, **FACE, **FEET, "Hip": HIPS, "Thorax": SHOULDERS},
    "mediapipe-33": {
        **LIMBS, **FACE, "Hip": HIPS, "Thorax": SHOULDERS, "LHeel": "LHeel", "RHeel": "RHeel",
        "LBigToe": "LFootIndex", "RBigToe": "RFootIndex",
    },
    "openpose-body-25": {**LIMBS, **FACE, **FEET, "Hip": "MidHip", "Thorax": "Neck"},
    "openpose-coco-18": {**LIMBS, **FACE, "Hip": HIPS, "Thorax": "Neck"},
    "halpe-26": {**LIMBS, **FACE, **FEET, "Hip": "Hip", "Thorax": "Neck"},
    "mpii-16": {**LIMBS, "Hip": "Hip", "Thorax": "Thorax", "Neck/Nose": "UpperNeck",
                "Head": "UpperNeck HeadTop"},
    "mpi-inf-3dhp-17": {**LIMBS, "Hip": "Hip", "Spine": "Spine", "Thorax": "Neck",
                        "Neck/Nose": "Neck Head", "Head": "Head"},
    "h36m-16": H36M_16,
    "h36m-17": {**H36M_16, "Neck/Nose": "Neck/Nose"},
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", MADE_OF)


def points(name, *, without=()):
    """Joints of a skeleton at random, those that are not seen NaN."""
    skeleton = SKELETONS[name]
    made = np.random.default_rng(5).normal(size=(4, len(skeleton), 3))
    made[:, [skeleton.joints.index(joint) for joint in without]] = np.nan
    return {joint: made[:, place] for place, joint in enumerate(skeleton.joints)}, made


def converted(positions, name, target="body-28"):
    mapped = joint_map(SKELETONS[name], SKELETONS[target])(positions)
    return {joint: mapped[:, place] for place, joint in enumerate(SKELETONS[target].joints)}


def test_every_skeleton_has_a_conversion_written_out_here():
    assert set(MADE_OF) == set(SKELETONS) - {"body-28"}


@EVERY
def test_what_is_there_is_filled_and_the_rest_is_missing(name):
    before, positions = points(name)

    after = converted(positions, name)

    for joint in BODY_28.joints:
        names = MADE_OF[name].get(joint, "").split()
        expected = np.mean([before[each] for each in names], axis=0) if names else np.nan
        np.testing.assert_allclose(
            after[joint], np.broadcast_to(expected, (4, 3)), err_msg=joint, atol=1e-12
        )


@EVERY
def test_a_joint_is_exact_if_it_is_the_same_point_of_the_body(name):
    kinds = dict(zip(BODY_28.joints, joint_map(SKELETONS[name], BODY_28).kinds, strict=True))
    differently = {"Spine", "Thorax", "Neck/Nose", "Head"} if "h36m" not in name else set()
    toes = {"LBigToe", "RBigToe"} if name == "mediapipe-33" else set()

    for joint, kind in kinds.items():
        of = MADE_OF[name].get(joint, "")
        derived = joint in differently | toes or " " in of
        assert kind == ("missing" if not of else "derived" if derived else "exact"), joint


@pytest.mark.parametrize(
    ("name", "lost", "joint", "instead"),
    [
        ("openpose-body-25", "MidHip", "Hip", HIPS),
        ("openpose-body-25", "Neck", "Thorax", SHOULDERS),
        ("openpose-coco-18", "Neck", "Thorax", SHOULDERS),
        ("halpe-26", "Neck", "Thorax", SHOULDERS),
        ("halpe-26", "Hip", "Hip", HIPS),
        ("mpii-16", "Thorax", "Thorax", SHOULDERS),
    ],
)
def test_a_trunk_joint_that_is_lost_is_made_of_the_limbs(name, lost, joint, instead):
    before, positions = points(name, without=[lost])

    after = converted(positions, name)

    expected = np.mean([before[each] for each in instead.split()], axis=0)
    np.testing.assert_allclose(after[joint], expected)


@pytest.mark.parametrize("target", ["h36m-16", "h36m-17"])
def test_human36ms_joints_are_exact_and_the_same_there_and_back(target):
    count = len(SKELETONS[target])
    _, positions = points(target)

    assert joint_map(BODY_28, SKELETONS[target]).kinds == ("exact",) * count
    there = joint_map(SKELETONS[target], BODY_28)(positions)
    np.testing.assert_array_equal(joint_map(BODY_28, SKELETONS[target])(there), positions)


@pytest.mark.parametrize("name", ["coco-17", "coco-23", "mediapipe-33", "openpose-body-25"])
def test_a_detectors_joints_by_way_of_body_28_are_those_of_the_direct_conversion(name):
    _, positions = points(name)
    direct = converted(positions, name, "h36m-17")
    by_way = joint_map(BODY_28, SKELETONS["h36m-17"])(
        joint_map(SKELETONS[name], BODY_28)(positions)
    )

    for place, joint in enumerate(SKELETONS["h36m-17"].joints):
        if (name, joint) == ("openpose-body-25", "Spine"):
            continue  # half way between MidHip and Neck, of which the way knows the sides alone
        np.testing.assert_allclose(by_way[:, place], direct[joint], err_msg=joint, atol=1e-12)


def test_what_is_scored_in_cocos_and_3dhps_joints_is_read_off():
    before, positions = points("body-28")

    coco, other = (converted(positions, "body-28", n) for n in ("coco-17", "mpi-inf-3dhp-17"))

    for joint in coco:
        theirs = joint.replace("Ankle", "Foot")
        np.testing.assert_array_equal(coco[joint], before[theirs], err_msg=joint)
    assert np.isnan(other.pop("HeadTop")).all()
    for joint in other:
        theirs = "Thorax" if joint == "Neck" else joint.replace("Ankle", "Foot")
        np.testing.assert_array_equal(other[joint], before[theirs], err_msg=joint)
