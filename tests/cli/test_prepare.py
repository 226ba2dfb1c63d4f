"""``graphlift data prepare h36m`` and ``graphlift data info`` of what it wrote."""

import json
import subprocess
import sys

import pytest
from helpers.command import assert_refused, here
from helpers.tiny_h36m import people, views, write_2d, write_martinez, write_raw, write_videopose3d

from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.licensed.pack import open_sequences

CLIPS = people(("S1", "S9"), ["Photo"])

WITHOUT = """
import sys
banned = {"torch", "safetensors", "onnx", sys.argv.pop(1)}
class Ban:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in banned:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Ban())
from graphlift.cli import main
main()
"""


@pytest.fixture
def folder(tmp_path):
    write_videopose3d(tmp_path / "in", CLIPS)
    write_2d(tmp_path / "in", views(CLIPS, published_cameras()))
    return tmp_path / "in"


def test_a_copy_becomes_a_pack_and_the_pack_is_told(folder, tmp_path):
    out = tmp_path / "packs" / "h36m"

    said = here("data", "prepare", "h36m", folder, "--out", out, "--partial")

    assert said.status == 0, said.err
    assert said.out == f"16 sequences, 48 poses of 2 subjects, 2D: gt -> {out}\n"
    lines = said.err.splitlines()
    assert all(line.startswith("graphlift: ") for line in lines)
    assert "graphlift: not complete: S5 has nothing" in lines
    told = here("data", "info", out)
    assert "poses     48" in told.out.splitlines()
    assert "subjects  S1 24, S9 24" in told.out.splitlines()
    facts = json.loads(here("data", "info", out, "--json").out)
    assert facts["options"] == {"layout": "videopose3d", "joints": 17, "partial": True}
    assert facts["digest"] == open_sequences(out).digest
    assert f"graphlift: {facts['notes'][0]}" == lines[0]


def test_sixteen_joints_and_a_layout_can_be_asked_for(folder, tmp_path):
    write_martinez(folder, CLIPS)
    out = tmp_path / "pack"
    (folder / "data_2d_h36m_gt.npz").unlink()
    ask = ("data", "prepare", "h36m", folder, "-o", out, "--partial")

    assert_refused(here(*ask), folder, "2 layouts", "--layout")
    assert here(*ask, "--layout", "martinez", "--joints", "16").status == 0
    assert open_sequences(out).skeleton.name == "h36m-16"


def test_a_copy_that_is_not_whole_is_one_line_and_no_pack(folder, tmp_path):
    said = here("data", "prepare", "h36m", folder, "--out", tmp_path / "pack")

    assert_refused(
        said, "not complete", "S1 has no takes of Directions", "S5 has nothing", "--partial"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["h36m", "IN", "IN"], "unexpected extra argument"),
        (["h36m", "IN", "--fps", "30"], "--fps"),
        (["h36m", "IN", "--annotation", "annot3"], "--annotation"),
        (["h36m", "IN", "--joints", "15"], "--joints"),
        (["3dhp", "IN", "--joints", "16"], "--joints"),
        (["mocap", "IN", "--partial"], "--partial"),
        (["h36m"], "FOLDER"),
    ],
)
def test_words_that_do_not_go_together_are_refused(folder, tmp_path, words, says):
    words = [str(folder) if word == "IN" else word for word in words]

    said = here("data", "prepare", *words, "--out", tmp_path / "pack")

    assert_refused(said, says, f"graphlift data prepare {words[0]} --help")


def test_a_folder_without_a_data_set_is_answered_with_the_words_to_type(folder, tmp_path):
    said = here("data", "prepare", folder, "--out", tmp_path / "p.npz")

    assert_refused(said, f"graphlift data prepare mocap {folder}", "h36m", "3dhp")


@pytest.mark.parametrize(("package", "write"), [("cdflib", write_raw), ("h5py", write_martinez)])
def test_a_package_that_is_missing_is_one_line(tmp_path, package, write):
    write(tmp_path / "in", CLIPS)
    words = ["data", "prepare", "h36m", str(tmp_path / "in"), "--out", str(tmp_path / "pack")]

    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, package, *words],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"graphlift: this verb needs {package}: pip install 'graphlift[")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("dataset", "teaches"),
    [
        (
            "mocap",
            ["graphlift data prepare mocap takes --out ours.npz", "docs/data.md", "--units"],
        ),
        (
            "h36m",
            ["graphlift data prepare h36m data --out packs/h36m", "docs/human36m.md", "1,559,752"],
        ),
        (
            "3dhp",
            [
                "prepare 3dhp mpi_inf_3dhp_test_set --out packs/3dhp",
                "docs/mpi-inf-3dhp.md",
                "2,929",
            ],
        ),
    ],
)
def test_the_help_teaches_by_example(dataset, teaches):
    said = here("data", "prepare", dataset, "--help")

    for words in teaches:
        assert words in said.out
    assert ("--partial" in said.out) == ("--layout" in said.out) == (dataset != "mocap")


def test_a_pack_that_was_changed_is_not_told_of(folder, tmp_path):
    out = tmp_path / "pack"
    assert here("data", "prepare", "h36m", folder, "--out", out, "--partial").status == 0
    with (out / "positions.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"\x01\x02\x03")

    assert_refused(here("data", "info", out), "positions.npy", "prepare the pack again")
