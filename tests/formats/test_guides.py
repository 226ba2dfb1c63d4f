"""Heads, trunks, feet and twists as fronts, faces and soles show them, in BVH and GLB."""

from dataclasses import replace

import numpy as np
import pybvh
import pytest
from helpers.readback import OUTSIDE_READERS, gltf, matrix, moving, posed
from helpers.whole_body import whole_body
from scipy.spatial.transform import Rotation

from graphlift.bodies import SEGMENTS as BODY_SEGMENTS
from graphlift.bodies import load_bodies, place_points
from graphlift.bodies.segments import POINTS
from graphlift.formats import armature, read_poses, write_poses
from graphlift.formats.guides import JOINTS, SURE, find_guides
from graphlift.formats.turns import solve_rotations
from graphlift.sequences import FRONTS, Poses
from graphlift.skeletons import BODY_28, H36M_17

FRAMES = 60
NAMES = [node.name for node in armature.NODES]
SEGMENTS = {
    "Hips": "Pelvis", "Spine2": "Chest", "Head": "Head", "LeftFoot": "LFoot",
    "RightFoot": "RFoot", "LeftArm": "LUpperArm", "RightArm": "RUpperArm",
    "LeftUpLeg": "LThigh", "RightUpLeg": "RThigh",
}  # fmt: skip
"""Nodes of the rig, and which segment of the body each turns with."""


def turns(seed=0, most=0.6):
    """Slow turns of every segment about all axes, at most so many rad about each."""
    rng, t = np.random.default_rng(seed), np.arange(FRAMES) / 30
    names = ("Pelvis", "Chest", "Head", *(f"{s}{p}" for s in "LR" for p in
             ("UpperArm", "Forearm", "Thigh", "Shin", "Foot")))  # fmt: skip
    waves = {
        name: most * np.sin(t[:, None] * rng.uniform(0.5, 2, 3) + rng.uniform(0, 6, 3))
        for name in names
    }
    for side in "LR":  # a knee and an elbow are hinges; both are bent by 40 to 80 degrees
        bend = 1.05 + 0.35 * np.sin(2 * t)[:, None]
        waves[f"{side}Shin"] = bend * [1.0, 0.0, 0.0]
        waves[f"{side}Forearm"] = bend * [0.0, 0.0, -1.0 if side == "L" else 1.0]
    return waves


def poses_of(joints, fronts=None, **fields):
    fronts = None if fronts is None else fronts[:, None]
    given = {"axes": "world", "rooted": False, "fps": 30.0, "fronts": fronts, **fields}
    return Poses(joints[:, None], BODY_28, **given)


def seventeen(joints, **fields):
    given = {"axes": "world", "rooted": False, "fps": 30.0, **fields}
    return Poses(joints[:, None, :17], H36M_17, **given)


def y_up(vectors):
    return vectors[..., [0, 2, 1]] * [1, 1, -1]


def bvh(path):
    """Each node's front (+z of the T-pose) as pybvh reads it, and where nodes and ends are, m."""
    file = pybvh.read_bvh_file(path, world_up="+y")
    world = {"": Rotation.identity(file.frame_count)}
    for node in armature.NODES:
        own = file.joint_angles[:, file.joint_index[node.name]]
        world[node.name] = world[node.parent] * Rotation.from_euler("ZXY", own)
    places = file.node_positions() / 100
    fronts = {name: world[name].apply([0.0, 0.0, 1.0]) for name in NAMES}
    return fronts, {name: places[:, i] for name, i in file.node_index.items()}


def glb(path):
    """The same of a GLB, by its matrices and those of its rest pose."""
    tree, arrays = gltf(path)

    def walk(nodes):
        found = {}

        def visit(number, above):
            found[nodes[number]["name"]] = above @ matrix(nodes[number])
            for child in nodes[number].get("children", ()):
                visit(child, found[nodes[number]["name"]])

        for root in tree["scenes"][0]["nodes"]:
            visit(root, np.eye(4))
        return found

    rest = walk(tree["nodes"])
    frames = [walk(posed(tree, arrays, frame)) for frame in range(len(arrays[0]))]
    fronts = {
        name: np.array([f[name][:3, :3] @ rest[name][:3, :3].T @ [0, 0, 1] for f in frames])
        for name in NAMES
    }
    ends = {name: np.array([f[name][:3, 3] for f in frames]) for name in rest}
    return fronts, ends


