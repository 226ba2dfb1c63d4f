"""MPI-INF-3DHP as a pack wants it: both parts, whole by the published counts or refused."""

import pickle
import re

import numpy as np
import pytest
from helpers import tiny_3dhp as tiny

from graphlift.datasets.licensed.reading import ReadOptions
from graphlift.datasets.mpi_inf_3dhp import read as reader
from graphlift.datasets.mpi_inf_3dhp import read_3dhp, to_h36m
from graphlift.datasets.mpi_inf_3dhp.facts import TEST, TRAIN, VNECT_CAMERAS
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError, ShapeError


def read_parts(folder, *, cameras=VNECT_CAMERAS, **options):
    return reader.read_parts(folder, ReadOptions(**options), cameras=cameras)


def of_full_length(frames, *, extra=0, shape=12):
    """Keypoints, px, and 3D, mm: one take over and over; ``extra`` frames do not count."""
    made = tiny.take(3, shape)
    at = np.arange(frames + extra) % shape
    valid = np.arange(frames + extra) < frames
    return {
        "data_2d": made.keypoints.astype(np.float32)[at],
        "data_3d": (made.universal * 1000).astype(np.float32)[at],
        "valid": valid.astype(float),
    }


def save(folder, part, data):
    array = np.empty((), dtype=object)
    array[()] = data
    np.savez(folder / f"data_{part}_3dhp.npz", data=array)


def whole_test(**changes):
    return {name: of_full_length(frames, extra=7) for name, frames in TEST.items()} | changes


def refused(message, folder, error=FormatError, **options):
    with pytest.raises(error, match=re.compile(message, re.DOTALL)):
        list(read_parts(folder, **options).sequences)


def test_the_published_counts_of_both_parts(tmp_path):
    save(tmp_path, "test", whole_test())
    train = {
        name: [{"0": {k: a for k, a in of_full_length(frames).items() if k != "valid"}}, fps]
        for name, (frames, fps) in TRAIN.items()
    }
    save(tmp_path, "train", train)

    parts = read_parts(tmp_path, cameras=[0])
    counts = {each.subject + each.clip: int(each.valid.sum()) for each in parts.sequences}

    assert list(counts)[:2] == ["S1Seq1", "S1Seq2"]
    assert list(counts)[-1] == "TS6TS6"
    assert sum(n for name, n in counts.items() if name.startswith("TS")) == 2929
    assert sum(n for name, n in counts.items() if name.startswith("S")) == 131_592
    assert "the test part has 2,929 of 2,929 valid frames" in parts.notes
    assert "the train part has 131,592 of 131,592 valid frames" in parts.notes
    assert any("does not state which 3D" in note for note in parts.notes)
    assert [path.name for path in parts.sources] == ["data_train_3dhp.npz", "data_test_3dhp.npz"]
    assert parts.options == {
        "layout of train": "p-stmo",
        "layout of test": "p-stmo",
        "annotation": "univ_annot3",
        "cameras": "0",
        "partial": False,
    }


def test_the_test_part_alone_is_enough(tmp_path):
    save(tmp_path, "test", whole_test())

    parts = read_parts(tmp_path)
    assert len(list(parts.sequences)) == 6
    assert "the train part is not in the folder" in parts.notes


def test_a_frame_too_few_is_named(tmp_path):
    save(tmp_path, "test", whole_test(TS4=of_full_length(552)))

    refused(
        "TS4 has 552 of 553 frames; the test part has 2,928 of 2,929 valid frames.*--partial",
        tmp_path,
    )
    parts = read_parts(tmp_path, partial=True)
    assert len(list(parts.sequences)) == 6
    assert "not complete: TS4 has 552 of 553 frames" in parts.notes


def test_a_sequence_that_is_missing_is_named(tmp_path):
    data = whole_test()
    del data["TS5"]
    save(tmp_path, "test", data)

    refused("TS5 missing", tmp_path, DatasetNotFoundError)
    parts = read_parts(tmp_path, partial=True)
    assert len(list(parts.sequences)) == 5
    assert "not complete: TS5 has nothing" in parts.notes


