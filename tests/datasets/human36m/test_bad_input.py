"""Copies of Human3.6M with something wrong: each is refused by thing, place and way out."""

import gzip
import os

import h5py
import numpy as np
import pytest
from helpers.tiny_h36m import (
    CAMERAS,
    MOVING,
    people,
    save_objects,
    views,
    write_2d,
    write_cdf,
    write_hourglass,
    write_martinez,
    write_raw,
    write_videopose3d,
)

from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.facts import clip_name
from graphlift.datasets.human36m.read import read_h36m
from graphlift.datasets.licensed.prepare import prepare_licensed
from graphlift.datasets.licensed.reading import ReadOptions
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError

TABLE = published_cameras()
CLIPS = people(("S1", "S9"), ["Photo", "Sitting"])
WALK = CLIPS["S1"]["Photo"]


class Attack:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def read(folder, **options):
    return list(read_h36m(folder, ReadOptions(**{"partial": True} | options)).sequences)


def refused(folder, *words, error=FormatError, **options):
    with pytest.raises(error) as told:
        read(folder, **options)
    for word in words:
        assert word in str(told.value)


# Which folder, which layout


def test_an_unknown_data_set_or_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no data set 'h36': give one of h36m"):
        prepare_licensed("h36", tmp_path, tmp_path / "out", ReadOptions())
    with pytest.raises(DatasetNotFoundError, match=r"nowhere: there is no such folder"):
        prepare_licensed("h36m", tmp_path / "nowhere", tmp_path / "out", ReadOptions())


def test_a_folder_without_3d_says_what_was_looked_for(tmp_path):
    write_2d(tmp_path, views(CLIPS, TABLE))

    looked = ("data_3d_h36m.npz", "D3_Positions/*.cdf", "h36m_t[er]*.npz", "docs/human36m.md")
    refused(tmp_path, str(tmp_path), *looked, error=DatasetNotFoundError)


def test_two_layouts_in_a_folder_ask_for_one(tmp_path):
    write_videopose3d(tmp_path, CLIPS)
    write_martinez(tmp_path, CLIPS)

    refused(tmp_path, "2 layouts, videopose3d, martinez", "--layout videopose3d")
    assert len(read(tmp_path, layout="martinez")) == len(read(tmp_path, layout="videopose3d")) > 0
    refused(tmp_path, "no 3D poses", "*.cdf", layout="cdf", error=DatasetNotFoundError)
    refused(tmp_path, "no layout 'pth'", "videopose3d, martinez, cdf, mmpose", layout="pth",
            error=ConfigError)  # fmt: skip


def test_joints_are_16_or_17():
    with pytest.raises(ConfigError, match="joints is 32: give 16 or 17"):
        ReadOptions(joints=32)


@pytest.mark.parametrize("name", ["Jumping", "", "Photo 1 2", "Photo ", "../Photo", "photo"])
def test_a_clip_that_is_no_activity_is_named(name):
    with pytest.raises(FormatError, match=r"^here: .* is none of Human3.6M's activities.*rename"):
        clip_name(name, "here")


