"""Packs of 3D and 2D: what is written is read, by ourselves and by NumPy; damage is refused."""

import hashlib
import json
import os
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.cameras import Camera
from graphlift.datasets.licensed.index import SourceFile
from graphlift.datasets.licensed.pack import (
    CameraSequence,
    open_sequences,
    verify_sequences,
    write_sequences,
)
from graphlift.errors import DatasetNotFoundError, FormatError, ShapeError
from graphlift.skeletons import H36M_16, H36M_17


def sequence(frames=4, seed=0, *, skeleton=H36M_17, kinds=("gt", "cpn"), **changes):
    rng = np.random.default_rng(seed)
    lens = Camera(
        (1145.0, 1144.5),
        (512.5, 515.25),
        (1000, 1002),
        Rotation.random(rng=rng).as_matrix(),
        rng.normal(size=3),
        (-0.2, 0.24, -0.003),
        (-0.0009, -0.0014),
    )
    made = CameraSequence(
        subject=f"S{seed % 3}",
        activity="Walking",
        clip=f"Walking {seed}",
        camera="54138969",
        lens=lens,
        positions=rng.normal(size=(frames, len(skeleton), 3)).astype("f4"),
        keypoints={k: rng.normal(size=(frames, len(skeleton), 2)).astype("f4") for k in kinds},
        valid=rng.random(frames) < 0.7,
        fps=50.0,
        skeleton=skeleton,
    )
    return replace(made, **changes)


def assert_same(one, other):
    for name in ("subject", "activity", "clip", "camera", "fps", "skeleton"):
        assert getattr(one, name) == getattr(other, name)
    np.testing.assert_array_equal(one.positions, other.positions)
    np.testing.assert_array_equal(one.valid, other.valid)
    assert list(one.keypoints) == list(other.keypoints)
    for kind in one.keypoints:
        np.testing.assert_array_equal(one.keypoints[kind], other.keypoints[kind])
    for name in ("focal", "centre", "size", "radial", "tangential"):
        assert getattr(one.lens, name) == getattr(other.lens, name)
    np.testing.assert_array_equal(one.lens.R, other.lens.R)
    np.testing.assert_array_equal(one.lens.position, other.lens.position)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.sampled_from([H36M_16, H36M_17]))
def test_sequences_come_back_bit_by_bit(tmp_path_factory, lengths, skeleton):
    folder = tmp_path_factory.mktemp("packs") / "pack"
    written = [sequence(n, i, skeleton=skeleton) for i, n in enumerate(lengths)]

    pack = write_sequences(folder, iter(written))

    assert (len(pack), pack.frames) == (len(lengths), sum(lengths))
    for one, other in zip(pack, written, strict=True):
        assert_same(one, other)
    verify_sequences(open_sequences(folder))


def test_numpy_and_json_read_a_pack_without_us(tmp_path):
    written = [sequence(3, 0), sequence(5, 1)]
    source = SourceFile("a.npz", 12, "0" * 64)
    write_sequences(
        tmp_path / "pack",
        written,
        name="made-up",
        sources=[source],
        options={"joints": 17},
        notes=["all of it is made up"],
    )

    index = json.loads((tmp_path / "pack" / "index.json").read_text())
    arrays = {p.name: np.load(p, mmap_mode="r") for p in (tmp_path / "pack").glob("*.npy")}

    assert set(arrays) == {"positions.npy", "keypoints-gt.npy", "keypoints-cpn.npy", "valid.npy"}
    assert arrays["positions.npy"].dtype == arrays["keypoints-gt.npy"].dtype == np.float32
    np.testing.assert_array_equal(arrays["positions.npy"][3:], written[1].positions)
    np.testing.assert_array_equal(arrays["keypoints-cpn.npy"][:3], written[0].keypoints["cpn"])
    assert [(e["clip"], e["first"], e["frames"]) for e in index["sequences"]] == [
        ("Walking 0", 0, 3),
        ("Walking 1", 3, 5),
    ]
    assert index["name"] == "made-up"
    assert index["sources"] == [{"name": "a.npz", "bytes": 12, "sha256": "0" * 64}]
    assert (index["options"], index["notes"]) == ({"joints": 17}, ["all of it is made up"])
    assert index["counts"] == {"S0": 3, "S1": 5}
    raw = np.concatenate([s.positions for s in written]).tobytes()
    assert index["arrays"]["positions.npy"] == hashlib.sha256(raw).hexdigest()
    assert oct((tmp_path / "pack").stat().st_mode)[-3:] == "755"


