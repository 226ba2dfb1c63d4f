"""Join the parts of the add-on into the one file that Blender installs."""

import ast
from pathlib import Path

import graphlift
from graphlift.files import write_text

PARTS = ("motion", "solving", "npz_file", "glb_file", "building", "rigs", "retargeting",
         "operators")  # fmt: skip
"""The modules in their order: each imports only from those before."""

HEAD = '''"""Motion that graphlift lifted, in Blender: imported, and retargeted to other rigs.

Written by `graphlift blender-addon` {version}; it needs Blender 4.2 or newer and nothing else.
To install: Edit > Preferences > Add-ons, the arrow in the corner, Install from Disk.

SPDX-License-Identifier: Apache-2.0
"""

bl_info = {{
    "name": "graphlift motion",
    "author": "The graphlift developers",
    "version": {numbers},
    "blender": (4, 2, 0),
    "location": "File > Import > graphlift motion; 3D View > Sidebar > graphlift",
    "description": "Import lifted motion, and retarget it to Rigify and Mixamo rigs",
    "category": "Animation",
}}

'''


def compose_addon() -> str:
    """Join the parts: one docstring, one list of imports, then each part under its own words.

    The parts' names differ, so that they may share one module.
    """
    modules: dict[str, None] = {}
    names: dict[str, set[str]] = {}
    bodies: list[str] = []
    for part in PARTS:
        text = Path(__file__).with_name(f"{part}.py").read_text(encoding="utf-8")
        words, *rest = ast.parse(text).body
        end = words.end_lineno or 1
        while rest and isinstance(node := rest.pop(0), (ast.Import, ast.ImportFrom)):
            end = node.end_lineno or end
            if isinstance(node, ast.Import):
                modules[ast.unparse(node)] = None
            elif not str(node.module).startswith("graphlift"):
                names.setdefault(str(node.module), set()).update(each.name for each in node.names)
        told = (ast.get_docstring(ast.parse(text)) or part).splitlines()
        bodies.append("\n".join(f"# {line}".rstrip() for line in ["-" * 60, *told]))
        bodies.append("\n".join(text.splitlines()[end:]).strip("\n") + "\n\n")
    imports = [*modules, *(f"from {m} import {', '.join(sorted(n))}" for m, n in names.items())]
    version = graphlift.__version__
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    head = HEAD.format(version=version, numbers=numbers)
    return head + "\n".join([*sorted(imports), "", *bodies]).rstrip() + "\n"


def write_addon(path: Path) -> None:
    """Write the add-on, whole or not at all.

    Raises:
        OSError: If the disk is full or the folder cannot be written to.
    """
    write_text(path, compose_addon())
