"""The grid of a study's runs: what is there, what is missing, what counts."""

from dataclasses import replace

from helpers.fake_results import METHODS, fake_result, fake_results

from graphlift.study.grid import Study


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
