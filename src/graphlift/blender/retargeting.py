"""Motion from an armature of ours to a rig, turn by turn in the world.

A bone of the rig turns from its rest pose as ours turns from the T-pose. Limbs are first aligned:
the smallest turn takes each from where it rests, say, in an A-pose, to where ours rests. So arms
and legs point exactly where ours do. The path of the pelvis is scaled by the lengths of the legs.

The rig's own constraints and drivers stay in force: a bone that hangs on one that was not computed
here is expressed against what Blender evaluates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from graphlift.blender.building import Curve, new_action, rest_in_world, world_rotation
from graphlift.blender.motion import MotionError, brief, counted
from graphlift.blender.rigs import OURS, Follow, Rig, find_rig


def check_source(source: Any) -> None:  # noqa: ANN401
    """Refuse an armature that is not ours, or does not move.

    Raises:
        MotionError: Naming the armature.
    """
    lacking = OURS - {bone.name for bone in source.data.bones}
    if lacking:
        raise MotionError(
            f"{brief(source.name)}: has not the bones of an imported motion "
            f"({', '.join(sorted(lacking)[:4])}): import one by File > Import > graphlift motion"
        )
    if source.animation_data is None or source.animation_data.action is None:
        raise MotionError(f"{brief(source.name)}: has no action: there is no motion to take")


def retarget(context: Any, source: Any, target: Any) -> list[str]:  # noqa: ANN401
    """Bake the motion of one armature into a new action of another.

    Args:
        context: Blender's.
        source: An armature that was imported.
        target: The rig.

    Returns:
        What was done, one sentence each.

    Raises:
        MotionError: If one of them is not what it should be; nothing is changed then.
    """
    check_source(source)
    rig = find_rig([bone.name for bone in target.data.bones], target.name)
    ours, theirs = _Rest(source, None), _Rest(target, rig)
    if min(ours.leg, theirs.leg) < 1e-6:
        raise MotionError(f"{brief(target.name)}: its legs have no length")
    first, last = (round(end) for end in source.animation_data.action.frame_range)
    kept = target.animation_data and target.animation_data.action
    frames = np.arange(first, last + 1)
    with _undisturbed(context, target):
        _prepare(target, rig)
        keys = _bake(context, ours, theirs, rig, frames)
    new_action(target, f"{target.name} {source.name}", _curves(target, rig, keys, frames))
    context.scene.frame_set(context.scene.frame_current)
    action = target.animation_data.action.name
    said = [
        f"{rig.title}: {counted(len(frames), 'frame')} in the new action {action}",
        f"path scaled by {theirs.leg / ours.leg:.3g}, as the legs are",
    ]
    if kept:
        said.append(f"the action {kept.name} is kept in the file")
    if rig.switches:
        said.append("arms and legs were switched to FK")
    return said


class _Rest:
    """How an armature rests in the world: turns of bones, directions of limbs, length of legs."""

    def __init__(self, owner: Any, rig: Rig | None) -> None:  # noqa: ANN401
        def name(ours: str) -> str:
            return rig.bone(ours) if rig else ours

        self.owner = owner
        thighs = [self.head(name(f"{side}UpLeg")) for side in ("Left", "Right")]
        shin, foot = self.head(name("LeftLeg")), self.head(name("LeftFoot"))
        self.leg = (shin - thighs[0]).length + (foot - shin).length
        self.hips = (thighs[0] + thighs[1]) / 2
        self.root = self.head(name("Hips"))
        left = (thighs[0] - thighs[1]).normalized()
        up = self.head(name("Head")) - self.hips
        up = (up - up.dot(left) * left).normalized()
        self.body = Matrix((left, up, left.cross(up))).transposed()

    def head(self, bone: str) -> Vector:
        """Where a bone starts, in the world."""
        return rest_in_world(self.owner, bone)[0]

    def turn(self, bone: str) -> Matrix:
        """How a bone is turned, 3x3."""
        return rest_in_world(self.owner, bone)[1]

    def direction(self, bone: str, towards: str) -> Vector:
        """Where a limb points."""
        return (self.head(towards) - self.head(bone)).normalized()


@contextmanager
def _undisturbed(context: Any, target: Any) -> Iterator[None]:  # noqa: ANN401
    """Leave out of the evaluation what the rig deforms, and what moved it before."""
    animation = target.animation_data or target.animation_data_create()
    before = animation.action
    if before is not None:
        before.use_fake_user = True
    nla, frame = animation.use_nla, context.scene.frame_current
    slowing = [
        modifier
        for each in context.scene.objects
        for modifier in each.modifiers
        if modifier.show_viewport and getattr(modifier, "object", None) == target
    ]
    # What moved before would come back with every frame.
    animation.action, animation.use_nla = None, False
    for modifier in slowing:
        modifier.show_viewport = False
    try:
        yield
    except BaseException:
        animation.action = before
        raise
    finally:
        context.scene.frame_set(frame)
        animation.use_nla = nla
        for modifier in slowing:
            modifier.show_viewport = True


def _prepare(target: Any, rig: Rig) -> None:  # noqa: ANN401
    """Put the bones that follow, and those they hang on, at rest, and arms and legs in FK."""
    for follow in rig.follows:
        bone = target.pose.bones[follow.bone]
        while bone is not None:
            bone.matrix_basis = Matrix.Identity(4)
            bone = bone.parent
    for name, switch in rig.switches:
        bone = target.pose.bones.get(name)
        if bone is not None and switch in bone:
            bone[switch] = 1.0
    target.update_tag()


Keys = dict[str, tuple[np.ndarray, np.ndarray]]
"""By bone of the rig: quaternions w, x, y, z (frame, 4) and locations (frame, 3)."""


def _bake(context: Any, ours: _Rest, theirs: _Rest, rig: Rig, frames: np.ndarray) -> Keys:  # noqa: ANN401
    """Follow frame by frame."""
    at_rest = {each.bone: _at_rest(each, ours, theirs) for each in rig.follows}
    keys = {bone: (np.zeros((len(frames), 4)), np.zeros((len(frames), 3))) for bone in at_rest}
    unturned = world_rotation(theirs.owner.matrix_world).transposed()
    bones = theirs.owner.pose.bones
    context.window_manager.progress_begin(0, len(frames))
    for number, frame in enumerate(frames.tolist()):
        context.scene.frame_set(frame)
        context.window_manager.progress_update(number)
        posed: dict[str, Matrix] = {}
        for stage in sorted({each.stage for each in rig.follows}):
            following = [each for each in rig.follows if each.stage == stage]
            hang_on = [bones[each.bone].parent for each in following]
            if any(parent is not None and parent.name not in posed for parent in hang_on):
                context.view_layer.update()
            for follow in following:
                wanted = _turned(ours.owner, follow.source) @ at_rest[follow.bone]
                above = _above(bones[follow.bone], posed)
                turn = (world_rotation(above).transposed() @ unturned @ wanted).to_quaternion()
                place = Vector((0, 0, 0))
                if follow is rig.follows[0]:
                    place = above.inverted() @ _root_place(ours, theirs, follow.bone, wanted)
                basis = Matrix.LocRotScale(place, turn, None)
                bones[follow.bone].matrix_basis, posed[follow.bone] = basis, above @ basis
                keys[follow.bone][0][number], keys[follow.bone][1][number] = turn, place
    context.window_manager.progress_end()
    return keys


def _turned(owner: Any, bone: str) -> Matrix:  # noqa: ANN401
    """How a bone is turned in the world in the current frame, 3x3."""
    return world_rotation(owner.matrix_world) @ world_rotation(owner.pose.bones[bone].matrix)


def _root_place(ours: _Rest, theirs: _Rest, bone: str, wanted: Matrix) -> Vector:
    """Where the root of the rig is to be, in the space of its armature.

    Between the thighs is where our hips are, scaled about the origin of our armature.
    """
    origin = ours.owner.matrix_world.translation
    hips = ours.owner.matrix_world @ ours.owner.pose.bones["Hips"].head
    from_hips = wanted @ theirs.turn(bone).transposed() @ (theirs.root - theirs.hips)
    head = origin + theirs.leg / ours.leg * (hips - origin) + from_hips
    return theirs.owner.matrix_world.inverted() @ head


def _above(bone: Any, posed: dict[str, Matrix]) -> Matrix:  # noqa: ANN401
    """Where a bone would be at rest against what it hangs on: computed, or else as evaluated."""
    if bone.parent is not None and bone.parent.name in posed:
        at_rest = bone.parent.bone.matrix_local.inverted() @ bone.bone.matrix_local
        return posed[bone.parent.name] @ at_rest
    return bone.matrix @ bone.matrix_basis.inverted()


def _at_rest(follow: Follow, ours: _Rest, theirs: _Rest) -> Matrix:
    """What leads from our bone, as it is turned, to a bone of the rig, 3x3.

    It undoes how ours is turned at rest, and then turns as the rig's bone is at rest, once the
    body faces as ours does, and its limb points as ours.
    """
    facing = ours.body @ theirs.body.transposed()
    if follow.towards[0]:
        points = facing @ theirs.direction(follow.bone, follow.towards[0])
        goal = ours.direction(follow.source, follow.towards[1])
        facing = points.rotation_difference(goal).to_matrix() @ facing
    return ours.turn(follow.source).transposed() @ facing @ theirs.turn(follow.bone)


def _curves(
    target: Any,  # noqa: ANN401
    rig: Rig,
    keys: Keys,
    frames: np.ndarray,
) -> list[Curve]:
    """Curves of what was baked, in each bone's own mode of rotation, and of the switches."""
    curves: list[Curve] = []
    for name, (turns, places) in keys.items():
        bone = target.pose.bones[name]
        path = f'pose.bones["{bpy.utils.escape_identifier(name)}"]'
        channel, values = _in_mode(bone.rotation_mode, turns)
        curves += [
            (f"{path}.{channel}", axis, name, frames, values[:, axis])
            for axis in range(values.shape[1])
        ]
        if name == rig.follows[0].bone:
            curves += [
                (f"{path}.location", axis, name, frames, places[:, axis]) for axis in range(3)
            ]
    for name, switch in rig.switches:
        if name in target.pose.bones and switch in target.pose.bones[name]:
            path = f'pose.bones["{bpy.utils.escape_identifier(name)}"]["{switch}"]'
            curves.append((path, 0, name, frames[:1], np.ones(1)))
    return curves


def _in_mode(mode: str, turns: np.ndarray) -> tuple[str, np.ndarray]:
    """Express quaternions (frame, 4) in a mode of rotation, each near to the one before."""
    rows: list[Any] = []
    before = None
    for row in turns:
        turn = Quaternion(row)
        if mode == "QUATERNION":
            if before is not None:
                turn.make_compatible(before)
            before = turn
            rows.append(tuple(turn))
        elif mode == "AXIS_ANGLE":
            axis, angle = turn.to_axis_angle()
            rows.append((angle, *axis))
        else:
            before = turn.to_euler(mode) if before is None else turn.to_euler(mode, before)
            rows.append(tuple(before))
    channel = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    return channel.get(mode, "rotation_euler"), np.array(rows)
