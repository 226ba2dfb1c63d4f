"""Run by a Python that has Blender's ``bpy``: use the add-on as users do, and tell what came out.

    python in_blender.py FOLDER

The folder has the add-on ``graphlift_motion.py`` and ``jobs.json``, a list of jobs; the answers go
to ``told.json``. Nothing of graphlift is imported.
"""

import contextlib
import json
import math
import os
import sys
import tempfile
from pathlib import Path

import bpy
from mathutils import Vector

FOLDER = Path(sys.argv[1])
CHAIN = ("Spine", "Spine1", "Spine2", "Neck", "Head", "HeadTop_End")
RIGIFY = {"Arm": "upper_arm", "ForeArm": "forearm", "Hand": "hand", "UpLeg": "thigh",
          "Leg": "shin", "Foot": "foot"}  # fmt: skip
LIMBS = (("Arm", "ForeArm"), ("ForeArm", "Hand"), ("UpLeg", "Leg"), ("Leg", "Foot"))


@contextlib.contextmanager
def heard():
    """Collect what Blender prints, which it does in C; a list with one text, once it is over."""
    said, before = [""], os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield said
        finally:
            sys.stdout.flush()
            os.dup2(before, 1)
            os.close(before)
            file.seek(0)
            said[0] = file.read().decode()


def fresh(fps=24):
    """An empty scene of that frame rate, with the add-on as it is installed."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if not (FOLDER / "user").exists():
        bpy.ops.preferences.addon_install(filepath=str(FOLDER / "graphlift_motion.py"))
        (FOLDER / "user").mkdir(exist_ok=True)
    bpy.ops.preferences.addon_enable(module="graphlift_motion")
    bpy.context.scene.render.fps = fps


def armatures():
    return [each for each in bpy.data.objects if each.type == "ARMATURE"]


def heads(owner, frame, bones=None):
    """Where bones start in the world, by name."""
    bpy.context.scene.frame_set(frame)
    return {
        bone.name: list(owner.matrix_world @ bone.head)
        for bone in owner.pose.bones
        if bones is None or bone.name in bones
    }


def curves_of(action):
    """The curves of an action, before and since Blender 4.4."""
    if not hasattr(action, "layers"):
        return list(action.fcurves)
    return [c for bag in action.layers[0].strips[0].channelbags for c in bag.fcurves]


def do_import(file, options=None, frames=(1,), fps=24):
    """Import a file into an empty scene; tell where the bones are."""
    fresh(fps)
    try:
        with heard() as said:
            bpy.ops.import_anim.graphlift(filepath=str(FOLDER / file), **(options or {}))
    except RuntimeError as error:
        return {"error": str(error), "objects": len(bpy.data.objects)}
    scene = bpy.context.scene
    people = []
    for each in armatures():
        curves = curves_of(each.animation_data.action)
        people.append({
            "name": each.name,
            "heads": {str(frame): heads(each, frame) for frame in frames},
            "rest": {bone.name: [list(v) for v in bone.matrix_local] for bone in each.data.bones},
            "keys": sorted({k.co.x for k in curves[0].keyframe_points}),
            "paths": sorted({c.data_path.rpartition(".")[2] for c in curves}),
            "linear": all(k.interpolation == "LINEAR" for k in curves[0].keyframe_points),
        })  # fmt: skip
    rate = scene.render.fps / scene.render.fps_base
    return {"people": people, "fps": rate, "end": scene.frame_end, "said": said[0]}


def mixamo(prefix, droop):
    """A rig as Mixamo's FBX comes in: cm, y up, scaled by 0.01 and turned.

    Args:
        prefix: Of every name.
        droop: How far the arms hang down at rest, rad.
    """
    made = new_armature("character")
    made.scale, made.rotation_euler = (0.01,) * 3, (math.pi / 2, 0, 0)
    places = {"Hips": (0, 100, 0, ""), "Spine": (0, 110, -1, "Hips")}
    above = "Spine"
    for name, y, z in zip(CHAIN[1:], (122, 135, 150, 160, 180), (-1, -2, -2, 1, 2), strict=True):
        places[name], above = (0, y, z, above), name
    for word, side in (("Left", 1), ("Right", -1)):
        places[f"{word}Shoulder"] = (side * 6, 147, -2, "Spine2")
        above = f"{word}Shoulder"
        for name, far, back in (("Arm", 0, 0), ("ForeArm", 27, 2), ("Hand", 53, 0)):
            x, y = 18 + far * math.cos(droop), 146 - far * math.sin(droop)
            places[word + name], above = (side * x, y, -3 - back, above), word + name
        above = "Hips"
        for name, x, y, z in (("UpLeg", 9, 94, 0), ("Leg", 9.5, 52, 1), ("Foot", 9, 9, -1),
                              ("ToeBase", 10, 2, 12)):  # fmt: skip
            places[word + name], above = (side * x, y, z, above), word + name
    add_bones(made, {prefix + name: (place[:3], place[3] and prefix + place[3])
                     for name, place in places.items()})  # fmt: skip
    return made


def metarig():
    """Rigify's own human metarig."""
    import addon_utils  # is there once bpy is imported

    addon_utils.enable("rigify", default_set=True)
    with heard():
        bpy.ops.object.armature_human_metarig_add()
    return bpy.context.object


