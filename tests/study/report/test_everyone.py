"""Reports of studies with the networks of others, their objectives and several answers."""

import re
from dataclasses import replace

import pytest
from helpers.fake_results import METHODS, fake_results, with_objective, write_results

from graphlift.study import paper
from graphlift.study.grid import Study
from graphlift.study.report import figures, write_report
from graphlift.study.report.answers import hypotheses
from graphlift.study.report.published import cross_beside_paper
from graphlift.study.results import AnswerScore

LIFTERS = ("lcn", "mixture", "bidirectional", "graformer")
OWN = ("martinez", "semgcn", "pre-aggregation")


@pytest.fixture(scope="module")
def runs():
    methods = [m for m in METHODS if m[0] in OWN] + [(name, False, 1.0) for name in LIFTERS]
    some = fake_results(seeds=(0, 1), detections=("gt", "hg-sim"), methods=methods, blocks=3)
    some = [several(run) if run.method == "mixture" else run for run in some]
    best = [run for run in some if (run.method, run.decoupled) == paper.BEST]
    return [*some, *(with_objective(run, "critic") for run in best)]


def several(run):
    """The run as one of a network with several answers; its oracle is 9 mm better."""
    scores = run.mpjpe_mm, run.p_mpjpe_mm, run.cross_pck, run.cross_auc
    oracle = AnswerScore(scores[0] - 9, scores[1] - 7, scores[2] + 2, scores[3] + 1)
    return replace(run, hypotheses={"most likely": AnswerScore(*scores), "oracle": oracle})


def mean(values):
    a, b = values
    return f"{(a + b) / 2:.1f} ± {abs(a - b) / 2**0.5:.1f}"


def test_the_supplements_rows_stand_in_its_order_with_ours_beside_them(runs):
    table = cross_beside_paper(Study(runs))

    rows = [[str(cell) for cell in row] for row in table.rows]
    assert [row[0] for row in rows] == [
        *("Martinez et al.", "Yang et al.", "Zhou et al. 2017", "Pavlakos et al.", "Ci et al."),
        *("Wang et al.", "Li et al.", "Zhou et al. 2019", "Pre-agg (the paper)"),
    ]
    assert [row[4] for row in rows[:2]] == ["Martinez et al.", "critic (Yang et al.)"]
    lcn = [run for run in runs if run.method == "lcn" and run.detections == "gt"]
    assert rows[4][:5] == ["Ci et al.", "H36m", "74.0", "36.7", "LCN (Ci et al.)"]
    assert rows[4][5] == mean([run.cross_pck for run in lcn])
    assert rows[4][6] == mean([run.cross_auc for run in lcn])
    assert rows[4][-3] == f"{lcn[0].parameters / 1e6:.3f} M"
    assert rows[4][-2] == f"{lcn[0].macs_reduced / 1e6:.3f} M"
    assert rows[6][3] == "–"  # no AUC is printed for Li et al.
    assert {len(row) for row in rows} == {len(table.columns)}


def test_rows_without_a_run_are_marked(runs):
    rows = {str(row[0]): [*map(str, row[4:])] for row in cross_beside_paper(Study(runs)).rows}

    for name in ("Zhou et al. 2017", "Pavlakos et al.", "Zhou et al. 2019"):
        assert rows[name][0].endswith(": no run")
        assert {*rows[name][1:]} == {"–"}
    assert rows["Zhou et al. 2019"][0] == "part triplets (Zhou et al. 2019): no run"
    assert sum(row[0].endswith("no run") for row in rows.values()) == 3


def test_each_way_to_answer_is_scored_and_the_oracle_is_called_one(runs, tmp_path):
    table = hypotheses(Study(runs))

    mixture = [run for run in runs if run.method == "mixture" and run.detections == "hg-sim"]
    oracle = [run.hypotheses["oracle"] for run in mixture]
    *_, last = table.rows
    assert [str(cell) for cell in last] == [
        *("mixture density (Li and Lee)", "oracle"),
        mean([score.mpjpe_mm for score in oracle]),
        mean([score.p_mpjpe_mm for score in oracle]),
        mean([score.cross_pck for score in oracle]),
        mean([score.cross_auc for score in oracle]),
    ]
    assert len(table.rows) == 2 * (1 + 2)
    text = write_report(write_results(tmp_path, runs)).md.read_text()
    assert "Answers of networks that give several poses" in text
    assert "Trained with what another system adds to its loss: decoupled pre-agg" in text
    assert "weight-sharing methods compared here differ in one thing" in text


def test_networks_with_one_answer_have_no_such_table(runs, tmp_path):
    single = [run for run in runs if run.method in OWN and "supervision" not in run.config]

    assert hypotheses(Study(single)).rows == []
    text = write_report(write_results(tmp_path, single)).md.read_text()
    assert "several poses" not in text
    assert "another system adds" not in text
    assert "The methods compared here differ in one thing" in text


def test_runs_without_another_data_set_answer_without_pck(runs):
    bare = [
        replace(
            run,
            hypotheses={
                how: replace(score, cross_pck=None, cross_auc=None)
                for how, score in run.hypotheses.items()
            },
        )
        for run in runs
    ]

    rows = hypotheses(Study(bare)).rows
    assert [str(cell) for cell in rows[1][-2:]] == ["–", "–"]


def test_figures_of_many_networks_are_parted_and_none_is_lost(tmp_path):
    methods = [*METHODS, *((name, False, 1.0) for name in LIFTERS)]
    some = fake_results(seeds=(0, 1), detections=("gt",), methods=methods, blocks=3)
    best = [run for run in some if (run.method, run.decoupled) == paper.BEST]
    study = Study([*some, *(with_objective(run, "critic") for run in best)])

    own, others = figures.groups(study)

    assert {(v.method, v.decoupled) for v in own.variants} == {m[:2] for m in METHODS}
    assert [v.short for v in others.variants] == [
        *("pre-agg, dec.", "bidirectional", "GraFormer", "LCN", "mixture", "critic"),
    ]
    assert figures.groups(own) == [own]
    for group in (own, others):
        colours = [figures.colour(v) for v in group.variants]
        pens = {(c, v.decoupled) for c, v in zip(colours, group.variants, strict=True)}
        assert len(pens) == len(group.variants)

    text = write_report(write_results(tmp_path, study.results)).md.read_text()
    drawn = re.findall(r"!\[(.*?)\]\(figures/(curves.*?|parameters.*?)\.svg\)", text)
    assert [name for _, name in drawn] == [
        *("curves", "curves-others", "parameters", "parameters-others"),
    ]
    assert all((tmp_path / "figures" / f"{name}.svg").exists() for _, name in drawn)
    assert "networks of others" in drawn[1][0]


def test_every_network_of_the_plan_has_a_colour_of_its_own():
    assert len({*figures.COLOURS.values()}) == len(figures.COLOURS)
