"""Motions as armatures with keys, in Blender 4.2 to 5.0.

Since 4.4 an action has layers and slots, and since 5.0 no list of curves of its own.
"""

from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np

from graphlift.blender.motion import Motion, counted, keys_of, placed, resampled, whole_rate

MARK = "graphlift"
"""The custom property of an armature that was imported."""

LINEAR = 1
"""Blender's number for interpolation in a straight line."""

Curve = tuple[str, int, str, np.ndarray, np.ndarray]
"""Path of the property, index in it, group, frames and values."""


def import_motions(
    context: Any,  # noqa: ANN401
    motions: list[Motion],
    *,
    scale: float,
    at_origin: bool,
    set_rate: bool,
) -> list[str]:
    """Make an armature of each motion, selected; return what was done, one sentence each.

    Args:
        context: Blender's.
        motions: At least one; all of one frame rate.
        scale: Blender's units for a metre.
        at_origin: Whether the first person's hips begin above the origin.
        set_rate: Whether the scene takes the frame rate of the file; else keys are resampled.
    """
    fps, first = motions[0].fps, motions[0]
    said = [_rate_of_scene(context.scene, fps, set_rate), *first.remarks]
    shift = np.zeros(3)
    if at_origin:
        shift[:2] = -first.heads[np.argmax(first.present), 0, :2]
    if context.view_layer.objects.active and context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for other in context.selected_objects:
        other.select_set(False)
    for motion in motions:
        armature = _armature(context, placed(motion, scale, shift))
        last = _animate(context.scene, armature, placed(motion, scale, shift))
        context.scene.frame_end = max(context.scene.frame_end, last)
        if not motion.present.all():
            absent = int((~motion.present).sum())
            said.append(
                f"{armature.name} has no keys in {counted(absent, 'frame')} without a whole pose"
            )
    return said


def _rate_of_scene(scene: Any, fps: float, set_rate: bool) -> str:  # noqa: ANN401
    """Set the frame rate of the scene, or leave it; say which."""
    render = scene.render
    before = render.fps / render.fps_base
    if abs(before - fps) < 1e-4 * fps:
        return f"{fps:.6g} fps, as the scene has"
    if not set_rate:
        return f"resampled from {fps:.6g} to the scene's {before:.6g} fps"
    render.fps, render.fps_base = whole_rate(fps)
    return f"the scene's frame rate was {before:.6g} fps and is now {fps:.6g}"


def _armature(context: Any, motion: Motion) -> Any:  # noqa: ANN401
    """Make the bones at rest, in the world's axes."""
    name = motion.person[:50] or "person"
    data = bpy.data.armatures.new(name)
    made = bpy.data.objects.new(name, data)
    made[MARK] = motion.person
    context.collection.objects.link(made)
    context.view_layer.objects.active = made
    made.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    for i, bone in enumerate(motion.bones):
        edited = data.edit_bones.new(bone)
        edited.head = motion.rest_heads[i]
        edited.tail = motion.rest_heads[i] + motion.rest_axes[i, :, 1] * motion.lengths[i]
        edited.align_roll(motion.rest_axes[i, :, 2])
        if motion.parents[i] >= 0:
            edited.parent = data.edit_bones[motion.bones[motion.parents[i]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return made


def _animate(scene: Any, armature: Any, motion: Motion) -> int:  # noqa: ANN401
    """Key the bones in each frame with the person; return the last frame."""
    rest = np.array([np.array(armature.data.bones[bone].matrix_local) for bone in motion.bones])
    turns, places = keys_of(motion, rest[:, :3, 3], rest[:, :3, :3])
    fps, there = scene.render.fps / scene.render.fps_base, motion.present
    if abs(fps - motion.fps) >= 1e-4 * fps:
        count = int((len(there) - 1) / motion.fps * fps + 1e-6) + 1
        times = np.arange(count) / fps * motion.fps
        turns, places, there = resampled(times, turns, places, there)
    frames = scene.frame_start + np.flatnonzero(there)
    curves: list[Curve] = []
    for i, bone in enumerate(motion.bones):
        armature.pose.bones[bone].rotation_mode = "QUATERNION"
        path = f'pose.bones["{bone}"]'
        turned = f"{path}.rotation_quaternion"
        curves += [(turned, axis, bone, frames, turns[there, i, axis]) for axis in range(4)]
        moved = places[there, i]
        if i == 0 or np.abs(moved).max(initial=0) > 1e-5:
            to = f"{path}.location"
            curves += [(to, axis, bone, frames, moved[:, axis]) for axis in range(3)]
    new_action(armature, f"{armature.name} motion", curves)
    return int(scene.frame_start + len(there) - 1)


def new_action(owner: Any, name: str, curves: Iterable[Curve]) -> Any:  # noqa: ANN401
    """Give an object a new action with these curves; the one that it had is kept in the file."""
    animation = owner.animation_data or owner.animation_data_create()
    if animation.action is not None:
        animation.action.use_fake_user = True  # else it would be gone when the file is saved
    action = bpy.data.actions.new(name)
    if hasattr(action, "layers"):
        slot = action.slots.new(id_type="OBJECT", name=owner.name)
        strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
        bag = strip.channelbag(slot, ensure=True)
        animation.action = action
        animation.action_slot = slot
        holder, groups = bag.fcurves, bag.groups
    else:
        animation.action = action
        holder, groups = action.fcurves, action.groups
    for path, index, group, frames, values in curves:
        curve = holder.new(path, index=index)
        curve.group = groups.get(group) or groups.new(group)
        points = curve.keyframe_points
        points.add(len(frames))
        points.foreach_set("co", np.column_stack([frames, values]).astype("f").ravel())
        points.foreach_set("interpolation", np.full(len(frames), LINEAR, dtype="i"))
        curve.update()
    return action


def world_rotation(matrix: Any) -> Any:  # noqa: ANN401
    """The turn of a matrix of an object or bone without its scale, 3x3."""
    return matrix.to_quaternion().to_matrix()


def rest_in_world(owner: Any, bone: str) -> tuple[Any, Any]:  # noqa: ANN401
    """Where a bone starts at rest, and its turn (3x3), in the world."""
    matrix = owner.matrix_world @ owner.data.bones[bone].matrix_local
    return matrix.translation.copy(), world_rotation(matrix)