# 3D


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (WALK[:, :20], "is float64 (3, 20, 3)"),
        (WALK[:, :, :2], "is float64 (3, 32, 2)"),
        (WALK[:0], "is float64 (0, 32, 3)"),
        (WALK[:, MOVING], "joints differ between clips: 32 in"),
        (WALK * 1000, "m long, hip to knee to ankle"),
        (WALK[:, ::-1], "a leg is"),
        ((WALK * 1000).astype("i4"), "is int32"),
        (
            np.where(np.arange(3)[:, None, None] == 1, np.nan, WALK),
            "frame 1 has a number that is not finite",
        ),
        (3, "is no array"),
    ],
)
def test_a_clip_of_videopose3d_that_is_wrong_is_named(tmp_path, wrong, words):
    clips = {s: dict(of) for s, of in CLIPS.items()}
    clips["S9"]["Sitting 1"] = wrong
    save_objects(tmp_path / "data_3d_h36m.npz", positions_3d=clips)

    refused(tmp_path, "data_3d_h36m.npz: S9/Sitting 1", words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"positions_3d": {"S2": CLIPS["S1"]}}, "'S2' is none of S1, S5, S6, S7, S8, S9, S11"),
        ({"positions_3d": {"S1": {"Jumping": WALK}}}, "S1/Jumping: 'Jumping' is none of"),
        (
            {"positions_3d": {"S1": {"Photo 1": WALK, "TakingPhoto 1": WALK}}},
            "are both S1 Photo 1",
        ),
        ({"positions_3d": {}}, "should be {subject: {clip: array}}"),
        ({"positions_2d": CLIPS}, "should be {subject: {clip: array}}"),
        ({"positions_3d": {"S1": {"Photo": Attack()}}}, "positions_3d: its pickled data asks for"),
        ({"positions_3d": Attack()}, ".system, and only numbers"),
    ],
)
def test_a_file_of_videopose3d_that_is_wrong_is_named(tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    save_objects(tmp_path / "data_3d_h36m.npz", **content)

    refused(tmp_path, "data_3d_h36m.npz", words)
    assert not (tmp_path / "pwned").exists()


def test_a_file_of_videopose3d_that_is_cut_is_named(tmp_path):
    write_videopose3d(tmp_path, CLIPS)
    path = tmp_path / "data_3d_h36m.npz"
    path.write_bytes(path.read_bytes()[:2000])

    refused(tmp_path, "data_3d_h36m.npz", "cut short or damaged", "copy")


def h5(path, name="3D_positions", shape=(96, 5), dtype="f8"):
    with h5py.File(path, "w") as file:
        file[name] = np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda p: h5(p, shape=(51, 5)), "3D_positions is float64 (51, 5)"),
        (lambda p: h5(p, shape=(96,)), "3D_positions is float64 (96,)"),
        (lambda p: h5(p, dtype="i4"), "is int32"),
        (lambda p: h5(p, name="2D_positions"), "has no array '3D_positions'"),
        (lambda p: p.write_bytes(p.read_bytes()[:500]), "cannot be read as HDF5"),
        (lambda p: p.write_bytes(b""), "cannot be read as HDF5"),
    ],
)
def test_a_file_of_martinez_that_is_wrong_is_named(tmp_path, write, words):
    write_martinez(tmp_path, CLIPS)
    write(tmp_path / "h36m/S9/MyPoses/3D_positions/Sitting.h5")

    refused(tmp_path, "S9/MyPoses/3D_positions/Sitting.h5", words)


def test_a_cdf_file_with_something_else_in_it_is_named(tmp_path):
    write_raw(tmp_path, CLIPS)
    path = tmp_path / "S9/MyPoseFeatures/D3_Positions/Sitting.cdf"
    whole = path.read_bytes()

    for joints, variable, words in (
        (WALK[:, :, :2], "Pose", "Pose is float32 (3, 64)"),
        (WALK, "Angles", "cannot be read as a CDF file with a variable Pose"),
        (WALK * 1000, "Pose", "a leg is"),
        (WALK * np.nan, "Pose", "frame 0 has a number that is not finite"),
    ):
        path.unlink()
        write_cdf(path, joints, variable=variable)
        refused(tmp_path, "S9/MyPoseFeatures/D3_Positions/Sitting.cdf", words)
    for content in (b"", b"hello", whole[:200], whole[:-300]):
        path.write_bytes(content)
        refused(tmp_path, "Sitting.cdf", "CDF", "copy or make it again")


def test_a_cdf_file_damaged_anywhere_is_refused_or_read(tmp_path, rng):
    path = tmp_path / "S9/MyPoseFeatures/D3_Positions/Sitting.cdf"
    write_cdf(path, WALK)
    whole = path.read_bytes()

    outcomes = set()
    for _ in range(60):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            broken[place] = rng.integers(0, 256)
        path.write_bytes(broken)
        try:
            outcomes.add(len(read(tmp_path)))
        except FormatError as error:
            outcomes.add("Sitting" in str(error))
    assert outcomes <= {True, 4}


def test_a_cdf_file_that_grows_when_it_is_expanded_is_refused(tmp_path):
    write_raw(tmp_path, CLIPS)
    path = tmp_path / "S9/MyPoseFeatures/D3_Positions/Sitting.cdf"
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(80 << 20), 9))

    refused(tmp_path, "Sitting.cdf", "expands to more than 64 MB", "made up or damaged")


# 2D


@pytest.fixture
def seen():
    return views(CLIPS, TABLE)


@pytest.fixture
def folder(tmp_path):
    write_videopose3d(tmp_path, CLIPS)
    return tmp_path


def test_2d_that_ends_before_the_3d_names_the_sequence(folder, seen):
    seen["S9"]["Sitting"][1] = seen["S9"]["Sitting"][1][:2]
    write_2d(folder, seen)

    name = f"S9/Sitting/{CAMERAS[1]} has 2 frames of 2D but 3 of 3D"
    refused(folder, "data_2d_h36m_gt.npz", name, "never shorter", "get the file again")


