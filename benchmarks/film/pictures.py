"""Stick figures of what two models make of one view, from two sides. No image is shown."""

import numpy as np

from film.reference import JOINTS
from graphlift.geometry import unit_vectors

BONES = tuple(
    (JOINTS.index(a), JOINTS.index(b))
    for a, b in (
        *(("LShoulder", "RShoulder"), ("LHip", "RHip")),
        *((f"{s}Shoulder", f"{s}Hip") for s in "LR"),
        *((f"{s}Shoulder", f"{s}Elbow") for s in "LR"),
        *((f"{s}Elbow", f"{s}Wrist") for s in "LR"),
        *((f"{s}Hip", f"{s}Knee") for s in "LR"),
        *((f"{s}Knee", f"{s}Ankle") for s in "LR"),
    )
)
COLOURS = ("black", "tab:orange", "tab:blue")
SIDES = {"from the camera": 0, "from the camera's right": 1}


def upright_axes(up):
    """Rows: the camera's right made level, its forward made level, and up; camera axes."""
    right = unit_vectors(np.array([1.0, 0, 0]) - up[0] * up)
    return np.stack([right, np.cross(up, right), up])


def draw(path, made, truth, *, frames):
    """A row a side, a column a frame; upright, the middle of the hips at 0, as lifted, unturned.

    Args:
        path: Of a PNG.
        made: Label -> what a method made of the view.
        truth: The reference in the view.
        frames: Which.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    poses = {"reference": truth.joints}
    poses |= {label: view.points[:, : len(JOINTS)] for label, view in made.items()}
    hips = [JOINTS.index(f"{side}Hip") for side in "LR"]
    size = (2.5 * len(frames), 3.3 * len(SIDES) + 0.5)
    figure, rows = plt.subplots(len(SIDES), len(frames), figsize=size, squeeze=False)
    for row, (side, across) in zip(rows, SIDES.items(), strict=True):
        for plot, frame in zip(row, frames, strict=True):
            for (label, each), colour in zip(poses.items(), COLOURS, strict=False):
                pose = (each[frame] - each[frame, hips].mean(axis=0)) @ upright_axes(truth.up).T
                draw_bones(plot, pose[:, [across, 2]], colour, label)
            plot.set(aspect="equal", xlim=(-0.7, 0.7), ylim=(-0.95, 0.85))
            plot.set_title(f"frame {frame}", fontsize=9)
            plot.tick_params(labelsize=7)
        row[0].set_ylabel(f"{side}, m", fontsize=9)
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="lower center", ncols=len(poses))
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(path, dpi=65)
    plt.close(figure)


def draw_bones(plot, positions, colour, label=None):
    """Left limbs solid, right limbs dashed, so that a person seen from behind is told apart."""
    for k, (a, b) in enumerate(BONES):
        right = JOINTS[a][0] == JOINTS[b][0] == "R"
        style = "--" if right else "-"
        name = label if k == 0 else None
        plot.plot(*positions[[a, b]].T, style, color=colour, linewidth=1.6, label=name)
