import gc
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data.mocap import make
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphlift.datasets import Clip, MotionCapture
from graphlift.datasets.mocap.pack import read_pack, write_pack
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.skeletons import H36M_17

BODY = np.array([[x, -z, y] for x, y, z in (make.BODY[joint] for joint in H36M_17.joints)])
SHARED = Path(__file__).parents[4] / "shared" / "mocap"


def capture(*lengths):
    clips = tuple(
        Clip(f"clip{number}", f"S{number % 2}", "walk", 30.0, np.tile(BODY, (length, 1, 1)))
        for number, length in enumerate(lengths)
    )
    return MotionCapture("made-up", H36M_17, clips, "free", "drawn by hand")


@pytest.fixture
def pack(tmp_path):
    """Writes a pack of five frames in two clips with some arrays replaced; None leaves one out."""

    def write(**changes):
        content = {
            "xyz_mm": np.tile(BODY * 1000, (5, 1, 1)).astype(np.int16),
            "clip_start": np.array([0, 2, 5], dtype=np.int32),
            "clip_id": np.array(["a", "b"]),
            "subject": np.array(["S1", "S2"]),
            "fps": np.array([30, 30], dtype=np.float32),
            "activity": np.array(["walk", "run"]),
            **changes,
        }
        path = tmp_path / "pack.npz"
        np.savez(path, **{name: array for name, array in content.items() if array is not None})
        return path

    return write


def test_a_pack_of_the_documented_layout_is_read(pack):
    read = read_pack(pack())

    assert [(clip.name, clip.subject, clip.activity) for clip in read.clips] == [
        ("a", "S1", "walk"),
        ("b", "S2", "run"),
    ]
    assert [len(clip.positions) for clip in read.clips] == [2, 3]
    np.testing.assert_allclose(read.clips[1].positions[2], BODY, atol=1e-6)


def test_what_is_written_is_read_back(tmp_path):
    path, written = tmp_path / "made-up.npz", capture(2, 1, 4)

    write_pack(path, written)

    read = read_pack(path)
    assert (read.name, read.license, read.source) == ("made-up", "free", "drawn by hand")
    assert read.subjects == ("S0", "S1")
    for before, after in zip(written.clips, read.clips, strict=True):
        assert (before.name, before.subject, before.fps) == (after.name, after.subject, after.fps)
        np.testing.assert_allclose(after.positions, before.positions, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 4), st.just(17), st.just(3)),
           elements=st.floats(-32, 32)),
)  # fmt: skip
def test_positions_survive_to_half_a_millimetre(tmp_path_factory, positions):
    positions[0, 0, 2], positions[0, 1, 2] = 0.0, 1.5  # somebody's height
    path = tmp_path_factory.mktemp("pack") / "p.npz"
    clips = (Clip("a", "S", "walk", 30.0, np.clip(positions, -9, 9)),)

    write_pack(path, MotionCapture("p", H36M_17, clips))

    after = np.load(path)["xyz_mm"] / 1000
    np.testing.assert_allclose(after, clips[0].positions, atol=0.000501)


def test_the_digest_is_of_what_is_in_the_pack_and_not_of_the_file(tmp_path):
    write_pack(tmp_path / "a.npz", capture(2, 3))
    np.savez(tmp_path / "b.npz", **dict(np.load(tmp_path / "a.npz")))  # not compressed
    write_pack(tmp_path / "c.npz", capture(3, 2))
    digests = [read_pack(tmp_path / f"{name}.npz").digest for name in "abc"]

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 32.5])
def test_positions_that_a_pack_cannot_hold_are_not_written(tmp_path, bad):
    wrong = capture(2)
    wrong.clips[0].positions[1, 3, 0] = bad

    with pytest.raises(FormatError, match=r"clip clip0: .* check the unit"):
        write_pack(tmp_path / "p.npz", wrong)

    assert not list(tmp_path.iterdir())


def test_no_clips_are_not_written(tmp_path):
    with pytest.raises(FormatError, match="nothing to write"):
        write_pack(tmp_path / "p.npz", capture())


def test_a_missing_pack_is_named(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"no motion-capture pack at .*absent\.npz"):
        read_pack(tmp_path / "absent.npz")


XYZ = np.tile(BODY * 1000, (5, 1, 1))


def with_nan():
    xyz = XYZ.copy()
    xyz[3, 4, 1] = np.nan
    return xyz