def test_2d_that_is_missing_names_the_sequence(folder, seen):
    del seen["S9"]["Sitting"]
    write_2d(folder, seen)
    refused(folder, "data_2d_h36m_gt.npz", "no 2D of S9/Sitting/54138969", "without gt")

    seen["S9"]["Sitting"] = [None, *seen["S1"]["Sitting"][1:]]
    write_2d(folder, seen)
    refused(folder, "no 2D of S9/Sitting/54138969")


def test_2d_of_mixed_joint_counts_names_both(folder, seen):
    seen["S9"]["Sitting"] = [array[:, :16] for array in seen["S9"]["Sitting"]]
    write_2d(folder, seen)

    refused(folder, "17 joints (S1/Photo) and 16 joints (S9/Sitting)")


def test_2d_whose_metadata_tells_another_count_is_refused(folder, seen):
    write_2d(folder, seen, joints=16)

    refused(folder, "metadata", "16 joints", "17")


@pytest.mark.parametrize(
    ("take", "words"),
    [
        (lambda a: a[:, :14], "S9/Sitting/54138969 is float32 (3, 14, 2)"),
        (lambda a: a[..., :1], "is float32 (3, 17, 1)"),
        (lambda a: a.astype(str), "(3, 17, 2), but should be"),
        (lambda a: a * np.nan, "px: frame 0 has a number that is not finite"),
        (lambda a: a + 1e7, "px: frame 0 has a number that is not finite"),
        (lambda a: "text", "is no array"),
    ],
)
def test_2d_that_is_no_px_names_the_place(folder, seen, take, words):
    seen["S9"]["Sitting"][0] = take(seen["S9"]["Sitting"][0])
    write_2d(folder, seen)

    refused(folder, "data_2d_h36m_gt.npz", "S9/Sitting/54138969", words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"positions_2d": {"S1": {"Photo": [WALK[..., :2]] * 3}}}, "a list of 4 cameras' arrays"),
        ({"positions_2d": {"S1": {"Jumping": [WALK] * 4}}}, "'Jumping' is none of Human3.6M's"),
        ({"positions_2d": {"S1": 3}}, "positions_2d should be"),
        ({"positions_3d": {}}, "positions_2d should be"),
        ({"positions_2d": {"S1": Attack()}}, "asks for posix.system"),
        ({"positions_2d": {}, "metadata": Attack()}, "metadata: its pickled data asks for"),
    ],
)
def test_a_2d_file_that_is_wrong_is_named(folder, monkeypatch, content, words):
    monkeypatch.chdir(folder)
    save_objects(folder / "data_2d_h36m_cpn_ft_h36m_dbb.npz", **content)

    refused(folder, "data_2d_h36m_cpn_ft_h36m_dbb.npz", words)
    assert not (folder / "pwned").exists()


def test_ground_truth_of_other_cameras_is_refused(folder, seen):
    first, *others = seen["S1"]["Photo"]
    seen["S1"]["Photo"] = [*others, first]
    write_2d(folder, seen)

    refused(folder, "S1/Photo/54138969: the 2D ground truth lies", "within 2", "of one origin")


def test_mirrored_3d_is_not_the_ground_truths(tmp_path, seen):
    """x negated is still a person with good legs; only the image tells."""
    mirrored = {s: {c: x * [-1, 1, 1] for c, x in of.items()} for s, of in CLIPS.items()}
    write_videopose3d(tmp_path, mirrored)
    write_2d(tmp_path, seen)

    refused(tmp_path, "S1/Photo/54138969: the 2D ground truth lies")


def test_3d_behind_a_camera_is_refused(tmp_path):
    write_videopose3d(tmp_path, {"S1": {"Photo": WALK + np.array([0, 40, 0])}})

    refused(tmp_path, "S1/Photo/54138969", "calibration do not match")


def test_hourglass_files_that_are_wrong_are_named(tmp_path, seen):
    sixteen = {s: {c: [a[:, :16] for a in v] for c, v in of.items()} for s, of in seen.items()}
    write_martinez(tmp_path, CLIPS)
    write_hourglass(tmp_path, sixteen)
    place = tmp_path / "h36m/S9/StackedHourglassFineTuned240"

    h5(place / "Sitting.54138969.h5", "poses", (3, 17, 2))
    refused(tmp_path, "Sitting.54138969.h5: poses is float64 (3, 17, 2)")
    (place / "Sitting.54138969.h5").rename(place / "Sitting.1234.h5")
    refused(tmp_path, "Sitting.1234.h5: should be called CLIP.CAMERA.h5")
    (place / "Sitting.1234.h5").unlink()
    refused(tmp_path, "has no 2D of S9/Sitting/54138969", "without hg")
    write_2d(tmp_path, sixteen, "sh_ft_h36m", joints=16)
    refused(tmp_path, "has Stacked Hourglass' 2D twice", "take one of them away")
