"""DeepLabCut's csv and h5 and SLEAP's h5, laid out here as their tools lay them out."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from helpers.tiny_keypoints import SNAKE_NAMES, assert_same, walk, write_rows

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints
from graphlift.skeletons import COCO_17

h5py = pytest.importorskip("h5py")

# DeepLabCut


def dlc_header(names, people=None, thirds=("x", "y", "likelihood")):
    """Names of columns, level by level, as pandas writes them."""
    columns = [
        ("DLC_net", *([person] if people else []), name, third)
        for person in people or [""]
        for name in names
        for third in thirds
    ]
    levels = ["scorer", *(["individuals"] if people else []), "bodyparts", "coords"]
    return columns, levels


def dlc_csv(path, triples, names, people=None):
    columns, levels = dlc_header(names, people)
    rows = [[level, *(column[n] for column in columns)] for n, level in enumerate(levels)]
    body = triples.reshape(len(triples), -1).astype(object)
    body[np.isnan(body.astype(float))] = ""
    return write_rows(path, [*rows, *([n, *row] for n, row in enumerate(body.tolist()))])


def dlc_table(path, triples, names, people=None):
    """What pandas' ``to_hdf(key="df_with_missing", format="table")`` leaves."""
    columns, _ = dlc_header(names, people)
    values = triples.reshape(len(triples), -1)
    records = np.zeros(
        len(values), [("index", "<i8"), ("values_block_0", "<f8", (values.shape[1],))]
    )
    records["index"], records["values_block_0"] = np.arange(len(values)), values
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        table = group.create_dataset("table", data=records)
        table.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns, protocol=0))
    return path


def dlc_fixed(path, triples, names, people=None):
    """What it leaves with ``format="fixed"``."""
    columns, _ = dlc_header(names, people)
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["block0_items_nlevels"] = len(columns[0])
        for level, words in enumerate(zip(*columns, strict=True)):
            known = sorted(set(words))
            group[f"block0_items_level{level}"] = np.array(known, dtype="S")
            places = [known.index(word) for word in words]
            group[f"block0_items_label{level}"] = np.array(places, dtype="i1")
        group["block0_values"] = triples.reshape(len(triples), -1)
        group["axis1"] = np.arange(len(triples))
    return path


DLC = pytest.mark.parametrize(
    ("suffix", "write"), [("csv", dlc_csv), ("h5", dlc_table), ("h5", dlc_fixed)]
)


@DLC
def test_deeplabcut_of_one_animal(tmp_path, suffix, write):
    triples = walk(COCO_17, frames=4)
    triples[2, 0, 3] = np.nan

    keypoints = read_keypoints(write(tmp_path / f"v.{suffix}", triples[:, 0], SNAKE_NAMES))

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples, people=("0",))
    assert keypoints.source.startswith(f"DeepLabCut {suffix}")


@DLC
def test_deeplabcut_of_several_keeps_its_individuals(tmp_path, suffix, write):
    triples = walk(COCO_17, frames=4, people=2)
    triples[1, 0] = np.nan

    path = write(tmp_path / f"v.{suffix}", triples, SNAKE_NAMES, ["ann", "bob"])
    keypoints = read_keypoints(path)

    assert_same(keypoints, triples, people=("ann", "bob"))


@DLC
def test_deeplabcuts_names_may_come_in_any_order(tmp_path, suffix, write):
    order = np.random.default_rng(2).permutation(17)
    triples = walk(COCO_17, frames=2)

    path = write(tmp_path / f"v.{suffix}", triples[:, 0, order], [SNAKE_NAMES[n] for n in order])

    assert_same(read_keypoints(path), triples)


def test_deeplabcuts_labelled_images_are_frames_by_their_numbers(tmp_path):
    triples = walk(COCO_17, frames=3)
    columns, levels = dlc_header(SNAKE_NAMES, thirds=("x", "y"))
    rows = [[level, "", "", *(column[n] for column in columns)] for n, level in enumerate(levels)]
    for number, frame in zip((7, 8, 11), triples, strict=True):
        rows.append(["labeled-data", "v", f"img{number:04}.png", *frame[0, :, :2].ravel()])

    keypoints = read_keypoints(write_rows(tmp_path / "CollectedData_me.csv", rows))

    assert len(keypoints) == 5
    assert keypoints.seen.any(axis=(1, 2)).tolist() == [True, True, False, False, True]
    np.testing.assert_array_equal(keypoints.positions[[0, 1, 4]], triples[..., :2])
    assert set(np.unique(keypoints.confidence)) == {0, 1}