def scaled(frames, factor):
    xyz = XYZ.copy()
    xyz[frames] *= factor
    return xyz


def test_a_child_among_others_is_read(pack):
    legs = [clip.positions[0, 0, 2] for clip in read_pack(pack()).clips]
    frames = np.concatenate([XYZ[:2] * 0.5, XYZ, XYZ])

    read = read_pack(pack(
        xyz_mm=frames, clip_start=np.array([0, 2, 7, 12]), clip_id=np.array(["a", "b", "c"]),
        subject=np.array(["child", "S", "S"]), fps=np.full(3, 30), activity=np.full(3, "walk"),
    ))  # fmt: skip

    assert read.clips[0].positions[0, 0, 2] == pytest.approx(0.5 * legs[0], abs=1e-3)


@pytest.mark.parametrize("units", ["mm", "xyz_mm: int16 millimetres", "millimeters"])
def test_millimetres_may_be_spelt_in_many_ways(pack, units):
    assert len(read_pack(pack(units=np.array(units)))) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"xyz_mm": None}, "has no array 'xyz_mm'"),
        ({"subject": None}, "has no array 'subject'"),
        ({"xyz_mm": XYZ[:, :16]}, r"xyz_mm is \(5, 16, 3\) but should be \(frame, 17, 3\)"),
        ({"xyz_mm": XYZ[0]}, r"xyz_mm is \(17, 3\)"),
        ({"xyz_mm": with_nan()}, "xyz_mm is not finite in frame 3"),
        ({"xyz_mm": XYZ.astype(str)}, "xyz_mm is <U.* millimetres"),
        ({"xyz_mm": XYZ / 1000}, "high but should be a person's height in millimetres"),
        ({"clip_start": np.array([0, 5, 5])}, "clip_start is .* rising whole frame numbers"),
        ({"clip_start": np.array([0, 4, 2])}, "clip_start is .* rising"),
        ({"clip_start": np.array([0, 4, 2, 5], dtype=np.uint32)}, "clip_start is .* rising"),
        ({"clip_start": np.array([0, 4, 2, 5], dtype=np.uint64)}, "clip_start is .* rising"),
        ({"clip_start": np.array([0.0, 2.0, 5.0])}, "clip_start is float64"),
        ({"clip_start": np.array([0, 2, 6])}, "from 0 to 6 but should be from 0 to 5"),
        ({"clip_start": np.array([-1, 2, 5])}, "from -1 to 5"),
        ({"clip_start": np.array([], dtype=int)}, "clip_start is"),
        ({"clip_id": np.array(["a"])}, r"clip_id is \(1,\) but should be one a clip, \(2,\)"),
        ({"fps": np.array([30.0, 0.0])}, "fps is no frame rate everywhere"),
        ({"fps": np.array([30.0, np.nan])}, "fps is no frame rate everywhere"),
        ({"fps": np.array(["30", "30"])}, "fps is no frame rate everywhere"),
        ({"fps": np.array([30.0, 20_000.0])}, "fps is no frame rate everywhere"),
        ({"fps": np.array([30.0, np.inf])}, "fps is no frame rate everywhere"),
        ({"subject": np.array(["S1", " "])}, "subject is empty in clip 1"),
        (
            {"parents": np.array([1, 0, *H36M_17.parents[2:]])},
            r"parents is \[1, 0, 1.*Human3.6M's",
        ),
        ({"parents": np.array([-1])}, r"parents is \[-1\]"),
        ({"units": np.array("metres")}, "units is 'metres' but should be millimetres"),
        ({"units": np.array("cm")}, "units is 'cm' but should be millimetres"),
        ({"xyz_mm": scaled(slice(2, 5), 0.1)}, "clip b: with 0.001 m a unit, a leg is 0.08"),
        ({"xyz_mm": scaled(slice(0, 2), 10)}, "clip a: with 0.001 m a unit, a leg is 8"),
        ({"xyz_mm": scaled(slice(0, 5), 0.5)}, "people's legs, .*, measure 0.4.* scale"),
        ({"joint_names": np.array(["Nose"])}, "joint_names is Nose but should be Human3.6M's"),
        ({"up": np.array("y")}, "up is 'y' but should be 'z'"),
        ({"clip_id": np.array(["a", ["b"]], dtype=object)}, "clip_id holds Python objects"),
    ],
)
def test_a_wrong_array_is_refused_by_name(pack, changes, message):
    with pytest.raises(FormatError, match=message) as refusal:
        read_pack(pack(**changes))

    assert "pack.npz" in str(refusal.value)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self):
            return Path.touch, (trap,)

    (tmp_path / "p.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(FormatError, match=r"p\.npz: cannot be read as an \.npz"):
        read_pack(tmp_path / "p.npz")

    assert not trap.exists()


def test_a_refused_pack_is_closed(tmp_path, monkeypatch):
    left_open = []
    monkeypatch.setattr(sys, "unraisablehook", left_open.append)
    (tmp_path / "p.npz").write_bytes(b"PK\x03\x04 and no more")

    with pytest.raises(FormatError):
        read_pack(tmp_path / "p.npz")
    gc.collect()

    assert not left_open


def flagged(content, offset, value):
    """Change two bytes of the first entry of a zip's directory."""
    place = content.index(b"PK\x01\x02") + offset
    return content[:place] + value.to_bytes(2, "little") + content[place + 2 :]


@pytest.mark.parametrize("damage", ["version", "encrypted", "method", "npy", "huge"])
def test_a_zip_that_python_cannot_read_is_refused(pack, damage):
    path = pack()
    content = path.read_bytes()
    if damage == "npy":
        with path.open("wb") as file:
            np.save(file, XYZ)
    elif damage == "huge":
        with zipfile.ZipFile(path, "w") as file:
            header = np.lib.format.magic(1, 0) + (118).to_bytes(2, "little")
            shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000, 17, 3), }"
            file.writestr("xyz_mm.npy", header + shape.ljust(117) + b"\n")
    else:
        offset, value = {"version": (6, 999), "encrypted": (8, 1), "method": (10, 77)}[damage]
        path.write_bytes(flagged(content, offset, value))

    with pytest.raises(FormatError, match=r"pack\.npz: cannot be read as an \.npz"):
        read_pack(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_pack_cut_anywhere_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("pack") / "p.npz"
    write_pack(path, capture(2, 3))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])

    with pytest.raises(FormatError, match=r"p\.npz: cannot be read as an \.npz"):
        read_pack(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_pack_is_refused_or_read_and_never_crashes(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("pack") / "p.npz"
    write_pack(path, capture(2, 3))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))

    try:
        read = read_pack(path)
    except FormatError:
        return
    assert all(np.isfinite(clip.positions).all() for clip in read.clips)


