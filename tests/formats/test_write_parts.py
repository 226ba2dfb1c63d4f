"""Files written part by part hold what the whole would, and are whole or not at all."""

import json
import resource
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from helpers.readback import CAMERA, moving
from pyarrow import parquet

from graphlift.errors import FormatError
from graphlift.formats import archive, motion_files, read_poses, write_parts, write_poses
from graphlift.formats.archive import arrays_of
from graphlift.formats.motion_files import read_poses_in_parts
from graphlift.formats.write import PART_WRITERS
from graphlift.hypotheses import Hypotheses
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17

CUTS = (0, 4, 5, 5, 11)  # one part is a single frame, one is empty


@pytest.fixture
def poses(rng):
    """Two people with every field, float32, some of it missing."""
    made = moving(11, people=("Ada", "Bö"))
    positions = made.positions.astype(np.float32)
    positions[2, 1] = np.nan
    several = rng.random((11, 2, 3, 17, 3)), rng.random((11, 2, 3)), rng.random((11, 2, 3))
    return replace(
        made,
        positions=positions,
        seen=rng.random((11, 2, 17)) < 0.7,
        sigma=rng.random((11, 2, 17)).astype(np.float32),
        keypoints=keypoints_from(rng.random((11, 2, 17, 2)) * 500, COCO_17, people=made.people),
        camera=CAMERA,
        fronts=rng.random((11, 2, 7, 3)),
        front_sigma=rng.random((11, 2, 7)).astype(np.float32),
        size_sigma=np.array([0.07, np.nan]),
        hypotheses=Hypotheses(*several),
        notes=("Made up.",),
    )


def cut(poses, start, stop, *notes):
    """Some frames, all fields written out."""
    part, given, several = slice(start, stop), poses.keypoints, poses.hypotheses
    return replace(
        poses,
        positions=poses.positions[part],
        seen=poses.seen[part],
        sigma=poses.sigma[part],
        keypoints=replace(
            given, positions=given.positions[part], confidence=given.confidence[part]
        ),
        fronts=poses.fronts[part],
        front_sigma=poses.front_sigma[part],
        hypotheses=Hypotheses(several.positions[part], several.weights[part], several.sigma[part]),
        notes=(*poses.notes, *notes),
    )


def parts_of(poses):
    return [cut(poses, *ends) for ends in pairwise(CUTS)]


@pytest.mark.parametrize("suffix", PART_WRITERS)
def test_parts_make_the_file_of_the_whole(tmp_path, poses, suffix):
    remarks = write_poses(tmp_path / f"whole{suffix}", poses)
    with write_parts(tmp_path / f"parts{suffix}") as write:
        said = {write(part) for part in parts_of(poses)}

    assert said == {remarks}
    whole, parts = (tmp_path / f"{name}{suffix}" for name in ("whole", "parts"))
    if suffix == ".parquet":  # rows are grouped as they came
        pd.testing.assert_frame_equal(pd.read_parquet(parts), pd.read_parquet(whole))
        one, other = (parquet.read_metadata(path).metadata for path in (whole, parts))
        assert json.loads(one[b"graphlift"]) == json.loads(other[b"graphlift"])
    else:
        assert parts.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == [parts, whole]


def test_an_archive_is_the_one_that_numpy_writes(tmp_path, poses):
    with write_parts(tmp_path / "x.npz") as write:
        for part in parts_of(poses):
            write(part)
    np.savez(tmp_path / "numpy.npz", **arrays_of(poses))

    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "numpy.npz").read_bytes()


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_notes_are_those_of_the_last_part(tmp_path, poses, suffix):
    path = tmp_path / f"x{suffix}"
    with write_parts(path) as write:
        write(cut(poses, 0, 5, "In 1 frame."))
        write(cut(poses, 5, 11, "In 7 frames."))

    assert read_poses(path).notes == ("Made up.", "In 7 frames.")


