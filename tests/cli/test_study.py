"""``graphlift study``: its two verbs, from a plan to a report. Interrupts are in test_runner."""

import json

import pytest
from helpers.command import assert_refused, here
from helpers.fake_results import fake_result, fake_results, write_results

from graphlift.study.results import RESULTS, read_results

PLAN = """
methods = ["martinez"]
channels = [4]
seeds = [0, 1]
[recipe]
steps = 4
batch_size = 8
evaluate_every = 2
tensorboard = false
"""


@pytest.fixture(scope="module")
def studied(plan, pack, tmp_path_factory):
    """A study in whose folder there is half a line from before."""
    folder = write_results(tmp_path_factory.mktemp("studied") / "study", [fake_result()])
    (folder / RESULTS).write_bytes((folder / RESULTS).read_bytes()[:-50])
    return folder, here("study", "run", plan, "--data", pack, "--out", folder, "--at-once", 1)


def test_a_plan_becomes_a_study_and_a_study_a_report(studied):
    folder, said = studied

    assert (said.status, said.out) == (0, f"{folder}\n")
    assert said.err == f"{folder}: set aside a line that was cut short; its run is repeated\n"
    names = [result.name for result in read_results(folder / RESULTS)]
    assert names == ["martinez-4_gt_seed0", "martinez-4_gt_seed1"]
    report = here("study", "report", folder)
    assert (report.status, report.err) == (0, "")
    assert report.out == f"{folder / 'report.html'}\n{folder / 'report.md'}\n"
    assert "cmu" in (folder / "report.md").read_text()


def test_a_key_that_no_row_has_is_said_before_training(studied, plan, pack):
    mask = ("--set", "model.learnt_mask = true")

    said = here("study", "run", plan, "--data", pack, "--out", studied[0], *mask)

    assert (said.status, said.out) == (0, f"{studied[0]}\n")  # the runs are the same
    assert said.err == (
        "recipe: model.learnt_mask is for lcn: no row has it, and it changes nothing\n"
    )


def test_a_finished_study_is_left_alone_by_another_plan(studied, pack, tmp_path):
    folder = studied[0]
    before = (folder / RESULTS).read_bytes()
    other = tmp_path / "other.toml"
    other.write_text(PLAN.replace("steps = 4", "steps = 5"))

    said = here("study", "run", other, "--data", pack, "--out", folder)

    assert_refused(said, "martinez-4_gt_seed0", "another steps", "another folder")
    assert (folder / RESULTS).read_bytes() == before


def test_a_damaged_line_is_refused_with_file_and_number(studied, plan, pack, tmp_path):
    first, second = (studied[0] / RESULTS).read_bytes().splitlines(keepends=True)
    (tmp_path / RESULTS).write_bytes(b"\xff" + first[:80] + b"\n" + second)

    for said in (
        here("study", "run", plan, "--data", pack, "--out", tmp_path),
        here("study", "report", tmp_path),
    ):
        assert_refused(said, f"{tmp_path / RESULTS}, line 1: not a result")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('methods = ["half-sharing"]\nchannels = [4]', ["'half-sharing'", "full-sharing"]),
        ("chanels = [4]", ["chanels"]),
        ("channels = [4]\n[recipe]\nstesp = 4", ["recipe", "stesp"]),
        ("channels = [4", ["not TOML"]),
    ],
)
def test_a_plans_mistake_is_one_line(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text)

    assert_refused(here("study", "run", path, "--out", tmp_path / "study"), *words)
    assert not (tmp_path / "study").exists()


def test_the_folder_one_stands_in_may_be_the_studys(studied, plan, pack, monkeypatch):
    monkeypatch.chdir(studied[0])

    assert here("study", "run", plan, "--data", pack, "--out", ".") == (0, ".\n", "")


@pytest.mark.parametrize("verb", [("train",), ("study", "run")])
def test_help_names_no_default_that_is_not_one(verb):
    assert "[default: .]" not in here(*verb, "--help").out


def test_a_plan_or_study_that_is_nowhere_is_named(tmp_path):
    assert_refused(
        here("study", "run", "qiuck", "--out", tmp_path / "s"), "'qiuck'", "quick, open, paper"
    )
    assert_refused(
        here("study", "report", tmp_path), tmp_path, f"has no {RESULTS}", "graphlift study run"
    )


def test_data_that_are_nowhere_are_named_though_a_worker_looked(plan, tmp_path):
    nowhere = tmp_path / "nowhere"

    said = here("study", "run", plan, "--data", nowhere, "--out", tmp_path, "--at-once", 1)

    assert_refused(said, f"no splits at {nowhere / 'splits.json'}")


def test_a_study_without_results_yet_says_what_to_do(tmp_path):
    (tmp_path / RESULTS).touch()

    assert_refused(here("study", "report", tmp_path), tmp_path / RESULTS, "graphlift study run")


def test_a_report_is_made_of_result_lines_alone(tmp_path):
    folder = write_results(tmp_path / "study", fake_results((0,), ("gt",), blocks=4))

    said = here("study", "report", folder)

    assert said.status == 0, said
    assert [path.name for path in folder.iterdir() if path.suffix == ".html"] == ["report.html"]
    assert json.loads((folder / RESULTS).read_text().splitlines()[0])["name"]