@pytest.mark.skipif(not (SHARED / "cmu.npz").is_file(), reason="the pack is not here")
def test_the_shared_pack_is_what_its_page_says():
    read = read_pack(SHARED / "cmu.npz")

    assert (len(read), len(read.clips), len(read.subjects)) == (105_041, 361, 29)
    assert {clip.fps for clip in read.clips} == {30}
    assert len(read_pack(SHARED / "hdm05.npz")) == 17_951


def squatting(frames, depth):
    """The body with both knees bent forward (-y, where it looks) by ``depth``, m."""
    bodies = np.tile(BODY, (frames, 1, 1))
    bodies[:, H36M_17.index("LKnee", "RKnee")] += [0, -depth, 0]
    return bodies


MIRRORS = {
    "left and right swapped": lambda bodies: bodies[:, H36M_17.mirror],
    "y and z swapped, then upright again": lambda bodies: bodies * [1, -1, 1],
    "x reversed": lambda bodies: bodies * [-1, 1, 1],
}


@pytest.mark.parametrize("how", MIRRORS)
def test_a_mirrored_person_is_refused_by_name(pack, how):
    upright, mirrored = squatting(3, 0.1), MIRRORS[how](squatting(2, 0.1))
    xyz = np.concatenate([mirrored, upright])

    with pytest.raises(FormatError, match=r"pack\.npz: the knees of S1 bend backward"):
        read_pack(pack(xyz_mm=np.rint(xyz * 1000).astype(np.int16)))


@pytest.mark.parametrize("turn", [0.0, 1.0, 3.0])
def test_which_way_a_person_looks_does_not_matter(pack, turn):
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    xyz = squatting(5, 0.1) @ rotation.T

    assert len(read_pack(pack(xyz_mm=np.rint(xyz * 1000).astype(np.int16))).clips) == 2