@pytest.mark.parametrize("suffix", PART_WRITERS)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"people": ("Ada", "Cy"), "keypoints": None}, "people"),
        ({"fps": 25.0}, "fps"),
        ({"fronts": None, "front_sigma": None}, "fronts"),
        ({"sigma": np.zeros((6, 2, 17))}, "sigma"),
    ],
)
def test_parts_of_another_clip_are_refused_and_nothing_stays(
    tmp_path, poses, suffix, change, named
):
    (tmp_path / f"x{suffix}").write_text("before")
    first, second = cut(poses, 0, 5), cut(poses, 5, 11)

    with pytest.raises(FormatError, match=named), write_parts(tmp_path / f"x{suffix}") as write:  # noqa: PT012
        write(first)
        write(replace(second, **change))

    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize("suffix", PART_WRITERS)
def test_no_part_is_no_file(tmp_path, suffix):
    with (
        pytest.raises(FormatError, match="no part was given"),
        write_parts(tmp_path / f"x{suffix}"),
    ):
        pass

    assert not list(tmp_path.iterdir())


def test_a_suffix_that_needs_the_whole_clip_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"x\.bvh: is not written part by part: give one of"):
        write_parts(tmp_path / "x.bvh").__enter__()


@pytest.mark.parametrize("suffix", PART_WRITERS)
def test_a_full_disk_names_the_file_and_leaves_what_was_there(tmp_path, poses, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_text("before")
    long = np.resize(poses.positions, (4000, 2, 17, 3))
    many = replace(moving(3, people=("Ada", "Bö")), positions=long, seen=None, sigma=None)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError, match=rf"x\{suffix}"), write_parts(path) as write:  # noqa: PT012
            for _ in range(4):
                write(many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("frames", [1, 4096, 5001])
def test_a_long_table_comes_back_part_by_part(tmp_path, rng, frames):
    made = moving(3, people=("Ada", "Bo"))
    poses = replace(made, positions=rng.random((frames, 2, 17, 3)), seen=None, sigma=None)
    write_poses(tmp_path / "x.parquet", poses)

    parts = list(read_poses_in_parts(tmp_path / "x.parquet"))

    whole = read_poses(tmp_path / "x.parquet")
    assert [len(part) for part in parts] == {1: [1], 4096: [4096], 5001: [4096, 905]}[frames]
    assert {part.people for part in parts} == {("Ada", "Bo")}
    for name in ("positions", "seen", "sigma"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_parts_of_a_long_table_are_let_go(tmp_path, rng):
    made = moving(3)
    positions = rng.random((20 * 4096, 1, 17, 3), dtype=np.float32)
    write_poses(tmp_path / "x.parquet", replace(made, positions=positions, seen=None, sigma=None))

    held = [pa.total_allocated_bytes() for _ in read_poses_in_parts(tmp_path / "x.parquet")]

    assert len(held) == 20
    assert max(held) < (tmp_path / "x.parquet").stat().st_size


def test_a_long_table_in_another_order_is_refused(tmp_path, rng):
    poses = replace(moving(3), positions=rng.random((5000, 1, 17, 3)), seen=None, sigma=None)
    write_poses(tmp_path / "x.parquet", poses)
    table = parquet.read_table(tmp_path / "x.parquet")
    parquet.write_table(table.take(np.arange(table.num_rows)[::-1]), tmp_path / "x.parquet")

    with pytest.raises(FormatError, match=r"x\.parquet: from frame 0: .* frames of a long table"):
        list(read_poses_in_parts(tmp_path / "x.parquet"))
    assert len(read_poses(tmp_path / "x.parquet")) == 5000


def test_a_long_archive_stays_in_its_file(tmp_path, poses, monkeypatch):
    write_poses(tmp_path / "x.npz", poses)
    monkeypatch.setattr(archive, "MAPPED", 1000)

    back = read_poses(tmp_path / "x.npz")

    assert all(isinstance(each, np.memmap) for each in (back.positions, back.seen, back.fronts))
    for name, array in arrays_of(poses).items():
        np.testing.assert_array_equal(arrays_of(back)[name], array, err_msg=name)


def test_short_tables_are_read_whole(tmp_path, poses):
    write_poses(tmp_path / "x.parquet", poses)

    assert not motion_files.is_long_table(tmp_path / "x.parquet")
    assert not motion_files.is_long_table(tmp_path / "x.npz")
