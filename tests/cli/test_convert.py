"""``graphlift convert``, and poses of other kinds in ``score`` and ``view``."""

import shutil

import numpy as np
import pytest
from helpers.command import assert_refused, command, here
from helpers.readback import moving

from graphlift.formats import read_poses, write_poses


@pytest.fixture
def motion(tmp_path):
    write_poses(tmp_path / "walk.npz", moving(20, people=("Ada", "Bob"), fps=50.0))
    return tmp_path / "walk.npz"


def test_one_file_becomes_several_without_torch(motion, tmp_path):
    said = command(
        *("convert", motion, "-o", tmp_path / "a.c3d", "-o", tmp_path / "a.bvh"),
        *("-o", tmp_path / "f.openpose"),
    )  # fmt: skip

    assert said.status == 0, said
    assert "walk.npz: 20 frames, 50 fps, 2 people, h36m-17 -> " in said.out
    assert "One file a person: a.Ada.bvh, a.Bob.bvh." in said.err
    assert len(list((tmp_path / "f.openpose").iterdir())) == 20
    for name in ("a.c3d", "a.bvh"):
        back = read_poses(tmp_path / name)
        np.testing.assert_allclose(back.positions, read_poses(motion).positions, atol=2e-6)


def test_files_of_several_people_are_joined_and_one_of_them_is_kept(motion, tmp_path):
    assert here("convert", motion, "-o", tmp_path / "a.trc").status == 0

    said = here("convert", tmp_path / "a.trc", "-o", tmp_path / "b.npz", "--person", "Bob")

    assert said.status == 0, said
    assert "Read from a TRC: y is up, in mm." in said.err
    back = read_poses(tmp_path / "b.npz")
    assert back.people == ("Bob",)
    np.testing.assert_allclose(back.positions, read_poses(motion).positions[:, [1]], atol=1e-8)


def test_what_cannot_be_converted_is_refused(motion, tmp_path):
    assert_refused(here("convert", motion, "-o", motion), "walk.npz", "is what is read")
    (tmp_path / "a").mkdir()
    several = tmp_path / "a" / "a.bvh"  # written, and read, as a.Ada.bvh and a.Bob.bvh
    assert here("convert", motion, "-o", several).status == 0
    around = tmp_path / "a" / ".." / "a" / "a.bvh"
    assert_refused(here("convert", several, "-o", around), "a.bvh: is what is read")
    shutil.rmtree(tmp_path / "a")
    assert_refused(here("convert", motion, "-o", tmp_path / "a.fbx"), ".fbx is no kind of motion")
    assert_refused(here("convert", tmp_path / "a.fbx", "-o", tmp_path / "a.bvh"), "a.fbx", ".bvh")
    assert_refused(
        here("convert", motion, "-o", tmp_path / "a.bvh", "--person", "Cy"), "'Cy'", "Ada, Bob"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["walk.npz"]


def test_a_c3d_is_scored(motion, tmp_path):
    for person, name in (("Ada", "a.c3d"), ("Ada", "b.npz"), ("Bob", "c.json")):
        here("convert", motion, "-o", tmp_path / name, "--person", person)

    same = here("score", tmp_path / "a.c3d", tmp_path / "b.npz", "--protocol", "h36m-17")
    other = here("score", tmp_path / "c.json", tmp_path / "b.npz", "--protocol", "h36m-17")

    def mpjpe(said):
        (row,) = [line.split() for line in said.out.splitlines() if line.startswith("all ")]
        assert row[1] == "20"
        return float(row[2])

    assert mpjpe(same) == 0
    assert mpjpe(other) > 1
    assert_refused(
        here("score", motion, tmp_path / "b.npz", "--protocol", "h36m-17"),
        "are of 2 people", "--person Ada",
    )  # fmt: skip


def test_a_trc_becomes_a_page(motion, tmp_path):
    here("convert", motion, "-o", tmp_path / "a.trc", "--person", "Ada")

    assert here("view", tmp_path / "a.trc", "-o", tmp_path / "a.html").status == 0
    assert here("convert", tmp_path / "a.trc", "-o", tmp_path / "b.html").status == 0
    assert b"a.trc" in (tmp_path / "a.html").read_bytes()
    assert (tmp_path / "b.html").stat().st_size > 100_000