READ = {"bvh": bvh, "glb": glb}
EVERY = pytest.mark.parametrize("suffix", READ)


def off(found, true):
    """Angle between directions, rad."""
    cross = np.linalg.norm(np.cross(found, true), axis=-1)
    return np.arctan2(cross, (found * true).sum(axis=-1))


def true_front(world, node):
    return y_up(world[SEGMENTS[node]].apply([0.0, -1.0, 0.0]))


@EVERY
@pytest.mark.parametrize("axes", ["world", "camera"])
@pytest.mark.parametrize("node", ["LeftFoot", "RightFoot", "Head", "Hips", "Spine2"])
def test_segments_point_where_they_were_turned(tmp_path, suffix, axes, node):
    joints, fronts, world = whole_body(FRAMES, **turns())
    if axes == "camera":  # y down, z away
        joints, fronts = (v[..., [0, 2, 1]] * [1, -1, 1] for v in (joints, fronts))

    write_poses(tmp_path / f"x.{suffix}", poses_of(joints, fronts, axes=axes))

    found, _ = READ[suffix](tmp_path / f"x.{suffix}")
    assert off(found[node], true_front(world, node)).max() < 1e-3


@EVERY
def test_without_fronts_the_face_shows_where_the_head_points(tmp_path, suffix):
    joints, _, world = whole_body(FRAMES, **turns(seed=1))

    remarks = write_poses(tmp_path / f"x.{suffix}", poses_of(joints))
    write_poses(tmp_path / f"y.{suffix}", seventeen(joints))

    (found, _), (other, _) = (READ[suffix](tmp_path / f"{name}.{suffix}") for name in "xy")
    assert off(found["Head"], true_front(world, "Head")).max() < 1e-3
    assert off(other["Head"], true_front(world, "Head")).max() > 0.3  # of what the 17 show
    assert "Turned as fronts, faces and soles show: head, feet." in remarks


@EVERY
@pytest.mark.parametrize(("about", "within"), [([1, 0, 0], 0.002), ([1, 1, 1], 0.015)])
def test_the_toes_are_where_the_foot_ends(tmp_path, suffix, about, within):
    # To within 1.5 cm where the ankle turns in and out, which the shin holds back a little.
    moved = turns(seed=2)
    moved |= {name: moved[name] * about for name in ("LFoot", "RFoot")}
    joints, _, _ = whole_body(FRAMES, **moved)

    write_poses(tmp_path / f"x.{suffix}", poses_of(joints))

    _, places = READ[suffix](tmp_path / f"x.{suffix}")
    for side in ("Left", "Right"):
        pair = BODY_28.index(f"{side[0]}BigToe", f"{side[0]}SmallToe")
        end = {"bvh": f"EndSite{side}Foot", "glb": f"{side}Toe_End"}[suffix]
        second_toe = y_up(np.einsum("ftx,t->fx", joints[:, pair], [0.6, 0.4]))
        np.testing.assert_allclose(places[end], second_toe, atol=within)


def test_noise_of_toes_does_not_roll_the_foot_over():
    joints, _, _ = whole_body(600)
    noise = np.random.default_rng(0).normal(0, 0.025, joints.shape)

    solved = solve_rotations(y_up(joints[:, :17]), 30.0, find_guides(poses_of(joints + noise), 0))

    for name in ("LeftFoot", "RightFoot"):
        assert np.mean(solved[:, NAMES.index(name), 1, 1] < 0.5) < 0.02  # upside down, or on edge