@pytest.mark.parametrize("form", ["table", "fixed"])
@pytest.mark.parametrize("people", [None, ["ann", "bob"]])
def test_pandas_writes_what_we_read(tmp_path, form, people):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    triples = walk(COCO_17, frames=5, people=len(people or "1"))
    columns, levels = dlc_header(SNAKE_NAMES, people)
    index = pandas.MultiIndex.from_tuples(columns, names=levels)
    frame = pandas.DataFrame(triples.reshape(5, -1), columns=index)
    frame.to_hdf(tmp_path / "v.h5", key="df_with_missing", format=form, mode="w")
    frame.to_csv(tmp_path / "v.csv")

    for name in ("v.h5", "v.csv"):
        assert_same(read_keypoints(tmp_path / name), triples, people=tuple(people or ["0"]))


# SLEAP


def sleap_h5(path, triples, names, tracks=("ann", "bob"), dims=None):
    """An analysis file as SLEAP writes it, or with axes in another order as sleap-io may."""
    axes = {"frame": 0, "track": 1, "node": 2, "xy": 3}
    order = dims or ("track", "xy", "node", "frame")
    scores = [name for name in order if name != "xy"]
    with h5py.File(path, "w") as file:
        file["tracks"] = triples[..., :2].transpose([axes[name] for name in order])
        file["point_scores"] = triples[..., 2].transpose([axes[name] for name in scores])
        file["track_occupancy"] = np.ones(triples.shape[:2], dtype=np.uint8)
        file["node_names"] = np.array(names, dtype="S")
        file["track_names"] = np.array(tracks, dtype="S")
        if dims:
            file["tracks"].attrs["dims"] = json.dumps(dims)
    return path


@pytest.mark.parametrize(
    "dims", [None, ("frame", "track", "node", "xy"), ("node", "xy", "frame", "track")]
)
def test_sleaps_axes_are_told_by_the_file(tmp_path, dims):
    triples = walk(COCO_17, frames=5, people=2)
    triples[3, 1] = triples[0, 0, 4] = np.nan

    keypoints = read_keypoints(sleap_h5(tmp_path / "a.h5", triples, SNAKE_NAMES, dims=dims))

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples, people=("ann", "bob"))
    assert keypoints.source.startswith("SLEAP analysis")


def test_sleap_without_tracks_or_scores_is_one_person_seen(tmp_path):
    triples = walk(COCO_17, frames=3)
    path = sleap_h5(tmp_path / "a.h5", triples, SNAKE_NAMES, tracks=())
    with h5py.File(path, "a") as file:
        file["point_scores"][...] = np.nan  # somebody labelled it

    keypoints = read_keypoints(path)

    triples[..., 2] = 1
    assert_same(keypoints, triples, people=("0",))


def test_the_people_seen_most_are_kept_of_a_table_too(tmp_path):
    triples = walk(COCO_17, frames=6, people=3)
    triples[:4, 1] = np.nan
    path = sleap_h5(tmp_path / "a.h5", triples, SNAKE_NAMES, tracks=("a", "b", "c"))

    keypoints = read_keypoints(path, people=2)

    assert_same(keypoints, triples[:, [0, 2]], people=("a", "c"))
    assert keypoints.notes == ("1 other person was left out: b (in 33 % of frames).",)


# HDF5 that is hostile, or of something else


def refused(path, pattern, **said):
    with pytest.raises(FormatError, match=pattern):
        read_keypoints(path, **said)


