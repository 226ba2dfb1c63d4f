import json
import shutil
import subprocess
import sys

import pytest
from data.mocap import make
from typer.testing import CliRunner

from graphlift.cli.data import app
from graphlift.datasets.mocap.pack import read_pack
from graphlift.errors import FormatError

NO_TORCH = """
import sys
class Ban:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "safetensors", "onnx"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Ban())
from graphlift.cli import main
main()
"""


def graphlift(*args):
    command = [sys.executable, "-c", NO_TORCH, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def data(*args):
    return CliRunner().invoke(app, list(map(str, args)))


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(make.HERE, tmp_path / "raw", ignore=shutil.ignore_patterns("*.py", "__*"))
    return tmp_path / "raw"


def test_a_folder_becomes_a_pack_and_the_pack_is_told(folder, tmp_path):
    out = tmp_path / "people.npz"
    options = ("--license", "free", "--fps", 30)

    run = graphlift("data", "prepare", "mocap", folder, "--out", out, *options)

    assert run.returncode == 0, run.stderr
    assert run.stdout == f"6 clips, 12 poses of 2 subjects -> {out}\n"
    assert run.stderr == ""
    told = graphlift("data", "info", out, "--json")
    facts = json.loads(told.stdout)
    assert facts == {
        "name": "people",
        "clips": 6,
        "poses": 12,
        "fps": [30.0],
        "subjects": ["01", "raw"],
        "license": "free",
        "source": "",
        "digest": read_pack(out).digest,
        "activities": {"unlabelled": 12},
    }


def test_a_users_mistake_is_one_line_and_status_2(folder, tmp_path):
    (folder / "daz.bvh").write_text("HIERARCHY\nROOT")

    run = graphlift("data", "prepare", "mocap", folder, "--out", tmp_path / "p.npz", "--fps", 30)

    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert f"{folder / 'daz.bvh'}, line 2: ROOT" in run.stderr


def test_info_prints_a_table(folder, tmp_path):
    data("prepare", "mocap", folder, "--out", tmp_path / "p.npz", "--fps", 30)

    lines = data("info", tmp_path / "p.npz").stdout.splitlines()

    assert lines[:2] == ["name      p", "clips     6"]
    assert "source    -" in lines
    assert lines[-1].split() == ["12", "unlabelled"]


def test_info_without_a_pack_tells_of_the_prior():
    facts = json.loads(data("info", "--json").stdout)

    assert facts["name"] == "prior"
    assert facts["poses"] == sum(facts["activities"].values()) > 0


def test_files_left_out_are_listed_on_stderr(folder, tmp_path):
    (folder / "daz.bvh").write_text("HIERARCHY\nROOT")

    run = data(
        "prepare", "mocap", folder, "--out", tmp_path / "p.npz", "--fps", 30, "--keep-going"
    )

    assert run.exit_code == 0
    assert run.stdout.endswith("(1 file left out)\n")
    assert run.stderr.startswith("graphlift: left out: ")
    assert "daz.bvh, line 2" in run.stderr


def test_options_reach_the_readers(folder, tmp_path):
    for name in ("cmu.bvh", "mixamo.bvh", "daz.bvh", "biovision.bvh"):
        (folder / name).unlink()
    table = tmp_path / "table.csv"
    table.write_text("clip,activity\nh36m,stand\n01_01,wave\n")
    options = ("--units", "m", "--activity", table, "--to-fps", 15, "--fps", 60, "--skip", 1)
    (folder / "01" / "01.asf").write_text(make.asf(unit=1.0))
    (folder / "01" / "01_01.amc").write_text(make.amc([{}, {}], unit=1.0))

    run = data(
        "prepare", "mocap", folder, "--out", tmp_path / "p.npz", *options, "--source", "here"
    )

    assert run.exit_code == 0, run.exception
    pack = read_pack(tmp_path / "p.npz")
    assert pack.source == "here"
    assert [(clip.activity, clip.fps, len(clip.positions)) for clip in pack.clips] == [
        ("wave", 15, 1),
        ("stand", 15, 1),
    ]


def test_a_wrong_scale_or_axis_is_refused(folder, tmp_path):
    out = ("--out", tmp_path / "p.npz", "--fps", 30)

    scaled = data("prepare", "mocap", folder, *out, "--scale", 3)
    both = data("prepare", "mocap", folder, *out, "--scale", 1, "--units", "m")

    assert isinstance(scaled.exception, FormatError)
    assert both.exit_code == 2
    assert "not both" in both.stderr
    assert not (tmp_path / "p.npz").exists()
