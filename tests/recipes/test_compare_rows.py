"""Two rows of studies compared: Welch's interval by its formula, and what is no comparison."""

import dataclasses
import sys

import compare_rows
import numpy as np
import pytest
from helpers.fake_results import fake_result, write_results
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

VALUES = st.lists(st.floats(20, 120), min_size=2, max_size=6).filter(lambda v: np.ptp(v) > 0.1)


@given(VALUES, VALUES)
def test_the_interval_is_that_of_welch(first, second):
    errors = [np.var(values, ddof=1) / len(values) for values in (first, second)]
    freedom = sum(errors) ** 2 / sum(
        error**2 / (len(values) - 1) for error, values in zip(errors, (first, second), strict=True)
    )
    extent = t.ppf(0.975, freedom) * np.sqrt(sum(errors))
    less = np.mean(first) - np.mean(second)

    assert compare_rows.welch_interval(first, second) == pytest.approx(
        (less - extent, less + extent)
    )


def study(folder, errors, detections="gt", **changes):
    """A study with a row ``net-8`` of some errors, and the first of them as another row."""
    made = [
        dataclasses.replace(
            fake_result(),
            name=f"{row}_{detections}_seed{seed}",
            mpjpe_mm=error,
            p_mpjpe_mm=0.8 * error,
            cross_auc=None,
            detections=detections,
            **changes,
        )
        for row, some in (("net-8", errors), ("net-80", errors[:1]))
        for seed, error in enumerate(some)
    ]
    folder.mkdir(exist_ok=True)
    write_results(folder, made)
    return folder


def compare(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["compare_rows.py", *map(str, arguments)])
    compare_rows.main()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in capsys.readouterr().out.splitlines()[2:]
    ]


def test_rows_are_compared_score_by_score(tmp_path, monkeypatch, capsys):
    first, second = study(tmp_path / "a", [40, 41, 42]), study(tmp_path / "b", [50, 51, 52])

    rows = compare(monkeypatch, capsys, first, "net-8", second, "net-8")

    # Of either mean the standard error is sqrt(1 / 3), and the degrees of freedom are 4.
    extent = 2.7764451 * (2 / 3) ** 0.5
    interval = f"{-10 - extent:+.2f} to {-10 + extent:+.2f}"
    name, *numbers = rows[0]
    assert name == "GT"
    assert numbers == ["MPJPE, mm", "41.00 (3)", "51.00 (3)", "-10.00", "-19.6 %", interval]
    assert [row[1] for row in rows] == ["MPJPE, mm", "P-MPJPE, mm"]  # none had an AUC
    (of_one_seed, _) = compare(monkeypatch, capsys, first, "net-8", second, "net-80")
    assert of_one_seed[3:] == ["50.00 (1)", "-9.00", "-18.0 %", "–"]


def test_what_is_no_comparison_is_refused(tmp_path, monkeypatch, capsys):
    first, other = study(tmp_path / "a", [40, 41]), study(tmp_path / "b", [50], data_digest="0")

    with pytest.raises(SystemExit, match="differ in data_digest"):
        compare(monkeypatch, capsys, first, "net-8", other, "net-8")
    with pytest.raises(SystemExit, match="has no row net-9: its rows are net-8, net-80"):
        compare(monkeypatch, capsys, first, "net-9", other, "net-8")
    cpn = study(tmp_path / "c", [60], detections="cpn-sim")
    with pytest.raises(SystemExit, match="no detections in common: gt and cpn-sim"):
        compare(monkeypatch, capsys, first, "net-8", cpn, "net-8")
