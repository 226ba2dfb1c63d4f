"""The add-on for Blender: parts that are joined into one file, which needs no graphlift.

The parts are ordinary modules. They import each other, NumPy and the standard library, those that
build, retarget and show also Blender's own ``bpy`` and ``mathutils``, but nothing else of
graphlift: Blender's Python has none of it. :mod:`graphlift.blender.compose` joins them.
"""
