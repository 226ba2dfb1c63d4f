"""Figures: what they draw, and how they are framed."""

from dataclasses import replace

import numpy as np
from helpers.fake_results import METHODS, fake_results

from graphlift.study.grid import Study
from graphlift.study.report import figures


def test_every_method_has_its_band_of_seeds():
    """Two panels for each detections: a band each, and none with one seed."""
    results = fake_results(seeds=(0, 1), detections=("gt", "hg-sim"), blocks=3)

    def bands(study):
        return figures.to_svg(figures.curves(study)).count("FillBetween")

    assert bands(Study(results)) == 2 * 2 * len(METHODS)
    assert bands(Study([r for r in results if r.seed == 0])) == 0


def test_one_evaluation_far_off_does_not_press_the_curves_flat():
    wild, *rest = fake_results((0, 1), ("gt",), blocks=3)
    curve = list(wild.curve)
    curve[len(curve) // 2] = replace(curve[len(curve) // 2], validation_mpjpe_mm=4e7)

    _, validation = figures.curves(Study([replace(wild, curve=curve), *rest])).axes

    assert validation.get_ylim()[1] < 300


def test_points_stand_at_the_mean_of_the_seeds():
    runs = fake_results((0, 1), ("gt",), METHODS[:1], blocks=3)

    (ax,) = figures.parameters(Study(runs)).axes

    (point,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert point.get_ydata()[0] == np.mean([run.mpjpe_mm for run in runs])
    assert point.get_xdata()[0] == runs[0].parameters / 1e6
