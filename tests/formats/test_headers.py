"""Columns of tables: understood or refused, and several people never made one."""

import csv

import numpy as np
import pytest
from helpers.tiny_keypoints import NAMES, SNAKE_NAMES, assert_same, refused, walk

from graphlift.formats import read_keypoints
from graphlift.skeletons import COCO_17, MEDIAPIPE_33

TWO = walk(COCO_17, frames=6, people=2)
ONE = walk(COCO_17, frames=6)


def write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def sleap(path, triples, *, tracks=("track_0", "track_1"), name="track", frame="frame_idx"):
    """SLEAP's analysis csv: a row for each instance that is there."""
    header = [name, frame, "instance.score", *(f"{n}.{c}" for n in SNAKE_NAMES for c in
                                               ("x", "y", "score"))]  # fmt: skip
    rows = [
        [tracks[p], f, 0.9 - 0.01 * f, *triples[f, p].ravel()]
        for f, p in np.ndindex(triples.shape[:2])
        if triples[f, p, :, 2].any()
    ]
    return write(path, header, rows)


def wide(path, triples, extra=(), before=()):
    """``extra`` and ``before`` are columns: a name, and a value for each row."""
    header = [*(name for name, _ in before), *(f"{n}_{c}" for n in NAMES for c in "xyc"),
              *(name for name, _ in extra)]  # fmt: skip
    rows = [
        [
            *(values[f] for _, values in before),
            *people.ravel(),
            *(values[f] for _, values in extra),
        ]
        for f, people in enumerate(triples)
    ]
    return write(path, header, rows)


# Who a row is of


def test_sleaps_tracks_are_people(tmp_path):
    keypoints = read_keypoints(sleap(tmp_path / "a.csv", TWO))

    assert_same(keypoints, TWO, people=("track_0", "track_1"))
    assert keypoints.source.endswith("(coco-17, not used: instance.score)")


@pytest.mark.parametrize(
    "name",
    ["track", "Track", "track_id", "instance", "individual", "person", "person_id", "Animal",
     "object id", "identity", "id"],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["frame", "frame_idx", "Frame Number", "fnum", "image_id"])
def test_whatever_the_column_is_called_two_people_stay_two(tmp_path, name, frame):
    path = sleap(tmp_path / "a.csv", TWO, tracks=("a", "b"), name=name, frame=frame)

    assert_same(read_keypoints(path), TWO, people=("a", "b"))


@pytest.mark.parametrize("empty", ["", "nan", "None"])
def test_instances_of_no_track_are_told_apart_by_likeness(tmp_path, empty):
    keypoints = read_keypoints(sleap(tmp_path / "a.csv", TWO, tracks=(empty, empty)))

    assert_same(keypoints, TWO, people=("0", "1"))
    assert "people told apart by likeness" in keypoints.source


def test_labelled_instances_have_no_scores_and_full_confidence(tmp_path):
    path = sleap(tmp_path / "a.csv", TWO)
    header, *rows = list(csv.reader(path.read_text().splitlines()))
    for row in rows[2:4]:
        for place in range(5, len(row), 3):
            row[place] = ""
    path = write(path, header, rows)

    triples = TWO.copy()
    triples[1, :, :, 2] = 1
    assert_same(read_keypoints(path), triples, people=("track_0", "track_1"))


def test_frames_out_of_order_with_gaps_and_with_nobody(tmp_path):
    path = sleap(tmp_path / "a.csv", TWO)
    header, *rows = list(csv.reader(path.read_text().splitlines()))
    kept = [row for row in rows if row[1] not in ("2", "5")]
    nobody = ["", "5", ""] + [""] * 51
    path = write(path, header, [nobody, *kept[::-1]])

    keypoints = read_keypoints(path)

    triples = TWO.copy()
    triples[[2, 5]] = 0
    assert keypoints.people == ("track_1", "track_0")
    assert_same(keypoints, triples[:, ::-1])


def test_a_person_in_every_frame_another_is_no_person(tmp_path):
    rows = range(6)
    path = wide(tmp_path / "a.csv", ONE, before=[("id", rows), ("frame", rows)])

    refused(path, r"id is another in every frame: if it counts rows, .*take it out")


