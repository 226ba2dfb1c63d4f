from dataclasses import replace

import numpy as np
import pytest
import trimesh
from readback import NAMES, READERS, gltf, matrix, moving, posed, standing

from graphlift.errors import FormatError
from graphlift.formats import to_glb
from graphlift.formats.to_glb import write_glb
from graphlift.skeletons import H36M_17


def y_up(poses, person=0):
    return poses.positions[:, person][..., [0, 2, 1]] * [1, 1, -1]


def test_trimesh_sees_someone_in_a_t_pose_on_the_ground(tmp_path):
    write_glb(tmp_path / "x.glb", standing())

    scene = trimesh.load(tmp_path / "x.glb")
    (x0, y0, z0), (x1, y1, z1) = scene.bounds
    assert x1 - x0 == pytest.approx(0.36 + 4 * 0.28 - 2 * 0.04 + 2 * 0.08, abs=0.05)  # arm span
    assert (y0, y1) == (pytest.approx(0, abs=0.05), pytest.approx(1.66, abs=0.05))
    assert z1 - z0 < 0.4  # flat, but for the toes
    at = {name: scene.graph[node][0][:3, 3] for node, name in NAMES.items()}
    assert at["LWrist"][0] > at["LShoulder"][0] > at["Thorax"][0] > at["RWrist"][0]
    np.testing.assert_allclose(at["Hip"], [1, 0.92, -2], atol=1e-6)


def test_what_is_drawn_is_solid_and_faces_outwards(tmp_path):
    write_glb(tmp_path / "x.glb", standing())

    scene = trimesh.load(tmp_path / "x.glb")
    assert len(scene.geometry) >= 2
    colours = set()
    for mesh in scene.geometry.values():
        mesh.merge_vertices(merge_norm=True)
        assert mesh.is_watertight
        assert mesh.volume > 0
        red, _, blue, _ = mesh.visual.material.baseColorFactor
        colours.add("red" if red > blue + 50 else "blue" if blue > red + 50 else "grey")
    assert colours == {"red", "blue", "grey"}


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
    # Each bone ends where the next joint is, and those of the left are blue.
    bone, mesh = scene.graph["LeftForeArm.bone"]
    end = bone @ [0, 1, 0, 1]
    wrist = y_up(poses)[frame, H36M_17.index("LWrist")[0]]
    np.testing.assert_allclose(end[:3], wrist, atol=1e-4)
    assert "left" in mesh


def test_bones_that_change_length_are_exact_all_the_same(tmp_path, rng):
    poses = moving(frames=20)
    noisy = replace(poses, positions=poses.positions + rng.normal(0, 0.03, (20, 1, 17, 3)))

    write_glb(tmp_path / "x.glb", noisy)

    (person,), _ = READERS["glb"](tmp_path / "x.glb")
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
    assert len(children) == len(set(children)) == len(tree["nodes"]) - 2
    for mesh in tree["meshes"]:
        (primitive,) = mesh["primitives"]
        corners = arrays[primitive["attributes"]["POSITION"]].reshape(-1, 3, 3)
        accessor = tree["accessors"][primitive["attributes"]["POSITION"]]
        np.testing.assert_allclose(corners.min(axis=(0, 1)), accessor["min"])
        normals = arrays[primitive["attributes"]["NORMAL"]].reshape(-1, 3, 3)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-6)
        outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert ((outward[:, None] * normals).sum(axis=-1) > 0).all()


def test_who_is_away_is_hidden_and_that_is_said(tmp_path):
    poses = moving(frames=6, people=("Ada", "Bo"))
    holes = poses.positions.copy()
    holes[[0, 3, 4], 1] = np.nan

    remarks = write_glb(tmp_path / "x.glb", replace(poses, positions=holes))

    assert "Person Bo is hidden in 3 of 6 frames (0, 3-4) without a whole pose." in remarks
    tree, arrays = gltf(tmp_path / "x.glb")
    names = [tree["nodes"][root]["name"] for root in tree["scenes"][0]["nodes"]]
    assert names == ["Ada", "Bo"]
    (scale,) = (c for c in tree["animations"][0]["channels"] if c["target"]["path"] == "scale")
    assert tree["nodes"][scale["target"]["node"]]["name"] == "Bo"
    sampler = tree["animations"][0]["samplers"][scale["sampler"]]
    assert sampler["interpolation"] == "STEP"
    np.testing.assert_array_equal(arrays[sampler["output"]][:, 0], [0, 1, 1, 0, 0, 1])


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
