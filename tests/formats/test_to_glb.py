from dataclasses import replace

import numpy as np
import pytest
import trimesh
from helpers.readback import NAMES, OUTSIDE_READERS, gltf, matrix, moving, posed, standing

from graphlift.errors import FormatError
from graphlift.formats import armature, to_glb
from graphlift.formats.to_glb import write_glb
from graphlift.skeletons import H36M_17

JOINT = {name: H36M_17.index(name)[0] for name in H36M_17.joints}


def y_up(poses, person=0):
    return poses.positions[:, person][..., [0, 2, 1]] * [1, 1, -1]


def globals_of(tree, nodes):
    """Multiply the nodes' matrices down the tree."""
    found = {}

    def visit(number, above):
        found[number] = above @ matrix(nodes[number])
        for child in nodes[number].get("children", ()):
            visit(child, found[number])

    for root in tree["scenes"][0]["nodes"]:
        visit(root, np.eye(4))
    return found


def skinned(tree, arrays, nodes, person=0):
    """Where a skin takes a mesh: the sum over j of w_j G_j B_j v, glTF 2.0, 3.7.3.1.

    Returns:
        For each joint by name, the vertices that it alone moves, and their normals.
    """
    (holder,) = (n for n in tree["nodes"] if n.get("skin") == person)
    skin = tree["skins"][person]
    (primitive,) = tree["meshes"][holder["mesh"]]["primitives"]
    places, normals, joints, weights = (
        arrays[primitive["attributes"][key]]
        for key in ("POSITION", "NORMAL", "JOINTS_0", "WEIGHTS_0")
    )
    to_bone = arrays[skin["inverseBindMatrices"]].reshape(-1, 4, 4).swapaxes(1, 2)
    in_world = globals_of(tree, nodes)
    moves = np.array([in_world[j] for j in skin["joints"]]) @ to_bone
    whole = (weights[:, :, None, None] * moves[joints.astype(int)]).sum(axis=1)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    placed = np.einsum("vab,vb->va", whole, np.c_[places, np.ones(len(places))])[:, :3]
    turned = np.einsum("vab,vb->va", whole[:, :3, :3], normals)
    owner = joints[np.arange(len(joints)), weights.argmax(axis=1)].astype(int)
    return {
        tree["nodes"][skin["joints"][j]]["name"]: (placed[owner == j], turned[owner == j])
        for j in np.unique(owner)
    }


def axis_of(vertices, normals):
    """The ends of a capsule's axis: the middles of the two rings whose normals are across it."""
    along = np.linalg.svd(vertices - vertices.mean(axis=0))[2][0]
    waist = np.abs(normals @ along) < 1e-3
    assert waist.sum() >= 6
    order = np.argsort(vertices[waist] @ along)
    low, high = np.split(vertices[waist][order], 2)
    return low.mean(axis=0), high.mean(axis=0)


def test_trimesh_sees_someone_in_a_t_pose_on_the_ground(tmp_path):
    write_glb(tmp_path / "x.glb", standing())

    scene = trimesh.load(tmp_path / "x.glb")
    (x0, y0, z0), (x1, y1, z1) = scene.bounds
    arm_span = 0.36 + 4 * 0.28 - 2 * 0.04 + 2 * 0.08
    assert x1 - x0 == pytest.approx(arm_span + 2 * 0.03, abs=0.02)
    crown = 0.92 + 0.22 + 0.24 + 2 * np.hypot(0.1, 0.12)  # spine, neck, head, all upright
    assert (y0, y1) == (pytest.approx(0, abs=0.05), pytest.approx(crown + 0.1, abs=0.03))
    assert z1 - z0 < 0.4  # flat, but for the toes
    at = {name: scene.graph[node][0][:3, 3] for node, name in NAMES.items()}
    assert at["LWrist"][0] > at["LShoulder"][0] > at["Thorax"][0] > at["RWrist"][0]
    np.testing.assert_allclose(at["Hip"], [1, 0.92, -2], atol=1e-6)


def test_the_body_is_solid_and_faces_outwards(tmp_path):
    write_glb(tmp_path / "x.glb", standing())

    scene = trimesh.load(tmp_path / "x.glb")
    (mesh,) = scene.geometry.values()
    assert mesh.is_watertight
    capsules = mesh.split()
    assert len(capsules) == 20
    assert all(capsule.is_watertight and capsule.volume > 0 for capsule in capsules)
    assert 0.03 < mesh.volume < 0.1  # m3: an adult's, less than what it weighs in tonnes
    outward = np.cross(*np.diff(mesh.triangles, axis=1).swapaxes(0, 1))
    assert ((mesh.vertex_normals[mesh.faces] * outward[:, None]).sum(axis=-1) > 0).all()


