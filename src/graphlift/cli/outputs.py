"""What verbs write of poses: each file by its suffix, and each remark once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphlift.cli.checks import PAGE

if TYPE_CHECKING:
    from graphlift.sequences import Poses


def write_outputs(outputs: Sequence[Path], poses: "Poses") -> list[str]:
    """Write every output; say what was done for it, once for all outputs of which it is true."""
    said: dict[str, list[str]] = {}
    for path in outputs:
        for remark in _write(path, poses):
            said.setdefault(remark, []).append(path.name)
    return [
        f"{', '.join(names)}: {remark}"
        for remark, names in said.items()
        if remark not in poses.notes
    ]


def _write(path: Path, poses: "Poses") -> tuple[str, ...]:
    if path.suffix.lower() == PAGE:
        from graphlift.view.page import write_page

        return tuple(write_page(path, poses, name=path.stem))
    from graphlift.formats import write_poses

    return write_poses(path, poses)