@EVERY
@pytest.mark.parametrize("node", ["LeftArm", "RightArm", "LeftUpLeg", "RightUpLeg"])
def test_straight_limbs_twist_as_their_fronts_do(tmp_path, suffix, node):
    still = {name: 0.0 for side in "LR" for name in (f"{side}Shin", f"{side}Forearm")}
    joints, fronts, world = whole_body(FRAMES, **{**turns(seed=3, most=0.9), **still})

    write_poses(tmp_path / f"x.{suffix}", poses_of(joints, fronts))
    write_poses(tmp_path / f"y.{suffix}", poses_of(joints))

    (found, _), (other, _) = (READ[suffix](tmp_path / f"{name}.{suffix}") for name in "xy")
    true = true_front(world, node)
    assert off(found[node], true).max() < 0.02
    assert off(other[node], true).max() > 0.3  # no joint shows it


def test_a_front_that_is_unsure_gives_way_to_the_bend_of_the_knee():
    joints, fronts, world = whole_body(FRAMES, **turns(seed=4, most=0.3))
    thigh, wrong = FRONTS.index("LThigh"), fronts.copy()
    about = Rotation.from_rotvec(0.5 * world["LThigh"].apply([0.0, 0.0, -1.0]))
    wrong[:, thigh] = about.apply(fronts[:, thigh])
    error = {}
    for sigma in (SURE, 5 * SURE):
        poses = poses_of(joints, wrong, front_sigma=np.full((FRAMES, 1, len(FRONTS)), sigma))
        solved = solve_rotations(y_up(joints[:, :17]), 30.0, find_guides(poses, 0))
        found = solved[:, NAMES.index("LeftUpLeg"), :, 2]
        error[sigma] = off(found, true_front(world, "LeftUpLeg")).mean()

    assert error[5 * SURE] < 0.1 < error[SURE] < 0.5


@pytest.mark.parametrize(("sigma", "share"), [(None, 1.0), (JOINTS / 100, 1.0), (JOINTS, 0.5)])
@pytest.mark.parametrize("node", ["Hips", "Spine2"])
def test_a_front_that_is_unsure_is_weighed_against_the_joints(node, sigma, share):
    joints, fronts, _ = whole_body(FRAMES)
    aside = Rotation.from_rotvec([0.0, 0.0, 0.4])
    deviation = None if sigma is None else np.full((FRAMES, 1, len(FRONTS)), sigma)
    poses = poses_of(joints, aside.apply(fronts.reshape(-1, 3)).reshape(fronts.shape))

    guides = find_guides(replace(poses, front_sigma=deviation), 0)
    found = solve_rotations(y_up(joints[:, :17]), 30.0, guides)[:, NAMES.index(node)]

    np.testing.assert_allclose(off(found[..., 2], np.array([0, 0, 1.0])), 0.4 * share, atol=1e-3)


@EVERY
def test_joints_are_where_they_were(tmp_path, suffix):
    joints, fronts, _ = whole_body(FRAMES, **turns(seed=5))

    write_poses(tmp_path / f"x.{suffix}", poses_of(joints, fronts))

    back = read_poses(tmp_path / f"x.{suffix}")
    assert back.skeleton is H36M_17
    np.testing.assert_allclose(back.positions[:, 0], joints[:, :17], atol=1e-5)


def test_seventeen_joints_with_fronts_are_turned_too(tmp_path):
    joints, fronts, world = whole_body(FRAMES, **turns(seed=6))

    write_poses(tmp_path / "x.bvh", seventeen(joints, fronts=fronts[:, None]))

    found, _ = bvh(tmp_path / "x.bvh")
    for node in ("Hips", "Spine2", "Head"):
        assert off(found[node], true_front(world, node)).max() < 1e-3


def test_a_front_that_is_lost_for_a_while_goes_on_with_the_body():
    turned = {"Pelvis": np.linspace(0, 2, FRAMES)[:, None] * [0.0, 0.0, 1.0]}
    joints, fronts, world = whole_body(FRAMES, Head=[0.0, 0.0, 0.7], **turned)
    fronts[20:40, FRONTS.index("Head")] = np.nan
    poses = seventeen(joints, fronts=fronts[:, None])

    solved = solve_rotations(y_up(joints[:, :17]), 30.0, find_guides(poses, 0))

    found = solved[:, NAMES.index("Head"), :, 2]
    assert off(found, true_front(world, "Head")).max() < 1e-3


