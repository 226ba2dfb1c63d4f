"""Result lines in, one HTML page and one Markdown page out; nothing else is read.

The page needs no network and no script. Strings of result files are hostile until shown: HTML is
escaped by the template engine, Markdown by :func:`graphlift.study.report.markdown.escape`, figures
draw letters as paths.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphlift.errors import FormatError, GraphliftError
from graphlift.files import write_text
from graphlift.study.grid import Study
from graphlift.study.results import RESULTS, read_results

if TYPE_CHECKING:
    from graphlift.study.report.sections import Section

TITLE = "Weight sharing in graph networks for 3D human pose"


@dataclass(frozen=True)
class ReportPaths:
    """Where a report was written."""

    html: Path
    md: Path


def write_report(folder: Path, out: Path | None = None) -> ReportPaths:
    """Make ``report.html``, ``report.md`` and ``figures/*.svg`` from a study's result lines.

    The same lines give the same bytes. Each file is written whole or not at all.

    Args:
        folder: Of the result lines.
        out: Where the report goes; beside the lines if not given.

    Raises:
        FileNotFoundError: If the folder has no result file.
        FormatError: If it has no results yet, or a line is none.
        GraphliftError: If the extra ``report`` is not installed.
        OSError: If the folder cannot be written to.
    """
    study = Study(read_results(folder / RESULTS))
    if not study.results:
        raise FormatError(
            f"{folder / RESULTS} holds no results yet: run `graphlift study run` first"
        )
    with _report_extra():
        from graphlift.study.report import figures, markdown, sections
    with figures.style():
        parts = sections.sections(study)
    out = folder if out is None else out
    paths = ReportPaths(out / "report.html", out / "report.md")
    for part in parts:
        for block in part.blocks:
            if block.kind == "figure":
                write_text(out / "figures" / f"{block.value.name}.svg", block.value.svg)
    head = (TITLE, *sections.heading(study))
    write_text(paths.html, _to_html(*head, parts))
    write_text(paths.md, markdown.to_markdown(*head, parts))
    return paths


def headline(folder: Path) -> str:
    """Give the report's first table as Markdown, which a terminal shows well enough.

    Raises:
        FileNotFoundError: If the folder has no result file.
        FormatError: If a line is no result.
        GraphliftError: If the extra ``report`` is not installed.
    """
    study = Study(read_results(folder / RESULTS))
    with _report_extra():
        from graphlift.study.report import markdown, tables
    return markdown.table(tables.accuracy(study), "Table 1")


@contextmanager
def _report_extra() -> Iterator[None]:
    """Say which extra is missing where an import fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise GraphliftError(
            f"the report needs {error.name}: pip install 'graphlift[report]'"
        ) from error


def _to_html(
    title: str,
    subtitle: str,
    facts: Mapping[str, str],
    introduction: Sequence[str],
    parts: "Sequence[Section]",
) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("graphlift.study.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters["base64"] = lambda text: base64.b64encode(text.encode()).decode()
    return environment.get_template("report.html.j2").render(
        title=title, subtitle=subtitle, facts=facts, introduction=introduction, sections=parts
    )


def _printable(value: object) -> object:
    """Blank control characters, which could turn a line of text round or break the page."""
    if hasattr(value, "__html__"):
        return value
    text = str(value)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)
