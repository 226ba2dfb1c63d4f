"""Arrays and ``.npz``: ours, which come back bit by bit, anybody's, and VideoPose3D's."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_keypoints import assert_same, walk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphlift.errors import FormatError
from graphlift.formats import open_keypoints_npz, read_keypoints, write_keypoints
from graphlift.sequences import Keypoints, keypoints_from
from graphlift.skeletons import (
    COCO_17,
    H36M_17,
    HALPE_26,
    MPI_INF_3DHP_17,
    OPENPOSE_BODY_25,
    SKELETONS,
    Skeleton,
)


def some(skeleton, *, dtype=np.float64, source="x", **said):
    triples = walk(skeleton, frames=6, people=2)
    triples[1, 0] = triples[2, :, 3] = 0
    made = keypoints_from(triples, skeleton, source=source, **said)
    return replace(
        made, positions=made.positions.astype(dtype), confidence=made.confidence.astype(dtype)
    )


def assert_equal(ours, theirs):
    for name in ("positions", "confidence"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    for name in ("skeleton", "image_size", "fps", "people", "source"):
        assert getattr(ours, name) == getattr(theirs, name), name


# Ours


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keypoints_come_back_bit_by_bit(tmp_path, skeleton, dtype):
    ours = some(
        skeleton, dtype=dtype, image_size=(1920, 1080), fps=29.97, people=("Ann", "Çağ"),
        source="a line (of, things)",
    )  # fmt: skip

    write_keypoints(tmp_path / "a.npz", ours)

    assert_equal(read_keypoints(tmp_path / "a.npz"), ours)


def test_a_skeleton_of_ones_own_comes_back_too(tmp_path):
    own = Skeleton("own", ("Root", "LTip", "RTip"), (-1, 0, 0), "Root")
    ours = keypoints_from(np.full((2, 1, 3, 2), 50.0), own, source="x")

    write_keypoints(tmp_path / "a.npz", ours)

    assert_equal(read_keypoints(tmp_path / "a.npz"), ours)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 5).flatmap(
        lambda frames: arrays(
            np.float64, (frames, 2, 16, 2), elements=st.floats(-1e5, 1e5) | st.just(np.nan)
        )
    ),
    st.sampled_from([None, 25.0, 0.1, 59.94]),
)
def test_whatever_is_seen_comes_back(tmp_path_factory, positions, fps):
    path = tmp_path_factory.mktemp("x") / "a.npz"
    ours = keypoints_from(positions, SKELETONS["mpii-16"], fps=fps, source="x")
    write_keypoints(path, ours)
    far = np.nanmax(np.abs(np.append(ours.positions, np.nan)), initial=0)
    if far > 2:
        there = np.flatnonzero(ours.seen.any(axis=(0, 2))).tolist()  # who is never seen is nobody
        read = read_keypoints(path)
        assert_equal(read, ours.of_people(there))
        assert bool(read.notes) == (len(there) < 2)
    else:
        with pytest.raises(FormatError, match=r"no person|fractions"):
            read_keypoints(path)


def test_a_plain_file_is_mapped_and_a_compressed_one_is_read(tmp_path):
    ours = some(COCO_17)
    write_keypoints(tmp_path / "plain.npz", ours)
    with np.load(tmp_path / "plain.npz") as stored:
        np.savez_compressed(tmp_path / "small.npz", **stored)

    plain, small = (open_keypoints_npz(tmp_path / f"{n}.npz") for n in ("plain", "small"))

    assert isinstance(plain.positions, np.memmap)
    assert isinstance(plain.confidence, np.memmap)
    assert not plain.positions.flags.writeable
    assert not isinstance(small.positions, np.memmap)
    assert_equal(plain, small)


def test_a_mapped_file_may_be_replaced_while_it_is_read(tmp_path):
    ours = some(COCO_17)
    write_keypoints(tmp_path / "a.npz", ours)
    mapped = read_keypoints(tmp_path / "a.npz")

    write_keypoints(tmp_path / "a.npz", replace(mapped, fps=50.0))

    assert_equal(mapped, ours)
    assert read_keypoints(tmp_path / "a.npz").fps == 50


def test_nothing_is_left_where_writing_fails(tmp_path):
    with pytest.raises(FormatError, match=r"a\.csv: keypoints are written as \.npz"):
        write_keypoints(tmp_path / "a.csv", some(COCO_17))
    assert not list(tmp_path.iterdir())


def test_a_file_larger_than_what_may_be_read_whole_is_mapped(tmp_path):
    positions = np.full((60_000, 1, 17, 2), 100.0)
    write_keypoints(tmp_path / "long.npz", keypoints_from(positions, COCO_17))
    assert (tmp_path / "long.npz").stat().st_size > 24_000_000

    keypoints = read_keypoints(tmp_path / "long.npz", max_bytes=1_000_000)

    assert len(keypoints) == 60_000
    assert keypoints.confidence.sum() == 60_000 * 17


OWN_MEMORY = """
import sys
from pathlib import Path
from graphlift.formats import open_keypoints_npz
keypoints = open_keypoints_npz(Path(sys.argv[1]))
status = Path("/proc/self/status").read_text().splitlines()
print(len(keypoints), *(line.split()[1] for line in status if line.startswith("RssAnon")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_opening_a_long_file_takes_no_memory_of_its_size(tmp_path):
    # 100 MB, of which the process has none but the pages it looks at.
    shape = (500_000, 1, 17)
    path = tmp_path / "long.npz"
    ones = np.ones(shape, np.float32)
    write_keypoints(path, Keypoints(np.full((*shape, 2), 9, np.float32), ones, COCO_17))

    run = subprocess.run(
        [sys.executable, "-c", OWN_MEMORY, path], capture_output=True, text=True, check=True
    )

    frames, kilobytes = map(int, run.stdout.split())
    assert frames == 500_000
    assert kilobytes < 90_000


# Anybody's


def test_an_npz_needs_no_more_than_keypoints(tmp_path):
    triples = walk(OPENPOSE_BODY_25, frames=3, people=2)
    np.savez(tmp_path / "a.npz", keypoints=triples)

    keypoints = read_keypoints(tmp_path / "a.npz", fps=30, image_size=(640, 480))

    assert keypoints.skeleton is OPENPOSE_BODY_25
    assert (keypoints.fps, keypoints.image_size) == (30, (640, 480))
    assert_same(keypoints, triples, people=("0", "1"))


@pytest.mark.parametrize("kind", [np.savez, np.savez_compressed])
def test_the_usual_sloppiness_is_put_right(tmp_path, kind):
    # (frame, joint, 2), zeros where missing, float32, confidences above 1 and below 0.
    triples = walk(HALPE_26, frames=4)
    triples[1, 0, 2] = 0
    triples[0, 0, :3, 2] = 3.5, -1, np.nan
    kind(
        tmp_path / "a.npz",
        keypoints=triples[:, 0, :, :2].astype(np.float32),
        confidence=triples[:, 0, :, 2].astype(np.float32),
    )

    keypoints = read_keypoints(tmp_path / "a.npz")

    triples[0, 0, :3, 2] = 1, 0, 0
    assert_same(keypoints, triples, atol=1e-4)


def test_named_joints_are_put_into_our_order(tmp_path):
    order = np.random.default_rng(0).permutation(17)
    triples = walk(COCO_17, frames=3)
    names = [COCO_17.joints[n].replace("L", "left_", 1) for n in order]
    np.savez(tmp_path / "a.npz", keypoints=triples[:, :, order], joints=names)

    keypoints = read_keypoints(tmp_path / "a.npz")

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples)


def test_seventeen_joints_are_three_skeletons_until_one_is_named(tmp_path):
    triples = walk(COCO_17, frames=3)
    np.savez(tmp_path / "a.npz", keypoints=triples)
    np.savez(tmp_path / "said.npz", keypoints=triples, skeleton="mpi-inf-3dhp-17")

    with pytest.raises(FormatError) as told:
        read_keypoints(tmp_path / "a.npz")

    assert "17 joints may be coco-17, h36m-17 or mpi-inf-3dhp-17" in str(told.value)
    assert "--skeleton" in str(told.value)
    assert read_keypoints(tmp_path / "a.npz", skeleton="h36m-17").skeleton is H36M_17
    assert read_keypoints(tmp_path / "said.npz").skeleton is MPI_INF_3DHP_17


@pytest.mark.parametrize("drop", [0, 1, 2])
def test_a_bare_array_has_the_axes_it_has(tmp_path, drop):
    triples = walk(OPENPOSE_BODY_25, frames=1 if drop == 2 else 3)
    array = triples[(slice(None), 0)] if drop else triples
    array = array[0] if drop == 2 else array
    np.save(tmp_path / "a.npy", array)

    for source in (array, tmp_path / "a.npy", str(tmp_path / "a.npy")):
        assert_same(read_keypoints(source), triples)


def test_an_array_in_memory_is_copied():
    array = walk(COCO_17)

    keypoints = read_keypoints(array, skeleton="coco-17")
    array[:] = 0

    assert keypoints.seen.all()


# VideoPose3D


def custom(path, clips, *, video=None):
    """As its ``prepare_data_2d_custom.py`` writes it."""
    metadata = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": [[1, 3], [2, 4]]}
    np.savez_compressed(
        path,
        positions_2d={
            name: {"custom": [array.astype("float32")]} for name, array in clips.items()
        },
        metadata={**metadata, "video_metadata": video or {}},
    )
    return path


def test_videopose3ds_custom_file_says_its_skeleton_and_size(tmp_path):
    triples = walk(COCO_17, frames=5)
    clips = {"walk.mp4": triples[:, 0, :, :2]}
    path = custom(tmp_path / "d.npz", clips, video={"walk.mp4": {"w": 640, "h": 480, "fps": 25.0}})

    keypoints = read_keypoints(path)

    triples[..., 2] = 1
    assert (keypoints.skeleton, keypoints.image_size, keypoints.fps) == (COCO_17, (640, 480), 25)
    assert_same(keypoints, triples, people=("0",), atol=1e-4)
    assert "clip walk.mp4/custom/0" in keypoints.source


def test_videopose3ds_clips_are_named(tmp_path):
    triples = walk(H36M_17, frames=5, people=4)[..., :2].astype("float32")
    positions = {
        "S9": {"Walking 1": [triples[:, 0], triples[:, 1]], "Eating": [triples[:, 2]]},
        "S11": {"Walking 1": [triples[:, 3]]},
    }
    metadata = {"layout_name": "h36m", "num_joints": 17}
    np.savez_compressed(tmp_path / "h.npz", positions_2d=positions, metadata=metadata)

    with pytest.raises(FormatError, match=r"holds 4 clips: .*clip='S9/Walking 1/0' or"):
        read_keypoints(tmp_path / "h.npz")
    with pytest.raises(FormatError, match=r"has no clip 'S9/Dancing': it holds 'S9/Walking 1/0'"):
        read_keypoints(tmp_path / "h.npz", clip="S9/Dancing")
    keypoints = read_keypoints(tmp_path / "h.npz", clip="S9/Walking 1/1")

    assert keypoints.skeleton is H36M_17
    np.testing.assert_array_equal(keypoints.positions[:, 0], triples[:, 1].astype(float))


# Damage


@pytest.mark.parametrize("member", ["keypoints.npy", "confidence.npy", "joints.npy"])
def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path, member):
    write_keypoints(tmp_path / "a.npz", some(COCO_17))
    with zipfile.ZipFile(tmp_path / "a.npz") as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[member] = parts[member].replace(b"(6,", b"(600000,").replace(b"(17,", b"(170,")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as new:
        for name, part in parts.items():
            new.writestr(name, part)

    with pytest.raises(FormatError, match=r"b\.npz: .*damaged.*copy or make it again"):
        read_keypoints(tmp_path / "b.npz")


