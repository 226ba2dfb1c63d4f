"""What reads, measures, plans or reports runs where torch is not installed."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from helpers.command import Said, assert_refused
from helpers.fake_results import fake_results, write_results

from graphlift.networks import OTHERS
from graphlift.simulated_detector import SIMULATED
from graphlift.study.objectives import OBJECTIVES
from graphlift.weight_sharing import VARIANTS

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
TORCH = {"torch", "safetensors", "onnx", "onnxscript", "tensorboard"}
DRAWING = {"matplotlib", "jinja2"}

BARE = """
import sys
class Ban:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {banned}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Ban())
"""
COMMAND = "from graphlift.cli import main\nmain()"
LITTLE = """
import graphlift.bench.machine, graphlift.bench.measure
graphlift.bench.machine.LARGEST = 2**16
graphlift.bench.measure.SQUARE = graphlift.bench.measure.Product(1, 64, 64, 64)
"""
"""Limits of a machine that are measured at once; a whole benchmark is in bench/test_measure.py."""


def bare(script, *args, banned=TORCH | DRAWING):
    """Run a script in a process without some packages."""
    run = subprocess.run(
        [sys.executable, "-c", BARE.format(banned=banned) + script, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(run.returncode, run.stdout, run.stderr)


def test_plain_arrays_are_lifted():
    said = bare(
        "import numpy as np\n"
        "from graphlift.lifting import Lifter\n"
        "poses = Lifter.load('open-small', threads=1)(np.random.rand(3, 17, 2) * 500 + 1,"
        " skeleton='coco-17', image_size=(640, 480))\n"
        "print(poses.positions.shape)\n"
    )

    assert said.out.strip() == "(3, 1, 28, 3)", said.err


def torch_free():
    """The modules that the import contract holds to be free of torch."""
    contracts = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]["contracts"]
    contract = next(each for each in contracts if each["type"] == "forbidden")
    return contract["source_modules"]


def test_the_ban_bans():
    said = bare("import graphlift.nn.build")

    assert said.status == 1
    assert "ModuleNotFoundError: No module named 'torch'" in said.err


def test_the_package_and_every_module_of_the_contract_are_imported():
    script = "\n".join(f"import {module}" for module in ["graphlift", *torch_free()])
    also = "import pkgutil, graphlift.datasets as d\nfor m in pkgutil.iter_modules(d.__path__):\n"
    also += "    __import__(f'graphlift.datasets.{m.name}')"

    assert bare(f"{script}\n{also}") == (0, "", "")


def test_importing_the_package_brings_nothing_heavy_along():
    heavy = {"torch", "scipy", "onnxruntime", "pydantic", "matplotlib", "typer", "rich"}
    script = f"import sys, graphlift\nprint(sorted({heavy} & set(sys.modules)))"

    assert bare(script, banned=set()) == (0, "[]\n", "")


@pytest.mark.parametrize("args", [("--help",), ("train", "--help"), ("study", "run", "--help")])
def test_help_needs_nothing(args):
    said = bare(COMMAND, *args)

    assert (said.status, said.err) == (0, "")
    assert "Usage:" in said.out


def test_the_list_of_models_needs_nothing():
    said = bare(COMMAND, "model", "list", "--json")

    assert (said.status, said.err) == (0, "")
    networks, more = len(VARIANTS) + len(OTHERS), len(OBJECTIVES) + len(SIMULATED)
    assert len(json.loads(said.out)) == networks + more


def test_the_embedded_people_need_nothing():
    said = bare(COMMAND, "data", "info", "prior", "--json")

    assert (said.status, said.err) == (0, "")
    assert json.loads(said.out)["name"] == "prior"


@pytest.mark.parametrize(
    "args",
    [
        ("train", "x.toml"),
        ("evaluate", "x.safetensors"),
        ("model", "info", "x.safetensors"),
        ("model", "import", "x.pth", "--kind", "liu", "-o", "x.safetensors"),
        ("study", "run", "quick"),
    ],
    ids=" ".join,
)
def test_a_verb_that_needs_torch_says_how_to_get_it(args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    said = bare(COMMAND, *args)

    assert_refused(said)
    assert said.err == "graphlift: this verb needs torch: pip install 'graphlift[train]'\n"
    assert not list(tmp_path.iterdir())


def test_a_plan_is_read_and_its_runs_are_listed():
    script = """
from graphlift.study.plan import planned_runs, read_plan
print(len(planned_runs(read_plan("open"), data="prior")))
"""
    assert bare(script) == (0, "90\n", "")


@pytest.fixture
def study(tmp_path):
    return write_results(tmp_path / "study", fake_results((0,), ("gt",), blocks=4))


def test_a_report_is_written_without_torch(study):
    said = bare(COMMAND, "study", "report", study, banned=TORCH)

    assert (said.status, said.err) == (0, "")
    assert said.out == f"{study / 'report.html'}\n{study / 'report.md'}\n"
    assert (study / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_report_without_its_extra_says_how_to_get_it(study):
    said = bare(COMMAND, "study", "report", study)

    assert_refused(said, "pip install 'graphlift[report]'")
    assert not (study / "report.html").exists()


def test_predictions_are_scored_without_a_network(tmp_path):
    paths = tmp_path / "mine.npz", tmp_path / "truth.npz"
    for path in paths:
        np.savez(path, poses=np.eye(3).repeat(6, axis=0)[None, :17])

    said = bare(
        COMMAND, "score", *paths, "--protocol", "h36m-17", "--json",
        banned=TORCH | DRAWING | {"scipy", "onnxruntime"},
    )  # fmt: skip

    assert (said.status, said.err) == (0, "")
    assert json.loads(said.out)["mpjpe_mm"] == 0


def test_a_benchmark_without_torch_measures_models_and_says_what_it_leaves_out(tmp_path):
    said = bare(
        LITTLE + COMMAND, "bench", "open-small", "full-sharing", "--batch", 1,
        "--parameters", 0.01, "--seconds", 0.001, "--threads", 1, "-o", tmp_path,
    )  # fmt: skip

    assert said.status == 0, said.err
    assert said.err == (
        "graphlift: no roofline.png: it needs matplotlib: pip install 'graphlift[report]'\n"
    )
    assert "left out: networks by torch and ONNX Runtime, and training, because torch" in said.out
    assert "pip install 'graphlift[train]'" in said.out
    rows = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert {(row["name"], row["engine"]) for row in rows} == {
        ("open-small", "onnxruntime"), ("full-sharing", "numpy")
    }  # fmt: skip


def test_poses_are_written_without_any_extra(tmp_path):
    script = """
import sys
import numpy as np
from graphlift.formats import write_poses
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17
poses = Poses(np.arange(51.0).reshape(1, 1, 17, 3), H36M_17)
for kind in "bvh glb c3d trc npz json csv openpose".split():
    write_poses(f"{sys.argv[1]}/x.{kind}", poses)
try:
    write_poses(f"{sys.argv[1]}/x.parquet", poses)
except ModuleNotFoundError as error:
    print(error.name)
"""
    extra = {"pyarrow", "pandas", "xarray", "c3d", "ezc3d", "pygltflib", "trimesh", "pybvh"}

    assert bare(script, tmp_path, banned=TORCH | DRAWING | extra) == (0, "pyarrow\n", "")
    assert len(list(tmp_path.iterdir())) == 8