def test_frames_without_a_pose_are_filled(tmp_path):
    joints, fronts, world = whole_body(FRAMES, **turns(seed=7, most=0.3))
    joints[20:24], fronts[20:24] = np.nan, np.nan

    write_poses(tmp_path / "x.bvh", poses_of(joints, fronts))

    found, _ = bvh(tmp_path / "x.bvh")
    for node in ("LeftFoot", "Head", "Hips"):
        angle = off(found[node], true_front(world, node))
        assert np.delete(angle, np.arange(20, 24)).max() < 1e-3
        assert angle.max() < 0.1


def test_without_faces_soles_and_fronts_nothing_guides():
    assert find_guides(moving(3), 0).words == ""
    assert not find_guides(moving(3), 0).fronts


def test_of_bodies_of_all_sizes_level_heads_look_and_feet_point_straight_on():
    bodies = load_bodies()
    adults = np.flatnonzero(bodies.age >= 18)[:500]
    points = place_points(
        np.broadcast_to(np.eye(3), (500, len(BODY_SEGMENTS), 3, 3)),
        np.zeros((500, 17, 3)),
        bodies.of(adults),
    )
    joints = np.zeros((500, len(BODY_28), 3))
    for name in BODY_28.joints[17:]:
        joints[:, BODY_28.index(name)[0]] = points[:, POINTS.index(name)]

    fronts = find_guides(poses_of(joints), 0).fronts

    for node, spread in (("Head", 4), ("LeftFoot", 2), ("RightFoot", 2)):
        mean = fronts[node].mean(axis=0)
        assert np.degrees(off(mean, np.array([0.0, 0.0, 1.0]))) < 1
        assert np.degrees(off(fronts[node], mean)).mean() < spread


def test_c3d_and_trc_have_all_28_markers(tmp_path):
    joints, fronts, _ = whole_body(8, **{name: turn[:8] for name, turn in turns(seed=8).items()})
    poses = poses_of(joints, fronts)

    for suffix, up in (("c3d", joints), ("trc", y_up(joints))):
        write_poses(tmp_path / f"x.{suffix}", poses)
        (person,), _ = OUTSIDE_READERS[suffix](tmp_path / f"x.{suffix}")
        assert list(person) == list(BODY_28.joints)
        for joint, name in enumerate(BODY_28.joints):
            np.testing.assert_allclose(person[name], up[:, joint], atol=1e-5, err_msg=name)
        assert read_poses(tmp_path / f"x.{suffix}").skeleton is BODY_28


def test_bones_of_heads_and_feet_lie_along_y_in_a_glb(tmp_path):
    joints, fronts, _ = whole_body(FRAMES, **turns(seed=9))

    write_poses(tmp_path / "x.glb", poses_of(joints, fronts))

    tree, _ = gltf(tmp_path / "x.glb")
    for node in tree["nodes"]:
        for child in (tree["nodes"][number] for number in node.get("children", ())):
            if node["name"] != "0":  # the person, in which the hips are
                np.testing.assert_allclose(np.array(child["translation"])[[0, 2]], 0, atol=1e-6)


def test_a_head_that_bends_where_no_front_shows_it_is_exact_in_a_glb(tmp_path):
    joints, fronts, _ = whole_body(FRAMES)
    sway = 0.02 * np.sin(np.arange(FRAMES) / 5)
    joints[:, BODY_28.index("Head")[0], 0] += sway

    write_poses(tmp_path / "x.glb", seventeen(joints, fronts=fronts[:, None]))

    _, places = glb(tmp_path / "x.glb")
    head = y_up(joints[:, BODY_28.index("Head")[0]])
    np.testing.assert_allclose(places["HeadTop_End"], head, atol=1e-5)
