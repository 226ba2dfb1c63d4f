"""A report as Markdown that GitHub renders: pipe tables, figures as linked files."""

import re
from collections.abc import Mapping, Sequence

from graphlift.study.report.cells import Cell, Column, Row, Table
from graphlift.study.report.figures import Drawing
from graphlift.study.report.sections import Block, Section


def to_markdown(
    title: str,
    subtitle: str,
    facts: Mapping[str, str],
    introduction: Sequence[str],
    sections: Sequence[Section],
) -> str:
    """Write a whole report."""
    parts = [f"# {title}", escape(subtitle), *map(escape, introduction), _facts(facts)]
    for section in sections:
        parts += [f"## {section.title}", *map(_block, section.blocks)]
    return "\n\n".join(parts) + "\n"


def escape(text: object) -> str:
    """Make any text harmless on a line or in a table cell."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return re.sub(r"([\\`*_{}\[\]<>|~#&$])", r"\\\1", " ".join(line.split()))


def _block(block: Block) -> str:
    match block.value:
        case Table() as rows:
            return table(rows, block.label)
        case Drawing() as drawing:
            return _figure(drawing, block.label)
        case Mapping() as facts:
            return _facts(facts)
        case list() as commands:
            return "\n".join(["```sh", *commands, "```"])
        case text:
            return escape(text)


def _facts(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- **{escape(term)}**: {escape(value)}" for term, value in facts.items())


def _figure(drawing: Drawing, label: str) -> str:
    image = f"![{escape(drawing.title)}](figures/{drawing.name}.svg)"
    return f"{image}\n\n**{label}. {escape(drawing.title)}.** {escape(drawing.note)}"


def table(table: Table, label: str) -> str:
    """Write one table with its label and note."""
    title = f"{label}. {escape(table.title)}"
    rule = "|".join(" ---: " if column.number else " :--- " for column in table.columns)
    grid = "\n".join(
        [
            f"| {' | '.join(map(_head, table.columns))} |",
            f"|{rule}|",
            *(_row(row, len(table.columns)) for row in table.rows),
        ]
    )
    note = escape(table.note)
    if table.folded:
        return f"<details><summary>{title}</summary>\n\n{grid}\n\n{note}\n\n</details>"
    return f"**{title}**\n\n{grid}\n\n{note}"


def _head(column: Column) -> str:
    return escape(f"{column.group}: {column.head}" if column.group else column.head)


def _row(row: Row, columns: int) -> str:
    if len(row.cells) == 1:
        return f"| **{escape(row.cells[0])}** |{'  |' * (columns - 1)}"
    return f"| {' | '.join(map(_cell, row.cells))} |"


def _cell(cell: Cell) -> str:
    text = f"**{escape(cell)}**" if cell.best else escape(cell)
    return "<br>".join([text, *map(escape, cell.lines)])
