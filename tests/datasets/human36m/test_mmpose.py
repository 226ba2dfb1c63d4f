"""mmpose's annotations of Human3.6M: rows of images become clips, and wrong ones are refused."""

import os
import pickle

import numpy as np
import pytest
from helpers.tiny_h36m import CAMERAS, MOVING, filmed, people, rows, write_mmpose

from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.read import read_h36m
from graphlift.datasets.licensed.reading import ReadOptions
from graphlift.errors import FormatError

TABLE = published_cameras()
CLIPS = people(("S1", "S9"), ["Photo", "Sitting"])


class Attack:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def read(folder, **options):
    reading = read_h36m(folder, ReadOptions(**{"partial": True} | options))
    return list(reading.sequences), reading


def refused(folder, *words):
    with pytest.raises(FormatError) as told:
        read(folder)
    for word in words:
        assert word in str(told.value)


def test_mmpose_gives_cpn_by_row(tmp_path):
    write_mmpose(tmp_path / "fps50", rows(CLIPS, TABLE))

    sequences, _ = read(tmp_path)

    for s in sequences:
        apart = s.keypoints["cpn"] - s.keypoints["gt"]
        np.testing.assert_allclose(apart, np.broadcast_to([1, 2], apart.shape), atol=2e-3)


def test_mmpose_rows_of_every_fifth_image_are_ten_a_second(tmp_path):
    write_mmpose(tmp_path, rows(CLIPS, TABLE), step=5)

    assert {s.fps for s in read(tmp_path)[0]} == {10.0}


def test_compressed_annotations_in_any_order_are_the_same(tmp_path, rng):
    write_mmpose(tmp_path, rows(CLIPS, TABLE), cpn=False)
    stored, _ = read(tmp_path)

    for path in tmp_path.glob("h36m_*.npz"):
        with np.load(path) as archive:
            arrays = dict(archive)
        last = rng.permutation(
            np.arange(1, len(arrays["S"]))
        )  # the first row names the first clip
        np.savez_compressed(path, **{name: array[[0, *last]] for name, array in arrays.items()})
    mixed = {sequence.where: sequence for sequence in read(tmp_path)[0]}

    assert len(mixed) == len(stored)
    for one in stored:
        np.testing.assert_array_equal(one.positions, mixed[one.where].positions)
        np.testing.assert_array_equal(one.keypoints["gt"], mixed[one.where].keypoints["gt"])


def test_a_camera_that_is_missing_is_named(tmp_path):
    all_but_one = [row for row in rows(CLIPS, TABLE) if row[:3] != ("S1", "Photo", CAMERAS[2])]
    write_mmpose(tmp_path, all_but_one)

    _, reading = read(tmp_path)

    assert any(f"1 of 2 takes of Photo by camera {CAMERAS[2]}" in note for note in reading.notes)


# Wrong files


def change(path, **arrays):
    with np.load(path) as archive:
        content = dict(archive) | arrays
    np.savez(path, **{name: array for name, array in content.items() if array is not None})


@pytest.fixture
def annotated(tmp_path):
    write_mmpose(tmp_path, rows(CLIPS, TABLE))
    return tmp_path


COUNT = 2 * 2 * 4 * 3
NAMES = np.array(
    [
        f"S1_{clip}.{camera}_{i:06d}.jpg"
        for clip in ("Photo", "Photo_1", "Sitting", "Sitting_1")
        for camera in CAMERAS
        for i in (1, 2, 3)
    ]
)
UNEVEN = np.char.replace(NAMES, "_000003", "_000004")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"S": None}, "S is no array"),
        ({"S": np.zeros((COUNT, 14, 4))}, f"S is float64 ({COUNT}, 14, 4)"),
        ({"part": np.zeros((3, 17, 3))}, "arrays of different length"),
        ({"part": np.zeros((COUNT, 17, 2))}, "part is float64"),
        ({"imgname": np.array([Attack()] * COUNT, dtype=object)}, "imgname"),
        ({"imgname": np.zeros(COUNT)}, "imgname is float64"),
        ({"imgname": np.array(["a.jpg"] * COUNT)}, "'a.jpg' in row 0 should be like S1_"),
        ({"imgname": np.char.replace(NAMES, "S1_", "S2_")}, "S2_Photo"),
        ({"imgname": np.char.replace(NAMES, "Photo", "Jump")}, "'Jump' is none of Human3.6M's"),
        ({"imgname": np.roll(NAMES, 3)}, "px from the projected 3D"),  # a camera on
        ({"imgname": UNEVEN}, "image numbers do not rise evenly"),
        ({"S": np.full((COUNT, 17, 4), np.nan)}, "54138969: S: frame 0 has a number"),
        ({"part": np.zeros((COUNT, 17, 3))}, "px from the projected 3D"),
        ({"S": np.zeros((COUNT, 17, 4))}, "calibration do not match"),
    ],
)  # fmt: skip
def test_annotations_of_mmpose_that_are_wrong_are_named(annotated, monkeypatch, arrays, words):
    monkeypatch.chdir(annotated)
    change(annotated / "h36m_train.npz", **arrays)

    refused(annotated, "h36m_train.npz", words)
    assert not (annotated / "pwned").exists()


def test_an_image_that_is_listed_twice_is_refused(annotated):
    path = annotated / "h36m_train.npz"
    twice = [0, 1, 1, *range(3, COUNT)]
    with np.load(path) as archive:
        rows_of = {name: archive[name][twice] for name in ("imgname", "part", "S")}
    change(path, **rows_of)

    refused(annotated, "h36m_train.npz", "S1_Photo.54138969_000002.jpg", "twice")


def test_cpn_of_one_part_or_of_other_rows_is_refused(annotated):
    np.save(annotated / "cpn_ft_h36m_dbb_test.npy", np.zeros((5, 17, 3)))
    refused(annotated, "cpn_ft_h36m_dbb_test.npy is float64 (5, 17, 3)", f"({COUNT}, 17, ")
    (annotated / "cpn_ft_h36m_dbb_test.npy").write_bytes(pickle.dumps(Attack()))
    refused(annotated, "cpn_ft_h36m_dbb_test.npy: cannot be read as an array of numbers")
    (annotated / "cpn_ft_h36m_dbb_test.npy").unlink()
    refused(annotated, "cpn_ft_h36m_dbb_test.npy: is missing", "without cpn")


def test_a_cut_annotation_is_named(annotated):
    path = annotated / "h36m_train.npz"
    path.write_bytes(path.read_bytes()[:3000])

    refused(annotated, "h36m_train.npz", "cut short or damaged", "copy")


def test_cameras_of_mmpose_decide_how_its_3d_is_seen(tmp_path):
    """Cameras without distortion do not fit the file's 2D: the lens is not decoration."""
    about = {
        which: {
            "R": c.R.T, "T": c.position[:, None], "c": np.array(c.centre), "f": np.array(c.focal),
            "k": np.zeros(3), "p": np.zeros(2),
        }
        for which, c in TABLE.items()
    }  # fmt: skip
    world = CLIPS["S1"]["Photo"][:, MOVING] + np.array([1.0, 0.5, 0])
    seen = filmed(world, TABLE["S1", CAMERAS[0]])
    write_mmpose(tmp_path, [("S1", "Photo", CAMERAS[0], *seen)], about)

    refused(tmp_path, "S1/Photo/54138969", "px from the projected 3D")