def test_two_columns_that_say_who_are_refused_if_both_change(tmp_path):
    same, other = ["a"] * 6, list("abcdef")
    before = [("frame", range(6)), ("track", same)]

    assert read_keypoints(
        wide(tmp_path / "a.csv", ONE, before=[*before, ("id", [3] * 6)])
    ).people == ("a",)
    refused(wide(tmp_path / "b.csv", ONE, before=[*before, ("id", other)]),
            r"both track and id say who a row is of: keep one")  # fmt: skip


def test_an_index_of_rows_counts_no_frames_where_rows_are_people(tmp_path):
    header = ["", "person", *(f"{n}_{c}" for n in NAMES for c in "xyc")]
    rows = [[2 * f + p, "ab"[p], *TWO[f, p].ravel()] for f, p in np.ndindex(6, 2)]

    refused(write(tmp_path / "a.csv", header, rows), r"has a column person but none that counts")


# Columns that are not understood


def test_a_column_that_is_not_understood_may_not_change(tmp_path):
    same = wide(tmp_path / "a.csv", ONE, extra=[("camera", ["left"] * 6)])
    other = wide(tmp_path / "b.csv", ONE, extra=[("who_is_it", list("xxxxxy"))])

    assert read_keypoints(same).source.endswith("(coco-17, not used: camera)")
    message = refused(other, r"b\.csv, line 7: the column 'who_is_it' changes, from 'x' to 'y'")
    assert "call it person if it says who" in message


def test_that_holds_for_long_tables_too(tmp_path):
    def rows(values):
        return [
            [f, NAMES[j], *ONE[f, 0, j], values[f]] for f, j in np.ndindex(6, 17)
        ]  # fmt: skip

    header = ["frame_idx", "node", "x", "y", "score", "camera"]
    same = write(tmp_path / "a.csv", header, rows(["left"] * 6))
    other = write(tmp_path / "b.csv", header, rows(list("xxxyyy")))

    assert_same(read_keypoints(same), ONE)
    refused(other, r"line 53: the column 'camera' changes")


def test_scores_boxes_and_times_of_a_row_are_understood(tmp_path):
    numbers = np.linspace(0.1, 0.9, 6)
    names = ["score", "bbox_x", "bbox_h", "instance_score", "time", "area", "track_score"]
    path = wide(tmp_path / "a.csv", ONE, extra=[(name, numbers) for name in names])

    keypoints = read_keypoints(path)

    assert_same(keypoints, ONE)
    assert f"not used: {' '.join(names)}" in keypoints.source


def test_a_time_that_comes_twice_says_that_rows_are_no_frames(tmp_path):
    path = wide(tmp_path / "a.csv", ONE, extra=[("timestamp", [0, 33, 66, 66, 99, 132])])
    counted = wide(tmp_path / "b.csv", ONE, before=[("frame", range(6))],
                   extra=[("timestamp", [0, 0, 1, 1, 2, 2])])  # fmt: skip

    refused(path, r"line 5: timestamp '66' comes twice, so rows are not frames: add the columns")
    assert_same(read_keypoints(counted), ONE)


def test_a_score_without_a_position_is_no_joint(tmp_path):
    path = wide(tmp_path / "a.csv", ONE, extra=[("mood_score", list("123456"))])

    refused(path, r"the column 'mood_score' changes")


def test_images_names_count_frames(tmp_path):
    names = [f"walk_{number:03d}.jpg" for number in (5, 1, 2, 3, 4, 6)]
    path = wide(tmp_path / "a.csv", ONE, before=[("image", names)])

    assert_same(read_keypoints(path), ONE[[1, 2, 3, 4, 0, 5]])


def test_two_confidences_of_one_joint_are_refused(tmp_path):
    rows = [[f, NAMES[j], *ONE[f, 0, j], 1] for f, j in np.ndindex(6, 17)]
    path = write(tmp_path / "a.csv", ["frame", "joint", "x", "y", "score", "visibility"], rows)

    refused(path, r"two columns are one number, among x, y, score, visibility")


# z, and other tools


