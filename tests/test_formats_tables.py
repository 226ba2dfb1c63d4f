"""Tables: plain csv, DeepLabCut's csv and h5, SLEAP's h5, written as their tools write them."""

import csv
import json
import pickle

import numpy as np
import pytest
from tiny_keypoints import assert_same, walk

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints
from graphlift.formats.joint_names import recognise
from graphlift.formats.request import Request
from graphlift.skeletons import COCO_17, H36M_17, MEDIAPIPE_33, OPENPOSE_BODY_25, SKELETONS

h5py = pytest.importorskip("h5py")

SNAKES = [
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
      for side in ("left", "right")),
]  # fmt: skip


def write_csv(path, rows, delimiter=","):
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


# Names


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
def test_a_skeletons_own_names_are_recognised_in_any_order(skeleton):
    names = list(reversed(skeleton.joints))

    found, joints, unknown = recognise(names, "x", Request(skeleton=skeleton))

    assert found is skeleton
    assert {skeleton.joints[joint]: names[place] for joint, place in joints.items()} == {
        name: name for name in names
    }
    assert not unknown


@pytest.mark.parametrize(
    "write",
    [
        lambda side, part: f"{side}_{part}",
        lambda side, part: f"{side[0].upper()}{part.title()}",
        lambda side, part: f"{part}{side[0].upper()}",
        lambda side, part: f"{part}_{side}",
        lambda side, part: f"{side.upper()} {part.upper()}",
        lambda side, part: f"{side[0]}.{part}",
    ],
)
def test_sides_are_written_in_many_ways_and_never_swapped(write):
    parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "eye", "ear")
    names = ["Nose", *(write(side, part) for side in ("left", "right") for part in parts)]

    skeleton, joints, unknown = recognise(names, "x", Request())

    assert skeleton is COCO_17
    assert not unknown
    for joint, place in joints.items():
        side, part = skeleton.joints[joint][0], skeleton.joints[joint][1:].lower()
        if part != "ose":
            assert names[place] == write({"L": "left", "R": "right"}[side], part)


def test_the_skeleton_is_the_one_that_gives_the_lifter_most():
    with_feet = [*SNAKES, "left_big_toe", "right_big_toe", "left_heel", "right_heel", "mid_hip"]

    assert recognise(SNAKES, "x", Request())[0] is COCO_17
    assert recognise(with_feet, "x", Request())[0] is OPENPOSE_BODY_25
    assert recognise(H36M_17.joints, "x", Request())[0] is H36M_17
    assert recognise([*SNAKES, "left_thumb", "mouth_left"], "x", Request())[0] is MEDIAPIPE_33


def test_names_of_no_person_are_listed_with_the_names_to_give():
    with pytest.raises(FormatError) as told:
        recognise(["snout", "left_ear", "right_ear", "tailbase"], "mouse.h5", Request())

    message = str(told.value)
    assert message.startswith("mouse.h5: only 2 of 4 body parts are joints of a person")
    assert "not known: snout, tailbase" in message
    assert "rename them as in coco-17: Nose, LEye" in message


# Plain csv


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_long_table_has_a_row_a_joint(tmp_path, delimiter):
    triples = walk(COCO_17, frames=3, people=2)
    rows = [["frame", "person", "joint", "x", "y", "confidence"]]
    for frame, person, joint in np.ndindex(triples.shape[:3]):
        rows.append([frame, "ab"[person], COCO_17.joints[joint], *triples[frame, person, joint]])

    keypoints = read_keypoints(write_csv(tmp_path / "a.csv", rows, delimiter))

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples, people=("a", "b"))
    assert keypoints.source == f"csv {tmp_path / 'a.csv'} (coco-17)"


def test_a_long_table_without_rows_for_a_joint_or_a_frame_leaves_them_missing(tmp_path):
    triples = walk(COCO_17, frames=5)
    rows = [["frame", "joint", "x", "y"]]
    for frame, joint in np.ndindex(5, 17):
        if frame != 2 and (frame, joint) != (3, 9):
            rows.append([frame + 10, SNAKES[joint], *triples[frame, 0, joint, :2]])

    keypoints = read_keypoints(write_csv(tmp_path / "a.csv", rows))

    triples[..., 2] = 1
    triples[2] = triples[3, 0, 9] = 0
    assert_same(keypoints, triples, people=("0",))