def test_a_compressed_file_that_would_not_fit_is_refused_before_it_is_read(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", keypoints=np.ones((500_000, 25, 2)))

    with pytest.raises(FormatError, match=r"bomb\.npz: keypoints .* takes 0\.20 GB, .* without"):
        read_keypoints(tmp_path / "bomb.npz", max_bytes=1 << 20)


# The same as JSON


def plain_json(tmp_path, **fields):
    (tmp_path / "a.json").write_text(json.dumps(fields))
    return tmp_path / "a.json"


def test_json_with_the_fields_of_an_npz_says_the_same(tmp_path):
    triples = walk(COCO_17, frames=6, people=2)
    triples[1, 0, 3] = np.nan
    said = {"skeleton": "coco-17", "image_size": [1920, 1080], "fps": 25, "people": ["Ann", "Bo"]}
    np.savez(tmp_path / "a.npz", keypoints=triples, **said)
    lists = np.where(np.isnan(triples), None, triples).tolist()

    theirs = read_keypoints(plain_json(tmp_path, keypoints=lists, **said))

    assert_same(theirs, triples, people=("Ann", "Bo"))
    npz = read_keypoints(tmp_path / "a.npz")
    np.testing.assert_array_equal(theirs.positions, npz.positions)
    assert np.isnan(theirs.positions[1, 0, 3]).all()
    assert (theirs.image_size, theirs.fps) == (npz.image_size, npz.fps) == ((1920, 1080), 25)


def test_null_stands_for_a_joint_a_person_and_a_frame(tmp_path):
    triples = walk(COCO_17, frames=6, people=2)
    lists = triples.tolist()
    lists[0], lists[1], lists[2][1], lists[3][0][5] = None, [None, None], None, None
    triples[:2] = triples[2, 1] = triples[3, 0, 5] = np.nan

    read = read_keypoints(plain_json(tmp_path, keypoints=lists, skeleton="coco-17"))

    np.testing.assert_array_equal(read.positions, triples[..., :2])
    np.testing.assert_array_equal(read.confidence, np.nan_to_num(triples[..., 2]))


@pytest.mark.parametrize("kind", ["npz", "json"])
def test_a_field_that_is_not_read_is_named(tmp_path, kind):
    xy = walk(COCO_17, frames=2)[:, 0, :, :2]
    fields = {"keypoints": xy.tolist(), "skeleton": "coco-17", "scores": [0.5] * 17, "rate": 50}
    path = plain_json(tmp_path, **fields)
    if kind == "npz":
        path = tmp_path / "a.npz"
        # A field of objects, which would be refused were it read.
        np.savez(path, **fields | {"rate": np.array({"fps": 50}, dtype=object)})

    read = read_keypoints(path)

    assert read.source.endswith("(coco-17, not used: scores rate)")
    assert (read.confidence == 1).all()
    assert read.fps is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"keypoints": [[1, 2], [3]]}, "keypoints should be numbers, in lists of equal length"),
        ({"keypoints": [[["1", "2"]] * 17]}, "text among them"),
        ({"keypoints": [None, [["1", "2"]] * 17]}, "text among them"),
        ({"keypoints": [[[1, 2], 3]]}, "a number stands where others are lists"),
        ({"keypoints": [None] * 20_000 + [[[1, 2]] * 999]}, "only 21,998 of 39,961,998 would"),
        ({"keypoints": [[[[[[1]]]]], None]}, "lists within lists, more than 5"),
        ({"keypoints": [1, 2, 3]}, r"keypoints are \(3,\) of float64"),
        ({"skeleton": ["coco-17"]}, r"skeleton is \['coco-17'\], but should be a name"),
        ({"people": "Ann"}, "people is 'Ann', but should be a list of names"),
        ({"image_size": [1920]}, "image size is"),
        ({"fps": [25, 25]}, "fps is"),
    ],
)
def test_a_field_of_json_that_cannot_be_is_named(tmp_path, fields, words):
    good = {"keypoints": walk(COCO_17, frames=2)[:, 0].tolist(), "skeleton": "coco-17"}

    with pytest.raises(FormatError, match=words):
        read_keypoints(plain_json(tmp_path, **(good | fields)))
