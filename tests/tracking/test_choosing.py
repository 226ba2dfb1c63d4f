"""Whom to keep of several: longest and largest, one by a word, one by id; and what is said."""

import numpy as np
import pytest

from graphlift.errors import ConfigError
from graphlift.formats import read_keypoints, write_keypoints
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17
from graphlift.tracking import Appearance, appearances, choose, left_out

BODY = np.random.default_rng(0).uniform(0, 1, (17, 2))
BODY = (BODY - BODY.min(0)) / np.ptp(BODY, axis=0)
"""Joints that fill a square of side 1."""

EARLY = Appearance("early", 60, 0, 100.0, (200.0, 300.0))
LONG = Appearance("long", 90, 10, 60.0, (320.0, 240.0))
LARGE = Appearance("large", 40, 50, 220.0, (600.0, 100.0))
PASSING = Appearance("passing", 3, 0, 500.0, (320.0, 240.0))
SEEN = [EARLY, PASSING, LONG, LARGE]


@pytest.mark.parametrize(
    ("person", "who"),
    [("largest", "large"), ("first", "early"), ("longest", "long"), ("centre", "long"),
     ("passing", "passing")],
)  # fmt: skip
def test_one_person_is_chosen_by_a_word_or_by_id(person, who):
    """Who passes for a moment is chosen by id alone."""
    assert choose(SEEN, person=person, image_size=(640, 480)) == (who,)


def test_so_many_are_kept_by_time_and_size_in_the_order_given():
    # frames times size: 6,000, 1,500, 5,400 and 8,800
    assert choose(SEEN, people=1) == ("large",)
    assert choose(SEEN, people=2) == ("early", "large")
    assert choose(SEEN, people=3) == ("early", "long", "large")
    assert choose(SEEN) == choose(SEEN, people=9) == ("early", "passing", "long", "large")
    assert choose([], people=2, person="first") == ()


def test_one_of_so_many():
    assert choose(SEEN, people=2, person="longest") == ("early",)
    assert choose(SEEN, people=2, person="passing") == ("passing",)


def test_an_id_that_nobody_has_and_an_unknown_middle_are_refused():
    with pytest.raises(ConfigError, match=r"^the clip: .*'7'.*early, .*large.*largest"):
        choose(SEEN, person="7")
    with pytest.raises(ConfigError, match=r"^a\.npz: person centre needs the size.*image_size="):
        choose(SEEN, person="centre", where="a.npz")


def test_who_is_left_out_is_said_with_the_share_of_frames():
    assert left_out(SEEN, ["early", "passing", "long", "large"], 100) == ""
    assert left_out(SEEN, ["early", "long", "large"], 400) == (
        "1 other person was left out: passing (in less than 1 % of frames)."
    )
    assert left_out(SEEN, ["long"], 100) == (
        "3 other people were left out: early (in 60 % of frames), large (in 40 % of frames), "
        "passing (in 3 % of frames)."
    )
    many = [Appearance(str(n), 1, 0, 1.0, (0.0, 0.0)) for n in range(20)]
    assert left_out(many, [], 10).endswith("5 (in 10 % of frames), and 14 more.")


def placed(side, x, y):
    return np.column_stack([BODY * side + [x, y], np.ones(17)])


def test_where_and_how_long_somebody_is_seen():
    frames = [
        np.stack([placed(30, 100, 50)]),
        np.zeros((0, 17, 3)),
        np.stack([placed(300, 0, 0), placed(60, 100, 50)]),
    ]
    frames[2][1, 3:] = np.nan

    one, other = (
        appearances(frames, [("a",), (), (-1, "a")]),
        appearances(frames[2:], [("b", "c")]),
    )

    (a,) = one
    corners = np.ptp(BODY[:3] * 60, axis=0)
    assert (a.name, a.frames, a.first) == ("a", 2, 0)
    assert a.size == pytest.approx((30 * 2**0.5 + np.hypot(*corners)) / 2)
    middles = (BODY * 30).mean(axis=0), (BODY[:3] * 60).mean(axis=0)
    assert a.centre == pytest.approx(np.mean(middles, axis=0) + np.array([100, 50]))
    assert [each.name for each in other] == ["b", "c"]


def tracks(tmp_path, people=("a", "b", "never")):
    """A file that tells people apart: b is larger, one is never seen."""
    positions = np.full((20, len(people), 17, 2), np.nan)
    positions[:, 0] = placed(100, 300, 200)[:, :2]
    positions[5:, 1] = placed(180, 20, 20)[:, :2]
    return positions, write(tmp_path / "a.npz", positions, people)


def write(path, positions, people):
    keypoints = keypoints_from(positions, COCO_17, people=people, image_size=(640, 480), fps=25)
    write_keypoints(path, keypoints)
    return path


def test_who_is_seen_in_no_frame_is_in_no_output_and_it_is_said(tmp_path):
    positions, path = tracks(tmp_path)

    keypoints = read_keypoints(path)

    assert keypoints.people == ("a", "b")
    np.testing.assert_array_equal(keypoints.positions, positions[:, :2])
    assert keypoints.notes == ("1 of 3 people are seen in no frame: left out.",)


@pytest.mark.parametrize(
    ("said", "who"),
    [({"people": 1}, "b"), ({"person": "longest"}, "a"), ({"person": "largest"}, "b"),
     ({"person": "a"}, "a"), ({"person": "centre"}, "a"), ({"person": "first"}, "a")],
)  # fmt: skip
def test_files_that_tell_people_apart_are_chosen_from_too(tmp_path, said, who):
    _, path = tracks(tmp_path)

    keypoints = read_keypoints(path, **said)

    assert keypoints.people == (who,)
    other, share = ("b", 75) if who == "a" else ("a", 100)
    assert keypoints.notes[-1] == f"1 other person was left out: {other} (in {share} % of frames)."


def test_what_was_decided_comes_back_from_a_file(tmp_path):
    _, path = tracks(tmp_path)
    chosen = read_keypoints(path, people=1)

    write_keypoints(tmp_path / "b.npz", chosen)

    assert read_keypoints(tmp_path / "b.npz").notes == chosen.notes