def test_hdf5_of_something_else_says_what_it_has(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["poses"] = np.ones(3)

    refused(
        tmp_path / "a.h5", r"a\.h5: is HDF5 of no kind that is known \(it has poses\): known are"
    )


def test_arrays_outside_the_file_are_not_opened(tmp_path):
    triples = walk(COCO_17)
    sleap_h5(tmp_path / "other.h5", triples, SNAKE_NAMES, tracks=("a",))
    for name, link in (
        ("external", h5py.ExternalLink("other.h5", "/tracks")),
        ("soft", h5py.SoftLink("/elsewhere")),
    ):
        path = sleap_h5(tmp_path / f"{name}.h5", triples, SNAKE_NAMES, tracks=("a",))
        with h5py.File(path, "a") as file:
            file["elsewhere"] = file["tracks"][:]
            del file["tracks"]
            file["tracks"] = link
        refused(path, rf"{name}\.h5: tracks is kept in another file, which is not opened")
    raw = tmp_path / "raw.h5"
    sleap_h5(raw, triples, SNAKE_NAMES, tracks=("a",))
    with h5py.File(raw, "a") as file:
        del file["tracks"]
        file.create_dataset("tracks", (1, 2, 17, 4), "f8", external=[("/etc/passwd", 0, 1088)])
    refused(raw, r"raw\.h5: tracks is kept in another file")


def test_hdf5_too_large_or_of_other_shapes_names_the_array(tmp_path):
    triples = walk(COCO_17)
    path = sleap_h5(tmp_path / "a.h5", triples, SNAKE_NAMES, tracks=("a",))

    refused(path, r"a\.h5: tracks \(1, 2, 17, 4\) takes .* GB, more than", max_bytes=100)
    with h5py.File(path, "a") as file:
        del file["node_names"]
        file["node_names"] = np.array(SNAKE_NAMES[:5], dtype="S")
    refused(
        path, r"a\.h5: tracks is \(4, 1, 17, 2\) of float64, which does not fit its node_names"
    )
    with h5py.File(path, "a") as file:
        file["tracks"].attrs["dims"] = '["x"]'
    refused(
        path, r"a\.h5: dims of tracks are '\[\"x\"\]', but should be track, xy, node, frame in"
    )


def test_pickled_code_in_the_names_of_columns_is_refused(tmp_path):
    path = dlc_table(tmp_path / "a.h5", walk(COCO_17)[:, 0], SNAKE_NAMES)
    with h5py.File(path, "a") as file:
        evil = b"cposix\nsystem\n(S'touch pwned'\ntR."
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.bytes_(evil)

    refused(path, r"a\.h5: df_with_missing: values_block_0: .* asks for posix\.system, and only")


@pytest.mark.parametrize("write", [dlc_table, dlc_fixed])
def test_columns_without_names_are_refused(tmp_path, write):
    path = write(tmp_path / "a.h5", walk(COCO_17)[:, 0], SNAKE_NAMES)
    with h5py.File(path, "a") as file:
        group = file["df_with_missing"]
        if write is dlc_table:
            del group["table"].attrs["values_block_0_kind"]
        else:
            group["block0_items_label1"][0] = 99

    refused(path, r"a\.h5: df_with_missing: .*damaged")


def test_without_h5py_the_missing_package_is_named(tmp_path):
    path = sleap_h5(tmp_path / "a.h5", walk(COCO_17), SNAKE_NAMES, tracks=("a",))
    script = (
        "import sys\nsys.modules['h5py'] = None\nfrom graphlift.formats import read_keypoints\n"
        f"try:\n    read_keypoints({str(path)!r})\n"
        "except ModuleNotFoundError as error:\n    print(error.name)"
    )

    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert run.stdout == "h5py\n"


def test_two_tables_in_one_file_are_not_one(tmp_path):
    path = dlc_table(tmp_path / "a.h5", walk(COCO_17)[:, 0], SNAKE_NAMES)
    with h5py.File(path, "a") as file:
        file.copy("df_with_missing", "tracks_2")

    with pytest.raises(FormatError, match=r"a\.h5: holds 2 tables, df_with_missing, tracks_2: sa"):
        read_keypoints(path)


@pytest.mark.parametrize("name", ["walk.slp", "walk.pkg.slp", "walk.h5"])
def test_sleaps_project_says_how_to_export_it(tmp_path, name):
    with h5py.File(tmp_path / name, "w") as file:
        for part in ("frames", "instances", "metadata", "points", "pred_points"):
            file.create_group(part)

    with pytest.raises(FormatError, match=rf"{name}: is a project of SLEAP's, .*Export Analysis"):
        read_keypoints(tmp_path / name)
