"""The command as a whole: help, versions, mistakes."""

import pytest
from command import assert_refused, command, here

import graphlift

VERBS = {
    ("train",): "Train one network",
    ("evaluate",): "Score a network",
    ("study",): "Train every method under the same conditions",
    ("study", "run"): "Train what a plan lacks",
    ("study", "report"): "Write report.html",
    ("model",): "The networks of the study",
    ("model", "list"): "List every method and variant",
    ("model", "info"): "Say what a trained network is",
    ("data",): "Motion capture",
    ("data", "info"): "Print what a data set holds",
    ("data", "prepare"): "Turn BVH or ASF/AMC files into a pack",
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
    status, out, err = here(*args)

    assert (status, out) == (2, "")
    assert names in err
    assert "--help" in err


def test_an_error_is_one_line_even_if_its_file_has_a_name_of_two(tmp_path):
    said = here("model", "info", tmp_path / "two\nlines")

    assert_refused(said, "No such file or directory")