def generated(turned):
    """Bones as a generated Rigify has them, among them such that constraints move.

    Args:
        turned: Degrees about the vertical by which the rig is turned.
    """
    made = new_armature("rig")
    made.rotation_euler.z = math.radians(turned)
    bones = {
        "root": ((0, 0, 0), ""),
        "MCH-torso.parent": ((0, 0, 1), "root"),
        "torso": ((0, 0.03, 1.08), "MCH-torso.parent"),
        "chest": ((0, 0, 1.3), "torso"),
        "ORG-spine": ((0, 0, 1), "torso"),
        "ORG-spine.003": ((0, 0, 1.45), "torso"),
        "neck": ((0, 0, 1.6), "ORG-spine.003"),
        "head": ((0, -0.03, 1.7), "neck"),
    }
    for side, x in (("L", 1), ("R", -1)):
        bones |= {
            f"upper_arm_parent.{side}": ((0.2 * x, 0, 1.5), "ORG-spine.003"),
            f"MCH-upper_arm_parent.{side}": ((0.2 * x, 0, 1.5), "ORG-spine.003"),
            f"upper_arm_fk.{side}": ((0.2 * x, 0, 1.5), f"MCH-upper_arm_parent.{side}"),
            f"forearm_fk.{side}": ((0.4 * x, 0.03, 1.3), f"upper_arm_fk.{side}"),
            f"hand_fk.{side}": ((0.6 * x, 0, 1.1), f"forearm_fk.{side}"),
            f"thigh_parent.{side}": ((0.1 * x, 0, 1), "ORG-spine"),
            f"thigh_fk.{side}": ((0.1 * x, 0, 1), "ORG-spine"),
            f"shin_fk.{side}": ((0.1 * x, -0.03, 0.5), f"thigh_fk.{side}"),
            f"MCH-foot_fk.{side}": ((0.1 * x, 0, 0.1), f"shin_fk.{side}"),
            f"foot_fk.{side}": ((0.1 * x, 0, 0.1), f"MCH-foot_fk.{side}"),
        }
    add_bones(made, bones)
    for side in "LR":
        for limb in ("upper_arm", "thigh"):
            made.pose.bones[f"{limb}_parent.{side}"]["IK_FK"] = 0.0
        made.pose.bones[f"upper_arm_fk.{side}"].rotation_mode = "YXZ"
        made.pose.bones[f"shin_fk.{side}"].rotation_mode = "AXIS_ANGLE"
        copy = made.pose.bones[f"MCH-upper_arm_parent.{side}"].constraints.new("COPY_ROTATION")
        copy.target, copy.subtarget = made, "root"  # as with "FK limb follow" off
    follow = made.pose.bones["ORG-spine.003"].constraints.new("COPY_ROTATION")
    follow.target, follow.subtarget = made, "chest"
    return made


def new_armature(name):
    made = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made
    return made


def add_bones(owner, places):
    """Add bones from where they start; they end at a child, or a little higher."""
    bpy.ops.object.mode_set(mode="EDIT")
    size = max(max(map(abs, place)) for place, _ in places.values())
    for name, (place, above) in places.items():
        bone = owner.data.edit_bones.new(name)
        ends = [Vector(p) for p, a in places.values() if a == name and p != place]
        bone.head, bone.tail = (
            place,
            ends[0] if ends else Vector(place) + Vector((0, 0, size / 20)),
        )
        bone.parent = owner.data.edit_bones.get(above)
    bpy.ops.object.mode_set(mode="OBJECT")