@pytest.mark.parametrize("third", ["c", "confidence", "Score", "likelihood"])
@pytest.mark.parametrize("separator", "_.")
def test_a_wide_table_has_columns_a_joint(tmp_path, third, separator):
    triples = walk(COCO_17, frames=3)
    header = [f"{name}{separator}{n}" for name in COCO_17.joints for n in ("x", "y", third)]

    keypoints = read_keypoints(
        write_csv(tmp_path / "a.csv", [header, *triples.reshape(3, -1).tolist()])
    )

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples)


def test_a_wide_table_with_frames_people_and_empty_cells(tmp_path):
    triples = walk(COCO_17, frames=4, people=2)
    header = ["Frame", "ID", *(f"{name}_{n}" for name in SNAKES for n in "xyc"), "comment"]
    rows = [
        [f, f"p{p}", *triples[f, p].ravel(), "x"] for f, p in np.ndindex(4, 2) if (f, p) != (1, 1)
    ]
    rows[0][2:4] = ["", " "]

    keypoints = read_keypoints(write_csv(tmp_path / "a.csv", [header, *rows]))

    triples[0, 0, 0] = triples[1, 1] = 0
    assert_same(keypoints, triples, people=("p0", "p1"))


def test_columns_that_are_no_joints_are_named_in_the_source(tmp_path):
    triples = walk(COCO_17, frames=2)
    header = [f"{name}_{n}" for name in [*SNAKES, "ball"] for n in "xyc"]
    rows = np.concatenate([triples.reshape(2, -1), np.ones((2, 3))], axis=1)

    keypoints = read_keypoints(write_csv(tmp_path / "a.csv", [header, *rows.tolist()]))

    assert keypoints.source.endswith("(coco-17, not used: ball)")


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
    return write_csv(path, [*rows, *([n, *row] for n, row in enumerate(body.tolist()))])


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

    keypoints = read_keypoints(write(tmp_path / f"v.{suffix}", triples[:, 0], SNAKES))

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples, people=("0",))
    assert keypoints.source.startswith(f"DeepLabCut {suffix}")


@DLC
def test_deeplabcut_of_several_keeps_its_individuals(tmp_path, suffix, write):
    triples = walk(COCO_17, frames=4, people=2)
    triples[1, 0] = np.nan

    path = write(tmp_path / f"v.{suffix}", triples, SNAKES, ["ann", "bob"])
    keypoints = read_keypoints(path)

    assert_same(keypoints, triples, people=("ann", "bob"))


@DLC
def test_deeplabcuts_names_may_come_in_any_order(tmp_path, suffix, write):
    order = np.random.default_rng(2).permutation(17)
    triples = walk(COCO_17, frames=2)

    path = write(tmp_path / f"v.{suffix}", triples[:, 0, order], [SNAKES[n] for n in order])

    assert_same(read_keypoints(path), triples)


def test_deeplabcuts_labelled_images_are_frames_by_their_numbers(tmp_path):
    triples = walk(COCO_17, frames=3)
    columns, levels = dlc_header(SNAKES, thirds=("x", "y"))
    rows = [[level, "", "", *(column[n] for column in columns)] for n, level in enumerate(levels)]
    for number, frame in zip((7, 8, 11), triples, strict=True):
        rows.append(["labeled-data", "v", f"img{number:04}.png", *frame[0, :, :2].ravel()])

    keypoints = read_keypoints(write_csv(tmp_path / "CollectedData_me.csv", rows))

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
    columns, levels = dlc_header(SNAKES, people)
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

    keypoints = read_keypoints(sleap_h5(tmp_path / "a.h5", triples, SNAKES, dims=dims))

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples, people=("ann", "bob"))
    assert keypoints.source.startswith("SLEAP analysis")


def test_sleap_without_tracks_or_scores_is_one_person_seen(tmp_path):
    triples = walk(COCO_17, frames=3)
    path = sleap_h5(tmp_path / "a.h5", triples, SNAKES, tracks=())
    with h5py.File(path, "a") as file:
        file["point_scores"][...] = np.nan  # somebody labelled it

    keypoints = read_keypoints(path)

    triples[..., 2] = 1
    assert_same(keypoints, triples, people=("0",))


def test_the_people_seen_most_are_kept_of_a_table_too(tmp_path):
    triples = walk(COCO_17, frames=6, people=3)
    triples[:4, 1] = np.nan
    path = sleap_h5(tmp_path / "a.h5", triples, SNAKES, tracks=("a", "b", "c"))

    keypoints = read_keypoints(path, people=2)

    assert_same(keypoints, triples[:, [0, 2]], people=("a", "c"))
    assert "1 other people left out" in keypoints.source
