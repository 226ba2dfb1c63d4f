"""Skeletons against the field's tables written as numbers, and maps against hand-made means."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import ShapeError, SkeletonError
from graphlift.skeletons import (
    BODY_28,
    COCO_17,
    COCO_23,
    H36M_16,
    H36M_17,
    MPI_INF_3DHP_17,
    SKELETONS,
    Skeleton,
    joint_map,
)

PATIENT = settings(deadline=None)
EVERY = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))


@st.composite
def trees(draw):
    """Parents of a random tree whose joints come in random order."""
    count = draw(st.integers(1, 12))
    grown = [-1, *(draw(st.integers(0, joint - 1)) for joint in range(1, count))]
    place = draw(st.permutations(range(count)))
    parents = [-1] * count
    for joint, parent in enumerate(grown):
        parents[place[joint]] = -1 if parent < 0 else place[parent]
    return tuple(parents)


def named(parents, **others):
    joints = tuple(f"j{joint}" for joint in range(len(parents)))
    return Skeleton(**({"name": "made-up", "joints": joints, "centre": "j0"} | others),
                    parents=parents)  # fmt: skip


def points(skeleton, *batch, d=3):
    return np.random.default_rng(0).normal(size=(*batch, len(skeleton), d))


def test_h36m_17_has_the_parents_of_the_pack_of_human36m():
    # VideoPose3D's 17 joints, as its published code lists them.
    assert H36M_17.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    assert H36M_17.joints == (
        *("Hip", "RHip", "RKnee", "RFoot", "LHip", "LKnee", "LFoot", "Spine", "Thorax"),
        *("Neck/Nose", "Head", "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
    )


def test_h36m_16_has_the_parents_of_semgcn():
    # Joint order of the published code.
    assert H36M_16.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14)
    assert H36M_16.joints == tuple(joint for joint in H36M_17.joints if joint != "Neck/Nose")


def test_the_root_and_the_centre_of_each_skeleton():
    roots = {name: skeleton.joints[skeleton.root] for name, skeleton in SKELETONS.items()}
    centres = {name: skeleton.centre for name, skeleton in SKELETONS.items()}

    assert roots == {
        "h36m-16": "Hip", "h36m-17": "Hip", "coco-17": "Nose", "mpi-inf-3dhp-17": "Hip",
        "mpii-16": "Hip", "openpose-body-25": "MidHip", "openpose-coco-18": "Neck",
        "halpe-26": "Hip", "mediapipe-33": "Nose", "body-28": "Hip", "coco-23": "Nose",
    }  # fmt: skip
    spines = {name for name in centres if centres[name] == "Spine"}
    assert spines == {"h36m-16", "h36m-17", "mpi-inf-3dhp-17", "body-28"}
    assert all(centres[name] == roots[name] for name in set(SKELETONS) - spines)


def test_coco_has_its_own_order_of_keypoints():
    # The order of COCO's "keypoints" field: nose, eyes, ears, then left before right downwards.
    parts = ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
    body = tuple(f"{side}{part}" for part in parts for side in "LR")

    assert COCO_17.joints == ("Nose", "LEye", "REye", "LEar", "REar", *body)


def test_body_28_is_human36m_then_face_and_feet():
    face = ("Nose", "LEye", "REye", "LEar", "REar")
    feet = tuple(f"{side}{part}" for side in "LR" for part in ("BigToe", "SmallToe", "Heel"))
    parents = [BODY_28.joints[parent] for parent in BODY_28.parents[17:]]

    assert BODY_28.joints == (*H36M_17.joints, *face, *feet)
    assert BODY_28.parents[:17] == H36M_17.parents
    assert parents == ["Head", "Nose", "Nose", "Head", "Head", *3 * ["LFoot"], *3 * ["RFoot"]]
    assert (BODY_28.joints[BODY_28.root], BODY_28.centre) == ("Hip", "Spine")


def test_coco_23_is_coco_and_the_feet_in_coco_wholebodys_order():
    # Points 17 to 22 of COCO-WholeBody's 133.
    feet = tuple(f"{side}{part}" for side in "LR" for part in ("BigToe", "SmallToe", "Heel"))

    assert COCO_23.joints == (*COCO_17.joints, *feet)
    assert COCO_23.parents[:17] == COCO_17.parents


def test_mpi_inf_3dhp_may_put_children_before_parents():
    # Official order, 1-based: head_top 1, neck 2, ..., pelvis 15, spine 16, head 17.
    wrong_way = [joint for joint, parent in enumerate(MPI_INF_3DHP_17.parents) if parent > joint]

    assert MPI_INF_3DHP_17.joints[14:] == ("Hip", "Spine", "Head")
    assert [MPI_INF_3DHP_17.joints[joint] for joint in wrong_way] == [
        "HeadTop", "Neck", "RHip", "LHip"
    ]  # fmt: skip


@PATIENT
@given(trees())
def test_any_tree_is_a_skeleton_whose_order_puts_parents_first(parents):
    skeleton = named(parents)

    assert sorted(skeleton.order) == list(range(len(parents)))
    assert skeleton.order[0] == skeleton.root
    rank = {joint: position for position, joint in enumerate(skeleton.order)}
    assert all(rank[parent] < rank[child] for parent, child in skeleton.bones)
    assert len(skeleton.bones) == len(skeleton) - 1


@PATIENT
@given(trees(), st.data())
def test_hanging_a_joint_from_its_own_descendant_is_refused(parents, data):
    joint = data.draw(st.integers(0, len(parents) - 1))
    below = [j for j in range(len(parents)) if joint in ancestors(parents, j)]
    hung = list(parents)
    hung[joint] = data.draw(st.sampled_from(below))

    with pytest.raises(SkeletonError, match=r"form a cycle|must be the root"):
        named(tuple(hung))


def ancestors(parents, joint):
    """The joint, its parent, its grandparent, ..."""
    return {joint} if parents[joint] < 0 else {joint} | ancestors(parents, parents[joint])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joints": ("j0", "j1", "j1")}, "made-up: joint names repeat: j1"),
        ({"joints": ("a", "b", "c"), "parents": (-1, 0)}, "made-up: 3 joints but 2 parents"),
        ({"parents": (-1, 0, -1)}, r"must be the root \(parent -1\), found 2: j0, j2"),
        ({"parents": (1, 2, 0)}, r"must be the root \(parent -1\), found 0: none"),
        ({"parents": (-1, 3, 0)}, "parent of j1 is 3, which is no joint: give an index from 0 to"),
        ({"parents": (-1, 0, -2)}, "parent of j2 is -2, .* or -1 for the root"),
        ({"parents": (-1, 2, 1)}, "j1 never reaches the root: its parents form a cycle"),
        ({"parents": (-1, 1, 0)}, "j1 never reaches the root"),
        ({"centre": "Spine"}, "centre 'Spine' is none of"),
    ],
)
def test_what_is_no_skeleton_is_refused_with_the_joint_named(changes, message):
    with pytest.raises(SkeletonError, match=message):
        named(**({"parents": (-1, 0, 1)} | changes))


def test_a_skeleton_of_nothing_has_no_root():
    with pytest.raises(SkeletonError, match="found 0: none"):
        named((), centre="Hip")


@EVERY
def test_mirroring_twice_changes_nothing(skeleton):
    assert list(skeleton.mirror[skeleton.mirror]) == list(range(len(skeleton)))


@EVERY
def test_a_mirrored_joint_has_the_same_name_on_the_other_side(skeleton):
    other = {"L": "R", "R": "L"}
    for joint, name in enumerate(skeleton.joints):
        twin = skeleton.joints[skeleton.mirror[joint]]

        sided = other.get(name[0], "?") + name[1:] in skeleton.joints
        assert twin == (other[name[0]] + name[1:] if sided else name)


@EVERY
def test_mirroring_keeps_the_bones(skeleton):
    mirrored = {(skeleton.mirror[parent], skeleton.mirror[child])
                for parent, child in skeleton.bones}  # fmt: skip

    assert mirrored == set(skeleton.bones)


def test_the_pairs_of_human36m_by_hand():
    # (left, right): hips, knees, feet; shoulders, elbows, wrists.
    assert H36M_17.pairs == ((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16))
    assert H36M_16.pairs == ((4, 1), (5, 2), (6, 3), (10, 13), (11, 14), (12, 15))


def test_joints_are_found_by_name_and_a_wrong_one_is_named():
    assert list(H36M_17.index("Hip", "Head", "RWrist")) == [0, 10, 16]
    with pytest.raises(SkeletonError, match="h36m-17 has no joint 'Tail': its joints are Hip, RH"):
        H36M_17.index("Hip", "Tail")


# Joint maps


@EVERY
def test_a_skeleton_maps_onto_itself_bit_by_bit(skeleton):
    before = points(skeleton, 4)

    mapped = joint_map(skeleton, skeleton)

    assert set(mapped.kinds) == {"exact"}
    np.testing.assert_array_equal(mapped(before), before)


def test_the_16_joints_are_the_17_without_the_neck():
    before = points(H36M_17, 5)

    mapped = joint_map(H36M_17, H36M_16)

    assert set(mapped.kinds) == {"exact"}
    np.testing.assert_array_equal(mapped(before), np.delete(before, 9, axis=1))


def test_coco_gives_human36m_the_middle_of_hips_and_shoulders():
    coco = points(COCO_17, 3, d=2)
    at = {name: coco[:, joint] for joint, name in enumerate(COCO_17.joints)}

    h36m = joint_map(COCO_17, H36M_17)(coco)

    expected = {
        "Hip": (at["LHip"] + at["RHip"]) / 2,
        "Thorax": (at["LShoulder"] + at["RShoulder"]) / 2,
        "Spine": (at["LShoulder"] + at["RShoulder"] + at["LHip"] + at["RHip"]) / 4,
        "Neck/Nose": at["Nose"],
        "Head": (at["LEar"] + at["REar"]) / 2,
        "LFoot": at["LAnkle"],
        "RFoot": at["RAnkle"],
    }
    for joint, name in enumerate(H36M_17.joints):
        wanted = expected[name] if name in expected else at[name]
        np.testing.assert_allclose(h36m[:, joint], wanted, err_msg=name)


def test_what_coco_has_and_human36m_has_not_is_missing_and_not_a_number():
    mapped = joint_map(H36M_17, COCO_17)
    missing = [name for name, kind in zip(COCO_17.joints, mapped.kinds, strict=True)
               if kind == "missing"]  # fmt: skip

    coco = mapped(points(H36M_17, 2))

    assert missing == ["LEye", "REye", "LEar", "REar"]
    assert np.isnan(coco[:, [1, 2, 3, 4]]).all()
    assert np.isfinite(coco[:, [0, *range(5, 17)]]).all()


def test_heads_differ_between_data_sets_and_hips_do_not():
    mapped = joint_map(MPI_INF_3DHP_17, H36M_17)
    kinds = dict(zip(H36M_17.joints, mapped.kinds, strict=True))

    assert (kinds["Head"], kinds["Spine"], kinds["Thorax"]) == ("derived",) * 3
    assert {kinds[name] for name in ("Hip", "LFoot", "RWrist", "LShoulder")} == {"exact"}


@pytest.mark.parametrize(
    ("lost", "spoilt"),
    [
        ("LHip", {"LHip", "Hip", "Spine"}),
        ("RShoulder", {"RShoulder", "Thorax", "Spine"}),
        ("Nose", {"Neck/Nose"}),
        ("REar", set()),  # the other ear stands for both
        ("RAnkle", {"RFoot"}),
        ("LEye", set()),
    ],
)
def test_a_joint_that_is_not_a_number_spoils_only_what_is_made_of_it(lost, spoilt):
    coco = points(COCO_17, 2)
    whole = joint_map(COCO_17, H36M_17)(coco)
    coco[1, COCO_17.joints.index(lost), 0] = np.nan

    mapped = joint_map(COCO_17, H36M_17)(coco)

    gone = [name in spoilt for name in H36M_17.joints]
    assert np.isnan(mapped[1]).all(axis=-1).tolist() == gone
    np.testing.assert_array_equal(mapped[0], whole[0])
    kept = ~np.array(gone) & (np.array(H36M_17.joints) != "Head")
    np.testing.assert_array_equal(mapped[1][kept], whole[1][kept])


PAIRS = pytest.mark.parametrize(
    ("source", "target"),
    list(itertools.product(SKELETONS.values(), repeat=2)),
    ids=lambda skeleton: skeleton.name,
)


@PAIRS
def test_a_mapped_body_moves_and_grows_with_the_body(source, target):
    before, mapped = points(source, 3), joint_map(source, target)

    np.testing.assert_allclose(mapped(3 * before + 7), 3 * mapped(before) + 7)


@PAIRS
def test_a_map_does_not_know_left_from_right(source, target):
    before, mapped = points(source, 3), joint_map(source, target)

    np.testing.assert_allclose(
        mapped(before[:, source.mirror]), mapped(before)[:, target.mirror], atol=1e-12
    )


@PAIRS
def test_missing_joints_are_the_ones_without_weights(source, target):
    mapped = joint_map(source, target)

    without = np.isnan(mapped.weights).any(axis=1)
    assert without.tolist() == [kind == "missing" for kind in mapped.kinds]
    np.testing.assert_allclose(mapped.weights[~without].sum(axis=1), 1)


@pytest.mark.parametrize("shape", [(5, 16, 3), (17,), (17, 5, 2)])
def test_a_wrong_number_of_joints_is_named_with_the_right_one(shape):
    with pytest.raises(
        ShapeError, match=r"should have 17 joints \(h36m-17\) on the last axis but"
    ):
        joint_map(H36M_17, H36M_16)(np.zeros(shape))
