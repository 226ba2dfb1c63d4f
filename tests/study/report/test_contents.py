"""What a report says: whom it thanks, which methods differ, what it leaves out."""

from dataclasses import replace

import pytest
from helpers.fake_results import METHODS, fake_result, fake_results, write_results

from graphlift.study.grid import Study
from graphlift.study.report import write_report
from graphlift.study.report.contents import (
    ACKNOWLEDGEMENTS,
    acknowledgements,
    settings,
)
from graphlift.study.report.findings import best_of, find


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    runs = fake_results(seeds=(0, 1), detections=("gt",), methods=METHODS[:2], blocks=6)
    return write_report(write_results(tmp_path_factory.mktemp("study"), runs)).md.read_text()


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    prior = replace(fake_result(), data="prior", cross_data="prior")
    return write_report(write_results(tmp_path_factory.mktemp("prior"), [prior])).md.read_text()


def headings(text):
    return [line for line in text.splitlines() if line.startswith("## ")]


CMU = "obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217."


def test_owners_of_the_data_are_thanked(text, sampled):
    assert text.count(CMU) == 1
    assert ACKNOWLEDGEMENTS["hdm05"] in text
    assert sampled.count(CMU) == 1
    assert ACKNOWLEDGEMENTS["prior"] in sampled
    assert "HDM05" not in sampled
    own = replace(fake_result(), data="mine", cross_data=None)
    assert acknowledgements(Study([own])) == {}


def test_other_people_of_the_prior_are_not_called_another_data_set(text, sampled):
    assert "## Another data set" in headings(text)
    assert "## Other cameras" in headings(sampled)
    assert "(hdm05)" in text
    assert "nother data set (" not in sampled


def test_the_machine_is_named_beside_its_speed(text):
    (note,) = [line for line in text.splitlines() if "Poses/s:" in line]

    assert "2 runs at once" in note


def test_settings_are_told_apart_by_whether_all_runs_share_them():
    runs = fake_results((0, 1), ("gt",), METHODS[:2], blocks=3)
    longer = [replace(r, config=r.config | {"steps": 9}) for r in runs[:1]]

    of_grid, of_rows = settings(Study(runs)), settings(Study([*longer, *runs[1:]]))

    assert of_grid.shared["model.blocks"] == "4"
    assert of_grid.varied == ["model.method", "seed"]
    assert of_grid.of_rows == []
    assert of_rows.of_rows == ["steps"]


def best(runs):
    study = Study(runs)
    return best_of(study, "gt", dict(find(study).pairs).get("gt", ()))


def test_the_best_method_is_told_apart_from_those_that_were_tested():
    better = [(m, d, 0.0 if (m, d) == ("no-sharing", False) else 40.0) for m, d, _ in METHODS]
    everything = fake_results((0, 1, 2), ("gt",), better, blocks=20)
    uneven = [r for r in everything if r.method != "martinez" or r.seed == 0]

    clear, untested, single = map(
        best, (everything, uneven, [r for r in everything if r.seed == 0])
    )

    for found in (clear, untested, single):
        assert found.variant.method == "no-sharing"
        assert len(found.others) == 9
        assert found.alike == []
    assert clear.tested == clear.others
    assert {v.method for v in untested.others if v not in untested.tested} == {"martinez"}
    assert single.tested == []


def test_methods_that_do_not_differ_are_alike():
    same = [(m, d, 0.0) for m, d, _ in METHODS[:2]]

    found = best(fake_results((0, 1, 2), ("gt",), same, blocks=20))

    assert found.alike == found.tested == found.others


def brief(tmp_path, runs):
    """The sentences on the best methods, as written."""
    text = write_report(write_results(tmp_path, runs)).md.read_text()
    return text.partition("## In brief")[2].split("\n\n")[1]


def test_the_brief_gives_the_best_method_with_its_error_and_the_others_by_name(tmp_path):
    same = [(m, d, 0.0) for m, d, _ in METHODS[:2]]
    runs = fake_results((0, 1), ("gt",), [*same, ("martinez", False, 2.0)], blocks=20)
    uneven = [r for r in runs if r.method != "martinez" or r.seed == 0]

    text = brief(tmp_path, uneven)

    found = best(uneven)
    assert text.startswith(f"GT: {found.variant.spoken} ")
    assert f"{found.error:.1f} mm" in text
    assert all(other.spoken in text for other in found.others)
    assert text.endswith("Martinez et al.")  # and no second full stop


def test_runs_over_other_frames_are_left_out_and_named():
    results = fake_results(seeds=(0,), detections=("gt",), methods=METHODS[:3], blocks=6)
    stranger = replace(fake_result("no-sharing", False), name="stranger")

    found = find(Study([*results, stranger]))

    assert found.left_out == ["stranger"]
    assert [len(some) for _, some in found.pairs] == [3]
