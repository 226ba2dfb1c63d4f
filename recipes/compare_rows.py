"""One row of a study against one of another, or of the same: means, difference, Welch's interval.

    python recipes/compare_rows.py docs/study/best htnet-32 docs/study/everyone htnet-32

A row is a network and its width, as the names of its runs have them before the detections. For
each kind of detections that both rows have, the means over their seeds (and how many), the first
less the second, in per cent of the second, and the 95 % interval of the difference by Welch's
*t*: by seeds alone, where both rows have two or more. The report of a study compares all its rows
by seeds and by test seconds, and corrects for their number; this is for two that were chosen
beforehand.

Source: Welch, "The generalization of 'Student's' problem when several different population
variances are involved", Biometrika 34, 1947.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from graphlift.study.grid import LABELS
from graphlift.study.results import RESULTS, read_results

SCORES = {"MPJPE, mm": "mpjpe_mm", "P-MPJPE, mm": "p_mpjpe_mm", "AUC, %": "cross_auc"}


def runs_of_row(folder, row):
    """The finished runs of a row, by detections."""
    results = read_results(folder / RESULTS)
    runs = [each for each in results if each.name.startswith(f"{row}_{each.detections}_")]
    if not runs:
        rows = sorted({each.name.partition("_")[0] for each in results})
        raise SystemExit(f"{folder}: has no row {row}: its rows are {', '.join(rows)}")
    return {
        kind: of_kind
        for kind in LABELS
        if (of_kind := [run for run in runs if run.detections == kind])
    }


def check_comparable(runs):
    """Refuse runs that were tested otherwise: their difference would not be the rows'."""
    for what in ("data_digest", "cross_digest", "protocols", "adaptations"):
        if len({json.dumps(getattr(run, what), sort_keys=True) for run in runs}) > 1:
            raise SystemExit(f"the rows differ in {what}: they were not tested alike")


def welch_interval(first, second):
    """The 95 % interval of the mean of the first less that of the second; None of one seed."""
    from scipy.stats import ttest_ind

    if min(len(first), len(second)) < 2:
        return None
    return ttest_ind(first, second, equal_var=False).confidence_interval(0.95)


def compared(first, second):
    """A line of Markdown for each score of two lists of runs on the same detections."""
    for label, name in SCORES.items():
        a, b = ([getattr(run, name) for run in runs] for runs in (first, second))
        if None in a + b:
            continue
        less, interval = np.mean(a) - np.mean(b), welch_interval(a, b)
        cells = [
            label,
            *(f"{np.mean(values):.2f} ({len(values)})" for values in (a, b)),
            f"{less:+.2f}",
            f"{100 * less / np.mean(b):+.1f} %",
            "–" if interval is None else f"{interval.low:+.2f} to {interval.high:+.2f}",
        ]
        yield " | ".join(cells)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for which in ("first", "second"):
        parser.add_argument(which, type=Path, help="folder of its study")
        parser.add_argument(f"{which}_row", help="such as htnet-32")
    asked = parser.parse_args()
    first = runs_of_row(asked.first, asked.first_row)
    second = runs_of_row(asked.second, asked.second_row)
    check_comparable([run for row in (first, second) for kind in row.values() for run in kind])
    common = [kind for kind in first if kind in second]
    if not common:
        raise SystemExit(f"no detections in common: {', '.join(first)} and {', '.join(second)}")
    print("| detections | score | first (seeds) | second | less | of the second | 95 %, Welch |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for kind in common:
        for line in compared(first[kind], second[kind]):
            print(f"| {LABELS[kind]} | {line} |")


if __name__ == "__main__":
    main()