def mediapipe(path, size, *, third="visibility"):
    triples = walk(MEDIAPIPE_33, frames=5)
    header = [f"{n.upper()}_{c}" for n in MEDIAPIPE_33.joints for c in ("x", "y", "z", third)]
    fractions = triples / [*size, 1]
    z = np.random.default_rng(0).normal(0, 0.3, (*fractions.shape[:-1], 1))
    rows = np.concatenate([fractions[..., :2], z, fractions[..., 2:]], axis=-1)
    return write(path, header, rows.reshape(5, -1).tolist()), triples


def test_mediapipes_table_of_fractions_becomes_px(tmp_path):
    path, triples = mediapipe(tmp_path / "a.csv", (640, 480))

    keypoints = read_keypoints(path, image_size=(640, 480))

    assert keypoints.skeleton is MEDIAPIPE_33
    assert_same(keypoints, triples, atol=1e-9)
    assert "fractions taken as px of an image of 640x480" in keypoints.source
    refused(path, r"fractions of the image; .*give image_size=\(width, height\) in px")


@pytest.mark.parametrize("name", ["{}", "landmark_{}", "kp{}"])
def test_joints_that_are_only_counted_are_the_skeletons_of_so_many(tmp_path, name):
    triples = walk(MEDIAPIPE_33, frames=3)
    order = np.random.default_rng(1).permutation(33)
    rows = [[f, name.format(j), *triples[f, 0, j]] for f in range(3) for j in order]
    path = write(tmp_path / "a.csv", ["frame", "landmark", "x", "y", "visibility"], rows)
    few = [row for row in rows if row[1] in {name.format(j) for j in range(17)}]
    seventeen = write(tmp_path / "b.csv", ["frame", "landmark", "x", "y", "visibility"], few)

    keypoints = read_keypoints(path)

    assert keypoints.skeleton is MEDIAPIPE_33
    assert_same(keypoints, triples)
    refused(seventeen, r"17 joints may be coco-17, h36m-17 or")
    assert read_keypoints(seventeen, skeleton="coco-17").skeleton is COCO_17


def test_3d_positions_are_not_taken_for_px(tmp_path):
    """As Anipose writes them, in mm; and with z alone."""
    three = np.concatenate([ONE[..., :2], 900 + ONE[..., :1]], axis=-1).reshape(6, -1)
    header = [f"{name}_{axis}" for name in NAMES for axis in "xyz"]
    anipose = [*header, "LEar_error", "LEar_ncams", "fnum"]
    rows = [[*row, 0.5 * f, 3, f] for f, row in enumerate(three)]

    refused(write(tmp_path / "a.csv", header, three), r"has z beside x and y, as 3D positions")
    refused(write(tmp_path / "b.csv", anipose, rows), r"the column 'LEar_error' changes")


def test_a_z_that_is_always_nought_is_left_out(tmp_path):
    flat = np.concatenate([ONE[..., :2], 0 * ONE[..., :1]], axis=-1).reshape(6, -1)
    header = [f"{name}_{axis}" for name in NAMES for axis in "xyz"]

    triples = ONE.copy()
    triples[..., 2] = 1
    assert_same(read_keypoints(write(tmp_path / "a.csv", header, flat)), triples)


@pytest.mark.parametrize("name", ["keypoints", "keypoints.x"])
def test_ultralytics_table_says_what_to_give_instead(tmp_path, name):
    path = write(tmp_path / "a.csv", ["name", "class", "box.x1", name], [["p", 0, 1, "[1, 2]"]])

    refused(path, r"ultralytics' table of one result, .*to_json")


@pytest.mark.parametrize("value", ["1_0", "١٢", "1_0.5"])
@pytest.mark.parametrize("column", ["frame", "joint"])
def test_numbers_are_ascii_digits(tmp_path, value, column):
    frames = [*range(5), value if column == "frame" else 5]
    path = wide(tmp_path / "a.csv", ONE, before=[("frame", frames)])
    if column == "joint":
        lines = path.read_text().splitlines()
        lines[-1] = f"5,{value}," + lines[-1].split(",", 2)[2]
        path.write_text("\n".join(lines))

    refused(path, r"line 7: '.*' is no number|line 7: frame '.*' is no whole number")
