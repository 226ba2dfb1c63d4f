"""The notebook runs from its first cell to its last, with what a wheel holds and matplotlib."""

import json
from pathlib import Path

import pytest

from graphlift import read_poses

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "first_motion.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def test_no_output_is_kept(notebook):
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]

    assert notebook["nbformat"] == 4
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]]


def test_it_runs_and_leaves_pictures_and_a_motion(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    namespace = {"__name__": "__main__"}

    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), namespace)

    figures = [plt.figure(number) for number in plt.get_fignums()]
    for figure in figures:
        figure.canvas.draw()
    plt.close("all")
    motion = read_poses(tmp_path / "sample.bvh")
    assert len(figures) == 3
    assert len(motion) == len(namespace["keypoints"])
