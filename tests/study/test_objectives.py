"""Objectives by name: read from what a run's result line says of its configuration."""

import pytest

from graphlift.study.objectives import OBJECTIVES, objective_of

NOTHING = {"unlabelled": [], "bone_ratios": 0.0, "parts": 0.0, "critic": 0.0}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_is_known_by_its_keys_whatever_their_weights(name):
    for factor in (1, 20):
        weights = {key: factor * each for key, each in OBJECTIVES[name].supervision.items()}
        assert objective_of({"supervision": NOTHING | weights}) == name


@pytest.mark.parametrize("config", [{}, {"supervision": NOTHING}, {"supervision": "none"}])
def test_a_run_without_one_has_none(config):
    assert objective_of(config) == ""


@pytest.mark.parametrize(
    ("weights", "name"),
    [
        ({"parts": 0.1, "critic": 0.1}, "critic and parts"),
        ({"projection": 2.0}, "projection"),
        ({"critic": 0.1, "unlabelled": ["anna", "ben"]}, "critic, 2 unlabelled"),
    ],
)
def test_other_supervision_is_named_by_its_keys(weights, name):
    assert objective_of({"supervision": NOTHING | weights}) == name


def test_no_two_objectives_have_the_same_keys():
    assert len({frozenset(each.supervision) for each in OBJECTIVES.values()}) == len(OBJECTIVES)
