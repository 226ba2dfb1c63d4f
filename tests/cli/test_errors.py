"""The command as a whole: help, versions, mistakes."""

import pytest
from helpers.command import assert_refused, command, here

import graphlift
from graphlift.cli import app
from graphlift.cli.options import numeric_options

VERBS = {
    ("train",): "Train one network",
    ("evaluate",): "Score a network",
    ("study",): "Train every method under the same conditions",
    ("study", "run"): "Train what a plan lacks",
    ("study", "report"): "Write report.html",
    ("model",): "The networks of the study",
    ("model", "list"): "List every network and system with its size, cost and reference",
    ("model", "info"): "Say what a trained network is",
    ("data",): "Data to train on",
    ("data", "info"): "Print what a data set holds",
    ("data", "prepare"): "Turn recordings or licensed data into a pack",
    ("data", "prepare", "mocap"): "Turn a folder of BVH, or of ASF and AMC, files",
    ("data", "prepare", "h36m"): "Turn your copy of Human3.6M",
    ("data", "prepare", "3dhp"): "Turn your copy of MPI-INF-3DHP",
}


def test_help_lists_every_verb_with_what_it_does():
    status, out, err = command("--help")

    assert (status, err) == (0, "")
    for verb, says in VERBS.items():
        if len(verb) == 1:
            assert any(line.split()[:1] == [*verb] and says in line for line in out.splitlines())


@pytest.mark.parametrize(("verb", "says"), VERBS.items(), ids=map(" ".join, VERBS))
def test_each_verb_has_help_that_says_what_it_does(verb, says):
    status, out, err = here(*verb, "--help")

    assert (status, err) == (0, "")
    assert says in out
    assert f"graphlift {' '.join(verb)}" in out


def test_the_version_is_the_packages():
    assert command("--version") == (0, f"{graphlift.__version__}\n", "")


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (("trian",), "trian"),
        (("train", "run.toml", "--out", "x", "--speed", "9"), "--speed"),
        (("train",), "config"),
        (("study", "run", "quick", "--at-once", "-1"), "--at-once"),
        (("model", "list", "--channels", "many"), "--channels"),
    ],
)
def test_words_that_are_no_command_are_refused_with_the_word(args, names):
    assert_refused(
        here(*args), names, f"graphlift {args[0]}" if names != "trian" else "", "--help"
    )


@pytest.mark.parametrize("verb", [(), ("study",), ("model",), ("data",)])
def test_a_command_without_a_verb_shows_its_verbs(verb):
    said = here(*verb)

    assert said.status == 2
    assert (said.out, said.err.startswith("Usage: ")) == ("", True)
    assert "\nCommands:\n" in said.err


@pytest.mark.parametrize(
    ("args", "goes_on"),
    [(("train", "run.toml"), True), (("study", "run", "quick"), True), (("data", "info"), False)],
)
def test_only_what_can_go_on_is_said_to(args, goes_on, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("graphlift.training.config.read_config", interrupt)
    monkeypatch.setattr("graphlift.study.plan.read_plan", interrupt)
    monkeypatch.setattr("graphlift.datasets.mocap.prior.sample_prior", interrupt)

    more = "; run the same command again to go on" if goes_on else ""
    assert here(*args) == (130, "", f"graphlift: interrupted{more}\n")


def test_an_error_is_one_line_even_if_its_file_has_a_name_of_two(tmp_path):
    said = here("model", "info", tmp_path / "two\nlines.safetensors")

    assert_refused(said, "No such file or directory")


@pytest.mark.parametrize(
    "words", [("--fps", "3_0"), ("--people=1_0",), ("--height", "1_0.7"), ("--gaps", "٣")]
)
def test_numbers_of_flags_are_plain_digits(words, tmp_path):
    said = here("lift", "walk.json", "-o", tmp_path / "x.bvh", *words)

    assert_refused(said, words[0].partition("=")[0], "plain digits")


@pytest.mark.parametrize(
    "words", [("--fps", "29.97"), ("--fps", "3e1"), ("--people", "2"), ("--person", "1_0")]
)
def test_plain_numbers_and_names_with_underscores_are_taken(words, tmp_path):
    path = tmp_path / "no.json"  # refused for what is not there, after the flags were read

    assert_refused(here("lift", path, "-o", tmp_path / "x.bvh", *words), path)


def test_the_flags_that_are_numbers_are_known():
    flags = set(numeric_options(app))

    assert {"--fps", "--people", "--height", "--port", "--to-fps", "--scale", "--at-once"} <= flags
    assert not {"--person", "--clip", "--out", "-o", "--camera"} & flags
