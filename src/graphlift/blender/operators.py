"""What Blender shows: File > Import > graphlift motion, and a panel in the 3D view's sidebar."""

import time
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from graphlift.blender.building import MARK, import_motions
from graphlift.blender.glb_file import read_glb_motions
from graphlift.blender.motion import MotionError, counted
from graphlift.blender.npz_file import read_npz_motions
from graphlift.blender.retargeting import check_source, retarget
from graphlift.blender.rigs import find_rig

READERS = {".npz": read_npz_motions, ".glb": read_glb_motions}


def read_motions(path, person):
    """Read people from a file, by its suffix."""
    if path.suffix.lower() not in READERS:
        raise MotionError(f"{path.name}: is neither .npz nor .glb: choose one of them")
    return READERS[path.suffix.lower()](str(path), person)


class GRAPHLIFT_OT_import(bpy.types.Operator, ImportHelper):
    """File > Import > graphlift motion."""

    bl_idname = "import_anim.graphlift"
    bl_label = "Import graphlift motion"
    bl_description = "Import people that graphlift lifted, each as an armature with keys"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: StringProperty(default="*.npz;*.glb", options={"HIDDEN"})
    person: StringProperty(
        name="Person", description="Import only the person of this name; empty for all"
    )
    rate: EnumProperty(
        name="Frame rate",
        items=(
            ("SCENE", "Set the scene's", "The scene takes the frame rate of the file"),
            (
                "RESAMPLE",
                "Resample",
                "The scene keeps its frame rate; keys are interpolated to it",
            ),
        ),
        default="SCENE",
    )
    scale: FloatProperty(
        name="Scale", description="Blender's units for a metre", default=1, min=0.001, max=1000
    )
    at_origin: BoolProperty(
        name="Begin at the origin",
        description="Move everybody so that the first person begins above the origin",
    )

    def execute(self, context):
        """Read the whole file, then build; a file that is refused changes nothing."""
        started = time.perf_counter()
        path = Path(bpy.path.abspath(self.filepath))
        try:
            motions = read_motions(path, self.person)
        except (MotionError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        said = import_motions(
            context,
            motions,
            scale=self.scale,
            at_origin=self.at_origin,
            set_rate=self.rate == "SCENE",
        )
        people = counted(len(motions), "person", "people")
        took = time.perf_counter() - started
        frames = counted(len(motions[0].present), "frame")
        head = f"{path.name}: {people}, {frames} in {took:.1f} s"
        self.report({"INFO"}, "; ".join([head, *said]))
        return {"FINISHED"}


class GRAPHLIFT_OT_retarget(bpy.types.Operator):
    """Retarget the other armature that is selected to the active one."""

    bl_idname = "pose.graphlift_retarget"
    bl_label = "Retarget to the active rig"
    bl_description = "Bake the selected motion into a new action of the active rig"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        """Whether two armatures are selected."""
        if source_and_target(context) is None:
            cls.poll_message_set("Select an imported motion, then Shift-click the rig")
            return False
        return True

    def execute(self, context):
        """Check both, then bake."""
        try:
            said = retarget(context, *source_and_target(context))
        except MotionError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, "; ".join(said))
        return {"FINISHED"}


class GRAPHLIFT_PT_panel(bpy.types.Panel):
    """3D View > Sidebar > graphlift: the steps, in their order."""

    bl_label = "graphlift"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "graphlift"

    def draw(self, context):
        """Say what is selected, and what it is."""
        self.layout.operator(GRAPHLIFT_OT_import.bl_idname, text="Import a motion")
        pair = source_and_target(context)
        if pair is None:
            self.layout.label(text="Select a motion,")
            self.layout.label(text="then Shift-click the rig.")
        else:
            source, target = pair
            self.layout.label(text=f"From {source.name}")
            try:
                check_source(source)
                kind = find_rig([bone.name for bone in target.data.bones], target.name).title
                self.layout.label(text=f"To {target.name} ({kind})")
            except MotionError as error:
                self.layout.label(text=str(error)[:60], icon="ERROR")
        self.layout.operator(GRAPHLIFT_OT_retarget.bl_idname)


def source_and_target(context):
    """The other armature that is selected, and the active one; None if they are not two."""
    target = context.active_object
    others = [o for o in context.selected_objects if o.type == "ARMATURE" and o != target]
    if target is None or target.type != "ARMATURE" or len(others) != 1 or MARK in target:
        return None
    return others[0], target


def menu_entry(self, _context):
    """Add to File > Import."""
    self.layout.operator(GRAPHLIFT_OT_import.bl_idname, text="graphlift motion (.npz/.glb)")


CLASSES = (GRAPHLIFT_OT_import, GRAPHLIFT_OT_retarget, GRAPHLIFT_PT_panel)


def register():
    """Called by Blender when the add-on is enabled."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.TOPBAR_MT_file_import.append(menu_entry)


def unregister():
    """Called by Blender when the add-on is disabled."""
    bpy.types.TOPBAR_MT_file_import.remove(menu_entry)
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
