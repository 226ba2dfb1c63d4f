"""Text as a number: what Python takes beyond digits is refused, the rest is Python's."""

import pytest
from helpers.command import here
from helpers.tiny_keypoints import dump, mmpose_video, walk
from hypothesis import given
from hypothesis import strategies as st

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints
from graphlift.formats.from_bvh import open_lines
from graphlift.numerals import decimal, is_whole
from graphlift.skeletons import COCO_17


@given(st.floats(allow_nan=False) | st.integers())
def test_what_python_writes_is_read(number):
    assert decimal(f" {number!r}\n") == float(number)


@pytest.mark.parametrize(
    "text", ["1_0", "1_0.0", "1e1_0", "١", "１", "²", "", "0x10", "1,5", "one"]
)
def test_anything_else_is_no_number(text):
    with pytest.raises(ValueError, match="convert"):
        decimal(text)


def test_missing_numbers_stay_so():
    assert decimal("NaN") != decimal("nan")
    assert decimal("-inf") == float("-inf")


@given(st.text(max_size=5))
def test_whole_numbers_are_ascii_digits(text):
    assert is_whole(text) == (text != "" and set(text) <= set("0123456789"))


@pytest.mark.parametrize("size", ["12_80x720", "1280x7_20", "１２80x720", "²x3", "x", "-1x2"])
def test_an_image_size_is_digits(tmp_path, size):
    said = here("lift", dump(tmp_path / "a.json", []), "-o", tmp_path / "a.npz",
                f"--image-size={size}")  # fmt: skip

    assert said.status == 2
    assert "give width and height in px" in said.err


def test_motion_capture_is_digits(tmp_path):
    (tmp_path / "a.bvh").write_text("OFFSET 1_0 0 0\n")

    with open_lines(tmp_path / "a.bvh") as lines, pytest.raises(FormatError, match="'1_0' is not"):
        lines.numbers(next(lines).split()[1:])


def test_a_name_of_a_joint_under_a_number_that_is_none_is_passed_over(tmp_path):
    data = {"meta_info": {"keypoint_id2name": {"²": "Nose"}},
            "instance_info": mmpose_video(walk(COCO_17))}  # fmt: skip

    assert read_keypoints(dump(tmp_path / "a.json", data)).skeleton is COCO_17


@pytest.mark.parametrize("text", ["1_0", "12", "x"])
def test_text_among_the_numbers_of_a_json_is_no_number(tmp_path, text):
    data = mmpose_video(walk(COCO_17))
    data[1]["instances"][0]["keypoint_scores"][4] = text

    with pytest.raises(FormatError, match="frame 1: scores should be numbers"):
        read_keypoints(dump(tmp_path / "a.json", data))
