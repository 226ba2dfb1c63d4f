"""Tables that benchmarks write into pages, and what motion steps compare."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.whole_body import whole_body

from graphlift.bodies import SEGMENTS
from graphlift.sequences import Poses
from graphlift.skeletons import BODY_28, H36M_17

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import motion_steps
import pages
import rig_turns

ROOT = Path(__file__).parents[2]
TABLES = re.compile(r"^<!-- table (.+) -->$", re.MULTILINE)
COMMAND = re.compile(
    r"^python benchmarks/\S+\.py(?:.|\\\n)*? --docs docs(\S*)"
    r"|`python benchmarks/\S+\.py[^`]*?\s--docs docs([^\s`]*)`",
    re.MULTILINE,
)
"""In a block or in a line; ``--docs`` takes a page or, as ``docs``, each where its place is."""
PAGES = [page for page in sorted(ROOT.glob("docs/*.md")) if TABLES.search(page.read_text())]


def test_a_rerun_replaces_the_tables_of_a_page_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n\n<!-- table one -->\n\nold\n\n<!-- end of one -->\n\nwords\n")

    pages.fill_page(page, {"one": "| new |"})
    once = page.read_text()
    pages.fill_page(page, {"one": "| new |"})

    assert once == "# A\n\n<!-- table one -->\n\n| new |\n\n<!-- end of one -->\n\nwords\n"
    assert page.read_text() == once
    with pytest.raises(SystemExit, match="no place for a table between <!-- table two -->"):
        pages.fill_page(page, {"two": ""})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_place_for_a_table_has_one_and_a_command_that_fills_it(page):
    text = page.read_text()
    commands = {block or inline for block, inline in COMMAND.findall(text)}

    assert commands, "no command with --docs"
    assert commands <= {f"/{page.name}", ""}
    for name in TABLES.findall(text):
        body = text.partition(f"<!-- table {name} -->\n")[2].partition(f"<!-- end of {name} -->")
        lines = body[0].strip().splitlines()
        assert body[1], f"no end of {name}"
        assert len(lines) > 2, name
        assert all(line.startswith("|") for line in lines), name
        assert len({line.count("|") for line in lines}) == 1, name


def test_no_two_pages_have_a_place_of_one_name():
    names = [name for page in PAGES for name in TABLES.findall(page.read_text())]

    assert len(names) > 20
    assert sorted(names) == sorted(set(names))


def test_tables_go_to_the_pages_of_a_folder_that_have_their_places(tmp_path):
    first, second, third = (tmp_path / f"{name}.md" for name in ("first", "second", "third"))
    for page, name in ((first, "a"), (second, "b"), (third, "c")):
        page.write_text(f"<!-- table {name} -->\n\nold\n\n<!-- end of {name} -->\n")

    pages.fill_pages(tmp_path, {"a": "| 1 |", "c": "| 3 |"})

    assert first.read_text() == "<!-- table a -->\n\n| 1 |\n\n<!-- end of a -->\n"
    assert second.read_text() == "<!-- table b -->\n\nold\n\n<!-- end of b -->\n"
    assert third.read_text() == "<!-- table c -->\n\n| 3 |\n\n<!-- end of c -->\n"
    before = first.read_text()
    with pytest.raises(SystemExit, match=r"table d --> .* one page of .*, is on no page"):
        pages.fill_pages(tmp_path, {"a": "| new |", "d": ""})
    third.write_text(before)
    with pytest.raises(SystemExit, match=r"is on .*first.md, .*third.md"):
        pages.fill_pages(tmp_path, {"a": "| new |"})
    assert first.read_text() == before


def test_a_page_keeps_every_table_that_is_not_given(tmp_path):
    page = tmp_path / "page.md"
    places = "".join(f"<!-- table {n} -->\n\n| {n} |\n\n<!-- end of {n} -->\n" for n in "ab")
    page.write_text(places)

    pages.show({"b": pages.table(["x", "n"], [["one", "1"]], words=1)}, page)

    assert TABLES.findall(page.read_text()) == ["a", "b"]
    assert "\n\n| a |\n\n" in page.read_text()
    assert "| x | n |\n| --- | ---: |\n| one | 1 |\n" in page.read_text()

    pages.show({"a": "| of a folder |"}, tmp_path)

    assert "-->\n\n| of a folder |\n\n<!-- end of a" in page.read_text()


def test_motion_steps_keep_heels_and_toes_and_compare_the_17():
    joints = whole_body(4)[0]
    poses = Poses(joints[:, None], BODY_28, fps=30.0)

    assert motion_steps.relative(poses).shape == (4, len(H36M_17), 3)
    expected = joints[:, :17] - joints[:, :1]
    np.testing.assert_array_equal(motion_steps.relative(poses), expected)


def test_a_rig_that_is_given_the_truth_points_there():
    joints, fronts, world = whole_body(6, Chest=[0.2, 0.1, 0.4], Head=[0.0, 0.0, 0.5])
    carried = [world.get(name, world["Chest"]).as_matrix() for name in SEGMENTS]
    given = {"axes": "world", "rooted": False, "fps": 30.0}
    poses = Poses(joints[:, None], BODY_28, fronts=fronts[:, None], **given)

    found = rig_turns.angles(poses, rig_turns.true_fronts(np.stack(carried, axis=1)))

    for node, angles in found.items():
        assert angles.shape == (6 * len(rig_turns.NODES[node]),), node
        np.testing.assert_allclose(angles, 0, atol=1.5, err_msg=node)
