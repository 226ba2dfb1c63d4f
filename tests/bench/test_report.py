"""Tables and picture of made-up measurements: shares by hand, results of two machines."""

import json
from dataclasses import replace

import pytest

from graphlift.bench.machine import Machine, MemoryRates
from graphlift.bench.products import Product
from graphlift.bench.report import report, shape, summary, tables
from graphlift.bench.results import ProductRate, Result, Row, read_result
from graphlift.bench.roofline import LINE, draw_roofline, spread
from graphlift.bench.subjects import NETWORKS, PAPER
from graphlift.bench.write import write_result
from graphlift.errors import FormatError

PRODUCT = Product(16, 64, 128, 128)


def row(name="full-sharing", mode="inference", batch=64, engine="torch", seconds=0.01, **changes):
    facts = {
        "parameters": 4_200_000, "channels": 723, "low": 0.009, "high": 0.011, "samples": 9,
        "operations": 2e9, "traffic": 1e8, "limit": 0.008,
    }  # fmt: skip
    given = {"name": name, "mode": mode, "batch": batch, "engine": engine, "seconds": seconds}
    return Row(**given, **(facts | changes))


@pytest.fixture
def result():
    return Result(
        machine=Machine("Made up", ("AVX2",), 2, 2, {"L1": 2**15}, "Linux", {"NumPy": "2"}, 0.1),
        memory=MemoryRates(10, 20, 30, 40),
        square=ProductRate(Product(1, 2048, 2048, 2048), {"numpy": 100.0, "onnxruntime": 200.0}),
        products=(ProductRate(PRODUCT, {"numpy": 50.0, "torch": 150.0}),),
        rows=(
            row(),
            row(engine="onnxruntime", seconds=0.016),
            row(mode="training", seconds=0.04),
            row("open|small", batch=1, engine="onnxruntime", seconds=0.0004, limit=0.0001),
            row("open|small", "in all", 1, "onnxruntime", 0.0005),
        ),
        left_out=("something",),
    )


def cells(table, start):
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_shares_are_the_limit_over_the_time(result):
    first = result.rows[0]

    assert first.share == pytest.approx(0.8)
    assert first.gflops == pytest.approx(200)
    assert first.poses_per_second == pytest.approx(6400)
    assert first.intensity == pytest.approx(20)
    assert result.products[0].best == 150


def test_the_table_of_shares_has_the_fastest_engine(result):
    found = tables([result])["Shares of the limit"]

    assert found.splitlines()[0] == (
        "| poses/s (share) | parameters | inference, 1 | inference, 64 | training, 64 |"
    )
    assert cells(found, "full-sharing")[1:] == ["4.20 M", "–", "6,400 (80%)", "1,600 (20%)"]
    assert cells(found, "open/small")[1:] == ["4.20 M", "2,500 (25%)", "–", "–"]


def test_lifting_stands_beside_its_network(result):
    found = tables([result])["Lifting"]

    assert cells(found, "open/small")[1:] == [
        "1", "0.40", "25%", "2,500", "0.50", "9.00 - 11.0", "2,000"
    ]  # fmt: skip


def test_a_report_has_all_tables_and_what_was_left_out(result):
    text = report(result)

    for name in tables([result]):
        assert f"\n## {name}\n" in text
    assert "* something\n" in text
    assert "16 of 64 × 128 by 128 × 128" in text
    assert "| 33.55 | 50.0 | 150.0 | – | 16.0 |" in text  # 2·16·64·128·128; over 2 MiB of numbers
    assert "left out: something" in summary(result)


def test_tables_of_two_machines_stand_side_by_side(result):
    other = replace(result, machine=replace(result.machine, processor="Another"))

    found = tables([result, other])

    assert "| processor | Made up | Another |" in found["Machine"]
    assert [line[:18] for line in found["Shares of the limit"].splitlines()[2:]] == [
        "| A | full-sharing", "| A | open/small |", "| B | full-sharing", "| B | open/small |"
    ]  # fmt: skip


def test_a_busy_machine_is_told(result):
    assert "busy" not in report(result)
    assert "busy at the start (3 processes" in report(
        replace(result, machine=replace(result.machine, load=3.0))
    )


def test_what_is_written_is_read_back(result, tmp_path):
    written, left_out = write_result(result, tmp_path / "new")

    assert [path.name for path in written] == ["report.md", "bench.json", "roofline.png"]
    assert left_out == []
    assert read_result(tmp_path / "new" / "bench.json") == result


def test_a_result_of_nothing_has_no_picture(result, tmp_path):
    written, left_out = write_result(replace(result, rows=()), tmp_path)

    assert [path.name for path in written] == ["report.md", "bench.json"]
    assert left_out == ["no roofline.png: nothing was measured"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.pop("rows"), "rows"),
        (lambda d: d | {"more": 1}, "more"),
        (lambda d: d["memory"].update(copy=None), "memory.copy"),
        (lambda d: "[" * 100, "nested|JSON|Expecting"),
    ],
)
def test_other_files_are_refused(result, tmp_path, change, told):
    content = result.to_json()
    changed = change(content)
    text = changed if isinstance(changed, str) else json.dumps(
        changed if isinstance(changed, dict) and "machine" in changed else content
    )  # fmt: skip
    (tmp_path / "x.json").write_text(text)

    with pytest.raises(FormatError, match=rf"x\.json: .*({told}).*give the bench.json"):
        read_result(tmp_path / "x.json")


def test_shapes_are_written_as_they_are_multiplied():
    assert shape(PRODUCT) == "16 of 64 × 128 by 128 × 128"
    assert shape(Product(1, 9, 32, 64)) == "9 × 32 by 32 × 64"


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([0.1, 0.5, 0.9], [0.1, 0.5, 0.9]),
        ([0.5, 0.5, 0.51], [0.5, 0.5 + LINE, 0.5 + 2 * LINE]),
        ([0.2, 0.99, 1.0], [0.2, 1 - LINE, 1.0]),
        ([1.0, 1.0, 1.0], [1 - 2 * LINE, 1 - LINE, 1.0]),
        ([], []),
    ],
)
def test_names_beside_a_figure_keep_apart_and_in_it(heights, expected):
    assert spread(heights) == pytest.approx(expected)


@pytest.mark.parametrize(("names", "panels"), [(NETWORKS, 4), (PAPER, 2), (NETWORKS[-3:], 2)])
def test_many_networks_are_parted_and_each_is_named_once_a_mode(
    result, tmp_path, monkeypatch, names, panels
):
    drawn = []
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig", lambda self, *_, **__: drawn.append(self)
    )
    rows = [
        row(name, mode, batch, seconds=0.01 * batch)
        for name in names
        for mode in ("inference", "training")
        for batch in (4, 64)
    ]

    draw_roofline(replace(result, rows=tuple(rows)), tmp_path / "x.png")

    (figure,) = drawn
    written = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert len(figure.axes) == panels
    assert sorted(written) == sorted(2 * names)
