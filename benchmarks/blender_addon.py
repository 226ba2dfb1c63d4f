"""Use the add-on in Blender: how far joints and limbs are off, how long it takes, and a picture.

    python3.11 -m venv blender-venv          # Blender 5.0's module is made for Python 3.11
    blender-venv/bin/pip install bpy==5.0.1 -e .
    blender-venv/bin/python benchmarks/blender_addon.py [MOTION.npz] [--picture blender.jpg]

The motion, or poses of the embedded prior, is imported; then it is retargeted to Rigify's human
metarig, and, with --generate, to the rig that Rigify generates of it. Joints must be within 0.1 mm
of the file's and limbs within 0.1 degrees of ours.
The picture, by Cycles, has the imported bones and, 1 m beside them, the metarig's, as tubes.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from graphlift.blender.compose import write_addon
from graphlift.blender.solving import NAMES, SEVENTEEN, STARTS
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.formats import write_poses
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17

LIMBS = [("Arm", "ForeArm"), ("ForeArm", "Hand"), ("UpLeg", "Leg"), ("Leg", "Foot")]
RIGIFY = {"Arm": "upper_arm", "ForeArm": "forearm", "Hand": "hand", "UpLeg": "thigh",
          "Leg": "shin", "Foot": "foot"}  # fmt: skip
SHOWN = ("spine", "shoulder", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
"""Bones of the metarig that are drawn."""


def simulated(path):
    """Write poses of the embedded prior, unrelated from frame to frame, at one place."""
    clips = sample_prior("train", people=1, poses=400, seed=0).clips
    wanted = ("dance", "fight", "jump", "run")
    joints = np.concatenate([c.positions for c in clips if c.activity in wanted])[:60].astype(
        float
    )
    joints -= joints[:, [0]] * [1, 1, 0]
    write_poses(path, Poses(joints[:, None], H36M_17, axes="world", rooted=False, fps=30.0))
    return path


def world(owner, bone, end="head"):
    return owner.matrix_world @ getattr(owner.pose.bones[bone], end)


def joints_off(owner, path, frames):
    """Largest distance of a joint from the file's, m; of poses in world axes, by NumPy alone."""
    with np.load(path, allow_pickle=False) as file:
        poses, about = file["poses"][:, 0], json.loads(str(file["about"]))
    assert about["axes"] == "world", "give poses with world axes"
    at = [about["skeleton"]["joints"].index(joint) for joint in SEVENTEEN]
    off = 0.0
    for frame in frames:
        bpy.context.scene.frame_set(int(frame) + 1)
        there = np.array([world(owner, name) for name in NAMES])
        off = max(off, np.abs(there - poses[frame][at][STARTS]).max())
    return off


def limbs_off(source, target, suffix, frames):
    """Largest angle between a limb of the rig and ours, degrees."""
    off = 0.0
    for frame in frames:
        bpy.context.scene.frame_set(int(frame) + 1)
        for side in ("Left", "Right"):
            for near, far in LIMBS:
                ours = world(source, side + far) - world(source, side + near)
                bones = [f"{RIGIFY[limb]}{suffix}.{side[0]}" for limb in (near, far)]
                theirs = world(target, bones[1]) - world(target, bones[0])
                off = max(off, math.atan2(ours.cross(theirs).length, ours.dot(theirs)))
    return math.degrees(off)


def retarget(source, target):
    """Retarget as the panel does; return s."""
    for each in bpy.context.selected_objects:
        each.select_set(False)
    for each in (source, target):
        each.select_set(True)
    bpy.context.view_layer.objects.active = target
    started = time.perf_counter()
    bpy.ops.pose.graphlift_retarget()
    return time.perf_counter() - started


def colour(name, rgb):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*rgb, 1)
    return made