def test_a_layout_of_another_data_set(tmp_path):
    refused("no layout 'martinez'.*p-stmo", tmp_path, ConfigError, layout="martinez")


def test_what_each_subject_lacks_is_noted(tmp_path):
    tiny.write_train_set(tmp_path, tiny.takes_of_train(("S1 Seq1",)))

    parts = read_parts(tmp_path, partial=True)
    list(parts.sequences)

    assert "not complete: S1 has 9 of 6,416 frames of Seq1 and no frames of Seq2" in parts.notes
    assert "not complete: S8 has nothing" in parts.notes
    assert "the train part has 72 of 1,052,736 valid frames" in parts.notes


def test_the_image_size_that_mmposes_cameras_get_wrong_is_the_data_sets(tmp_path):
    """Real files say a height of 204, for the 2048 of the videos; the 2D then lies off by 0.9."""
    made = tiny.takes_of_train()
    tiny.write_mmpose_train(tmp_path, made)
    path = tmp_path / "cameras_train.pkl"
    cameras = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps({n: c | {"h": 204.0} for n, c in cameras.items()}))

    parts = read_parts(tmp_path, partial=True)

    assert {each.lens.size for each in parts.sequences} == {(2048, 2048)}
    (note,) = [note for note in parts.notes if "cameras_train.pkl" in note]
    assert "2048 x 204 px of S1_Seq1_Cam0 and 15 more cameras" in note
    assert "2048 x 2048 px, is used" in note


def test_the_image_sizes_of_mmposes_test_cameras_are_the_data_sets(tmp_path):
    tiny.write_mmpose_test(tmp_path, tiny.takes_of_test())
    before = read_parts(tmp_path, partial=True)
    sizes = {each.clip: each.lens.size for each in before.sequences}
    assert not [note for note in before.notes if "pkl" in note]
    path = tmp_path / "cameras_test.pkl"
    cameras = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps({n: c | {"w": 1, "h": 1} for n, c in cameras.items()}))

    parts = read_parts(tmp_path, partial=True)

    assert {each.clip: each.lens.size for each in parts.sequences} == sizes
    assert sizes == {f"TS{n}": (2048, 2048) if n < 5 else (1920, 1080) for n in range(1, 7)}
    assert any("1 x 1 px of TS1 and 5 more" in note for note in parts.notes)


def test_neither_part(tmp_path):
    refused(
        "no train part .*annot.mat.*no test part .*annot_data.mat", tmp_path, DatasetNotFoundError
    )
    refused("no folder .*nowhere: give", tmp_path / "nowhere", DatasetNotFoundError)


def test_parts_whose_3d_is_of_another_kind_are_not_mixed(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test())
    tiny.write_mmpose_train(tmp_path, tiny.takes_of_train())

    refused(r"train \(mmpose\) and test \(original\).*give the layout", tmp_path, partial=True)
    alone = read_parts(tmp_path, layout="original", partial=True)
    assert {each.subject[:2] for each in alone.sequences} == {"TS"}
    assert alone.options["annotation"] == "univ_annot3"
    both = read_parts(tmp_path, annotation="annot3", partial=True)
    assert len(list(both.sequences)) == 6 + 16
    assert both.options["annotation"] == "annot3"


def test_every_file_is_a_source(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test())
    tiny.write_train_set(tmp_path, tiny.takes_of_train())

    sources = read_parts(tmp_path, partial=True).sources
    names = [path.relative_to(tmp_path).as_posix() for path in sources]
    assert "S3/Seq2/annot.mat" in names
    assert "S3/Seq2/camera.calibration" in names
    assert "TS6/annot_data.mat" in names
    assert len(names) == len(set(names)) == 4 + 6


def test_joints_are_converted_once(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test(("TS1",)))
    (sequence,) = read_3dhp(tmp_path, "test", sequences=["TS1"])

    with pytest.raises(ShapeError, match="TS1 TS1 has the joints of h36m-17"):
        to_h36m(to_h36m(sequence))
