"""What a report says in words: whom it thanks, what it tells apart, what it does not claim."""

from dataclasses import replace

import pytest
from helpers.fake_results import METHODS, fake_result, fake_results, write_results
from matplotlib.figure import Figure

from graphlift.study.grid import Study
from graphlift.study.report import figures, prose, write_report
from graphlift.study.report.sections import find


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    runs = fake_results(seeds=(0, 1), detections=("gt",), methods=METHODS[:2], blocks=6)
    return write_report(write_results(tmp_path_factory.mktemp("study"), runs)).md.read_text()


CMU = "obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217."


def test_owners_of_the_data_are_thanked(text, tmp_path):
    prior = replace(fake_result(), data="prior", cross_data="prior")
    sampled = write_report(write_results(tmp_path, [prior])).md.read_text()

    assert text.count(CMU) == 1
    assert "Universität Bonn 2007, CC BY-SA 3.0, used for testing only" in text
    assert sampled.count(CMU) == 1
    assert "Fitted to training subjects" in sampled
    assert "HDM05" not in sampled
    assert prose.acknowledgements(Study([replace(prior, data="mine", cross_data=None)])) == {}


def test_other_people_of_the_prior_are_not_called_another_data_set(text, tmp_path):
    prior = replace(fake_result(), data="prior", cross_data="prior")

    sampled = write_report(write_results(tmp_path, [prior])).md.read_text()

    assert "AUC through other cameras, other people of the same prior, per cent" in sampled
    assert "through other cameras on other people of the same prior, over 14" in sampled
    assert "## Other cameras" in sampled
    assert "nother data set (" not in sampled
    assert "AUC on another data set (hdm05), per cent" in text


def test_speed_is_called_this_implementations(text):
    assert "with 2 runs at once and whatever else the machine did" in text
    assert "not a property of a method" in text


def test_every_method_has_its_band_of_seeds():
    """Two panels for each detections: a band each, and none with one seed."""
    results = fake_results(seeds=(0, 1), detections=("gt", "hg-sim"), blocks=3)

    def bands(study):
        return figures.curves(study).svg.count("FillBetween")

    assert bands(Study(results)) == 2 * 2 * len(METHODS)
    assert bands(Study([r for r in results if r.seed == 0])) == 0


def test_one_evaluation_far_off_does_not_press_the_curves_flat():
    wild, *rest = fake_results((0, 1), ("gt",), blocks=3)
    curve = list(wild.curve)
    curve[len(curve) // 2] = replace(curve[len(curve) // 2], validation_mpjpe_mm=4e7)
    ax = Figure().subplots()

    figures._crop(ax, Study([replace(wild, curve=curve), *rest]), "gt")

    assert ax.get_ylim()[1] < 300


def said(study):
    found = find(study)
    return list(prose.brief(study, found.pairs, found.claims))


def test_the_brief_says_how_it_tells_methods_apart():
    better = [(m, d, 0.0 if (m, d) == ("no-sharing", False) else 40.0) for m, d, _ in METHODS]
    everything = fake_results((0, 1, 2), ("gt",), better, blocks=20)
    uneven = [r for r in everything if r.method != "martinez" or r.seed == 0]

    clear, untested, single = (
        said(Study(runs))[0]
        for runs in (everything, uneven, [r for r in everything if r.seed == 0])
    )

    assert "every other method differs from it at 5 % after Holm's correction." in clear
    assert "every method tested differs from it" in untested
    assert "not tested, for want of seeds: Martinez et al." in untested
    assert "this speaks of these very networks only" in single
    assert "differ" not in single


def test_the_brief_names_methods_that_do_not_differ():
    same = [(m, d, 0.0) for m, d, _ in METHODS[:2]]

    (text, _) = said(Study(fake_results((0, 1, 2), ("gt",), same, blocks=20)))

    assert "at 5 % after Holm's correction it is not told from" in text


def test_the_brief_does_not_list_everything_nor_end_twice():
    same = [(m, d, 0.0) for m, d, _ in METHODS[:2]]
    runs = fake_results((0, 1), ("gt",), [*same, ("martinez", False, 2.0)], blocks=20)

    assert "no other method is shown to differ" in said(Study(runs))[0]
    uneven = [r for r in runs if r.method != "martinez" or r.seed == 0]
    assert said(Study(uneven))[0].endswith("want of seeds: Martinez et al.")