def test_a_pack_is_mapped_and_cannot_be_written_to(tmp_path):
    pack = write_sequences(tmp_path / "pack", [sequence()])

    assert isinstance(pack.positions.base, np.memmap)
    assert np.shares_memory(pack.sequence(0).positions, pack.positions)
    with pytest.raises(ValueError, match="read-only"):
        pack.sequence(0).positions[0] = 0


def test_the_digest_is_of_what_is_in_it_and_not_of_what_was_said(tmp_path):
    one = write_sequences(tmp_path / "a", [sequence(), sequence(seed=1)], notes=["monday"])
    same = write_sequences(tmp_path / "b", [sequence(), sequence(seed=1)], name="other")
    turned = write_sequences(tmp_path / "c", [sequence(seed=1), sequence()])

    assert one.digest == same.digest != turned.digest


def test_notes_and_sources_may_come_while_it_is_read(tmp_path):
    notes = []

    def reading():
        yield sequence()
        notes.append("said at the end")

    assert write_sequences(tmp_path / "pack", reading(), notes=notes).index.notes == [
        "said at the end"
    ]


def test_poses_are_counted_by_subject(tmp_path):
    pack = write_sequences(tmp_path / "p", [sequence(2, 0), sequence(3, 1), sequence(4, 3)])

    assert pack.index.counts == {"S0": 6, "S1": 3}


