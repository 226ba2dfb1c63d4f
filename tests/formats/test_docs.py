"""The page on formats says what the code does."""

import re
from pathlib import Path

import pytest

from graphlift.formats import headers, in_image
from graphlift.formats.joint_names import FEWEST
from graphlift.formats.keypoint_source import MAX_BYTES
from graphlift.skeletons import H36M_17, SKELETONS, conversion_table
from graphlift.tracking.clip import GAPS

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
DERIVED = ("Hip", "Spine", "Thorax", "Neck/Nose", "Head")
SOURCES = [skeleton for skeleton in SKELETONS.values() if skeleton is not H36M_17]


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda skeleton: skeleton.name)
def test_the_table_of_conversions_is_the_codes(source):
    said = {}
    for line in conversion_table(source, H36M_17).splitlines()[2:]:
        name, kind, made_of = cells(line)
        said[name] = f"{kind}: {made_of}"

    expected = f"| `{source.name}` | {' | '.join(said[name] for name in DERIVED)} |"
    assert expected in PAGE.splitlines(), f"docs/formats.md should have the line\n{expected}"
    assert all(said[name].startswith("exact") for name in H36M_17.joints if name not in DERIVED)


def test_the_limits_are_the_codes():
    assert MAX_BYTES == 1 << 30
    assert "1 GiB; `max_bytes=` raises it" in PAGE
    assert f"unseen for {GAPS[-1]:g} s or less" in PAGE
    assert FEWEST == 6
    assert "Six must be known" in PAGE


def test_every_reader_is_on_the_page():
    package = Path(__file__).parents[2] / "src" / "graphlift" / "formats"
    kinds = {"openpose", "coco", "alphapose", "mmpose", "mediapipe", "deeplabcut", "sleap",
             "videopose3d", "ultralytics"}  # fmt: skip
    modules = {path.stem for path in package.glob("*.py")}

    assert kinds <= modules
    for kind in kinds:
        assert re.search(kind, PAGE, re.IGNORECASE), kind


def test_the_shares_outside_an_image_are_the_codes():
    assert (in_image._NOTED, in_image._REFUSED, in_image._SWAPPED) == (1 / 10, 9 / 10, 1 / 20)
    for words in ("A tenth of the joints", "nine tenths of the people", "a twentieth do"):
        assert words in PAGE


@pytest.mark.parametrize("name", ["person", "track", "instance", "individual", "animal", "id",
                                  "frame", "frame_idx", "fnum", "image"])  # fmt: skip
def test_columns_that_the_page_names_are_understood(name):
    header = headers.read_header([name, "nose_x", "nose_y"], Path("x.csv"))

    assert not header.strange
    assert 0 in (header.person, header.frame)
