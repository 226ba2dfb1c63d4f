"""The tables of errors: their parts sum to the totals, and the totals are those of the cards."""

import re
from itertools import groupby
from pathlib import Path

import pytest

from graphlift.lifting import SHIPPED, Lifter

PAGE = Path(__file__).parents[2] / "docs/accuracy-tables.md"
PEOPLE = {"CMU test": "test subjects", "HDM05 (informed)": "hdm05"}
ROUNDED = 0.05
"""mm; half a unit of the last digit."""


def tables():
    """By title: the names of the models, and the rows as lists of cells."""
    text = PAGE.read_text(encoding="utf-8").partition("## The tables")[2]
    found = {}
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("|")]
        head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
        found[title] = head[3:], rows
    return found


def columns(title):
    """For each people and model of a table: values by what they are."""
    models, rows = next(table for name, table in tables().items() if name.startswith(title))
    for people, group in groupby(rows, key=lambda row: row[0]):
        own = list(group)
        for at, model in enumerate(models):
            yield people, model, {row[1]: float(row[3 + at]) for row in own}


@pytest.mark.parametrize("title", ["By cause", "By geometry"])
def test_parts_sum_to_the_total(title):
    found = list(columns(title))

    assert len(found) >= 4
    for people, model, values in found:
        parts = {k: v for k, v in values.items() if not k.startswith("total")}
        slack = ROUNDED * (len(parts) + 1) + 1e-9
        assert sum(parts.values()) == pytest.approx(values["total"], abs=slack), (people, model)


def test_totals_are_those_of_the_cards():
    """Cards were scored on another processor; half-precision weights differ in the last digit."""
    totals = {(people, model): values["total"] for people, model, values in columns("By cause")}

    for model in SHIPPED:
        card = Lifter.load(model, threads=1).card
        scored = {row["on"]: row for row in card.metrics if row["protocol"] == "h36m-like"}
        for people, on in PEOPLE.items():
            expected = scored[on]["mpjpe_mm"]
            assert totals[people, model] == pytest.approx(expected, abs=0.15), (people, model)


def test_frames_of_novelty_and_posture_are_all_frames():
    found = tables()
    _, causes = found["By cause, mm"]
    whole = {row[0]: row[2] for row in causes if row[1] == "total"}

    for title in ("MPJPE, mm, by distance to the nearest training pose", "MPJPE, mm, by posture"):
        _, rows = found[title]
        for people, group in groupby(rows, key=lambda row: row[0]):
            count = sum(int(row[2].replace(",", "")) for row in group)
            assert f"{count:,}" == whole[people], (title, people)