def test_writing_holds_one_sequence_at_a_time(tmp_path):
    write_sequences(tmp_path / "pack", [sequence()])  # imports

    tracemalloc.start()
    pack = write_sequences(tmp_path / "pack", (sequence(1000, seed) for seed in range(40)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    each = 1000 * (17 * (3 + 2 + 2) * 4 + 1)
    assert sum(path.stat().st_size for path in pack.folder.iterdir()) > 40 * each
    assert peak < 6 * each


# Whole or not at all


def test_if_reading_fails_there_is_no_pack_and_the_old_one_stays(tmp_path):
    def failing():
        yield sequence()
        raise FormatError("the second clip is damaged")

    with pytest.raises(FormatError, match="second clip"):
        write_sequences(tmp_path / "pack", failing())
    assert not list(tmp_path.iterdir())

    old = write_sequences(tmp_path / "pack", [sequence(7)]).digest
    with pytest.raises(FormatError, match="second clip"):
        write_sequences(tmp_path / "pack", failing())
    assert [p.name for p in tmp_path.iterdir()] == ["pack"]
    assert open_sequences(tmp_path / "pack").digest == old


def test_a_pack_replaces_a_pack_and_nothing_else(tmp_path):
    write_sequences(tmp_path / "pack", [sequence(7)])
    assert write_sequences(tmp_path / "pack", [sequence(2)]).frames == 2

    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.tex").write_text("years of work")
    with pytest.raises(FormatError, match=r"thesis: exists and is no pack.*another"):
        write_sequences(thesis, [sequence()])
    (tmp_path / "file").write_text("")
    with pytest.raises(FormatError, match="file: exists"):
        write_sequences(tmp_path / "file", [sequence()])
    assert (thesis / "chapter1.tex").read_text() == "years of work"


NAN = np.full((4, 17, 3), np.nan, dtype="f4")


@pytest.mark.parametrize(
    ("second", "error", "words"),
    [
        ({"skeleton": H36M_16}, ShapeError, "S1/Walking 1/54138969: has h36m-16 .* first"),
        ({"kinds": ("gt",)}, ShapeError, "has h36m-17 and gt, but .* gt, cpn"),
        ({"positions": NAN[:2]}, ShapeError, r"valid is \(4,\) but should be \(2,\)"),
        ({"positions": NAN[:, :16]}, ShapeError, r"positions is \(4, 16, 3\)"),
        ({"positions": NAN, "valid": np.ones(4, bool)}, FormatError, "frame 0 .* not finite"),
        ({"frames": 0}, ShapeError, "at least one frame"),
        ({"seed": 0}, FormatError, "should have a name of its own"),
        ({"fps": 0.0}, FormatError, "fps 0 should be frames per second"),
    ],
)  # fmt: skip
def test_sequences_that_do_not_fit_are_refused_by_name(tmp_path, second, error, words):
    with pytest.raises(error, match=words):
        write_sequences(tmp_path / "pack", [sequence(), sequence(**{"seed": 1} | second)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["../../x", "", "GT", "a" * 40])
def test_a_kind_cannot_become_a_path(tmp_path, kind):
    with pytest.raises(ShapeError, match="a kind of keypoints is a short word"):
        write_sequences(tmp_path / "pack", [sequence(kinds=(kind,))])


def test_nothing_is_no_pack(tmp_path):
    with pytest.raises(FormatError, match="no sequence was read"):
        write_sequences(tmp_path / "pack", [])


def test_what_does_not_count_may_be_nan(tmp_path):
    pack = write_sequences(
        tmp_path / "p", [sequence(positions=NAN, valid=np.zeros(4, dtype=bool))]
    )

    assert np.isnan(pack.positions).all()


# Damage


@pytest.fixture
def folder(tmp_path):
    write_sequences(tmp_path / "pack", [sequence(), sequence(seed=1)])
    return tmp_path / "pack"


def test_what_is_no_pack_says_how_to_make_one(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"no pack at .*graphlift data prepare h36m"):
        open_sequences(tmp_path / "nowhere")


def test_a_missing_cut_or_other_array_is_refused_by_name(folder):
    path = folder / "keypoints-gt.npy"
    whole = path.read_bytes()
    others = {
        whole[:-1]: "cut short",
        whole[:50]: "cut short",
        b"": "cut short",
        whole + b"1": r"\(8, 17, 2\) of float32 take 1,088 bytes, and it has 1,089",
        (folder / "valid.npy").read_bytes(): r"is bool \(8,\), but .* float32 \(8, 17, 2\)",
    }
    for content, words in others.items():
        path.write_bytes(content)
        with pytest.raises(FormatError, match=rf"keypoints-gt\.npy: .*{words}.*again"):
            open_sequences(folder)
    path.unlink()
    with pytest.raises(FormatError, match=r"keypoints-gt\.npy: is missing from the pack"):
        open_sequences(folder)


def test_an_array_of_objects_is_not_unpickled(folder, monkeypatch, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.system, ("touch pwned",)

    monkeypatch.chdir(tmp_path)
    objects = np.empty((8, 17, 3), dtype=object)
    objects[...] = Attack()
    np.save(folder / "positions.npy", objects)

    with pytest.raises(FormatError, match=r"positions\.npy: holds object, not numbers"):
        open_sequences(folder)
    assert not (tmp_path / "pwned").exists()


def test_a_number_that_was_changed_is_found_when_looked_for(folder):
    with (folder / "positions.npy").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")

    with pytest.raises(FormatError, match=r"positions\.npy: its numbers are not those"):
        verify_sequences(open_sequences(folder))


CHANGES = {
    "a gap": (lambda i: i["sequences"][1].update(first=5), r"sequences\.1 \(S1/.*frames 5 to 9"),
    "no frames": (lambda i: i["sequences"][1].update(frames=0), "at least one"),
    "a length": (lambda i: i.update(frames=9), "frames 9 should be 8"),
    "counts": (lambda i: i["counts"].update(S1=5), "counts .* should be"),
    "a type": (lambda i: i.update(frames="8"), "frames: .*valid integer"),
    "a version": (lambda i: i.update(version=2), "version"),
    "an unknown key": (lambda i: i.update(more=1), "more"),
    "a missing key": (lambda i: i.pop("kinds"), "kinds"),
    "a path": (lambda i: i.update(kinds=["gt", "../x"]), "short words"),
    "kinds twice": (lambda i: i.update(kinds=["gt", "gt"]), "different short words"),
    "arrays": (lambda i: i["arrays"].pop("valid.npy"), "lists the arrays"),
    "a reflection": (lambda i: i["sequences"][0]["lens"].update(R=[[2.0] * 3] * 3), "rotation"),
    "a lens": (lambda i: i["sequences"][0]["lens"].update(radial=[0.1]), "lens.radial"),
    "a focal": (lambda i: i["sequences"][0]["lens"].update(focal=[-1.0, 1.0]), "positive focal"),
    "joints": (lambda i: i["skeleton"]["parents"].pop(), "skeleton"),
    "a circle": (lambda i: i["skeleton"].update(parents=[1, 0] + [0] * 15), "skeleton"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_index_that_does_not_add_up_is_refused(folder, what):
    change, words = CHANGES[what]
    index = json.loads((folder / "index.json").read_text())
    change(index)
    index["sha256"] = ""  # as in a pack of an earlier version
    (folder / "index.json").write_text(json.dumps(index))

    with pytest.raises(FormatError, match=rf"index\.json: .*{words}"):
        open_sequences(folder)


def test_an_index_that_was_changed_and_adds_up_is_refused_too(folder):
    index = json.loads((folder / "index.json").read_text())
    index["sequences"][0]["lens"]["focal"][0] += 1
    (folder / "index.json").write_text(json.dumps(index))

    with pytest.raises(FormatError, match=r"index\.json: does not hold what was written"):
        open_sequences(folder)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"frames": NaN}'])
def test_an_index_that_is_no_json_is_refused(folder, text):
    (folder / "index.json").write_text(text)

    with pytest.raises(FormatError, match=r"index\.json: .*prepare the pack again"):
        open_sequences(folder)