@pytest.mark.parametrize("frame", [0, 7, 19])
def test_trimesh_places_the_nodes_where_the_joints_are(frame, tmp_path):
    poses = moving(frames=20)
    write_glb(tmp_path / "x.glb", poses)

    tree, arrays = gltf(tmp_path / "x.glb")
    scene = trimesh.load(tmp_path / "x.glb")
    parents = {child: n["name"] for n in tree["nodes"] for child in n.get("children", ())}
    for i, node in enumerate(posed(tree, arrays, frame)):
        if i in parents:
            scene.graph.update(node["name"], parents[i], matrix=matrix(node))

    for name, joint in {**NAMES, "HeadTop_End": "Head"}.items():
        expected = y_up(poses)[frame, H36M_17.index(joint)[0]]
        np.testing.assert_allclose(scene.graph[name][0][:3, 3], expected, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("frame", [0, 4])
@pytest.mark.parametrize("person", [0, 1])
def test_the_skin_puts_a_capsule_from_joint_to_joint(frame, person, tmp_path):
    poses = moving(frames=5, people=("Ada", "Bo"))
    write_glb(tmp_path / "x.glb", poses)

    tree, arrays = gltf(tmp_path / "x.glb")
    capsules = skinned(tree, arrays, posed(tree, arrays, frame), person)
    pose = y_up(poses, person)[frame]
    bones = [node for node in armature.NODES if node.tip]
    assert {node.name for node in bones} < set(capsules)
    for node in bones:
        ends = np.array(axis_of(*capsules[node.name]))
        expected = pose[list(H36M_17.index(node.at, node.tip))]
        if np.linalg.norm(ends[0] - expected[0]) > np.linalg.norm(ends[1] - expected[0]):
            ends = ends[::-1]
        np.testing.assert_allclose(ends, expected, atol=1e-4, err_msg=node.name)
    for end in ("LeftHand", "LeftFoot", "RightHand", "RightFoot"):  # they start at their joint
        near = np.linalg.norm(np.array(axis_of(*capsules[end])) - pose[JOINT[NAMES[end]]], axis=1)
        assert near.min() < 1e-4


def test_at_rest_the_skin_changes_nothing_and_bones_lie_along_y(tmp_path):
    write_glb(tmp_path / "x.glb", moving(frames=3, people=("Ada", "Bo")))

    tree, arrays = gltf(tmp_path / "x.glb")
    in_world = globals_of(tree, tree["nodes"])
    for skin in tree["skins"]:
        to_bone = arrays[skin["inverseBindMatrices"]].reshape(-1, 4, 4).swapaxes(1, 2)
        moves = np.array([in_world[j] for j in skin["joints"]]) @ to_bone
        np.testing.assert_allclose(moves, np.broadcast_to(np.eye(4), moves.shape), atol=1e-6)
        assert tree["nodes"][skin["skeleton"]]["name"] == "Hips"
        for joint in skin["joints"]:
            node = tree["nodes"][joint]
            for child in (tree["nodes"][c]["translation"] for c in node.get("children", ())):
                np.testing.assert_allclose([child[0], child[2]], 0, atol=1e-6)  # on its y
                assert child[1] >= 0


def test_the_body_takes_little_room(tmp_path):
    write_glb(tmp_path / "x.glb", standing())
    write_glb(tmp_path / "y.glb", moving(frames=2, people=("Ada", "Bo")))

    one, two = ((tmp_path / name).stat().st_size for name in ("x.glb", "y.glb"))
    assert one < 45_000
    assert two - one < 30_000


def test_bones_that_change_length_are_exact_all_the_same(tmp_path, rng):
    poses = moving(frames=20)
    noisy = replace(poses, positions=poses.positions + rng.normal(0, 0.03, (20, 1, 17, 3)))

    write_glb(tmp_path / "x.glb", noisy)

    (person,), _ = OUTSIDE_READERS["glb"](tmp_path / "x.glb")
    for i, joint in enumerate(H36M_17.joints):
        np.testing.assert_allclose(person[joint], y_up(noisy)[:, i], atol=1e-5, err_msg=joint)


def test_bones_of_constant_length_are_not_animated_in_place(tmp_path):
    write_glb(tmp_path / "x.glb", moving(frames=20))

    tree, _ = gltf(tmp_path / "x.glb")
    moved = {
        tree["nodes"][channel["target"]["node"]]["name"]
        for channel in tree["animations"][0]["channels"]
        if channel["target"]["path"] == "translation"
    }
    assert moved == {"Hips"}


def test_the_file_is_what_the_standard_asks_for(tmp_path):
    write_glb(tmp_path / "x.glb", moving(frames=20, people=("Ada", "Bo")))

    tree, arrays = gltf(tmp_path / "x.glb")
    assert (tmp_path / "x.glb").stat().st_size % 4 == 0
    assert tree["asset"]["version"] == "2.0"
    samplers = tree["animations"][0]["samplers"]
    for sampler in samplers:
        times = tree["accessors"][sampler["input"]]
        assert times["min"] == [0]
        assert times["max"] == pytest.approx([19 / 30], abs=1e-6)
        assert (np.diff(arrays[sampler["input"]][:, 0]) > 0).all()
    for channel in tree["animations"][0]["channels"]:
        values = arrays[samplers[channel["sampler"]]["output"]]
        if channel["target"]["path"] == "rotation":
            np.testing.assert_allclose(np.linalg.norm(values, axis=-1), 1, atol=1e-6)
            assert ((values[1:] * values[:-1]).sum(axis=-1) >= -1e-6).all()  # the short way
    children = [child for node in tree["nodes"] for child in node.get("children", ())]
    assert len(children) == len(set(children)) == len(tree["nodes"]) - 4
    for view, accessor in zip(tree["bufferViews"], tree["accessors"], strict=True):
        wide = {5121: 1, 5123: 2, 5126: 4}[accessor["componentType"]]
        assert view["byteOffset"] % wide == 0
    assert [tree["nodes"][root]["name"] for root in tree["scenes"][0]["nodes"]] == [
        "Ada",
        "Ada body",
        "Bo",
        "Bo body",
    ]
    for mesh in tree["meshes"]:
        (primitive,) = mesh["primitives"]
        accessor = tree["accessors"][primitive["attributes"]["POSITION"]]
        corners = arrays[primitive["attributes"]["POSITION"]]
        np.testing.assert_allclose(corners.min(axis=0), accessor["min"])
        np.testing.assert_allclose(corners.max(axis=0), accessor["max"])
        normals = arrays[primitive["attributes"]["NORMAL"]]
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-6)
        assert arrays[primitive["indices"]].max() == len(corners) - 1


