"""The paper's printed numbers: that they agree with each other."""

import numpy as np
import pytest

from graphlift.datasets.human36m import facts
from graphlift.study import paper


def test_the_published_table_agrees_with_itself():
    """ALL is the frame-weighted mean of 1143, 1058 and 728 frames; Li's printed row is not."""
    for row in paper.TABLE_2:
        *parts, whole = row.pck
        if None not in parts and row.label != "Li et al.":
            assert np.average(parts, weights=[1143, 1058, 728]) == pytest.approx(whole, abs=0.11)
    for kind in ("gt", "hg", "cpn"):
        best = min(paper.TABLE_1, key=lambda row: row.errors.get(kind, (np.inf,))[0])
        assert best.label == "Pre-agg"


def test_the_published_rows_by_activity_have_the_published_means():
    """The supplement's Table 1 has 37.83 and 52.42 mm; of P-MPJPE on CPN 41.48, its row 41.27."""
    means = {key: np.mean(errors) for key, (errors, _) in paper.BEST_BY_ACTIVITY.items()}

    assert means["gt", "mpjpe_mm"] == pytest.approx(37.83, abs=0.05)
    assert means["cpn", "mpjpe_mm"] == pytest.approx(52.42, abs=0.05)
    assert means["cpn", "p_mpjpe_mm"] == pytest.approx(41.27, abs=0.005)
    assert {len(e) for e, _ in paper.BEST_BY_ACTIVITY.values()} == {len(paper.ACTIVITIES)}


def test_activities_have_the_names_of_the_data_set():
    assert paper.ACTIVITIES == facts.ACTIVITIES
