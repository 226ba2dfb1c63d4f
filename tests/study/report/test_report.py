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
from graphlift.protocols import PROTOCOLS
from graphlift.study import paper
from graphlift.study.report import escape, write_report
from graphlift.study.results import RESULTS, ActivityScore, CrossScore

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
    for absent in ("figures/differences.svg", "figures/noise.svg", " ± 0", "PCK by activity"):
        assert absent not in text
    for present in ("one seed", "nothing to compare", "2D noise"):
        assert present in text
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

    assert "figures/failures.svg" not in text
    assert "The worst frames of" not in text


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
    with pytest.raises(
        FileNotFoundError, match=rf"has no {RESULTS}: give .*`graphlift study run`"
    ):
        write_report(tmp_path)
    (tmp_path / RESULTS).write_text("")
    with pytest.raises(FormatError, match=rf"{RESULTS} .*`graphlift study run`"):
        write_report(tmp_path)


def test_a_report_needs_no_torch():
    code = "import sys, graphlift.study.report.contents as s; print('torch' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_the_verdicts_name_the_sizes_they_were_reached_at(page):
    (claims,) = [table for table in page.tables if table[0] == ["Claim", "Measured", "Verdict"]]

    assert len(claims) == 9
    assert all("at 0.042 M to 0.136 M parameters" in row[1] for row in claims[1:])


def test_a_report_of_the_papers_own_data_compares_with_its_tables(tmp_path):
    scores = dict.fromkeys(paper.ACTIVITIES, ActivityScore(10, 40.0, 30.0))
    scenes = {scene: CrossScore(10, 80.0, 40.0) for scene in ("GS", "noGS", "Outdoor")}
    asked = ("hip-shift",)
    cross = PROTOCOLS["3dhp-14"].describe(asked)
    runs = [
        replace(
            run, detections=run.detections.removesuffix("-sim"), adaptations=[*asked, "other"],
            protocols={"h36m-16": "As published.", "3dhp-14": cross},
            per_activity=scores, cross_per_activity=scenes, mpjpe_mm=40.0,
        )
        for run in fake_results((0, 1), ("gt", "cpn-sim"), METHODS[6:8], blocks=4)
    ]  # fmt: skip

    written = write_report(write_results(tmp_path, runs))

    page = Page(written.html.read_text())
    (first, *_) = [row for row in page.tables[1] if row[1:2] == ["Pre-agg"]]
    assert first[2:5] == ["40.00", "37.83", "+2.17"]
    (eating,) = [row for row in page.tables[2] if row[0] == "Eating"]
    assert eating[1:4] == ["40.00", "33.00", "+7.00"]
    (printed,) = [row for table in page.tables for row in table if row[0] == "printed"]
    assert printed[1:5] == ["77.60", "80.50", "80.10", "79.30"]
    notes = [line for line in written.md.read_text().splitlines() if "adaptations: " in line]
    assert all("hip-shift" in note and "other" not in note.partition("adaptations:")[2]
               for note in notes)  # fmt: skip
