"""The table of networks that give several poses of a frame, by how one of them is chosen."""

from collections.abc import Iterable
from dataclasses import astuple

from graphlift.study.grid import Study
from graphlift.study.report.tables import (
    Cell,
    Column,
    Row,
    Table,
    by_detections,
    mean_cell,
    text_columns,
)

HEADS = ("MPJPE", "P-MPJPE", "PCK", "AUC")
"""Fields of :class:`graphlift.study.results.AnswerScore`, in its order."""


def hypotheses(study: Study) -> Table:
    """Scores of the ways to answer with several poses; no rows without networks that give them."""

    def rows(kind: str) -> Iterable[Row]:
        for variant in study.variants:
            runs = study.at(variant, kind)
            for how in dict.fromkeys(how for run in runs for how in run.hypotheses):
                scores = [run.hypotheses[how] for run in runs if how in run.hypotheses]
                columns = zip(*map(astuple, scores), strict=True)
                known = ([each for each in column if each is not None] for column in columns)
                yield [Cell(variant.label), Cell(how), *map(mean_cell, known)]

    return by_detections([*text_columns("Method", "Answer"), *map(Column, HEADS)], study, rows)
