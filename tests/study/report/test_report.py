"""A report read back: its numbers, its shape, and what hostile result files do to it."""

import base64
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.fake_results import METHODS, fake_result, fake_results, write_results

from graphlift.errors import FormatError
from graphlift.study import paper
from graphlift.study.grid import Study
from graphlift.study.report import write_report
from graphlift.study.report.cells import number, signed, size
from graphlift.study.report.markdown import escape
from graphlift.study.report.sections import find
from graphlift.study.results import RESULTS

VOID = {"meta", "br", "img"}
LOADING = ("src", "href", "srcset", "data", "action", "poster", "background")


class Page(HTMLParser):
    """Reads a page: checks nesting, gathers tags, attributes and the rows of tables."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.tables = [], Counter(), [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def results():
    return fake_results(seeds=(0, 1), detections=("gt", "hg-sim"), blocks=30)


@pytest.fixture(scope="module")
def written(results, tmp_path_factory):
    return write_report(write_results(tmp_path_factory.mktemp("study"), results))


@pytest.fixture(scope="module")
def page(written):
    return Page(written.html.read_text())


def of(results, method, decoupled, detections):
    return [
        r
        for r in results
        if (r.method, r.decoupled, r.detections) == (method, decoupled, detections)
    ]


def test_table_1_holds_means_and_deviations_computed_by_hand(results, page):
    rows = {row[0]: row[1:] for row in page.tables[0]}

    for method, decoupled, _ in METHODS:
        name = {"martinez": "Martinez et al.", "semgcn": "SemGCN (Zhao et al.)"}.get(
            method, method
        )
        expected = [f"{of(results, method, decoupled, 'gt')[0].parameters / 1e6:.3f} M"]
        for kind in ("gt", "hg-sim"):
            runs = of(results, method, decoupled, kind)
            for values in ([r.mpjpe_mm for r in runs], [r.p_mpjpe_mm for r in runs]):
                # of two values: mean, and |a - b| / sqrt 2
                sd = abs(values[0] - values[1]) / 2**0.5
                expected.append(f"{sum(values) / 2:.1f} ± {sd:.1f}")
        assert rows[name + ", decoupled" * decoupled] == expected


def test_the_lowest_mean_is_bold(results, written):
    means = {(m, d): np.mean([r.mpjpe_mm for r in of(results, m, d, "gt")]) for m, d, _ in METHODS}
    best = min(means.values())

    row = next(line for line in written.md.read_text().splitlines() if f"**{best:.1f} ±" in line)

    method, decoupled = min(means, key=means.get)
    assert row.startswith(f"| {method}{', decoupled' * decoupled} |")


def test_the_papers_numbers_stand_beside_the_decoupled_rows(page):
    (row,) = [r for r in page.tables[1] if "Pre-agg" in r]

    assert row[0] == "pre-aggregation, decoupled"
    assert row[-6:] == ["37.83", "30.09", "59.53", "46.35", "52.42", "41.48"]
    assert "Human3.6M, 4.2 M, published" in page.tables[1][0]
    assert any("simulated" in cell for cell in page.tables[1][0])


def test_other_numbers_of_the_lines_are_there(results, page):
    cells = {cell for table in page.tables for row in table for cell in row}
    runs = of(results, "pre-aggregation", True, "hg-sim")

    def mean(values, digits=1):
        a, b = values
        return f"{(a + b) / 2:,.{digits}f} ± {abs(a - b) / 2**0.5:.{digits}f}"

    assert mean([r.cross_pck for r in runs]) in cells
    assert mean([r.cross_auc for r in runs]) in cells
    assert mean([r.cross_per_activity["jump"].pck for r in runs]) in cells
    assert mean([r.per_activity["dance"].mpjpe_mm for r in runs]) in cells
    assert mean([(r.per_joint_mm["LWrist"] + r.per_joint_mm["RWrist"]) / 2 for r in runs]) in cells
    assert mean([r.noise_bins[3].mpjpe_mm for r in runs]) in cells
    assert mean([r.occluded_mm for r in runs]) in cells
    assert mean([r.validation_end_mm for r in runs]) in cells
    assert f"{runs[0].parameters:,}" in cells
    assert f"{runs[0].macs_unified / 1e6:.3f} M" in cells


def test_the_page_is_well_formed_and_loads_nothing(page, written):
    for tag, name, value in page.attributes:
        if name in LOADING:
            assert value.startswith(("data:image/svg+xml;base64,", "#")), (tag, name, value[:60])
        assert not name.startswith("on")
    assert page.tags["img"] == 8
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import", written.html.read_text())


def test_figures_load_nothing_and_stand_beside_the_markdown(page, written):
    inside = [v for _, n, v in page.attributes if n == "src"]
    linked = re.findall(r"!\[.*?\]\((.*?)\)", written.md.read_text())

    assert len(linked) == len(inside) == 8
    for link, source in zip(linked, inside, strict=True):
        svg = (written.md.parent / link).read_text()
        assert base64.b64decode(source.partition(",")[2]).decode() == svg
        assert "<script" not in svg
        assert not re.findall(r'(?:href|src)="(?!#|data:image/png;base64,)', svg)


def pipes(line):
    return len(re.findall(r"(?<!\\)\|", line))


def test_markdown_tables_have_equal_columns(written):
    tables = re.findall(r"(?:^\|.*\n)+", written.md.read_text(), flags=re.M)

    assert len(tables) >= 12
    for table in tables:
        assert len({pipes(line) for line in table.splitlines()}) == 1, table[:300]


def test_sections_come_in_order(written):
    headings = re.findall(r"^## (.*)$", written.md.read_text(), flags=re.M)

    assert headings == [
        "In brief",
        "Accuracy",
        "Another data set",
        "Training",
        "Which differences are real",
        "The paper's claims",
        "Where the error sits",
        "Failure cases",
        "Appendix: how this was made",
    ]


def test_one_run_is_enough_for_a_report_and_gives_the_same_bytes_again(tmp_path):
    paths = write_report(write_results(tmp_path, [fake_result(cross=False)]))
    files = sorted(tmp_path.rglob("*.*"))
    before = [path.read_bytes() for path in files]

    text = paths.md.read_text()
    assert "There is one seed only" in text
    assert "not tested on another data set" in text
    assert "There are not two methods to compare" in text
    assert "error against 2D noise has nothing to show" in text
    Page(paths.html.read_text())
    assert write_report(tmp_path) == paths
    assert sorted(tmp_path.rglob("*.*")) == files
    assert [path.read_bytes() for path in files] == before


def test_bare_runs_make_a_report_too(tmp_path):
    bare = replace(
        fake_result("semgcn", False, cross=False),
        curve=[], failures=[], blocks={}, noise_bins=[], per_activity={}, per_joint_mm={},
        config={},
    )  # fmt: skip

    text = write_report(write_results(tmp_path, [bare])).md.read_text()

    assert "kept no frames to draw" in text


def test_missing_runs_are_named():
    results = fake_results(seeds=(0, 1), detections=("gt",), methods=METHODS[5:8], blocks=3)
    study = Study([r for r in results if (r.method, r.seed) != ("post-aggregation", 1)])

    assert [(v.label, kind, seed) for v, kind, seed in study.missing] == [
        ("post-aggregation, decoupled", "gt", 1)
    ]


def test_a_repeated_run_counts_once_by_its_last_line():
    again = replace(fake_result(), mpjpe_mm=1.0)
    study = Study([fake_result(), again])

    assert [run.mpjpe_mm for run in study.runs] == [1.0]
    assert study.repeated == 1


def test_a_method_at_two_widths_has_two_rows():
    wide = replace(fake_result(), channels=256, parameters=1_000_000)
    study = Study([fake_result(), wide])

    assert [v.label for v in study.variants] == [
        "pre-aggregation, decoupled, 22 channels",
        "pre-aggregation, decoupled, 256 channels",
    ]
    assert study.find("pre-aggregation", True).channels == 256


HOSTILE = '<script>alert("x")</script>|$\\frac$`*_[a](http://evil.example)\x1b[31m\u202e'


def test_hostile_names_stay_text(tmp_path):
    runs = [
        replace(
            fake_result(seed=0, hard={HOSTILE: np.full(5, 1.1), "walk": np.full(5, 0.9)}),
            method=method, data=HOSTILE, data_digest=HOSTILE, version=HOSTILE, detections=kind,
            config={HOSTILE: {"a": HOSTILE}},
            failures=[replace(fake_result().failures[0], clip=HOSTILE, activity=HOSTILE)],
        )
        for method in (HOSTILE, "no-sharing")
        for kind in (HOSTILE, "gt")
    ]  # fmt: skip

    paths = write_report(write_results(tmp_path, runs))

    html, md = paths.html.read_text(), paths.md.read_text()
    page = Page(html)
    assert "script" not in page.tags
    assert page.tags["a"] == 9  # the contents only
    assert any('<script>alert("x")</script>' in row[0] for row in page.tables[0])
    assert not re.search(r"(?<!\\)<script", md)
    assert not re.search(r"(?<!\\)\]\(http", md)
    assert "\x1b" not in html + md
    assert "\u202e" not in html + md
    for table in re.findall(r"(?:^\|.*\n)+", md, flags=re.M):
        assert len({pipes(line) for line in table.splitlines()}) == 1


def test_markdown_is_escaped_letter_by_letter():
    assert escape("a|b\n<i> *c*") == r"a\|b \<i\> \*c\*"


def test_no_results_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_report(tmp_path)
    (tmp_path / RESULTS).write_text("")
    with pytest.raises(FormatError, match="no results yet: run `graphlift study run`"):
        write_report(tmp_path)


def test_a_report_needs_no_torch():
    code = "import sys, graphlift.study.report.sections as s; print('torch' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_runs_over_other_frames_are_left_out_and_named():
    results = fake_results(seeds=(0,), detections=("gt",), methods=METHODS[:3], blocks=6)
    stranger = replace(fake_result("no-sharing", False), name="stranger")

    found = find(Study([*results, stranger]))

    assert found.left_out == ["stranger"]
    assert [len(some) for _, some in found.pairs] == [3]


def test_the_published_table_agrees_with_itself():
    """ALL is the frame-weighted mean of 1143, 1058 and 728 frames; Li's printed row is not."""
    for row in paper.TABLE_2:
        *parts, whole = row.pck
        if None not in parts and row.label != "Li et al.":
            assert np.average(parts, weights=[1143, 1058, 728]) == pytest.approx(whole, abs=0.11)
    for kind in ("gt", "hg", "cpn"):
        best = min(paper.TABLE_1, key=lambda row: row.errors.get(kind, (np.inf,))[0])
        assert best.label == "Pre-agg"


def test_the_published_rows_by_activity_have_the_published_means():
    """The supplement's Table 1 has 37.83 and 52.42 mm; of P-MPJPE on CPN 41.48, its row 41.27."""
    means = {(row.detections, row.protocol): np.mean(row.errors) for row in paper.PER_ACTIVITY}

    assert means["gt", "mpjpe_mm"] == pytest.approx(37.83, abs=0.05)
    assert means["cpn", "mpjpe_mm"] == pytest.approx(52.42, abs=0.05)
    assert means["cpn", "p_mpjpe_mm"] == pytest.approx(41.27, abs=0.005)
    assert {len(row.errors) for row in paper.PER_ACTIVITY} == {len(paper.ACTIVITIES)}


def test_numbers_are_written_with_true_signs():
    assert number(-1234.56) == "−1,234.6"
    assert number(-0.04) == "0.0"
    assert signed(0.04) == "0.0"
    assert signed(2) == "+2.0"
    assert signed(-2, 2) == "−2.00"
    assert size(135_631) == "0.136 M"
