"""Import BVH and GLB into Blender, and compare joints and body with the poses frame by frame.

    python3.11 -m venv blender-venv          # Blender 5.0's module is made for Python 3.11
    blender-venv/bin/pip install bpy==5.0.1 -e .
    blender-venv/bin/python benchmarks/check_in_blender.py [POSES.npz ...]

Checked are simulated poses of two people, one of whom is away for some frames, such poses with
bones that change length, and the files that are given. Every person must become one armature and,
of a GLB, one mesh that it moves, with nothing else in the scene; joints must be within 0.1 mm and
the middles of the body's capsules too where bones keep their length.
"""

import argparse
import contextlib
import io
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from graphlift import read_poses, write_poses
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.formats import armature
from graphlift.formats.retarget import rigged_people
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17

ALLOWED = 1e-4
"""m."""


def simulated_motions():
    """Poses of the embedded prior, unrelated from frame to frame, at two frame rates."""
    frames, people = 40, ("Ada", "Bo")
    clips = sample_prior("train", people=2, poses=4 * frames, seed=3).clips
    own = {clip.subject: [] for clip in clips}
    for clip in clips:
        own[clip.subject].append(clip.positions)
    joints = np.stack([np.concatenate(own[s])[:frames] for s in sorted(own)], axis=1).astype(float)
    steady = Poses(joints, H36M_17, axes="world", rooted=False, fps=30.0, people=people)
    away = joints.copy()
    away[[0, 7, 8, 39], 1] = np.nan
    noise = np.random.default_rng(0).normal(0, 0.02, joints.shape)
    return {
        "simulated": steady,
        "one away": replace(steady, positions=away),
        "bones of changing length, 59.94 fps": replace(
            steady, positions=joints + noise, fps=60 / 1.001
        ),
    }


def import_file(path, fps):
    """Import into an empty scene of that frame rate; return its armatures and meshes by name."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    render = bpy.context.scene.render
    # Blender 5.0's reader of glTF multiplies by fps_base where the scene's rate is fps / fps_base:
    # so its keys fall on whole frames.
    render.fps, render.fps_base = round(fps), fps / round(fps)
    with contextlib.redirect_stdout(io.StringIO()):
        if path.suffix == ".glb":
            bpy.ops.import_scene.gltf(filepath=str(path), disable_bone_shape=True)
        else:
            bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01)
    kinds = {
        kind: [o for o in bpy.data.objects if o.type == kind] for kind in ("ARMATURE", "MESH")
    }
    others = [o.name for o in bpy.data.objects if o.type not in kinds]
    assert not others, f"{path.name}: {others} beside armature and mesh"
    return kinds["ARMATURE"], kinds["MESH"]


def joints_of(armature):
    """Where the joints of a pose are in the current frame, m, Blender's axes (z up)."""
    bones, found = armature.pose.bones, np.empty((17, 3))
    for node, at in zip(armature.NODES, armature.AT, strict=True):
        found[at] = armature.matrix_world @ bones[node.name].head
    end = bones.get("HeadTop_End")
    found[armature.TIPS[5]] = armature.matrix_world @ (end.head if end else bones["Head"].tail)
    return found


def middles_of(mesh):
    """Middle of the vertices of each bone's capsule in the current frame, by the bone's name."""
    moved = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    places = np.array([mesh.matrix_world @ vertex.co for vertex in moved.vertices])
    owner = np.array([max(v.groups, key=lambda g: g.weight).group for v in mesh.data.vertices])
    return {mesh.vertex_groups[g].name: places[owner == g].mean(axis=0) for g in np.unique(owner)}


def compare(armature, mesh, person, first):
    """Largest distances of joints and of capsules' middles from a person's poses, m."""
    off, off_body = 0.0, 0.0
    for frame in np.flatnonzero(person.present):
        bpy.context.scene.frame_set(int(frame) + first)
        x, y, z = person.positions[frame].T
        pose = np.stack([x, -z, y], axis=-1)
        off = max(off, np.abs(joints_of(armature) - pose).max())
        if mesh:
            middles = middles_of(mesh)
            for node, at, tip in zip(armature.NODES, armature.AT, armature.TIPS, strict=True):
                if tip >= 0:
                    middle = middles[node.name] - (pose[at] + pose[tip]) / 2
                    off_body = max(off_body, np.abs(middle).max())
    return off, off_body


def check(name, poses, folder):
    """Write, import and compare both kinds; return rows of the table."""
    people, _ = rigged_people(folder / "x.bvh", poses)
    fps, rows = poses.fps or 30.0, []
    spread = (np.ptp(person_lengths(p.positions[p.present]), axis=0).max() for p in people)
    steady = max(spread) < 1e-5
    write_poses(folder / "x.glb", poses)
    armatures, meshes = import_file(folder / "x.glb", fps)
    assert len(armatures) == len(meshes) == len(people), f"{name}: not one armature a person"
    for person in people:
        (armature,) = (a for a in armatures if a.name == person.name)
        (mesh,) = (m for m in meshes if m.parent == armature)
        assert [m.object for m in mesh.modifiers] == [armature], f"{name}: the mesh is not bound"
        off, off_body = compare(armature, mesh, person, first=0)
        rows.append((name, "GLB", person, len(armature.data.bones), off, off_body, steady))
    write_poses(folder / "x.bvh", poses)
    for person in people:
        path = folder / ("x.bvh" if len(people) == 1 else f"x.{person.name}.bvh")
        (armature,), nothing = import_file(path, fps)
        assert not nothing
        off, _ = compare(armature, None, person, first=1)
        if steady:  # a BVH has constant bone lengths, and says by how much it moves the others
            rows.append((name, "BVH", person, len(armature.data.bones), off, None, steady))
    return rows


def person_lengths(positions):
    """Lengths of the bones, (frame, bone)."""
    at, tips = np.array([p for p in zip(armature.AT, armature.TIPS, strict=True) if p[1] >= 0]).T
    return np.linalg.norm(positions[:, tips] - positions[:, at], axis=-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("poses", nargs="*", type=Path, help=".npz of poses")
    motions = simulated_motions()
    motions |= {path.name: read_poses(path) for path in parser.parse_args().poses}
    print(f"Blender {bpy.app.version_string}")
    print("| motion | file | person | frames | bones | joints off, mm | body off, mm |")
    print("|---|---|---|---:|---:|---:|---:|")
    wrong = 0
    for name, poses in motions.items():
        with tempfile.TemporaryDirectory() as folder:
            rows = check(name, poses, Path(folder))
        for name_, kind, person, bones, off, off_body, steady in rows:
            body = "" if off_body is None else f"{1000 * off_body:.3f}"
            frames = int(person.present.sum())
            print(
                f"| {name_} | {kind} | {person.name} | {frames} | {bones} | {1000 * off:.3f} | "
                f"{body} |"
            )
            wrong += off > ALLOWED or (steady and (off_body or 0) > ALLOWED)
    if wrong:
        sys.exit(f"{wrong} of them are more than {1000 * ALLOWED:g} mm off")


if __name__ == "__main__":
    main()
