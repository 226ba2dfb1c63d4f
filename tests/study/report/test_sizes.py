"""A study of several sizes: parted by size, and reported at each."""

from dataclasses import replace

import pytest
from helpers.fake_results import METHODS, fake_results, write_results

from graphlift.complexity import complexity
from graphlift.matched_width import channels_for
from graphlift.study.grid import Study, by_size
from graphlift.study.report import headline, write_report
from graphlift.weight_sharing import VARIANTS

PRE, NONE = ("pre-aggregation", True), ("no-sharing", False)


def at_size(results, size, errors):
    """The runs as if at another size, with errors that their methods are given."""
    made = []
    for run in results:
        identity = run.method, run.decoupled
        width = channels_for(run.method, size, decouple_self=run.decoupled)
        factor = errors[identity] / run.mpjpe_mm
        blocks = {
            name: replace(each, mpjpe_mm=[factor * error for error in each.mpjpe_mm])
            for name, each in run.blocks.items()
        }
        made.append(
            replace(
                run,
                name=f"{run.name}-{size}",
                channels=width.channels,
                parameters=width.parameters,
                mpjpe_mm=errors[identity] + 0.1 * run.seed,
                blocks=blocks,
            )
        )
    return made


@pytest.fixture(scope="module")
def runs():
    chosen = [method for method in METHODS if method[:2] in (PRE, NONE)]
    some = fake_results(seeds=(0, 1, 2), detections=("gt",), methods=chosen, blocks=6)
    small = at_size(some, 128_000, {PRE: 50.0, NONE: 45.0})
    return [*small, *at_size(some, 4_200_000, {PRE: 40.0, NONE: 43.0})]


def test_matched_sizes_are_parted_the_smallest_first(runs):
    parts = by_size(Study(runs))

    assert [len(part.runs) for part in parts] == [6, 6]
    assert [max(part.parameters) < 1e6 for part in parts] == [True, False]
    for part in parts:
        assert {(v.method, v.decoupled, v.channels) for v in part.variants} == {
            (*PRE, None),
            (*NONE, None),
        }


def test_a_size_that_is_not_complete_yet_is_a_size(runs):
    parts = by_size(Study([run for run in runs if run.parameters > 1e6 or run.method == PRE[0]]))

    assert [len(part.variants) for part in parts] == [1, 2]


def test_networks_of_equal_width_are_one_study():
    """Their sizes differ by method, up to 45 times, and no two are matched."""
    some = fake_results(seeds=(0,), methods=[(*v, 0.0) for v in VARIANTS], blocks=3)
    wide = [
        replace(
            run,
            channels=width,
            name=f"{run.name}-{width}",
            parameters=complexity(
                run.method, decouple_self=run.decoupled, channels=width
            ).parameters,
        )
        for run in some
        for width in (64, 128)
    ]
    for study in (Study(wide), Study(wide[::2]), Study([])):
        assert by_size(study) == [study]


def test_the_report_says_which_method_wins_at_which_size(runs, tmp_path):
    folder = write_results(tmp_path, runs)
    text = write_report(folder).md.read_text()
    section = text.split("## Which method wins at which size")[1].split("\n## ")[0]
    winners = [line for line in section.splitlines() if line.startswith(("| 0.1", "| 4."))]

    assert "figures/sizes.svg" in section
    assert (folder / "figures" / "sizes.svg").read_text().startswith("<svg")
    assert "| no-sharing | 45.1 | none |" in winners[0]
    assert "| pre-aggregation, decoupled | 40.1 | none |" in winners[1]
    assert "everything here is of the largest" in text
    # Rows of all other tables are of the largest size, and so is the first table.
    assert "40.1 ± 0.1" in headline(folder)
    assert "45.1" not in headline(folder)
    assert "channels" not in headline(folder)
    assert headline(folder).endswith("the largest networks of 2 sizes: the report has all.")


def test_one_size_has_no_section_of_sizes(runs, tmp_path):
    report = write_report(write_results(tmp_path, runs[:6]))

    assert "wins at which size" not in report.md.read_text()
    assert "largest" not in headline(tmp_path)
    assert not (tmp_path / "figures" / "sizes.svg").exists()
