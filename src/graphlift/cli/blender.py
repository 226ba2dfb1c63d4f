"""``graphlift blender-addon``: the add-on for Blender, as one file."""

from pathlib import Path
from typing import Annotated

import typer

from graphlift.errors import ConfigError
from graphlift.words import one_line


def blender_addon(
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="File to write, such as graphlift_motion.py."
        ),
    ],
) -> None:
    """Write the add-on for Blender 4.2 or newer: imports .npz and .glb, retargets to other rigs.

    graphlift blender-addon -o graphlift_motion.py

    In Blender, Edit > Preferences > Add-ons > Install from Disk takes the file. Then File > Import
    > graphlift motion makes an armature of each person. Select one, Shift-click a Mixamo or Rigify
    rig, and press Retarget in the tab graphlift of the 3D view's sidebar (key N). Blender needs no
    graphlift for that. More: docs/blender.md.
    """
    from graphlift.blender.compose import write_addon

    if out.suffix != ".py" or not out.stem.isidentifier():
        raise ConfigError(
            f"{out}: Blender takes an add-on by the name of a Python module: give letters, digits "
            "and underscores, and .py, such as graphlift_motion.py"
        )
    if out.is_dir():
        raise ConfigError(f"{out}: is a folder: give the name of a file")
    write_addon(out)
    typer.echo(
        f"{one_line(out)}: {out.stat().st_size / 1000:.0f} kB. In Blender: Edit > Preferences > "
        "Add-ons > Install from Disk"
    )