def draw(owner, bones, paint):
    """Draw bones as tubes where they are in the current frame."""
    for bone in bones:
        start, end = world(owner, bone), world(owner, bone, "tail")
        along = end - start
        bpy.ops.mesh.primitive_cylinder_add(
            radius=0.03, depth=along.length, location=(start + end) / 2,
            rotation=along.to_track_quat("Z", "Y").to_euler(),
        )  # fmt: skip
        bpy.context.object.data.materials.append(paint)
        for place in (start, end):
            bpy.ops.mesh.primitive_uv_sphere_add(radius=0.036, location=place)
            bpy.context.object.data.materials.append(paint)


def picture(path, source, metarig, frames):
    """Render some frames side by side, with Cycles on the CPU."""
    scene, red, blue = (
        bpy.context.scene,
        colour("ours", (0.8, 0.2, 0.1)),
        colour("rig", (0.1, 0.3, 0.8)),
    )
    for number, frame in enumerate(frames):
        scene.frame_set(int(frame) + 1)
        shift = Vector((2.2 * number, 0, 0))
        source.location, metarig.location = shift, shift + Vector((1, 0, 0))
        bpy.context.view_layer.update()
        draw(source, [bone for bone in NAMES if bone != "Hips"], red)
        draw(metarig, [b.name for b in metarig.pose.bones if b.name.startswith(SHOWN)], blue)
    middle = 2.2 * (len(frames) - 1) / 2 + 0.5
    bpy.ops.mesh.primitive_plane_add(size=60)
    bpy.ops.object.light_add(type="SUN", rotation=(0.7, 0.35, 0))
    bpy.context.object.data.energy = 3
    scene.world = bpy.data.worlds.new("sky")
    scene.world.color = (0.6, 0.6, 0.6)
    bpy.ops.object.camera_add(location=(middle, -10, 1.5), rotation=(math.radians(87), 0, 0))
    scene.camera = bpy.context.object
    scene.camera.data.angle = 2 * math.atan((middle + 0.6) / 10)
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 24, False
    scene.render.resolution_x, scene.render.resolution_y = 900, 340
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 85
    scene.render.filepath = str(path.absolute())
    bpy.ops.render.render(write_still=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("motion", nargs="?", type=Path, help=".npz of one person, world axes")
    parser.add_argument("--picture", type=Path, help="JPEG to write")
    parser.add_argument("--generate", action="store_true", help="a generated Rigify, too")
    options = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with tempfile.TemporaryDirectory() as folder:
        write_addon(Path(folder) / "graphlift_motion.py")
        sys.path.insert(0, folder)
        bpy.ops.preferences.addon_enable(module="graphlift_motion")
        bpy.ops.preferences.addon_enable(module="rigify")
        motion = options.motion or simulated(Path(folder) / "prior.npz")
        measure(motion, options)


def measure(motion, options):
    bpy.ops.import_anim.graphlift(filepath=str(motion))
    source = bpy.context.view_layer.objects.active
    count = round(source.animation_data.action.frame_range[1])
    frames = np.unique(np.linspace(0, count - 1, 20).astype(int))
    off = joints_off(source, motion, frames)
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    rigs = [("metarig", metarig, "")]
    if options.generate:
        source.select_set(False)
        bpy.ops.pose.rigify_generate()
        others = {source, metarig}
        (made,) = {o for o in bpy.data.objects if o.type == "ARMATURE"} - others
        rigs.append(("generated", made, "_fk"))
    print(f"Blender {bpy.app.version_string}: joints at most {1000 * off:.4f} mm off")
    wrong = off > 1e-4
    for name, rig, suffix in rigs:
        seconds = retarget(source, rig)
        angle = limbs_off(source, rig, suffix, frames)
        wrong |= angle > 0.1
        took = 1000 * seconds / count
        print(f"{name}: limbs at most {angle:.4f} degrees off, {took:.0f} ms a frame")
    if options.picture:
        picture(options.picture, source, metarig, frames[[0, 9, -1]])
    if wrong:
        sys.exit("more than 0.1 mm or 0.1 degrees off")


if __name__ == "__main__":
    main()