def do_retarget(file, rig, frames, prefix="", droop=0.0, turned=0.0, moved=(0, 0, 0)):
    """Import, add a rig that has an action already, retarget; tell where limbs are in both."""
    fresh()
    with heard():
        bpy.ops.import_anim.graphlift(filepath=str(FOLDER / file))
    (source,) = armatures()
    source.location = moved
    make = {"mixamo": lambda: mixamo(prefix, droop), "metarig": metarig,
            "generated": lambda: generated(turned)}[rig]  # fmt: skip
    target = make()
    target.animation_data_create().action = bpy.data.actions.new("walk by hand")
    bpy.context.scene.frame_set(7)
    for each in bpy.context.selected_objects:
        each.select_set(False)
    source.select_set(True)
    target.select_set(True)
    bpy.context.view_layer.objects.active = target
    with heard() as said:
        bpy.ops.pose.graphlift_retarget()
    now = bpy.context.scene.frame_current

    def name(word, limb):
        if rig == "mixamo":
            return prefix + word + limb
        return f"{RIGIFY[limb]}{'_fk' if rig == 'generated' else ''}.{word[0]}"

    told = []
    for frame in frames:
        ours, theirs = heads(source, frame), heads(target, frame)
        limbs = {
            word + near: [
                list(Vector(ours[word + far]) - Vector(ours[word + near])),
                list(Vector(theirs[name(word, far)]) - Vector(theirs[name(word, near)])),
            ]
            for word in ("Left", "Right")
            for near, far in LIMBS
        }
        sides = {word: theirs[name(word, "Foot")] for word in ("Left", "Right")}
        hips = [theirs[name(word, "UpLeg")] for word in ("Left", "Right")]
        told.append(
            {
                "limbs": limbs,
                "feet": sides,
                "our hips": ours["Hips"],
                "hips": hips,
                "our feet": {word: ours[f"{word}Foot"] for word in ("Left", "Right")},
            }
        )
    switches = [
        bone["IK_FK"] for bone in target.pose.bones if "IK_FK" in bone
    ]  # fmt: skip
    kept = bpy.data.actions.get("walk by hand")
    return {
        "frames": told,
        "said": said[0],
        "switches": switches,
        "now": now,
        "legs": [leg(source, lambda word, limb: word + limb), leg(target, name)],
        "kept": bool(kept and kept.use_fake_user),
        "action": target.animation_data.action.name,
        "paths": sorted({c.data_path for c in curves_of(target.animation_data.action)}),
    }


def leg(owner, name):
    """The length of a leg at rest, in the world."""
    at = [owner.matrix_world @ owner.data.bones[name("Left", limb)].head_local
          for limb in ("UpLeg", "Leg", "Foot")]  # fmt: skip
    return (at[1] - at[0]).length + (at[2] - at[1]).length


def do_refuse(rig):
    """Retarget to what is no rig, or from what is no motion."""
    fresh()
    source = mixamo("", 0.0)
    target = new_armature("thing")
    add_bones(target, {"a": ((0, 0, 0), ""), "LeftArm": ((0, 0, 1), "a")})
    if rig == "unknown":
        bpy.ops.import_anim.graphlift(filepath=str(FOLDER / "one.npz"))
        source = bpy.context.view_layer.objects.active
    for each in (source, target):
        each.select_set(True)
    others = [each for each in armatures() if each not in (source, target)]
    for each in others:
        each.select_set(False)
    bpy.context.view_layer.objects.active = target
    try:
        bpy.ops.pose.graphlift_retarget()
    except RuntimeError as error:
        return {"error": str(error), "actions": [a.name for a in bpy.data.actions],
                "still": target.animation_data is None}  # fmt: skip
    return {"error": ""}


def do_menu():
    """What File > Import has, and what is left when the add-on is disabled."""
    fresh()
    module = sys.modules["graphlift_motion"]
    shown = module.menu_entry in bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()
    bpy.ops.preferences.addon_disable(module="graphlift_motion")
    left = module.menu_entry in bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()
    return {"shown": shown, "left": left, "operator": hasattr(bpy.types, "GRAPHLIFT_OT_import")}


JOBS = {"import": do_import, "retarget": do_retarget, "refuse": do_refuse, "menu": do_menu}

if __name__ == "__main__":
    answers = {}
    for title, (kind, arguments) in json.loads((FOLDER / "jobs.json").read_text()).items():
        answers[title] = JOBS[kind](**arguments)
    answers["version"] = bpy.app.version_string
    (FOLDER / "told.json").write_text(json.dumps(answers))
    sys.stdout.flush()
    os._exit(0)  # with Rigify enabled, the module of Blender 4.2 crashes when Python ends