def test_who_is_away_is_hidden_and_that_is_said(tmp_path):
    poses = moving(frames=6, people=("Ada", "Bo"))
    holes = poses.positions.copy()
    holes[[0, 3, 4], 1] = np.nan

    remarks = write_glb(tmp_path / "x.glb", replace(poses, positions=holes))

    assert "Person Bo is hidden in 3 of 6 frames (0, 3-4) without a whole pose." in remarks
    tree, arrays = gltf(tmp_path / "x.glb")
    (scale,) = (c for c in tree["animations"][0]["channels"] if c["target"]["path"] == "scale")
    assert tree["nodes"][scale["target"]["node"]]["name"] == "Bo"
    sampler = tree["animations"][0]["samplers"][scale["sampler"]]
    assert sampler["interpolation"] == "STEP"
    np.testing.assert_array_equal(arrays[sampler["output"]][:, 0], [0, 1, 1, 0, 0, 1])
    hidden = np.concatenate(
        [v for v, _ in skinned(tree, arrays, posed(tree, arrays, 3), 1).values()]
    )
    assert np.ptp(hidden, axis=0).max() == 0


def test_it_says_what_it_is(tmp_path):
    write_glb(tmp_path / "x.glb", standing().noting("Height 1.70 m was given.", model="open"))

    tree, _ = gltf(tmp_path / "x.glb")
    assert tree["extras"]["model"] == "open"
    assert tree["extras"]["notes"] == ["Height 1.70 m was given.", "y is up, in m."]


def test_more_than_the_format_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(to_glb, "LARGEST", 20_000)

    with pytest.raises(FormatError, match=r"x\.glb: would be .* bytes.* cut the clip"):
        write_glb(tmp_path / "x.glb", moving(frames=100))

    assert not list(tmp_path.iterdir())
