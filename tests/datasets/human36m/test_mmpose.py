"""mmpose's annotations of Human3.6M: rows of images become clips, and wrong ones are refused."""

import os
import pickle

import numpy as np
import pytest
from helpers.tiny_h36m import CAMERAS, MOVING, filmed, people, rows, write_mmpose

from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.read import read_h36m
from graphlift.datasets.licensed.reading import Choices
from graphlift.errors import FormatError

TABLE = published_cameras()
CLIPS = people(("S1", "S9"), ["Photo", "Sitting"])


class Attack:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def read(folder, **options):
    reading = read_h36m(folder, Choices(**{"partial": True} | options))
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


def test_mmpose_is_the_same_in_blocks_of_any_length(tmp_path, monkeypatch):
    write_mmpose(tmp_path, rows(CLIPS, TABLE))
    whole, _ = read(tmp_path)

    monkeypatch.setattr("graphlift.datasets.human36m.mmpose._ROWS", 7)
    parts, _ = read(tmp_path)

    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.keypoints["cpn"], other.keypoints["cpn"])


def test_a_camera_that_is_missing_is_named(tmp_path):
    all_but_one = [row for row in rows(CLIPS, TABLE) if row[:3] != ("S1", "Photo", CAMERAS[2])]
    write_mmpose(tmp_path, all_but_one)

    _, reading = read(tmp_path)

    assert f"missing: S1: Photo by camera {CAMERAS[2]}" in reading.notes


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
OUT_OF_ORDER = np.concatenate([NAMES[:1], NAMES[2:3], NAMES[1:2], NAMES[3:]])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"S": None}, "S is missing, but should be (row, 17, 4)"),
        ({"S": np.zeros((COUNT, 14, 4))}, f"S is float64 ({COUNT}, 14, 4)"),
        ({"part": np.zeros((3, 17, 3))}, "have as many rows"),
        ({"part": np.zeros((COUNT, 17, 2))}, "part is float64"),
        ({"imgname": np.array([Attack()] * COUNT, dtype=object)}, "imgname is object"),
        ({"imgname": np.zeros(COUNT)}, "imgname is float64"),
        ({"imgname": np.array(["a.jpg"] * COUNT)}, "'a.jpg' should end like S1_Directions_1"),
        ({"imgname": np.char.replace(NAMES, "S1_", "S2_")}, "with a subject and camera of"),
        ({"imgname": np.char.replace(NAMES, "Photo", "Jump")}, "'Jump' is none of Human3.6M's"),
        ({"imgname": np.roll(NAMES, 3)}, "px from the projected 3D"),  # a camera on
        ({"imgname": OUT_OF_ORDER}, "image numbers do not rise evenly"),
        ({"S": np.full((COUNT, 17, 4), np.nan)}, "S1/Photo/54138969: S has numbers that are no m"),
        ({"part": np.zeros((COUNT, 17, 3))}, "px from the projected 3D"),
        ({"S": np.zeros((COUNT, 17, 4))}, "calibration do not belong together"),
    ],
)  # fmt: skip
def test_annotations_of_mmpose_that_are_wrong_are_named(annotated, monkeypatch, arrays, words):
    monkeypatch.chdir(annotated)
    change(annotated / "h36m_train.npz", **arrays)

    refused(annotated, "h36m_train.npz", words)
    assert not (annotated / "pwned").exists()


def test_rows_of_a_clip_that_are_apart_are_refused(annotated):
    path = annotated / "h36m_train.npz"
    mixed = [0, 1, 3, 4, 2, *range(5, COUNT)]
    with np.load(path) as archive:
        rows_of = {name: archive[name][mixed] for name in ("imgname", "part", "S")}
    change(path, **rows_of)

    refused(annotated, "h36m_train.npz: rows of S1/Photo/54138969 are not all together: sort")


def test_cpn_of_one_part_or_of_other_rows_is_refused(annotated):
    np.save(annotated / "cpn_ft_h36m_dbb_test.npy", np.zeros((5, 17, 3)))
    refused(annotated, "cpn_ft_h36m_dbb_test.npy: is float64 (5, 17, 3)", f"({COUNT}, 17, 3)")
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
