"""The grid of a study's runs: what is there, what is missing, what counts."""

from dataclasses import replace

from helpers.fake_results import METHODS, fake_result, fake_results, with_objective

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


def test_a_run_with_an_objective_is_a_row_of_its_own_and_not_the_method_s():
    study = Study([fake_result(), with_objective(fake_result(), "critic")])

    plain, critic = study.variants
    assert (plain.label, critic.label) == ("pre-aggregation, decoupled", "critic (Yang et al.)")
    assert (critic.short, critic.channels) == ("critic", None)
    assert critic.spoken == "decoupled pre-aggregation with critic (Yang et al.)"
    assert study.find("pre-aggregation", True) == plain
    assert study.find("pre-aggregation", True, "critic") == critic
    assert (study.repeated, study.missing) == (0, [])
    assert (plain.own, critic.own) == (True, False)


def test_an_objective_on_another_network_is_named_after_both():
    study = Study([with_objective(fake_result("semgcn", False), "bone-ratios")])

    (variant,) = study.variants
    assert variant.label == "SemGCN (Zhao et al.), bone ratios (Zhou et al. 2017)"
    assert variant.short == "SemGCN, bone-ratios"


def test_a_line_from_before_there_were_objectives_is_the_plain_row():
    older = fake_result()
    newer = replace(older, seed=1, config=older.config | {"supervision": {"critic": 0.0}})

    (variant,) = Study([older, newer]).variants

    assert "supervision" not in older.config
    assert variant == Study([older]).variants[0]
